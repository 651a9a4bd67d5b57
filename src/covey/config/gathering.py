"""The source of a class that was typed into a notebook or stands in the running script.

Such a class lives in `__main__`, which no other process has. Its definition is gathered into a file of its
own with all that it needs: imports, constants, functions, other classes. Nothing else of the notebook or the
script is in the file, so reading it trains nothing again.
"""

import ast
import atexit
import builtins
import linecache
import shutil
import symtable
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UserError
from ..files import atomic

_ANYTHING = "*"  # the name that `from x import *` binds
_PROMPT = "<python-input-"  # where Python's own prompt keeps lines, from 3.13 on


class _Statement(NamedTuple):
    """A statement of `__main__`: the names that it binds, those that it changes, and those that it reads."""

    text: str
    binds: frozenset[str]
    changes: frozenset[str]  # `World.counts = ...` changes World
    reads: frozenset[str]


def gather_source(name: str) -> Path:
    """Write the definition of a name of `__main__` with all that it needs; return the file."""
    statements = [s for text in _texts() for s in _statements(text)]
    if not any(name in s.binds for s in statements):
        raise UserError(
            f"the source of {name} cannot be found, so another process could not load it: put it into a "
            f"file, and import it from there or write file.py:{name}"
        )
    text = _gathered(name, statements)
    path = _folder() / f"{zlib.crc32(text.encode()):08x}" / f"{name}.py"
    path.parent.mkdir(exist_ok=True)
    with atomic(path, path.name) as file:
        file.write(text.encode())
    return path


@cache
def _folder() -> Path:
    """Return a folder for this process, which goes with it; runs have copies of what they use."""
    path = Path(tempfile.mkdtemp(prefix="covey_"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def _texts() -> list[str]:
    """Return what has run as `__main__`: the cells of a notebook, a script, or lines at a prompt."""
    main = vars(sys.modules["__main__"])
    cells = main.get("In")
    if isinstance(cells, list) and any(cells):
        return [str(cell) for cell in cells]
    if main.get("__file__"):
        return [Path(main["__file__"]).read_text(encoding="utf-8")]
    return ["".join(linecache.getlines(file)) for file in linecache.cache if file.startswith(_PROMPT)]


def _statements(text: str) -> Iterator[_Statement]:
    """Yield the statements of a text, those behind `if __name__ == "__main__":` too."""
    try:
        nodes = ast.parse(text).body
    except SyntaxError:  # a cell in another language
        return
    for node in nodes:
        guarded = isinstance(node, ast.If) and "__name__" in ast.unparse(node.test)
        for inner in node.body if isinstance(node, ast.If) and guarded else [node]:
            yield _describe(inner, ast.unparse(inner) if guarded else _segment(text, inner))


def _segment(text: str, node: Any) -> str:
    """Return a statement as it is written, its decorators and comments too."""
    decorators = getattr(node, "decorator_list", [])
    if not decorators:
        return ast.get_source_segment(text, node) or ast.unparse(node)
    return "\n".join(text.splitlines()[decorators[0].lineno - 1 : node.end_lineno])


def _describe(node: ast.stmt, text: str) -> _Statement:
    binds: set[str] = set()
    changes: set[str] = set()
    for inner in _own_nodes(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
            binds.add(inner.id)
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            binds.add(inner.name)
        elif isinstance(inner, ast.Import | ast.ImportFrom):
            binds |= {alias.asname or alias.name.partition(".")[0] for alias in inner.names}
        elif isinstance(inner, ast.Attribute | ast.Subscript) and isinstance(inner.ctx, ast.Store):
            changes |= {x.id for x in ast.walk(inner.value) if isinstance(x, ast.Name)}
    if isinstance(node, ast.AugAssign):
        changes |= binds
        binds = set()
    return _Statement(text, frozenset(binds), frozenset(changes - binds), _global_reads(text))


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a statement's nodes, but nothing within the functions and classes that it defines."""
    yield node
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
        return
    for child in ast.iter_child_nodes(node):
        yield from _own_nodes(child)


def _global_reads(text: str) -> frozenset[str]:
    """Return the names of the module that a statement reads, at once or when what it defines is called."""
    try:
        tables = [symtable.symtable(text, "<covey>", "exec")]
    except SyntaxError:  # such as `await` at the top of a cell
        return frozenset()
    names: set[str] = set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        top = table.get_type() == "module"
        names |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
    return frozenset(names - set(dir(builtins)))


def _gathered(name: str, statements: Sequence[_Statement]) -> str:
    """Return the statements that a name needs, in the order in which they ran."""
    chosen: set[int] = set()
    asked: set[tuple[str, int]] = set()
    pending = [(name, len(statements)), (_ANYTHING, len(statements))]
    while pending:
        wanted = pending.pop()
        if wanted in asked:
            continue
        asked.add(wanted)
        for i in _origins(*wanted, statements):
            chosen.add(i)
            pending += [(read, i) for read in statements[i].reads]
    future = [s.text for s in statements if s.text.startswith("from __future__")]
    body = [statements[i].text for i in sorted(chosen) if statements[i].text not in future]
    head = f'"""{name}, gathered by covey from the notebook or script in which it was defined."""'
    return "\n\n".join(dict.fromkeys([head, *future, *body])) + "\n"


def _origins(name: str, before: int, statements: Sequence[_Statement]) -> list[int]:
    """Return the statements from which a name has its value, for one that reads it at once or when called."""
    binding = [i for i, s in enumerate(statements) if name in s.binds]
    if name == _ANYTHING:
        return binding
    origins = [i for i in binding if i < before][-1:] + binding[-1:]
    first = min(origins, default=len(statements))
    return origins + [i for i, s in enumerate(statements) if i > first and name in s.changes]
