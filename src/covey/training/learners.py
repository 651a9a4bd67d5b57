"""A learner, the agents it controls, and its updates."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, PyTree, Shaped

from ..core import AbstractAlgorithm, Metrics, Observation, Spec, Trajectory, as_numbers
from ..ops import named


class RolloutShape(NamedTuple):
    """The shape of an iteration's rollouts: `length` steps in each of `copies` of a world."""

    world: Spec
    copies: int
    length: int


class UpdateContext(NamedTuple):
    """The point in a run at which its learners are updated."""

    key: PRNGKeyArray  # the run's, which never changes
    clock: Int[Array, ""]  # iterations before this one
    steps: Int[Array, ""]  # environment steps so far


@runtime_checkable
class Prepares(Protocol):
    """An algorithm that computes once a rollout what acting would compute at every step."""

    def prepare(self, learner: Any) -> Any: ...


@runtime_checkable
class ReadsCounts(Protocol):
    """An experience that also reads what the world counts, such as wins."""

    reads_counts: bool


class LearnerSlot(eqx.Module):
    """A learner and the agents it controls."""

    name: str = eqx.field(static=True)
    algorithm: AbstractAlgorithm
    members: tuple[int, ...] = eqx.field(static=True)

    @property
    def learns(self) -> bool:
        return self.algorithm.experience.updates > 0

    def spec(self, world: Spec) -> Spec:
        return world.subset(self.members)

    def prepare(self, learner: PyTree[Array]) -> PyTree[Array]:
        """Return the learner ready for a rollout."""
        return self.algorithm.prepare(learner) if isinstance(self.algorithm, Prepares) else learner

    def own(self, x: Shaped[Array, "..."], axis: int) -> Shaped[Array, "..."]:
        """Return the rows of the slot's agents."""
        everyone = self.members == tuple(range(x.shape[axis]))
        return x if everyone else jnp.take(x, np.array(self.members), axis=axis)

    def foreign(self, x: Shaped[Array, "..."], axis: int) -> Shaped[Array, "..."]:
        """Return the rows of all other agents."""
        rest = [i for i in range(x.shape[axis]) if i not in self.members]
        return jnp.take(x, np.array(rest, int), axis=axis)

    def own_rollouts(self, joint: Trajectory) -> Trajectory:
        """Return everybody's steps with this learner's extras: what its experience may store."""
        counts = joint.counts if isinstance(self.algorithm.experience, ReadsCounts) else {}
        return replace(joint, extras=joint.extras[self.name], counts=counts)

    def label(self, metric: str, slots: Sequence["LearnerSlot"]) -> str:
        """Return a metric's name, preceded by the slot's unless it alone among `slots` learns."""
        alone = sum(slot.learns for slot in slots) == 1
        return metric if alone else f"{self.name}/{metric}"

    def updates(self, shape: RolloutShape) -> int:
        """Return the number of updates that follow an iteration after the warm-up."""
        return (
            self.algorithm.experience.updates_per_iteration(shape.copies, shape.length) if self.learns else 0
        )

    def warmup(self, shape: RolloutShape) -> int:
        """Return the number of iterations before the first update."""
        return self.algorithm.experience.warmup(*shape)

    def updates_before(self, clock: int, shape: RolloutShape) -> int:
        """Return the number of updates in the first `clock` iterations."""
        return max(0, clock - self.warmup(shape)) * self.updates(shape)

    def improve(
        self,
        learner: PyTree[Array],
        buffer: PyTree[Array],
        rollouts: Trajectory,
        context: UpdateContext,
        shape: RolloutShape,
    ) -> tuple[PyTree[Array], Metrics]:
        """Return the learner after the updates of one iteration, and the means of their metrics.

        The warm-up is a branch on the clock, which no seed owns: it stays a branch when seeds are vmapped.
        """
        if not self.learns:
            return learner, {}

        def once(learner, number):
            return self.update(learner, buffer, rollouts, context, number, shape.world)

        def learn(learner):
            learner, metrics = jax.lax.scan(once, learner, jnp.arange(self.updates(shape)))
            return learner, jax.tree.map(lambda x: jnp.mean(x, axis=0, dtype=float), metrics)

        metrics = jax.eval_shape(learn, learner)[1]
        skip = lambda learner: (learner, jax.tree.map(lambda x: jnp.full(x.shape, jnp.nan), metrics))
        return jax.lax.cond(context.clock >= self.warmup(shape), learn, skip, learner)

    def update(
        self,
        learner: PyTree[Array],
        buffer: PyTree[Array],
        rollouts: Trajectory,
        context: UpdateContext,
        number: Int[Array, ""],
        world: Spec,
    ) -> tuple[PyTree[Array], Metrics]:
        """Return the learner after the `number`th update of an iteration, and its metrics."""
        key = named(context.key, "learn", self.name, context.clock, number)
        experience = self.algorithm.experience
        batch = experience.batch(world, buffer, rollouts, context.clock, named(key, "batch"))
        return self.algorithm.update(
            learner, view_as(self, world, batch), named(key, "update"), context.steps
        )


def learning_slots(slots: Sequence[LearnerSlot]) -> Sequence[LearnerSlot]:
    """Return the slots that learn, or all of them where none does."""
    return [slot for slot in slots if slot.learns] or slots


def observe_as(slot: LearnerSlot, obs: Observation) -> Observation:
    """Return the observation of a learner's agents, the other agents' apart from it, as numbers."""
    return Observation(
        agents=as_numbers(slot.own(obs.agents, -2)),
        state=obs.state.astype(float),
        legal=slot.own(obs.legal, -2),
        alive=slot.own(obs.alive, -1),
        first=obs.first,
        others=as_numbers(slot.foreign(obs.agents, -2)),
    )


def view_as(slot: LearnerSlot, world: Spec, joint: Trajectory) -> Trajectory:
    """Return a joint trajectory as a learner sees it."""
    agents = joint.reward.ndim - 1
    teams = [world.teams.index(team) for team in slot.spec(world).teams]
    return replace(
        joint,
        obs=observe_as(slot, joint.obs),
        action=slot.own(joint.action, agents),
        reward=slot.own(joint.reward, agents),
        team_reward=joint.team_reward[..., np.array(teams)],
        others=slot.foreign(joint.action, agents),
    )
