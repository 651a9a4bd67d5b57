"""Scripts that command the enemies, and a user's own among them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.config.making import make_environment
from covey.environments.skirmish.battle import Field
from covey.environments.skirmish.maps import find_terrain
from covey.environments.skirmish.opponents import KitingEnemy, NearestEnemy, WeakestEnemy, see_battle
from covey.environments.skirmish.roster import make_roster
from covey.environments.skirmish.skirmish import Skirmish
from covey.environments.skirmish.state import change, start_forces
from covey.environments.skirmish.targeting import sides
from covey.environments.skirmish.units import read_units
from covey.errors import UserError

TABLE = read_units("lotv").units


def seen_by_enemies(allies, enemies, places, **changes):
    """Return one battle as the enemies see it. `places` has the allies first."""
    roster = make_roster([TABLE[name] for name in allies], [TABLE[name] for name in enemies])
    assert roster.kinds is not None
    kinds = roster.kinds[:, None]
    forces = start_forces(roster, kinds, jnp.array(places, jnp.float32)[..., None], False)
    forces = change(forces, **{name: jnp.array(values)[:, None] for name, values in changes.items()})
    field = Field(roster, find_terrain("square"), False)
    return see_battle(field, roster.stats(kinds), forces, sides(roster)[1], jax.random.key(0))


def targets(script, battle):
    return np.array(script(battle).target[:, 0]).tolist()


def test_nearest_keeps_its_target_until_that_one_is_dead():
    # Breaks where a unit swaps to a nearer foe, or stays with a dead one.
    places = [[10, 16], [14, 16], [18, 16]]
    battle = seen_by_enemies(["marine", "marine"], ["marine"], places, target=[-1, -1, 0])
    assert targets(NearestEnemy(), battle) == [0]
    battle = seen_by_enemies(
        ["marine", "marine"], ["marine"], places, target=[-1, -1, 0], health=[0.0, 45.0, 45.0]
    )
    assert targets(NearestEnemy(), battle) == [1]


def test_nobody_goes_for_what_it_cannot_hit():
    # Breaks where marauders shoot at medivacs, which fly.
    places = [[17, 16], [14, 16], [18, 16]]
    assert targets(NearestEnemy(), seen_by_enemies(["medivac", "marine"], ["marauder"], places)) == [1]
    assert targets(NearestEnemy(), seen_by_enemies(["medivac", "marine"], ["marine"], places)) == [0]
    assert targets(WeakestEnemy(), seen_by_enemies(["medivac"], ["marauder"], places[1:])) == [-1]


def test_weakest_looks_within_reach_only():
    # Breaks where units walk past foes to a weaker one, or shoot at the nearest of several in reach.
    places = [[15, 16], [13, 16], [3, 16], [18, 16]]
    health = [45.0, 20.0, 5.0, 45.0]
    battle = seen_by_enemies(["marine"] * 3, ["marine"], places, health=health)
    assert targets(WeakestEnemy(), battle) == [1]
    battle = seen_by_enemies(["marine"], ["marine"], [[3, 16], [18, 16]])
    assert targets(WeakestEnemy(), battle) == [0]  # nobody in reach: it walks to the nearest


def test_kiting_steps_back_while_the_weapon_is_not_ready():
    # Breaks where a stalker waits beside a zealot for its weapon, or runs although it could shoot.
    places = [[15, 16], [18, 16]]
    for cooldown, walks in ((20.0, 1.0), (2.0, 0.0)):
        battle = seen_by_enemies(["zealot"], ["stalker"], places, cooldown=[0.0, cooldown])
        orders = KitingEnemy()(battle)
        assert orders.direction is not None
        assert orders.target[0, 0] == (-1 if walks else 0)
        np.testing.assert_allclose(orders.direction[0, :, 0], [walks, 0.0], atol=1e-6)
    battle = seen_by_enemies(["stalker"], ["zealot"], places, cooldown=[0.0, 20.0])
    assert KitingEnemy()(battle).target[0, 0] == 0  # a zealot gains nothing by running


def test_healers_heal_the_friend_that_is_worst_off():
    # Breaks where a healer's number is read as a foe's, or it goes for friends who are whole.
    places = [[4, 16], [17, 16], [18, 16], [19, 16]]
    team = ["marine", "marine", "medivac"]
    for script in (NearestEnemy(), WeakestEnemy(), KitingEnemy()):
        battle = seen_by_enemies(["marine"], team, places, health=[45.0, 40.0, 10.0, 150.0])
        assert targets(script, battle)[2] == 1
        assert targets(script, seen_by_enemies(["marine"], team, places))[2] == -1


def world(**options):
    env, tree = make_environment("skirmish/3m", options)
    assert isinstance(env, Skirmish)
    return env, tree


def one_step(env, state):
    return jax.jit(env.step)(state, jnp.ones((1, env.spec.agents), int), jax.random.key(1))[0]


def test_a_script_of_ones_own(tmp_path, monkeypatch):
    # Breaks where a user's function is not called, or its orders do not reach the enemies.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "import jax.numpy as jnp\n"
        "from covey.environments.skirmish.opponents import Battle\n"
        "from covey.environments.skirmish.orders import SideOrders\n"
        "def north(battle: Battle) -> SideOrders:\n"
        "    nobody = jnp.full_like(battle.target, -1)\n"
        "    up = jnp.zeros_like(battle.own.pos).at[:, 1].set(1.0)\n"
        "    return SideOrders(nobody, up)\n"
    )
    env, tree = world(enemy="mine.py:north")
    assert str(tree["enemy"]["name"]).endswith("mine.py:north")
    state, _ = env.reset(jax.random.key(0), 1)
    moved = one_step(env, state).forces.pos - state.forces.pos
    assert (moved[3:, 1] > 0.9).all()
    assert (abs(moved[:3]) < 0.01).all()


def test_an_unknown_opponent_is_refused():
    # Breaks where a mistyped name gives a traceback, or the names are not told.
    with pytest.raises(UserError, match="attack_move, policy, nearest, weakest, kiting, or file"):
        world(enemy="nearst")


def test_scripted_enemies_do_not_react_by_themselves():
    # Breaks where a scripted side also acquires targets, so that it plays by two wills.
    for name, rows in (("nearest", 0), ("attack_move", 6)):
        env, _ = world(enemy=name)
        state, _ = env.reset(jax.random.key(0), 1)
        assert len(state.forces.called) == rows
        targets = one_step(env, state).forces.target[3:, 0]
        assert ((targets >= 0) == (name == "nearest")).all()  # too far to be met yet
