"""A sound small actor and critic with PPO's loss, and ways to break them."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from covey import ops
from covey.core import AbstractAlgorithm, AbstractExperience, Metrics, OptState, Traits
from covey.experience import OnPolicy
from covey.networks.distributions import Categorical
from covey.networks.layers import MLP
from covey.parts import AbstractOptimiser, Adam


class Networks(eqx.Module):
    actor: MLP
    critic: MLP

    def __init__(self, spec, *, key):
        self.actor = MLP(spec.features, 8, spec.actions, key=ops.named(key, "actor"))
        self.critic = MLP(spec.world, 8, 1, key=ops.named(key, "critic"))


class Learner(eqx.Module):
    networks: Networks
    opt_state: OptState
    more: Any = None


class SoundActor(AbstractAlgorithm):
    traits: ClassVar[Traits] = Traits(True, True, True, False, False, True)
    experience: AbstractExperience = OnPolicy(steps=8)
    gamma: float = 0.9
    lam: float = 0.9
    clip: float = 0.2
    entropy: float = 0.01
    epochs: int = 2
    optimiser: AbstractOptimiser = Adam()

    def init(self, spec, key) -> Any:
        networks = Networks(spec, key=key)
        return Learner(networks, ops.init_opt_state(self.optimiser, networks), self.more(spec, key))

    def more(self, spec, key) -> Any:
        return None

    def init_carry(self, spec, learner):
        return None

    def player(self, learner):
        return learner.networks.actor

    def act(self, learner, carry, obs, key, step, explore) -> Any:
        policy = Categorical(self.player(learner)(obs.agents), obs.legal)
        action = policy.sample(key) if explore else policy.mode()
        return None, action, policy.log_prob(action)

    def legal(self, t):
        return t.current_obs.legal

    def ends(self, t):
        return t.terminated

    def values(self, networks, t):
        return jax.lax.stop_gradient(networks.critic(t.obs.world))

    def advantages(self, networks, t):
        value = self.values(networks, t)
        return ops.gae(t.team_reward, value, self.ends(t), t.valid, self.gamma, self.lam)

    def policy_gain(self, policy, advantage, t):
        ratio = jnp.exp(policy.log_prob(t.action) - t.extras)
        return ops.surrogate(ratio, advantage, self.clip)

    def more_loss(self, policy, t):
        return 0.0

    def loss_of(self, networks, t):
        policy = Categorical(networks.actor(t.current_obs.agents), self.legal(t))
        advantage = self.advantages(networks, t)
        value = networks.critic(t.current_obs.world)
        error = value - jax.lax.stop_gradient(advantage + value)
        for_each = lambda x: jnp.broadcast_to(x, t.reward.shape)
        terms = {
            "policy": -self.policy_gain(policy, for_each(advantage), t),
            "entropy": policy.entropy(),
            "value": for_each(error) ** 2,
        }
        return terms, self.more_loss(policy, t)

    def total(self, terms):
        return ops.total(terms, policy=1.0, entropy=-self.entropy, value=0.5)

    def loss(self, networks, batch):
        terms, more = jax.vmap(lambda t: self.loss_of(networks, t))(batch)
        metrics = {name: ops.mean(x, batch.valid) for name, x in terms.items()}
        return ops.mean(self.total(terms), batch.valid) + jnp.mean(more), metrics

    def update(self, learner, batch, key, step) -> tuple[Any, Metrics]:
        def improve(learner, number):
            part = self.drawn(batch, jr.fold_in(key, number))
            networks, state, metrics = ops.descend(
                self.optimiser, self.loss, learner.networks, learner.opt_state, part
            )
            return Learner(networks, state, learner.more), metrics

        learner, metrics = jax.lax.scan(improve, learner, jnp.arange(self.epochs))
        return learner, jax.tree.map(jnp.mean, metrics)

    def drawn(self, batch, key):
        return batch


class EntropyMinimised(SoundActor):
    def total(self, terms):
        return ops.total(terms, policy=1.0, entropy=self.entropy, value=0.5)


class AdvantageReversed(SoundActor):
    def policy_gain(self, policy, advantage, t):
        return super().policy_gain(policy, -advantage, t)


class LossReversed(SoundActor):
    """The gain is minimised."""

    def total(self, terms):
        return super().total(terms | {"policy": -terms["policy"]})


class DivergenceFromItself(SoundActor):
    def more_loss(self, policy, t):
        return 0.1 * jax.lax.stop_gradient(policy).kl(policy)


class PolicyDetached(SoundActor):
    def policy_gain(self, policy, advantage, t):
        return super().policy_gain(jax.lax.stop_gradient(policy), advantage, t)


class EntropyDetached(SoundActor):
    def loss_of(self, networks, t):
        terms, more = super().loss_of(networks, t)
        return terms | {"entropy": jax.lax.stop_gradient(terms["entropy"])}, more


class ActionsUnread(SoundActor):
    """The likelihood of another draw than the one that was played."""

    def act(self, learner, carry, obs, key, step, explore):
        _, action, _ = super().act(learner, carry, obs, key, step, explore)
        return None, action, None

    def policy_gain(self, policy, advantage, t):
        return policy.log_prob(policy.mode()) * advantage


class LegalUnread(SoundActor):
    def legal(self, t):
        return jnp.ones_like(t.current_obs.legal)


class TerminatedUnread(SoundActor):
    def ends(self, t):
        return jnp.zeros_like(t.terminated)


class CriticBeside(SoundActor):
    """The critic learns, and the advantage is the return without it."""

    def values(self, networks, t):
        return jnp.zeros((t.obs.first.shape[0], 1))

    def loss_of(self, networks, t):
        terms, more = super().loss_of(networks, t)
        error = networks.critic(t.current_obs.world) - self.advantages(networks, t)
        return terms | {"value": jnp.broadcast_to(error, t.reward.shape) ** 2}, more


class GradientThroughAdvantage(SoundActor):
    def values(self, networks, t):
        return networks.critic(t.obs.world)


class AdvantageTimesZero(SoundActor):
    def advantages(self, networks, t):
        return 0.0 * super().advantages(networks, t)


class SameMinibatches(SoundActor):
    def drawn(self, batch, key):
        order = jr.permutation(jr.key(3), batch.valid.shape[0])
        return jax.tree.map(lambda x: x[order[: len(order) // 2]], batch)


class PlaysAsAnother(SoundActor):
    """Acts by a blend of the learned network and a second one, so that ratios begin away from 1."""

    def more(self, spec, key):
        return Networks(spec, key=ops.named(key, "second")).actor

    def player(self, learner):
        mean = lambda x, y: 0.5 * (x + y) if eqx.is_inexact_array(x) else x
        return jax.tree.map(mean, learner.networks.actor, jax.lax.stop_gradient(learner.more))

    def update(self, learner, batch, key, step):
        new, metrics = super().update(learner, batch, key, step)
        second = jax.tree.map(lambda x, y: 0.99 * x + 0.01 * y, learner.more, new.networks.actor)
        return eqx.tree_at(lambda x: x.more, new, second), metrics


class OldPolicyIsNew(SoundActor):
    """The ratio is always 1: `clip` can act on nothing."""

    def policy_gain(self, policy, advantage, t):
        change = policy.log_prob(t.action) - jax.lax.stop_gradient(policy.log_prob(t.action))
        return ops.surrogate(jnp.exp(change), advantage, self.clip)


class TemperatureUnread(SoundActor):
    temperature: float = 2.0
