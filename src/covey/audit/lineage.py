"""Arrays that an update carries on: through sums, selections and loops, back to the arrays they come from."""

from collections.abc import Sequence
from typing import Any

from jax.extend.core import Jaxpr, Literal

from .programs import called_program

_SAME = ("copy", "stop_gradient", "name", "convert_element_type", "reshape", "squeeze", "broadcast_in_dim")
_SUMS = ("add", "add_any", "sub")


def origins_by_sums(jaxpr: Jaxpr, outputs: int) -> list[set[int]]:
    """Return, for each of the first outputs, the inputs of its shape to which it adds something."""
    inputs = [{i} for i in range(len(jaxpr.invars))]
    found = _run(jaxpr, inputs)[:outputs]
    shape = lambda atom: (getattr(atom.aval, "shape", None), atom.aval.dtype)
    ours = [shape(atom) for atom in jaxpr.outvars]
    theirs = [shape(atom) for atom in jaxpr.invars]
    return [{j for j in origins if theirs[j] == ours[i]} for i, origins in enumerate(found)]


def _run(jaxpr: Jaxpr, inputs: Sequence[set[int]]) -> list[set[int]]:
    known = dict(zip(jaxpr.invars, inputs, strict=True))
    of = lambda atom: set() if isinstance(atom, Literal) else known.get(atom, set())
    for eqn in jaxpr.eqns:
        sets = [of(atom) for atom in eqn.invars]
        if any(sets):
            known.update(zip(eqn.outvars, _outputs(eqn, sets), strict=True))
    return [of(atom) for atom in jaxpr.outvars]


def _outputs(eqn: Any, sets: list[set[int]]) -> list[set[int]]:
    name = eqn.primitive.name
    if name == "scan":
        return _scan(eqn.params, sets)
    if name == "cond":
        each = [_run(branch.jaxpr, sets[1:]) for branch in eqn.params["branches"]]
        return [set().union(*outs) for outs in zip(*each, strict=True)]
    if (inner := called_program(eqn)) is not None:
        return _run(inner, sets)
    if name in _SAME:
        return [sets[0]]
    if name in _SUMS:
        return [set().union(*sets)]
    if name == "select_n":
        return [set().union(*sets[1:])]
    if name in ("mul", "div"):
        scalar = [not atom.aval.shape for atom in eqn.invars]
        return [sets[0] if scalar[1] else sets[1] if scalar[0] and name == "mul" else set()]
    return [set()] * len(eqn.outvars)


def _scan(params: dict[str, Any], sets: list[set[int]]) -> list[set[int]]:
    consts = params["num_consts"]
    end = consts + params["num_carry"]
    carries = sets[consts:end]
    while True:
        outs = _run(params["jaxpr"].jaxpr, [*sets[:consts], *carries, *[set()] * len(sets[end:])])
        grown = [a | b for a, b in zip(carries, outs, strict=False)]
        if grown == carries:
            return [*outs[: end - consts], *[set()] * (len(outs) - end + consts)]
        carries = grown
