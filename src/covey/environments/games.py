"""Matrix games: small enough to enumerate, hard enough to tell the algorithms apart."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ..core import AbstractEnvironment, Action, Observation, PayoffTable, Spec, Step
from ..errors import SettingError
from ..ranges import Count, FiniteNumber

_TWO_STEP_PAYOFFS = np.array([[[0.0, 0], [0, 0]], [[7, 7], [7, 7]], [[0, 1], [1, 8]]])  # by state
_QTRAN_PAYOFFS = [[8, -12, -12], [-12, 0, 0], [-12, 0, 0]]


def _public_observation(
    state: Float[Array, "n state"], legal: np.ndarray, first: Bool[Array, " n"]
) -> Observation:
    """Return an observation in which every agent sees the whole state and stays to the end."""
    n = len(state)
    agents = len(legal)
    return Observation(
        agents=jnp.broadcast_to(state[:, None], (n, agents, state.shape[1])),
        state=state,
        legal=jnp.broadcast_to(legal, (n, *legal.shape)),
        alive=jnp.ones((n, agents), bool),
        first=first,
    )


def shared_reward_step(obs: Observation, reward: Float[Array, " n"], over: Bool[Array, " n"]) -> Step:
    """Return a step that pays every agent the same; where it is `over`, it terminates."""
    each = jnp.broadcast_to(reward[:, None], obs.alive.shape)
    return Step(obs, each, reward[:, None], terminated=over, truncated=jnp.zeros_like(over))


class TwoStep(AbstractEnvironment[Int[Array, " n"]]):
    """The two-step game of QMIX (Rashid et al., 2018).

    The first agent's first action leads, without a reward, to state 2A, where every joint action pays 7, or
    to state 2B, which pays [[0, 1], [1, 8]]. The best return is 8; a sum of individual values settles for 7.
    The state is 0 for 1, 1 for 2A, 2 for 2B; both agents observe it one-hot.
    """

    spec: Spec

    def __init__(self):
        self.spec = Spec(("agent_0", "agent_1"), features=3, state=3, actions=2, horizon=2)

    def observe(self, state: Int[Array, " n"]) -> Observation:
        return _public_observation(jax.nn.one_hot(state, 3), np.ones((2, 2), bool), state == 0)

    def tables(self) -> tuple[PayoffTable, ...]:
        first = PayoffTable("first choice", (), np.array([[7.0, 7], [8, 8]]))
        second_a = PayoffTable("2A", ((0, 0),), _TWO_STEP_PAYOFFS[1])
        second_b = PayoffTable("2B", ((1, 0),), _TWO_STEP_PAYOFFS[2])
        return first, second_a, second_b

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[Int[Array, " n"], Observation]:
        state = jnp.zeros(n, int)
        return state, self.observe(state)

    def step(
        self, state: Int[Array, " n"], action: Action, key: PRNGKeyArray
    ) -> tuple[Int[Array, " n"], Step]:
        reward = jnp.asarray(_TWO_STEP_PAYOFFS, float)[state, action[:, 0], action[:, 1]]
        over = state > 0
        state = jnp.where(over, state, 1 + action[:, 0])
        return state, shared_reward_step(self.observe(state), reward, over)


class Matrix(AbstractEnvironment[Int[Array, " n"]]):
    """A payoff tensor with an axis per agent, played `rounds` times; its entry is every agent's reward.

    Where an agent has fewer actions than another, the rest are illegal. Agents observe a constant 1 and the
    fraction of the game that is over. The best return is `rounds` times the largest entry. The default is
    QTRAN's game (Son et al., 2019): 8, with losses on either side.
    """

    spec: Spec
    entries: tuple[float, ...]
    choices: tuple[int, ...]

    def __init__(self, payoff: list = _QTRAN_PAYOFFS, rounds: Count = 1):
        payoffs = payoff_tensor(payoff)
        self.entries = tuple(payoffs.ravel().tolist())
        self.choices = payoffs.shape
        names = tuple(f"agent_{i}" for i in range(payoffs.ndim))
        self.spec = Spec(names, features=2, state=2, actions=max(self.choices), horizon=rounds)

    def observe(self, state: Int[Array, " n"]) -> Observation:
        legal = np.arange(self.spec.actions) < np.array(self.choices)[:, None]
        clock = state / self.spec.horizon
        return _public_observation(jnp.stack([jnp.ones_like(clock), clock], axis=1), legal, state == 0)

    def tables(self) -> tuple[PayoffTable, ...]:
        payoffs = np.array(self.entries).reshape(self.choices)
        return (PayoffTable("", (), payoffs + (self.spec.horizon - 1) * payoffs.max()),)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[Int[Array, " n"], Observation]:
        state = jnp.zeros(n, int)
        return state, self.observe(state)

    def step(
        self, state: Int[Array, " n"], action: Action, key: PRNGKeyArray
    ) -> tuple[Int[Array, " n"], Step]:
        reward = jnp.array(self.entries).reshape(self.choices)[tuple(action.T)]
        state = state + 1
        return state, shared_reward_step(self.observe(state), reward, state >= self.spec.horizon)


def payoff_tensor(payoff: list) -> np.ndarray:
    """Return the payoffs as an array; refuse what is no table of finite numbers."""
    try:
        array = np.array(payoff)
    except ValueError:  # rows of unequal length
        array = np.array(None)
    if not array.ndim or not array.size or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        remedy = (
            "give finite numbers in nested lists, a level for each agent, rows of equal length, "
            "as in `payoff=[[8,-12],[-12,0]]`"
        )
        raise SettingError("payoff", "is no table", remedy, value=payoff)
    return array.astype(float)


def Climbing(rounds: Count = 1) -> Matrix:  # noqa: N802
    """The climbing game (Claus and Boutilier, 1998): the best payoff, 11, lies next to a loss of 30."""
    return Matrix([[11, -30, 0], [-30, 7, 6], [0, 0, 5]], rounds)


def Penalty(k: FiniteNumber = -100.0, rounds: Count = 1) -> Matrix:  # noqa: N802
    """The penalty game (Claus and Boutilier, 1998): two joint actions pay 10; mixing them up pays `k`."""
    return Matrix([[10, 0, k], [0, 2, 0], [k, 0, 10]], rounds)
