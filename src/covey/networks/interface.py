"""The meaning of a network's inputs and outputs, for networks that treat some of them differently.

A network whose constructor names `interface` receives one: `Net(inputs, outputs, interface, key=key)`.
"""

from typing import Literal, NamedTuple

from ..core import EntityLayout, EntityRows, Spec

InputKind = Literal["features", "last_action", "place"]
_NOBODY = EntityRows(0, 0, 0)


class InputPart(NamedTuple):
    """A part of an input: features, with a layout those of entities, or a one-hot.

    `picture` has the rows, columns and channels of a picture, or of several side by side. `last_action` is
    the agent's own last action, and `place` its number in its team.
    """

    width: int
    layout: EntityLayout | None = None
    kind: InputKind = "features"
    picture: tuple[int, ...] = ()


class NetworkInterface(NamedTuple):
    """The parts of an input, side by side, and the outputs: one for each discrete action, then others."""

    parts: tuple[InputPart, ...]
    actions: int = 0
    others: int = 0

    @property
    def inputs(self) -> int:
        """The width of the input."""
        return sum(part.width for part in self.parts)

    @property
    def outputs(self) -> int:
        """The number of outputs."""
        return self.actions + self.others

    @property
    def target_part(self) -> int | None:
        """The part whose rows actions name, by its index: an observation. None: no action names any."""
        seen = [n for n, part in enumerate(self.parts) if part.layout and part.layout.own.rows]
        named = [n for n in seen if self.target_slots(self.parts[n].layout)]
        return named[0] if named else None

    @property
    def names_allies(self) -> bool:
        """True if actions name agents of the team, so that an agent must know its own number among them."""
        layout = None if self.target_part is None else self.parts[self.target_part].layout
        return layout is not None and layout.healer is not None

    def target_slots(self, layout: EntityLayout | None) -> int:
        """Return the number of actions that name rows of a layout."""
        return layout.slots if layout is not None and self.actions else 0


def observation_parts(spec: Spec, last_action: bool = False, agent_id: bool = False) -> tuple[InputPart, ...]:
    """Return the parts of an agent's observation with, if asked for, its last action and id, one-hot."""
    parts = [InputPart(spec.features, common_layout(spec.layouts), picture=spec.shape)]
    if last_action:
        parts.append(InputPart(spec.actions, kind="last_action"))
    if agent_id:
        parts.append(InputPart(spec.agents))
    return tuple(parts)


def plain_parts(width: int) -> tuple[InputPart, ...]:
    """Return an input of which nothing is told but its width."""
    return (InputPart(width),)


def state_part(spec: Spec) -> InputPart:
    """Return the part that is the global state."""
    return InputPart(spec.world, state_layout(spec), picture=() if spec.state else spec.shape)


def agent_state_part(spec: Spec) -> InputPart:
    """Return the part that is an agent's own row of the state."""
    return InputPart(spec.state // spec.agents, common_layout(spec.state_layouts))


def state_layout(spec: Spec) -> EntityLayout | None:
    """Return the global state as rows of entities; None where the world does not tell them.

    Rows that stand side by side, one for each agent, are those agents' rows: observations where a world has
    no state, and states with a row for each agent.
    """
    if not spec.state:
        return side_by_side(spec.agents, spec.features, spec.others)
    if spec.state_by_agent:
        return side_by_side(spec.agents, spec.state // spec.agents)
    return common_layout(spec.state_layouts)


def side_by_side(agents: int, width: int, others: int = 0) -> EntityLayout:
    """Return the layout of rows of agents, and of others after them."""
    allies = EntityRows(0, agents, width)
    return EntityLayout(_NOBODY, allies, EntityRows(agents * width, others, width))


def common_layout(layouts: tuple[EntityLayout, ...]) -> EntityLayout | None:
    """Return the layout that all teams have; None where there is none, or they differ."""
    return layouts[0] if len(set(layouts)) == 1 else None
