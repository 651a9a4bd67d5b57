"""The compiled programs of a run: begin, advance by a chunk, evaluate."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Key, PyTree

from ..algorithms.frozen_opponent import FrozenOpponent
from ..config.config import Config
from ..config.making import AnyEnvironment, make_named_world
from ..core import AbstractEnvironment, AbstractHostEnvironment, Vectorised
from ..errors import RUN_FIELD, SettingError, UserError
from ..ops import named
from ..training import costs
from ..training.devices import Layout
from ..training.host import Host, in_turn
from ..training.host_report import HostReport
from ..training.loop import Trainer, TrainState
from ..training.numbers import same_program, split_numbers, stack_numbers
from ..training.stand_in import StandIn
from ..training.workers import Workers
from ..training.world_forms import world_fault
from . import frozen_opponents, memory, sizes
from .python_worlds import useful_workers

States = list[TrainState]  # one for each lane, with the lane's seeds as first axis


class LaneProgram(NamedTuple):
    """A program, called with the number of a lane and then its arguments."""

    run: Any  # compiled; in a host world a Python function
    numbers: list[Any] | None  # each lane's, its first argument; None: they are in the program

    def __call__(self, lane: int, *args: Any) -> Any:
        return self.run(*args) if self.numbers is None else self.run(self.numbers[lane], *args)


class Engine:
    """The compiled programs of one configuration, each compiled once: init, chunk, evaluation.

    An engine borrows the programs of the first of `lenders` that differs from it in numbers alone.
    """

    def __init__(self, config: Config, lenders: Sequence["Engine"] = ()):
        env, slots = config.build()
        self.config = config
        self.hosted = isinstance(env, AbstractHostEnvironment)
        self._world = env if isinstance(env, AbstractHostEnvironment) else None  # one copy, to try
        refuse_wrong_forms(config, env)
        self.versions: Mapping[str, str] = env.versions if isinstance(env, AbstractHostEnvironment) else {}
        world = StandIn(env.spec, env.counts) if isinstance(env, AbstractHostEnvironment) else env
        length = max(slot.algorithm.experience.rollout_length(env.spec, config.envs) for slot in slots)
        sizes.check_sizes(config, env.spec, slots, length, memory.available_memory())
        self.trainer = Trainer(world, slots, config.envs, length)
        for name in ("workers", "ahead"):
            if getattr(config, name) and not self.hosted:
                problem = f"is for worlds that are Python programs, and {config.environment} is compiled"
                raise SettingError(f"{RUN_FIELD}{name}", problem, "leave it out")
        self.runner: Any = Host(self.trainer, self._make, ahead=config.ahead) if self.hosted else self.trainer
        if config.workers:
            self.start_workers(config.workers)
        self.layout = Layout(config.seeds, alone=self.hosted)
        horizon = env.spec.horizon
        # A reset takes one of the horizon + 1 places of an episode in a rollout, and is no step.
        self.iteration_steps = max(1, round(config.envs * length * horizon / (horizon + 1)))
        self.iterations = max(1, round(config.report_every / self.iteration_steps))  # of a chunk
        self._evaluations: dict[int, LaneProgram] = {}  # by their episodes
        self.lender = next((lender for lender in lenders if self._can_borrow(lender)), None)

    @property
    def _make(self) -> Any:
        """What makes a copy of a Python world, in this process or in another."""
        return partial(make_named_world, self.config.environment, self.config.env)

    def start_workers(self, workers: int) -> None:
        """Step a Python world's copies, of which there are none yet, in so many processes."""
        world: Any = self.trainer.env
        self.runner.workers = Workers(self._make, world, self.config.envs, workers, self.config.deadline)

    @property
    def workers(self) -> int:
        """The processes that step the copies of a Python world; 0: this one."""
        return len(self.runner.workers.shares) if self.hosted and self.runner.workers else 0

    def wanted_workers(self) -> int:
        """Return the number of processes that would step the copies of a Python world in less time."""
        return useful_workers(self._world, self.config.envs) if self._world else 0

    def program(
        self, f: Callable[..., Any], *args: Any, shared: int = 0, donate: int | None = None
    ) -> LaneProgram:
        """Return `f(trainer, *args)` compiled over the seeds of a lane. In a host world it runs in Python.

        The trainer's numbers are arguments, unless a class asks for their values while it is traced, as
        `if self.coefficient > 0:` does.
        """
        if self.hosted:
            return LaneProgram(in_turn(partial(f, self.runner), shared), None)
        frame = split_numbers(self.trainer)[1]
        joined = lambda numbers, *args: f(eqx.combine(numbers, frame), *args)
        later = None if donate is None else donate + 1
        try:
            run = self.layout.compiled(joined, self.numbers[0], *args, shared=shared, donate=later)
        except Exception:  # most likely it asks for a number; what else is wrong is wrong again
            run = self.layout.compiled(partial(f, self.trainer), *args, shared=shared, donate=donate)
            return LaneProgram(run, None)
        return LaneProgram(run, self.numbers)

    def _can_borrow(self, other: "Engine") -> bool:
        """Return whether the other's programs do this one's work, with other numbers."""
        facts = lambda e: (e.config.seeds, e.config.envs, e.config.eval_episodes, e.iterations, e.hosted)
        return not self.hosted and facts(self) == facts(other) and same_program(self.trainer, other.trainer)

    def _borrowed(self, name: str) -> LaneProgram | None:
        """Return a program of the lender with this engine's numbers; None where they are in the program."""
        program: LaneProgram | None = getattr(self.lender, name, None)
        if program is None or program.numbers is None:
            return None
        return program._replace(numbers=self.numbers)

    @cached_property
    def numbers(self) -> list[Any]:
        """The settings that are numbers, of each lane's seeds."""
        return self.lanes(stack_numbers([split_numbers(self.trainer)[0]] * self.config.seeds))

    def keys(self, seeds: list[int]) -> Key[Array, " seeds"]:
        data = [np.asarray(jr.key_data(jr.key(self.config.seed + seed))) for seed in seeds]
        return jr.wrap_key_data(self.layout.put(np.stack(data)))

    @property
    def learning_team(self) -> str:
        """The first team that learns, or the first of all where none does."""
        trainer = self.trainer
        return trainer.learning[0].spec(trainer.spec).teams[0]

    @cached_property
    def shapes(self) -> TrainState:
        """The shapes of a lane's state."""
        if self.lender is not None:
            return self.lender.shapes
        one = jax.eval_shape(self.trainer.init, jr.key(0))
        of_lane = lambda x: jax.ShapeDtypeStruct(
            (self.layout.width, *x.shape), x.dtype, sharding=self.layout.sharding
        )
        return jax.tree.map(of_lane, one)

    @cached_property
    def clocks(self) -> jax.ShapeDtypeStruct:
        """The shape of a chunk's clocks, which count iterations and are the same for every seed."""
        return jax.ShapeDtypeStruct((self.iterations,), self.shapes.steps.dtype)

    @cached_property
    def chunk(self) -> LaneProgram:
        """The program of a chunk. The old state is donated, so replay is held once and written in place."""
        run = lambda runner, state, clocks: runner.chunk(state, clocks)
        return self._borrowed("chunk") or self.program(run, self.shapes, self.clocks, shared=1, donate=0)

    @cached_property
    def init(self) -> LaneProgram:
        """The program that makes a lane's first state."""
        run = lambda runner, key: runner.init(key)
        return self._borrowed("init") or self.program(run, self.keys(self.layout.lanes[0]))

    @cached_property
    def evaluation(self) -> LaneProgram:
        """The program of a greedy evaluation."""
        return self._borrowed("evaluation") or self._evaluation_of(self.config.eval_episodes)

    def _evaluation_of(self, episodes: int) -> LaneProgram:
        """Return the program of a greedy evaluation of so many episodes."""
        if episodes not in self._evaluations:

            def evaluate(runner, learners, key, steps):
                return runner.evaluate(learners, named(key, "evaluate"), steps, episodes)

            shapes = self.shapes
            program = self.program(evaluate, shapes.learners, shapes.key, shapes.steps)
            self._evaluations[episodes] = program
        return self._evaluations[episodes]

    def compile_together(self, *names: str) -> None:
        """Compile several of the programs side by side; XLA alone leaves a core idle half of the time."""
        with ThreadPoolExecutor() as threads:
            list(threads.map(partial(getattr, self), names))

    def memory(self) -> str:
        """Return one line on the memory that the run takes; refuse a run that cannot fit."""
        copies = len(self.layout.lanes) * self.layout.parts
        state = costs.bytes_of(self.shapes)
        replay = costs.bytes_of(self.shapes.buffers) * copies
        working = 2 * state // self.layout.width  # a chunk's temporary arrays, of one seed
        return memory.check_memory(
            state * copies + working, replay, self.config.seeds, memory.available_memory()
        )

    def start(self) -> States:
        """Return new states; frozen opponents take their weights from their own runs."""
        states = [self.init(i, self.keys(lane)) for i, lane in enumerate(self.layout.lanes)]
        for i, slot in enumerate(self.trainer.slots):
            if isinstance(slot.algorithm, FrozenOpponent):
                like = self.shapes.learners[i]
                opponent = frozen_opponents.opponent_of_seeds(slot.algorithm, like, self.config.seeds)
                place = lambda state, i=i: state.learners[i]
                pairs = zip(states, self.lanes(opponent), strict=True)
                states = [eqx.tree_at(place, state, learner) for state, learner in pairs]
        return states

    def advance(self, states: States, clock: int) -> tuple[States, dict[str, Any], tuple[Any, ...]]:
        """Run a chunk of every lane; return states, metrics `[seeds, iterations, ...]`, and fingerprints."""
        clocks = np.arange(clock, clock + self.iterations, dtype=self.clocks.dtype)
        reports: list[Any] = []
        for i in range(len(states)):
            states[i], metrics, fingerprints = self.chunk(i, states[i], clocks)
            reports.append((metrics, fingerprints))
            if self.layout.parts > 1:  # two programs that exchange arrays must not overtake each other
                jax.block_until_ready(states[i])
        metrics, fingerprints = self.join(reports)
        return states, metrics, fingerprints

    def evaluate(self, states: States, episodes: int | None = None) -> dict[str, Any]:
        """Play greedy episodes of every seed: `[seeds, episodes, ...]`. They always begin in the same way."""
        usual = episodes in (None, self.config.eval_episodes)
        play = self.evaluation if usual else self._evaluation_of(episodes)
        played = [play(i, s.learners, s.key, s.steps) for i, s in enumerate(states)]
        return self.join(played)

    def evaluate_learners(self, learners: PyTree, seeds: list[int]) -> Any:
        """Play greedy episodes of given learners, as many as the layout has seeds.

        Each begins and draws as the seed of its number in `seeds` does.
        """
        results = []
        for number, (lane, weights) in enumerate(zip(self.layout.lanes, self.lanes(learners), strict=True)):
            steps = self.layout.put(jnp.zeros(len(lane), self.shapes.steps.dtype))
            results.append(self.evaluation(number, weights, self.keys([seeds[i] for i in lane]), steps))
        return self.join(results)

    def host_report(self) -> HostReport:
        """Return what happened in a Python world since the last call: nothing in others."""
        return self.runner.report() if self.hosted else HostReport()

    def close(self) -> None:
        """End the worker processes."""
        if self.hosted and self.runner.workers:
            self.runner.workers.close()

    def updates(self, clock: int) -> int:
        """Return the number of updates of all learners together in the first `clock` iterations."""
        shape = self.trainer.shape
        return sum(slot.updates_before(clock, shape) for slot in self.trainer.slots)

    def all_seeds(self, tree: PyTree) -> PyTree:
        """Return the shapes for all seeds, from those of a lane."""
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct((self.config.seeds, *x.shape[1:]), x.dtype), tree)

    def lanes(self, tree: PyTree) -> list[Any]:
        """Cut the arrays of all seeds into lanes, each on its devices."""
        return [
            self.layout.put(jax.tree.map(lambda x, lane=lane: x[np.array(lane)], tree))
            for lane in self.layout.lanes
        ]

    def join(self, lanes: list[Any]) -> PyTree:
        """Join the lanes' arrays to NumPy arrays with all seeds as first axis."""
        on_host = self.layout.own(jax.device_get(lanes))
        return jax.tree.map(lambda *xs: np.concatenate(xs), *on_host)


def refuse_wrong_forms(config: Config, env: AnyEnvironment) -> None:
    """Refuse a compiled world of the user's whose arrays are not what its spec says, in its own words."""
    own = not type(env).__module__.startswith("covey.") or isinstance(env, Vectorised)
    if own and isinstance(env, AbstractEnvironment):
        fault = world_fault(env, config.envs)
        if fault:
            raise UserError(
                f"{config.environment}: {fault} (`covey check {config.environment}` checks the rest, too)"
            )
