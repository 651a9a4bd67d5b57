"""PQN, Q-learning without replay and target network (Gallici et al., 2024), for teams: PQN-VDN, PQN-QMIX.

    Q_tot(tau, u, s) = f_s(Q_1(tau_1, u_1), ..., Q_n(tau_n, u_n)),      f_s as in QMIX
    V_t = Q_tot(tau_t, u*, s_t),      u*_i = argmax over legal u of Q_i(tau_i,t, u)
    G_t = r_t + gamma (1 - terminated_t) [(1 - lam) V_{t+1} + lam G_{t+1}]
    loss = mean over valid steps of (G - Q_tot)^2

G is Peng's Q(lambda) (Peng and Williams, 1994); its last term is V_{t+1} where an episode or the rollout
ends. An iteration learns from new rollouts alone, in some epochs of shuffled minibatches of whole rollouts,
which start from the carry that acting had there. G takes no gradient. The network that learns gives it anew
in each minibatch, as in the authors' recurrent code; their feed-forward code takes the values of acting, once
an iteration, and shuffles single steps. LayerNorm in the agents' networks keeps this stable.

Departures: a time limit bootstraps; every step of a rollout is learned from, where the authors' recurrent
code leaves out the last, and may begin with steps of the rollout before; LayerNorm takes the input and what
leaves an activation, without scale and shift, theirs what enters one, with both. Their only mixer is the sum.
"""

from dataclasses import replace
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .. import ops
from ..core import (
    AbstractAlgorithm,
    AbstractExperience,
    AgentGradients,
    Metrics,
    Observation,
    OptState,
    Spec,
    Traits,
    Trajectory,
)
from ..experience import OnPolicy
from ..networks.agents import AgentCarry, Recurrent, gradients_by_agent, init_agent_carry
from ..parts import ConstantSchedule, Factory, LinearSchedule, RAdam, promoted
from ..ranges import Count, Epochs
from .on_policy.passes import run_epochs
from .qmix import QMIX, ValueNetworks


class Learner(eqx.Module):
    online: ValueNetworks
    opt_state: OptState


class PQN(AbstractAlgorithm[Learner]):
    """Value factorisation from new rollouts alone; `covey describe pqn_vdn` lists every field."""

    traits: ClassVar[Traits] = Traits(
        centralised=True, on_policy=True, discrete=True, continuous=False, recurrent=True, cooperative=True
    )
    experience: AbstractExperience = OnPolicy(steps=16)
    qmix: QMIX = promoted(
        QMIX(
            agent=Factory(Recurrent, hidden=256, depth=2, norm=True),
            last_action=False,
            gamma=0.9,
            lam=0.3,
            epsilon=LinearSchedule(1.0, 0.1, 200_000),
            optimiser=RAdam(ConstantSchedule(5e-4), clip=1.0),
        ),
        without=("double", "target", "standardise_rewards"),
    )
    epochs: Epochs = 4
    minibatches: Count = 4

    def init(self, spec: Spec, key: PRNGKeyArray) -> Learner:
        online = self.qmix.init_networks(spec, key)
        return Learner(online, ops.init_opt_state(self.qmix.optimiser, online))

    def init_carry(self, spec: Spec, learner: Learner) -> AgentCarry:
        return init_agent_carry(learner.online.agents)

    def act(self, learner: Learner, carry: AgentCarry, obs: Observation, key, step, explore: bool):
        after, action, _ = self.qmix.choose(learner.online.agents, carry, obs, key, step, explore)
        return after, action, carry

    def evaluate(
        self, online: ValueNetworks, t: Trajectory, start: AgentCarry
    ) -> tuple[Float[Array, "T k"], Float[Array, "T k"]]:
        """Return a rollout's joint values of the actions taken, and their targets."""
        q = self.qmix.agent_values(online, t, start)
        best = jnp.argmax(ops.masked(q, t.obs.legal), axis=-1)
        joint = self.qmix.joint_value(online, q[:-1], t.action, t.current_obs)
        next_joint = self.qmix.joint_value(online, q[1:], best[1:], t.next_obs)
        return joint, self.qmix.td_target(t, next_joint)

    def loss(self, online: ValueNetworks, batch: Trajectory) -> tuple[Float[Array, ""], Metrics]:
        """Return the loss of rollouts, whose `extras` are the carries at their starts."""
        joint, y = jax.vmap(lambda t: self.evaluate(online, t, t.extras))(batch)
        loss = ops.term("loss")(ops.mean((y - joint) ** 2, batch.valid))
        average = lambda x: ops.mean(x, batch.valid, exact=False)
        return loss, {"loss": loss, "q_tot": average(joint), "td_error": average(jnp.abs(y - joint))}

    def update(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> tuple[Learner, Metrics]:
        def improve(learner: Learner, rollouts: Trajectory) -> tuple[Learner, Metrics]:
            online, opt_state, metrics = ops.descend(
                self.qmix.optimiser, self.loss, learner.online, learner.opt_state, rollouts
            )
            return Learner(online, opt_state), metrics

        learner, metrics = run_epochs(improve, learner, with_start(batch), self.epochs, self.minibatches, key)
        return learner, metrics | {"epsilon": self.qmix.epsilon(step)}

    def agent_gradients(self, learner: Learner, batch: Trajectory, step) -> AgentGradients:
        """Return each agent's part of the loss's gradient on the agents' networks, through the mixer."""
        loss = lambda agents: self.loss(replace(learner.online, agents=agents), with_start(batch))[0]
        return gradients_by_agent(loss, learner.online.agents)

    def insight(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        return self.qmix.explain(learner.online, episode)

    def decisions(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T *k"]]:
        return self.qmix.explain_choices(learner.online, episode)


def with_start(batch: Trajectory) -> Trajectory:
    """Return rollouts with the carries at their starts alone."""
    return replace(batch, extras=jax.tree.map(lambda x: x[:, 0], batch.extras))
