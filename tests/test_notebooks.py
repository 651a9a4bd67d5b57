"""The notebooks in examples/ run from the top, and what they define lives on without them."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import covey

EXAMPLES = Path(__file__).parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
# A kernel in a few lines: cells run one after the other in `__main__`, and `In` has their sources.
KERNEL = """
import json, sys
cells = json.load(open(sys.argv[1]))["cells"]
In = [""]
for cell in cells:
    if cell["cell_type"] == "code":
        In.append("".join(cell["source"]))
        exec(compile(In[-1], f"<cell {len(In) - 1}>", "exec"))
"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_stale_is_stored(path):
    # Breaks where outputs are committed, which nothing keeps true.
    cells = json.loads(path.read_text())["cells"]
    assert [c for c in cells if c.get("outputs") or c.get("execution_count")] == []


def test_there_are_notebooks():
    # Breaks where they move, and the tests here pass because they find none.
    assert [path.stem for path in NOTEBOOKS] == ["quick_start", "reading_results"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_call_what_is_public(path):
    # Breaks where a cell uses a name that is gone; that the cells run is told by the nightly tests.
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    tree = ast.parse("\n".join("".join(cell["source"]) for cell in cells))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and is_covey(node.value)}
    assert used and used <= set(covey.__all__)


def is_covey(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "covey"


def run_notebook(path: Path, folder: Path) -> str:
    """Run a notebook in a process of its own, in an empty folder; return what it printed."""
    (folder / "kernel.py").write_text(KERNEL)
    code = f"import sys; sys.argv = ['kernel', {str(path)!r}]; exec(open('kernel.py').read())"
    environment = os.environ | {"MPLBACKEND": "Agg"}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.nightly
def test_quick_start(tmp_path, monkeypatch):
    # Breaks where a cell calls what has changed, or where the class of a cell is lost with its notebook.
    said = run_notebook(EXAMPLES / "quick_start.ipynb", tmp_path)
    assert "the team earned" in said
    (own,) = tmp_path.glob("runs/iql_Copycat.py-Copycat_*")
    monkeypatch.chdir(tmp_path)
    assert covey.evaluate(own, episodes=2, trust=True).length == 4
    assert "Copycat" in (own / "files" / "Copycat.py").read_text()


@pytest.mark.nightly
def test_reading_results(tmp_path):
    # Breaks where a cell calls what has changed, or where the text says of the game what is not so.
    said = run_notebook(EXAMPLES / "reading_results.ipynb", tmp_path)
    assert "vdn earns 7" in said and "page.html" in said
