"""The commands in README and docs are understood, and their links point to something."""

import re
import runpy
import shlex
from pathlib import Path

import pytest

from covey.analysis import ablation
from covey.analysis.sweep import schedule
from covey.analysis.sweep.plan import Plan
from covey.cli import main
from covey.lab import solve, study
from covey.lab.descent import DescentEnd
from covey.runs import run
from covey.testing import check_environment

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), ROOT / "benchmarks/README.md", *sorted((ROOT / "docs").rglob("*.md"))]


class Understood(BaseException):
    """A command has been understood and would now train; no handler of errors catches this."""


def commands():
    """Yield the commands that can be typed as they are, without a name, a file or a run of the reader's."""
    for page in PAGES:
        for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
            for line in re.findall(r"^(?:\$ )?(covey .*)", block, re.MULTILINE):
                words = shlex.split(re.split(" {3,}", line)[0], comments=True)[1:]
                of_runs = words[0] in ("compare", "crossplay", "eval", "import", "new")  # or write files
                open_ends = of_runs or re.search(r"\b[A-Z]{3,}\b|…", " ".join(words))
                files = re.findall(r"[\w/]+\.(?:py|yaml)\b", line)
                if not open_ends and all((ROOT / file).exists() for file in files):
                    yield pytest.param(words, id=f"{page.name}: {' '.join(words)}")


def check(config):
    env, slots = config.build()
    assert env.spec.agents == sum(len(slot.members) for slot in slots)


def train(config, *_, **__):
    check(config)
    raise Understood


def train_grid(algorithm, environment, axes, options, *_, **__):
    for config in ablation.check_grid(ablation.grid_plan(algorithm, environment, axes, options)).values():
        check(config)
    raise Understood


def sweep(*_, **__):
    raise Understood


def lacks_package(status, message):
    """Say whether a command stopped for want of a package with somebody's world."""
    return status == 2 and "which is not installed: " in message


def go(words, capsys):
    if lacks_package(main(words), capsys.readouterr().err):
        raise Understood


@pytest.mark.parametrize("words", list(commands()))
def test_commands_are_understood(words, monkeypatch, capsys):
    # Breaks where the text has a name, an option or a setting that no longer exists. Nothing is trained.
    # A command that needs a package of another's world is understood as far as that package's name.
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(run, "new_run", train)
    monkeypatch.setattr(ablation, "train_grid", train_grid)
    monkeypatch.setattr(schedule, "continue_sweep", sweep)
    monkeypatch.setattr(Plan, "write", lambda self, folder: None)
    ends = lambda table, *_: [DescentEnd(table, 0.0, (0,) * table.ndim, 1)]
    monkeypatch.setattr(solve, "descent_ends", ends)
    monkeypatch.setattr(study.Study, "picture", lambda _, out: Path(out))
    if words[0] in ("train", "ablate", "sweep"):
        with pytest.raises(Understood):
            go(words, capsys)
    else:
        status = main(words)
        assert status == 0 or lacks_package(status, capsys.readouterr().err)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_make_targets_exist(page):
    # Breaks where a file moves or a make target is renamed.
    text = page.read_text()
    links = [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^\s*make ([a-z-]+)|`make ([a-z-]+)`", text, re.MULTILINE)
    assert [name for pair in targets for name in pair if name and f"\n{name}:" not in makefile] == []


def test_readme_is_short():
    # Breaks where the README grows back into a manual.
    assert len((ROOT / "README.md").read_text().split()) <= 1100


def test_the_picture_of_the_architecture_is_current():
    # Breaks where a floor is added or a file of the path moves, and the picture is not drawn again.
    script = runpy.run_path(str(ROOT / "docs/figures/architecture.py"))
    assert script["PICTURE"].read_text() == script["draw"](), "run python docs/figures/architecture.py"
    source = ROOT / "src/covey"
    assert [file for _, file, _ in script["STEPS"] if not (source / file).exists()] == []
    assert {room for floor in script["floors"]() for room in floor} <= set(script["PURPOSE"])


def test_the_tables_of_the_battles_are_current(monkeypatch):
    # Breaks where a unit, a map, a setting or a recorded result changes, and the page is not written again.
    monkeypatch.syspath_prepend(ROOT)
    script = runpy.run_path(str(ROOT / "docs/figures/skirmish.py"))
    page = script["PAGE"].read_text()
    assert script["with_tables"](page) == page, "run python -m docs.figures.skirmish"


def test_the_worlds_of_the_protocol_page_keep_the_protocol():
    # Breaks where the page shows a world that covey would refuse.
    names: dict = {}
    page = (ROOT / "docs/protocol.md").read_text()
    for block in re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        if block.startswith('"""'):
            exec(compile(block, "docs/protocol.md", "exec"), names)
    check_environment(names["Ring"](cells=4))
    env = names["Copycat"]()
    env.reset(0)
    assert env.step(env.bits).counts == {"won": 1.0}
