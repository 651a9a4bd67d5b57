"""Programs read symbolically: constants, gradients, moments."""

import jax
import jax.numpy as jnp

from covey.audit.flow import Reader, Value
from covey.audit.losses import loss_notes, loss_program
from covey.audit.programs import Program


def read(f, *args):
    program = Program.trace(f, *args)
    inputs = [Value(1 << i, 1 << i, number=i) for i in range(len(args))]
    return Reader().read(program.closed, inputs)


def test_a_product_with_zero_and_an_empty_range_depend_on_nothing():
    # Would break: a reward that is multiplied by 0, or clipped away, taken for one that is learned from.
    x = jnp.ones(3)
    values = read(lambda x, y: (0.0 * x, jnp.clip(x, 0.0, 0.0), jnp.clip(x, 0.0, 1.0), y * jnp.ones(3)), x, x)
    assert [value.reads for value in values] == [0, 0, 1, 2]


def test_a_detached_copy_taken_from_itself_has_a_gradient():
    # Would break: the straight-through trick called a term without gradient; a divergence of a policy from
    # itself taken for one that teaches.
    def program(x):
        log_p = jax.nn.log_softmax(x)
        fixed = jax.lax.stop_gradient(log_p)
        return x - jax.lax.stop_gradient(x), x - x, jnp.sum(jnp.exp(fixed) * (fixed - log_p))

    trick, nothing, divergence = read(program, jnp.ones(3))
    assert trick.zero and trick.slopes == 1
    assert nothing.zero and nothing.slopes == 0
    assert divergence.zero and divergence.slopes == 0


def test_a_slice_forgets_the_last_moment():
    # Would break: a Monte Carlo algorithm told that it bootstraps past true ends.
    last = 2
    inputs = [Value(1 | last, moments=5)]
    program = Program.trace(lambda x: (x[:, :-1] * 2, x * 2), jnp.ones((3, 5, 2)))
    before, whole = Reader(last=last).read(program.closed, inputs)
    assert before.reads == 1 and whole.reads == 1 | last


def test_a_loop_carries_what_it_reads():
    # Would break: gradients lost, or constants invented, on the way round a loop.
    def program(x, y):
        return jax.lax.scan(lambda c, a: (c + a * y, c), jnp.zeros(()), x)[0]

    (value,) = read(program, jnp.ones(4), jnp.ones(()))
    assert value.reads == value.slopes == 3


def test_the_signs_of_a_loss():
    # Would break: an entropy that is subtracted called minimised, behind means, masks and coefficients.
    def loss(x, sign):
        entropy = -jnp.sum(jax.nn.softmax(x) * jax.nn.log_softmax(x), axis=-1)
        mean = jnp.mean(entropy, where=jnp.ones(2, bool))
        return jnp.sum(x**2) + sign * 0.1 * mean, {"entropy": jnp.mean(entropy)}

    notes = [loss_notes(loss_program(lambda x, s=s: loss(x, s), jnp.ones((2, 3)), ())) for s in (1, -1)]
    assert len(notes[0]) == 1 and "entropy is minimised" in notes[0][0]
    assert notes[1] == []
