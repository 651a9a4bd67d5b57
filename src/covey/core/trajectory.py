"""Observations, steps, and trajectories of them."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree, Shaped

Metrics = dict[str, Shaped[Array, "..."]]


Action = Int[Array, "*b agents"] | Float[Array, "*b agents dims"]


class Observation(eqx.Module):
    """What there is to see at one moment.

    `legal` marks the actions an agent may take (the dimensions it has, where actions are
    continuous); `alive` the agents still taking part; `first` an episode's first moment. `others`
    holds the observations of agents that the learner at hand does not control: it is empty where
    an environment makes an observation, and filled when a learner looks at one. What an environment
    makes of noughts and ones may be boolean: so it is kept, and learners see numbers.
    """

    agents: Float[Array, "*b agents features"] | Bool[Array, "*b agents features"]
    state: Float[Array, "*b state"] | Bool[Array, "*b state"]
    legal: Bool[Array, "*b agents actions"]
    alive: Bool[Array, "*b agents"]
    first: Bool[Array, "*b"]
    others: Float[Array, "*b others features"] | Bool[Array, "*b others features"]

    def __init__(self, agents, state, legal, alive, first, others=None):
        self.agents, self.state, self.legal, self.alive, self.first = agents, state, legal, alive, first
        self.others = agents[..., :0, :] if others is None else others

    @property
    def world(self) -> Float[Array, "*b world"] | Bool[Array, "*b world"]:
        """The global state: the environment's own, or everybody's observations side by side."""
        return self.state if self.state.shape[-1] else self.joint

    @property
    def joint(self) -> Float[Array, "*b seen"]:
        """All observations side by side, those of others too."""
        every = jnp.concatenate([self.agents, self.others], axis=-2)
        return every.reshape(*every.shape[:-2], -1)


class Step(eqx.Module):
    """What n actions led to. `tally` counts what is worth counting in an episode: captures, wins."""

    obs: Observation
    reward: Float[Array, "*n agents"]
    team_reward: Float[Array, "*n teams"]
    terminated: Bool[Array, "*n"]
    truncated: Bool[Array, "*n"]
    counts: dict[str, Float[Array, "*n"]] = eqx.field(default_factory=dict)


class Trajectory(eqx.Module):
    """T steps and T+1 observations of one environment.

    The one rule: where `valid[t]`, `obs[t+1]` is what `action[t]` led to. Beginning anew costs
    a step of its own, recorded with `valid[t] = False`; so a final observation is never
    overwritten, and bootstrapping through a time limit needs no special case.

    A learner of one team of several sees its own agents; what the others saw and did stands in
    `obs.others` and `others`. `team_reward` has a column per team that the learner controls.
    """

    obs: Observation  # leaves lead with T+1
    action: Shaped[Array, "..."]  # T, agents, and dimensions where actions are continuous
    reward: Float[Array, "*T agents"]
    team_reward: Float[Array, "*T teams"]
    terminated: Bool[Array, "*T"]
    valid: Bool[Array, "*T"]
    extras: PyTree[Shaped[Array, "..."]] = None  # whatever `act` asked to be remembered
    others: Shaped[Array, "..."] | None = None  # [T, others, ...]
    counts: dict[str, Float[Array, "*T"]] = eqx.field(default_factory=dict)

    @property
    def current_obs(self) -> Observation:
        """The T observations that were acted on. Of one trajectory: for a batch, under vmap."""
        return jax.tree.map(lambda x: x[:-1], self.obs)

    @property
    def next_obs(self) -> Observation:
        """The T observations that actions led to. Of one trajectory: for a batch, under vmap."""
        return jax.tree.map(lambda x: x[1:], self.obs)
