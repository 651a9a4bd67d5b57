"""SMAC's language beside a second implementation: legal actions, observations, states, rewards, ends."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import smac
from battles import battle

from covey.environments.skirmish.maps import find_map
from covey.environments.skirmish.skirmish import Skirmish
from covey.environments.skirmish.state import change

COPIES = 2
STEPS = 6


def moments(env, name, state, flags):
    """Return a moment of each copy."""
    battle_map = find_map(name)
    roster = env.field.roster
    names = [roster.types[i].name for i in roster.kinds]
    told = jax.tree.map(np.asarray, state)
    forces = told.forces
    energy = forces.energy if len(forces.energy) else np.zeros_like(forces.health)
    cooldown = np.maximum(forces.cooldown, 0)

    def unit(i, copy):
        numbers = (forces.health, forces.shield, cooldown, energy)
        return smac.Unit(names[i], *map(float, forces.pos[i, :, copy]), *(float(x[i, copy]) for x in numbers))

    return [
        smac.Moment(
            kind=battle_map.kind,
            walkable=battle_map.terrain.walkable,
            height=battle_map.terrain.height,
            limit=battle_map.limit,
            allies=[unit(i, copy) for i in range(roster.allies)],
            enemies=[unit(i, copy) for i in range(roster.allies, roster.units)],
            last=told.last_action[:, copy].tolist(),
            t=int(told.t[copy]),
            flags=flags,
        )
        for copy in range(len(told.t))
    ]


def scattered(env, state, key):
    """Return a state in which units stand everywhere, are hurt, and some are dead, before the first step."""
    keys = jax.random.split(key, 4)
    roster = env.field.roster
    shape = state.forces.health.shape
    places = np.argwhere(env.field.terrain.walkable)
    cells = jax.random.choice(keys[0], jnp.asarray(places, jnp.float32), shape)
    pos = jnp.moveaxis(cells, -1, 1) + jax.random.uniform(
        keys[1], state.forces.pos.shape, minval=0.1, maxval=0.9
    )
    share = jax.random.uniform(keys[2], shape)
    alive = jax.random.bernoulli(keys[3], 0.8, shape).at[jnp.array([0, roster.allies])].set(True)
    forces = change(
        state.forces,
        pos=pos,
        health=state.forces.health * share * alive,
        shield=state.forces.shield * alive * share,
    )
    return replace(state, forces=forces)


def assert_same(env, name, flags, stages):
    """Play random legal actions from several beginnings; both implementations describe each moment alike."""
    play = jax.jit(env.step)
    events = []
    for stage, (state, obs) in enumerate(stages):
        told = moments(env, name, state, flags)
        for t in range(STEPS):
            for copy, moment in enumerate(told):
                assert_moment(env, moment, jax.tree.map(lambda x, copy=copy: np.asarray(x)[copy], obs))
            key = jax.random.key(100 * stage + t)
            chosen = jax.random.gumbel(key, obs.legal.shape) + jnp.where(obs.legal, 0.0, -jnp.inf)
            # Who can shoot mostly does.
            chosen = chosen.at[..., 6:].add(2.0)
            before = told
            state, step = play(state, jnp.argmax(chosen, axis=-1).astype(env.spec.action_type), key)
            obs = step.obs
            told = moments(env, name, state, flags)
            for copy, (old, new) in enumerate(zip(before, told, strict=True)):
                if old.end() is None:
                    events.append(new.end())
                    assert_step(old, new, jax.tree.map(lambda x, copy=copy: np.asarray(x)[copy], step))
    return events


def assert_moment(env, moment, obs):
    agents = range(len(moment.allies))
    np.testing.assert_array_equal(obs.legal, [moment.legal(i) for i in agents])
    np.testing.assert_allclose(obs.agents, [moment.observation(i) for i in agents], atol=2e-6)
    np.testing.assert_array_equal(obs.alive, [unit.alive for unit in moment.allies])
    if env.spec.state:
        np.testing.assert_allclose(obs.state, moment.state(), atol=2e-6)
    assert obs.first == (moment.t == 0)


def assert_step(old, new, step):
    end = new.end()
    late = new.t >= new.limit and end is None
    assert step.terminated == (end is not None)
    assert step.truncated == late
    assert step.counts["won"] == (end == 1)
    assert step.counts["timeouts"] == late
    dead = lambda side: sum(not unit.alive for unit in side)
    assert step.counts["dead_allies"] == dead(new.allies) - dead(old.allies)
    assert step.counts["dead_enemies"] == dead(new.enemies) - dead(old.enemies)
    np.testing.assert_allclose(step.team_reward, [smac.reward(old, new)], atol=1e-4)
    np.testing.assert_allclose(step.reward, step.team_reward[0])


MAPS = {
    "2s3z": {"obs_last_action": True, "reward_only_positive": False},
    "MMM": {"obs_timestep_number": True, "state_timestep_number": True},
    "6h_vs_8z": {"obs_pathing_grid": True, "obs_terrain_height": True},
    "1c3s5z": {"obs_all_health": False, "state_last_action": False},
    "bane_vs_bane": {"obs_own_health": False, "reward_sparse": True},
    "2c_vs_64zg": {"obs_terrain_height": True, "obs_own_health": False, "obs_all_health": False},
    "MMM2": {flag: not value for flag, value in smac.FLAGS.items()},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", MAPS)
def test_each_moment_in_the_other_implementation(name):
    # Would break: any field, order, sign, scale or one-hot of SMAC's; what the dead and the unseen show; a
    # reward, an end, a count. Each flag is switched on some map.
    env = battle(name, **MAPS[name])
    start = env.reset(jax.random.key(0), COPIES)
    stages = [start]
    look = jax.jit(env.observe)
    for seed in range(2):
        state = scattered(env, start[0], jax.random.key(seed))
        stages.append((state, look(state)))
    assert_same(env, name, MAPS[name], stages)


@pytest.mark.slow
def test_plain_moments_in_the_other_implementation():
    # Would break: as above, where it is quick: marines at their starts, near the edges, and to the end.
    env = Skirmish("3m")
    start = env.reset(jax.random.key(0), COPIES)
    stages = [start]
    look = jax.jit(env.observe)
    for seed in range(4):
        state = scattered(env, start[0], jax.random.key(seed))
        if seed > 1:  # one side is weak, and all are near
            weak = jnp.where((jnp.arange(6) < 3) == seed % 2, 1.0, 0.1)[:, None]
            forces = state.forces
            near = change(forces, pos=16 + 0.2 * (forces.pos - 16), health=forces.health * weak)
            state = replace(state, forces=near)
        stages.append((state, look(state)))
    ends = assert_same(env, "3m", {}, stages)
    assert {None, 1, -1} <= set(ends)


def test_observations_instead_of_a_state():
    # Would break: a state where `obs_instead_of_state` asks for none, so that learners join observations.
    env = Skirmish("3m", obs_instead_of_state=True)
    _, obs = env.reset(jax.random.key(0), 2)
    assert env.spec.state == 0
    assert obs.state.shape == (2, 0)
    np.testing.assert_array_equal(obs.agents, Skirmish("3m").reset(jax.random.key(0), 2)[1].agents)


def placed(env, places, **values):
    """Return a state of one copy with units at places, and other values of the forces."""
    state, _ = env.reset(jax.random.key(0), 1)
    forces = change(state.forces, pos=jnp.asarray(places, jnp.float32)[..., None])
    return replace(state, forces=replace(forces, **values))


def test_sight_and_reach_at_their_edges():
    # Would break: `<` for sight, `<=` for orders; a west that is refused just beside the edge of the map,
    # where SMAC's int() of a negative number is 0.
    env = Skirmish("3m")
    foes = [[16 + 8.99, 16], [16 + 9, 16], [16 + 6, 16]]
    obs = env.observe(placed(env, [[16, 16], [0.5, 8.5], [31.5, 23.5], *foes]))
    rows = np.asarray(obs.agents)[0, 0, 4:19].reshape(3, 5)
    np.testing.assert_allclose(rows[0], [0, 8.99 / 9, 8.99 / 9, 0, 1], rtol=1e-5)
    assert not rows[1].any()
    np.testing.assert_allclose(rows[2], [1, 6 / 9, 6 / 9, 0, 1], rtol=1e-5)
    assert obs.legal[0, 0].tolist() == [False, True, True, True, True, True, False, False, True]
    assert obs.legal[0, 1, 1:6].tolist() == [True, True, False, True, True]
    assert obs.legal[0, 2, 1:6].tolist() == [True, False, True, False, True]
    near = env.observe(placed(env, [[16, 16], [0.5, 8.5], [31.5, 23.5], *foes[:2], [16 + 6.001, 16]]))
    assert not near.legal[0, 0, 6:].any()


def test_a_medivac_s_slots_are_friends():
    # Would break: bits of enemies that show whom a medivac may heal; a medivac that may heal itself; full
    # health that is a bar.
    env = Skirmish("MMM")
    state, _ = env.reset(jax.random.key(0), 1)
    names = env.spec.names
    assert [name.rstrip("0123456789_") for name in names] == 2 * ["marauder"] + 7 * ["marine"] + ["medivac"]
    places = np.full((20, 2), [16.0, 16.0]) + np.arange(20)[:, None] * [0.1, 0]
    places[0] = [2, 12]
    forces = change(state.forces, pos=jnp.asarray(places, jnp.float32)[..., None])
    obs = env.observe(replace(state, forces=forces))
    assert obs.legal[0, 9, 6:].tolist() == [False] + [True] * 8 + [False]
    assert obs.legal[0, 8, 6:].all()
    bits = np.asarray(obs.agents)[0, 9, 4 : 4 + 80].reshape(10, 8)[:, 0]
    assert bits.tolist() == [0] + [1] * 8 + [0]


def test_two_quirks_can_be_turned_off():
    # Would break: a setting that changes nothing, or more than its quirk.
    plain = Skirmish("2s3z")
    aligned = Skirmish("2s3z", obs_aligned_types=True)
    state, _ = plain.reset(jax.random.key(0), 1)
    enemies = lambda env: np.asarray(env.observe(state).state[0, 65 - 30 : 65]).reshape(5, 6)[:, -2:]
    np.testing.assert_array_equal(enemies(plain)[:, ::-1], enemies(aligned))
    healers = Skirmish("MMM"), battle("MMM", obs_heal_bits=False)
    state, _ = healers[0].reset(jax.random.key(0), 1)
    state = replace(state, forces=change(state.forces, pos=16 + 0.1 * (state.forces.pos - 16)))
    with_bits, without = (np.asarray(env.observe(state).agents[0]) for env in healers)
    medivac = with_bits[9, 4 : 4 + 10 * 8].reshape(10, 8)
    assert medivac[:9, 0].all()  # nine friends that it can heal, but not itself
    assert medivac[9, 0] == 0
    assert (without[9, 4 : 4 + 10 * 8].reshape(10, 8)[:, 0] == 0).all()
    np.testing.assert_array_equal(with_bits[:9], without[:9])
