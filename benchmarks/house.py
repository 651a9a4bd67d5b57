"""Measure the shape of a checkout: rooms, names, imports, repetition, style of docstrings and assignments.

    python -m benchmarks.house                       # this checkout
    python -m benchmarks.house ../before --json before.json

It reads the source text only and needs nothing but the standard library, so it works on any checkout.
The order of floors is `FLOORS` in tests/test_house.py; where a checkout has none, only cycles are counted.
"""

import argparse
import ast
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parents[1]
FREE_STARTS = ("What", "How", "Of", "Where", "Who")
PROTOCOL = ("init", "init_carry", "memory", "act", "update", "insight")
SHORTEST = 25  # characters of a line that counts as repeated
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Module(NamedTuple):
    """A source file, read and parsed."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        return len(self.text.splitlines())

    @property
    def room(self) -> str:
        """The top-level package, or the loose module, that holds the file."""
        return self.name.split(".")[1] if "." in self.name else "(covey)"

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"


def read_modules(root: Path) -> dict[str, Module]:
    """Return every module of `root`/src/covey by its dotted name."""
    source = root / "src"
    modules = {}
    for path in sorted((source / "covey").rglob("*.py")):
        name = ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__")
        text = path.read_text(encoding="utf-8")
        modules[name] = Module(name, path, text, ast.parse(text))
    return modules


def read_floors(root: Path) -> dict[str, int] | None:
    """Return the floor of each room, from the data in tests/test_house.py."""
    path = root / "tests" / "test_house.py"
    if not path.exists():
        return None
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FLOORS":
            floors = ast.literal_eval(node.value)
            return {room: floor for floor, rooms in enumerate(floors) for room in rooms}
    return None


# Sizes


def longest_function(modules: Iterable[Module]) -> tuple[str, int]:
    sizes = {
        f"{module.name}:{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, FUNCTIONS)
    }
    return max(sizes.items(), key=lambda item: item[1])


# Names


def top_level(body: Iterable[ast.stmt]) -> Iterator[str]:
    """Yield the names that statements define; imports are re-exports and define nothing."""
    for node in body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                yield from (name.id for name in ast.walk(target) if isinstance(name, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, (ast.If, ast.Try)):
            yield from top_level([*node.body, *node.orelse])


def defined_twice(modules: Iterable[Module]) -> dict[str, list[str]]:
    """Return the public top-level names that two or more modules define, each with these modules."""
    homes: dict[str, set[str]] = defaultdict(set)
    for module in modules:
        for name in top_level(module.tree.body):
            if not name.startswith("_"):
                homes[name].add(module.name)
    return {name: sorted(places) for name, places in sorted(homes.items()) if len(places) > 1}


# Imports


def imports(module: Module, known: dict[str, Module]) -> set[str]:
    """Return the modules that one imports: at its top, in a function, for types, or by name in a string."""
    package = module.name if module.is_package else module.name.rpartition(".")[0]
    names: set[str] = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            inner = {f"{base}.{alias.name}" for alias in node.names}
            names |= {name if name in known else base for name in inner}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            dotted = node.value.partition(":")[0]  # as "covey.algorithms.qmix:QMIX"
            if "." in dotted and not module.name.endswith(".catalogue"):
                names.add(dotted)
    return {name for name in names if name in known} - {module.name}


def upward(modules: dict[str, Module], floors: dict[str, int]) -> list[str]:
    return [
        f"{module.name} imports {other}"
        for module in modules.values()
        for other in sorted(imports(module, modules))
        if module.room != modules[other].room
        if floors.get(modules[other].room, len(floors)) <= floors.get(module.room, -1)
    ]


def cycles(graph: dict[str, set[str]]) -> list[str]:
    """Return one cycle of each knot: found, cut, and looked for again."""
    graph = {name: set(edges) for name, edges in graph.items()}
    found = []
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            knot: list[str] = error.args[1]
            found.append(" -> ".join(reversed(knot)))
            graph[knot[1]].discard(knot[0])
            continue
        return found


def module_graph(modules: dict[str, Module]) -> dict[str, set[str]]:
    """Return who imports whom; a package's `__init__` re-exports its modules, so it is left out."""
    plain = {name for name, module in modules.items() if not module.is_package}
    return {name: imports(modules[name], modules) & plain for name in plain}


def room_graph(modules: dict[str, Module]) -> dict[str, set[str]]:
    graph: dict[str, set[str]] = defaultdict(set)
    for module in modules.values():
        rooms = {modules[other].room for other in imports(module, modules)}
        graph[module.room] |= rooms - {module.room, "(covey)"}
    return {room: edges for room, edges in graph.items() if room != "(covey)"}


# Repetition among algorithms


def code_lines(module: Module) -> list[str]:
    """Return a file's lines of code, stripped: no imports, docstrings, comments, protocol signatures."""
    aside: set[int] = set()
    for node in ast.walk(module.tree):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_text or isinstance(node, (ast.Import, ast.ImportFrom)):
            aside |= line_numbers(node)
        elif isinstance(node, FUNCTIONS) and node.name in PROTOCOL:
            aside |= set(range(node.lineno, node.body[0].lineno))
    lines = (line.strip() for i, line in enumerate(module.text.splitlines(), 1) if i not in aside)
    return [line for line in lines if len(line) >= SHORTEST and not line.startswith("#")]


def line_numbers(node: Any) -> set[int]:
    return set(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def repetition(modules: Iterable[Module]) -> tuple[int, int]:
    """Return how many code lines of algorithms stand in another algorithm's file too, and of how many."""
    files = [code_lines(module) for module in modules if module.room == "algorithms"]
    holders = Counter(line for lines in files for line in set(lines))
    lines = [line for lines in files for line in lines]
    return sum(holders[line] > 1 for line in lines), len(lines)


# Style


def docstrings(module: Module) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.Module, ast.ClassDef, *FUNCTIONS)):
            text = ast.get_docstring(node)
            if text:
                yield text


def assignments(module: Module) -> Iterator[ast.Assign | ast.AnnAssign | ast.AugAssign]:
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.Assign, ast.AugAssign)) or (isinstance(node, ast.AnnAssign) and node.value):
            yield node


def has_tuple_target(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and any(isinstance(x, (ast.Tuple, ast.List)) for x in node.targets)


def unpacks_display(node: ast.AST) -> bool:
    """Say whether a line makes several assignments at once: `a, b = x, y`."""
    return has_tuple_target(node) and isinstance(getattr(node, "value", None), (ast.Tuple, ast.List))


def count(items: Iterable[Any], test: Callable[[Any], bool]) -> dict[str, Any]:
    results = [test(item) for item in items]
    return share(sum(results), len(results))


def share(part: int, whole: int) -> dict[str, Any]:
    return {"count": part, "of": whole, "share": round(part / whole, 4) if whole else 0.0}


# The report


def measure(root: Path) -> dict[str, Any]:
    """Measure a checkout; the result is what `--json` writes."""
    modules = read_modules(root)
    floors = read_floors(root)
    lines: Counter[str] = Counter()
    for module in modules.values():
        lines[module.room] += module.lines
    texts = [text for module in modules.values() for text in docstrings(module)]
    nodes = [node for module in modules.values() for node in assignments(module)]
    largest = max(modules.values(), key=lambda module: module.lines)
    return {
        "lines": dict(lines.most_common()),
        "longest_module": (largest.name, largest.lines),
        "longest_function": longest_function(modules.values()),
        "defined_twice": defined_twice(modules.values()),
        "upward": None if floors is None else upward(modules, floors),
        "module_cycles": cycles(module_graph(modules)),
        "room_cycles": cycles(room_graph(modules)),
        "sibling_repetition": share(*repetition(modules.values())),
        "docstrings_free_relative": count(texts, lambda text: text.split()[0] in FREE_STARTS),
        "tuple_display_assignments": count(nodes, unpacks_display),
        "tuple_target_assignments": count(nodes, has_tuple_target),
    }


def percent(found: dict[str, Any]) -> str:
    return f"{found['share']:.1%} ({found['count']:,} of {found['of']:,})"


def table(found: dict[str, Any]) -> str:
    total = sum(found["lines"].values())
    module, module_lines = found["longest_module"]
    function, function_lines = found["longest_function"]
    up = found["upward"]
    rows = [(f"lines in {room}", f"{n:,} ({n / total:.1%})") for room, n in found["lines"].items()]
    rows += [
        ("lines in all", f"{total:,}"),
        ("longest module", f"{module_lines} ({module})"),
        ("longest function", f"{function_lines} ({function})"),
        ("public names defined in several modules", str(len(found["defined_twice"]))),
        ("imports that point up", "no order of floors here" if up is None else str(len(up))),
        ("cycles among modules", str(len(found["module_cycles"]))),
        ("cycles among rooms", str(len(found["room_cycles"]))),
        ("repetition among algorithms", percent(found["sibling_repetition"])),
        (f"docstrings that begin with {'/'.join(FREE_STARTS)}", percent(found["docstrings_free_relative"])),
        ("assignments like `a, b = x, y`", percent(found["tuple_display_assignments"])),
        ("assignments to a tuple", percent(found["tuple_target_assignments"])),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def details(found: dict[str, Any]) -> Iterator[str]:
    """Yield the lists behind the counts."""
    for name, places in found["defined_twice"].items():
        yield f"defined twice: {name} in {', '.join(places)}"
    for line in found["upward"] or ():
        yield f"upward: {line}"
    for kind in ("module", "room"):
        for line in found[f"{kind}_cycles"]:
            yield f"{kind} cycle: {line}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=HERE, help="a checkout (this one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements here too")
    options = parser.parse_args()
    found = measure(options.root)
    print(table(found))
    for line in details(found):
        print(line)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
