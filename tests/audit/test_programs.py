import jax
import jax.numpy as jnp

from covey.audit.programs import Program


def test_a_loop_passes_on_what_its_carry_takes_in():
    # fails if an output of a loop is said to depend on all inputs, or not on what decides its turns
    def program(a, b, turns, alone):
        go_on = lambda carry: carry[0] < turns
        grow = lambda carry: (carry[0] + 1, carry[1] + carry[2], carry[2] + a, carry[3] * 2)
        _, late, soon, doubled = jax.lax.while_loop(go_on, grow, (0, b, jnp.zeros(()), alone))
        return late, soon, doubled

    found = Program.trace(program, jnp.ones(()), jnp.ones(()), jnp.array(3), jnp.ones(())).dependencies()
    a, b, turns, alone = 1, 2, 4, 8
    assert found == [a | b | turns, a | turns, alone | turns]
