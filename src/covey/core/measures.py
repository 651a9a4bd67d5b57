"""Optional protocols of algorithms: what can be measured of their learners between updates."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Array, Float, Int, PyTree

from .trajectory import Trajectory


class AgentGradients(NamedTuple):
    """Each agent's part of one gradient. Agents of one group share the weights that it belongs to."""

    gradient: Float[Array, "agents parameters"]
    groups: tuple[int, ...]


@runtime_checkable
class HasPolicy(Protocol):
    """An algorithm whose policy is a distribution.

    `policy` returns that of each step of an episode and of each agent; `p.kl(q)` of two is `[T, agents]`.
    """

    def policy(self, learner: PyTree, episode: Trajectory, step: Int[Array, ""]) -> Any: ...


@runtime_checkable
class HasAgentGradients(Protocol):
    """An algorithm whose gradient falls apart by agents.

    `agent_gradients` returns, for each agent, the part of the loss's gradient that reaches the weights of the
    acting networks through that agent's own outputs. The parts of the agents add up to the whole.
    """

    def agent_gradients(self, learner: PyTree, batch: Trajectory, step: Int[Array, ""]) -> AgentGradients: ...
