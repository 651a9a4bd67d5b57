"""QPLEX's mixer (Wang et al., ICLR 2021), duplex dueling: every joint value that individual argmaxes allow.

    covey train qmix matrix/penalty mixer=examples/duplex_dueling.py:DuplexDueling

    V_i = max over legal v of Q_i(v),   A_i = Q_i(u_i) - V_i <= 0
    Q_tot(s, u) = sum_i [w_i(s) V_i + b_i(s)] + sum_i lambda_i(s, u) w_i(s) A_i,      w_i > 0, lambda_i > 0
    lambda_i(s, u) = sum over heads k of |key_k(s)| sigmoid(agent_ik(s)) sigmoid(action_ik(s, u))

All A_i are 0 at the agents' own best actions and there alone, so these are the team's best ones too. As in
the authors' code, Q_tot is computed as sum_i [w_i Q_i + b_i + (lambda_i - 1) w_i A_i] with A_i constant in
the last term: so the values of the actions taken have a gradient where lambda_i is 0, too.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from covey.networks import MLP, AbstractMixer, Choices
from covey.ops import named


class DuplexDueling(AbstractMixer):
    weight: MLP
    bias: MLP
    key: MLP
    agent: MLP
    action: MLP
    actions: int = eqx.field(static=True)
    heads: int = eqx.field(static=True)

    def __init__(
        self, agents: int, world: int, actions: int, *, heads: int = 4, hidden: int = 64, key: PRNGKeyArray
    ):
        self.weight = MLP(world, hidden, agents, key=named(key, "weight"))
        self.bias = MLP(world, hidden, agents, key=named(key, "bias"))
        self.key = MLP(world, hidden, heads, key=named(key, "key"))
        self.agent = MLP(world, hidden, agents * heads, key=named(key, "agent"))
        self.action = MLP(world + agents * actions, hidden, agents * heads, key=named(key, "action"))
        self.actions = actions
        self.heads = heads

    def importance(self, choices: Choices, world: Float[Array, "*b world"]) -> Float[Array, "*b agents"]:
        """Return lambda, positive attention of several heads to the state and the joint action."""
        one_hot = jax.nn.one_hot(choices.action, self.actions)
        joint = jnp.concatenate([world, one_hot.reshape(*world.shape[:-1], -1)], axis=-1)
        by_head = lambda x: jax.nn.sigmoid(x.reshape(*x.shape[:-1], -1, self.heads))
        key = jnp.abs(self.key(world))[..., None, :]
        return jnp.sum(key * by_head(self.agent(world)) * by_head(self.action(joint)), axis=-1) + 1e-10

    def __call__(self, choices: Choices, world: Float[Array, "*b world"]) -> Float[Array, "*b k"]:
        weight = jnp.abs(self.weight(world)) + 1e-10
        value = weight * choices.chosen + self.bias(world)
        advantage = jax.lax.stop_gradient(weight * (choices.chosen - choices.best))
        return jnp.sum(value + (self.importance(choices, world) - 1) * advantage, axis=-1, keepdims=True)
