"""Optional protocols of worlds and algorithms: what films and pictures show.

A world with `scene` can be filmed. A world with `tables` can be drawn as payoff tables. A film shows
what an algorithm with `insight` computes for each step, such as values. A replay in a report also shows its
`decisions`.
"""

from typing import Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from .trajectory import Trajectory

Colour = Literal["grey", "red", "green", "blue"]
ObjectKind = Literal["target", "obstacle"]  # to be reached, or in the way


Shape = Literal[
    "disc",
    "marine",
    "marauder",
    "medivac",
    "stalker",
    "zealot",
    "colossus",
    "zergling",
    "baneling",
    "hydralisk",
    "spine_crawler",
]


class UnitLook(NamedTuple):
    """A type of fighting unit: its silhouette, and the numbers that a page shows of it.

    Lengths are in the units of the world.
    """

    name: str
    shape: Shape
    radius: float
    range: float  # of its weapon, from its own edge to the target's
    health: float  # the most
    shield: float = 0.0  # the most; 0: it has none
    heals: bool = False  # its target is a friend, and its line is green
    blast: float = 0.0  # how far its explosion reaches, when it has a target; 0: it does not explode


class SceneUnits(eqx.Module):
    """Fighting units: all agents of a scene, or all its objects. A unit without health is dead."""

    look: Int[Array, "units n"]  # which of `looks`, so that teams may be drawn anew for each episode
    health: Float[Array, "units n"]  # in points, as the most of `looks`
    shield: Float[Array, "units n"]
    target: Int[Array, "units n"]  # whom it fired at in the newest step; -1: at nobody
    looks: tuple[UnitLook, ...] = eqx.field(static=True)


class SceneGround(NamedTuple):
    """Terrain, as a map is printed: the first row is the furthest up.

    "." is open ground, "+" is high ground, "#" is a cliff; so is everything beyond the rows. `corner` is the
    place of the map's lower left corner in the world.
    """

    rows: tuple[str, ...]
    cell: float = 1.0
    corner: tuple[float, float] = (0.0, 0.0)


class Scene(eqx.Module):
    """One moment of a world on a plane.

    The last axis of every array is n, the copies, as in an environment's state. Agents stand in the order
    of the spec. Lengths are in the units of the world. A film shows at least `extent` to each side of the
    origin.

    Fighting units need no radii, and a film shows the place of their battle, wherever that is. Units among
    the objects are enemies, and red. A unit's `target` counts the agents first and the objects after them. A
    dead unit stays where it fell.
    """

    agents: Float[Array, "agents 2 n"]
    objects: Float[Array, "objects 2 n"]  # everything that is not an agent
    touching: Bool[Array, "agents n"]  # drawn as a flash
    caught: Bool[Array, "agents n"]  # drawn as a light that fades
    highlighted: Bool[Array, "objects n"]  # the goals among the objects
    removed: Bool[Array, "objects n"]  # drawn as an outline
    words: Int[Array, "agents n"]  # what each agent says: 0 is "A"; -1 is silence
    links: Float[Array, "links 2 2 n"]  # dotted lines, each from one point to another
    agent_radii: tuple[float, ...] = eqx.field(static=True)
    object_radii: tuple[float, ...] = eqx.field(static=True)
    object_colours: tuple[Colour, ...] = eqx.field(static=True)
    object_kinds: tuple[ObjectKind, ...] = eqx.field(static=True)
    extent: float = eqx.field(static=True)
    agent_units: SceneUnits | None
    object_units: SceneUnits | None
    ground: SceneGround | None = eqx.field(static=True)

    def __init__(
        self,
        agents: Float[Array, "agents 2 n"],
        objects: Float[Array, "objects 2 n"],
        agent_radii: tuple[float, ...] | None = None,
        object_radii: tuple[float, ...] | None = None,
        touching: Bool[Array, "agents n"] | None = None,
        highlighted: Bool[Array, "objects n"] | None = None,
        words: Int[Array, "agents n"] | None = None,
        links: Float[Array, "links 2 2 n"] | None = None,
        object_colours: tuple[Colour, ...] | None = None,
        object_kinds: tuple[ObjectKind, ...] | None = None,
        extent: float = 1.1,
        caught: Bool[Array, "agents n"] | None = None,
        removed: Bool[Array, "objects n"] | None = None,
        agent_units: SceneUnits | None = None,
        object_units: SceneUnits | None = None,
        ground: SceneGround | None = None,
    ):
        agent_count, _, n = agents.shape
        object_count = len(objects)
        default = lambda value, otherwise: otherwise if value is None else value
        self.agents = agents
        self.objects = objects
        self.agent_radii = default(agent_radii, (0.0,) * agent_count)
        self.object_radii = default(object_radii, (0.0,) * object_count)
        self.touching = default(touching, jnp.zeros((agent_count, n), bool))
        self.caught = default(caught, jnp.zeros((agent_count, n), bool))
        self.highlighted = default(highlighted, jnp.zeros((object_count, n), bool))
        self.removed = default(removed, jnp.zeros((object_count, n), bool))
        self.words = default(words, jnp.full((agent_count, n), -1))
        self.links = default(links, jnp.zeros((0, 2, 2, n), agents.dtype))
        self.object_colours = default(object_colours, ("grey",) * object_count)
        self.object_kinds = default(object_kinds, ("target",) * object_count)
        self.extent = extent
        self.agent_units = agent_units
        self.object_units = object_units
        self.ground = ground


@runtime_checkable
class Scenic(Protocol):
    """A world that can be filmed."""

    def scene(self, state: Any) -> Scene: ...


class PayoffTable(NamedTuple):
    """One decision of a small game: how to reach it, and the best return after each joint action."""

    name: str
    path: tuple[tuple[int, ...], ...]  # the joint actions that lead here from the start
    best: Float[np.ndarray, "..."]  # one axis per agent


@runtime_checkable
class Tabular(Protocol):
    """A game small enough to be drawn whole."""

    def tables(self) -> tuple[PayoffTable, ...]: ...


@runtime_checkable
class HasTrainingCurves(Protocol):
    """An algorithm that names metrics whose curves over training a film shows, such as its schedules."""

    training_curves: ClassVar[tuple[str, ...]]


@runtime_checkable
class Insightful(Protocol):
    """An algorithm that computes values or weights for each step of an episode, for films."""

    def insight(self, learner: PyTree, episode: Trajectory) -> dict[str, Float[Array, "T *k"]]: ...


@runtime_checkable
class HasDecisions(Protocol):
    """An algorithm that explains the decisions of an episode, for replays, by names that replays know.

    `action_values` or `action_probabilities`, `[T, agents, actions]`: why each took its action. `credit`,
    `[T, agents]`: how much the joint value grows with each one's. `advantage`, `[T, k]`: of the joint action.
    `attention`, `[T, agents, agents]`: how much each row attends to each column.
    An algorithm gives what it has.
    """

    def decisions(self, learner: PyTree, episode: Trajectory) -> dict[str, Float[Array, "T *k"]]: ...


@runtime_checkable
class HasActionNames(Protocol):
    """A world with words for its discrete actions, the same for every agent."""

    @property
    def action_names(self) -> tuple[str, ...]: ...
