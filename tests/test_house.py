"""The floor plan, held as data: imports point down the list, and there is no cycle. Style is counted."""

import ast
import importlib.util
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"

# From the top to the bottom. Rooms on one line may not import each other, but for what is within a room.
FLOORS = (
    ("cli", "compat"),
    ("api",),
    ("migrate",),
    ("show",),
    ("analysis",),
    ("lab",),
    ("testing",),
    ("runs",),
    ("audit",),
    ("config",),
    ("algorithms",),
    ("environments",),
    ("training",),
    ("networks",),
    ("experience",),
    ("ops",),
    ("parts",),
    ("core",),
    ("charts",),
    ("statistics",),
    ("files", "yaml_text", "commands"),
    ("text",),
    ("errors", "lazy", "ranges", "signals"),
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


# Public names that two modules may define, each with its reason.
TWICE = {
    "Learner": "each algorithm's own state, by the one name that the protocol has for it",
}


def modules() -> dict[str, Path]:
    paths = sorted((SOURCE / "covey").rglob("*.py"))
    names = [".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in paths]
    return dict(zip((name.removesuffix(".__init__") for name in names), paths, strict=True))


def measuring_script():
    """Return benchmarks/house.py as a module; it is no part of a package that tests can import."""
    path = SOURCE.parent / "benchmarks" / "house.py"
    spec = importlib.util.spec_from_file_location("house", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["house"] = module
    spec.loader.exec_module(module)
    return module


MODULES = modules()
house = measuring_script()
HOUSE = house.read_modules(SOURCE.parent)


def imports(name: str) -> set[str]:
    """The modules of covey that a module imports: at its top, in a function, or for types alone."""
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            inner = {f"{base}.{alias.name}" for alias in node.names}
            found |= {x if x in MODULES else base for x in inner}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            dotted = node.value.partition(":")[
                0
            ]  # "covey.algorithms.qmix:QMIX": found by name, when asked for
            if dotted in MODULES and dotted.count(".") and name != "covey.config.catalogue":
                found.add(dotted)
    return {x for x in found if x in MODULES} - {name}


def room(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def test_every_module_has_a_home():
    # Breaks where a module is added beside the rooms and nobody says on which floor it lives.
    assert {room(name) for name in MODULES if room(name)} == set(FLOOR)


def test_imports_point_down():
    # Breaks at the first import from a lower floor to a higher one, lazy ones included.
    up = [
        f"{name} imports {other}"
        for name in MODULES
        if room(name)
        for other in sorted(imports(name))
        if room(other) not in ("", room(name)) and FLOOR[room(other)] <= FLOOR[room(name)]
    ]
    assert not up, "\n".join(up)


def test_no_module_imports_the_front_door():
    # Breaks where a module below asks `covey` itself for something; the command line asks it for its version.
    asked = [name for name in MODULES if "covey" in imports(name) and room(name) not in ("cli", "")]
    assert not asked


def test_no_cycles():
    # Breaks where two modules of one room import each other, directly or around.
    graph = {name: {x for x in imports(name) if room(x) == room(name)} for name in MODULES if room(name)}
    packages = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    graph = {name: edges - packages for name, edges in graph.items() if name not in packages}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_a_name_is_defined_in_one_module():
    # Breaks where a name means two things; re-exports and names with an underscore aside.
    twice = house.defined_twice(HOUSE.values())
    assert len(TWICE) <= 10
    assert {name: places for name, places in twice.items() if name not in TWICE} == {}
    assert set(TWICE) <= set(twice), "an exception that nobody needs any more"


def test_docstrings_begin_with_a_verb_or_a_noun():
    # Breaks where more than one docstring in twenty begins with What, How, Of, Where or Who.
    texts = [text for module in HOUSE.values() for text in house.docstrings(module)]
    free = [text for text in texts if text.split()[0] in house.FREE_STARTS]
    assert len(free) <= 0.05 * len(texts), "\n".join(text.splitlines()[0] for text in free)


def test_one_assignment_a_line():
    # Breaks where more than one assignment in a hundred is `a, b = x, y`.
    nodes = [(name, node) for name, module in HOUSE.items() for node in house.assignments(module)]
    several = [
        f"{name}:{node.lineno}: {ast.unparse(node)}" for name, node in nodes if house.unpacks_display(node)
    ]
    assert len(several) <= 0.01 * len(nodes), "\n".join(several)


def test_algorithms_do_not_repeat_each_other():
    # Breaks where more than a fifth of the algorithms' lines stand in another algorithm's file, too.
    repeated, lines = house.repetition(HOUSE.values())
    assert repeated <= 0.2 * lines
