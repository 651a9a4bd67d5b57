"""A weighting of your own for weighted QMIX: the further a joint action is undervalued, the more it counts.

    covey train wqmix matrix weighting=examples/my_weighting.py:soft alpha=.1 epsilon=1 --steps 40000

OW-QMIX with a slope in place of its step. A function is enough. It is told of one episode, arrays over its
steps: `q_tot`, what the monotone mixer holds of the joint actions taken; `y`, their target; `best`, what Q*
holds of the greedy joint actions; `greedy`, where those were the ones taken; and `alpha`, the setting. No
gradient flows through what it returns.
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
