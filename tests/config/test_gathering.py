"""A class of a notebook or a script as a file of its own: all that it needs, and nothing else."""

import sys
from types import ModuleType

import pytest

from covey.config.gathering import gather_source
from covey.config.objects import own_path
from covey.errors import UserError

CELLS = [
    "import numpy as np\nfrom math import pi as PI, tau",
    "def helper(x):\n    return x * SIZE  # decides late\n",
    "SIZE = 2\nCOUNT = 0",
    "%matplotlib inline",  # a cell that is no Python
    "class Base:\n    kind = 'old'\n",
    "class Mine(Base):\n    size = SIZE\n    def area(self):\n        run = helper(PI)\n        return run\n",
    "SIZE = 3",
    "class Base:\n    kind = 'new'\n",
    "raise SystemExit('a cell that trains')",
    "run = 1 / 0",
    "Mine.label = 'changed later'",
    "if __name__ == '__main__':\n    HIDDEN = 5\n    raise SystemExit('the script itself')",
    "def reads_hidden():\n    return HIDDEN\n",
    "def shadow(tau):\n    return [tau for helper in [tau]]\n",
    "import functools\n\n@functools.cache\ndef cached():\n    return tau\n",
]


@pytest.fixture
def notebook(monkeypatch) -> ModuleType:
    """A `__main__` in which cells have run; those that end it have not."""
    main = ModuleType("__main__")
    main.In = ["", *CELLS]  # pyright: ignore[reportAttributeAccessIssue]
    for cell in CELLS:
        if not cell.startswith(("%", "raise", "run =", "if")):
            exec(cell, main.__dict__)
    main.__dict__["HIDDEN"] = 5
    monkeypatch.setitem(sys.modules, "__main__", main)
    return main


def gathered(name: str) -> tuple[str, dict]:
    """The file's text, and what it defines when it is read elsewhere."""
    text = gather_source(name).read_text()
    names = {"__name__": "elsewhere"}
    exec(text, names)
    return text, names


def test_a_class_brings_what_it_needs(notebook):
    # Breaks where a helper, a constant or a base class is left behind, or a cell that trains runs again.
    text, names = gathered("Mine")
    mine = names["Mine"]
    assert mine.size == 2 and mine().area() == 3 * names["PI"]  # as in the notebook: early 2, late 3
    assert mine.kind == "old" and mine.label == "changed later"
    assert "numpy" not in text and "SystemExit" not in text and "1 / 0" not in text and "COUNT" not in text


def test_names_of_its_own_are_not_the_notebooks(notebook):
    # Breaks where a parameter or a loop's variable is taken for a name of the notebook's.
    text, _ = gathered("shadow")
    assert "helper(x)" not in text and "tau\n" not in text.partition("def shadow")[0]


def test_decorators_and_guarded_statements(notebook):
    # Breaks where a decorator is cut off, or a value behind `if __name__ == "__main__":` brings the rest.
    assert gathered("cached")[1]["cached"].cache_info().misses == 0
    text, names = gathered("reads_hidden")
    assert names["reads_hidden"]() == 5 and "SystemExit" not in text


def test_the_same_content_is_the_same_file(notebook):
    # Breaks where each call makes another class, and everything compiles again.
    assert gather_source("Mine") == gather_source("Mine") != gather_source("cached")


def test_refusals(notebook):
    # Breaks where another process would end in a traceback, far from the cause.
    with pytest.raises(UserError, match="the source of Missing cannot be found"):
        gather_source("Missing")
    exec("class Outer:\n    class Inner: ...\nmade = Outer()\nclass Outer: ...", notebook.__dict__)
    notebook.In.append("class Outer:\n    area = undefined_here\n")  # pyright: ignore
    with pytest.raises(UserError, match="is defined within a function or a class"):
        own_path(type("Local", (), {"__qualname__": "f.<locals>.Local", "__module__": "__main__"}))
    with pytest.raises(UserError, match="Outer has been defined again since"):
        own_path(type(notebook.made))
    with pytest.raises(UserError, match=r"does not stand by itself .*name 'undefined_here' is not defined"):
        own_path(notebook.Outer)


def test_a_script(tmp_path, monkeypatch):
    # Breaks where a script's class brings the script, whose training would begin again.
    path = tmp_path / "script.py"
    path.write_text("class Mine: ...\n\nraise SystemExit('trains')\n")
    main = ModuleType("__main__")
    main.__file__ = str(path)
    exec("class Mine: ...", main.__dict__)
    monkeypatch.setitem(sys.modules, "__main__", main)
    file = own_path(main.Mine)
    assert file.endswith("Mine.py:Mine") and "raise" not in gather_source("Mine").read_text()
