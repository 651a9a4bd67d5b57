"""An agent's network that reads rows of entities: what it knows of one serves for all of them.

    encoder=hypernetwork    x = W0 o + sum over kinds k, rows e of k: M_k(e) [e, 1],    M_k(e) made from e
    encoder=attention       x = z_0 of Transformer(W0 o, W_k e, ...)

    h = GRU(h, f(x)),    output j = w_j h where j names no entity,    <c(e), Q h> where it names e

o is what the agent knows of itself; c(e) is the code from which M_k(e) is made, or the Transformer's output
for e. The sum and the attention do not change where rows of a kind change places (permutation invariance);
the outputs of actions that name entities change places with them (equivariance). Rows of zeros take no part.

The first is HPN (Hao et al., "Boosting multiagent reinforcement learning via permutation invariant and
permutation equivariant networks", ICLR 2023). Its hypernetwork's last layer is linear in c(e), so that
sum M_k(e) [e, 1] = V_k sum [c(e), 1] [e, 1]', and no made weights are written out. The same holds for the
weights of <c(e), Q h>, which it makes too. The second is attention over entities, as in UPDeT (Hu et al.,
ICLR 2021), and over agents in the encoder of MAT (Wen et al., 2022).

Departures: LayerNorm on x (`norm`), which keeps its scale where their number differs; layers of `depth` after
it; UPDeT's hidden token is a GRU; HPN has one more hypernetwork for healers' outputs, here c(e) serves both.
"""

from typing import Annotated

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ..ops import named
from ..parts import Factory
from ..ranges import Between, NonNegative, Width
from .agents import AbstractAgent
from .entity_encoders import AbstractEncoder, HypernetworkEncoder
from .entity_rows import (
    Entities,
    EntityBlock,
    allies_by_number,
    input_widths,
    read_entities,
    require_rows,
    target_blocks,
)
from .interface import NetworkInterface
from .layers import GRU, MLP, as_matrix

_HYPERNETWORK = Factory(HypernetworkEncoder)


class EntityAgent(AbstractAgent):
    """A network over rows of entities, for worlds whose `Spec` has layouts.

    An encoder reads the rows, `depth` times Linear and activation follow, then, if `recurrent`, a GRU, then
    Linear. With `norm`, the encoder's output, that of every activation, and that of the GRU are normalised.
    `gain` is as in `FeedForward`.
    """

    encoder: AbstractEncoder
    embed: MLP
    gru: GRU | None
    head: MLP
    interface: NetworkInterface = eqx.field(static=True)

    def __init__(
        self,
        inputs: int,
        outputs: int,
        interface: NetworkInterface,
        *,
        encoder: Factory[AbstractEncoder] = _HYPERNETWORK,
        hidden: Width = 64,
        depth: Annotated[int, Between(0, 100)] = 1,
        recurrent: bool = True,
        norm: bool = True,
        gain: NonNegative | None = None,
        key: PRNGKeyArray,
    ):
        require_rows(interface)
        self.interface = interface
        own, widths = input_widths(interface)
        inner = None if gain is None else 2**0.5
        self.encoder = encoder(own, widths, hidden, inner, key=named(key, "encoder"))
        layers = [hidden] * (depth + 1)
        self.embed = MLP(*layers, norm=norm, gain=gain, activated=True, key=named(key, "embed"))
        gru_gain = None if gain is None else 1.0
        self.gru = GRU(hidden, hidden, gain=gru_gain, key=named(key, "gru")) if recurrent else None
        outputs += sum(self.query_size for _ in self.targets) - self.slots
        self.head = MLP(hidden, outputs, norm=norm, gain=gain, key=named(key, "head"))

    @property
    def carry_size(self) -> int:
        return 0 if self.gru is None else self.gru.hidden[0].bias.shape[-1]

    @property
    def query_size(self) -> int:
        """The width of Q h: a weight for each number of a code, and one without."""
        return self.encoder.code_size + 1

    @property
    def targets(self) -> tuple[int, ...]:
        """The blocks whose rows actions name: enemies, and allies where agents heal."""
        return tuple(n for n in target_blocks(self.interface) if n is not None)

    @property
    def slots(self) -> int:
        """The number of outputs that belong to rows."""
        n = self.interface.target_part
        return 0 if n is None else self.interface.target_slots(self.interface.parts[n].layout)

    def step(self, h, x):
        entities = read_entities(self.interface, x)
        code, rows = self.encoder(entities)
        code = as_matrix(self.embed, code, self.embed.layers)
        if self.gru is None:
            return h, self.decode(code, entities, rows)
        h = self.gru(h, self.gru.project(code))
        return h, self.decode(h, entities, rows)

    def unroll(self, h, xs, first):
        entities = read_entities(self.interface, xs)
        code, rows = self.encoder(entities)
        code = as_matrix(self.embed, code, self.embed.layers)
        if self.gru is None:
            return h, self.decode(code, entities, rows)
        gates = as_matrix(self.gru.project, code, self.gru.inputs)
        hs = self.gru.unroll(h, gates, first)
        return hs[-1], self.decode(hs, entities, rows)

    def decode(
        self, h: Float[Array, "*b h"], entities: Entities, codes: tuple[Float[Array, "*b _ code"], ...]
    ) -> Float[Array, "*b o"]:
        """Return the outputs: those of actions that name entities from these entities' codes."""
        y = as_matrix(self.head, h, self.head.layers)
        if not self.slots:
            return y
        plain, *queries = jnp.split(y, self.query_places(y.shape[-1]), axis=-1)
        answers = [
            answer(query, codes[n], entities.blocks[n])
            for query, n in zip(queries, self.targets, strict=True)
        ]
        enemies, allies = target_blocks(self.interface)
        of_slots = jnp.zeros((*h.shape[:-1], self.slots))
        if enemies is not None:
            of_slots = _pad(answers[0], self.slots)
        if allies is not None and entities.heals is not None and entities.place is not None:
            of_team = _pad(allies_by_number(answers[-1], entities.place), self.slots)
            of_slots = jnp.where(entities.heals > 0, of_team, of_slots)
        first = self.first_target
        return jnp.concatenate([plain[..., :first], of_slots, plain[..., first:]], axis=-1)

    def query_places(self, outputs: int) -> tuple[int, ...]:
        """Return where each query begins in the head's outputs."""
        return tuple(outputs - self.query_size * n for n in range(len(self.targets), 0, -1))

    @property
    def first_target(self) -> int:
        """The first output that belongs to a row."""
        layout = self.interface.parts[self.interface.target_part or 0].layout
        return layout.enemies.action or 0 if layout else 0


def answer(
    query: Float[Array, "*b q"], code: Float[Array, "*b n code"], block: EntityBlock
) -> Float[Array, "*b n"]:
    """Return <c(e), Q h> for each row; 0 for one that is not there."""
    product = jnp.einsum("...nc,...c->...n", code, query[..., :-1])
    return product + query[..., -1:] * block.present


def _pad(x: Float[Array, "*b n"], length: int) -> Float[Array, "*b slots"]:
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, length - x.shape[-1])])
