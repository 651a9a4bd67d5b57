"""Games in tables: small enough to enumerate, hard enough to tell the algorithms apart."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ..core import AbstractEnvironment, Action, Observation, Spec, Step
from ..core.scene import PayoffTable
from ..errors import SettingError

PAYS = np.array([[[0.0, 0], [0, 0]], [[7, 7], [7, 7]], [[0, 1], [1, 8]]])  # the two-step game's, by state
DECEPTIVE = [[8, -12, -12], [-12, 0, 0], [-12, 0, 0]]


def public(state: Float[Array, "n state"], legal: np.ndarray, first: Bool[Array, " n"]) -> Observation:
    """Everybody sees the whole state and stays to the end."""
    n, agents = len(state), len(legal)
    return Observation(
        agents=jnp.broadcast_to(state[:, None], (n, agents, state.shape[1])),
        state=state,
        legal=jnp.broadcast_to(legal, (n, *legal.shape)),
        alive=jnp.ones((n, agents), bool),
        first=first,
    )


def shared(obs: Observation, pays: Float[Array, " n"], over: Bool[Array, " n"]) -> Step:
    """Everybody is paid alike; the end, when it comes, is a true one."""
    reward = jnp.broadcast_to(pays[:, None], obs.alive.shape)
    return Step(obs, reward, pays[:, None], terminated=over, truncated=jnp.zeros_like(over))


class TwoStep(AbstractEnvironment[Int[Array, " n"]]):
    """The two-step game of QMIX (Rashid et al., 2018).

    The first agent's first action leads, unpaid, to state 2A, where everything pays 7, or to 2B,
    which pays [[0, 1], [1, 8]]. Best return 8; a sum of individual values settles for 7.
    The state counts 0 for 1, 1 for 2A, 2 for 2B; both agents see it one-hot.
    """

    spec: Spec

    def __init__(self):
        self.spec = Spec(("agent_0", "agent_1"), features=3, state=3, actions=2, horizon=2)

    def observe(self, state: Int[Array, " n"]) -> Observation:
        return public(jax.nn.one_hot(state, 3), np.ones((2, 2), bool), state == 0)

    def tables(self) -> tuple[PayoffTable, ...]:
        first = PayoffTable("first choice", (), np.array([[7.0, 7], [8, 8]]))
        return first, PayoffTable("2A", ((0, 0),), PAYS[1]), PayoffTable("2B", ((1, 0),), PAYS[2])

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[Int[Array, " n"], Observation]:
        state = jnp.zeros(n, int)
        return state, self.observe(state)

    def step(
        self, state: Int[Array, " n"], action: Action, key: PRNGKeyArray
    ) -> tuple[Int[Array, " n"], Step]:
        pays, over = jnp.asarray(PAYS, float)[state, action[:, 0], action[:, 1]], state > 0
        state = jnp.where(over, state, 1 + action[:, 0])
        return state, shared(self.observe(state), pays, over)


class Matrix(AbstractEnvironment[Int[Array, " n"]]):
    """A payoff tensor with an axis per agent, played `rounds` times over; its entry is everybody's reward.

    An agent with fewer actions than another has the rest forbidden. Everybody sees a constant 1 and
    how much of the game has gone by. Best return: `rounds` times the largest entry. The default is
    QTRAN's game (Son et al., 2019): 8, with losses on either side.
    """

    spec: Spec
    entries: tuple[float, ...]
    choices: tuple[int, ...]

    def __init__(self, payoff: list = DECEPTIVE, rounds: int = 1):
        if rounds < 1:
            raise SettingError("rounds", "leaves nothing to play", "set `rounds=1` or more", value=rounds)
        payoffs = tensor(payoff)
        self.entries, self.choices = tuple(payoffs.ravel().tolist()), payoffs.shape
        names = tuple(f"agent_{i}" for i in range(payoffs.ndim))
        self.spec = Spec(names, features=2, state=2, actions=max(self.choices), horizon=rounds)

    def observe(self, state: Int[Array, " n"]) -> Observation:
        legal = np.arange(self.spec.actions) < np.array(self.choices)[:, None]
        clock = state / self.spec.horizon
        return public(jnp.stack([jnp.ones_like(clock), clock], axis=1), legal, state == 0)

    def tables(self) -> tuple[PayoffTable, ...]:
        pays = np.array(self.entries).reshape(self.choices)
        return (PayoffTable("", (), pays + (self.spec.horizon - 1) * pays.max()),)

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[Int[Array, " n"], Observation]:
        state = jnp.zeros(n, int)
        return state, self.observe(state)

    def step(
        self, state: Int[Array, " n"], action: Action, key: PRNGKeyArray
    ) -> tuple[Int[Array, " n"], Step]:
        pays = jnp.array(self.entries).reshape(self.choices)[tuple(action.T)]
        state = state + 1
        return state, shared(self.observe(state), pays, state >= self.spec.horizon)


def tensor(payoff: list) -> np.ndarray:
    """The payoffs as an array, or a sentence about what is wrong with them."""
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


def Climbing(rounds: int = 1) -> Matrix:  # noqa: N802
    """The climbing game (Claus and Boutilier, 1998): the way to 11 leads past a loss of 30."""
    return Matrix([[11, -30, 0], [-30, 7, 6], [0, 0, 5]], rounds)


def Penalty(k: float = -100.0, rounds: int = 1) -> Matrix:  # noqa: N802
    """The penalty game (Claus and Boutilier, 1998): two ways to 10, and `k` for taking one each."""
    return Matrix([[10, 0, k], [0, 2, 0], [k, 0, 10]], rounds)
