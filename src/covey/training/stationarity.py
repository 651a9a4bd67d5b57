"""Non-stationarity: how far a team moves between two moments of its training, and what that does to agents.

Everything compares the learners of today with those of yesterday, an earlier moment of the same run:

    kl             KL(pi_i of yesterday || pi_i of today), the mean over steps in which i lives
    action_change  the share of greedy actions that differ; continuous: the mean distance, as a share of the
                   range
    return         of greedy episodes that begin alike: everybody of yesterday, everybody of today, and
                   agent i of today among partners of yesterday
    interference   cosine between the gradients of two agents on the weights that they share

All but the returns are taken on exploring episodes of today's team. Agents act independently given what they
observe, so the KL of the joint policy is the sum of the agents'.
"""

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree, Shaped

from ..core import (
    AbstractAlgorithm,
    AbstractExperience,
    AgentGradients,
    HasAgentGradients,
    HasPolicy,
    Observation,
    Traits,
    Trajectory,
)
from ..ops import named
from .learners import LearnerSlot, view_as
from .loop import Trainer, where_over

Measures = dict[str, Float[Array, ""]]


class Mixture(eqx.Module):
    """A team whose agents follow one of two learners, each its own."""

    new: PyTree[Array]
    old: PyTree[Array]
    is_new: Bool[Array, " agents"]


class MixedTeam(AbstractAlgorithm[Mixture]):
    """An algorithm whose agents act by the one or the other of two learners; it does not learn."""

    traits = Traits(True, True, True, True, True, True)
    experience: AbstractExperience
    inner: AbstractAlgorithm

    def init(self, spec, key):
        raise NotImplementedError

    def init_carry(self, spec, learner):
        return self.inner.init_carry(spec, learner.new), self.inner.init_carry(spec, learner.old)

    def act(self, learner, carry, obs, key, step, explore):
        new, action, _ = self.inner.act(learner.new, carry[0], obs, key, step, explore)
        old, old_action, _ = self.inner.act(learner.old, carry[1], obs, key, step, explore)
        is_new = learner.is_new.reshape(-1, *[1] * (action.ndim - 1))
        return (new, old), jnp.where(is_new, action, old_action), None

    def update(self, learner, batch, key, step):
        raise NotImplementedError


def mixed_returns(
    trainer: Trainer,
    new: tuple,
    old: tuple,
    newcomers: Bool[Array, "rows agents"],
    key: PRNGKeyArray,
    steps: Int[Array, ""],
    episodes: int,
) -> Float[Array, "rows teams"]:
    """Return each team's greedy return for each row of `newcomers`, the mean over the same episodes.

    The agents marked in a row follow the new learners, the others the old ones.
    """
    slots = tuple(
        replace(slot, algorithm=MixedTeam(slot.algorithm.experience, slot.algorithm))
        for slot in trainer.slots
    )
    mixed = replace(trainer, slots=slots)

    def play(is_new: Bool[Array, " agents"]) -> Float[Array, " teams"]:
        members = [is_new[np.array(slot.members)] for slot in trainer.slots]
        learners = tuple(Mixture(*x) for x in zip(new, old, members, strict=True))
        return mixed.evaluate(learners, key, steps, episodes)["teams"].mean(axis=0)

    return jax.lax.map(play, newcomers)


def newcomer_rows(agents: tuple[int, ...], everybody: int) -> Bool[np.ndarray, "rows agents"]:
    """Return rows that mark nobody, all of `agents`, and then one of them each."""
    one_each = np.arange(everybody) == np.array(agents, int)[:, None]
    together = one_each.any(axis=0, keepdims=True)
    return np.concatenate([np.zeros_like(together), together, one_each])


def action_change(
    slot: LearnerSlot, new: PyTree, old: PyTree, view: Trajectory, trainer: Trainer, steps: Int[Array, ""]
) -> Float[Array, "n T agents"]:
    """Return how much each greedy action differs, when both learners observe the same episodes.

    Agents that read their last actions read those that they would have taken.
    """
    spec = slot.spec(trainer.spec)
    range_ = 1.0 if spec.bounds is None else spec.bounds[1] - spec.bounds[0]

    def actions(learner: PyTree) -> Shaped[Array, "T n agents ..."]:
        start = slot.algorithm.init_carry(spec, learner)
        start = jax.tree.map(lambda x: jnp.broadcast_to(x, (view.valid.shape[0], *x.shape)), start)

        def act(carry: PyTree, obs: Observation) -> tuple[PyTree, Array]:
            carry = where_over(obs.first, start, carry)
            one = lambda carry, obs: slot.algorithm.act(learner, carry, obs, key, steps, False)[:2]
            return jax.vmap(one)(carry, obs)

        key = jax.random.key(0)  # greedy actions draw nothing
        observations = jax.tree.map(lambda x: jnp.moveaxis(x[:, :-1], 1, 0), view.obs)
        return jax.lax.scan(act, start, observations)[1]

    new_actions = actions(new)
    old_actions = actions(old)
    if spec.bounds is None:
        return jnp.moveaxis(1.0 * (new_actions != old_actions), 0, 1)
    return jnp.moveaxis(jnp.mean(jnp.abs(new_actions - old_actions), axis=-1) / range_, 0, 1)


def interference(gradients: AgentGradients) -> Float[Array, " agents"]:
    """Return each agent's mean cosine with the others that share its weights; NaN if there are none."""
    g = gradients.gradient
    length = jnp.sqrt(jnp.sum(g**2, axis=1))
    cosine = g @ g.T / jnp.maximum(length[:, None] * length, 1e-20)
    groups = np.array(gradients.groups)
    pairs = (groups[:, None] == groups) & ~np.eye(len(groups), dtype=bool)
    total = jnp.sum(jnp.where(pairs, cosine, 0.0), axis=1)
    count = pairs.sum(axis=1)
    return jnp.where(count > 0, total / np.maximum(count, 1), jnp.nan)


def measurable(slot: LearnerSlot) -> dict[str, bool]:
    """Say which measurements an algorithm can give beyond those that every algorithm gives."""
    return {
        "kl": isinstance(slot.algorithm, HasPolicy),
        "interference": isinstance(slot.algorithm, HasAgentGradients),
    }


def measure(
    trainer: Trainer, new: tuple, old: tuple, key: PRNGKeyArray, steps: Int[Array, ""], episodes: int
) -> Measures:
    """Return all measurements between two moments of a run, by name."""
    key = named(key, "stationarity")
    measures = _return_measures(trainer, new, old, named(key, "returns"), steps, episodes)
    actors = trainer.begin(new, named(key, "begin"), episodes)
    joint = trainer.rollout(new, actors, key, steps, trainer.spec.horizon).trajectory
    names = trainer.spec.names
    for i, slot in enumerate(trainer.slots):
        if slot.learns:
            view = view_as(slot, trainer.spec, slot.own_rollouts(joint))
            own = _slot_measures(slot, trainer, new[i], old[i], view, steps)
            for name, values in own.items():
                measures |= {f"{name}/{names[m]}": x for m, x in zip(slot.members, values, strict=True)}
                measures[slot.label(name, trainer.slots)] = jnp.nanmean(values)
            if "kl" in own:
                measures[slot.label("joint_kl", trainer.slots)] = jnp.sum(own["kl"])
    return measures


def _return_measures(
    trainer: Trainer, new: tuple, old: tuple, key: PRNGKeyArray, steps: Int[Array, ""], episodes: int
) -> Measures:
    spec = trainer.spec
    learning = [slot for slot in trainer.slots if slot.learns]
    agents = tuple(sorted(m for slot in learning for m in slot.members))
    teams = spec.teams
    side_of = {m: teams.index(team) for team in teams for m in spec.members(team)}
    newcomers = jnp.asarray(newcomer_rows(agents, spec.agents))
    returns = mixed_returns(trainer, new, old, newcomers, key, steps, episodes)
    measures: Measures = {}
    for side in dict.fromkeys(side_of[m] for m in agents):
        measures[f"return/yesterday/{teams[side]}"] = returns[0, side]
        measures[f"return/today/{teams[side]}"] = returns[1, side]
        rows = [row for row, m in enumerate(agents, 2) if side_of[m] == side]
        measures[f"return/one_of_today/{teams[side]}"] = jnp.mean(returns[np.array(rows), side])
    return measures | {
        f"return/one_of_today/{spec.names[m]}": returns[row, side_of[m]] for row, m in enumerate(agents, 2)
    }


def _slot_measures(
    slot: LearnerSlot, trainer: Trainer, new: PyTree, old: PyTree, view: Trajectory, steps: Int[Array, ""]
) -> dict[str, Float[Array, " agents"]]:
    """Return a learner's measurements, a number for each of its agents."""
    active = view.valid[..., None] & view.obs.alive[:, :-1]
    mean = lambda x: jnp.sum(x * active, axis=(0, 1)) / jnp.maximum(jnp.sum(active, axis=(0, 1)), 1)
    measures = {"action_change": mean(action_change(slot, new, old, view, trainer, steps))}
    algorithm: Any = slot.algorithm
    if isinstance(algorithm, HasPolicy):
        kl = lambda t: algorithm.policy(old, t, steps).kl(algorithm.policy(new, t, steps))
        measures["kl"] = mean(jax.vmap(kl)(view))
    if isinstance(algorithm, HasAgentGradients):
        measures["interference"] = interference(algorithm.agent_gradients(new, view, steps))
    return measures
