"""A sound small algorithm, and a dozen ways to break it that no error and no curve would show."""

from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from covey import ops
from covey.core import AbstractAlgorithm, AbstractExperience, Frozen, Metrics, OptState, Target, Traits
from covey.experience import Replay
from covey.networks.layers import MLP, Linear
from covey.parts import (
    AbstractOptimiser,
    AbstractSchedule,
    AbstractTarget,
    Adam,
    ConstantSchedule,
    HardTarget,
)


class Networks(eqx.Module):
    """The team's value: the agents' values, mixed with what the state adds."""

    agents: MLP
    mixer: Linear
    extra: Linear

    def __init__(self, spec, *, key):
        named = lambda name: ops.named(key, name)
        self.agents = MLP(spec.features, 4, spec.actions, key=named("agents"))
        self.mixer = Linear(spec.world, 1, key=named("mixer"))
        self.extra = Linear(spec.world, 1, key=named("extra"))

    def __call__(self, q, world):
        return jnp.sum(q, axis=-1, keepdims=True) + self.mixer(world) + self.extra(world)


class Learner(eqx.Module):
    online: Networks
    target: Target[Networks]
    opt_state: OptState
    updates: Array


class Sound(AbstractAlgorithm):
    traits: ClassVar[Traits] = Traits(True, False, True, False, False, True)
    experience: AbstractExperience = Replay(capacity=256, batch_size=8, window=1, steps=4)
    gamma: float = 0.9
    small: float = 0.01  # the cost of large values
    epsilon: AbstractSchedule = ConstantSchedule(0.3)
    target: AbstractTarget = HardTarget(10)
    optimiser: AbstractOptimiser = Adam()

    def init(self, spec, key) -> Any:
        online = Networks(spec, key=key)
        return Learner(online, ops.init_target(online), self.init_opt_state(online), jnp.zeros((), int))

    def init_opt_state(self, online):
        return ops.init_opt_state(self.optimiser, online)

    def init_carry(self, spec, learner):
        return None

    def act(self, learner, carry, obs, key, step, explore):
        q = learner.online.agents(obs.agents)
        return None, ops.epsilon_greedy(q, obs.legal, self.epsilon(step) if explore else 0.0, key), None

    def mixed(self, networks, q, world):
        return networks(q, world)

    def terms(self, online, target, batch):
        """Return each transition's squared error, and the size of its value."""

        def one(t):
            q = ops.take(online.agents(t.current_obs.agents), t.action)
            later = jnp.max(ops.masked(target.agents(t.next_obs.agents), t.next_obs.legal), axis=-1)
            y = t.team_reward + self.gamma * ~t.terminated[:, None] * self.mixed(
                target, later, t.next_obs.world
            )
            joint = self.mixed(online, q, t.current_obs.world)
            return {"error": (jax.lax.stop_gradient(y) - joint) ** 2, "size": joint**2}

        return jax.vmap(one)(batch)

    def loss(self, online, target, batch):
        terms = self.terms(online, target, batch)
        loss = ops.mean(ops.total(terms, error=1.0, size=self.small), batch.valid)
        return loss, {"loss": loss} | {name: ops.mean(x, batch.valid) for name, x in terms.items()}

    def update(self, learner, batch, key, step) -> tuple[Any, Metrics]:
        online, optimiser, metrics = ops.descend(
            self.optimiser, self.loss, learner.online, learner.opt_state, learner.target.network, batch
        )
        updates = learner.updates + 1
        return Learner(online, self.follow(online, learner.target, updates), optimiser, updates), metrics

    def follow(self, online, target, updates):
        return self.target(online, target, updates)


class NeverCalled(Sound):
    def mixed(self, networks, q, world):
        return jnp.sum(q, axis=-1, keepdims=True) + networks.mixer(world)


class Modes(Sound):
    """No defect: its default calls everything, and whoever chose the other mode knows that it does not."""

    mode: Literal["full", "lean"] = "full"

    def mixed(self, networks, q, world):
        extra = networks.extra(world) if self.mode == "full" else 0.0
        return jnp.sum(q, axis=-1, keepdims=True) + networks.mixer(world) + extra


class NoExcuse(NeverCalled):
    mode: Literal["sum", "half"] = "sum"

    def mixed(self, networks, q, world):
        return super().mixed(networks, q, world) * (1.0 if self.mode == "sum" else 0.5)


class NotGivenToTheOptimiser(Sound):
    def init_opt_state(self, online):
        return ops.init_opt_state(self.optimiser, online.agents)

    def update(self, learner, batch, key, step):
        put = lambda agents: eqx.tree_at(lambda online: online.agents, learner.online, agents)
        loss = lambda agents, *rest: self.loss(put(agents), *rest)
        agents, optimiser, metrics = ops.descend(
            self.optimiser, loss, learner.online.agents, learner.opt_state, learner.target.network, batch
        )
        online, updates = put(agents), learner.updates + 1
        return Learner(online, self.follow(online, learner.target, updates), optimiser, updates), metrics


class ReadButUnused(Sound):
    bonus: float = 0.5

    def loss(self, online, target, batch):
        loss, metrics = super().loss(online, target, batch)
        _ = loss + self.bonus * metrics["size"]
        return loss, metrics | {"bonus": self.bonus * metrics["size"]}


class AsksForANumber(Sound):
    """No defect: the number decides what is traced, and acts."""

    bonus: float = 0.5

    def terms(self, online, target, batch):
        terms = super().terms(online, target, batch)
        return terms if self.bonus < 0 else terms | {"error": terms["error"] * self.bonus}


class Detached(Sound):
    def mixed(self, networks, q, world):
        return super().mixed(networks, jax.lax.stop_gradient(q), world)


class TargetNeverUpdated(Sound):
    def follow(self, online, target, updates):
        return target


class TargetIsOnline(Sound):
    def follow(self, online, target, updates):
        return Target(online)


class MaskOfZeros(Sound):
    def loss(self, online, target, batch):
        none = batch.valid & ~batch.valid
        return super().loss(online, target, eqx.tree_at(lambda t: t.valid, batch, none))


class UnreadSetting(Sound):
    clip_reward: float = 10.0


class TruthAsText(Sound):
    double: Any = True

    def update(self, learner, batch, key, step):
        return super().update(learner, batch, key, step) if self.double else (learner, {})


class TimesZero(Sound):
    def mixed(self, networks, q, world):
        return jnp.sum(q, axis=-1, keepdims=True) + networks.mixer(world) + 0.0 * networks.extra(world)


class DetachedMixing(Sound):
    def mixed(self, networks, q, world):
        return jax.lax.stop_gradient(networks)(q, world)


class DetachedTerm(Sound):
    def terms(self, online, target, batch):
        terms = super().terms(online, target, batch)
        return terms | {"error": jax.lax.stop_gradient(terms["error"])}


class TaughtLearner(eqx.Module):
    base: Learner
    frozen_teacher: Any


class FrozenTeacher(Sound):
    """No defect: the teacher is meant to stay as it is, and its type says so."""

    def wrap(self, teacher):
        return Frozen(teacher)

    def unwrap(self, teacher):
        return teacher.network

    def init(self, spec, key):
        teacher = MLP(spec.features, 4, spec.actions, key=ops.named(key, "teacher"))
        return TaughtLearner(super().init(spec, key), self.wrap(teacher))

    def act(self, learner, carry, obs, key, step, explore):
        _, action, _ = super().act(learner.base, carry, obs, key, step, explore)
        taught = jnp.argmax(self.unwrap(learner.frozen_teacher)(obs.agents), axis=-1)
        return None, jnp.where(step < 100, taught, action), None

    def update(self, learner, batch, key, step):
        base, metrics = super().update(learner.base, batch, key, step)
        return TaughtLearner(base, learner.frozen_teacher), metrics


class UnwrappedTeacher(FrozenTeacher):
    """Its name says that it is frozen; a name says nothing to the audit."""

    def wrap(self, teacher):
        return teacher

    def unwrap(self, teacher):
        return teacher


class UnwrappedLearner(eqx.Module):
    online: Networks
    target: Networks
    opt_state: Any
    updates: Array


class Unwrapped(Sound):
    """No defect: a learner of plain arrays, of which no type says what is a target or an optimiser state."""

    def init(self, spec, key):
        return self.plain(super().init(spec, key))

    def plain(self, learner):
        state = learner.opt_state.state
        return UnwrappedLearner(learner.online, learner.target.network, state, learner.updates)

    def update(self, learner, batch, key, step):
        target = Target(learner.target)
        learner = Learner(learner.online, target, OptState(learner.opt_state), learner.updates)
        learner, metrics = super().update(learner, batch, key, step)
        return self.plain(learner), metrics


class UnwrappedTargetNeverUpdated(Unwrapped):
    def follow(self, online, target, updates):
        return target
