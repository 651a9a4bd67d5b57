"""Battles as wholes: what they pay, how they end, and what must hold in any of them."""

from dataclasses import replace
from functools import cache

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from battles import battle, flipped

from covey.environments.skirmish.battle import Field, fight
from covey.environments.skirmish.maps import find_map
from covey.environments.skirmish.rewards import Pay, result, reward
from covey.environments.skirmish.skirmish import Skirmish
from covey.environments.skirmish.state import Orders, change
from covey.testing import check_environment

STOP = 1


@cache
def world(name="3m", **settings):
    """Return a world, and its compiled step."""
    env = battle(name, **settings)
    return env, eqx.filter_jit(env.step)


def begin(env, places=None, copies=1, **values):
    """Return a state at the start, with units at places `[units, 2]` and other values of the forces."""
    state, _ = env.reset(jax.random.key(0), copies)
    forces = state.forces
    if places is not None:
        pos = jnp.broadcast_to(jnp.asarray(places, jnp.float32)[..., None], forces.pos.shape)
        forces = change(forces, pos=pos)
    shaped = {key: jnp.asarray(x, jnp.float32).reshape(-1, 1) for key, x in values.items()}
    whole = {key: jnp.broadcast_to(x, getattr(forces, key).shape) for key, x in shaped.items()}
    return replace(state, forces=replace(forces, **whole))


def act(env, *actions):
    """Return a joint action in one copy: the last one is every other agent's, too."""
    agents = len(env.spec.names)
    actions = [*actions, *[actions[-1]] * (agents - len(actions))]
    return jnp.array([actions], env.spec.action_type)


def run(env, step, state, action, steps):
    """Repeat a joint action; return the last state and all steps."""
    told = []
    for t in range(steps):
        state, result = step(state, action, jax.random.key(t))
        told.append(result)
    return state, told


@pytest.mark.slow
@pytest.mark.parametrize("name", ["3m", "MMM", "corridor"])
def test_battles_keep_the_protocol(name):
    # Would break: any part of the contract of core.AbstractEnvironment.
    check_environment(Skirmish(name))


def far(env, foes):
    """Return places out of everyone's sight for allies, and given ones for enemies."""
    allies = len(env.spec.names)
    return np.concatenate([np.stack([np.full(allies, 0.6), 8.5 + 0.9 * np.arange(allies)], axis=1), foes])


def test_what_a_kill_and_a_win_pay():
    # Would break: 10 for a death, 200 for the win, the scale of 20 for a whole battle.
    env, step = world()
    shot = 6 / 365 * 20
    foes = [[14, 16], [30, 9], [30, 23]]
    near = begin(env, [[9.5, 16], [2, 9], [2, 23], *foes], health=[45, 45, 45, 6, 45, 45])
    _, (told,) = run(env, step, near, act(env, 6, STOP), 1)
    assert told.team_reward[0, 0] == pytest.approx(shot + 10 / 365 * 20, rel=1e-5)
    whole = (45 + 10) / 365 * 20
    assert whole == pytest.approx(3.0137, abs=1e-4)
    last = begin(env, [[9.5, 16], [2, 9], [2, 23], *foes], health=[45, 45, 45, 6, 0, 0])
    _, (told,) = run(env, step, last, act(env, 6, STOP), 1)
    assert told.terminated[0]
    assert told.counts["won"][0] == 1
    assert told.team_reward[0, 0] == pytest.approx(shot + 10 / 365 * 20 + 10.9589, abs=1e-4)


@pytest.mark.slow
def test_an_enemy_that_recovers_pays():
    # Would break: SMAC's absolute value; the part without it, that pays nothing or takes away.
    env, step = world("2s3z")
    foes = np.array([[28.0, 10 + 2.2 * i] for i in range(5)])
    shield = np.array([80, 80, 50, 50, 50, 77, 80, 50, 50, 50])
    start = begin(env, far(env, foes), shield=shield)
    state, told = run(env, step, start, act(env, STOP), 3)
    assert sum(float(t.team_reward[0, 0]) for t in told) == pytest.approx(3 / (1020 / 20), rel=1e-4)
    stats = env.field.roster.stats(env.field.roster.kinds[:, None])
    outcome = result(env.view.ranks, stats, state.forces, False)
    pay = Pay(reward_only_positive=False)
    signed = reward(pay, env.view.ranks, stats, start.forces, state.forces, outcome)
    assert float(signed[0]) == pytest.approx(-3 / (1020 / 20), rel=1e-4)


def test_nobody_moves():
    # Would break: allies that fight by themselves; enemies that set out late, or see from too far.
    env, step = world()
    state, told = run(env, step, begin(env), act(env, STOP), 9)
    del state
    health = [float(t.obs.agents[0, :, -1].sum()) for t in told]
    first = next(i for i, share in enumerate(health) if share < 3)
    assert first + 1 == 7
    assert all(float(t.team_reward[0, 0]) == 0 for t in told)


@pytest.mark.parametrize("timeout", ["truncated", pytest.param("terminal", marks=pytest.mark.slow)])
def test_the_limit(timeout):
    # Would break: a timeout that ends a battle, pays, or comes in another step; `timeout=terminal` ends it.
    env, step = world() if timeout == "truncated" else world(timeout=timeout)
    state = begin(env, far(env, [[23, 15], [23, 16], [23, 17]]))
    _, told = run(env, step, replace(state, t=state.t + 57), act(env, STOP), 3)
    late = [False, False, True]
    assert [bool(t.truncated[0]) for t in told] == (late if timeout == "truncated" else [False] * 3)
    assert [bool(t.terminated[0]) for t in told] == (late if timeout == "terminal" else [False] * 3)
    assert [float(t.counts["timeouts"][0]) for t in told] == late
    assert not any(float(t.team_reward[0, 0]) or float(t.counts["won"][0]) for t in told)


@pytest.mark.slow
def test_hiding_takes_all_steps():
    # Would break: enemies that hunt beyond their order; a limit other than 60.
    env, step = world()
    _, told = run(env, step, begin(env, far(env, [[23, 15], [23, 16], [23, 17]])), act(env, STOP), 60)
    assert [bool(t.truncated[0]) for t in told] == [False] * 59 + [True]
    assert not any(bool(t.terminated[0]) or float(t.team_reward[0, 0]) for t in told)


def test_both_last_ones_die_in_one_loop():
    # Would break: a draw that is won or lost; damage of one side that lands before the other's.
    env, step = world()
    places = [[13, 16], [2, 9], [2, 23], [18, 16], [30, 9], [30, 23]]
    state = begin(env, places, health=[6, 0, 0, 6, 0, 0])
    forces = replace(state.forces, target=state.forces.target.at[3].set(0))
    _, (told,) = run(env, step, replace(state, forces=forces), act(env, 6, 0), 1)
    assert told.terminated[0]
    assert not told.truncated[0]
    assert told.counts["won"][0] == 0
    assert told.counts["dead_allies"][0] == told.counts["dead_enemies"][0] == 1
    assert told.team_reward[0, 0] == pytest.approx(16 / 365 * 20, rel=1e-5)


@pytest.mark.slow
def test_medivacs_alone():
    # Would break: a side of nothing but medivacs that goes on; the test of one's own side, which comes first.
    env, step = world("MMM")
    foes = np.array([[29.0, 9 + 1.4 * i] for i in range(10)])
    stats = np.array([125] * 2 + [45] * 7 + [150] + [45] * 7 + [125] * 2 + [150])
    medic = np.arange(20) == 9
    other = np.arange(20) == 19
    ally = np.arange(20) < 10
    for alive, ended, won in (
        (medic | ~ally, True, 0),
        (ally | other, True, 1),
        (medic | other, True, 0),
        (ally | other | (np.arange(20) == 10), False, 0),
    ):
        actions = [STOP if alive[i] else 0 for i in range(10)]
        state = begin(env, far(env, foes), health=stats * alive)
        _, (told,) = run(env, step, state, act(env, *actions), 1)
        assert bool(told.terminated[0]) == ended
        assert float(told.counts["won"][0]) == won


@pytest.mark.parametrize("name", ["3m", "2s3z"])
def test_a_win_pays_twenty(name):
    # Would break: damage, deaths or the win that are counted twice or not at all. Enemies hold their fire.
    env, step = world(name)
    roster = env.field.roster
    silent = np.where(np.arange(roster.units) < roster.allies, 0.0, 1e6)
    foes = np.array([[17 + 1.3 * (i % 3), 14 + 1.3 * (i // 3)] for i in range(roster.enemies)])
    friends = np.array([[15 - 1.3 * (i % 3), 14 + 1.3 * (i // 3)] for i in range(roster.allies)])
    state = begin(env, np.concatenate([friends, foes]), cooldown=silent)
    paid = 0.0
    for t in range(60):
        alive = np.asarray(state.forces.alive)[roster.allies :, 0]
        state, told = step(state, act(env, 6 + int(np.argmax(alive))), jax.random.key(t))
        paid += float(told.team_reward[0, 0])
        if told.terminated[0]:
            break
    assert told.counts["won"][0] == 1
    assert paid == pytest.approx(20, rel=1e-4)


def draw_actions(legal, key):
    """Return random legal actions: mostly shots, where there are any."""
    chosen = jax.random.gumbel(key, legal.shape) + jnp.where(legal, 0.0, -jnp.inf)
    return jnp.argmax(chosen.at[..., 6:].add(1.0), axis=-1)


class Played(eqx.Module):
    """A battle of random play: the state and the legal actions before, what was chosen, and after."""

    before: eqx.Module
    legal: jax.Array
    action: jax.Array
    after: eqx.Module


@cache
def played(name, steps=24, copies=4):
    """Return a battle of random play, from starts that differ; arrays have steps first."""
    env = Skirmish(name, jitter=0.3)

    def tick(carry, key):
        state, legal = carry
        action = draw_actions(legal, key)
        after, step = env.step(state, action, key)
        return (after, step.obs.legal), Played(state, legal, action, after)

    def play():
        state, obs = env.reset(jax.random.key(0), copies)
        keys = jax.random.split(jax.random.key(1), steps)
        return jax.lax.scan(tick, (state, obs.legal), keys)[1]

    return env, jax.tree.map(np.asarray, jax.jit(play)())


NAMES = ["8m", pytest.param("2s3z", marks=pytest.mark.slow), pytest.param("corridor", marks=pytest.mark.slow)]


@pytest.mark.parametrize("name", NAMES)
def test_what_the_dead_do(name):
    # Would break: dead units that move, come back, have fields or actions, are hurt or aimed at.
    env, told = played(name)
    roster = env.field.roster
    after = told.after.forces
    dead = told.before.forces.health <= 0
    assert dead.any()
    assert not after.health[dead].any()
    assert not after.shield[dead].any()
    moved = (after.pos != told.before.forces.pos).any(axis=2)
    assert not moved[dead].any()
    agents = dead[:, : roster.allies]
    legal = np.moveaxis(told.legal, 1, -1)
    assert (legal.sum(axis=2) == 1)[agents].all()
    assert legal[:, :, 0][agents].all()
    state = jax.tree.map(lambda x: jnp.asarray(x[-1]), told.after)
    forces = eqx.filter_jit(fight)(
        env.field,
        roster.kinds[:, None],
        state.forces,
        quiet(env, state),
        jnp.zeros(state.forces.health.shape),
        1,
    )
    for side, foes in ((slice(0, roster.allies), roster.allies), (slice(roster.allies, None), 0)):
        target = np.asarray(forces.target)[side]
        living = np.asarray(forces.alive)[side] & (target >= 0)
        gone = np.asarray(state.forces.health) <= 0
        aimed = np.take_along_axis(gone, foes + np.maximum(target, 0), axis=0)
        if side.start:  # allies keep their order until a new one comes
            assert not (living & aimed).any()


def quiet(env, state):
    """Return orders for a state in which allies do nothing, and enemies react."""
    roster = env.field.roster
    n = len(state.t)
    obeys = np.arange(roster.units)[:, None] < roster.allies
    target = jnp.full((roster.units, n), -1)
    return Orders(
        jnp.zeros((roster.units, 2, n)), target, state.goal, jnp.broadcast_to(obeys, (roster.units, n))
    )


CROWDED = [
    "8m",
    pytest.param("2s3z", marks=pytest.mark.slow),
    pytest.param("corridor", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("name", CROWDED)
def test_units_hardly_overlap(name):
    # Would break: pushing apart that is too weak for a crowd: 15 % of the separation after a step at most.
    env, told = played(name)
    size = env.field.roster.fixed("separation")
    touch = (size[:, None] + size[None])[None, ..., None]
    pos = told.after.forces.pos
    apart = np.linalg.norm(pos[:, :, None] - pos[:, None], axis=3)
    alive = told.after.forces.health > 0
    both = alive[:, :, None] & alive[:, None] & ~np.eye(len(size), dtype=bool)[None, ..., None]
    deepest = np.where(both, 1 - apart / touch, 0).max()
    assert deepest <= 0.15


def test_damage_is_what_hits_deal():
    # Would break: damage that is lost or dealt twice. Marines hit for 6, or what the target has left.
    env, told = played("8m")
    assert not env.field.roster.missiles
    lost = told.before.forces.health - told.after.forces.health
    dead = told.after.forces.health <= 0
    np.testing.assert_allclose(lost[~dead] % 6, 0, atol=1e-4)
    assert (lost >= 0).all()


MIRRORED = [
    ("8m", False),
    ("8m", True),
    pytest.param("2s3z", False, marks=pytest.mark.slow),
    pytest.param("corridor", False, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "all_ways"), MIRRORED)
def test_a_mirror_image_goes_on_alike(name, all_ways):
    # Would break: anything that prefers left or right: routes, going around, pushing, targets, edges. Each
    # step is mirrored anew: what is rounded in another way must not add up to another decision.
    env, told = played(name)
    roster = env.field.roster
    image = Field(roster, flipped(find_map(name)).terrain, env.field.reacting)
    # All moments are copies of one battle.
    n = told.action.shape[0] * told.action.shape[1]
    flat = lambda x: jnp.moveaxis(jnp.asarray(x), 0, -2).reshape(*x.shape[1:-1], n)
    state = jax.tree.map(flat, told.before)
    action = jnp.asarray(told.action).reshape(n, roster.allies).T
    if not all_ways:
        action = jnp.where((action == 2) | (action == 3), STOP, action)
    delays = jax.random.uniform(jax.random.key(0), state.forces.health.shape, minval=-1.0, maxval=2.0)
    orders = env.orders(state, state.standing, action, jax.random.key(0))
    mirror = lambda pos: pos.at[:, 0].set(32 - pos[:, 0])
    turned = replace(orders, direction=orders.direction.at[:, 0].mul(-1), goal=mirror(orders.goal))
    go = eqx.filter_jit(lambda field, *rest: fight(field, roster.kinds[:, None], *rest, delays))
    after = go(env.field, state.forces, orders)
    mirrored = go(image, change(state.forces, pos=mirror(state.forces.pos)), turned)
    np.testing.assert_allclose(mirrored.health, after.health, atol=1e-3)
    np.testing.assert_allclose(mirror(mirrored.pos), after.pos, atol=1e-3)
    assert (after.health < state.forces.health).any()


def test_equal_units_can_change_places():
    # Would break: a rule that looks at a unit's number.
    env, told = played("8m")
    roster = env.field.roster
    first = jax.tree.map(lambda x: jnp.asarray(x[0]), told.before)
    delays = jax.random.uniform(jax.random.key(0), first.forces.health.shape, minval=-1.0, maxval=2.0)
    allies = np.array([3, 0, 7, 1, 2, 6, 4, 5])
    enemies = np.array([5, 2, 0, 6, 7, 4, 1, 3])
    order = np.concatenate([allies, 8 + enemies])
    go = jax.jit(
        lambda forces, orders, delays: fight(env.field, roster.kinds[:, None], forces, orders, delays)
    )
    turn = lambda tree: jax.tree.map(lambda x: x[order] if len(x) else x, tree)
    rename = lambda target: jnp.concatenate(
        [
            jnp.where(target[:8] < 0, -1, jnp.argsort(enemies)[target[:8]]),
            jnp.where(target[8:] < 0, -1, jnp.argsort(allies)[target[8:]]),
        ]
    )
    forces = first.forces
    other = turn(replace(forces, target=rename(forces.target), fired=rename(forces.fired)))
    for t in range(12):
        action = jnp.asarray(told.action[t].T)
        orders = env.orders(replace(first, forces=forces), first.standing, action, jax.random.key(t))
        turned = turn(replace(orders, target=rename(orders.target)))
        forces = go(forces, orders, delays)
        other = go(other, turned, delays[order])
        np.testing.assert_allclose(other.pos, forces.pos[order], atol=2e-3)
        np.testing.assert_allclose(other.health, forces.health[order], atol=1e-3)
    assert (forces.health < first.forces.health).any()


def test_a_copy_is_a_battle_of_its_own():
    # Would break: copies that share anything; a step of n copies is n steps of one.
    env, told = played("8m")
    roster = env.field.roster
    at = 16
    state = jax.tree.map(lambda x: jnp.asarray(x[at]), told.before)
    delays = jax.random.uniform(jax.random.key(0), state.forces.health.shape, minval=-1.0, maxval=2.0)
    orders = env.orders(state, state.standing, jnp.asarray(told.action[at].T), jax.random.key(0))
    go = jax.jit(
        lambda forces, orders, delays: fight(env.field, roster.kinds[:, None], forces, orders, delays)
    )
    together = go(state.forces, orders, delays)
    for copy in range(len(state.t)):
        cut = lambda x, copy=copy: x[..., copy : copy + 1]
        one = lambda tree, cut=cut: jax.tree.map(cut, tree)
        alone = go(one(state.forces), one(orders), one(delays))
        for x, y in zip(jax.tree.leaves(one(together)), jax.tree.leaves(alone), strict=True):
            np.testing.assert_allclose(x, y, atol=1e-5)


@pytest.mark.slow
def test_zealots_hold_the_choke():
    # Would break: zerglings that walk through six zealots in corridor's choke within five seconds.
    env, step = world("corridor")
    wall = [[12.4, 13.2], [13.2, 12.4], [13.5, 13.5], [12.4, 12.4], [11.6, 11.6], [14.3, 14.3]]
    foes = [[17 + 0.8 * (i % 5), 16 + 0.8 * (i // 5)] for i in range(24)]
    state = begin(env, np.array(wall + foes))
    for t in range(10):
        legal = np.asarray(env.observe(state).legal)[0]
        actions = [6 + int(np.argmax(row[6:])) if row[6:].any() else int(np.argmax(row)) for row in legal]
        state, _ = step(state, act(env, *actions), jax.random.key(t))
    pos = np.asarray(state.forces.pos)[6:, :, 0]
    living = np.asarray(state.forces.alive)[6:, 0]
    assert living.sum() > 8
    assert (pos[living].sum(axis=1) > 2 * 11.6).all()
