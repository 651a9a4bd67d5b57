"""Weighted QMIX (Rashid et al., 2020): CW-QMIX and OW-QMIX.

    y_t = r_t + gamma (1 - terminated_t) Q*^-(tau', u*, s'),      u*_i = argmax over legal u of Q_i(tau'_i, u)
    loss = mean over valid steps of w (y - Q_tot)^2 + (y - Q*(tau, u, s))^2,    u: what was done

Q_tot is QMIX's, and its agents act; Q* has agents of its own and a mixer that need not be monotone. Both
learn from one target, at the actions taken. w, a constant, lets Q_tot be right where it matters:

    central (CW):     w = 1 where u = u* or y > Q*^-(tau, u*, s), else alpha
    optimistic (OW):  w = 1 where Q_tot < y, else alpha

alpha = 1 weighs nothing; `central=false` is without Q*: Q_tot's own target network stands for Q*^-.
Departures: those of QMIX.
"""

import abc
from dataclasses import replace
from typing import ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

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
from ..experience import Replay
from ..networks.agents import AbstractAgent, AgentCarry, Recurrent, Sharing, init_agent_carry
from ..networks.mixers import AbstractMixer, MonotonicMixer, UnrestrictedMixer
from ..parts import (
    AbstractOptimiser,
    AbstractSchedule,
    AbstractTarget,
    Factory,
    HardTarget,
    LinearSchedule,
    RMSProp,
)
from .qmix import QMIX, Networks


class AbstractWeighting(eqx.Module):
    """How much each step's error counts; `best` is Q*^-(tau, u*, s), `greedy` where that was done."""

    @abc.abstractmethod
    def __call__(
        self, q_tot: Float[Array, "T k"], y: Float[Array, "T k"], best: Float[Array, "T k"],
        greedy: Bool[Array, "T 1"], alpha: float,
    ) -> Float[Array, "T k"]: ...  # fmt: skip


class CentralWeighting(AbstractWeighting):
    """CW: all of it for the greedy joint action, and for what is better than that."""

    def __call__(self, q_tot, y, best, greedy, alpha):
        return jnp.where(greedy | (y > best), 1.0, alpha)


class OptimisticWeighting(AbstractWeighting):
    """OW: all of it for what is undervalued."""

    def __call__(self, q_tot, y, best, greedy, alpha):
        return jnp.where(q_tot < y, 1.0, alpha)


class Pair(eqx.Module):
    plain: Networks  # of Q_tot
    central: Networks | None  # of Q*

    @property
    def judge(self) -> Networks:  # its target network gives the targets
        return self.plain if self.central is None else self.central


class Learner(eqx.Module):
    online: Pair
    target: Target[Networks]
    opt_state: OptState
    updates: Int[Array, ""]


class WQMIX(AbstractAlgorithm[Learner]):
    """QMIX whose errors are weighted, beside an unrestricted Q*; `covey describe wqmix` lists every field."""

    traits: ClassVar[Traits] = QMIX.traits
    experience: AbstractExperience = Replay(capacity=5000, batch_size=32)
    weighting: AbstractWeighting = CentralWeighting()
    alpha: float = 0.1  # the weight of what matters less; 1: no weighting
    agent: Factory[AbstractAgent] = Factory(Recurrent, hidden=64)
    mixer: Factory[AbstractMixer] = Factory(MonotonicMixer, embed=32, hyper=64)
    central: bool = True  # false: without Q*
    central_agent: Factory[AbstractAgent] = Factory(Recurrent, hidden=64)
    central_mixer: Factory[AbstractMixer] = Factory(UnrestrictedMixer, hidden=256, depth=3)
    sharing: Sharing = "team"
    last_action: bool = True  # among an agent's inputs, one-hot
    agent_id: bool = True  # likewise
    mixer_input: Literal["state", "observations"] = "state"  # the world's, or the team's observations
    gamma: float = 0.99
    lam: float = 0.0  # of TD(lambda); 0: one-step targets
    epsilon: AbstractSchedule = LinearSchedule(1.0, 0.05, 50_000)
    target: AbstractTarget = HardTarget(200)
    optimiser: AbstractOptimiser = RMSProp()

    @property
    def qmix(self) -> QMIX:
        """How Q_tot is made, and how it and Q* are looked at."""
        how = self.sharing, self.last_action, self.agent_id, self.mixer_input
        return QMIX(self.experience, self.agent, self.mixer, *how)

    def init(self, spec: Spec, key: PRNGKeyArray) -> Learner:
        central = replace(self.qmix, agent=self.central_agent, mixer=self.central_mixer)
        central = central.networks(spec, ops.named(key, "central")) if self.central else None
        online = Pair(self.qmix.networks(spec, key), central)
        return Learner(
            online,
            ops.init_target(online.judge),
            ops.init_opt_state(self.optimiser, online),
            jnp.array(0, int),
        )

    def init_carry(self, spec: Spec, learner: Learner) -> AgentCarry:
        return init_agent_carry(learner.online.plain.agents)

    def act(self, learner: Learner, carry: AgentCarry, obs: Observation, key, step, explore: bool):
        return self.qmix.play(learner.online.plain, carry, obs, key, self.epsilon(step) if explore else 0.0)

    def told(self, online: Pair, target: Networks, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        """One episode, as in the paper: joint values of what was done, their target and weight."""
        see = self.qmix
        taken = lambda networks, q: see.mix(networks, ops.take(q[:-1], episode.action), episode.current_obs)
        q = see.values(online.plain, episode)
        best = jnp.argmax(ops.masked(q, episode.obs.legal), axis=-1)
        judged = see.mix(target, ops.take(see.values(target, episode), best), episode.obs)
        reward = jnp.broadcast_to(episode.team_reward[:, :1], judged[1:].shape)
        y = ops.td_lambda(reward, judged[1:], episode.terminated, episode.valid, self.gamma, self.lam)
        greedy = jnp.all(best[:-1] == episode.action, axis=-1, keepdims=True)
        weight = self.weighting(q_tot := taken(online.plain, q), y, judged[:-1], greedy, self.alpha)
        constant = jax.lax.stop_gradient({"y": y, "weight": weight})
        if online.central is None:
            return constant | {"q_tot": q_tot}
        q_star = taken(online.central, see.values(online.central, episode))
        return constant | {"q_tot": q_tot, "q_star": q_star}

    def loss(self, online: Pair, target: Networks, batch: Trajectory) -> tuple[Float[Array, ""], Metrics]:
        told = jax.vmap(self.told, in_axes=(None, None, 0))(online, target, batch)
        y, weight = told.pop("y"), told["weight"]
        terms = {"loss": ops.mean(weight * (y - told["q_tot"]) ** 2, batch.valid)}
        if self.central:
            terms["central_loss"] = ops.mean((y - told["q_star"]) ** 2, batch.valid)
        told["td_error"] = jnp.abs(y - told["q_tot"])
        metrics = {name: ops.mean(x, batch.valid, exact=False) for name, x in told.items()}
        return sum(terms.values(), jnp.zeros(())), metrics | terms

    def insight(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        told = self.told(learner.online, learner.target.network, episode)
        return {"Q_tot": told["q_tot"]} | ({"central Q": told["q_star"]} if self.central else {})

    def update(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> tuple[Learner, Metrics]:
        online, optimiser, metrics = ops.descend(
            self.optimiser, self.loss, learner.online, learner.opt_state, learner.target.network, batch
        )
        target = self.target(online.judge, learner.target, updates := learner.updates + 1)
        return Learner(online, target, optimiser, updates), metrics | {"epsilon": self.epsilon(step)}
