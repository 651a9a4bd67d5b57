"""Facts about a traced program that need no run: its digest, its dependencies, what it only passes on."""

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

_ADDRESS = re.compile(r"0x[0-9a-f]+")
_INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")  # where an equation keeps the program that it runs


class Program(NamedTuple):
    """A traced function, and the shapes of its inputs and outputs."""

    closed: ClosedJaxpr
    inputs: PyTree
    outputs: PyTree

    @classmethod
    def trace(cls, f: Callable, *args: PyTree) -> "Program":
        """Trace `f` at these shapes."""
        closed, outputs = jax.make_jaxpr(f, return_shape=True)(*args)
        return cls(closed, args, outputs)

    def dependencies(self) -> list[int]:
        """Return, for each output, the inputs that it depends on: bit i stands for input i."""
        jaxpr = self.closed.jaxpr
        return _dependencies(jaxpr, [1 << i for i in range(len(jaxpr.invars))])

    def size(self) -> int:
        """Return the number of its equations, those of inner programs included."""
        return sum(1 for _ in _equations(self.closed.jaxpr))

    def digest(self, wanted: Sequence[bool] | None = None) -> bytes:
        """Return a hash of the program, constants included.

        Two programs that compute the wanted outputs in the same way have the same digest.
        """
        jaxpr = self.closed.jaxpr
        wanted = [True] * len(jaxpr.outvars) if wanted is None else list(wanted)
        hasher = hashlib.sha256()
        _feed(hasher.update, dce_jaxpr(jaxpr, wanted, True)[0], self.closed.consts)
        return hasher.digest()

    def origins(self) -> list[Any]:
        """Return where each output is made; for an output that is only passed through, its input's number."""
        return [_origin(self.closed.jaxpr, var) for var in self.closed.jaxpr.outvars]

    def names(self) -> Iterator[str]:
        """Yield every name that `checkpoint_name` has put into the program, inner programs included."""
        for eqn in _equations(self.closed.jaxpr):
            if eqn.primitive.name == "name":
                yield str(eqn.params["name"])


def unclosed(x: Any) -> Any:
    return x.jaxpr if isinstance(x, ClosedJaxpr) else x


def _inner_programs(value: Any) -> Iterator[Jaxpr]:
    """Yield the programs in an equation's parameter."""
    value = unclosed(value)
    if isinstance(value, Jaxpr):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _inner_programs(part)


def _equations(jaxpr: Jaxpr) -> Iterator[Any]:
    for eqn in jaxpr.eqns:
        yield eqn
        for value in eqn.params.values():
            for inner in _inner_programs(value):
                yield from _equations(inner)


def called_program(eqn: Any) -> Jaxpr | None:
    """Return the inner program whose inputs and outputs are just the equation's, if it has one."""
    inner = next((unclosed(eqn.params[name]) for name in _INNER if name in eqn.params), None)
    fits = inner and len(inner.invars) == len(eqn.invars) and len(inner.outvars) == len(eqn.outvars)
    return inner if fits else None


def _dependencies(jaxpr: Jaxpr, inputs: Sequence[int]) -> list[int]:
    """Return what each output depends on, where each input depends on `inputs`."""
    known = dict(zip(jaxpr.invars, inputs, strict=True))
    of_atom = lambda atom: 0 if isinstance(atom, Literal) else known.get(atom, 0)
    for eqn in jaxpr.eqns:
        sets = [of_atom(atom) for atom in eqn.invars]
        if eqn.primitive.name == "while":
            outputs = _while_dependencies(eqn.params, sets)
        elif (inner := called_program(eqn)) is None:
            outputs = [reduce(or_, sets, 0)] * len(eqn.outvars)
        elif eqn.primitive.name == "scan":
            outputs = _scan_dependencies(inner, sets, eqn.params["num_consts"], eqn.params["num_carry"])
        else:
            outputs = _dependencies(inner, sets)
        known.update(zip(eqn.outvars, outputs, strict=True))
    return [of_atom(atom) for atom in jaxpr.outvars]


def _scan_dependencies(body: Jaxpr, sets: list[int], consts: int, carry: int) -> list[int]:
    """Repeat the body's dependencies until the carry brings in nothing new."""
    while True:
        outputs = _dependencies(body, sets)
        grown = [a | b for a, b in zip(sets[consts : consts + carry], outputs, strict=False)]
        if grown == sets[consts : consts + carry]:
            return outputs
        sets = [*sets[:consts], *grown, *sets[consts + carry :]]


def _while_dependencies(params: dict[str, Any], sets: list[int]) -> list[int]:
    """Repeat a loop's body likewise; what decides how often it runs is behind every output."""
    body_start = params["cond_nconsts"]
    carry_start = body_start + params["body_nconsts"]
    consts = params["body_nconsts"]
    outputs = _scan_dependencies(
        unclosed(params["body_jaxpr"]), sets[body_start:], consts, len(sets) - carry_start
    )
    outputs = [a | b for a, b in zip(sets[carry_start:], outputs, strict=True)]
    turns = _dependencies(unclosed(params["cond_jaxpr"]), [*sets[:body_start], *outputs])[0]
    return [x | turns for x in outputs]


def _bits(x: Any) -> bytes:
    """Return an array's bits, with its type and shape."""
    is_key = isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    x = np.asarray(jax.random.key_data(x) if is_key else x)
    return f"{x.dtype}{x.shape}".encode() + x.tobytes()


def _feed(put: Callable[[bytes], None], jaxpr: Jaxpr, consts: Sequence[Any] = ()) -> None:
    """Write a program down, with its variables numbered in order of appearance."""
    numbers: dict[Any, bytes] = {}
    for var, const in zip(jaxpr.constvars, consts, strict=False):
        numbers[var] = _bits(const)

    def name(atom: Any) -> bytes:
        if isinstance(atom, Literal):
            return _bits(atom.val)
        return numbers.setdefault(atom, b"%d:%s" % (len(numbers), str(atom.aval).encode()))

    for var in jaxpr.invars:
        name(var)
    for eqn in jaxpr.eqns:
        put(b"|" + eqn.primitive.name.encode())
        for atom in (*eqn.invars, *eqn.outvars):
            put(b"," + name(atom))
        for key in sorted(eqn.params):
            put(key.encode())
            _feed_parameter(put, eqn.params[key])
    for var in jaxpr.outvars:
        put(b">" + name(var))


def _feed_parameter(put: Callable[[bytes], None], value: Any) -> None:
    """Write an equation's parameter down.

    Functions are left out: their identity says nothing about what they compute.
    """
    if isinstance(value, ClosedJaxpr):
        _feed(put, value.jaxpr, value.consts)
    elif isinstance(value, Jaxpr):
        _feed(put, value)
    elif isinstance(value, tuple | list):
        for part in value:
            _feed_parameter(put, part)
    elif isinstance(value, np.ndarray | jax.Array):
        put(_bits(value))
    elif not callable(value):
        put(_ADDRESS.sub("", repr(value)).encode())


def _origin(jaxpr: Jaxpr, var: Any) -> Any:
    """Follow a variable back through copies, calls and scan carries to the input or equation that made it."""
    if isinstance(var, Literal):
        return ("constant", _bits(var.val))
    while True:
        if var in jaxpr.invars:
            return jaxpr.invars.index(var)
        eqn = next((e for e in jaxpr.eqns if var in e.outvars), None)
        if eqn is None:
            return ("constant", id(var))
        place = eqn.outvars.index(var)
        if eqn.primitive.name in ("copy", "stop_gradient"):
            inside = 0
        elif (inner := called_program(eqn)) is None:
            return (id(eqn), place)
        else:
            inside = _origin(inner, inner.outvars[place])
            if eqn.primitive.name == "scan":
                carry_input = eqn.params["num_consts"] + place
                if place >= eqn.params["num_carry"] or inside != carry_input:
                    return (id(eqn), inside)
            elif not isinstance(inside, int):
                return (id(eqn), inside)
        var = eqn.invars[inside]
        if isinstance(var, Literal):
            return ("constant", _bits(var.val))
