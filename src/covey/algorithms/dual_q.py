"""MADDPG with a second, local value, which QMIX's mixer teaches to serve the team: a dual-Q hybrid.

    Q_i:        MADDPG's critic of all observations and actions, on agent i's own reward
    Q^l_i:      of agent i's own observation and action; Q_tot = f_s(Q^l_1, ..., Q^l_n), df_s / dQ^l_i >= 0
    y_tot = r_team + gamma (1 - terminated) Q_tot^-(s', Q^l-(o', a')),   a' of the target actors
    mixer, local critics:  mean over valid steps of (y_tot - Q_tot(s, Q^l(o, a)))^2
    actor i:  -mean of [alpha Q_i(x, a_1, ..., mu_i, ..., a_n) + (1 - alpha) Q^l_i(o_i, mu_i)] + c mean(z_i^2)

The team is the first one; agents outside it learn as in `maddpg`, with alpha = 1. alpha is a schedule over
steps of the environment since the first update; at 1 this is MADDPG to the bit. Local critics value only the
action taken, so the mixer is given choices of a single action.

Departures: as in `maddpg`; LayerNorm is applied to local critics' inputs too.
"""

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
from ..networks.agents import FeedForward
from ..networks.mixers import (
    AbstractMixer,
    MixerInput,
    MonotonicMixer,
    mixer_part,
    mixer_world,
    single_choices,
)
from ..parts import (
    AbstractOptimiser,
    Adam,
    ConstantSchedule,
    Factory,
    PhasesSchedule,
    UnitSchedule,
    promoted,
)
from . import maddpg
from .maddpg import MADDPG
from .off_policy.actor_step import blend_values, disagreement, policy_evaluator
from .off_policy.deterministic import LocalCritics, Vectors
from .off_policy.last_action import LastActionCarry


class LocalNetworks(eqx.Module):
    """The team's local critics, and the mixer of their values."""

    critics: LocalCritics
    mixer: AbstractMixer


class Learner(eqx.Module):
    maddpg: maddpg.Learner
    online: LocalNetworks
    target: Target[LocalNetworks]
    local_opt_state: OptState
    mixer_opt_state: OptState
    first_step: Int[Array, ""]  # of the environment at the first update; -1 before it


class DualQ(AbstractAlgorithm[Learner]):
    """MADDPG and QMIX's local values, blended; `covey describe dual_q` lists every field."""

    traits: ClassVar[Traits] = MADDPG.traits
    training_curves: ClassVar[tuple[str, ...]] = ("alpha",)  # what films show of its training
    maddpg: MADDPG = promoted(MADDPG())
    alpha: UnitSchedule = PhasesSchedule()
    local_critic: Factory[FeedForward] = Factory(FeedForward, hidden=64, depth=2, norm=True)
    mixer: Factory[AbstractMixer] = Factory(MonotonicMixer, embed=32, hyper=64)
    mixer_input: MixerInput = "state"  # the world's, or the team's observations
    local_optimiser: AbstractOptimiser = Adam(ConstantSchedule(1e-3), clip=5.0)
    mixer_optimiser: AbstractOptimiser = Adam(ConstantSchedule(1e-3), clip=10.0)

    @property
    def experience(self) -> AbstractExperience:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.maddpg.experience

    def init(self, spec: Spec, key: PRNGKeyArray) -> Learner:
        base = self.maddpg
        learner = base.init(spec, key)
        spec = base.observed_spec(spec)
        critics = LocalCritics(
            self.local_critic, spec, spec.teams[0], base.sharing, base.agent_id, key=ops.named(key, "local")
        )
        world = mixer_part(self.mixer_input, spec.subset(critics.members))
        make = self.mixer.offer(layout=world.layout)
        mixer = make(len(critics.members), world.width, 1, key=ops.named(key, "mixer"))
        online = LocalNetworks(critics, mixer)
        local_opt_state = ops.init_opt_state(self.local_optimiser, critics, critics.networks.stacked)
        mixer_opt_state = ops.init_opt_state(self.mixer_optimiser, mixer)
        first_step = jnp.full((), -1, int)
        return Learner(
            learner, online, ops.init_target(online), local_opt_state, mixer_opt_state, first_step
        )  # fmt: skip

    def init_carry(self, spec: Spec, learner: Learner) -> Float[Array, "agents h"] | LastActionCarry:
        return self.maddpg.init_carry(spec, learner.maddpg)

    def act(self, learner: Learner, carry, obs: Observation, key, step, explore: bool):
        return self.maddpg.act(learner.maddpg, carry, obs, key, step, explore)

    def joint_value(self, networks: LocalNetworks, obs: Observation, actions: Vectors) -> Float[Array, "T k"]:
        """Return the mixer's value of the team's actions."""
        world = mixer_world(self.mixer_input, obs, networks.critics.members)
        return networks.mixer(single_choices(networks.critics(obs, actions)), world)

    def td_error(
        self,
        online: LocalNetworks,
        target: LocalNetworks,
        t: Trajectory,
        actions: Vectors,
        next_actions: Vectors,
    ) -> tuple[Float[Array, "T k"], Float[Array, "T k"]]:
        """Return one trajectory's errors of the team, and its joint values of the actions taken."""
        joint = self.joint_value(online, t.current_obs, actions)
        next_joint = self.joint_value(target, t.next_obs, next_actions)
        y = ops.td_lambda(t.team_reward[:, :1], next_joint, t.terminated, t.valid, self.maddpg.gamma, 0.0)
        return jax.lax.stop_gradient(y) - joint, joint

    def loss(
        self,
        online: LocalNetworks,
        target: LocalNetworks,
        batch: Trajectory,
        actions: Array,
        next_actions: Array,
    ) -> tuple[Float[Array, ""], Metrics]:
        args = (online, target, batch, actions, next_actions)
        error, joint = jax.vmap(self.td_error, (None, None, 0, 0, 0))(*args)
        loss = ops.term("mixer_loss")(ops.mean(error**2, batch.valid))
        return loss, {"mixer_loss": loss, "q_tot": ops.mean(joint, batch.valid, exact=False)}

    def improve_local(self, learner: Learner, batch: Trajectory, actions, next_actions):
        """Take one gradient step of local critics and mixer, each with its own optimiser."""
        old = learner.online
        target = learner.target.network
        grads, metrics = ops.gradients(self.loss, old, target, batch, actions, next_actions)
        stacked = old.critics.networks.stacked
        critics, local_opt_state = ops.step(
            self.local_optimiser, old.critics, learner.local_opt_state, grads.critics, stacked
        )
        mixer, mixer_opt_state = ops.step(
            self.mixer_optimiser, old.mixer, learner.mixer_opt_state, grads.mixer
        )
        return LocalNetworks(critics, mixer), local_opt_state, mixer_opt_state, metrics

    def update(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> tuple[Learner, Metrics]:
        first_step = jnp.where(learner.first_step < 0, step, learner.first_step)
        alpha = self.alpha(step - first_step)
        if self.maddpg.last_action:
            batch = jax.vmap(lambda t: self.maddpg.observed(learner.maddpg, t))(batch)
        next_actions = self.maddpg.next_actions(learner.maddpg, batch, key, step)
        base, metrics = self.maddpg.improve_critics(learner.maddpg, batch, next_actions)
        actors = base.online.actors
        actions = jax.vmap(lambda t: actors.vectors(t.action, t.current_obs))(batch)
        online, local_opt_state, mixer_opt_state, local_metrics = self.improve_local(
            learner, batch, actions, next_actions
        )
        joint = base.online.value
        evaluate = policy_evaluator(batch, key, self.maddpg.temperature(step))
        metrics |= local_metrics | disagreement(actors, evaluate, joint, online.critics, batch)
        value = blend_values(joint, online.critics, alpha)
        base, actor_metrics = self.maddpg.improve_actors(base, value, batch, evaluate)
        base = self.maddpg.update_target(base)
        target = self.maddpg.target(online, learner.target, base.updates)
        learner = Learner(base, online, target, local_opt_state, mixer_opt_state, first_step)
        return learner, metrics | actor_metrics | {"alpha": alpha}

    def insight(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        """Return MADDPG's insight, each team member's local value, and the mixer's joint value."""
        insight = self.maddpg.insight(learner.maddpg, episode)
        obs = self.maddpg.observed(learner.maddpg, episode).current_obs
        actions = learner.maddpg.online.actors.vectors(episode.action, obs)
        local = learner.online.critics(obs, actions)
        return insight | {"Q_local": local, "Q_tot": self.joint_value(learner.online, obs, actions)}

    def decisions(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T *k"]]:
        return self.maddpg.decisions(learner.maddpg, episode)
