"""Observations, steps, and trajectories of them."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped, UInt8

Action = Int[Array, "*b agents"] | Float[Array, "*b agents dims"]
Metrics = dict[str, Shaped[Array, "..."]]


class Observation(eqx.Module):
    """The observations of all agents at one moment, and the masks that belong to them.

    `legal` marks the actions that an agent may take; where actions are continuous, the dimensions that it
    has. `alive` marks the agents that still take part. `first` marks the first moment of an episode.

    `others` holds the observations of agents that the learner does not control. An environment leaves it
    empty; the training loop fills it for each learner.

    An environment whose features are all 0 or 1 may return them as booleans, and pictures as bytes. Replay
    buffers then store them as such, and learners receive floating-point numbers: bytes divided by 255.
    """

    agents: (
        Float[Array, "*b agents features"]
        | Bool[Array, "*b agents features"]
        | UInt8[Array, "*b agents features"]
    )
    state: Float[Array, "*b state"] | Bool[Array, "*b state"]
    legal: Bool[Array, "*b agents actions"]
    alive: Bool[Array, "*b agents"]
    first: Bool[Array, "*b"]
    others: (
        Float[Array, "*b others features"]
        | Bool[Array, "*b others features"]
        | UInt8[Array, "*b others features"]
    )

    def __init__(self, agents, state, legal, alive, first, others=None):
        self.agents = agents
        self.state = state
        self.legal = legal
        self.alive = alive
        self.first = first
        self.others = agents[..., :0, :] if others is None else others

    @property
    def world(self) -> Float[Array, "*b world"] | Bool[Array, "*b world"]:
        """The global state: the environment's own where it has one, otherwise the joint observation."""
        return self.state if self.state.shape[-1] else self.joint

    @property
    def joint(self) -> Float[Array, "*b joint"]:
        """The joint observation: those of all agents side by side, `others` included."""
        every = jnp.concatenate([self.agents, self.others], axis=-2)
        return every.reshape(*every.shape[:-2], -1)


def as_numbers(x: Shaped[Array, "..."]) -> Float[Array, "..."]:
    """Return features as floating-point numbers; bytes are divided by 255."""
    return x.astype(float) / 255 if x.dtype == jnp.uint8 else x.astype(float)


class Step(eqx.Module):
    """The outcome of one joint action in each of n copies.

    `terminated` marks true ends, `truncated` time limits. `counts` holds what is worth counting in an
    episode, such as captures or wins.
    """

    obs: Observation
    reward: Float[Array, "*n agents"]
    team_reward: Float[Array, "*n teams"]
    terminated: Bool[Array, "*n"]
    truncated: Bool[Array, "*n"]
    counts: dict[str, Float[Array, "*n"]] = eqx.field(default_factory=dict)


class Trajectory(eqx.Module):
    """T steps in a row of one copy of an environment, and the T+1 observations around them.

    Step t starts from `obs[t]`, takes `action[t]`, earns `reward[t]` and leads to `obs[t + 1]`:

        obs[0]  action[0]  obs[1]  action[1]  obs[2]  ...  action[T-1]  obs[T]

    This holds wherever `valid[t]` is true. A trajectory may contain several episodes. Between two of them
    stands one step with `valid[t] = False`, the reset: `obs[t]` is the last observation of one episode and
    `obs[t + 1]`, with `first[t + 1] = True`, the first of the next. So no final observation is overwritten,
    and value targets can bootstrap through a time limit: it ends an episode without `terminated`.

    Where an environment has several teams, a learner of one team receives its own agents here; the
    observations and actions of the rest are in `obs.others` and `others`. `team_reward` has a column for
    each team that the learner controls.
    """

    obs: Observation  # T+1 along the first axis
    action: Shaped[Array, "..."]  # [T, agents]; continuous: [T, agents, dims]
    reward: Float[Array, "*T agents"]
    team_reward: Float[Array, "*T teams"]
    terminated: Bool[Array, "*T"]
    valid: Bool[Array, "*T"]
    extras: PyTree[Shaped[Array, "..."]] = None  # stored by `act` with each step
    others: Shaped[Array, "..."] | None = None  # actions of the other agents, [T, others, ...]
    counts: dict[str, Float[Array, "*T"]] = eqx.field(default_factory=dict)

    @property
    def current_obs(self) -> Observation:
        """The T observations before each step. For one trajectory: use `vmap` on a batch."""
        return jax.tree.map(lambda x: x[:-1], self.obs)

    @property
    def next_obs(self) -> Observation:
        """The T observations after each step. For one trajectory: use `vmap` on a batch."""
        return jax.tree.map(lambda x: x[1:], self.obs)
