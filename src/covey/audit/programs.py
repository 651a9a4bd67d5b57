"""What a traced program tells without running: its digest, what depends on what, what is only passed on."""

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal
from jax.interpreters.partial_eval import dce_jaxpr
from jaxtyping import PyTree

ADDRESS = re.compile(r"0x[0-9a-f]+")
INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")  # where an equation keeps the program that it runs


class Program(NamedTuple):
    """A function as JAX sees it, and the shapes of what it takes and gives."""

    closed: ClosedJaxpr
    takes: PyTree
    gives: PyTree

    @classmethod
    def of(cls, f: Callable, *args: PyTree) -> "Program":
        closed, gives = jax.make_jaxpr(f, return_shape=True)(*args)
        return cls(closed, args, gives)

    def depends(self) -> list[int]:
        """For each output the inputs that it depends on: bit i stands for the i-th."""
        jaxpr = self.closed.jaxpr
        return depends(jaxpr, [1 << i for i in range(len(jaxpr.invars))])

    def digest(self, wanted: Sequence[bool] | None = None) -> bytes:
        """The same for two programs that compute the same outputs in the same way, constants included."""
        jaxpr = self.closed.jaxpr
        wanted = [True] * len(jaxpr.outvars) if wanted is None else list(wanted)
        hasher = hashlib.sha256()
        feed(hasher.update, dce_jaxpr(jaxpr, wanted, True)[0], self.closed.consts)
        return hasher.digest()

    def origins(self) -> list[Any]:
        """Where each output comes from; an input's own number for what is only passed through."""
        return [origin(self.closed.jaxpr, var) for var in self.closed.jaxpr.outvars]

    def equations(self) -> Iterator[Any]:
        """All of them, also those of programs within."""
        yield from equations(self.closed.jaxpr)


def plain(x: Any) -> Any:
    return x.jaxpr if isinstance(x, ClosedJaxpr) else x


def programs_in(value: Any) -> Iterator[Jaxpr]:
    value = plain(value)
    if isinstance(value, Jaxpr):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from programs_in(part)


def equations(jaxpr: Jaxpr) -> Iterator[Any]:
    for eqn in jaxpr.eqns:
        yield eqn
        for value in eqn.params.values():
            for inner in programs_in(value):
                yield from equations(inner)


def within(eqn: Any) -> Jaxpr | None:
    """The program that an equation runs on just what it is given."""
    inner = next((plain(eqn.params[name]) for name in INNER if name in eqn.params), None)
    fits = inner and len(inner.invars) == len(eqn.invars) and len(inner.outvars) == len(eqn.outvars)
    return inner if fits else None


def depends(jaxpr: Jaxpr, given: Sequence[int]) -> list[int]:
    """What each output depends on, given what each input does."""
    known = dict(zip(jaxpr.invars, given, strict=True))
    look = lambda atom: 0 if isinstance(atom, Literal) else known.get(atom, 0)
    for eqn in jaxpr.eqns:
        sets = [look(atom) for atom in eqn.invars]
        if (inner := within(eqn)) is None:
            found = [reduce(or_, sets, 0)] * len(eqn.outvars)
        elif eqn.primitive.name == "scan":
            found = carried(inner, sets, eqn.params["num_consts"], eqn.params["num_carry"])
        else:
            found = depends(inner, sets)
        known.update(zip(eqn.outvars, found, strict=True))
    return [look(atom) for atom in jaxpr.outvars]


def carried(body: Jaxpr, sets: list[int], consts: int, carry: int) -> list[int]:
    """Round after round, until nothing new comes in by what is carried."""
    while True:
        found = depends(body, sets)
        grown = [a | b for a, b in zip(sets[consts : consts + carry], found, strict=False)]
        if grown == sets[consts : consts + carry]:
            return found
        sets = [*sets[:consts], *grown, *sets[consts + carry :]]


def raw(x: Any) -> bytes:
    """An array's bits, with its type and shape."""
    is_key = isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    x = np.asarray(jax.random.key_data(x) if is_key else x)
    return f"{x.dtype}{x.shape}".encode() + x.tobytes()


def feed(put: Callable[[bytes], None], jaxpr: Jaxpr, consts: Sequence[Any] = ()) -> None:
    """Writes a program down, its variables numbered in the order in which they come up."""
    numbers: dict[Any, bytes] = {}
    for var, const in zip(jaxpr.constvars, consts, strict=False):
        numbers[var] = raw(const)

    def name(atom: Any) -> bytes:
        if isinstance(atom, Literal):
            return raw(atom.val)
        return numbers.setdefault(atom, b"%d:%s" % (len(numbers), str(atom.aval).encode()))

    for var in jaxpr.invars:
        name(var)
    for eqn in jaxpr.eqns:
        put(b"|" + eqn.primitive.name.encode())
        for atom in (*eqn.invars, *eqn.outvars):
            put(b"," + name(atom))
        for key in sorted(eqn.params):
            put(key.encode())
            parameter(put, eqn.params[key])
    for var in jaxpr.outvars:
        put(b">" + name(var))


def parameter(put: Callable[[bytes], None], value: Any) -> None:
    """Of an equation: programs as programs, functions not at all (they do not stand for what they do)."""
    if isinstance(value, ClosedJaxpr):
        feed(put, value.jaxpr, value.consts)
    elif isinstance(value, Jaxpr):
        feed(put, value)
    elif isinstance(value, tuple | list):
        for part in value:
            parameter(put, part)
    elif isinstance(value, np.ndarray | jax.Array):
        put(raw(value))
    elif not callable(value):
        put(ADDRESS.sub("", repr(value)).encode())


def origin(jaxpr: Jaxpr, var: Any) -> Any:
    """Through copies, calls and the carries of scans, to the equation or input that made it."""
    if isinstance(var, Literal):
        return ("constant", raw(var.val))
    while True:
        if var in jaxpr.invars:
            return jaxpr.invars.index(var)
        eqn = next((e for e in jaxpr.eqns if var in e.outvars), None)
        if eqn is None:
            return ("constant", id(var))
        place = eqn.outvars.index(var)
        if eqn.primitive.name in ("copy", "stop_gradient"):
            inside = 0
        elif (inner := within(eqn)) is None:
            return (id(eqn), place)
        else:
            inside = origin(inner, inner.outvars[place])
            if eqn.primitive.name == "scan":
                carried = eqn.params["num_consts"] + place
                if place >= eqn.params["num_carry"] or inside != carried:
                    return (id(eqn), inside)
            elif not isinstance(inside, int):
                return (id(eqn), inside)
        var = eqn.invars[inside]
        if isinstance(var, Literal):
            return ("constant", raw(var.val))
