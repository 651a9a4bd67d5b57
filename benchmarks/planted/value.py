"""A sound small algorithm of values, and ways to break it."""

from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array

from covey import ops
from covey.core import AbstractAlgorithm, AbstractExperience, Metrics, OptState, Target, Traits
from covey.experience import Replay
from covey.networks.layers import MLP, Linear
from covey.parts import (
    AbstractOptimiser,
    AbstractSchedule,
    AbstractTarget,
    Adam,
    ConstantSchedule,
    HardTarget,
    LinearSchedule,
)


class Networks(eqx.Module):
    """The agents' values, and what the state adds to their sum."""

    agents: MLP
    mixer: Linear

    def __init__(self, spec, *, key):
        self.agents = MLP(spec.features, 8, spec.actions, key=ops.named(key, "agents"))
        self.mixer = Linear(spec.world, 1, key=ops.named(key, "mixer"))


class Learner(eqx.Module):
    online: Networks
    target: Target[Networks]
    opt_state: OptState
    updates: Array
    more: Any = None


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
        state = ops.init_opt_state(self.optimiser, online)
        return Learner(online, ops.init_target(online), state, jnp.zeros((), int), self.more(spec, key))

    def more(self, spec, key) -> Any:
        return None

    def init_carry(self, spec, learner):
        return None

    def player(self, learner):
        return learner.online

    def act(self, learner, carry, obs, key, step, explore):
        q = self.player(learner).agents(obs.agents)
        epsilon = self.exploration(step) if explore else 0.0
        return None, ops.epsilon_greedy(q, obs.legal, epsilon, self.acting_key(key, step)), None

    def exploration(self, step):
        return self.epsilon(step)

    def acting_key(self, key, step):
        return key

    def reward(self, t):
        return t.team_reward

    def discount(self, t):
        return self.gamma * ~t.terminated[:, None]

    def legal(self, t):
        return t.next_obs.legal

    def taken(self, q, t):
        return ops.take(q, t.action)

    def mixed(self, networks, q, world):
        return jnp.sum(q, axis=-1, keepdims=True) + networks.mixer(world)

    def goal(self, online, target, t):
        later = jnp.max(ops.masked(target.agents(t.next_obs.agents), self.legal(t)), axis=-1)
        return self.reward(t) + self.discount(t) * self.mixed(target, later, t.next_obs.world)

    def cut(self, y):
        return jax.lax.stop_gradient(y)

    def terms(self, online, target, batch):
        """Return each transition's squared error, and the size of its value."""

        def one(t):
            joint = self.mixed(
                online, self.taken(online.agents(t.current_obs.agents), t), t.current_obs.world
            )
            return {"error": (self.cut(self.goal(online, target, t)) - joint) ** 2, "size": joint**2}

        return jax.vmap(one)(batch)

    def mean(self, x, batch):
        return ops.mean(x, batch.valid)

    def loss(self, online, target, batch):
        terms = self.terms(online, target, batch)
        loss = self.mean(ops.total(terms, error=1.0, size=self.small), batch)
        return loss, {"loss": loss} | {name: self.mean(x, batch) for name, x in terms.items()}

    def old_state(self, learner):
        return learner.opt_state

    def update(self, learner, batch, key, step) -> tuple[Any, Metrics]:
        online, state, metrics = ops.descend(
            self.optimiser, self.loss, learner.online, self.old_state(learner), learner.target.network, batch
        )
        updates = learner.updates + 1
        target = self.follow(online, learner.target, updates)
        return Learner(online, target, state, updates, learner.more), metrics

    def follow(self, online, target, updates):
        return self.target(online, target, updates)


class RewardUnused(Sound):
    def reward(self, t):
        return 0.0


class RewardTimesZero(Sound):
    def reward(self, t):
        return 0.0 * t.team_reward


class RewardClippedAway(Sound):
    def reward(self, t):
        return jnp.clip(t.team_reward, 0.0, 0.0)


class TerminatedIgnored(Sound):
    def discount(self, t):
        return self.gamma


class ValidIgnored(Sound):
    def mean(self, x, batch):
        return jnp.mean(x)


class LegalIgnored(Sound):
    def legal(self, t):
        return jnp.ones_like(t.next_obs.legal)


class ActionIgnored(Sound):
    def taken(self, q, t):
        return jnp.max(q, axis=-1)


class GradientThroughTarget(Sound):
    """The next value is the mean of both networks', and nothing detaches it."""

    def goal(self, online, target, t):
        return 0.5 * (super().goal(online, target, t) + super().goal(target, online, t))

    def cut(self, y):
        return y


class TargetUnread(Sound):
    def goal(self, online, target, t):
        return super().goal(target, jax.lax.stop_gradient(online), t)


class MomentsBegunAnew(Sound):
    def old_state(self, learner):
        return ops.init_opt_state(self.optimiser, learner.online)


class MomentsDropped(Sound):
    def update(self, learner, batch, key, step):
        new, metrics = super().update(learner, batch, key, step)
        return eqx.tree_at(lambda x: x.opt_state, new, learner.opt_state), metrics


class WeightsDropped(Sound):
    def update(self, learner, batch, key, step):
        new, metrics = super().update(learner, batch, key, step)
        return eqx.tree_at(lambda x: x.online, new, learner.online), metrics


class TargetFollowsItself(Sound):
    def follow(self, online, target, updates):
        return self.target(target.network, target, updates)


class TargetIsOnline(Sound):
    def follow(self, online, target, updates):
        return Target(online)


class TargetNeverFollows(Sound):
    def follow(self, online, target, updates):
        return target


class ZeroTermByHand(Sound):
    """The divergence of values from themselves."""

    def loss(self, online, target, batch):
        loss, metrics = super().loss(online, target, batch)
        again = jnp.mean(jnp.abs(online.agents(batch.obs.agents) - online.agents(batch.obs.agents)))
        return loss + 0.5 * again, metrics | {"again": again}


class DetachedTermByHand(Sound):
    def loss(self, online, target, batch):
        loss, metrics = super().loss(online, target, batch)
        q = jax.lax.stop_gradient(online.agents(batch.obs.agents))
        return loss + 0.1 * jnp.mean(q**2), metrics


class DetachedNamedTerm(Sound):
    def terms(self, online, target, batch):
        terms = super().terms(online, target, batch)
        return terms | {"error": jax.lax.stop_gradient(terms["error"])}


class TermOverwritten(Sound):
    """The first line of the loss is lost to the second."""

    def loss(self, online, target, batch):
        terms = self.terms(online, target, batch)
        loss = self.small * ops.mean(terms["size"], batch.valid)
        loss = ops.mean(terms["error"], batch.valid)
        return loss, {"loss": loss}


class SameDrawsAlways(Sound):
    def acting_key(self, key, step):
        return jr.key(0)


class SameDrawsInAllCopies(Sound):
    def acting_key(self, key, step):
        return jr.fold_in(jr.key(0), step)


class SameNoiseInUpdates(Sound):
    def reward(self, t):
        return t.team_reward + 0.1 * jr.normal(jr.key(1), t.team_reward.shape)


class SameStartInAllSeeds(Sound):
    def init(self, spec, key):
        return super().init(spec, jr.key(7))


class PlaysAnother(Sound):
    """Who acts follows nobody: it only shrinks."""

    def more(self, spec, key):
        return Networks(spec, key=ops.named(key, "player"))

    def player(self, learner):
        return learner.more

    def update(self, learner, batch, key, step):
        new, metrics = super().update(learner, batch, key, step)
        return eqx.tree_at(lambda x: x.more, new, jax.tree.map(lambda x: 0.999 * x, learner.more)), metrics


class LearnsBeside(Sound):
    """A second network learns, and nobody asks it."""

    def more(self, spec, key):
        return Networks(spec, key=ops.named(key, "second"))

    def update(self, learner, batch, key, step):
        new, metrics = super().update(learner, batch, key, step)
        grads = ops.gradients(self.loss, learner.more, learner.target.network, batch)[0]
        second = jax.tree.map(lambda x, g: x - 1e-3 * g, learner.more, grads)
        return eqx.tree_at(lambda x: x.more, new, second), metrics


class Swapped(LearnsBeside):
    """Two critics, of which each is returned in the place of the other."""

    def update(self, learner, batch, key, step):
        new, metrics = super().update(learner, batch, key, step)
        return eqx.tree_at(lambda x: (x.online, x.more), new, (new.more, new.online)), metrics


class AgentsLeftOut(Sound):
    def mixed(self, networks, q, world):
        return networks.mixer(world)


class AgentsDetached(Sound):
    def mixed(self, networks, q, world):
        return super().mixed(networks, jax.lax.stop_gradient(q), world)


class MixerTimesZero(Sound):
    def mixed(self, networks, q, world):
        return jnp.sum(q, axis=-1, keepdims=True) + 0.0 * networks.mixer(world)


class MixerNeverCalled(Sound):
    def mixed(self, networks, q, world):
        return jnp.sum(q, axis=-1, keepdims=True)


class MixerLeftOut(Sound):
    """The optimiser is not given the mixer's gradient."""

    def update(self, learner, batch, key, step):
        new, metrics = super().update(learner, batch, key, step)
        return eqx.tree_at(lambda x: x.online.mixer, new, learner.online.mixer), metrics


class MaskOfZeros(Sound):
    def mean(self, x, batch):
        return ops.mean(x, batch.valid & ~batch.valid)


class NotFinite(Sound):
    def cut(self, y):
        return jnp.log(jax.lax.stop_gradient(y) - 1e6)


class UnreadSetting(Sound):
    clip_reward: float = 10.0


class UnreadMode(Sound):
    mode: Literal["fast", "exact"] = "fast"


class ReadButUnused(Sound):
    bonus: float = 0.5

    def loss(self, online, target, batch):
        loss, metrics = super().loss(online, target, batch)
        return loss, metrics | {"bonus": self.bonus * metrics["size"]}


class UnreadDiscount(Sound):
    """The discount stands in the code, and the setting beside it."""

    def discount(self, t):
        return 0.9 * ~t.terminated[:, None]


class ScheduleNeverMoves(Sound):
    epsilon: AbstractSchedule = LinearSchedule(1.0, 0.1, 1000)

    def exploration(self, step):
        return self.epsilon(0)


class TruthAsText(Sound):
    double: Any = "no"

    def reward(self, t):
        return t.team_reward * (2.0 if self.double else 1.0)


class RewardReversed(Sound):
    def reward(self, t):
        return -t.team_reward


class WorstAction(Sound):
    """Acts by the smallest value."""

    def act(self, learner, carry, obs, key, step, explore):
        q = -learner.online.agents(obs.agents)
        return None, ops.epsilon_greedy(q, obs.legal, self.epsilon(step) if explore else 0.0, key), None


class NextStepPaid(Sound):
    """The reward of another transition of the batch: a shifted index."""

    def loss(self, online, target, batch):
        shifted = eqx.tree_at(lambda t: t.team_reward, batch, jnp.roll(batch.team_reward, 1, axis=0))
        return super().loss(online, target, shifted)
