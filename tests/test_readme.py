"""What README and docs tell a reader to type is understood, and what they point to is there."""

import re
import runpy
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from covey.analysis import ablation
from covey.analysis.ablation_results import Ablation
from covey.cli import main
from covey.lab import solve, study
from covey.lab.descent import DescentEnd
from covey.runs import run

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "benchmarks/README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def commands():
    """Those that can be typed as they stand: with no name to fill in, no file or run of the reader's own."""
    for page in PAGES:
        for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
            for line in re.findall(r"^(?:\$ )?(covey .*)", block, re.MULTILINE):
                words = shlex.split(re.split(" {3,}", line)[0], comments=True)[1:]
                of_runs = words[0] in ("compare", "crossplay", "eval")
                open_ends = of_runs or re.search(r"\b[A-Z]{3,}\b|…", " ".join(words))
                files = re.findall(r"[\w/]+\.(?:py|yaml)\b", line)
                if not open_ends and all((ROOT / file).exists() for file in files):
                    yield pytest.param(words, id=f"{page.name}: {' '.join(words)}")


@pytest.mark.parametrize("words", list(commands()))
def test_commands_are_understood(words, monkeypatch):
    # Would break: a name, an option or a setting in the text that is no longer so. Nothing is trained.
    def build(config, out, quiet):
        env, sides = config.build()
        assert env.spec.agents == sum(len(side.members) for side in sides)
        return SimpleNamespace(path="nowhere")

    def plan(*words):
        for cell in ablation.plan_grid(*words[:5]):
            build(cell.config, None, True)
        return Ablation("nowhere", words[0], words[1], 0, 0, ())

    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(run, "train", build)
    monkeypatch.setattr(ablation, "train_grid", plan)
    monkeypatch.setattr(ablation, "write_ablation", lambda result: None)
    ends = lambda table, *_: [DescentEnd(table, 0.0, (0,) * table.ndim, 1)]
    monkeypatch.setattr(solve, "descent_ends", ends)
    monkeypatch.setattr(study.Study, "picture", lambda _, out: out)
    assert main(words) == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_is_pointed_to_is_there(page):
    # Would break: a file moved, a make target renamed.
    text = page.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^\s*make ([a-z-]+)|`make ([a-z-]+)`", text, re.MULTILINE)
    assert [name for pair in targets for name in pair if name and f"\n{name}:" not in makefile] == []


def test_readme_is_short():
    # Would break: a README that grows back into a manual.
    assert len((ROOT / "README.md").read_text().split()) <= 1100


def test_the_picture_of_the_architecture_is_current():
    # Would break: a floor added, a file of the path moved, and the picture not drawn again.
    script = runpy.run_path(str(ROOT / "docs/figures/architecture.py"))
    assert script["PICTURE"].read_text() == script["draw"](), "run python docs/figures/architecture.py"
    source = ROOT / "src/covey"
    assert [file for _, file, _ in script["STEPS"] if not (source / file).exists()] == []
    assert {room for floor in script["floors"]() for room in floor} <= set(script["PURPOSE"])
