"""MADDPG (Lowe et al., 2017), and with it DDPG (Lillicrap et al., 2016) for teams.

    y_i = r_i + gamma (1 - terminated) Q_i^-(x', a'_1, ..., a'_n),   a'_j of the target actors
    critic i:  mean over valid steps of (y_i - Q_i(x, a_1, ..., a_n))^2
    actor i:  -mean over valid steps of Q_i(x, a_1, ..., mu_i(o_i), ..., a_n) + c mean(z_i^2)

x is all observations; the others' actions a are the replayed ones, only agent i's own is fresh; z_i is what
its network puts out: logits, or what tanh fits to the bounds. Discrete actions are straight-through Gumbel
draws, also in targets. First all critics, then all actors by the new critics, then the targets.

Departures: the dead do not teach actors; greedy play takes the most likely action, the original draws; of
agents that another learner controls, critics see observations but no actions, which none here can foresee.
"""

from dataclasses import replace
from functools import partial
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from .. import ops
from ..core import (
    AbstractAlgorithm,
    AbstractExperience,
    Metrics,
    Observation,
    OptState,
    Spec,
    Target,
    Traits,
    Trajectory,
)
from ..experience import Replay, require_whole_episodes
from ..networks.agents import AbstractAgent, FeedForward, Sharing
from ..parts import (
    AbstractOptimiser,
    AbstractSchedule,
    AbstractTarget,
    Adam,
    ConstantSchedule,
    Factory,
    SoftTarget,
)
from .off_policy.actor_step import FreshActions, Value
from .off_policy.deterministic import Actors, Critics, JointCriticInput, Networks, Vectors


class Learner(eqx.Module):
    online: Networks
    target: Target[Networks]
    actor_opt_state: OptState
    critic_opt_state: OptState
    updates: Int[Array, ""]


class MADDPG(AbstractAlgorithm[Learner]):
    """Deterministic policies, centralised critics; `covey describe maddpg` lists every field."""

    traits: ClassVar[Traits] = Traits(
        centralised=True, on_policy=False, discrete=True, continuous=True, recurrent=True, cooperative=False
    )
    experience: AbstractExperience = Replay(1_000_000, batch_size=1024, window=1, start=25_600, every=100)
    actor: Factory[AbstractAgent] = Factory(FeedForward, hidden=64, depth=2, xavier=True)
    critic: Factory[FeedForward] = Factory(FeedForward, hidden=64, depth=2, xavier=True)
    critic_input: JointCriticInput = "observations"
    sharing: Sharing = "none"
    agent_id: bool = False  # among networks' inputs, one-hot; needed where they are shared
    gamma: float = 0.95
    temperature: AbstractSchedule = ConstantSchedule(1.0)  # of Gumbel draws, where actions are discrete
    noise: AbstractSchedule = ConstantSchedule(
        0.1
    )  # where they are continuous: its deviation in halves of the range
    regulariser: float = 1e-3  # the price of large outputs
    target: AbstractTarget = SoftTarget(0.01)
    actor_optimiser: AbstractOptimiser = Adam(ConstantSchedule(1e-2), clip=0.5, clip_by="variable")
    critic_optimiser: AbstractOptimiser = Adam(ConstantSchedule(1e-2), clip=0.5, clip_by="variable")

    def init(self, spec: Spec, key: PRNGKeyArray) -> Learner:
        shared = self.sharing, self.agent_id
        actors = Actors(self.actor, spec, *shared, key=ops.named(key, "actor"))
        critics = Critics(self.critic, spec, *shared, self.critic_input, key=ops.named(key, "critic"))
        if actors.remember:
            require_whole_episodes(self.experience, "`actor=feed_forward`")
        online, stacked = Networks(actors, critics), actors.networks.stacked
        acting = ops.init_opt_state(self.actor_optimiser, actors, stacked)
        judging = ops.init_opt_state(self.critic_optimiser, critics, stacked)
        return Learner(online, ops.init_target(online), acting, judging, jnp.zeros((), int))

    def init_carry(self, spec: Spec, learner: Learner) -> Float[Array, "agents h"]:
        return learner.online.actors.init_carry()

    def act(self, learner: Learner, carry, obs: Observation, key, step, explore: bool):
        actors = learner.online.actors
        carry, x = actors.step(carry, obs)
        explored = lambda: actors.explore(x, obs.legal, self.noise(step), key)
        return carry, explored() if explore else actors.best(x, obs.legal), None

    def ahead(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> Float[Array, "b ..."]:
        """What target actors would do after each step."""
        actors, temperature = learner.target.network.actors, self.temperature(step)
        one = lambda t, key: actors.sample(actors.after(t), t.next_obs.legal, temperature, key)
        return jax.vmap(one)(batch, ops.each(ops.named(key, "target"), batch))

    def td_error(
        self, critics: Critics, target: Networks, t: Trajectory, later: Vectors
    ) -> tuple[Float[Array, "T agents"], Float[Array, "T agents"]]:
        """One trajectory: errors, and values of what was done."""
        q = critics(t.current_obs, target.actors.vectors(t.action, t.current_obs))
        later = target.critics(t.next_obs, later)
        y = ops.td_lambda(t.reward, later, t.terminated, t.valid, self.gamma, 0.0)
        return jax.lax.stop_gradient(y) - q, q

    def critic_loss(self, critics: Critics, target: Networks, batch: Trajectory, later: Array):
        """The sum of all agents'."""
        error, q = jax.vmap(self.td_error, (None, None, 0, 0))(critics, target, batch, later)
        loss = ops.mean(jnp.sum(error**2, axis=-1), batch.valid)
        told = lambda x: ops.mean(x, batch.valid, exact=False)
        return loss, {"critic_loss": loss, "q": told(q), "td_error": told(jnp.abs(error))}

    def fresh(self, batch: Trajectory, key: PRNGKeyArray, step) -> FreshActions:
        """For actors: what new actions of their own are worth, and the outputs that these come from."""
        temperature, keys = self.temperature(step), ops.each(ops.named(key, "actor"), batch)

        def one(actors: Actors, value: Value, t: Trajectory, key: PRNGKeyArray):
            x = actors.unroll(t.current_obs)
            return value(t, actors.sample(x, t.current_obs.legal, temperature, key)), x

        return lambda actors, value: jax.vmap(one, (None, None, 0, 0))(actors, value, batch, keys)

    def actor_loss(self, actors: Actors, value: Value, batch: Trajectory, fresh: FreshActions):
        """The sum of all agents', each a mean over the steps that it lives."""
        worth, x = fresh(actors, value)
        active = batch.valid[..., None] & batch.obs.alive[:, :-1]
        worth = jnp.sum(jax.vmap(ops.mean, -1)(worth, active))
        size = jnp.sum(jax.vmap(ops.mean, -2)(x**2, active[..., None] & batch.obs.legal[:, :-1]))
        told = {"policy_value": worth, "output_square": size}
        return self.regulariser * size - worth, {k: x / active.shape[-1] for k, x in told.items()}

    def improve_critics(self, learner: Learner, batch: Trajectory, later) -> tuple[Learner, Metrics]:
        nets, args = learner.online, (learner.critic_opt_state, learner.target.network, batch, later)
        descend = partial(ops.descend, stacked=nets.critics.networks.stacked)
        critics, opt_state, told = descend(self.critic_optimiser, self.critic_loss, nets.critics, *args)
        return replace(learner, online=Networks(nets.actors, critics), critic_opt_state=opt_state), told

    def improve_actors(self, learner: Learner, value: Value, batch: Trajectory, fresh: FreshActions):
        nets, args = learner.online, (learner.actor_opt_state, value, batch, fresh)
        descend = partial(ops.descend, stacked=nets.actors.networks.stacked)
        actors, opt_state, told = descend(self.actor_optimiser, self.actor_loss, nets.actors, *args)
        return replace(learner, online=Networks(actors, nets.critics), actor_opt_state=opt_state), told

    def followed(self, learner: Learner) -> Learner:
        updates = learner.updates + 1
        return replace(learner, target=self.target(learner.online, learner.target, updates), updates=updates)

    def update(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> tuple[Learner, Metrics]:
        learner, told = self.improve_critics(learner, batch, self.ahead(learner, batch, key, step))
        fresh = self.fresh(batch, key, step)
        learner, acted = self.improve_actors(learner, learner.online.value, batch, fresh)
        return self.followed(learner), told | acted

    def insight(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        """Each agent's value of what all did."""
        done = learner.online.actors.vectors(episode.action, episode.current_obs)
        return {"Q": learner.online.critics(episode.current_obs, done)}
