"""Weapons beside the game's: hits and loops from the first trigger, armour, shields, splash, healing.

The game's numbers of loops have fractions; here attacks are launched on whole loops, with the wind-up rounded
up as the real client shows it: a duel may be a loop off. Numbers of hits are exact.
"""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from battles import TABLE, duels, make_field, make_forces, make_orders, play, play_pairs, points, reach, still

# attacker, victim: hits; loops from the first trigger to the last hit, where known
HITS = {
    ("marine", "marine"): (8, 97),
    ("marine", "zealot"): (29, None),
    ("marauder", "stalker"): (9, None),
    ("marauder", "marine"): (5, None),
    ("stalker", "zealot"): (13, None),
    ("stalker", "stalker"): (10, None),
    ("stalker", "marine"): (4, None),
    ("zealot", "zealot"): (21, 192),
    ("zealot", "zergling"): (5, None),
    ("zealot", "marine"): (6, 42.9),
    ("zealot", "hydralisk"): (10, 81.3),
    ("zergling", "zealot"): (35, 2.7 + 378.6),
    ("zergling", "marine"): (9, None),
    ("hydralisk", "zealot"): (14, None),
    ("colossus", "zergling"): (3, None),
    ("colossus", "zealot"): (11, None),
    ("colossus", "stalker"): (17, None),
    ("spine_crawler", "stalker"): (6, None),
    ("stalker", "spine_crawler"): (19, None),
}


@pytest.mark.parametrize("pair", HITS, ids="-".join)
def test_hits_until_a_victim_is_dead(pair):
    # Would break: damage, bonus, armour after shields, periods, the second hit of a swing.
    hits, loops = HITS[pair]
    duel = duels(tuple(HITS))[pair]
    assert duel.hits == hits
    if loops is not None:
        # A second hit in a swing is rounded to whole loops once more.
        second = TABLE[pair[0]].hits == 2 and hits % 2 == 0
        assert abs(duel.last - loops) <= 1 + second


def test_the_wind_up_is_rounded_up():
    # Would break: a first shot that goes off in another loop; missiles that arrive at once.
    duel = duels(tuple(HITS))
    assert duel["marine", "marine"].first == 1
    assert duel["zergling", "marine"].first == 3
    assert duel["zealot", "zealot"].first == 0
    assert abs(duel["hydralisk", "zealot"].last - duel["hydralisk", "zealot"].first - 171.6) <= 1
    flight = np.ceil((reach("marauder", "marine") - 0.05) / (20 / 16))
    assert duel["marauder", "marine"].first == flight


def test_a_spine_crawler_heals_by_itself():
    # Would break: regeneration of Zerg, at .2734 health a second: one more hit is needed, by one or by two.
    for stalkers in (1, 2):
        field = make_field(["stalker"] * stalkers, ["spine_crawler"])
        places = [[10, 15], [10, 17]][:stalkers]
        orders = make_orders(field, [0] * stalkers + [-1])
        told = play(field, make_forces(field, [*places, [16, 16]]), orders, 640)
        left = told.health[:, -1]
        lost = left[:-1] - left[1:]
        assert left[-1] == 0
        assert np.sum(np.ceil(lost[lost > 1] / 16)) == 20
        assert lost.min() == pytest.approx(-0.2734 / 16, abs=1e-4)


@pytest.mark.parametrize(
    ("victim", "needed"), [("zealot", 5), ("zergling", 1), ("baneling", 2), ("marine", 2)]
)
def test_banelings_that_a_victim_needs(victim, needed):
    # Would break: damage of an explosion, its bonus against light ones, the death of who explodes.
    field = make_field([still(TABLE["baneling"])] * 5, [still(TABLE[victim])])
    around = [[16 + 0.8 * np.cos(a), 16 + 0.8 * np.sin(a)] for a in np.arange(5)]
    for number in (needed - 1, needed):
        forces = make_forces(field, [*around, [16, 16]])
        alive = jnp.array([True] * number + [False] * (5 - number) + [True])[:, None]
        forces = replace(forces, health=forces.health * alive)
        told = play(field, forces, make_orders(field, [0] * 5 + [-1]), 8)
        assert (told.health[-1, -1] == 0) == (number == needed)
        assert not told.health[-1, :5].any()


def test_an_explosion_reaches_so_far():
    # Would break: a radius of 2.2 from the explosion to the victim's edge; one that harms its own side, or
    # fliers; a baneling that is killed before it arrives and does not explode.
    victims = ["zergling", "zergling", "medivac", "marine"]
    field = make_field(["baneling", "zealot"], victims)
    size = 2.2 + 0.375
    places = [[16, 16], [17, 17], [16, 16 + size - 0.01], [16, 16 - size - 0.01], [15, 16], [15.2, 16]]
    forces = make_forces(field, places)
    told = play(field, forces, make_orders(field, [3, -1, -1, -1, -1, -1]), 3)
    np.testing.assert_allclose(told.health[-1], [0, 100, 0, 35, 150, 10], atol=0.1)
    killed = replace(forces, health=forces.health.at[0].set(5.0))
    told = play(field, killed, make_orders(field, [-1, -1, -1, -1, -1, 0]), 4)
    np.testing.assert_allclose(told.health[-1], [0, 100, 0, 35, 150, 10], atol=0.1)


def test_a_shield_comes_back_after_ten_seconds():
    # Would break: the delay of 160 loops after the last damage, or 1/8 a loop; health that heals.
    field = make_field(["marine"], ["zealot"])
    forces = make_forces(field, [[2, 16], [30, 16]], shield=[0, 0], health=[45, 70], calm=[0, 160])
    told = play(field, forces, make_orders(field), 560)
    shield = told.shield[:, 1]  # after loop 0 at index 0
    assert shield[159] == 0
    assert shield[162] > 0
    assert 49.75 <= shield[558] < 50
    assert shield[560] == 50
    np.testing.assert_allclose(told.health[-1], [45, 70])


def test_a_hit_takes_half_a_point_at_least():
    # Would break: armour that takes all of a small hit, or counts on shields.
    pairs = [("needle", "marauder"), ("needle", "spine_crawler"), ("needle", "zealot"), ("needle", "marine")]
    told = play_pairs(pairs, [4, 4, 4, 4], 2)
    lost = points(told)[0, 1] - points(told)[-1, 1]
    np.testing.assert_allclose(lost, [0.5, 0.5, 1, 1])


def test_armour_counts_once_for_what_passes_a_shield():
    # Would break: 13 damage on 11 shield and 100 health, armour 1: health 99.
    told = play_pairs([("stalker", "zealot")], [5], 12, shield=[[80.0], [11.0]], calm=[[160.0], [160.0]])
    assert told.shield[-1, 1, 0] == 0
    assert told.health[-1, 1, 0] == 99


def test_equal_hits_in_one_loop_each_meet_armour():
    # Would break: armour once for the sum of several hits; overkill that is carried over.
    field = make_field(["marine"] * 3, ["zealot"])
    places = [[12, 15], [12, 16], [12, 17], [16, 16]]
    values = {"shield": [0, 0, 0, 4], "health": [45, 45, 45, 100], "calm": [160] * 4}
    forces = make_forces(field, places, **values)
    told = play(field, forces, make_orders(field, [0, 0, 0, -1]), 2)
    assert told.shield[-1, 3] == 0
    # 18 of damage: 4 stay in the shield, and what is left is part of three hits.
    assert told.health[-1, 3] == 100 - (14 - 3)


def test_a_line_of_fire_sweeps_across():
    # Would break: half the length of 1.25 plus the victim's radius; one hit of each beam on all on it.
    unarmed = still(TABLE["zergling"])
    field = make_field(["colossus"], [unarmed] * 5)
    row = [[16, 16], [16, 17.2], [16, 14.8], [16, 17.9], [16.8, 16]]
    told = play(field, make_forces(field, [[10, 16], *row]), make_orders(field, [0] + [-1] * 5), 12)
    np.testing.assert_allclose(told.health[-1], [200, 5, 5, 5, 35, 35])
    turned = [[16, 10], *([x, y] for y, x in row)]
    told = play(field, make_forces(field, turned), make_orders(field, [0] + [-1] * 5), 12)
    np.testing.assert_allclose(told.health[-1], [200, 5, 5, 5, 35, 35])


def test_a_medivac_heals_as_long_as_it_has_energy():
    # Would break: 9 health a second for .33 energy each; .5625 energy a second; a patient beyond its health.
    giant = replace(TABLE["marine"], name="giant", health=1000.0)
    field = make_field(["medivac", giant], ["zealot"])
    places = [[10, 16], [12, 16], [30, 16]]
    forces = make_forces(field, places, health=[150, 100, 100])
    told = play(field, forces, make_orders(field, [1, -1, -1]), 360)
    health = told.health[:, 1]
    assert health[8] - health[0] == pytest.approx(4.5, abs=1e-3)
    spent = told.energy[0, 0] - told.energy[8, 0] + 8 * 0.5625 / 16
    assert spent == pytest.approx(4.5 * 0.33, abs=1e-3)
    # 50 energy, and what comes in, are gone after 332 loops.
    dry = int(np.argmax(told.energy[:, 0] < 0.2))
    assert abs(dry - 332) <= 2
    assert health[dry] - health[0] == pytest.approx(187, abs=1)
    assert health[360] - health[dry] == pytest.approx((360 - dry) * 0.5625 / 0.33 / 16, abs=0.6)
    forces = make_forces(field, places, health=[150, 999.5, 100])
    whole = play(field, forces, make_orders(field, [1, -1, -1]), 360)
    assert whole.health[-1, 1] == pytest.approx(1000)


def test_medivacs_heal_no_machines_and_no_enemies():
    # Would break: healing of what is not biological, of the dead, of the other side.
    field = make_field(["medivac", "stalker", "marine", "marine"], ["marine"])
    places = [[10, 16], [12, 16], [12, 14], [12, 18], [11, 17]]
    forces = make_forces(field, places, health=[150, 10, 0, 10, 10], shield=[0, 0, 0, 0, 0])
    for target, healed in ((1, False), (2, False), (3, True), (0, False)):
        told = play(field, forces, make_orders(field, [target, -1, -1, -1, -1]), 8)
        gained = told.health[-1] - told.health[0]
        np.testing.assert_allclose(gained, [0, 0, 0, 4.5 if healed else 0, 0], atol=1e-3)


def test_a_new_order_takes_back_the_second_hit():
    # Would break: a swing that goes on after its owner walked off; one that the same order ends.
    field = make_field(["zealot"], ["zealot", "zealot"])
    places = [[16, 16], [17, 16], [15, 16]]
    first = play(field, make_forces(field, places), make_orders(field, [0, -1, -1]), 2)
    assert points(first)[-1, 1] == 142
    kept = advance_from(field, first, make_orders(field, [0, -1, -1]))
    assert points(kept)[-1, 1] == 134
    for order in (
        make_orders(field, [-1, -1, -1], [[0, 1], [0, 0], [0, 0]]),
        make_orders(field, [1, -1, -1]),
        make_orders(field, [-1, -1, -1]),
    ):
        broken = advance_from(field, first, order)
        assert points(broken)[-1, 1] == 142


def advance_from(field, told, orders, loops=6):
    """Return what happens after another battle's last loop."""
    last = type(told)(**{key: jnp.asarray(value[-1])[..., None] for key, value in vars(told).items()})
    return play(field, last, orders, loops)
