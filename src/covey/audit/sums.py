"""Summands of a loss, found in its program: behind means, masks, signs and coefficients."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax.extend.core import Jaxpr, Literal

from .flow import Value
from .programs import called_program

_THROUGH = ("reshape", "squeeze", "broadcast_in_dim", "transpose", "reduce_sum", "copy", "name")
_CALLS = ("_mean", "mean", "_sum", "sum", "_reduce_sum", "identity")  # whose operand is followed
_LIBRARY = ("/nn/", "/scipy/", "/ops/", "/random")  # of JAX: functions that add by themselves
_COVEY = str(Path(__file__).parents[1])


class Part(NamedTuple):
    """A summand: its variable, its sign, and the line of the user's that added it; empty if none did."""

    var: Any
    sign: int
    where: str


class Sums:
    """The sums in a program. Coefficients are taken for positive, unless the program says otherwise."""

    def __init__(self, jaxpr: Jaxpr, known: Mapping[Any, Value]):
        self.made = {var: eqn for eqn in jaxpr.eqns for var in eqn.outvars}
        self.known = known

    def parts(self, var: Any, sign: int = 1, where: str = "") -> Iterator[Part]:
        """Yield the summands of a variable."""
        eqn = None if isinstance(var, Literal) else self.made.get(var)
        name = eqn.primitive.name if eqn else ""
        if eqn and name in ("add", "add_any", "sub"):
            line = line_of(eqn)
            for atom, factor in zip(eqn.invars, (1, -1 if name == "sub" else 1), strict=True):
                yield from self.parts(atom, factor * sign, line)
        elif eqn and (followed := self._followed(eqn, name)):
            atom, factor = followed
            yield from self.parts(atom, factor * sign, where)
        elif not isinstance(var, Literal):
            yield Part(var, sign, where)

    def _followed(self, eqn: Any, name: str) -> tuple[Any, int] | None:
        """Return the operand that an equation passes on, times a coefficient of this sign."""
        if name in _THROUGH or (name == "convert_element_type" and _is_number(eqn.invars[0])):
            return eqn.invars[0], 1
        if name == "neg":
            return eqn.invars[0], -1
        if name in ("mul", "div"):
            return self._scaled(eqn, name)
        if name == "select_n" or eqn.params.get("name") == "_where":
            return self._masked(eqn.invars[1:])
        return self._called(eqn) if eqn.params.get("name") in _CALLS or name == "custom_jvp_call" else None

    def _scaled(self, eqn: Any, name: str) -> tuple[Any, int] | None:
        facts = [self.known.get(atom, Value()) for atom in eqn.invars if not isinstance(atom, Literal)]
        if len(facts) == 2 and not any(value.slopes for value in facts):
            return None  # nothing tells the coefficient from what it counts
        for i in (1, 0) if name == "mul" else (1,):
            other = eqn.invars[1 - i]
            if self._is_scale(eqn.invars[i]) and not isinstance(other, Literal) and _is_number(other):
                return other, self._sign(eqn.invars[i])
        return None

    def _masked(self, cases: list[Any]) -> tuple[Any, int] | None:
        """Return the one case beside zeros."""
        zero = lambda atom: (isinstance(atom, Literal) and not jnp.any(atom.val)) or self._known(atom).zero
        others = [atom for atom in cases if not zero(atom)]
        return (others[0], 1) if len(others) == 1 and _is_number(others[0]) else None

    def _known(self, atom: Any) -> Value:
        return Value() if isinstance(atom, Literal) else self.known.get(atom, Value())

    def _called(self, eqn: Any) -> tuple[Any, int] | None:
        """Return the operand of which a call returns the mean or the sum."""
        inner = called_program(eqn)
        parts = list(Sums(inner, {}).parts(inner.outvars[0])) if inner else []
        if inner and len(parts) == 1 and parts[0].var in inner.invars:
            return eqn.invars[inner.invars.index(parts[0].var)], parts[0].sign
        return None

    def _is_scale(self, atom: Any) -> bool:
        """Say whether a factor is a coefficient or a mask, which takes no gradient."""
        if isinstance(atom, Literal):
            return True
        if self._known(atom).slopes:
            return False
        while atom.aval.shape and (eqn := self.made.get(atom)) is not None:
            if eqn.primitive.name not in ("broadcast_in_dim", "convert_element_type", "reshape"):
                return False
            atom = eqn.invars[0]
            if isinstance(atom, Literal):
                return True
            if atom.aval.dtype == jnp.bool_:
                return True
        return not atom.aval.shape or atom.aval.dtype == jnp.bool_

    def _sign(self, atom: Any) -> int:
        """Return a coefficient's sign."""
        if isinstance(atom, Literal):
            return -1 if jnp.ndim(atom.val) == 0 and atom.val < 0 else 1
        eqn = self.made.get(atom)
        if eqn is None:
            return 1
        if eqn.primitive.name == "neg":
            return -self._sign(eqn.invars[0])
        if eqn.primitive.name in ("broadcast_in_dim", "convert_element_type", "reshape"):
            return self._sign(eqn.invars[0])
        return self._sign(eqn.invars[0]) * self._sign(eqn.invars[1]) if eqn.primitive.name == "mul" else 1


def _is_number(atom: Any) -> bool:
    return jnp.issubdtype(atom.aval.dtype, jnp.inexact)


def line_of(eqn: Any) -> str:
    """Return the file and line of the user's that made an equation; empty if a library's code did."""
    traceback = getattr(eqn.source_info, "traceback", None)
    for frame in traceback.frames if traceback else ():
        if "site-packages" in frame.file_name:
            if "/jax/" in frame.file_name and not any(part in frame.file_name for part in _LIBRARY):
                continue
            return ""
        return "" if frame.file_name.startswith(_COVEY) else f"{Path(frame.file_name).name}:{frame.line_num}"
    return ""
