"""The networks of PPO: two, or one with two heads."""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ...core import Action, Observation
from ...networks.actors import Actor, Critic
from ...networks.distributions import AbstractDistribution
from ...ranges import NonNegative
from .passes import PolicyCarry, PolicyExtras


class AbstractTrunk(eqx.Module):
    """The choice between two networks and one."""


class SeparateTrunk(AbstractTrunk):
    """An actor and a critic that have nothing in common, each with an optimiser of its own."""


class SharedTrunk(AbstractTrunk):
    """One network, the actor's, with a head for the policy and one for the value; one loss, one optimiser.

    The value's loss weighs `value_coefficient` in it.
    """

    value_coefficient: NonNegative = 0.5


class ActorCritic(eqx.Module):
    """The networks of a learner. Without a critic, values come from the actor's second head."""

    actor: Actor
    critic: Critic | None

    @property
    def recurrent(self) -> bool:
        return any(x.size for x in jax.tree.leaves(self.init_carry()))

    def made(self) -> "ActorCritic":
        """Return networks whose weights, if a hypernetwork makes them, are made once and for all."""
        return ActorCritic(self.actor.made(), self.critic and self.critic.made())

    def init_carry(self) -> PolicyCarry:
        critic_carry = jnp.zeros((0, 0)) if self.critic is None else self.critic.init_carry()
        return PolicyCarry(self.actor.init_carry(), critic_carry)

    def step(
        self, carry: PolicyCarry, obs: Observation
    ) -> tuple[PolicyCarry, AbstractDistribution, Float[Array, " k"]]:
        """Return the next carry, the policy, and the values."""
        if self.critic is None:
            actor_carry, policy, value = self.actor.step_with_value(carry.actor, obs)
            return PolicyCarry(actor_carry, carry.critic), policy, value
        actor_carry, policy = self.actor.step(carry.actor, obs)
        critic_carry, value = self.critic.step(carry.critic, obs)
        return PolicyCarry(actor_carry, critic_carry), policy, value

    def act(
        self, carry: PolicyCarry, obs: Observation, key: PRNGKeyArray, explore: bool
    ) -> tuple[PolicyCarry, Action, PolicyExtras | None, AbstractDistribution]:
        """Act by the policy, and return it too; record what learning needs, where it explores."""
        if not explore:
            actor_carry, policy = self.actor.step(carry.actor, obs)
            return replace(carry, actor=actor_carry), policy.action(policy.mode()), None, policy
        after, policy, value = self.step(carry, obs)
        choice = policy.sample(key)
        extras = PolicyExtras(carry, choice, policy.log_prob(choice), value)
        return after, policy.action(choice), extras, policy

    def values(self, carry: PolicyCarry, obs: Observation) -> Float[Array, "T k"]:
        """Return the values of a trajectory."""
        if self.critic is None:
            return self.actor.unroll_with_value(carry.actor, obs)[1]
        return self.critic.unroll(carry.critic, obs)

    def unroll(
        self, carry: PolicyCarry, obs: Observation
    ) -> tuple[AbstractDistribution, Float[Array, "T k"]]:
        """Return the policies and the values of a trajectory."""
        if self.critic is None:
            return self.actor.unroll_with_value(carry.actor, obs)
        return self.actor.unroll(carry.actor, obs), self.critic.unroll(carry.critic, obs)
