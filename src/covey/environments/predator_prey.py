"""Predators and prey on a grid; hunting alone is punished (Böhmer et al., 2020; Rashid et al., 2020)."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ..core import AbstractEnvironment, Action, Observation, Spec, Step
from ..core.scene import Scene
from ..errors import SettingError
from ..ops import named
from .particles.observations import check

RIGHT, DOWN, LEFT, UP, STAY, CATCH = range(6)
CAPTURE, CATCHERS = 10.0, 2
PLANES = 3  # agents, prey, and one that this game leaves empty


class State(eqx.Module):
    """Cells are numbered row by row, `stride` to a row: wider than the grid, so that no look wraps."""

    agents: Int[Array, "agents n"]
    prey: Int[Array, "prey n"]
    free: Bool[Array, "agents n"]  # not frozen
    alive: Bool[Array, "prey n"]  # not captured
    t: Int[Array, " n"]


class Hunt(eqx.Module):
    """What is going on while one prey after another moves."""

    prey: Int[Array, "prey n"]
    free: Bool[Array, "agents n"]
    alive: Bool[Array, "prey n"]
    captures: Float[Array, " n"]
    alone: Float[Array, " n"]  # how often one agent tried by itself


class PredatorPrey(AbstractEnvironment[State]):
    """Two or more adjacent agents that catch together capture a prey, for 10; one that tries alone costs.

    Actions: right, down, left, up, stay, catch; no step leads off the grid, and there is no catching
    without prey beside one. First agents move, in random order; then each prey, in random order, is captured,
    or goes to a free cell beside it. Its captors are frozen: they leave the grid, see nothing, and can
    but stay. It ends when all prey are captured or all agents frozen, and is cut off after `horizon` steps.

    An agent sees the cells up to `sight` away, the state is the whole grid: of each cell whether an agent is
    there, whether a prey is there, and a nought that stands for the original's second kind of prey.
    """

    spec: Spec
    rows: int
    columns: int
    prey: int
    sight: int
    punishment: float

    def __init__(
        self,
        agents: int = 8,
        prey: int = 8,
        rows: int = 10,
        columns: int = 10,
        sight: int = 2,
        punishment: float = -2.0,
        horizon: int = 200,
    ):
        check(agents=agents, prey=prey, rows=rows, columns=columns, horizon=horizon)
        check(0, sight=sight)
        if agents + prey > rows * columns:
            problem = f"and {prey} prey find no room on {rows} × {columns} cells"
            remedy = "set `rows` or `columns` higher, or `agents` or `prey` lower"
            raise SettingError("agents", problem, remedy, value=agents)
        self.rows, self.columns, self.prey, self.sight = rows, columns, prey, sight
        self.punishment = punishment
        self.spec = Spec(
            names=tuple(f"agent_{i}" for i in range(agents)),
            features=(2 * sight + 1) ** 2 * PLANES,
            actions=6,
            horizon=horizon,
            state=rows * columns * PLANES,
        )

    @property
    def stride(self) -> int:
        return self.columns + 2 * max(self.sight, 1)

    @property
    def beside(self) -> np.ndarray:
        """From a cell to that on its right, below, on its left, above."""
        return np.array([1, self.stride, -1, -self.stride], np.int32)

    def inside(self, cell: Int[Array, "*b"]) -> Bool[Array, "*b"]:
        return (cell >= 0) & (cell < self.rows * self.stride) & (cell % self.stride < self.columns)

    def near(self, here: Int[Array, "..."], there: Int[Array, "..."]) -> Bool[Array, "..."]:
        gap = jnp.abs(here - there)
        return (gap == 1) | (gap == self.stride)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[State, Observation]:
        lots = jr.uniform(named(key, "cells"), (n, self.rows * self.columns))
        cell = jax.lax.top_k(lots, self.spec.agents + self.prey)[1].T
        cell = (cell // self.columns * self.stride + cell % self.columns).astype(jnp.int32)
        agents, prey = cell[: self.spec.agents], cell[self.spec.agents :]
        state = State(
            agents, prey, jnp.ones(agents.shape, bool), jnp.ones(prey.shape, bool), jnp.zeros(n, int)
        )
        return state, self.observe(state)

    def step(self, state: State, action: Action, key: PRNGKeyArray) -> tuple[State, Step]:
        action, n = action.T.astype(jnp.int32), action.shape[0]
        queue = lambda name, count: order(jr.uniform(named(key, name), (count, n)))
        agents = self.moved(state, action, queue("agents", self.spec.agents))
        lots = jr.uniform(named(key, "prey moves"), (self.prey, n))
        hunt = self.hunted(state, agents, action == CATCH, queue("prey", self.prey), lots)
        state = State(agents, hunt.prey, hunt.free, hunt.alive, state.t + 1)
        pays = CAPTURE * hunt.captures + self.punishment * hunt.alone
        over = ~jnp.any(hunt.alive, axis=0) | ~jnp.any(hunt.free, axis=0)
        return state, Step(
            obs=self.observe(state),
            reward=jnp.broadcast_to(pays[:, None], (n, self.spec.agents)),
            team_reward=pays[:, None],
            terminated=over,
            truncated=(state.t >= self.spec.horizon) & ~over,
            counts={"captures": hunt.captures, "alone": hunt.alone},
        )

    def moved(
        self, state: State, action: Int[Array, "agents n"], order: Int[Array, "agents n"]
    ) -> Int[Array, "agents n"]:
        """Where agents are after their moves, one by one; everything is in their way."""
        walks = state.free & (action < STAY)
        way = jnp.where(walks, jnp.asarray(self.beside)[jnp.minimum(action, UP)], 0)

        def move(agents, turn):
            mine = order == turn
            to = whose(mine, agents + way)
            blocked = taken(to, agents, state.free) | taken(to, state.prey, state.alive) | ~self.inside(to)
            return jnp.where(mine & ~blocked, to, agents), None

        return jax.lax.scan(move, state.agents, jnp.arange(self.spec.agents))[0]

    def hunted(
        self,
        state: State,
        agents: Int[Array, "agents n"],
        catches: Bool[Array, "agents n"],
        order: Int[Array, "prey n"],
        lots: Float[Array, "prey n"],
    ) -> Hunt:
        """What becomes of the prey, one by one. Who has captured one catches no more."""

        def turn(hunt: Hunt, x):
            turn, lot = x
            mine = (order == turn) & hunt.alive
            at, there = whose(mine, hunt.prey), jnp.any(mine, axis=0)
            hunters = catches & hunt.free & self.near(agents, at)
            count = jnp.sum(hunters, axis=0)
            captured = there & (count >= CATCHERS)
            free, alive = hunt.free & ~(hunters & captured), hunt.alive & ~(mine & captured)
            to = at + jnp.asarray(self.beside)[:, None]
            open_ = self.inside(to) & ~taken(to, agents, free) & ~taken(to, hunt.prey, alive)
            goes = drawn(open_, lot)
            moves = mine & ~captured & jnp.any(goes, axis=0)
            alone = there & (count > 0) & ~captured
            prey = jnp.where(moves, whose(goes, to), hunt.prey)
            return Hunt(prey, free, alive, hunt.captures + captured, hunt.alone + alone), None

        start = Hunt(state.prey, state.free, state.alive, *jnp.zeros((2, agents.shape[1])))
        return jax.lax.scan(turn, start, (jnp.arange(self.prey), lots))[0]

    def planes(self, cells: Int[Array, "*k n"], state: State) -> Bool[Array, "*k planes n"]:
        """What is in these cells."""
        found = [taken(cells, state.agents, state.free), taken(cells, state.prey, state.alive)]
        return jnp.stack([*found, jnp.zeros(cells.shape, bool)], axis=-2)

    def observe(self, state: State) -> Observation:
        n = len(state.t)
        row, column = np.indices((self.rows, self.columns))
        grid = (row * self.stride + column).reshape(-1, 1)
        reach = np.arange(-self.sight, self.sight + 1)
        window = (reach[:, None] * self.stride + reach).reshape(-1, 1)
        seen = self.planes(state.agents[:, None] + window, state) & state.free[:, None, None]
        world = self.planes(jnp.broadcast_to(grid, (len(grid), n)).astype(jnp.int32), state)
        return Observation(
            agents=jnp.moveaxis(seen.reshape(self.spec.agents, -1, n), -1, 0),
            state=world.reshape(-1, n).T,
            legal=jnp.moveaxis(self.legal(state), -1, 0),
            alive=state.free.T,
            first=state.t == 0,
        )

    def legal(self, state: State) -> Bool[Array, "agents actions n"]:
        moves = self.inside(state.agents[:, None] + self.beside[:, None])
        near = self.near(state.agents[:, None], state.prey) & state.alive
        catch = jnp.any(near, axis=1, keepdims=True)
        stay = jnp.ones_like(catch)
        return jnp.concatenate([moves, stay, catch], axis=1) & state.free[:, None] | (
            np.arange(6) == STAY
        ).reshape(1, 6, 1)

    def scene(self, state: State) -> Scene:
        """Rows count downwards, the middle of the grid is the origin, a cell is a tenth of a unit or so."""
        size = 2 / max(self.rows, self.columns)

        def place(cell):
            row, column = cell // self.stride, cell % self.stride
            middle = jnp.stack([column - (self.columns - 1) / 2, (self.rows - 1) / 2 - row], axis=1)
            return size * middle

        near = self.near(state.agents[:, None], state.prey) & state.alive
        return Scene(
            place(state.agents),
            place(state.prey),
            agent_radii=(0.4 * size,) * self.spec.agents,
            object_radii=(0.3 * size,) * self.prey,
            touching=jnp.any(near, axis=1) & state.free,
            highlighted=state.alive,
            removed=~state.alive,
            object_colours=("green",) * self.prey,
        )


def order(lots: Float[Array, "k n"]) -> Int[Array, "k n"]:
    """Whose turn is when: the places of k numbers in their order."""
    return jnp.sum(lots[:, None] > lots, axis=1)


def whose(mine: Bool[Array, "k n"], x: Int[Array, "k n"]) -> Int[Array, " n"]:
    """The entry that is marked, the only one."""
    return jnp.sum(jnp.where(mine, x, 0), axis=0)


def taken(
    cell: Int[Array, "*b n"], things: Int[Array, "k n"], present: Bool[Array, "k n"]
) -> Bool[Array, "*b n"]:
    """Is something in this cell?"""
    found = lambda i: (cell == things[i]) & present[i]
    return jnp.any(jnp.stack([found(i) for i in range(len(things))]), axis=0)


def drawn(open_: Bool[Array, "k n"], lot: Float[Array, " n"]) -> Bool[Array, "k n"]:
    """One of those that are open, each with equal chance; none where none is."""
    pick = (lot * jnp.sum(open_, axis=0)).astype(jnp.int32)
    return open_ & (jnp.cumsum(open_, axis=0) - 1 == pick)
