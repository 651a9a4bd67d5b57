"""A weighting of your own for weighted QMIX: the more a joint action is undervalued, the more it counts.

    covey train wqmix matrix weighting=examples/my_weighting.py:soft alpha=.1 epsilon=1 --steps 40000

This is OW-QMIX with a slope in place of its step. A function is enough. Its arguments are arrays over the
steps of one episode: `q_tot`, the monotone mixer's value of the joint actions taken; `y`, their target;
`best`, the value of the greedy joint actions by Q*; `greedy`, true where those were taken; and `alpha`, the
setting. No gradient flows through its result.
"""

import jax
from jaxtyping import Array, Bool, Float


def soft(
    q_tot: Float[Array, "T k"],
    y: Float[Array, "T k"],
    best: Float[Array, "T k"],
    greedy: Bool[Array, "T 1"],
    alpha: float,
) -> Float[Array, "T k"]:
    return alpha + (1 - alpha) * jax.nn.sigmoid(y - q_tot)
