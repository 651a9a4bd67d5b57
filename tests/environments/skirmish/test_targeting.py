"""Whom units that react by themselves go for."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from battles import OPEN, TABLE, make_field, make_forces, make_orders, play

from covey.environments.skirmish.maps import Group
from covey.environments.skirmish.placing import place_units
from covey.environments.skirmish.targeting import CALL_PERIOD, acquire


def chosen(allies, enemies, places, **values):
    """Return the enemies' targets after a look; `values` replaces fields of their forces."""
    field = make_field(allies, enemies, reacting=True)
    forces = make_forces(field, places)
    forces = replace(forces, **{key: jnp.asarray(x)[:, None] for key, x in values.items()})
    orders = make_orders(field)
    orders = replace(orders, obeys=jnp.arange(field.roster.units)[:, None] < len(allies))
    stats = field.roster.stats(jnp.asarray(field.roster.kinds)[:, None])
    return np.asarray(acquire(field.roster, stats, forces, orders).target)[len(allies) :, 0].tolist()


NEAR_AND_FAR = [[10.0, 10.0], [14.0, 10.0], [15.0, 10.0]]  # two zealots; one enemy zealot near the second


def test_the_nearest_within_the_scan_is_taken():
    # Breaks where the scan is measured between centres, or the first one in sight is taken.
    assert chosen(["zealot", "zealot"], ["zealot"], NEAR_AND_FAR) == [1]
    assert chosen(["zealot"], ["zealot"], [[10.0, 10.0], [15.9, 10.0]]) == [0]
    assert chosen(["zealot"], ["zealot"], [[10.0, 10.0], [16.1, 10.0]]) == [-1]


@pytest.mark.parametrize("timer", ["windup", "backswing"])
def test_nobody_looks_around_during_an_attack(timer):
    # Breaks where a unit whose target has just died has a new one before its blade is back.
    busy = {timer: np.array([0.0, 0.0, 2.0])}
    assert chosen(["zealot", "zealot"], ["zealot"], NEAR_AND_FAR, **busy) == [-1]


def test_a_target_is_kept_unless_its_hunter_is_stuck():
    # Breaks where a chase ends at the next one who comes into reach, or a jam of melee units never does.
    held = {"target": np.array([-1, -1, 0])}
    assert chosen(["zealot", "zealot"], ["zealot"], NEAR_AND_FAR, **held) == [0]
    stuck = held | {"stuck": np.array([False, False, True])}
    assert chosen(["zealot", "zealot"], ["zealot"], NEAR_AND_FAR, **stuck) == [1]
    far = [[10.0, 10.0], [13.0, 10.0], [15.0, 10.0]]
    assert chosen(["zealot", "zealot"], ["zealot"], far, **stuck) == [0]


def test_a_call_for_help_leads_to_who_hits():
    # Breaks where a call is not heard beyond the scan, or leads to somebody who has hit nobody.
    places = [[10.0, 10.0], [10.0, 9.0], [17.0, 10.0]]
    hit = {"called": np.array([False, False, True]), "struck": np.array([False, True, False])}
    assert chosen(["marine", "marine"], ["marine"], places) == [-1]
    assert chosen(["marine", "marine"], ["marine"], places, **hit) == [1]


def test_a_unit_calls_for_help_every_two_seconds():
    # Breaks where each hit calls: then a friend who has just killed never has to look for a target.
    field = make_field(["stalker", "stalker"], ["zealot"], reacting=True)
    forces = make_forces(field, [[10.0, 10.0], [10.0, 12.0], [16.0, 11.0]])
    told = play(field, forces, make_orders(field, targets=[0, 0, -1]), 90)
    hurt = np.diff(told.health[:, 2] + told.shield[:, 2]) < 0
    calls = np.flatnonzero(np.diff(told.quiet[:, 2]) > 0)
    assert hurt.sum() > len(calls) >= 2
    assert (np.diff(calls) >= CALL_PERIOD).all()
    assert calls[0] == np.flatnonzero(hurt)[0]


def test_units_start_on_a_grid_of_half_units_in_reading_order():
    # Breaks where ties between free places are decided otherwise: a script's wins on 2s3z hang on it.
    units = [TABLE["zealot"]] * 5
    placed = place_units([Group("zealot", 5, (9.0, 16.0))], units, OPEN) - np.array([9.0, 16.0])
    assert placed.tolist() == [[0, 0], [0, 1], [-1, 0], [1, 0], [0, -1]]
