"""Predators and prey on a grid; hunting alone is punished (Böhmer et al., 2020; Rashid et al., 2020)."""

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ..core import AbstractEnvironment, Action, Observation, Scene, Spec, Step
from ..errors import SettingError
from ..ops import named
from ..ranges import Count, Extras, FiniteNumber, Members

RIGHT, DOWN, LEFT, UP, STAY, CATCH = range(6)
_CAPTURE_REWARD = 10.0
_HUNTERS_NEEDED = 2
_PLANES = 3  # agents, prey, and one that this game leaves empty


class PredatorPreyState(eqx.Module):
    """The board. Cells are numbered row by row, with `stride` numbers to a row.

    The stride is wider than the grid, so that no window around a cell wraps into the next row.
    """

    agents: Int[Array, "agents n"]  # the cell of each
    prey: Int[Array, "prey n"]  # the cell of each
    free: Bool[Array, "agents n"]  # not frozen
    alive: Bool[Array, "prey n"]  # not captured
    t: Int[Array, " n"]


class _Hunt(eqx.Module):
    """The part of the board that changes while one prey after another has its turn."""

    prey: Int[Array, "prey n"]
    free: Bool[Array, "agents n"]
    alive: Bool[Array, "prey n"]
    captures: Float[Array, " n"]
    alone: Float[Array, " n"]  # how often one agent tried by itself


class PredatorPrey(AbstractEnvironment[PredatorPreyState]):
    """Two or more adjacent agents that catch together capture a prey, for 10; catching alone is punished.

    Actions: right, down, left, up, stay, catch. No step leads off the grid, and an agent may catch only
    beside prey. Agents move first, in random order; then each prey, in random order, is captured, or moves to
    a free cell beside it. Captors are frozen: they leave the grid, see nothing, and can only stay. An episode
    ends when all prey are captured or all agents frozen, and is cut off after `horizon` steps.

    An agent observes the cells up to `sight` away; the state is the whole grid. Each cell says whether an
    agent is there and whether a prey is there, and a zero stands for the original's second kind of prey.
    """

    spec: Spec
    rows: int
    columns: int
    prey: int
    sight: int
    punishment: float

    def __init__(
        self,
        agents: Members = 8,
        prey: Members = 8,
        rows: Members = 10,
        columns: Members = 10,
        sight: Extras = 2,
        punishment: FiniteNumber = -2.0,
        horizon: Count = 200,
    ):
        if agents + prey > rows * columns:
            problem = f"and {prey} prey find no room on {rows} × {columns} cells"
            remedy = "set `rows` or `columns` higher, or `agents` or `prey` lower"
            raise SettingError("agents", problem, remedy, value=agents)
        self.rows = rows
        self.columns = columns
        self.prey = prey
        self.sight = sight
        self.punishment = punishment
        self.spec = Spec(
            names=tuple(f"agent_{i}" for i in range(agents)),
            features=(2 * sight + 1) ** 2 * _PLANES,
            actions=6,
            horizon=horizon,
            state=rows * columns * _PLANES,
        )

    @property
    def stride(self) -> int:
        """The distance between the numbers of a cell and of the one below."""
        return self.columns + 2 * max(self.sight, 1)

    @property
    def offsets(self) -> np.ndarray:
        """The differences to the cells on the right, below, on the left and above."""
        return np.array([1, self.stride, -1, -self.stride], np.int32)

    def inside(self, cell: Int[Array, "*b"]) -> Bool[Array, "*b"]:
        return (cell >= 0) & (cell < self.rows * self.stride) & (cell % self.stride < self.columns)

    def adjacent(self, a: Int[Array, "..."], b: Int[Array, "..."]) -> Bool[Array, "..."]:
        gap = jnp.abs(a - b)
        return (gap == 1) | (gap == self.stride)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[PredatorPreyState, Observation]:
        priority = jr.uniform(named(key, "cells"), (n, self.rows * self.columns))
        cell = jax.lax.top_k(priority, self.spec.agents + self.prey)[1].T
        cell = (cell // self.columns * self.stride + cell % self.columns).astype(jnp.int32)
        agents = cell[: self.spec.agents]
        prey = cell[self.spec.agents :]
        state = PredatorPreyState(
            agents, prey, jnp.ones(agents.shape, bool), jnp.ones(prey.shape, bool), jnp.zeros(n, int)
        )
        return state, self.observe(state)

    def step(
        self, state: PredatorPreyState, action: Action, key: PRNGKeyArray
    ) -> tuple[PredatorPreyState, Step]:
        n = action.shape[0]
        action = action.T.astype(jnp.int32)
        random_order = lambda name, count: _ranks(jr.uniform(named(key, name), (count, n)))
        agents = self.move_agents(state, action, random_order("agents", self.spec.agents))
        draws = jr.uniform(named(key, "prey moves"), (self.prey, n))
        hunt = self.play_prey(state, agents, action == CATCH, random_order("prey", self.prey), draws)
        state = PredatorPreyState(agents, hunt.prey, hunt.free, hunt.alive, state.t + 1)
        reward = _CAPTURE_REWARD * hunt.captures + self.punishment * hunt.alone
        over = ~jnp.any(hunt.alive, axis=0) | ~jnp.any(hunt.free, axis=0)
        return state, Step(
            obs=self.observe(state),
            reward=jnp.broadcast_to(reward[:, None], (n, self.spec.agents)),
            team_reward=reward[:, None],
            terminated=over,
            truncated=(state.t >= self.spec.horizon) & ~over,
            counts={"captures": hunt.captures, "alone": hunt.alone},
        )

    def move_agents(
        self, state: PredatorPreyState, action: Int[Array, "agents n"], order: Int[Array, "agents n"]
    ) -> Int[Array, "agents n"]:
        """Move agents one by one, in this order; other agents, prey and the edge block them."""
        walks = state.free & (action < STAY)
        offset = jnp.where(walks, jnp.asarray(self.offsets)[jnp.minimum(action, UP)], 0)

        def turn(agents, t):
            mover = order == t
            target = _select(mover, agents + offset)
            by_agent = _occupied(target, agents, state.free)
            by_prey = _occupied(target, state.prey, state.alive)
            blocked = by_agent | by_prey | ~self.inside(target)
            return jnp.where(mover & ~blocked, target, agents), None

        return jax.lax.scan(turn, state.agents, jnp.arange(self.spec.agents))[0]

    def play_prey(
        self,
        state: PredatorPreyState,
        agents: Int[Array, "agents n"],
        catches: Bool[Array, "agents n"],
        order: Int[Array, "prey n"],
        draws: Float[Array, "prey n"],
    ) -> _Hunt:
        """Capture or move prey one by one, in this order. An agent that has captured one catches no more."""

        def turn(hunt: _Hunt, x):
            t, draw = x
            mover = (order == t) & hunt.alive
            cell = _select(mover, hunt.prey)
            present = jnp.any(mover, axis=0)
            hunters = catches & hunt.free & self.adjacent(agents, cell)
            count = jnp.sum(hunters, axis=0)
            captured = present & (count >= _HUNTERS_NEEDED)
            free = hunt.free & ~(hunters & captured)
            alive = hunt.alive & ~(mover & captured)
            targets = cell + jnp.asarray(self.offsets)[:, None]
            by_agent = _occupied(targets, agents, free)
            by_prey = _occupied(targets, hunt.prey, alive)
            target = _choose_one(self.inside(targets) & ~by_agent & ~by_prey, draw)
            moves = mover & ~captured & jnp.any(target, axis=0)
            alone = present & (count > 0) & ~captured
            prey = jnp.where(moves, _select(target, targets), hunt.prey)
            return _Hunt(prey, free, alive, hunt.captures + captured, hunt.alone + alone), None

        start = _Hunt(state.prey, state.free, state.alive, *jnp.zeros((2, agents.shape[1])))
        return jax.lax.scan(turn, start, (jnp.arange(self.prey), draws))[0]

    def planes(self, cells: Int[Array, "*k n"], state: PredatorPreyState) -> Bool[Array, "*k planes n"]:
        """Return what is in these cells: an agent, a prey, nothing."""
        agents = _occupied(cells, state.agents, state.free)
        prey = _occupied(cells, state.prey, state.alive)
        return jnp.stack([agents, prey, jnp.zeros(cells.shape, bool)], axis=-2)

    def observe(self, state: PredatorPreyState) -> Observation:
        n = len(state.t)
        row, column = np.indices((self.rows, self.columns))
        grid = (row * self.stride + column).reshape(-1, 1)
        reach = np.arange(-self.sight, self.sight + 1)
        window = (reach[:, None] * self.stride + reach).reshape(-1, 1)
        features = self.planes(state.agents[:, None] + window, state) & state.free[:, None, None]
        world = self.planes(jnp.broadcast_to(grid, (len(grid), n)).astype(jnp.int32), state)
        return Observation(
            agents=jnp.moveaxis(features.reshape(self.spec.agents, -1, n), -1, 0),
            state=world.reshape(-1, n).T,
            legal=jnp.moveaxis(self.legal(state), -1, 0),
            alive=state.free.T,
            first=state.t == 0,
        )

    def legal(self, state: PredatorPreyState) -> Bool[Array, "agents actions n"]:
        moves = self.inside(state.agents[:, None] + self.offsets[:, None])
        beside_prey = self.adjacent(state.agents[:, None], state.prey) & state.alive
        catch = jnp.any(beside_prey, axis=1, keepdims=True)
        stay = jnp.ones_like(catch)
        only_stay = (np.arange(6) == STAY).reshape(1, 6, 1)
        return jnp.concatenate([moves, stay, catch], axis=1) & state.free[:, None] | only_stay

    @property
    def action_names(self) -> tuple[str, ...]:
        return ("right", "down", "left", "up", "stay", "catch")

    def scene(self, state: PredatorPreyState) -> Scene:
        """Draw the grid from -1 to 1 around the origin; rows count downwards."""
        size = 2 / max(self.rows, self.columns)

        def position(cell):
            row = cell // self.stride
            column = cell % self.stride
            centre = jnp.stack([column - (self.columns - 1) / 2, (self.rows - 1) / 2 - row], axis=1)
            return size * centre

        beside_prey = self.adjacent(state.agents[:, None], state.prey) & state.alive
        return Scene(
            position(state.agents),
            position(state.prey),
            agent_radii=(0.4 * size,) * self.spec.agents,
            object_radii=(0.3 * size,) * self.prey,
            touching=jnp.any(beside_prey, axis=1) & state.free,
            highlighted=state.alive,
            removed=~state.alive,
            object_colours=("green",) * self.prey,
        )


def _ranks(x: Float[Array, "k n"]) -> Int[Array, "k n"]:
    """Return the rank of each of k numbers: with random numbers, a random order of turns."""
    return jnp.sum(x[:, None] > x, axis=1)


def _select(mask: Bool[Array, "k n"], x: Int[Array, "k n"]) -> Int[Array, " n"]:
    """Return the one entry that is marked, 0 where none is."""
    return jnp.sum(jnp.where(mask, x, 0), axis=0)


def _occupied(
    cell: Int[Array, "*b n"], things: Int[Array, "k n"], present: Bool[Array, "k n"]
) -> Bool[Array, "*b n"]:
    """Tell whether one of the things that are present is in this cell."""
    holds = lambda i: (cell == things[i]) & present[i]
    return jnp.any(jnp.stack([holds(i) for i in range(len(things))]), axis=0)


def _choose_one(options: Bool[Array, "k n"], draw: Float[Array, " n"]) -> Bool[Array, "k n"]:
    """Mark one of the options, each with equal probability; none where there is none."""
    index = (draw * jnp.sum(options, axis=0)).astype(jnp.int32)
    return options & (jnp.cumsum(options, axis=0) - 1 == index)
