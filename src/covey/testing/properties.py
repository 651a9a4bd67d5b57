"""Properties of an algorithm that learns: it seeks reward, and its first ratios are 1."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ..core import AbstractAlgorithm, AbstractEnvironment, Action, Observation, Spec, Step
from ..ops import named
from ..ops.watching import watching_ratios
from ..training.learners import LearnerSlot, observe_as, view_as
from ..training.loop import Trainer

_UPDATES = 300
_SEEDS = 8
_COPIES = 8


class Payday(AbstractEnvironment[Int[Array, " n"]]):
    """One step, after which each of two agents is paid for its own action: 1 for the last one, else 0.

    Continuous actions are paid by their size, from 0 at the low bound to 1 at the high one.
    """

    spec: Spec

    def __init__(self, continuous: bool = False):
        bounds = (-1.0, 1.0) if continuous else None
        actions = 1 if continuous else 2
        self.spec = Spec(("left", "right"), features=2, state=2, actions=actions, horizon=1, bounds=bounds)

    def observe(self, t: Int[Array, " n"]) -> Observation:
        n = len(t)
        agents = jnp.broadcast_to(jnp.eye(2), (n, 2, 2))
        legal = jnp.ones((n, 2, self.spec.actions), bool)
        return Observation(agents, jnp.ones((n, 2)), legal, jnp.ones((n, 2), bool), t == 0)

    def pay(self, action: Action) -> Float[Array, "n agents"]:
        """Return each agent's reward."""
        return (action[..., 0] + 1) / 2 if self.spec.bounds else 1.0 * (action == 1)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[Int[Array, " n"], Observation]:
        t = jnp.zeros(n, int)
        return t, self.observe(t)

    def step(
        self, state: Int[Array, " n"], action: Action, key: PRNGKeyArray
    ) -> tuple[Int[Array, " n"], Step]:
        t = state + 1
        reward = self.pay(action)
        over: Bool[Array, " n"] = t > 0
        return t, Step(self.observe(t), reward, self.spec.team_mean(reward), over, jnp.zeros_like(over))


class Earned(NamedTuple):
    """The mean pay of greedy play, before and after some updates; 0 to 1."""

    before: float
    after: float
    updates: int

    @property
    def shuns(self) -> bool:
        """Whether it has learned to avoid what pays."""
        return self.after < 0.25 and self.after < self.before - 0.15

    def __str__(self) -> str:
        shares = f"{self.before:.0%} → {self.after:.0%}".replace("%", " %")
        return f"of what one step can pay, greedy play gets {shares} in {self.updates} updates"


def trainer_of(algorithm: AbstractAlgorithm, env: AbstractEnvironment) -> Trainer:
    """Return the training loop of one learner of all agents."""
    slot = LearnerSlot("learner", algorithm, tuple(range(env.spec.agents)))
    length = algorithm.experience.rollout_length(env.spec, _COPIES)
    return Trainer(env, (slot,), _COPIES, length)


def learned_pay(algorithm: AbstractAlgorithm) -> Earned:
    """Train in a world that pays for one of two actions, and say what greedy play earns."""
    env = Payday(not algorithm.traits.discrete)
    trainer = trainer_of(algorithm, env)
    slot = trainer.slots[0]
    each = max(1, slot.updates(trainer.shape))
    iterations = -(-_UPDATES // each)
    clocks = jnp.arange(slot.warmup(trainer.shape) + iterations)

    def greedy_pay(state: Any) -> Float[Array, ""]:
        _, obs = env.reset(jr.key(0), 1)
        one = jax.tree.map(lambda x: x[0], observe_as(slot, obs))
        learner = state.learners[0]
        carry = algorithm.init_carry(slot.spec(env.spec), learner)
        action = algorithm.act(learner, carry, one, jr.key(0), state.steps, False)[1]
        return jnp.mean(env.pay(action[None]))

    def run(key: PRNGKeyArray) -> tuple[Float[Array, ""], Float[Array, ""]]:
        state = trainer.init(key)
        after, _ = jax.lax.scan(
            lambda state, clock: (trainer.iteration(state, clock)[0], None), state, clocks
        )
        return greedy_pay(state), greedy_pay(after)

    keys = jax.vmap(lambda seed: named(jr.key(0), "pay", seed))(jnp.arange(_SEEDS))
    before, after = jax.jit(lambda keys: jax.lax.map(run, keys))(keys)
    return Earned(float(before.mean()), float(after.mean()), iterations * each)


def first_ratio_gap(algorithm: AbstractAlgorithm, env: AbstractEnvironment) -> float | None:
    """Return how far from 1 the ratios of the first pass are that `ops.surrogate` receives, by their median.

    None: it receives none, or they cannot be looked at.
    """
    trainer = trainer_of(algorithm, env)
    slot = trainer.slots[0]
    gaps: list[float] = []

    def update(key: PRNGKeyArray) -> Any:
        clock = jnp.array(0)
        state, rollouts, _ = trainer.collect(trainer.init(key), clock)
        own = slot.own_rollouts(rollouts)
        state = trainer.remember(state, rollouts, clock)
        batch = algorithm.experience.batch(env.spec, state.buffers[0], own, clock, named(key, "batch"))
        return algorithm.update(state.learners[0], view_as(slot, env.spec, batch), key, state.steps)[0]

    def look(ratio: Float[Array, "..."]) -> None:
        jax.debug.callback(lambda gap: gaps.append(float(gap)), jnp.median(jnp.abs(ratio - 1)), ordered=False)

    try:
        with watching_ratios(look):
            jax.block_until_ready(eqx.filter(jax.jit(update)(jr.key(0)), eqx.is_array))
        jax.effects_barrier()
    except Exception:  # a callback has no place in it, as under jax.checkpoint
        return None
    return gaps[0] if gaps else None
