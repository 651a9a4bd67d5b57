"""Weapons: attacks begin, are launched and strike; shields and armour; splash, explosions and healing."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from .roster import Kinds, Roster, UnitStats
from .state import Forces, change, over_rows
from .targeting import Aim, is_ally, look_up
from .units import LEAST_DAMAGE, LOOPS_PER_SECOND, SHIELD_DELAY, SHIELD_RATE

_LINE_LENGTH = 1.25  # a colossus hits so far to each side of its target
_LINE_WIDTH = 0.15
BLAST = 2.2  # the radius of a baneling's explosion


class Strikes(NamedTuple):
    """The hits that land in a loop: who hits, and whom."""

    lands: Bool[Array, "units n"]
    target: Int[Array, "units n"]


def count_down(timer: Float[Array, "units n"]) -> Float[Array, "units n"]:
    """Advance a timer by a loop; one that ends in this loop keeps what it is late by, below 0."""
    return jnp.where(timer > 0, timer - 1.0, 0.0)


def attack(
    roster: Roster, stats: UnitStats, forces: Forces, aim: Aim, noise: Float[Array, "units n"]
) -> tuple[Forces, Strikes]:
    """Begin attacks, launch those that are wound up, and return the hits that land.

    The next attack may begin a period, and a random delay, after this one began; one that is broken off
    costs nothing. A weapon that is late by part of a loop begins the next period so much earlier.
    """
    armed = forces.alive & stats.armed
    cooldown = count_down(forces.cooldown)
    winding = forces.windup > 0
    steady = armed & aim.within(stats.range + stats.slop)
    begins = armed & ~winding & (cooldown <= 0) & aim.within(stats.range)
    windup = jnp.where(begins, jnp.ceil(stats.windup), forces.windup - 1.0)
    launches = (begins | (winding & steady)) & (windup <= 0)
    windup = jnp.where(begins | (winding & steady), jnp.maximum(windup, 0.0), 0.0)
    late = jnp.where(begins, cooldown, 0.0)
    rest = stats.period + noise - jnp.ceil(stats.windup)
    # While an attack winds up its cooldown holds what the weapon was late by.
    held = jnp.where(winding, forces.cooldown, late)
    cooldown = jnp.where(launches, rest + held, jnp.where(windup > 0, jnp.minimum(held, 0.0), cooldown))
    # A unit is pinned from its last hit on; a zealot's second blade hits later than its first.
    pinned = stats.backswing + stats.interval * ~stats.sweeps
    backswing = jnp.where(launches, pinned, jnp.maximum(forces.backswing - 1.0, 0.0))
    fired = jnp.where(launches, aim.number, forces.fired)
    changes = {"cooldown": cooldown, "windup": windup, "backswing": backswing, "fired": fired}
    if not (roster.missiles or roster.sweepers):
        strikes = Strikes(launches, aim.number)
    else:
        missile = stats.missile
        delay = jnp.where(missile > 0, aim.distance / jnp.maximum(missile, 1e-6), stats.beam)
        flight = count_down(forces.flight)
        arrives = (forces.flight > 0) & (flight <= 0)
        sent = launches & (delay > 0)
        strikes = Strikes((launches & ~sent) | arrives, jnp.where(arrives, forces.flight_target, aim.number))
        changes["flight"] = jnp.where(sent, jnp.ceil(delay), jnp.maximum(flight, 0.0))
        changes["flight_target"] = jnp.where(sent, aim.number, forces.flight_target)
    if roster.double_hits:
        second = count_down(forces.second)
        again = (forces.second > 0) & (second <= 0) & forces.alive
        doubles = strikes.lands & (stats.interval > 0)
        changes["second"] = jnp.where(doubles, stats.interval, jnp.maximum(second, 0.0))
        # A second sweep goes where the first went.
        same = again & stats.sweeps if roster.sweepers else None
        target = strikes.target if same is None else jnp.where(same, forces.flight_target, strikes.target)
        strikes = Strikes(strikes.lands | again, target)
    if roster.bombs:
        strikes = Strikes(strikes.lands | forces.fuse, strikes.target)
    return change(forces, **changes), strikes


class _Hits(NamedTuple):
    """What strikes each unit in a loop: the sum of the damage, and the number of hits."""

    damage: Float[Array, "units n"]
    number: Float[Array, "units n"]


def land(
    roster: Roster, kinds: Kinds, stats: UnitStats, forces: Forces, strikes: Strikes
) -> tuple[Forces, Bool[Array, "units n"]]:
    """Return the forces after all hits of a loop, and who was hit. Hits land together; overkill is lost."""
    hits = _count_hits(roster, kinds, stats, forces, strikes)
    shield = forces.shield
    lost = hits.damage
    if roster.shields:
        shield = jnp.maximum(forces.shield - hits.damage, 0.0)
        lost = jnp.maximum(hits.damage - forces.shield, 0.0)
    if roster.armour:
        # Armour counts once for each hit that gets through a shield.
        each = hits.damage / jnp.maximum(hits.number, 1.0)
        passed = jnp.ceil(lost / jnp.maximum(each, 1e-6) - 1e-4)
        lost = jnp.maximum(lost - stats.armour * passed, LEAST_DAMAGE * passed)
    health = jnp.maximum(forces.health - lost, 0.0)
    changes = {"health": health, "shield": jnp.where(health > 0, shield, 0.0)}
    if roster.bombs:
        bursts = strikes.lands & stats.explodes
        changes["health"] = jnp.where(bursts, 0.0, health)
        changes["fuse"] = forces.alive & stats.explodes & ~bursts & (health <= 0)
    if roster.shields:
        hit = hits.damage > 0
        delay = SHIELD_DELAY * LOOPS_PER_SECOND
        changes["calm"] = jnp.where(hit, delay, jnp.maximum(forces.calm - 1.0, 0.0))
    if len(forces.struck):
        changes["struck"] = strikes.lands
    return change(forces, **changes), hits.damage > 0


def _count_hits(roster: Roster, kinds: Kinds, stats: UnitStats, forces: Forces, strikes: Strikes) -> _Hits:
    """Return what strikes each unit. Splash hurts the other side alone."""
    units = roster.units
    shape = forces.x.shape
    numbers = np.arange(units)[:, None]
    kinds = jnp.asarray(kinds)
    ally = is_ally(roster)
    rows: dict[str, Any] = {
        "lands": strikes.lands,
        "target": strikes.target,
        "amount": jnp.asarray(roster.damage)[kinds[:, None], kinds[None]],
    }
    if roster.sweepers or roster.bombs:
        rows |= {"x": forces.x, "y": forces.y, "ally": jnp.asarray(ally)}
        rows |= {"sweeps": stats.sweeps, "explodes": stats.explodes}
    if roster.sweepers:
        rows |= {"aimed_x": look_up(forces.x, strikes.target), "aimed_y": look_up(forces.y, strikes.target)}

    def strike(hits: _Hits, row: dict[str, Any]) -> _Hits:
        struck = numbers == row["target"]
        if roster.sweepers:
            line = _on_line(row, stats, forces) & (row["ally"] != ally)
            struck = jnp.where(row["sweeps"], line, struck)
        if roster.bombs:
            squared = (forces.x - row["x"]) ** 2 + (forces.y - row["y"]) ** 2
            near = (squared <= (BLAST + stats.radius) ** 2) & (row["ally"] != ally) & ~stats.flies
            struck = jnp.where(row["explodes"], near, struck)
        struck = struck & row["lands"] & forces.alive
        return _Hits(
            hits.damage + jnp.where(struck, row["amount"], 0.0), hits.number + jnp.where(struck, 1.0, 0.0)
        )

    return over_rows(strike, _Hits(jnp.zeros(shape), jnp.zeros(shape)), rows)


def _on_line(row: dict[str, Any], stats: UnitStats, forces: Forces) -> Bool[Array, "units n"]:
    """Mark units on the line through a shooter's target that lies across the line of fire."""
    along_x = row["aimed_x"] - row["x"]
    along_y = row["aimed_y"] - row["y"]
    length = jnp.maximum(jnp.sqrt(along_x**2 + along_y**2), 1e-6)
    x = forces.x - row["aimed_x"]
    y = forces.y - row["aimed_y"]
    depth = jnp.abs(x * along_x + y * along_y)
    side = jnp.abs(x * along_y - y * along_x)
    return (depth <= (_LINE_WIDTH + stats.radius) * length) & (side <= (_LINE_LENGTH + stats.radius) * length)


def recover(roster: Roster, stats: UnitStats, forces: Forces, aim: Aim) -> Forces:
    """Return the forces after a loop's healing and regeneration."""
    changes: dict[str, Array] = {}
    health = forces.health
    if roster.medics:
        heals = forces.alive & stats.healer & aim.within(stats.range)
        heals &= look_up(stats.biological.astype(jnp.float32), aim.number) > 0
        missing = look_up(stats.health, aim.number) - look_up(health, aim.number)
        rate = jnp.maximum(stats.health_rate, 1e-6)
        amount = jnp.minimum(jnp.minimum(stats.heals, missing), forces.energy / rate)
        amount = jnp.where(heals, amount, 0.0)
        health = health + _healed(amount, aim.number)
        energy = forces.energy - amount * rate + stats.energy_rate
        changes["fired"] = jnp.where(amount > 0, aim.number, forces.fired)
        changes["energy"] = jnp.clip(energy, 0.0, stats.energy_limit)
    if roster.regenerates:
        health = health + stats.regeneration
    if roster.medics or roster.regenerates:
        changes["health"] = jnp.where(forces.alive, jnp.minimum(health, stats.health), 0.0)
    if roster.shields:
        grows = forces.alive & (forces.calm <= 0)
        shield = forces.shield + SHIELD_RATE / LOOPS_PER_SECOND * grows
        changes["shield"] = jnp.minimum(shield, stats.shield)
    return change(forces, **changes)


def _healed(amount: Float[Array, "units n"], number: Int[Array, "units n"]) -> Float[Array, "units n"]:
    """Return the health that each unit gets from its healers."""
    numbers = np.arange(len(amount))[:, None]
    give = lambda total, amount, number: total + jnp.where(numbers == number, amount, 0.0)
    return over_rows(give, jnp.zeros_like(amount), amount, number)
