"""Numbers that may be a compiled program's arguments."""

import jax
from jaxtyping import Array, Float

Number = float | Float[Array, ""]


def is_off(number: Number) -> bool:
    """Return whether a coefficient is 0, which takes its term out of the program.

    An argument of the program is never 0: `covey.training.numbers` leaves zeros in the program.
    """
    return not isinstance(number, jax.Array) and number == 0
