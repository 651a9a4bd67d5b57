"""Losses read symbolically before training: terms without gradient or of 0, signs, targets that learn."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr
from jax.tree_util import tree_flatten_with_path
from jaxtyping import PyTree

from ..core import Trajectory
from .flow import Reader, Value
from .settings_read import attempt
from .sums import Part, Sums

_PARAMS = 1
_TERMINATED = 2
_REWARD = 4
_OTHER = 8
_NEXT = 16  # gradients that come by a value which is worth nothing after a true end
_BOOTSTRAP = 32  # the same, once a reward was added
_ZERO = "0 whatever is learned: it compares a thing with itself, or is multiplied by 0"


class LossProgram(NamedTuple):
    """A loss of some parameters, traced by itself."""

    closed: ClosedJaxpr
    inputs: list[Value]
    metrics: list[str]  # the names of its outputs but the first


def loss_program(loss: Callable[..., Any], params: PyTree, args: tuple[Any, ...]) -> LossProgram:
    """Trace a loss as a function of its parameters and other arguments."""
    shape = lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, weak_type=getattr(x, "weak_type", False))
    arrays, rest = eqx.partition((params, args), lambda x: isinstance(x, jax.Array))

    def of_arrays(arrays):
        own, others = eqx.combine(arrays, rest)
        return loss(own, *others)

    closed, outputs = jax.make_jaxpr(of_arrays, return_shape=True)(jax.tree.map(shape, arrays))
    names = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in _flat(outputs)]
    inputs = []
    for path, x in _flat(arrays):
        mine = path[0].idx == 0
        bit = _PARAMS if mine else _field_bit((params, args), path)
        number = len(inputs)
        slopes = _PARAMS if mine and jnp.issubdtype(x.dtype, jnp.inexact) else 0
        inputs.append(Value(bit, slopes, number=number))
    return LossProgram(closed, inputs, [name.rpartition(".")[2] for name in names[1:]])


def _flat(tree: PyTree) -> list[tuple[Any, Any]]:
    return tree_flatten_with_path(tree)[0]


def _field_bit(root: Any, path: tuple[Any, ...]) -> int:
    """Return the bit of an argument: of rewards and true ends their own, if a trajectory holds it."""
    thing = root
    for key in path:
        name = getattr(key, "name", None)
        if isinstance(thing, Trajectory):
            bits = {"terminated": _TERMINATED, "reward": _REWARD, "team_reward": _REWARD}
            return bits.get(str(name), _OTHER)
        if hasattr(key, "idx"):
            thing = thing[key.idx]
        elif hasattr(key, "key"):
            thing = thing[key.key]
        else:
            thing = getattr(thing, str(name))
    return _OTHER


class LossReader(Reader):
    """Reads a loss: notes its named terms, and marks gradients that come by a bootstrapped value."""

    def __init__(self):
        super().__init__(self._note, self._mark)
        self.named: dict[str, list[Value]] = {}

    def _note(self, eqn: Any, values: list[Value]) -> None:
        if eqn.primitive.name == "name" and str(eqn.params["name"]).startswith("term "):
            self.named.setdefault(str(eqn.params["name"]).removeprefix("term "), []).append(values[0])

    def _mark(self, eqn: Any, values: list[Value], out: Value) -> Value:
        if len(values) < 2 or not out.slopes & _PARAMS:
            return out
        pairs = [(a, b) for a in values for b in values if a is not b]
        ends = lambda x: x.reads & _TERMINATED and not x.reads & (_PARAMS | _REWARD)
        if eqn.primitive.name in ("mul", "select_n") and any(ends(a) and b.slopes for a, b in pairs):
            return out._replace(slopes=out.slopes | _NEXT)
        paid = lambda x: x.reads & _REWARD and not x.slopes & _PARAMS
        if eqn.primitive.name in ("add", "sub") and any(paid(a) and b.slopes & _NEXT for a, b in pairs):
            return out._replace(slopes=out.slopes | _BOOTSTRAP)
        return out


def loss_notes(program: LossProgram) -> list[str]:
    """Return sentences on what is probably wrong in a loss."""
    closed = program.closed
    reader = LossReader()
    consts = [Value(0 if jnp.shape(x) == () else _OTHER) for x in closed.consts]
    loss = reader.run(closed.jaxpr, program.inputs, consts)[0]
    notes = []
    if loss.slopes & _BOOTSTRAP:
        notes.append(
            "gradients flow into the value that a target adds to the reward, the part that counts where "
            "`terminated` is false: a target usually takes none; wrap it in jax.lax.stop_gradient, or use a "
            "target network"
        )
    for name, values in reader.named.items():
        if all(value.zero and not value.slopes for value in values):
            notes.append(f"the loss term {name} is {_ZERO}")
    sums = Sums(closed.jaxpr, reader.known)
    parts = list(sums.parts(closed.jaxpr.outvars[0]))
    notes += [note for part in parts if (note := _part_note(part, reader.known))]
    names = zip(program.metrics, closed.jaxpr.outvars[1:], strict=True)
    signs = {part.var: part.sign for part in parts}
    for var in [var for name, var in names if name == "entropy"]:
        both = {signs[part.var] * part.sign for part in sums.parts(var) if part.var in signs}
        if both == {1}:
            notes.append(
                "the loss grows with `entropy`, so entropy is minimised: subtract it, if the policy should "
                "stay random"
            )
    return list(dict.fromkeys(notes))


def _part_note(part: Part, known: dict[Any, Value]) -> str | None:
    """Return a sentence on a summand that teaches nothing."""
    value = known.get(part.var)
    if value is None or not part.where:
        return None
    if value.zero and not value.slopes:
        return f"a term that {part.where} adds to a loss is {_ZERO}"
    if value.reads and not value.slopes:
        return (
            f"a term that {part.where} adds to a loss has no gradient: all of it is detached, perhaps by a "
            "stop_gradient too many"
        )
    return None


def loss_metrics(programs: Iterable[Any]) -> set[str]:
    """Return the metrics that are summands of the losses that report them."""
    names: set[str] = set()
    for program in programs:
        if isinstance(program, LossProgram):
            found = attempt(lambda program=program: _summed_metrics(program))
            names |= found if isinstance(found, set) else set()
    return names


def _summed_metrics(program: LossProgram) -> set[str]:
    jaxpr = program.closed.jaxpr
    reader = LossReader()
    reader.read(program.closed, program.inputs)
    sums = Sums(jaxpr, reader.known)
    loss = {part.var for part in sums.parts(jaxpr.outvars[0])}
    parts = lambda var: {part.var for part in sums.parts(var)}
    names = zip(program.metrics, jaxpr.outvars[1:], strict=True)
    return {name for name, var in names if parts(var) and parts(var) <= loss}
