"""SMACv2's scenarios: teams, places and ranges; sizes as its own code computes them."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.config import catalogue
from covey.config.making import make_environment
from covey.environments.skirmish.maps import random_map_names
from covey.environments.skirmish.skirmish import Skirmish

N = 512


@cache
def world(name, **options):
    env, _ = make_environment(f"skirmish/{name}", options)
    assert isinstance(env, Skirmish)
    return env


@cache
def stepper(name, **options):
    return jax.jit(world(name, **options).step)


def step(run, state, action):
    """Take a step in which every agent does the same."""
    joint = jnp.full((len(state.t), len(state.last_action)), action)
    return run(state, joint, jax.random.key(0))


def start(name, n=N, **options):
    env = world(name, **options)
    state, obs = jax.jit(env.reset, static_argnums=1)(jax.random.key(3), n)
    roster = env.field.roster
    names = np.array([unit.name for unit in roster.types])[np.array(state.kinds)]
    return env, state, obs, names[: roster.allies], names[roster.allies :]


# (observation, state, actions) by get_obs_size, get_state_size and get_total_actions of SMACv2's code, commit
# 577ab5a; in the second row with conic_fov.
SIZES = {
    "terran_5_vs_5": ((82, 120, 11), (84, 190, 23)),
    "terran_10_vs_11": ((170, 306, 17), (172, 446, 29)),
    "terran_20_vs_23": ((346, 858, 29), (348, 1138, 41)),
    "protoss_5_vs_5": ((92, 130, 11), (94, 200, 23)),
    "protoss_10_vs_10": ((182, 310, 16), (184, 450, 28)),
    "zerg_20_vs_20": ((322, 780, 26), (324, 1060, 38)),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_smacv2s(name):
    # Breaks where a field is added, lost or counted for the wrong side.
    for cone, sizes in zip((False, True), SIZES[name], strict=True):
        spec = world(name, conic_fov=cone).spec
        assert (spec.features, spec.state, spec.actions, spec.horizon) == (*sizes, 200)


def test_every_scenario_has_a_name():
    # Breaks where the catalogue and the file of maps name different scenarios.
    listed = {name for name in catalogue.ENVIRONMENTS if "_vs_" in name and name.split("_")[1].isdigit()}
    assert {f"skirmish/{name}" for name in random_map_names()} == {
        name for name in listed if name.split("/")[1].startswith(("terran", "protoss", "zerg"))
    }


@pytest.mark.parametrize(
    ("name", "common", "rare"),
    [
        ("terran_10_vs_11", ("marine", "marauder"), "medivac"),
        ("protoss_10_vs_11", ("stalker", "zealot"), "colossus"),
        ("zerg_10_vs_11", ("zergling", "hydralisk"), "baneling"),
    ],
)
def test_teams_follow_the_weights(name, common, rare):
    # Breaks where a weight belongs to another type, or enemies do not copy the allies' team.
    _, _, _, allies, enemies = start(name)
    shares = [np.mean(allies == kind) for kind in (*common, rare)]
    np.testing.assert_allclose(shares, [0.45, 0.45, 0.1], atol=0.03)
    ours = np.sort(allies, axis=0)
    for copied in (enemies[:10],):
        assert (np.sort(copied, axis=0) == ours).all()
    if rare != "colossus":  # one more enemy alone would be a team of nothing else
        assert not (enemies[10] == rare).any()


def test_allies_are_numbered_by_type_and_place():
    # Breaks where an agent's number tells nothing, or places do not go along with types.
    _, state, _, allies, _ = start("protoss_10_vs_10")
    rank = {"colossus": 0, "stalker": 1, "zealot": 2}
    ranks = np.vectorize(rank.get)(allies)
    assert (np.diff(ranks, axis=0) >= 0).all()
    x = np.array(state.forces.pos[:10, 0])
    assert (np.diff(x, axis=0) >= 0)[np.diff(ranks, axis=0) == 0].all()


def test_places_are_mirrored_or_surrounded_in_half_of_the_battles_each():
    # Breaks where a kind of start is missing, or units start outside the map or on top of each other.
    _, state, _, _, _ = start("terran_5_vs_5")
    pos = np.array(state.forces.pos)
    assert (pos > 0).all()
    assert (pos < 32).all()
    middle = (abs(pos[:5] - 16) < 2.5).all(axis=(0, 1))
    assert 0.42 < middle.mean() < 0.58
    left = (pos[:5, 0] < 16).all(axis=0) & (pos[5:, 0] > 16).all(axis=0)
    assert (middle | left).all()
    mirrored = np.sort(32 - pos[5:, 0], axis=0) - np.sort(pos[:5, 0], axis=0)
    assert np.median(abs(mirrored[:, ~middle])) < 0.01
    distance = np.hypot(*(pos[:, None] - pos[None]).transpose(2, 0, 1, 3)) + 9 * np.eye(10)[..., None]
    assert np.quantile(distance.min(axis=(0, 1)), 0.05) > 0.5


def test_enemies_carry_the_games_ordinary_bodies():
    # Breaks where the enemies' hydralisks have the 80 health of SMAC's allied ones, or the other way round.
    _, state, obs, allies, enemies = start("zerg_10_vs_10")
    health = np.array(state.forces.health)
    assert set(health[:10][allies == "hydralisk"]) == {80}
    assert set(health[10:][enemies == "hydralisk"]) == {90}
    assert obs.state.shape == (N, world("zerg_10_vs_10").spec.state)
    bars = np.array(obs.state).reshape(N, -1)[:, 70::6][:, :10]
    assert (bars == 1).all()  # the first field of each enemy's row


def test_order_ranges_and_sight_go_by_type():
    # Breaks where a zealot may attack from 6 away, or every type sees as far.
    _, state, obs, allies, enemies = start("protoss_5_vs_5")
    pos = np.array(state.forces.pos)
    distance = np.hypot(*(pos[:5, None] - pos[None, 5:]).transpose(2, 0, 1, 3))
    reach = np.vectorize({"stalker": 6, "zealot": 2, "colossus": 7}.get)(allies)[:, None]
    sight = np.vectorize({"stalker": 10, "zealot": 9, "colossus": 10}.get)(allies)[:, None]
    legal = np.moveaxis(np.array(obs.legal), 0, -1)[:, 6:]
    assert (legal == (distance <= reach)).all()
    rows = np.moveaxis(np.array(obs.agents), 0, -1)[:, 4 : 4 + 5 * 9].reshape(5, 5, 9, N)
    seen = distance < sight
    np.testing.assert_allclose(rows[:, :, 1], np.where(seen, distance / sight, 0), atol=1e-6)
    own = np.moveaxis(np.array(obs.agents), 0, -1)[:, -7:]
    np.testing.assert_allclose(own[:, 2:4], pos[:5] / 32, atol=1e-6)
    code = np.vectorize({"stalker": 0, "zealot": 1, "colossus": 2}.get)
    assert (own[:, 4:].argmax(axis=1) == code(allies)).all()
    shown = seen & True
    assert (
        rows[:, :, 6:].argmax(axis=2)[shown] == np.broadcast_to(code(enemies)[None], seen.shape)[shown]
    ).all()


def reference_in_cone(ally, other, facing, angle, reach):
    """SMACv2's rule, in double precision."""
    offset = other - ally
    if np.hypot(*offset) > reach:
        return False
    x = max(offset[0], 1e-7) if offset[0] > 0 else min(offset[0], -1e-7)
    ahead = max(facing[0], 1e-7) if x > 0 else min(facing[0], -1e-7)
    return abs(np.arctan(offset[1] / x) - np.arctan(facing[1] / ahead)) < angle / 2


@pytest.mark.slow
def test_the_cone_is_smacv2s():
    # Breaks where turning does not turn the view, or what is outside the cone is seen or can be attacked.
    env, state, _, _, _ = start("terran_5_vs_5", n=64, conic_fov=True)
    run = stepper("terran_5_vs_5", conic_fov=True)
    for direction in range(12):
        after, taken = step(run, state, 6 + direction)
        facing = np.array([np.cos(np.pi / 6 * direction), np.sin(np.pi / 6 * direction)]).round(9)
        pos = np.array(after.forces.pos, np.float64)
        stats = env.field.roster.stats(env.kinds(after))
        rows = np.array(taken.obs.agents)[:, :, 4 : 4 + 5 * 8].reshape(64, 5, 5, 8)
        alive = np.array(after.forces.alive)
        wrong = 0
        for copy in range(64):
            for i in range(0, 5, 2):
                for j in range(5):
                    reach = float(stats.sight[i, copy])
                    sees = reference_in_cone(pos[i, :, copy], pos[5 + j, :, copy], facing, np.pi / 6, reach)
                    sees &= bool(alive[i, copy] and alive[5 + j, copy])
                    wrong += sees != (rows[copy, i, j, 1] > 0)
        assert wrong <= 1  # rounding at an edge of the cone
        np.testing.assert_allclose(
            np.array(taken.obs.agents)[:, :, -5:-3][np.array(taken.obs.alive)],
            np.broadcast_to(facing, (int(taken.obs.alive.sum()), 2)),
            atol=1e-6,
        )


@pytest.mark.slow
def test_an_order_stands_while_an_agent_looks_around():
    # Breaks where a look stops a march at once, or the march goes on beyond the 2 units of a move.
    env = world("terran_5_vs_5", conic_fov=True, enemy="attack_move")
    state, _ = jax.jit(env.reset, static_argnums=1)(jax.random.key(5), 64)
    mirrored = np.array(state.forces.pos[:5, 0].max(axis=0) < 12)
    middle = slice(0, 5)
    run = jax.jit(env.step)
    places = [np.array(state.forces.pos[middle, 1])]
    for action in (2, 10, 10, 10):
        state, _ = step(run, state, action)
        places.append(np.array(state.forces.pos[middle, 1]))
    steps = np.diff(places, axis=0)[:, :, mirrored]
    walked = np.median(steps.sum(axis=0))
    assert abs(walked - 2.0) < 0.05
    assert abs(np.median(steps[3])) < 0.05


def test_idle_enemies_go_for_the_nearest_ally_from_the_first_step():
    # Breaks where SMACv2's enemies wait until somebody comes near.
    env, state, _, _, _ = start("protoss_5_vs_5", n=64)
    before = np.array(state.forces.pos)
    state, _ = step(stepper("protoss_5_vs_5"), state, 1)
    target = np.array(state.forces.target[5:])
    distance = np.hypot(*(before[5:, None] - before[None, :5]).transpose(2, 0, 1, 3))
    radii = np.array(env.field.roster.stats(env.kinds(state)).radius)
    nearest = (distance - radii[None, :5]).argmin(axis=1)
    assert (target == nearest).mean() > 0.99
