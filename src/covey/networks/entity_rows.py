"""Inputs read as rows of entities, for networks whose weights do not depend on how many there are.

A one-hot action names some entities. Its part that names none stays with who acted; the rest is one more
field in the rows of those that it names.
"""

from itertools import pairwise
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ..core import EntityLayout
from ..errors import UserError
from .interface import NetworkInterface


class EntityBlock(NamedTuple):
    """Rows of entities of one kind; rows of zeros are not `present`."""

    rows: Float[Array, "*b n f"]
    present: Bool[Array, "*b n"]


class Entities(NamedTuple):
    """An input as rows.

    - `own`: what is told of the agent itself, of its surroundings, and all that belongs to no entity.
    - `blocks`: the allies and the enemies of each part that has rows, in this order; none without rows.
    - `heals`: 1 where the agent heals. None: agents' actions name enemies alone.
    - `place`: the agent's number in its team, one-hot. None: nobody needs to know.
    """

    own: Float[Array, "*b o"]
    blocks: tuple[EntityBlock, ...]
    heals: Float[Array, "*b 1"] | None
    place: Float[Array, "*b team"] | None


class _Rows(NamedTuple):
    """The rows of one part."""

    own: Float[Array, "*b o"]
    allies: EntityBlock
    enemies: EntityBlock


def require_rows(interface: NetworkInterface) -> None:
    """Refuse an input in which no part has rows of entities."""
    if not any(part.layout for part in interface.parts):
        raise UserError(
            "a network of entities needs an input that is told as rows of entities, and this one is not: "
            "take a world whose Spec.layouts (Spec.state_layouts for a state) tell them, one layout for all "
            "agents of a learner, as skirmish's do, or take recurrent or feed_forward in its place"
        )


def read_entities(interface: NetworkInterface, x: Float[Array, "*b i"]) -> Entities:
    """Cut an input into what is told of the agent itself and rows of other entities."""
    ends = [0]
    for part in interface.parts:
        ends.append(ends[-1] + part.width)
    pieces = [x[..., start:stop] for start, stop in pairwise(ends)]
    rows = {n: _read_part(part.layout, pieces[n]) for n, part in enumerate(interface.parts) if part.layout}
    own = [rows[n].own if n in rows else piece for n, piece in enumerate(pieces)]
    target = interface.target_part
    if target is None:
        return Entities(jnp.concatenate(own, axis=-1), _blocks(rows), None, None)
    layout = interface.parts[target].layout
    assert layout is not None
    heals = _own_field(layout, pieces[target], layout.healer)
    of_kind = {part.kind: n for n, part in enumerate(interface.parts)}
    place = None
    if "place" in of_kind:
        n = of_kind["place"]
        place = pieces[n]
        own[n] = pieces[n][..., :0]
    if "last_action" in of_kind:
        n = of_kind["last_action"]
        own[n], aimed = split_action(layout, pieces[n])
        rows[target] = _add_aim(rows[target], aimed, heals, place)
    return Entities(jnp.concatenate(own, axis=-1), _blocks(rows), heals, place)


def target_blocks(interface: NetworkInterface) -> tuple[int | None, int | None]:
    """Return the indices, among `blocks`, of the enemies and allies that actions name."""
    at = 0
    for n, part in enumerate(interface.parts):
        if part.layout is None:
            continue
        allies = at if part.layout.allies.rows else None
        at += allies is not None
        enemies = at if part.layout.enemies.rows else None
        at += enemies is not None
        if n == interface.target_part:
            return enemies, allies if part.layout.healer is not None else None
    return None, None


def split_action(
    layout: EntityLayout, action: Float[Array, "*b actions"]
) -> tuple[Float[Array, "*b plain"], Float[Array, "*b slots"]]:
    """Split a one-hot action into the part that names no entity and the part that names one."""
    if layout.enemies.action is None:
        return action, action[..., :0]
    stop = layout.enemies.action + layout.slots
    before, aimed, after = jnp.split(action, (layout.enemies.action, stop), axis=-1)
    return jnp.concatenate([before, after], axis=-1), aimed


def _blocks(rows: dict[int, _Rows]) -> tuple[EntityBlock, ...]:
    blocks = [block for part in rows.values() for block in (part.allies, part.enemies)]
    return tuple(block for block in blocks if block.rows.shape[-2])


def _own_field(
    layout: EntityLayout, features: Float[Array, "*b features"], field: int | None
) -> Float[Array, "*b 1"] | None:
    """Return a field of the agent's own row; None where the layout has no such field."""
    if field is None:
        return None
    start = layout.own.start + field
    return features[..., start : start + 1]


def _read_part(layout: EntityLayout, features: Float[Array, "*b features"]) -> _Rows:
    """Return the rows of one part; the last actions of a state are told in them."""
    own = layout.own.split(features)
    own = jnp.concatenate([own.reshape(*own.shape[:-2], -1), layout.surroundings(features)], axis=-1)
    allies, enemies = (
        EntityBlock(rows, jnp.any(rows != 0, axis=-1))
        for rows in (layout.allies.split(features), layout.enemies.split(features))
    )
    rows = _Rows(own, allies, enemies)
    if layout.last_actions is None:
        return rows
    plain, aimed = split_action(layout, layout.last_actions.split(features))
    named = jnp.sum(aimed, axis=-1, keepdims=True)
    rows = rows._replace(allies=_with_fields(allies, plain, named))
    if not layout.slots:
        return rows
    if layout.healer is None:
        return rows._replace(enemies=_with_fields(enemies, _count(aimed, enemies)))
    heals = allies.rows[..., layout.healer][..., None]
    return rows._replace(
        allies=_with_fields(rows.allies, _count(heals * aimed, allies)),
        enemies=_with_fields(enemies, _count((1 - heals) * aimed, enemies)),
    )


def _count(aimed: Float[Array, "*b n slots"], block: EntityBlock) -> Float[Array, "*b m 1"]:
    """Return how many agents named each row of a block."""
    return jnp.sum(aimed, axis=-2)[..., : block.present.shape[-1], None]


def _with_fields(block: EntityBlock, *fields: Float[Array, "*b n _"]) -> EntityBlock:
    return block._replace(rows=jnp.concatenate([block.rows, *fields], axis=-1))


def _add_aim(
    rows: _Rows,
    aimed: Float[Array, "*b slots"],
    heals: Float[Array, "*b 1"] | None,
    place: Float[Array, "*b team"] | None,
) -> _Rows:
    """Add a field to the rows: 1 where the agent's own last action named this entity."""
    at_enemies = aimed if heals is None else (1 - heals) * aimed
    foes = rows.enemies.present.shape[-1]
    rows = rows._replace(enemies=_with_fields(rows.enemies, at_enemies[..., :foes, None]))
    if heals is None or place is None:
        return rows
    team = heals * aimed[..., : place.shape[-1]]
    friend = jnp.where(_after(place)[..., 1:], team[..., 1:], team[..., :-1])
    return rows._replace(allies=_with_fields(rows.allies, friend[..., None]))


def allies_by_number(x: Float[Array, "*b n"], place: Float[Array, "*b team"]) -> Float[Array, "*b team"]:
    """Return values of the other agents by their numbers in the team, and 0 at the agent's own."""
    edge = [(0, 0)] * (x.ndim - 1)
    before = jnp.pad(x, [*edge, (0, 1)])
    after = jnp.pad(x, [*edge, (1, 0)])
    return jnp.where(place > 0, 0.0, jnp.where(_after(place), after, before))


def _after(place: Float[Array, "*b team"]) -> Bool[Array, "*b team"]:
    """Mark the numbers after the agent's own."""
    return jnp.cumsum(place, axis=-1) > place


def input_widths(interface: NetworkInterface) -> tuple[int, tuple[int, ...]]:
    """Return the widths of `own`, and of the rows of each block."""
    zeros = jax.ShapeDtypeStruct((interface.inputs,), jnp.zeros(0).dtype)
    entities = jax.eval_shape(lambda x: read_entities(interface, x), zeros)
    return entities.own.shape[-1], tuple(block.rows.shape[-1] for block in entities.blocks)
