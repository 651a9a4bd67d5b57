"""Tests check the annotations of the code that they run."""

import jax.numpy as jnp
import pytest
from beartype.roar import BeartypeCallHintParamViolation
from jaxtyping import TypeCheckError

from covey import ops
from covey.audit import modules


def test_a_wrong_shape_or_type_is_found():
    # Would break: a hook that does not reach the code any more; annotations would be comments.
    with pytest.raises(TypeCheckError):
        ops.take(jnp.zeros((2, 3)), jnp.zeros(5, int))
    with pytest.raises(BeartypeCallHintParamViolation):
        modules.dotted_path(3)
