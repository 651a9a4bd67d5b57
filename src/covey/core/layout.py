"""The layout of an observation or a state: which features describe whom."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float


class EntityRows(eqx.Module):
    """A block of features with one row for each entity; all rows have the same fields.

    The row of an entity that is not seen, or dead, is all zeros. A field is given by its place in a row;
    None: rows do not tell it.

    - `start`: the first feature of the block.
    - `rows`: the number of entities.
    - `width`: the number of fields.
    - `mark`: 1 where an ally is seen, or an enemy can be acted on.
    - `distance`, `dx`, `dy`: from the agent to the entity, all in the same unit.
    - `health`, `shield`: what is left.
    - `action`: the action whose target is the first entity; the next ones name the others. None: no action
      has such a target.
    """

    start: int = eqx.field(static=True)
    rows: int = eqx.field(static=True)
    width: int = eqx.field(static=True)
    mark: int | None = eqx.field(static=True, default=None)
    distance: int | None = eqx.field(static=True, default=None)
    dx: int | None = eqx.field(static=True, default=None)
    dy: int | None = eqx.field(static=True, default=None)
    health: int | None = eqx.field(static=True, default=None)
    shield: int | None = eqx.field(static=True, default=None)
    action: int | None = eqx.field(static=True, default=None)

    def split(self, features: Float[Array, "*b features"]) -> Float[Array, "*b rows width"]:
        """Return the block's rows."""
        block = features[..., self.start : self.start + self.rows * self.width]
        return block.reshape(*block.shape[:-1], self.rows, self.width)


class EntityLayout(eqx.Module):
    """An observation as rows of entities, or a state, which is nobody's view: there `own` has no rows.

    - `own`: the agent's own row.
    - `allies`: the other agents of its team in the team's order, without the agent itself; in a state all
      agents of the team.
    - `enemies`: everybody else that it may see.
    - `stand`: the action that stays where one is.
    - `moves`: the actions that move the agent, each with its direction: (action, x, y).
    - `healer`: the field of the own row, in a state of an ally's, that is 1 where an agent heals. Then the
      actions of enemies' rows name the agents of its team instead, itself included.
    - `harmless`: pairs (field of the own row, field of an enemy's row): an agent with the one at 1 cannot
      harm an enemy with the other at 1.
    - `last_actions`: a row for each ally, with its last action, one-hot.
    - `around`: spans (start, stop) of features that describe the surroundings. None: all features outside
      the blocks do.
    """

    own: EntityRows
    allies: EntityRows
    enemies: EntityRows
    stand: int = eqx.field(static=True, default=0)
    moves: tuple[tuple[int, int, int], ...] = eqx.field(static=True, default=())
    healer: int | None = eqx.field(static=True, default=None)
    harmless: tuple[tuple[int, int], ...] = eqx.field(static=True, default=())
    last_actions: EntityRows | None = None
    around: tuple[tuple[int, int], ...] | None = eqx.field(static=True, default=None)

    @property
    def slots(self) -> int:
        """The number of actions that name a target."""
        if self.enemies.action is None:
            return 0
        team = self.allies.rows + self.own.rows
        return self.enemies.rows if self.healer is None else max(self.enemies.rows, team)

    def surroundings(self, features: Float[Array, "*b features"]) -> Float[Array, "*b around"]:
        """Return the features that describe the surroundings."""
        spans = self.around
        if spans is None:
            blocks = [self.own, self.allies, self.enemies, self.last_actions]
            ends = sorted((b.start, b.start + b.rows * b.width) for b in blocks if b is not None)
            starts = [0, *(stop for _, stop in ends)]
            spans = tuple(zip(starts, [*(start for start, _ in ends), features.shape[-1]], strict=True))
        return jnp.concatenate([features[..., start:stop] for start, stop in [(0, 0), *spans]], axis=-1)
