"""A learner, or a world, as programs: traced at the run's own shapes, never run."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import PyTree

from ..core import AbstractEnvironment, AbstractHostEnvironment, Observation, Spec, Trajectory
from ..training.learners import LearnerSlot, observe_as, view_as
from .programs import Program

Shape = jax.ShapeDtypeStruct
Stage = tuple[str, Callable[[], Any]]


def key() -> Shape:
    return jax.eval_shape(lambda: jr.key(0))


def number() -> Shape:
    return Shape((), jnp.arange(0).dtype)


def observations(spec: Spec, *lead: int) -> Observation:
    """Shapes of what a joint observation of everybody holds."""
    number = lambda *rest: Shape((*lead, *rest), jnp.float32)
    flag = lambda *rest: Shape((*lead, *rest), jnp.bool_)
    agents, others = number(spec.agents, spec.features), number(0, spec.features)
    legal, alive = flag(spec.agents, spec.actions), flag(spec.agents)
    return jax.eval_shape(Observation, agents, number(spec.state), legal, alive, flag(), others)


def rollouts(spec: Spec, copies: int, length: int, extras: PyTree) -> Trajectory:
    """Shapes of what an iteration collects; `memo` is one copy's at one step."""
    shape = lambda kind, *rest: Shape((copies, length, *rest), kind)
    return jax.eval_shape(
        Trajectory,
        obs=observations(spec, copies, length + 1),
        action=shape(spec.action_type, *spec.action_shape),
        reward=shape(jnp.float32, spec.agents),
        team_reward=shape(jnp.float32, len(spec.teams)),
        terminated=shape(jnp.bool_),
        valid=shape(jnp.bool_),
        extras=jax.tree.map(lambda x: shape(x.dtype, *x.shape), extras),
    )


@dataclass
class Subject:
    """A side of a run; `length` is what the loop collects of each copy an iteration."""

    slot: LearnerSlot
    world: Spec
    copies: int
    length: int
    like: "Subject | None" = None  # whose batches it shares, if it gets the same

    @property
    def algorithm(self) -> Any:
        return self.slot.algorithm

    @property
    def spec(self) -> Spec:
        return self.slot.spec(self.world)

    @cached_property
    def begin(self) -> Program:
        """The learner, and what an episode begins with."""

        def begin(key):
            learner = self.algorithm.init(self.spec, key)
            return learner, self.algorithm.init_carry(self.spec, learner)

        return Program.of(begin, key())

    @property
    def learner(self) -> PyTree:
        return self.begin.gives[0]

    def acting(self, explore: bool) -> Program:
        learner, carry = self.begin.gives
        act = lambda learner, carry, obs, key, step: self.algorithm.act(
            learner, carry, observe_as(self.slot, obs), key, step, explore
        )
        return Program.of(act, learner, carry, observations(self.world), key(), number())

    @cached_property
    def act(self) -> Program:
        """While exploring."""
        return self.acting(True)

    @cached_property
    def greedy(self) -> Program:
        return self.acting(False)

    @cached_property
    def init_carry(self) -> Program:
        return Program.of(lambda learner: self.algorithm.init_carry(self.spec, learner), self.learner)

    @property
    def collected(self) -> Trajectory:
        return rollouts(self.world, self.copies, self.length, self.act.gives[2])

    @cached_property
    def buffer(self) -> PyTree:
        init = self.algorithm.experience.init
        return eqx.filter_eval_shape(lambda seen: init(self.world, seen), self.collected)

    @cached_property
    def batch(self) -> Program:
        """What the experience makes of rollouts."""
        experience = self.algorithm.experience
        if self.like is not None and self.gets_the_same(self.like):
            return self.like.batch

        def batch(buffer, seen, clock, key):
            buffer = experience.add(buffer, seen, clock)
            return view_as(self.slot, self.world, experience.batch(self.world, buffer, seen, clock, key))

        return Program.of(batch, self.buffer, self.collected, number(), key())

    def gets_the_same(self, other: "Subject") -> bool:
        asks = lambda s: (s.algorithm.experience, s.world, s.copies, s.length)
        return asks(self) == asks(other) and self.act.gives[2] == other.act.gives[2]

    @cached_property
    def update(self) -> Program:
        return Program.of(self.algorithm.update, self.learner, self.batch.gives, key(), number())

    @property
    def learnt(self) -> list[bool]:
        """Which outputs of an update are the learner's."""
        learner, metrics = self.update.gives
        return [True] * len(jax.tree.leaves(learner)) + [False] * len(jax.tree.leaves(metrics))

    def pace(self) -> tuple[int, ...]:
        experience, n, length = self.algorithm.experience, self.copies, self.length
        rounds = experience.updates and experience.updates_per_iteration(n, length)
        return experience.rollout_length(self.world, n), rounds, experience.warmup(self.world, n, length)

    def insight(self) -> Any:
        """What only pictures show."""
        if not hasattr(self.algorithm, "insight"):
            return None
        episode = jax.tree.map(
            lambda x: Shape(x.shape[1:], x.dtype), view_as(self.slot, self.world, self.collected)
        )
        return Program.of(self.algorithm.insight, self.learner, episode).digest()

    def stages(self) -> Iterator[Stage]:
        """All that it does, the cheapest first; where two subjects differ in one, they differ."""
        yield "init", lambda: self.begin.digest()
        yield "pace", self.pace
        yield "act", lambda: self.act.digest()
        yield "greedy", lambda: self.greedy.digest()
        if self.algorithm.experience.updates:
            yield "batch", lambda: self.batch.digest()
            yield "update", lambda: self.update.digest(self.learnt)
        yield "insight", self.insight


@dataclass
class World:
    """An environment. One that is a Python program is known by its spec alone."""

    env: Any

    @cached_property
    def reset(self) -> Program:
        return Program.of(lambda key: self.env.reset(key, 2), key())

    @property
    def hosted(self) -> bool:
        return isinstance(self.env, AbstractHostEnvironment)

    def step(self) -> bytes:
        spec: Spec = self.env.spec
        action = Shape((2, *spec.action_shape), spec.action_type)
        return Program.of(self.env.step, self.reset.gives[0], action, key()).digest()

    def stages(self) -> Iterator[Stage]:
        yield "spec", lambda: repr(self.env.spec)
        if isinstance(self.env, AbstractEnvironment):
            yield "reset", lambda: self.reset.digest()
            yield "step", self.step
