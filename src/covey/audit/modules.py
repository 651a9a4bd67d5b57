"""A learner's modules: which are called, which an update returns as they were, which are copies of others."""

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
from .subjects import Subject

Path = tuple[Any, ...]
FOLLOWS = "target"  # in the name of a module that follows another
STAYS = ("frozen", "fixed")  # in the names of modules that are meant to stay as they are


class Module(NamedTuple):
    """A part of the learner that holds arrays: their places among all of its arrays."""

    path: Path
    tree: PyTree
    leaves: tuple[int, ...]

    @property
    def name(self) -> str:
        return dotted(self.path)

    def says(self, *words: str) -> bool:
        """Whether one of these is in its name."""
        return any(word in self.name.lower() for word in words)


def dotted(path: Path) -> str:
    return keystr(path, simple=True, separator=".")


def children(tree: PyTree) -> list[tuple[Path, PyTree]]:
    """What a tree consists of; nothing for an array."""
    found = tree_flatten_with_path(tree, is_leaf=lambda x: x is not tree)[0]
    return [(path, child) for path, child in found if path]


def of_optax(tree: PyTree) -> bool:
    return isinstance(tree, OptState)


def moves(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.inexact)


def alike(a: PyTree, b: PyTree) -> bool:
    """The same structure and shapes."""
    shape = lambda x: (x.shape, x.dtype)
    same = jax.tree.structure(a) == jax.tree.structure(b)
    return same and all(map(lambda x, y: shape(x) == shape(y), jax.tree.leaves(a), jax.tree.leaves(b)))


@dataclass
class Anatomy:
    """The modules of a learner, by the shapes of its arrays."""

    learner: PyTree

    @cached_property
    def paths(self) -> list[Path]:
        return [path for path, _ in tree_flatten_with_path(self.learner)[0]]

    def walk(self, tree: PyTree, path: Path, begin: int, optax: bool) -> Iterator[tuple[bool, Module]]:
        """Every node that is no array, whether it belongs to an optimiser's state, parents first."""
        optax = optax or of_optax(tree)
        tree = tree.network if isinstance(tree, Target | Frozen) else tree
        count = len(jax.tree.leaves(tree))
        if not (parts := children(tree)):
            return
        yield optax, Module(path, tree, tuple(range(begin, begin + count)))
        for key, child in parts:
            yield from self.walk(child, (*path, *key), begin, optax)
            begin += len(jax.tree.leaves(child))

    @cached_property
    def nodes(self) -> list[tuple[bool, Module]]:
        return [x for x in self.walk(self.learner, (), 0, False) if x[1].path]

    @cached_property
    def remembered(self) -> dict[int, list[int]]:
        """For each array of what learns those in which optimisers keep its moments, found tree by tree."""
        found: dict[int, list[int]] = {}
        done: set[int] = set()
        for optax, moments in self.nodes:
            if not optax or of_optax(moments.tree) or done & set(moments.leaves):
                continue
            for module in self.modules:
                if not module.says(FOLLOWS) and alike(module.tree, moments.tree):
                    done |= set(moments.leaves)
                    for mine, its in zip(module.leaves, moments.leaves, strict=True):
                        found.setdefault(mine, []).append(its)
        return found

    @cached_property
    def optimisers(self) -> set[int]:
        """The arrays of optimisers' states."""
        return {leaf for optax, module in self.nodes if optax for leaf in module.leaves}

    @cached_property
    def modules(self) -> list[Module]:
        """Those that hold parameters or statistics; one that merely wraps another of them is left out."""
        leaves = jax.tree.leaves(self.learner)
        real: dict[tuple[int, ...], Module] = {}
        for optax, module in self.nodes:
            mine = [i for i in module.leaves if i not in self.optimisers]
            if not optax and mine and any(moves(leaves[i]) for i in mine):
                real.setdefault(tuple(mine), module._replace(leaves=tuple(mine)))
        return list(real.values())

    @cached_property
    def followed(self) -> list[dict[int, int]]:
        """Of each tree that another may follow: for each of its arrays the other's."""
        targets = [module for module in self.modules if module.says(FOLLOWS)]
        trees = [module for module in self.modules if not module.says(FOLLOWS)]
        pairs = [(a.leaves, b.leaves) for b in targets for a in trees if alike(a.tree, b.tree)]
        return [dict(zip(own, its, strict=False)) for own, its in pairs]

    def copies(self, module: Module) -> set[int]:
        """The same module's arrays in whatever follows the tree that it is part of."""
        around = [where for where in self.followed if where.keys() >= set(module.leaves)]
        return {where[i] for where in around for i in module.leaves}

    def largest(self, wanted: dict[str, bool]) -> list[Module]:
        """Of the modules that are wanted those that no other of them contains."""
        found: list[Module] = []
        for module in self.modules:
            if wanted.get(module.name) and not any(set(module.leaves) <= set(m.leaves) for m in found):
                found.append(module)
        return found


class Structure:
    """What the traced programs say about each module, before anything has run."""

    def __init__(self, subject: Subject):
        self.subject, self.anatomy = subject, Anatomy(subject.learner)
        self.count = len(self.anatomy.paths)
        self.origins = subject.update.origins()[: self.count]

    @cached_property
    def seen(self) -> int:
        """The arrays that acting depends on, a bit for each."""
        programs = (self.subject.init_carry, self.subject.act, self.subject.greedy)
        return reduce(or_, (found for program in programs for found in program.depends()), 0)

    @cached_property
    def learnt(self) -> list[int]:
        """The arrays that each array after an update depends on."""
        return self.subject.update.depends()[: self.count]

    def called(self, module: Module) -> bool:
        """Whether acting depends on it, or what an update makes of anything but itself."""
        own = set(module.leaves) | self.anatomy.optimisers
        own |= set() if module.says(FOLLOWS) else self.anatomy.copies(module)
        reached = (found for i, found in enumerate(self.learnt) if i not in own)
        return bool(reduce(or_, reached, self.seen) & sum(1 << i for i in module.leaves))

    def returned(self, module: Module) -> bool:
        """Whether an update returns it as it was."""
        return all(self.origins[i] == i for i in module.leaves)

    def twin(self, module: Module) -> Module | None:
        """Another module that an update returns in its place."""
        for other in self.anatomy.modules:
            apart = not set(other.leaves) & set(module.leaves) and not other.says(FOLLOWS)
            if apart and alike(other.tree, module.tree) and not self.returned(module):
                pairs = zip(module.leaves, other.leaves, strict=False)
                if all(self.origins[i] == self.origins[j] for i, j in pairs):
                    return other
        return None

    def terms(self) -> tuple[set[str], set[str]]:
        """The named terms of losses, and those of them that have a gradient."""
        found = [str(e.params["name"]) for e in self.subject.update.equations() if e.primitive.name == "name"]
        named = {name.removeprefix("term ") for name in found if name.startswith("term ")}
        return named, {name.removeprefix("slope ") for name in found if name.startswith("slope ")}
