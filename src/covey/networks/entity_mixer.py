"""A monotonic mixer that reads the state as rows of entities, for any number of agents."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ..core import EntityLayout
from ..errors import SettingError
from ..ops import named
from ..ranges import Width
from .entity_rows import EntityBlock, input_widths, read_entities
from .interface import InputPart, NetworkInterface
from .layers import MLP, Linear, as_matrix, layer_norm
from .mixers import AbstractMixer


class EntityMixer(AbstractMixer):
    """QMIX's mixing network (Rashid et al., 2018), its weights made from rows of entities.

        c = LayerNorm(ReLU(W0 o + sum over kinds k of V_k sum over rows e of k of ReLU(U_k e)))
        h = ELU(sum over agents i of q_i |W1(e_i, c)| + b1(c)),   Q_tot = h |W2(c)| + V(c)

    e_i is agent i's own row, o what belongs to nobody. W1 is one network for all agents, so that Q_tot stays
    the same where agents change places with their values, or enemies theirs, as in the mixer of HPN-QMIX (Hao
    et al., ICLR 2023). The rows of the dead, all zeros, add nothing to c; their values are weighed as QMIX's.
    """

    codes: tuple[Linear, ...]
    pool: Linear
    w1: MLP
    b1: Linear
    w2: MLP
    v: MLP
    interface: NetworkInterface = eqx.field(static=True)

    def __init__(
        self,
        agents: int,
        world: int,
        actions: int,
        layout: EntityLayout | None,
        *,
        embed: Width = 32,
        hyper: Width = 64,
        key: PRNGKeyArray,
    ):
        _require_agents(agents, layout)
        self.interface = NetworkInterface((InputPart(world, layout),))
        own, widths = input_widths(self.interface)
        layer = lambda n, width: Linear(width, hyper, key=named(key, "code", n))
        self.codes = tuple(layer(n, width) for n, width in enumerate(widths))
        self.pool = Linear(own + hyper * len(widths), hyper, key=named(key, "pool"))
        self.w1 = MLP(hyper + widths[0], hyper, embed, key=named(key, "w1"))
        self.b1 = Linear(hyper, embed, key=named(key, "b1"))
        self.w2 = MLP(hyper, hyper, embed, key=named(key, "w2"))
        self.v = MLP(hyper, embed, 1, key=named(key, "v"))

    def __call__(self, choices, world):
        entities = read_entities(self.interface, world)
        agents = entities.blocks[0]
        parts = [entities.own]
        parts += [_total(layer, block) for layer, block in zip(self.codes, entities.blocks, strict=True)]
        x = jnp.concatenate(parts, axis=-1)
        context = layer_norm(jax.nn.relu(as_matrix(self.pool, x, (self.pool,))))
        each = jnp.broadcast_to(context[..., None, :], (*agents.present.shape, context.shape[-1]))
        w1 = as_matrix(self.w1, jnp.concatenate([each, agents.rows], axis=-1), self.w1.layers)
        q = choices.chosen[..., None]
        hidden = jax.nn.elu(jnp.sum(q * jnp.abs(w1), axis=-2) + self.b1(context))
        return jnp.sum(hidden * jnp.abs(self.w2(context)), axis=-1, keepdims=True) + self.v(context)


def _require_agents(agents: int, layout: EntityLayout | None) -> None:
    if layout is None or layout.allies.rows != agents:
        problem = "reads a row for each agent in the state, and this world's Spec.state_layouts tell of none"
        remedy = "set `mixer_input=observations`, or `mixer=monotonic`"
        raise SettingError("mixer", problem, remedy, value="entity")


def _total(layer: Linear, block: EntityBlock) -> Float[Array, "*b d"]:
    """Return the sum of the codes of rows that are there."""
    code = jax.nn.relu(as_matrix(layer, block.rows, (layer,)))
    return jnp.sum(code * block.present[..., None], axis=-2)
