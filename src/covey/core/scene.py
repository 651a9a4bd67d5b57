"""What there is to see of a world and of a learner's mind: what films and pictures are made of.

Everything here is optional. A world with `scene` can be filmed as it looks, one with `tables`
drawn as payoffs; of an algorithm with `insight` a film shows what it thinks of what is done.
"""

from typing import Any, ClassVar, Literal, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from . import Trajectory

Colour = Literal["grey", "red", "green", "blue"]
Look = Literal["target", "obstacle"]  # to be reached, or in the way


class Scene(eqx.Module):
    """One moment on a plane. Arrays END with n, the copies, as an environment's states do.

    Agents stand in the spec's order. Lengths are the world's; a camera shows at least `view` to
    each side of the origin.
    """

    agents: Float[Array, "agents 2 n"]
    things: Float[Array, "things 2 n"]
    touching: Bool[Array, "agents n"]  # flashes
    caught: Bool[Array, "agents n"]  # lights up, and fades
    lit: Bool[Array, "things n"]  # the goals among the things
    gone: Bool[Array, "things n"]  # what is left of it is an outline
    said: Int[Array, "agents n"]  # 0 is "A"; -1 says nothing
    links: Float[Array, "links 2 2 n"]  # dotted lines, from and to
    radii: tuple[float, ...] = eqx.field(static=True)
    thing_radii: tuple[float, ...] = eqx.field(static=True)
    colours: tuple[Colour, ...] = eqx.field(static=True)  # of things
    looks: tuple[Look, ...] = eqx.field(static=True)  # of things
    view: float = eqx.field(static=True)

    def __init__(
        self,
        agents: Float[Array, "agents 2 n"],
        things: Float[Array, "things 2 n"],
        radii: tuple[float, ...],
        thing_radii: tuple[float, ...],
        touching: Bool[Array, "agents n"] | None = None,
        lit: Bool[Array, "things n"] | None = None,
        said: Int[Array, "agents n"] | None = None,
        links: Float[Array, "links 2 2 n"] | None = None,
        colours: tuple[Colour, ...] | None = None,
        looks: tuple[Look, ...] | None = None,
        view: float = 1.1,
        caught: Bool[Array, "agents n"] | None = None,
        gone: Bool[Array, "things n"] | None = None,
    ):
        (count, _, n), many = agents.shape, len(thing_radii)
        self.agents, self.things, self.radii, self.thing_radii = agents, things, radii, thing_radii
        self.touching = jnp.zeros((count, n), bool) if touching is None else touching
        self.caught = jnp.zeros((count, n), bool) if caught is None else caught
        self.lit = jnp.zeros((many, n), bool) if lit is None else lit
        self.gone = jnp.zeros((many, n), bool) if gone is None else gone
        self.said = jnp.full((count, n), -1) if said is None else said
        self.links = jnp.zeros((0, 2, 2, n), agents.dtype) if links is None else links
        self.colours = ("grey",) * many if colours is None else colours
        self.looks = ("target",) * many if looks is None else looks
        self.view = view


@runtime_checkable
class Scenic(Protocol):
    """A world that can be filmed."""

    def scene(self, state: Any) -> Scene: ...


class Table(NamedTuple):
    """A moment of a small game: how to get there, and the best return each joint action can still lead to."""

    name: str
    path: tuple[tuple[int, ...], ...]  # joint actions from the beginning
    best: Float[np.ndarray, "..."]  # an axis per agent


@runtime_checkable
class Tabular(Protocol):
    """A game small enough to be drawn whole."""

    def tables(self) -> tuple[Table, ...]: ...


@runtime_checkable
class Storied(Protocol):
    """An algorithm with metrics whose course through training a film shows: schedules it lives by."""

    course: ClassVar[tuple[str, ...]]


@runtime_checkable
class Insightful(Protocol):
    """An algorithm that can say, of an episode, what it thinks of each step: values, weights."""

    def insight(self, learner: PyTree, episode: Trajectory) -> dict[str, Float[Array, "T *k"]]: ...
