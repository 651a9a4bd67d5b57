"""MADDPG with a second, local value, which QMIX's mixer teaches to serve the team: a dual-Q hybrid.

    Q_i:        MADDPG's critic of all observations and actions, on agent i's own reward
    Q^l_i:      of agent i's own observation and action; Q_tot = f_s(Q^l_1, ..., Q^l_n), df_s / dQ^l_i >= 0
    y_tot = r_team + gamma (1 - terminated) Q_tot^-(s', Q^l-(o', a')),   a' of the target actors
    mixer, local critics:  mean over valid steps of (y_tot - Q_tot(s, Q^l(o, a)))^2
    actor i:  -mean of [alpha Q_i(x, a_1, ..., mu_i, ..., a_n) + (1 - alpha) Q^l_i(o_i, mu_i)] + c mean(z_i^2)

The team is the first one; agents outside it learn as in `maddpg`, with alpha = 1. alpha is a schedule over
steps of the environment since the first update; at 1 this is MADDPG to the bit.

Departures: as in `maddpg`; LayerNorm is applied to local critics' inputs too.
"""

from dataclasses import fields
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
from ..networks.agents import AbstractAgent, FeedForward, Sharing
from ..networks.mixers import AbstractMixer, MixerInput, MonotonicMixer, world_of, world_width
from ..parts import (
    AbstractOptimiser,
    AbstractSchedule,
    AbstractTarget,
    Adam,
    ConstantSchedule,
    Factory,
    PhasesSchedule,
)
from . import maddpg
from .maddpg import MADDPG
from .off_policy.actor_step import blended, disagreement
from .off_policy.deterministic import JointCriticInput, LocalCritics, Vectors


class Mixed(eqx.Module):
    critics: LocalCritics
    mixer: AbstractMixer


class Learner(eqx.Module):
    plain: maddpg.Learner
    online: Mixed
    target: Target[Mixed]
    local_opt_state: OptState
    mixer_opt_state: OptState
    begun: Int[Array, ""]  # the step of the first update, -1 before it


class DualQ(AbstractAlgorithm[Learner]):
    """MADDPG and QMIX's local values, blended; `covey describe dual_q` lists every field."""

    traits: ClassVar[Traits] = MADDPG.traits
    training_curves: ClassVar[tuple[str, ...]] = ("alpha",)  # what films show of its training
    alpha: AbstractSchedule = PhasesSchedule()
    local_critic: Factory[FeedForward] = Factory(FeedForward, hidden=64, depth=2, norm=True)
    mixer: Factory[AbstractMixer] = Factory(MonotonicMixer, embed=32, hyper=64)
    mixer_input: MixerInput = "state"  # the world's, or the team's observations
    local_optimiser: AbstractOptimiser = Adam(ConstantSchedule(1e-3), clip=5.0)
    mixer_optimiser: AbstractOptimiser = Adam(ConstantSchedule(1e-3), clip=10.0)
    # what follows is maddpg's
    experience: AbstractExperience = MADDPG.experience
    actor: Factory[AbstractAgent] = MADDPG.actor
    critic: Factory[FeedForward] = MADDPG.critic
    critic_input: JointCriticInput = MADDPG.critic_input
    sharing: Sharing = MADDPG.sharing
    agent_id: bool = MADDPG.agent_id
    gamma: float = MADDPG.gamma
    temperature: AbstractSchedule = MADDPG.temperature
    noise: AbstractSchedule = MADDPG.noise
    regulariser: float = MADDPG.regulariser
    target: AbstractTarget = MADDPG.target
    actor_optimiser: AbstractOptimiser = MADDPG.actor_optimiser
    critic_optimiser: AbstractOptimiser = MADDPG.critic_optimiser

    @property
    def plain(self) -> MADDPG:
        """The same without local values."""
        return MADDPG(**{field.name: getattr(self, field.name) for field in fields(MADDPG)})

    def init(self, spec: Spec, key: PRNGKeyArray) -> Learner:
        team = spec.teams[0]
        critics = LocalCritics(
            self.local_critic, spec, team, self.sharing, self.agent_id, key=ops.named(key, "local")
        )
        world = world_width(self.mixer_input, spec.subset(critics.members))
        online = Mixed(critics, self.mixer(len(critics.members), world, key=ops.named(key, "mixer")))
        local = ops.init_opt_state(self.local_optimiser, critics, critics.networks.stacked)
        mixing = ops.init_opt_state(self.mixer_optimiser, online.mixer)
        begun = jnp.full((), -1, int)
        return Learner(self.plain.init(spec, key), online, ops.init_target(online), local, mixing, begun)

    def init_carry(self, spec: Spec, learner: Learner) -> Float[Array, "agents h"]:
        return self.plain.init_carry(spec, learner.plain)

    def act(self, learner: Learner, carry, obs: Observation, key, step, explore: bool):
        return self.plain.act(learner.plain, carry, obs, key, step, explore)

    def joint(self, mixed: Mixed, obs: Observation, actions: Vectors) -> Float[Array, "T 1"]:
        world = world_of(self.mixer_input, obs, mixed.critics.members)
        return mixed.mixer(mixed.critics(obs, actions), world)

    def td_error(
        self, online: Mixed, target: Mixed, t: Trajectory, did: Vectors, later: Vectors
    ) -> tuple[Float[Array, "T k"], Float[Array, "T k"]]:
        """One trajectory: the team's errors, and the joint values of what was done."""
        joint = self.joint(online, t.current_obs, did)
        ahead = self.joint(target, t.next_obs, later)
        y = ops.td_lambda(t.team_reward[:, :1], ahead, t.terminated, t.valid, self.gamma, 0.0)
        return jax.lax.stop_gradient(y) - joint, joint

    def loss(self, online: Mixed, target: Mixed, batch: Trajectory, did, later):
        error, joint = jax.vmap(self.td_error, (None, None, 0, 0, 0))(online, target, batch, did, later)
        loss = ops.mean(error**2, batch.valid)
        return loss, {"mixer_loss": loss, "q_tot": ops.mean(joint, batch.valid, exact=False)}

    def mix(self, learner: Learner, batch: Trajectory, did, later) -> tuple[tuple, Metrics]:
        """One loss, two optimisers."""
        old, opt_state = learner.online, (learner.local_opt_state, learner.mixer_opt_state)
        grads, told = ops.gradients(self.loss, old, learner.target.network, batch, did, later)
        critics, local = ops.step(
            self.local_optimiser,
            old.critics,
            opt_state[0],
            grads.critics,
            stacked=old.critics.networks.stacked,
        )
        mixer, mixing = ops.step(self.mixer_optimiser, old.mixer, opt_state[1], grads.mixer)
        return (Mixed(critics, mixer), local, mixing), told

    def update(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> tuple[Learner, Metrics]:
        plain, begun = self.plain, jnp.where(learner.begun < 0, step, learner.begun)
        alpha = self.alpha(step - begun)
        later = plain.ahead(learner.plain, batch, key, step)
        base, judged = plain.improve_critics(learner.plain, batch, later)
        did = jax.vmap(lambda t: base.online.actors.vectors(t.action, t.current_obs))(batch)
        (online, local, mixing), mixed = self.mix(learner, batch, did, later)
        joint, fresh = base.online.value, plain.fresh(batch, key, step)
        told = judged | mixed | disagreement(base.online.actors, fresh, joint, online.critics, batch)
        base, acted = plain.improve_actors(base, blended(joint, online.critics, alpha), batch, fresh)
        base = plain.followed(base)
        target = self.target(online, learner.target, base.updates)
        return Learner(base, online, target, local, mixing, begun), told | acted | {"alpha": alpha}

    def insight(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        """Each agent's value of what all did; each team member's local value, and the mixer's of them."""
        did = learner.plain.online.actors.vectors(episode.action, episode.current_obs)
        told = self.plain.insight(learner.plain, episode)
        local = learner.online.critics(episode.current_obs, did)
        return told | {"Q_local": local, "Q_tot": self.joint(learner.online, episode.current_obs, did)}
