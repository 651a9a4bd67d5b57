"""A learner's modules: which are called, which an update returns as they were, which follow others."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import or_
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import keystr, tree_flatten_with_path
from jaxtyping import PyTree

from ..core import Frozen, OptState, Target
from .traced import TracedLearner

TreePath = tuple[Any, ...]
_ROLES = (OptState, Target, Frozen)


class LearnerModule(NamedTuple):
    """A part of the learner that holds arrays; `leaves` are their places among the learner's arrays."""

    path: TreePath
    tree: PyTree
    leaves: tuple[int, ...]
    role: type | None  # OptState, Target or Frozen; None: it learns

    @property
    def name(self) -> str:
        return dotted_path(self.path)

    @property
    def is_target(self) -> bool:
        return self.role is Target

    @property
    def is_frozen(self) -> bool:
        return self.role is Frozen


def dotted_path(path: TreePath) -> str:
    """Return a path as users read it: `online.mixer.gate`."""
    return keystr(path, simple=True, separator=".")


def is_float(x: Any) -> bool:
    """Say whether an array may hold parameters or statistics, and no counter or mask."""
    return jnp.issubdtype(x.dtype, jnp.inexact)


def _children(tree: PyTree) -> list[tuple[TreePath, PyTree]]:
    """Return the direct parts of a tree; none for an array."""
    flat = tree_flatten_with_path(tree, is_leaf=lambda x: x is not tree)[0]
    return [(path, child) for path, child in flat if path]


def _same_shapes(a: PyTree, b: PyTree) -> bool:
    """Say whether two trees have the same structure, shapes and types of arrays."""
    shape = lambda x: (x.shape, x.dtype)
    same = jax.tree.structure(a) == jax.tree.structure(b)
    return same and all(map(lambda x, y: shape(x) == shape(y), jax.tree.leaves(a), jax.tree.leaves(b)))


def _disjoint(a: LearnerModule, b: LearnerModule) -> bool:
    return not set(a.leaves) & set(b.leaves)


@dataclass
class Anatomy:
    """The modules of a learner, by the shapes of its arrays.

    The type of the wrapper around a module says its role: `OptState`, `Target` or `Frozen`. The wrapper is
    left out of names, so that `target.mixer` is the mixer in `target: Target`.
    """

    learner: PyTree

    @cached_property
    def _visited(self) -> list[LearnerModule]:
        """Every node of the learner, arrays included, parents first."""
        return list(self._visit(self.learner, (), 0, None))

    def _visit(self, tree: PyTree, path: TreePath, begin: int, role: type | None) -> Iterator[LearnerModule]:
        if isinstance(tree, _ROLES):
            role = role or next(kind for kind in _ROLES if isinstance(tree, kind))
            ((_, tree),) = _children(tree)
        count = len(jax.tree.leaves(tree))
        yield LearnerModule(path, tree, tuple(range(begin, begin + count)), role)
        for key, child in _children(tree):
            yield from self._visit(child, (*path, *key), begin, role)
            begin += len(jax.tree.leaves(child))

    @cached_property
    def _nodes(self) -> list[LearnerModule]:
        """Every node but the learner itself and arrays."""
        return [node for node in self._visited if node.path and _children(node.tree)]

    @cached_property
    def array_names(self) -> dict[TreePath, dict[int, str]]:
        """For each node its own arrays: their places, and their names in it."""
        names: dict[TreePath, dict[int, str]] = {}
        for node in self._visited:
            if node.path and node.leaves and not _children(node.tree):
                names.setdefault(node.path[:-1], {})[node.leaves[0]] = str(node.path[-1])
        return names

    @cached_property
    def opt_state(self) -> set[int]:
        """The arrays of optimiser states."""
        return {leaf for node in self._visited if node.role is OptState for leaf in node.leaves}

    @cached_property
    def moments(self) -> dict[int, list[int]]:
        """For each array that learns, those arrays of an optimiser state that have its place in its tree."""
        moments: dict[int, list[int]] = {}
        matched: set[int] = set()
        for node in self._nodes:
            if node.role is not OptState or matched & set(node.leaves):
                continue
            for module in self.modules:
                if not module.is_target and _same_shapes(module.tree, node.tree):
                    matched |= set(node.leaves)
                    for parameter, moment in zip(module.leaves, node.leaves, strict=True):
                        moments.setdefault(parameter, []).append(moment)
        return moments

    @cached_property
    def modules(self) -> list[LearnerModule]:
        """The modules that hold parameters or statistics; one that merely wraps another is left out."""
        arrays = jax.tree.leaves(self.learner)
        modules: dict[tuple[int, ...], LearnerModule] = {}
        for node in self._nodes:
            leaves = tuple(i for i in node.leaves if i not in self.opt_state)
            if any(is_float(arrays[i]) for i in leaves):
                modules.setdefault(leaves, node._replace(leaves=leaves))
        return list(modules.values())

    @cached_property
    def _target_leaves(self) -> list[dict[int, int]]:
        """The target's array for each array of a tree, for each pair of a tree and a target of its shapes."""
        targets = [module for module in self.modules if module.is_target]
        trees = [module for module in self.modules if not module.is_target]
        pairs = [(a.leaves, b.leaves) for b in targets for a in trees if _same_shapes(a.tree, b.tree)]
        return [dict(zip(tree, target, strict=False)) for tree, target in pairs]

    def target_copies(self, module: LearnerModule) -> set[int]:
        """Return the arrays of the same module in every target that follows a tree around it."""
        around = [copies for copies in self._target_leaves if copies.keys() >= set(module.leaves)]
        return {copies[i] for copies in around for i in module.leaves}

    def lookalike(self, module: LearnerModule) -> LearnerModule | None:
        """Return another part of the learner that has the same shapes, which the module may follow.

        Only whole fields of the learner count: layers of the same size are common and mean nothing.
        """
        fields = [m for m in self.modules if len(m.path) == 1 and m.role is None]
        around = [m for m in fields if set(m.leaves) >= set(module.leaves)]
        same = lambda m: any(_disjoint(m, own) and _same_shapes(m.tree, own.tree) for own in around)
        return next((m for m in fields if same(m)), None)

    def largest(self, wanted: dict[str, bool]) -> list[LearnerModule]:
        """Return the modules that are wanted and that no other wanted one contains."""
        largest: list[LearnerModule] = []
        for module in self.modules:
            if wanted.get(module.name) and not any(set(module.leaves) <= set(m.leaves) for m in largest):
                largest.append(module)
        return largest


class LearnerStructure:
    """Facts about each module from the traced programs, before anything has run."""

    def __init__(self, traced: TracedLearner):
        self.traced = traced
        self.anatomy = Anatomy(traced.learner)
        self._size = len(jax.tree.leaves(traced.learner))
        self._origins = traced.update.origins()[: self._size]

    @cached_property
    def acting_reads(self) -> int:
        """The arrays that acting depends on, a bit for each."""
        programs = (self.traced.init_carry, self.traced.act, self.traced.greedy)
        return reduce(or_, (reads for program in programs for reads in program.dependencies()), 0)

    @cached_property
    def _update_reads(self) -> list[int]:
        """The arrays that each array after an update depends on."""
        return self.traced.update.dependencies()[: self._size]

    def is_called(self, module: LearnerModule) -> bool:
        """Say whether acting depends on the module, or the update of anything but the module itself."""
        own = set(module.leaves) | self.anatomy.opt_state
        own |= set() if module.is_target else self.anatomy.target_copies(module)
        reads = (reads for i, reads in enumerate(self._update_reads) if i not in own)
        return bool(reduce(or_, reads, self.acting_reads) & sum(1 << i for i in module.leaves))

    def is_returned_unchanged(self, module: LearnerModule) -> bool:
        """Say whether an update returns the module as it was."""
        return all(self.is_kept(i) for i in module.leaves)

    def is_kept(self, leaf: int) -> bool:
        """Say whether an update returns an array as it was."""
        return self._origins[leaf] == leaf

    def twin(self, module: LearnerModule) -> LearnerModule | None:
        """Return another module that an update returns in this one's place."""
        for other in self.anatomy.modules:
            apart = _disjoint(other, module) and not other.is_target
            if apart and _same_shapes(other.tree, module.tree) and not self.is_returned_unchanged(module):
                pairs = zip(module.leaves, other.leaves, strict=False)
                if all(self._origins[i] == self._origins[j] for i, j in pairs):
                    return other
        return None

    @cached_property
    def loss_terms(self) -> tuple[set[str], set[str]]:
        """The named terms of losses, and those of them that have a gradient."""
        names = list(self.traced.update.names())
        terms = {name.removeprefix("term ") for name in names if name.startswith("term ")}
        return terms, {name.removeprefix("slope ") for name in names if name.startswith("slope ")}
