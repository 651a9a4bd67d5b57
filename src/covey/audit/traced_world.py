"""An environment as programs: traced with two copies, never run. Numbers may be inputs, behind all others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, reduce
from operator import or_
from typing import Any

import jax
import jax.random as jr
from jax.tree_util import keystr, tree_leaves_with_path
from jaxtyping import PyTree

from ..core import AbstractEnvironment, AbstractHostEnvironment, Spec
from .flow import Reader, Value
from .lifting import Inputs, put_all
from .programs import Program
from .settings_read import attempt
from .traced import Stage


@dataclass
class TracedEnvironment:
    """An environment. One that is a Python program is known by its spec alone."""

    env: Any
    numbers: Inputs = field(default_factory=dict)  # settings that are inputs

    def _trace(self, f: Callable[..., Any], *args: PyTree) -> Program:
        given = lambda *args: f(put_all(self.env, args[-1]), *args[:-1])
        return Program.trace(given, *args, dict(self.numbers))

    @cached_property
    def reset(self) -> Program:
        return self._trace(lambda env, key: env.reset(key, 2), jax.eval_shape(lambda: jr.key(0)))

    @cached_property
    def step(self) -> Program:
        spec: Spec = self.env.spec
        action = jax.ShapeDtypeStruct((2, *spec.action_shape), spec.action_type)
        step = lambda env, *args: env.step(*args)
        return self._trace(step, self.reset.outputs[0], action, jax.eval_shape(lambda: jr.key(0)))

    @property
    def on_host(self) -> bool:
        return isinstance(self.env, AbstractHostEnvironment)

    @cached_property
    def has_illegal_actions(self) -> bool:
        """Say whether the masks of legal actions may forbid any; not known of a Python program."""
        if self.on_host or self.env.spec.bounds or not isinstance(self.env, AbstractEnvironment):
            return False
        never = lambda: all(value.constant and value.low == 1 for value in self._legal())
        return attempt(never) is False

    def _legal(self) -> Iterator[Value]:
        """Yield what is known of the masks in the programs' outcomes."""
        for program in (self.reset, self.step):
            inputs = [Value(1 << i) for i in range(len(program.closed.jaxpr.invars))]
            outputs = Reader().read(program.closed, inputs)
            for (path, _), value in zip(tree_leaves_with_path(program.outputs), outputs, strict=True):
                if keystr(path[-1:], simple=True) == "legal":
                    yield value

    def depends_on(self, path: str) -> bool:
        """Say whether the world depends on a number."""
        bit = 1 << sorted(self.numbers).index(path)
        return any(_numbers_read(program, self.numbers) & bit for program in (self.reset, self.step))

    def stages(self) -> Iterator[Stage]:
        """Yield all that the environment does, the cheapest to trace first."""
        yield "spec", lambda: repr(self.env.spec)
        if isinstance(self.env, AbstractEnvironment):
            yield "reset", lambda: self.reset.digest()
            yield "step", lambda: self.step.digest()


def _numbers_read(program: Program, numbers: Inputs) -> int:
    """Return which of the numbers its outputs depend on: a bit for each."""
    others = len(program.closed.jaxpr.invars) - len(numbers)
    return reduce(or_, program.dependencies(), 0) >> others
