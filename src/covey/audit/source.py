"""Python code read for hints: which settings it names, and which it names together."""

import ast
import inspect
import re
import sys
from dataclasses import dataclass
from typing import Any

from .settings_read import attempt

_FOREIGN = ("equinox", "builtins", "typing", "abc", "jax")


@dataclass(frozen=True)
class Source:
    """The code of a class, and of what it is derived from."""

    own: tuple[ast.Module, ...]  # the user's modules
    functions: tuple[frozenset[str], ...]  # the names in each function, covey's included

    @classmethod
    def of(cls, thing: Any) -> "Source":
        """Return the code of a class or function."""
        names = {base.__module__ for base in getattr(thing, "__mro__", (thing,))}
        names = sorted(name for name in names if not name.startswith(_FOREIGN))
        text = lambda name: attempt(lambda: ast.parse(inspect.getsource(sys.modules[name])))
        trees = {name: tree for name in names if isinstance(tree := text(name), ast.Module)}
        own = tuple(tree for name, tree in trees.items() if not name.startswith("covey."))
        nodes = (node for tree in trees.values() for node in ast.walk(tree))
        functions = (_names(node) for node in nodes if isinstance(node, ast.FunctionDef))
        return cls(own, tuple(functions))

    def never_reads(self, name: str) -> bool:
        """Say whether the user's class declares a setting that none of the user's code names again."""
        nodes = [node for tree in self.own for node in ast.walk(tree)]
        fields = [n.target for n in nodes if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name)]
        if not any(field.id == name for field in fields):
            return False
        text = {node.value for node in nodes if isinstance(node, ast.Constant)}
        reflects = any(isinstance(n, ast.Name) and n.id in ("getattr", "vars", "fields") for n in nodes)
        named = any(name in _names(node) for node in nodes if isinstance(node, ast.FunctionDef))
        return not (named or reflects or name in text)

    def nearness(self, setting: str, other: str, value: str) -> float:
        """Say how likely another setting, with this value, makes a setting act.

        It is the share of the functions naming the other one that name this one too, and more if words agree.
        """
        words = set(setting.split("."))
        others = set(other.split("."))
        naming = [names for names in self.functions if others & names]
        alike = bool(set(re.split(r"[._]", setting)) & set(re.split(r"[._]", other)))
        share = sum(bool(words & names) for names in naming) / max(1, len(naming))
        return share + 0.5 * alike + (value in words)


def _names(function: ast.AST) -> frozenset[str]:
    """Return every name and attribute in a function."""
    nodes = list(ast.walk(function))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return frozenset(names | {node.attr for node in nodes if isinstance(node, ast.Attribute)})
