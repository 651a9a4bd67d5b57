"""Weapons: attacks begin, are launched and strike; shields and armour; splash, explosions and healing."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from .roster import Kinds, Roster, UnitStats
from .state import Forces, change, over_rows
from .targeting import Aim, Ranks, look_up, sides
from .units import LEAST_DAMAGE, LOOPS_PER_SECOND, SHIELD_DELAY, SHIELD_RATE

_LINE_LENGTH = 1.25  # a colossus hits so far to each side of its target
_LINE_WIDTH = 0.15
_BLAST = 2.2  # the radius of a baneling's explosion


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
        distance = jnp.sqrt(aim.offset[:, 0] ** 2 + aim.offset[:, 1] ** 2)
        missile = stats.missile
        delay = jnp.where(missile > 0, distance / jnp.maximum(missile, 1e-6), stats.beam)
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
        strikes = Strikes(strikes.lands | again, strikes.target)
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
    parts = [_strike_side(roster, kinds, stats, forces, strikes, side) for side in sides(roster)]
    # Allies are hit by enemies' weapons, and the other way round.
    hits = _Hits(*(jnp.concatenate([parts[1][i], parts[0][i]]) for i in range(2)))
    shield = jnp.maximum(forces.shield - hits.damage, 0.0)
    through = jnp.maximum(hits.damage - forces.shield, 0.0)
    each = hits.damage / jnp.maximum(hits.number, 1.0)
    # Armour counts once for each hit that gets through a shield.
    passed = jnp.ceil(through / jnp.maximum(each, 1e-6) - 1e-4)
    lost = jnp.maximum(through - stats.armour * passed, LEAST_DAMAGE * passed)
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


def _strike_side(
    roster: Roster, kinds: Kinds, stats: UnitStats, forces: Forces, strikes: Strikes, side: Ranks
) -> _Hits:
    """Return what the weapons of one side do to the other."""
    own = side.own
    foes = side.foes
    n = forces.pos.shape[-1]
    places = forces.pos[foes]
    numbers = jnp.arange(len(places))[:, None]
    table = jnp.asarray(roster.damage)
    kinds = jnp.broadcast_to(jnp.asarray(kinds), (len(kinds), kinds.shape[-1]))
    amounts = table[kinds[own][:, None], kinds[foes][None]]
    alive = forces.alive[foes]
    grounded = ~jnp.broadcast_to(stats.flies[foes], places[:, 0].shape)
    whole = lambda flag: jnp.broadcast_to(flag[own], (len(strikes.lands[own]), n))
    radius = stats.radius[foes]
    zeros = jnp.zeros_like(forces.pos[:, 0])
    aimed = (
        [zeros, zeros]
        if not roster.sweepers
        else [look_up(roster, forces.pos[:, axis], strikes.target) for axis in range(2)]
    )

    def strike(hits, lands, target, amount, place, sweeps, explodes, x, y):
        struck = numbers == target
        if roster.sweepers:
            struck = jnp.where(sweeps, _on_line(place, jnp.stack([x, y]), places, radius), struck)
        if roster.bombs:
            dx = places[:, 0] - place[0]
            dy = places[:, 1] - place[1]
            reach = _BLAST + radius
            struck = jnp.where(explodes, (dx**2 + dy**2 <= reach**2) & grounded, struck)
        struck = struck & lands & alive
        return _Hits(hits.damage + jnp.where(struck, amount, 0.0), hits.number + jnp.where(struck, 1.0, 0.0))

    start = _Hits(*jnp.zeros((2, len(places), n)))
    return over_rows(
        strike,
        start,
        strikes.lands[own],
        strikes.target[own],
        amounts,
        forces.pos[own],
        whole(stats.sweeps),
        whole(stats.explodes),
        aimed[0][own],
        aimed[1][own],
    )


def _on_line(
    shooter: Float[Array, "2 n"],
    target: Float[Array, "2 n"],
    places: Float[Array, "foes 2 n"],
    radius: Float[Array, "foes copies"],
) -> Bool[Array, "foes n"]:
    """Mark foes on the line through the target that lies across the line of fire."""
    along = target - shooter
    length = jnp.sqrt(along[0] ** 2 + along[1] ** 2)
    along = along / jnp.maximum(length, 1e-6)
    x = places[:, 0] - target[0]
    y = places[:, 1] - target[1]
    depth = jnp.abs(x * along[0] + y * along[1])
    side = jnp.abs(x * along[1] - y * along[0])
    return (depth <= _LINE_WIDTH + radius) & (side <= _LINE_LENGTH + radius)


def recover(roster: Roster, stats: UnitStats, forces: Forces, aim: Aim) -> Forces:
    """Return the forces after a loop's healing and regeneration."""
    changes: dict[str, Array] = {}
    health = forces.health
    if roster.medics:
        heals = forces.alive & stats.healer & aim.within(stats.range)
        heals &= look_up(roster, stats.biological.astype(jnp.float32), aim.number, True) > 0
        share = look_up(roster, health / stats.health, aim.number, True)
        missing = look_up(roster, stats.health, aim.number, True) * (1.0 - share)
        rate = jnp.maximum(stats.health_rate, 1e-6)
        amount = jnp.minimum(jnp.minimum(stats.heals, missing), forces.energy / rate)
        amount = jnp.where(heals, amount, 0.0)
        health = health + _healed(roster, amount, aim.number)
        energy = forces.energy - amount * rate + stats.energy_rate
        changes["fired"] = jnp.where(amount > 0, aim.number, forces.fired)
        changes["energy"] = jnp.clip(energy, 0.0, stats.energy_limit)
    if roster.regenerates:
        health = jnp.where(forces.alive, health + stats.regeneration, health)
    if roster.medics or roster.regenerates:
        changes["health"] = jnp.where(forces.alive, jnp.minimum(health, stats.health), 0.0)
    if roster.shields:
        grows = forces.alive & (forces.calm <= 0)
        shield = forces.shield + SHIELD_RATE / LOOPS_PER_SECOND * grows
        changes["shield"] = jnp.minimum(shield, stats.shield)
    return change(forces, **changes)


def _healed(
    roster: Roster, amount: Float[Array, "units n"], index: Int[Array, "units n"]
) -> Float[Array, "units n"]:
    """Return the health that each unit gets from its healers."""
    parts = []
    for side in sides(roster):
        numbers = jnp.arange(len(amount[side.own]))[:, None]
        give = lambda total, amount, index, numbers=numbers: total + jnp.where(numbers == index, amount, 0.0)
        zeros = jnp.zeros_like(amount[side.own])
        parts.append(over_rows(give, zeros, amount[side.own], index[side.own]))
    return jnp.concatenate(parts)
