"""A traced program read symbolically: what a value depends on, what gradients reach it, what is constant."""

from collections.abc import Callable, Sequence
from functools import reduce
from math import inf, isfinite
from operator import or_
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from .programs import called_program

_STOPS = ("stop_gradient", "floor", "ceil", "round", "sign")
_KEEPS = (  # what has the bounds of its operand
    "broadcast_in_dim", "reshape", "squeeze", "transpose", "slice", "dynamic_slice", "gather", "copy", "name",
    "convert_element_type", "reduce_max", "reduce_min", "stop_gradient", "rev", "expand_dims", "copy_p",
)  # fmt: skip
_KEEPS_ZERO = ("reduce_sum", "cumsum", "sign", "sqrt", "integer_pow", "square", "abs", "tanh", "sin")
_LOWER = {"min": min, "max": max}
Visit = Callable[[Any, list["Value"]], None]  # receives each equation, and what is known of its operands


class Value(NamedTuple):
    """Facts about an array of a program."""

    reads: int = 0  # the inputs that it depends on, a bit for each
    slopes: int = 0  # the inputs whose gradients reach it
    low: float = -inf
    high: float = inf
    number: int | None = None  # values of equal numbers are equal
    moments: int = 0  # of an input as it came, those along its axis 1; 0 for all else
    cancelled: int | None = None  # the number of what is taken from itself here, which leaves 0

    @property
    def constant(self) -> bool:
        return self.low == self.high and isfinite(self.low)

    @property
    def zero(self) -> bool:
        return self.low == self.high == 0


def all_of(values: Sequence[Value]) -> Value:
    """Return facts that hold of a value which depends on all of these."""
    reads = slopes = 0
    for value in values:
        reads |= value.reads
        slopes |= value.slopes
    return Value(reads, slopes)


def _any_of(values: Sequence[Value]) -> Value:
    """Return facts that hold of each of these values."""
    low = min(value.low for value in values)
    return all_of(values)._replace(low=low, high=max(value.high for value in values))


def _constant(x: Any) -> Value:
    """Return the facts about an array that is known."""
    try:
        array = np.asarray(x)
        if array.dtype.kind in "biuf" and array.size:
            return Value(0, 0, float(array.min()), float(array.max()))
    except Exception:  # a key, or an array that another trace holds
        pass
    return Value()


class Reader:
    """Reads a program forwards; `last` is the bit of what only the last moment of an input holds."""

    def __init__(
        self,
        visit: Visit = lambda eqn, values: None,
        rule: Callable[[Any, list[Value], Value], Value] = lambda eqn, values, out: out,
        last: int = 0,
    ):
        self.visit = visit
        self.rule = rule
        self.last = last
        self.known: dict[Any, Value] = {}
        self._numbers: dict[Any, int] = {}

    def read(self, closed: ClosedJaxpr, inputs: Sequence[Value]) -> list[Value]:
        """Return the facts about a program's outputs."""
        return self.run(closed.jaxpr, inputs, closed.consts)

    def run(self, jaxpr: Jaxpr, inputs: Sequence[Value], consts: Sequence[Any] = ()) -> list[Value]:
        known: dict[Any, Value] = dict(zip(jaxpr.invars, inputs, strict=True))
        for var, const in zip(jaxpr.constvars, consts, strict=False):
            known[var] = const if isinstance(const, Value) else _constant(const)
        of = lambda atom: _constant(atom.val) if isinstance(atom, Literal) else known.get(atom, Value())
        for eqn in jaxpr.eqns:
            values = [of(atom) for atom in eqn.invars]
            self.visit(eqn, values)
            for var, out in zip(eqn.outvars, self._outputs(eqn, values), strict=True):
                known[var] = self._trimmed(var, out)
        self.known = known  # at last those of the whole program
        return [of(atom) for atom in jaxpr.outvars]

    def _trimmed(self, var: Any, out: Value) -> Value:
        """Drop the gradients of what is no number, and the inputs of a constant."""
        if out.constant:
            out = out._replace(reads=0)
        return out if jnp.issubdtype(var.aval.dtype, jnp.inexact) else out._replace(slopes=0)

    def _outputs(self, eqn: Any, values: list[Value]) -> list[Value]:
        name = eqn.primitive.name
        if name == "scan":
            return self._scan(eqn.params, values)
        if name == "while":
            return self._while(eqn.params, values)
        if name == "cond":
            branches = [self.run(b.jaxpr, values[1:], b.consts) for b in eqn.params["branches"]]
            decides = values[0]._replace(slopes=0)
            return [_merged(decides, outs) for outs in zip(*branches, strict=True)]
        if (inner := called_program(eqn)) is not None:
            return self.run(inner, values)
        out = self._primitive(eqn, name, values)
        return [self.rule(eqn, values, out)] * len(eqn.outvars)

    def _primitive(self, eqn: Any, name: str, values: list[Value]) -> Value:
        out = all_of(values)
        if name in _STOPS:
            out = out._replace(slopes=0)
        number = self._number(eqn, name, values)
        low, high = _bounds(name, values)
        out = out._replace(low=low, high=high, number=number)
        if name == "select_n":
            out = _select(values)._replace(number=number)
        elif out.constant:
            out = self._constant(name, values, out)
        return self._moments(eqn, name, values, out)

    def _constant(self, name: str, values: list[Value], out: Value) -> Value:
        """Drop gradients that a constant has none of: x - stop_gradient(x) is 0, and has one."""
        a, *rest = values
        if name == "sub" and rest and a.number is not None and a.number == rest[0].number:
            same = a.slopes == rest[0].slopes
            return out._replace(slopes=0 if same else out.slopes, cancelled=a.number)
        if name == "mul" and rest:
            zeros = [(x, y) for x, y in ((a, rest[0]), (rest[0], a)) if x.zero]
            slopes = [0 if self._is_divergence(x, y) else x.slopes for x, y in zeros]
            return out._replace(slopes=reduce(or_, slopes, 0))
        return out if name in _KEEPS or name in _KEEPS_ZERO or name == "neg" else out._replace(slopes=0)

    def _is_divergence(self, zero: Value, factor: Value) -> bool:
        """Say whether it is exp(x) (x - x): of a divergence of x from itself, which has no gradient."""
        exponents = [key[2] for key, number in self._numbers.items() if number == factor.number]
        return zero.cancelled is not None and zero.cancelled in exponents

    def _number(self, eqn: Any, name: str, values: list[Value]) -> int | None:
        """Return a number that equal values share, where the operands have one."""
        if name in ("name", "stop_gradient", "copy"):
            return values[0].number
        known = [v.low if v.number is None and v.low == v.high else v.number for v in values]
        if not known or None in known:
            return None
        return self._numbers.setdefault((name, _parameters(eqn), *known), len(self._numbers) + 1_000_000)

    def _moments(self, eqn: Any, name: str, values: list[Value], out: Value) -> Value:
        """Forget the last moment of an input where a slice leaves it out."""
        moments = values[0].moments if values else 0
        if moments and name == "convert_element_type":
            return out._replace(moments=moments)
        if moments and name == "slice":
            cut = len(eqn.params["limit_indices"]) > 1 and eqn.params["limit_indices"][1] < moments
            return out._replace(reads=out.reads & ~self.last) if cut else out._replace(moments=moments)
        return out

    def _scan(self, params: dict[str, Any], values: list[Value]) -> list[Value]:
        body = params["jaxpr"]
        consts = params["num_consts"]
        end = consts + params["num_carry"]
        strip = lambda value: value._replace(number=None, moments=0)
        carries = [Value(v.reads, v.slopes) for v in values[consts:end]]
        rest = list(map(strip, values[end:]))
        outs = self._settled(body, values[:consts], carries, rest)
        carries = [_any_of([i, v]) for v, i in zip(outs, values[consts:end], strict=False)]
        return [strip(value) for value in [*carries, *outs[end - consts :]]]

    def _settled(
        self, body: ClosedJaxpr, consts: list[Value], carries: list[Value], rest: list[Value]
    ) -> list[Value]:
        """Read a loop's body until its carry brings in nothing new."""
        visit = self.visit
        self.visit = lambda eqn, values: None
        while True:
            outs = self.run(body.jaxpr, [*consts, *carries, *rest], body.consts)
            grown = [
                Value(a.reads | b.reads, a.slopes | b.slopes) for a, b in zip(carries, outs, strict=False)
            ]
            if grown == carries:
                break
            carries = grown
        self.visit = visit
        return self.run(body.jaxpr, [*consts, *carries, *rest], body.consts)

    def _while(self, params: dict[str, Any], values: list[Value]) -> list[Value]:
        begin = params["cond_nconsts"]
        start = begin + params["body_nconsts"]
        carries = [Value(v.reads, v.slopes) for v in values[start:]]
        outs = self._settled(params["body_jaxpr"], values[begin:start], carries, [])
        outs = [_any_of([a, b]) for a, b in zip(values[start:], outs, strict=True)]
        turns = self.run(params["cond_jaxpr"].jaxpr, [*values[:begin], *outs])[0]._replace(slopes=0)
        return [all_of([value, turns]) for value in outs]


def _merged(decides: Value, outs: Sequence[Value]) -> Value:
    value = _any_of(outs)
    return value._replace(reads=value.reads | decides.reads, number=None)


def _select(values: list[Value]) -> Value:
    which, *cases = values
    if which.constant and int(which.low) < len(cases):
        return cases[int(which.low)]
    value = _any_of(cases)
    return value._replace(reads=value.reads | which.reads)


def _bounds(name: str, values: list[Value]) -> tuple[float, float]:
    """Return bounds of what a primitive computes."""
    a = values[0] if values else Value()
    b = values[1] if len(values) > 1 else Value()
    if name in _KEEPS or (name in _KEEPS_ZERO and a.zero):
        return a.low, a.high
    if name in ("mul", "dot_general", "and") and (a.zero or b.zero):
        return 0.0, 0.0
    if name == "div" and a.zero:
        return 0.0, 0.0
    if name == "sub" and a.number is not None and a.number == b.number:
        return 0.0, 0.0
    if name in _LOWER:
        pick = _LOWER[name]
        return pick(a.low, b.low), pick(a.high, b.high)
    if name == "clamp":
        x = values[2] if len(values) > 2 else Value()
        return max(a.low, min(x.low, b.high)), min(b.high, max(x.high, a.low))
    if name == "neg":
        return -a.high, -a.low
    if name == "not" and 0 <= a.low <= a.high <= 1:
        return 1 - a.high, 1 - a.low
    if a.constant and b.constant and name in ("add", "sub", "mul"):
        result = {"add": a.low + b.low, "sub": a.low - b.low, "mul": a.low * b.low}[name]
        return result, result
    if name == "concatenate" and values:
        return min(v.low for v in values), max(v.high for v in values)
    return -inf, inf


def _parameters(eqn: Any) -> str:
    return str(sorted((key, str(value)) for key, value in eqn.params.items()))
