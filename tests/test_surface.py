"""The public surface: all of it exists, has a docstring, and is enough for the examples."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
# Those who write an algorithm need its formulas (`ops`) and its experience, too.
SURFACE = (
    "covey",
    "covey.algorithms",
    "covey.compat.xuance",
    "covey.core",
    "covey.environments",
    "covey.experience",
    "covey.lab",
    "covey.networks",
    "covey.ops",
    "covey.parts",
    "covey.ranges",
    "covey.testing",
)


@pytest.mark.parametrize("name", SURFACE)
def test_every_public_name_is_there(name):
    # Breaks where `__all__` promises what is not there, or is out of order.
    module = importlib.import_module(name)
    assert [x for x in module.__all__ if not hasattr(module, x)] == []
    assert not [x for x in module.__all__ if x.startswith("_")]
    assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize("name", SURFACE)
def test_every_public_name_has_a_docstring(name):
    # Breaks where a class or function is exported without a word on what it is.
    module = importlib.import_module(name)
    things = {x: getattr(module, x) for x in module.__all__}
    things = {x: thing for x, thing in things.items() if inspect.isclass(thing) or inspect.isfunction(thing)}
    assert module.__doc__
    assert [x for x, thing in things.items() if not documented(thing)] == []


def documented(thing) -> bool:
    """Tell a docstring from none, and from the one that a dataclass or a named tuple makes of its fields."""
    text = thing.__doc__ or ""
    return bool(text) and not text.startswith(f"{thing.__name__}(")


def outside_imports(source: str) -> list[str]:
    """Return what a piece of code imports of covey that is not public."""
    outside = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and is_covey(node.module or ""):
            module = node.module or ""
            outside += [f"{module}:{alias.name}" for alias in node.names if not public(module, alias.name)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
            outside += [name for name in names if is_covey(name) and name not in SURFACE]
    return outside


def is_covey(module: str) -> bool:
    return module.split(".")[0] == "covey"


def public(module: str, name: str) -> bool:
    """Return whether a name may be imported: as one of the surface's packages, or from one of them."""
    return f"{module}.{name}" in SURFACE or (
        module in SURFACE and name in importlib.import_module(module).__all__
    )


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_examples_import_the_surface_alone(path):
    # Breaks where an example needs what nobody may rely on.
    assert outside_imports(path.read_text()) == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_import_the_surface_alone(path):
    # Breaks where a page tells users to import what nobody may rely on.
    lines = re.findall(r"^ *((?:from covey\S* import|import covey) ?.*)$", path.read_text(), re.MULTILINE)
    assert outside_imports("\n".join(lines)) == []


def test_an_import_from_elsewhere_is_found():
    # Breaks where the two tests above would pass whatever is imported.
    assert outside_imports("from covey import train, ops\nfrom covey.ops import take\nimport covey") == []
    assert outside_imports(
        "import covey.runs\nfrom covey.runs import run\nfrom covey.ops import nothing"
    ) == [
        "covey.runs",
        "covey.runs:run",
        "covey.ops:nothing",
    ]
