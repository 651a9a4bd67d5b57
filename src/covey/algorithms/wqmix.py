"""Weighted QMIX (Rashid et al., 2020): CW-QMIX and OW-QMIX.

    y_t = r_t + gamma (1 - terminated_t) Q*^-(tau', u*, s'),      u*_i = argmax over legal u of Q_i(tau'_i, u)
    loss = mean over valid steps of w (y - Q_tot)^2 + (y - Q*(tau, u, s))^2,    u: the actions taken

Q_tot is QMIX's, and its agents act; Q* has agents of its own and a mixer that need not be monotone. Both
learn from one target, at the actions taken. w, a constant, lets Q_tot be right where it matters:

    central (CW):     w = 1 where u = u* or y > Q*^-(tau, u*, s), else alpha
    optimistic (OW):  w = 1 where Q_tot < y, else alpha

alpha = 1 weighs nothing; `central=false` is without Q*: Q_tot's own target network stands for Q*^-.
Departures: those of QMIX.
"""

import abc
from dataclasses import replace
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from .. import ops
from ..core import (
    AbstractAlgorithm,
    AbstractExperience,
    AgentGradients,
    Metrics,
    Observation,
    OptState,
    Spec,
    Target,
    Traits,
    Trajectory,
)
from ..networks.agents import AbstractAgent, AgentCarry, Recurrent, gradients_by_agent, init_agent_carry
from ..networks.mixers import AbstractMixer, UnrestrictedMixer
from ..parts import Factory, Number, promoted
from ..ranges import Unit
from .qmix import QMIX, ValueNetworks


class AbstractWeighting(eqx.Module):
    """The weight of each step's error.

    `best` is Q*^-(tau, u*, s), `greedy` says where u* was taken.
    """

    @abc.abstractmethod
    def __call__(
        self, q_tot: Float[Array, "T k"], y: Float[Array, "T k"], best: Float[Array, "T k"],
        greedy: Bool[Array, "T 1"], alpha: Number,
    ) -> Float[Array, "T k"]: ...  # fmt: skip


class CentralWeighting(AbstractWeighting):
    """CW: 1 for the greedy joint action, and for one that is better."""

    def __call__(self, q_tot, y, best, greedy, alpha):
        return jnp.where(greedy | (y > best), 1.0, alpha)


class OptimisticWeighting(AbstractWeighting):
    """OW: 1 for an undervalued joint action."""

    def __call__(self, q_tot, y, best, greedy, alpha):
        return jnp.where(q_tot < y, 1.0, alpha)


class WeightedNetworks(eqx.Module):
    monotonic: ValueNetworks  # of Q_tot
    central: ValueNetworks | None  # of Q*

    @property
    def bootstrap(self) -> ValueNetworks:
        """The networks whose target gives y."""
        return self.monotonic if self.central is None else self.central


class Learner(eqx.Module):
    online: WeightedNetworks
    target: Target[ValueNetworks]
    opt_state: OptState
    updates: Int[Array, ""]


class WQMIX(AbstractAlgorithm[Learner]):
    """QMIX whose errors are weighted, beside an unrestricted Q*; `covey describe wqmix` lists every field."""

    traits: ClassVar[Traits] = QMIX.traits
    qmix: QMIX = promoted(QMIX(), without=("double", "standardise_rewards"))
    weighting: AbstractWeighting = CentralWeighting()
    alpha: Unit = 0.1  # the weight of what matters less; 1: no weighting
    central: bool = True  # false: without Q*
    central_agent: Factory[AbstractAgent] = Factory(Recurrent, hidden=64)
    central_mixer: Factory[AbstractMixer] = Factory(UnrestrictedMixer, hidden=256, depth=3)

    @property
    def experience(self) -> AbstractExperience:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.qmix.experience

    def init(self, spec: Spec, key: PRNGKeyArray) -> Learner:
        central = None
        if self.central:
            parts = (self.central_agent, self.central_mixer)
            unrestricted = eqx.tree_at(lambda qmix: (qmix.agent, qmix.mixer), self.qmix, parts)
            central = unrestricted.init_networks(spec, ops.named(key, "central"), "central_agent")
        online = WeightedNetworks(self.qmix.init_networks(spec, key), central)
        opt_state = ops.init_opt_state(self.qmix.optimiser, online)
        return Learner(online, ops.init_target(online.bootstrap), opt_state, jnp.zeros((), int))

    def init_carry(self, spec: Spec, learner: Learner) -> AgentCarry:
        return init_agent_carry(learner.online.monotonic.agents)

    def act(self, learner: Learner, carry: AgentCarry, obs: Observation, key, step, explore: bool):
        return self.qmix.choose(learner.online.monotonic.agents, carry, obs, key, step, explore)

    def evaluate(
        self, online: WeightedNetworks, target: ValueNetworks, episode: Trajectory
    ) -> dict[str, Float[Array, "T k"]]:
        """Return one episode's joint values of the actions taken, their targets and weights."""
        qmix = self.qmix
        taken = lambda networks, q: qmix.joint_value(networks, q[:-1], episode.action, episode.current_obs)
        q = qmix.agent_values(online.monotonic, episode)
        best = jnp.argmax(ops.masked(q, episode.obs.legal), axis=-1)
        best_value = qmix.joint_value(target, qmix.agent_values(target, episode), best, episode.obs)
        y = qmix.td_target(episode, best_value[1:])
        greedy = jnp.all(best[:-1] == episode.action, axis=-1, keepdims=True)
        q_tot = taken(online.monotonic, q)
        weight = self.weighting(q_tot, y, best_value[:-1], greedy, self.alpha)
        values = {"y": y, "weight": jax.lax.stop_gradient(weight), "q_tot": q_tot}
        if online.central is not None:
            values["q_star"] = taken(online.central, qmix.agent_values(online.central, episode))
        return values

    def loss(
        self, online: WeightedNetworks, target: ValueNetworks, batch: Trajectory
    ) -> tuple[Float[Array, ""], Metrics]:
        values = jax.vmap(self.evaluate, in_axes=(None, None, 0))(online, target, batch)
        y = values.pop("y")
        terms = {"loss": ops.mean(values["weight"] * (y - values["q_tot"]) ** 2, batch.valid)}
        if self.central:
            terms["central_loss"] = ops.mean((y - values["q_star"]) ** 2, batch.valid)
        values["td_error"] = jnp.abs(y - values["q_tot"])
        metrics = {name: ops.mean(x, batch.valid, exact=False) for name, x in values.items()}
        return ops.total(terms, **dict.fromkeys(terms, 1.0)), metrics | terms

    def update(self, learner: Learner, batch: Trajectory, key: PRNGKeyArray, step) -> tuple[Learner, Metrics]:
        online, opt_state, metrics = ops.descend_by_rows(
            self.qmix.optimiser, self.loss, learner.online, learner.opt_state, learner.target.network, batch
        )
        updates = learner.updates + 1
        target = self.qmix.target(online.bootstrap, learner.target, updates)
        metrics["epsilon"] = self.qmix.epsilon(step)
        return Learner(online, target, opt_state, updates), metrics

    def agent_gradients(self, learner: Learner, batch: Trajectory, step) -> AgentGradients:
        """Return each agent's part of the loss's gradient on the agents' networks, through Q_tot's mixer."""
        online = learner.online
        networks = lambda agents: replace(online, monotonic=replace(online.monotonic, agents=agents))
        loss = lambda agents: self.loss(networks(agents), learner.target.network, batch)[0]
        return gradients_by_agent(loss, online.monotonic.agents)

    def insight(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T k"]]:
        values = self.evaluate(learner.online, learner.target.network, episode)
        return {"Q_tot": values["q_tot"]} | ({"central Q": values["q_star"]} if self.central else {})

    def decisions(self, learner: Learner, episode: Trajectory) -> dict[str, Float[Array, "T *k"]]:
        return self.qmix.explain_choices(learner.online.monotonic, episode)
