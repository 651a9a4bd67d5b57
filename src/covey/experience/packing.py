"""Episodes end to end: the first rows of a batch hold all of it, and the last ones nothing."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int


def fit_rows(length: Int[Array, " b"], span: int) -> tuple[Int[Array, " b"], Int[Array, " b"]]:
    """Return each episode's row and its place there.

    The longest episode comes first, and each goes into the first row with room for it.
    """

    def place(room, size):
        row = jnp.argmax(room >= size)
        return room.at[row].add(-size), (row, span - room[row])

    longest_first = jnp.argsort(-length)
    rows, offsets = jax.lax.scan(place, jnp.full(len(length), span), length[longest_first])[1]
    in_order = lambda x: jnp.zeros_like(x).at[longest_first].set(x)
    return in_order(rows), in_order(offsets)


def pack(
    index: Int[Array, "b span"], own: Bool[Array, "b span"]
) -> tuple[Int[Array, "b span"], Bool[Array, "b span"]]:
    """Lay what each row has of its `own` end to end; return the index, and what is filled.

    An episode takes one place more than it has steps: its last observation stands before the next's first.
    A place that is not filled points to the first observation of the batch.
    """
    rows, span = index.shape
    row, offset = fit_rows(jnp.sum(own, axis=1), span)
    place = (row * span + offset)[:, None] + jnp.arange(span)
    place = jnp.where(own, place, rows * span)  # out of bounds, and so dropped
    put = lambda empty, x: empty.at[place].set(x, mode="drop").reshape(rows, span)
    packed = put(jnp.full(rows * span, index[0, 0]), index)
    return packed, put(jnp.zeros(rows * span, bool), True)
