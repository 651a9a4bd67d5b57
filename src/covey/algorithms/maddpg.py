"""MADDPG (Lowe et al., 2017), and with it DDPG (Lillicrap et al., 2016) for teams.

    y_i = r_i + gamma (1 - terminated) Q_i^-(x', a'_1, ..., a'_n),   a'_j of the target actors
    critic i:  mean over valid steps of (y_i - Q_i(x, a_1, ..., a_n))^2
    actor i:  -mean over valid steps of Q_i(x, a_1, ..., mu_i(o_i), ..., a_n) + c mean(z_i^2)

x is all observations; the others' actions a are the replayed ones, only agent i's own is new; z_i is the
output of its network: logits, or what tanh scales to the bounds. Discrete actions are straight-through
Gumbel draws, also in targets. First all critics, then all actors by the new critics, then the targets.

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
from ..experience import Replay, require_whole_episodes, without_memory
from ..networks.agents import AbstractAgent, FeedForward, Sharing
from ..parts import (
    AbstractOptimiser,
    AbstractTarget,
    Adam,
    ConstantSchedule,
    Factory,
    NonNegativeSchedule,
    PositiveSchedule,
    SoftTarget,
)
from ..ranges import NonNegative, Unit
from .off_policy.actor_step import ActionValue, PolicyEvaluator, policy_evaluator
from .off_policy.deterministic import (
    DeterministicActors,
    DeterministicNetworks,
    JointCriticInput,
    JointCritics,
    Vectors,
)
from .off_policy.last_action import (
    LastActionCarry,
    recall_actions,
    spec_with_last_actions,
    with_last_actions,
)


class Learner(eqx.Module):
    online: DeterministicNetworks
    target: Target[DeterministicNetworks]
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
    last_action: bool = False  # at the end of each agent's observation, one-hot where actions are discrete
    gamma: Unit = 0.95
    temperature: PositiveSchedule = ConstantSchedule(1.0)  # of Gumbel draws, where actions are discrete
    noise: NonNegativeSchedule = ConstantSchedule(0.1)  # its deviation, in halves of a continuous range
    regulariser: NonNegative = 1e-3  # the price of large outputs
    target: AbstractTarget = SoftTarget(0.01)
    actor_optimiser: AbstractOptimiser = Adam(ConstantSchedule(1e-2), clip=0.5, clip_by="variable")
    critic_optimiser: AbstractOptimiser = Adam(ConstantSchedule(1e-2), clip=0.5, clip_by="variable")

    def init(self, spec: Spec, key: PRNGKeyArray) -> Learner:
        spec = self.observed_spec(spec)
        sharing = (self.sharing, self.agent_id)
        actors = DeterministicActors(self.actor, spec, *sharing, key=ops.named(key, "actor"))
        critics = JointCritics(self.critic, spec, *sharing, self.critic_input, key=ops.named(key, "critic"))
        if actors.recurrent:
            require_whole_episodes(self.experience, without_memory("actor", self.actor))
        if self.last_action:
            require_whole_episodes(self.experience, "`last_action=False`")
        online = DeterministicNetworks(actors, critics)
        stacked = actors.networks.stacked
        actor_opt_state = ops.init_opt_state(self.actor_optimiser, actors, stacked)
        critic_opt_state = ops.init_opt_state(self.critic_optimiser, critics, stacked)
        updates = jnp.zeros((), int)
        return Learner(online, ops.init_target(online), actor_opt_state, critic_opt_state, updates)

    def observed_spec(self, spec: Spec) -> Spec:
        """Return the spec of what networks read."""
        return spec_with_last_actions(spec) if self.last_action else spec

    def observed(self, learner: Learner, t: Trajectory) -> Trajectory:
        """Return a trajectory with the observations that networks read."""
        if not self.last_action:
            return t
        return recall_actions(t, learner.online.actors.vectors(t.action, t.current_obs))

    def init_carry(self, spec: Spec, learner: Learner) -> Float[Array, "agents h"] | LastActionCarry:
        hidden = learner.online.actors.init_carry()
        return LastActionCarry(hidden, jnp.zeros((spec.agents, spec.actions))) if self.last_action else hidden

    def act(self, learner: Learner, carry, obs: Observation, key, step, explore: bool):
        actors = learner.online.actors
        hidden = carry
        if self.last_action:
            hidden = carry.hidden
            obs = with_last_actions(obs, carry.action)
        hidden, x = actors.step(hidden, obs)
        action = actors.explore(x, obs.legal, self.noise(step), key) if explore else actors.best(x, obs.legal)
        after = LastActionCarry(hidden, actors.vectors(action, obs)) if self.last_action else hidden
        return after, action, None

    def next_actions(self, learner: Learner, batch: Trajectory, key, step) -> Float[Array, "b ..."]:
        """Return the target actors' actions after each step."""
        actors = learner.target.network.actors
        temperature = self.temperature(step)
        one = lambda t, key: actors.sample(actors.next_outputs(t), t.next_obs.legal, temperature, key)
        return jax.vmap(one)(batch, ops.each(ops.named(key, "target"), batch))

    def td_error(
        self, critics: JointCritics, target: DeterministicNetworks, t: Trajectory, next_actions: Vectors
    ) -> tuple[Float[Array, "T agents"], Float[Array, "T agents"]]:
        """Return one trajectory's errors, and its values of the actions taken."""
        q = critics(t.current_obs, target.actors.vectors(t.action, t.current_obs))
        next_q = target.critics(t.next_obs, next_actions)
        y = ops.td_lambda(t.reward, next_q, t.terminated, t.valid, self.gamma, 0.0)
        return jax.lax.stop_gradient(y) - q, q

    def critic_loss(
        self, critics: JointCritics, target: DeterministicNetworks, batch: Trajectory, next_actions: Array
    ) -> tuple[Float[Array, ""], Metrics]:
        """Sum the critics' losses."""
        error, q = jax.vmap(self.td_error, (None, None, 0, 0))(critics, target, batch, next_actions)
        loss = ops.term("critic_loss")(ops.mean(jnp.sum(error**2, axis=-1), batch.valid))
        average = lambda x: ops.mean(x, batch.valid, exact=False)
        return loss, {"critic_loss": loss, "q": average(q), "td_error": average(jnp.abs(error))}

    def actor_loss(
        self, actors: DeterministicActors, value: ActionValue, batch: Trajectory, evaluate: PolicyEvaluator
    ) -> tuple[Float[Array, ""], Metrics]:
        """Sum the actors' losses, each a mean over the steps that its agent lives."""
        q, x = evaluate(actors, value)
        active = batch.valid[..., None] & batch.obs.alive[:, :-1]
        squares = jax.vmap(ops.mean, -2)(x**2, active[..., None] & batch.obs.legal[:, :-1])
        values = jax.vmap(ops.mean, -1)(q, active)
        terms = {"output_square": jnp.sum(squares), "policy_value": jnp.sum(values)}
        loss = ops.total(terms, output_square=self.regulariser, policy_value=-1.0)
        return loss, {name: x / active.shape[-1] for name, x in terms.items()}

    def improve_critics(self, learner: Learner, batch: Trajectory, next_actions) -> tuple[Learner, Metrics]:
        """Take the critics' gradient step."""
        online = learner.online
        descend = partial(ops.descend, stacked=online.critics.networks.stacked)
        args = (learner.critic_opt_state, learner.target.network, batch, next_actions)
        critics, opt_state, metrics = descend(self.critic_optimiser, self.critic_loss, online.critics, *args)
        online = replace(online, critics=critics)
        return replace(learner, online=online, critic_opt_state=opt_state), metrics

    def improve_actors(
        self, learner: Learner, value: ActionValue, batch: Trajectory, evaluate: PolicyEvaluator
    ) -> tuple[Learner, Metrics]:
        """Take the actors' gradient step towards what they value."""
        online = learner.online
        descend = partial(ops.descend, stacked=online.actors.networks.stacked)
        args = (learner.actor_opt_state, value, batch, evaluate)
        actors, opt_state, metrics = descend(self.actor_optimiser, self.actor_loss, online.actors, *args)
        online = replace(online, actors=actors)
        return replace(learner, online=online, actor_opt_state=opt_state), metrics

    def update_target(self, learner: Learner) -> Learner:
        updates = learner.updates + 1
        return replace(learner, target=self.target(learner.online, learner.target, updates), updates=updates)

    def update(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> tuple[Learner, Metrics]:
        batch = jax.vmap(lambda t: self.observed(learner, t))(batch) if self.last_action else batch
        next_actions = self.next_actions(learner, batch, key, step)
        learner, critic_metrics = self.improve_critics(learner, batch, next_actions)
        evaluate = policy_evaluator(batch, key, self.temperature(step))
        learner, actor_metrics = self.improve_actors(learner, learner.online.value, batch, evaluate)
        return self.update_target(learner), critic_metrics | actor_metrics

    def insight(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        """Return each agent's value of the joint action taken."""
        taken = learner.online.actors.vectors(episode.action, episode.current_obs)
        episode = self.observed(learner, episode)
        return {"Q": learner.online.critics(episode.current_obs, taken)}

    def decisions(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T *k"]]:
        """Return the likelihood of each action, where actions are discrete."""
        actors = learner.online.actors
        obs = episode.current_obs
        p = jax.nn.softmax(ops.masked(actors.unroll(obs), obs.legal))
        return {} if actors.bounds else {"action_probabilities": p}
