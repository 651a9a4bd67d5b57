"""Scripts: what they choose in situations made by hand, and that they play real battles legally."""

from functools import partial

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.algorithms import Idle, KiteScript, NearestScript, Scripted, WeakestScript
from covey.config.making import make_algorithm, make_environment
from covey.core import EntityLayout, EntityRows, Observation, Spec
from covey.errors import SettingError, UserError

# Two agents and two enemies. Own row: is a healer, is a brawler. Others': seen, distance, dx, dy, health; of
# enemies also: it flies, and no brawler can hit it. Actions: none, stand, four ways, two targets.
ENEMIES = EntityRows(0, 2, 6, 0, 1, 2, 3, 4, action=6)
ALLIES = EntityRows(12, 1, 5, 0, 1, 2, 3, 4)
LAYOUT = EntityLayout(
    own=EntityRows(17, 1, 2),
    allies=ALLIES,
    enemies=ENEMIES,
    stand=1,
    moves=((2, 0, 1), (3, 0, -1), (4, 1, 0), (5, -1, 0)),
    healer=0,
    harmless=((1, 5),),
)
SPEC = Spec(("a", "b"), features=19, actions=8, horizon=9, state=1, layouts=(LAYOUT,))
NEAREST = Scripted(NearestScript())
WEAKEST = Scripted(WeakestScript())
STAND, NORTH, SOUTH, EAST, WEST, FIRST, SECOND = range(1, 8)


def enemy(dx, dy, health=1.0, flies=0.0):
    return [0.0, np.hypot(dx, dy), dx, dy, health, flies]


def ally(dx, dy, health=1.0):
    return [1.0, np.hypot(dx, dy), dx, dy, health]


NOBODY = [0.0] * 6
FIGHTER = [0.0, 0.0]
HEALER = [1.0, 0.0]
BRAWLER = [0.0, 1.0]


def situation(first, second, forbidden=(), own=FIGHTER, friend=(0.0,) * 5, reach=6.0) -> Observation:
    """Return an observation in which both agents see the same; an agent reaches what is within `reach`."""
    features = np.array([*first, *second, *friend, *own], np.float32)
    targets = [0 < np.hypot(row[2], row[3]) <= reach for row in (first, second)]
    if own is HEALER:
        targets = [False, 0 < np.hypot(friend[1], 0) <= reach]  # the other agent is the second of the team
    legal = np.array([False, True, True, True, True, True, *targets])
    legal[list(forbidden)] = False
    return Observation(
        agents=jnp.array([features, features]),
        state=jnp.zeros(1),
        legal=jnp.array([legal, legal]),
        alive=jnp.ones(2, bool),
        first=jnp.array(False),
    )


def act_once(script, learner, carry, obs):
    return script.act(learner, carry, obs, jr.key(0), jnp.zeros((), int), False)


def choices(script, *observations) -> list[int]:
    """Return what the first agent does at each of a row of observations."""
    learner = script.init(SPEC, jr.key(0))
    carry = script.init_carry(SPEC, learner)
    taken = []
    for obs in observations:
        carry, action, _ = act_once(script, learner, carry, obs)
        assert bool(jnp.take_along_axis(obs.legal, action[:, None], axis=1).all())
        taken.append(int(action[0]))
    return taken


# Catches an agent that stands by taking "none", or something that is not legal.
def test_idle_stands():
    obs = situation(enemy(1, 0), enemy(2, 0))
    assert choices(Idle(), obs) == [STAND]
    assert choices(Idle(), situation(enemy(1, 0), NOBODY, forbidden=(STAND, NORTH))) == [SOUTH]
    bare = Spec(("a", "b"), features=19, actions=8, horizon=9, state=1)
    _, action, _ = act_once(Idle(), bare, None, obs)
    assert action.tolist() == [STAND, STAND]


# Catches a target chosen by its number or health, and enemies that only seem near because nobody sees them.
def test_nearest_attacks_the_nearest_in_reach():
    assert choices(NEAREST, situation(enemy(4, 0, 0.1), enemy(0, -3))) == [SECOND]
    assert choices(NEAREST, situation(enemy(2, 0), enemy(0, -3))) == [FIRST]
    assert choices(NEAREST, situation(NOBODY, enemy(5, 0))) == [SECOND]
    assert choices(NEAREST, situation(NOBODY, NOBODY)) == [STAND]


# Catches a walk along the shorter axis, into a wall, away from the enemy, or toward the farther one.
def test_nearest_walks_toward_the_nearest():
    far = situation(enemy(7, 1), enemy(-8, 3))
    assert choices(NEAREST, far) == [EAST]
    assert choices(NEAREST, situation(enemy(-1, -7), NOBODY)) == [SOUTH]
    assert choices(NEAREST, situation(enemy(7, 1), NOBODY, forbidden=(EAST,))) == [NORTH]
    assert choices(NEAREST, situation(enemy(7, 1), NOBODY, forbidden=(EAST, NORTH))) == [STAND]


# Catches a choice among those out of reach, and equals that are not told apart by distance.
def test_weakest_attacks_the_weakest_in_reach():
    assert choices(WEAKEST, situation(enemy(2, 0, 0.6), enemy(0, -5, 0.5))) == [SECOND]
    assert choices(WEAKEST, situation(enemy(2, 0, 0.6), enemy(0, -7, 0.5))) == [FIRST]
    assert choices(WEAKEST, situation(enemy(5, 0, 0.5), enemy(0, -4, 0.5))) == [SECOND]
    assert choices(WEAKEST, situation(enemy(7, 0, 0.5), enemy(0, -8, 0.1))) == [EAST]


# Catches shields that are not counted.
def test_weakest_adds_the_shield():
    shielded = EntityRows(0, 2, 6, 0, 1, 2, 3, health=4, shield=5, action=6)
    layout = EntityLayout(LAYOUT.own, ALLIES, shielded, 1, LAYOUT.moves)
    spec = Spec(SPEC.names, 19, 8, 9, state=1, layouts=(layout,))
    obs = situation([*enemy(2, 0)[:4], 0.9, 0.0], [*enemy(3, 0)[:4], 0.5, 0.5])
    script = WEAKEST
    _, action, _ = act_once(script, spec, script.init_carry(spec, spec), obs)
    assert action.tolist() == [FIRST, FIRST]


# Catches a count that runs without an enemy, a step toward the enemy, or a retreat that never ends.
def test_kite_attacks_and_steps_back():
    near = situation(enemy(4, 1), NOBODY)
    seen = situation(enemy(7, 0), NOBODY)
    kite = Scripted(KiteScript(strike=1, retreat=2))
    assert choices(kite, seen, near, near, near, near) == [EAST, FIRST, WEST, WEST, FIRST]
    assert choices(Scripted(KiteScript(strike=2, retreat=1)), *[near] * 4) == [FIRST, FIRST, WEST, FIRST]
    assert choices(kite, near, seen, seen, seen) == [FIRST, STAND, STAND, EAST]


# Catches an agent that stands idle with its back to a wall.
def test_kite_fights_where_it_cannot_step_back():
    wall = situation(enemy(4, 1), NOBODY, forbidden=(WEST,))
    corner = situation(enemy(4, 1), NOBODY, forbidden=(WEST, SOUTH))
    assert choices(Scripted(KiteScript(strike=1)), wall, wall) == [FIRST, SOUTH]
    assert choices(Scripted(KiteScript(strike=1)), corner, corner) == [FIRST, FIRST]


# Catches a healer that attacks, one that mistakes whom its actions name, and one that stays behind.
@pytest.mark.parametrize(
    "script",
    [NEAREST, WEAKEST, Scripted(KiteScript())],
    ids=["nearest", "weakest", "kite"],
)
def test_a_healer_tends_its_team(script):
    assert choices(script, situation(enemy(1, 0), NOBODY, own=HEALER, friend=ally(3, 0, 0.5))) == [SECOND]
    assert choices(script, situation(enemy(1, 0), NOBODY, own=HEALER, friend=ally(-8, 1))) == [WEST]
    assert choices(script, situation(enemy(1, 0), NOBODY, own=HEALER)) == [STAND]


# Catches a place in the team that is counted as in the rows of allies, from which an agent itself is missing.
def test_a_healer_picks_the_most_hurt():
    names = ("a", "b", "c")
    allies = EntityRows(18, 2, 5, 0, 1, 2, 3, 4)
    enemies = EntityRows(0, 3, 6, 0, 1, 2, 3, 4, action=6)
    layout = EntityLayout(EntityRows(28, 1, 2), allies, enemies, 1, LAYOUT.moves, healer=0)
    spec = Spec(names, 30, 9, 9, state=1, layouts=(layout,))
    rows = {  # of allies: each of them sees the others
        "a": [*ally(1, 0, 0.9), *ally(2, 0, 0.2)],
        "b": [*ally(1, 0, 0.3), *ally(2, 0, 0.8)],
        "c": [*ally(2, 0, 0.7), *ally(2, 0, 0.6)],
    }
    features = jnp.array([[0.0] * 18 + rows[name] + HEALER for name in names])
    legal = jnp.ones((3, 9), bool)
    obs = Observation(features, jnp.zeros(1), legal, jnp.ones(3, bool), jnp.array(False))
    script = NEAREST
    _, action, _ = act_once(script, spec, script.init_carry(spec, spec), obs)
    assert action.tolist() == [8, 6, 7]


# Catches ground troops that follow, or shoot at, what flies above them.
def test_nobody_attacks_what_it_cannot_hit():
    near = situation(enemy(1, 0, flies=1.0), enemy(3, 0), own=BRAWLER)
    assert choices(NEAREST, near) == [SECOND]
    assert choices(NEAREST, situation(enemy(1, 0, flies=1.0), enemy(3, 0))) == [FIRST]
    assert choices(NEAREST, situation(enemy(1, 0, flies=1.0), NOBODY, own=BRAWLER)) == [STAND]


# Catches layouts that are fewer than teams.
def test_every_team_has_a_layout():
    with pytest.raises(ValueError, match="2 teams and the layouts of 1: give each team's layout"):
        Spec(SPEC.names, 19, 8, 9, team=("red", "blue"), layouts=(LAYOUT,))


# Catches two teams that are mixed up, and a learner of one team that reads the other's layout.
@pytest.mark.slow
def test_teams_have_their_own_layouts():
    other = EntityLayout(LAYOUT.own, ALLIES, EntityRows(0, 2, 6, 0, 1, 3, 2, 4, action=6), 1, LAYOUT.moves)
    spec = Spec(SPEC.names, 19, 8, 9, state=1, team=("red", "blue"), layouts=(LAYOUT, other))
    script = NEAREST
    obs = situation(enemy(7, 1), NOBODY)
    act = lambda spec, obs: act_once(script, spec, script.init_carry(spec, spec), obs)
    assert act(spec, obs)[1].tolist() == [EAST, NORTH]
    blue = spec.subset((1,))
    assert blue.layouts == (other,)
    one = jax.tree.map(lambda x: x[1:] if x.ndim > 1 else x, obs)
    assert act(blue, one)[1].tolist() == [NORTH]


# Catches a script that plays on in a world that it cannot read.
def test_other_worlds_are_refused():
    bare = Spec(("a",), features=1, actions=2, horizon=1)
    with pytest.raises(UserError, match="take such a world, or scripted/idle or random"):
        NEAREST.init(bare, jr.key(0))
    blind = EntityRows(0, 2, 6, 0, 1, 2, 3, action=6)
    spec = Spec(SPEC.names, 19, 8, 9, layouts=(EntityLayout(LAYOUT.own, ALLIES, blind, 1, LAYOUT.moves),))
    with pytest.raises(UserError, match=r"scripted/nearest, or show it \(in skirmish: obs_all_health\)"):
        WEAKEST.init(spec, jr.key(0))
    with pytest.raises(SettingError, match=r"script\.retreat takes a whole number of at least 1, not 0"):
        make_algorithm("scripted/kite", {"script.retreat": 0})


# Catches an illegal action in a battle, of the dead and of medivacs too; and a script that stands about.
@pytest.mark.parametrize("battle", ["3m", "MMM"])
@pytest.mark.slow
def test_scripts_play_battles(battle):
    env = make_environment(f"skirmish/{battle}")[0]
    steps = 16
    copies = 2

    @jax.jit
    def step(state, action, key):
        return env.step(state, action, key)

    for name in ("idle", "nearest", "weakest", "kite"):
        script = make_algorithm(f"scripted/{name}")[0]
        learner = script.init(env.spec, jr.key(0))
        act = jax.jit(jax.vmap(partial(act_once, script, learner)))
        carry = script.init_carry(env.spec, learner)
        carry = None if carry is None else jnp.broadcast_to(carry, (copies, *carry.shape))
        state, obs = env.reset(jr.key(1), copies)
        attacks = 0
        for t in range(steps):
            carry, action, _ = act(carry, obs)
            assert bool(jnp.take_along_axis(obs.legal, action[..., None], axis=2).all())
            attacks += int((action >= LAYOUT.enemies.action).sum())
            state, taken = step(state, action, jr.fold_in(jr.key(2), t))
            obs = taken.obs
        assert (attacks > 0) == (name != "idle")
