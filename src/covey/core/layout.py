"""The layout of an observation: which features describe the agent itself, its allies and its enemies."""

import equinox as eqx
from jaxtyping import Array, Float


class EntityRows(eqx.Module):
    """A block of an observation with one row of features for each entity; all rows have the same fields.

    The row of an entity that is not seen is all zeros. A field is given by its place in a row; None: rows do
    not tell it.

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
        """Return the rows of an observation."""
        block = features[..., self.start : self.start + self.rows * self.width]
        return block.reshape(*block.shape[:-1], self.rows, self.width)


class EntityLayout(eqx.Module):
    """An observation as rows of entities. Features outside all blocks describe the agent's surroundings.

    - `own`: the agent's own row.
    - `allies`: the other agents of its team in the team's order, without the agent itself.
    - `enemies`: everybody else that it may see.
    - `stand`: the action that stays where one is.
    - `moves`: the actions that move the agent, each with its direction: (action, x, y).
    - `healer`: the field of the own row that is 1 where an agent heals. Then the actions of enemies' rows
      name the agents of its team instead, itself included.
    - `harmless`: pairs (field of the own row, field of an enemy's row): an agent with the one at 1 cannot
      harm an enemy with the other at 1.
    """

    own: EntityRows
    allies: EntityRows
    enemies: EntityRows
    stand: int = eqx.field(static=True, default=0)
    moves: tuple[tuple[int, int, int], ...] = eqx.field(static=True, default=())
    healer: int | None = eqx.field(static=True, default=None)
    harmless: tuple[tuple[int, int], ...] = eqx.field(static=True, default=())
