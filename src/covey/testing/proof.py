"""What every proof needs: sentences for failures, and a few questions to ask of functions and arrays."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.tree_util import keystr, tree_leaves_with_path
from jaxtyping import Array, Bool, PRNGKeyArray, PyTree, Shaped


class CheckError(AssertionError):
    """A promise that was not kept, in plain language."""


def require(fact: Any, sentence: str) -> None:
    if not fact:
        raise CheckError(sentence)


@contextmanager
def telling(what: str) -> Iterator[None]:
    """Whatever goes wrong inside becomes a sentence about `what`."""
    try:
        yield
    except CheckError:
        raise
    except (
        jax.errors.ConcretizationTypeError,
        jax.errors.TracerArrayConversionError,
        jax.errors.TracerIntegerConversionError,
    ) as error:
        raise CheckError(
            f"{what} needs an array's value while it is being compiled (`if`, `while`, `int()` or NumPy "
            "on a JAX array): use jnp.where, jax.lax.cond and jax.numpy."
        ) from error
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), "")
        raise CheckError(f"{what} fails with {type(error).__name__}: {reason}") from error


def same(a: PyTree, b: PyTree) -> bool:
    """Equal to the bit."""
    raw = lambda x: np.asarray(jr.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x)
    equal = lambda x, y: raw(x).tobytes() == raw(y).tobytes()
    return all(map(equal, jax.tree.leaves(a), jax.tree.leaves(b)))


def repeatable(f: Callable[..., PyTree], what: str, *given: Any) -> None:
    """f follows nothing but what it is given: read twice it is the same program, so nothing is drawn in
    Python. Shapes will do."""
    programs = {jax.jit(lambda *given: f(*given)).lower(*given).as_text() for _ in range(2)}
    require(
        len(programs) == 1,
        f"{what} gives two results for one key: draw by jax.random only, from the key that it gets.",
    )


def heedful(f: Callable[[PRNGKeyArray], PyTree], what: str) -> tuple[PyTree, bool]:
    """What f gives for a key, and whether it draws at all. If so, the key has to matter."""
    f = jax.jit(f)
    one, random = f(jr.key(0)), "random_bits" in str(jax.make_jaxpr(f)(jr.key(0)))
    require(
        not random or not same(one, f(jr.key(1))),
        f"{what} draws the same random numbers whatever its key: draw from the key that it gets.",
    )
    return one, random


def fits(x: Any, shape: tuple[int, ...], kind: Any, what: str, why: str) -> None:
    require(x.shape == shape, f"{what} has shape {x.shape}, and {why} asks for {shape}.")
    kinds = kind if isinstance(kind, tuple) else (kind,)
    names = {jnp.floating: "floating", jnp.integer: "integer", jnp.bool_: "boolean"}
    name = " or ".join(names[kind] for kind in kinds)
    right = any(jnp.issubdtype(x.dtype, kind) for kind in kinds)
    require(right, f"{what} is of type {x.dtype}: it must be {name}.")


def steady(before: PyTree, after: PyTree, what: str, where: str) -> None:
    """The same structure, shapes and types: what the carry of a scan has to keep."""
    require(
        jax.tree.structure(before) == jax.tree.structure(after),
        f"{where} changes the structure of {what}, from {jax.tree.structure(before)} to "
        f"{jax.tree.structure(after)}: it must return the same tree of arrays that it was given.",
    )
    kind = lambda x: f"{'weakly typed ' * x.weak_type}{x.dtype}{list(x.shape)}"
    for (path, x), y in zip(tree_leaves_with_path(before), jax.tree.leaves(after), strict=True):
        require(
            kind(x) == kind(y),
            f"{where} turns {what}{keystr(path)} from {kind(x)} into {kind(y)}: keep shape and type, and "
            "give constants a type, as in jnp.zeros((), int).",
        )


def nowhere(
    bad: Bool[Array | np.ndarray, "moments copies *rest"], sentence: str, names: tuple[str, ...] = ()
) -> None:
    """Nothing is bad; or where it first is."""
    if bad.any():
        moment, copy, *rest = np.argwhere(bad)[0]
        whose = f", {names[rest[0]]}" if names else ""
        raise CheckError(f"{sentence} Seen after {moment} steps (copy {copy}{whose}).")


def finite(
    x: Shaped[Array | np.ndarray, "moments copies *rest"],  # numbers, or yes and no
    real: Bool[Array | np.ndarray, "moments copies"],
    what: str,
    names: tuple[str, ...] = (),
) -> None:
    odd = ~np.isfinite(x) & real.reshape(*real.shape, *[1] * (x.ndim - 2))
    nowhere(
        odd, f"{what} is not finite (NaN or infinite): look for a division by zero or the root of one.", names
    )
