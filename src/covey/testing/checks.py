"""What the checks share: sentences for failures, and requirements of functions and arrays."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, PRNGKeyArray, PyTree, Shaped

from ..core import Spec
from ..core.spec import spec_fault
from ..training.world_forms import changed_type, form_fault

_TRACING_ERRORS = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


class CheckError(AssertionError):
    """A part of the protocol that is not kept, in one sentence."""


def require(condition: Any, sentence: str) -> None:
    if not condition:
        raise CheckError(sentence)


@contextmanager
def explain_failures(what: str) -> Iterator[None]:
    """Turn any exception inside into a sentence about `what`."""
    try:
        yield
    except CheckError:
        raise
    except _TRACING_ERRORS as error:
        raise CheckError(
            f"{what} needs the value of an array while JAX compiles it (`if`, `while`, `int()` or NumPy on a "
            "JAX array): use jnp.where, jax.lax.cond and jax.numpy."
        ) from error
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), "")
        raise CheckError(f"{what} fails with {type(error).__name__}: {reason}") from error


def bitwise_equal(a: PyTree, b: PyTree) -> bool:
    is_key = lambda x: jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    raw = lambda x: np.asarray(jr.key_data(x) if is_key(x) else x).tobytes()
    return all(raw(x) == raw(y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=False))


def require_deterministic(f: Callable[..., PyTree], what: str, *args: Any) -> None:
    """Require that f depends on its arguments alone; shapes suffice as arguments.

    f is traced twice. The same program both times means that nothing was drawn in Python.
    """
    programs = {jax.jit(lambda *args: f(*args)).lower(*args).as_text() for _ in range(2)}
    require(
        len(programs) == 1,
        f"{what} gives two results for the same key: draw with jax.random only, from the key it gets.",
    )


def require_key_is_used(f: Callable[[PRNGKeyArray], PyTree], what: str) -> tuple[PyTree, bool]:
    """Require that f, if it draws at all, draws from its key; return a result, and whether it draws."""
    f = jax.jit(f)
    result = f(jr.key(0))
    draws = "random_bits" in str(jax.make_jaxpr(f)(jr.key(0)))
    require(
        not draws or not bitwise_equal(result, f(jr.key(1))),
        f"{what} draws the same random numbers for every key: draw from the key that it receives.",
    )
    return result, draws


def require_shape_and_type(x: Any, shape: tuple[int, ...], kind: Any, what: str, whose: str) -> None:
    """Require a shape, and one of several kinds of type; `whose` names what the shape follows from."""
    fault = form_fault(x, shape, kind, what, whose)
    require(not fault, f"{fault}.")


def require_unchanged_types(before: PyTree, after: PyTree, what: str, where: str) -> None:
    """Require the same structure, shapes and types, as the carry of a scan does."""
    fault = changed_type(before, after, what, where)
    require(not fault, f"{fault}.")


def require_nowhere(
    bad: Bool[Array | np.ndarray, "moments copies *rest"], sentence: str, names: tuple[str, ...] = ()
) -> None:
    """Require that nothing is bad; otherwise say where it is first."""
    if bad.any():
        moment, copy, *rest = np.argwhere(bad)[0]
        agent = f", {names[rest[0]]}" if names else ""
        raise CheckError(f"{sentence} Found after {moment} steps (copy {copy}{agent}).")


def require_finite(
    x: Shaped[Array | np.ndarray, "moments copies *rest"],  # numbers or booleans
    real: Bool[Array | np.ndarray, "moments copies"],
    what: str,
    names: tuple[str, ...] = (),
) -> None:
    """Require finite numbers at the moments that are `real`."""
    bad = ~np.isfinite(x) & real.reshape(*real.shape, *[1] * (x.ndim - 2))
    advice = "look for a division by zero or the root of zero"
    require_nowhere(bad, f"{what} is not finite (NaN or infinite): {advice}.", names)


def check_spec(spec: Spec) -> None:
    """Check the facts of a world."""
    fault = spec_fault(spec)
    require(not fault, f"{fault}.")


def check_masks(
    spec: Spec,
    agents: Shaped[Array | np.ndarray, "moments copies agents features"],
    legal: Bool[Array | np.ndarray, "moments copies agents actions"],
    alive: Bool[Array | np.ndarray, "moments copies agents"],
    real: Bool[Array | np.ndarray, "moments copies"],
) -> None:
    """Check that the dead see nothing and have no choice, and that all have a legal action."""
    dead = real[..., None] & ~alive
    require_nowhere(
        dead & (agents != 0).any(-1),
        "A dead agent observes something: give it an observation of zeros.",
        spec.names,
    )
    if spec.bounds is None:
        choices = legal.sum(-1)
        require_nowhere(
            real[..., None] & (choices == 0),
            "An agent has no legal action: allow at least one, also to the dead.",
            spec.names,
        )
        require_nowhere(
            dead & (choices > 1), "A dead agent has a choice: allow it one action only.", spec.names
        )
