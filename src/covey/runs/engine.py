"""A run's compiled programs: begin, advance by a chunk, evaluate. What is Python about it is elsewhere."""

from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Key, PyTree

from ..algorithms.frozen_opponent import FrozenOpponent
from ..config.config import Config
from ..core import AbstractHostEnvironment
from ..ops import named
from ..training.devices import Layout
from ..training.host import Host, StandIn, in_turn
from ..training.loop import Trainer, TrainState
from . import frozen_opponents, memory

States = list[TrainState]  # one a lane; leaves lead with the lane's seeds


class Engine:
    """Everything compiled for one configuration: each program once."""

    def __init__(self, config: Config):
        env, slots = config.build()
        self.config, self.hosted = config, isinstance(env, AbstractHostEnvironment)
        world = StandIn(env.spec, env.counts) if isinstance(env, AbstractHostEnvironment) else env
        length = max(slot.algorithm.experience.rollout_length(env.spec, config.envs) for slot in slots)
        self.trainer = Trainer(world, slots, config.envs, length)
        self.runner: Any = Host(self.trainer, lambda: config.build()[0]) if self.hosted else self.trainer  # pyright: ignore
        self.layout = Layout(config.seeds, alone=self.hosted)
        horizon = env.spec.horizon
        self.iteration_steps = max(1, round(config.envs * length * horizon / (horizon + 1)))
        self.iterations = max(1, round(config.report_every / self.iteration_steps))  # of a chunk

    def program(self, f: Any, *args: Any, shared: int = 0, donate: int | None = None) -> Any:
        """f over a lane's seeds; what runs in Python compiles its own parts."""
        if self.hosted:
            return in_turn(f, shared)
        return self.layout.compiled(f, *args, shared=shared, donate=donate)

    def keys(self, seeds: list[int]) -> Key[Array, " seeds"]:
        data = [jr.key_data(jr.key(self.config.seed + seed)) for seed in seeds]
        return self.layout.put(jr.wrap_key_data(jnp.stack(data)))

    @cached_property
    def shapes(self) -> TrainState:
        """A lane's state, without any of it existing yet."""
        one = jax.eval_shape(self.trainer.init, jr.key(0))
        wide = lambda x: jax.ShapeDtypeStruct(
            (self.layout.width, *x.shape), x.dtype, sharding=self.layout.sharding
        )
        return jax.tree.map(wide, one)

    @cached_property
    def clocks(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((self.iterations,), jnp.arange(0).dtype)

    @cached_property
    def chunk(self) -> Any:
        return self.program(self.runner.chunk, self.shapes, self.clocks, shared=1, donate=0)

    @cached_property
    def begin(self) -> Any:
        return self.program(self.runner.init, self.keys(self.layout.lanes[0]))

    @cached_property
    def judge(self) -> Any:
        episodes = self.config.eval_episodes

        def evaluate(learners, key, steps):
            return self.runner.evaluate(learners, named(key, "evaluate"), steps, episodes)

        seen = self.shapes
        return self.program(evaluate, seen.learners, seen.key, seen.steps)

    def memory(self) -> str:
        """What the run will take, in a line; refuses what cannot fit."""
        lanes, copies = len(self.layout.lanes), self.layout.parts
        needed = memory.size(self.shapes) * lanes * copies
        replay = memory.size(self.shapes.buffers) * lanes * copies
        working = 2 * memory.size(self.shapes) // self.layout.width  # what a chunk needs beside its state
        return memory.check(needed + working, replay, self.config.seeds, memory.free())

    def start(self) -> States:
        """Everything new, but for players from earlier runs."""
        states = [self.begin(self.keys(lane)) for lane in self.layout.lanes]
        for i, slot in enumerate(self.trainer.slots):
            if isinstance(slot.algorithm, FrozenOpponent):
                like = self.shapes.learners[i]
                opponent = frozen_opponents.opponent_of_seeds(slot.algorithm, like, self.config.seeds)
                place = lambda state, i=i: state.learners[i]
                pairs = zip(states, self.lanes(opponent), strict=True)
                states = [eqx.tree_at(place, state, learner) for state, learner in pairs]
        return states

    def advance(self, states: States, clock: int) -> tuple[States, dict[str, Any], tuple[Any, ...]]:
        """A chunk of every lane: states, metrics `[seeds, iterations, ...]`, fingerprints by side."""
        clocks = jnp.arange(clock, clock + self.iterations)
        told: list[Any] = []
        for i in range(len(states)):
            states[i], metrics, prints = self.chunk(states[i], clocks)
            told.append((metrics, prints))
            if self.layout.parts > 1:  # two programs that exchange things must not overtake each other
                jax.block_until_ready(states[i])
        metrics, prints = self.joined(told)
        return states, metrics, prints

    def evaluate(self, states: States) -> dict[str, Any]:
        """Greedy episodes of every seed: `[seeds, episodes, ...]`. The same beginnings every time."""
        return self.joined([self.judge(state.learners, state.key, state.steps) for state in states])

    def judged(self, learners: PyTree, seeds: list[int]) -> Any:
        """Greedy episodes of given learners, which lead with as many seeds as the layout has; each begins
        and draws as its number in `seeds` says."""
        results = []
        for lane, weights in zip(self.layout.lanes, self.lanes(learners), strict=True):
            steps = self.layout.put(jnp.zeros(len(lane), self.shapes.steps.dtype))
            results.append(self.judge(weights, self.keys([seeds[i] for i in lane]), steps))
        return self.joined(results)

    def updates(self, clock: int) -> int:
        """Return the number of updates of all learners together in the first `clock` iterations."""
        shape = self.trainer.shape
        return sum(slot.updates_before(clock, shape) for slot in self.trainer.slots)

    def everybody(self, tree: PyTree) -> PyTree:
        """The shapes of all seeds together, from those of a lane."""
        wide = lambda x: jax.ShapeDtypeStruct((self.config.seeds, *x.shape[1:]), x.dtype)
        return jax.tree.map(wide, tree)

    def lanes(self, tree: PyTree) -> list[Any]:
        """All seeds' arrays, cut into lanes and put where they belong."""
        return [
            self.layout.put(jax.tree.map(lambda x, lane=lane: x[np.array(lane)], tree))
            for lane in self.layout.lanes
        ]

    def joined(self, lanes: list[Any]) -> PyTree:
        """What lanes gave, as NumPy arrays that lead with all seeds."""
        gathered = lambda *xs: np.concatenate([np.asarray(x) for x in xs])
        return jax.tree.map(gathered, *self.layout.own(lanes))
