"""A learner, or an environment, as programs: traced at the run's own shapes, never run."""

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
from ..training.learners import LearnerSlot, RolloutShape, observe_as, view_as
from .programs import Program

_Shape = jax.ShapeDtypeStruct
Stage = tuple[str, Callable[[], Any]]  # a name, and a function that computes the facts of this stage


def _key_shape() -> _Shape:
    return jax.eval_shape(lambda: jr.key(0))


def _clock_shape() -> _Shape:
    return _Shape((), jnp.arange(0).dtype)


def _observation_shapes(spec: Spec, *first_axes: int) -> Observation:
    """Return the shapes of a joint observation of all agents."""
    number = lambda *rest: _Shape((*first_axes, *rest), jnp.float32)
    flag = lambda *rest: _Shape((*first_axes, *rest), jnp.bool_)
    agents = number(spec.agents, spec.features)
    others = number(0, spec.features)
    legal = flag(spec.agents, spec.actions)
    alive = flag(spec.agents)
    return jax.eval_shape(Observation, agents, number(spec.state), legal, alive, flag(), others)


def _rollout_shapes(spec: Spec, copies: int, length: int, extras: PyTree) -> Trajectory:
    """Return the shapes of one iteration's rollout; `extras` is one copy's at one step."""
    shape = lambda kind, *rest: _Shape((copies, length, *rest), kind)
    return jax.eval_shape(
        Trajectory,
        obs=_observation_shapes(spec, copies, length + 1),
        action=shape(spec.action_type, *spec.action_shape),
        reward=shape(jnp.float32, spec.agents),
        team_reward=shape(jnp.float32, len(spec.teams)),
        terminated=shape(jnp.bool_),
        valid=shape(jnp.bool_),
        extras=jax.tree.map(lambda x: shape(x.dtype, *x.shape), extras),
    )


@dataclass
class TracedLearner:
    """A learner of a run; `length` is the steps that the loop collects of each copy in an iteration."""

    slot: LearnerSlot
    world: Spec
    copies: int
    length: int
    like: "TracedLearner | None" = None  # its batch program serves here too, where batches are the same

    @property
    def algorithm(self) -> Any:
        return self.slot.algorithm

    @property
    def spec(self) -> Spec:
        return self.slot.spec(self.world)

    @cached_property
    def initialisation(self) -> Program:
        """The learner, and the carry at the start of an episode."""

        def initialise(key):
            learner = self.algorithm.init(self.spec, key)
            return learner, self.algorithm.init_carry(self.spec, learner)

        return Program.trace(initialise, _key_shape())

    @property
    def learner(self) -> PyTree:
        """The shapes of the learner."""
        return self.initialisation.outputs[0]

    def _trace_act(self, explore: bool) -> Program:
        learner, carry = self.initialisation.outputs
        act = lambda learner, carry, obs, key, step: self.algorithm.act(
            learner, carry, observe_as(self.slot, obs), key, step, explore
        )
        return Program.trace(
            act, learner, carry, _observation_shapes(self.world), _key_shape(), _clock_shape()
        )

    @cached_property
    def act(self) -> Program:
        """Acting with exploration."""
        return self._trace_act(True)

    @cached_property
    def greedy(self) -> Program:
        """Acting without exploration."""
        return self._trace_act(False)

    @cached_property
    def init_carry(self) -> Program:
        return Program.trace(lambda learner: self.algorithm.init_carry(self.spec, learner), self.learner)

    @property
    def rollout(self) -> Trajectory:
        """The shapes of one iteration's rollout."""
        return _rollout_shapes(self.world, self.copies, self.length, self.act.outputs[2])

    @cached_property
    def buffer(self) -> PyTree:
        """The shapes of what the experience stores."""
        init = self.algorithm.experience.init
        return eqx.filter_eval_shape(lambda rollout: init(self.world, rollout), self.rollout)

    @cached_property
    def batch(self) -> Program:
        """The batch that the experience makes of rollouts."""
        experience = self.algorithm.experience
        if self.like is not None and self._batch_equals(self.like):
            return self.like.batch

        def batch(buffer, rollout, clock, key):
            buffer = experience.add(buffer, rollout, clock)
            joint = experience.batch(self.world, buffer, rollout, clock, key)
            return view_as(self.slot, self.world, joint)

        return Program.trace(batch, self.buffer, self.rollout, _clock_shape(), _key_shape())

    def _batch_equals(self, other: "TracedLearner") -> bool:
        """Say whether both make the same batches, so that one trace serves both."""
        facts = lambda learner: (
            learner.algorithm.experience,
            learner.world,
            learner.copies,
            learner.length,
        )
        return facts(self) == facts(other) and self.act.outputs[2] == other.act.outputs[2]

    @cached_property
    def update(self) -> Program:
        batch = self.batch.outputs
        return Program.trace(self.algorithm.update, self.learner, batch, _key_shape(), _clock_shape())

    @property
    def learner_outputs(self) -> list[bool]:
        """Which outputs of an update belong to the learner; the others are metrics."""
        learner, metrics = self.update.outputs
        return [True] * len(jax.tree.leaves(learner)) + [False] * len(jax.tree.leaves(metrics))

    def _pace(self) -> tuple[int, ...]:
        """Return the steps it collects, its updates in an iteration, and its warm-up."""
        shape = RolloutShape(self.world, self.copies, self.length)
        collected = self.algorithm.experience.rollout_length(self.world, self.copies)
        return collected, self.slot.updates(shape), self.slot.warmup(shape)

    def _insight(self) -> Any:
        """Return the digest of `insight`, whose outputs only pictures show."""
        if not hasattr(self.algorithm, "insight"):
            return None
        one_copy = lambda x: _Shape(x.shape[1:], x.dtype)
        episode = jax.tree.map(one_copy, view_as(self.slot, self.world, self.rollout))
        return Program.trace(self.algorithm.insight, self.learner, episode).digest()

    def stages(self) -> Iterator[Stage]:
        """Yield all that the learner does, the cheapest to trace first."""
        yield "init", lambda: self.initialisation.digest()
        yield "pace", self._pace
        yield "act", lambda: self.act.digest()
        yield "greedy", lambda: self.greedy.digest()
        if self.slot.learns:
            yield "batch", lambda: self.batch.digest()
            yield "update", lambda: self.update.digest(self.learner_outputs)
        yield "insight", self._insight


@dataclass
class TracedEnvironment:
    """An environment. One that is a Python program is known by its spec alone."""

    env: Any

    @cached_property
    def reset(self) -> Program:
        return Program.trace(lambda key: self.env.reset(key, 2), _key_shape())

    @property
    def on_host(self) -> bool:
        return isinstance(self.env, AbstractHostEnvironment)

    def _step(self) -> bytes:
        spec: Spec = self.env.spec
        action = _Shape((2, *spec.action_shape), spec.action_type)
        return Program.trace(self.env.step, self.reset.outputs[0], action, _key_shape()).digest()

    def stages(self) -> Iterator[Stage]:
        """Yield all that the environment does, the cheapest to trace first."""
        yield "spec", lambda: repr(self.env.spec)
        if isinstance(self.env, AbstractEnvironment):
            yield "reset", lambda: self.reset.digest()
            yield "step", self._step
