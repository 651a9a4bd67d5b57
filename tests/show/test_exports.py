"""Figures and exports: the numbers of `statistics` and of metrics.jsonl, in the shapes that others read."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from covey import statistics
from covey.errors import UserError
from covey.show import exports, figures
from show.report_runs import write_run

ENDS = {"qmix": 4.0, "vdn": 9.0}


@pytest.fixture(scope="module")
def paths(tmp_path_factory) -> list[Path]:
    root = tmp_path_factory.mktemp("runs")
    return [
        write_run(root / f"{name}_{world.replace('/', '_')}", name, world, scores=end, seeds=3)
        for name, end in ENDS.items()
        for world in ("spread", "skirmish/3m")
    ]


def rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def test_csv_holds_every_number(paths):
    # Would break: a metric, a seed or a report left out, values of one at the place of another.
    table = list(csv.DictReader(io.StringIO(exports.csv_text(paths))))
    loss = [r for r in table if r["metric"] == "loss" and r["run"] == str(paths[1])]
    found = {(int(r["seed"]), float(r["step"])): float(r["value"]) for r in loss}
    assert found == {(row["seed"], row["step"]): row["loss"] for row in rows(paths[1])}
    assert {r["environment"] for r in table} == {"spread", "skirmish/3m"}


def test_a_formula_is_text(tmp_path):
    # Would break: a name that a spreadsheet executes.
    path = write_run(tmp_path / "run", "=HYPERLINK(1)")
    assert "\n" in exports.csv_text([path]) and ",=HYPERLINK" not in exports.csv_text([path])


def test_marl_eval_has_its_five_levels(paths):
    # Would break: a level missing, another step's metrics, an absolute metric that is not the last.
    tree = exports.marl_eval_tree(paths)
    seed = tree["skirmish"]["3m"]["vdn"]["seed_1"]
    evaluations = [row for row in rows(paths[3]) if row["seed"] == 1 and "eval/return/team" in row]
    for i, row in enumerate(evaluations):
        assert seed[f"step_{i}"]["step_count"] == row["step"]
        assert seed[f"step_{i}"]["return/team"] == [row["eval/return/team"]]
    assert seed["absolute_metrics"]["return/team"] == [evaluations[-1]["eval/return/team"]]
    assert tree["spread"]["spread"].keys() == ENDS.keys()


def test_matrices_are_runs_by_tasks(paths):
    # Would break: rows and columns exchanged, algorithms mixed up.
    tree = exports.rliable_tree(paths)
    last = [[row["eval/return/team"] for row in rows(path)[-3:]] for path in paths[2:]]
    assert tree["scores"]["vdn"] == np.array(last).T.tolist()
    assert np.shape(tree["curves"]["vdn"]) == (3, 2, 20)
    assert [r[-1] for r in tree["curves"]["vdn"][0]] == tree["scores"]["vdn"][0]


@pytest.mark.nightly
def test_numbers_are_rliables(paths):
    # Would break: another definition of IQM, optimality gap, improvement or profile than rliable's.
    metrics = pytest.importorskip("rliable.metrics")
    tree = exports.rliable_tree(paths)
    x, y = (np.array(tree["normalised"][name]) for name in ENDS)
    assert statistics.iqm_of_tasks(x) == pytest.approx(metrics.aggregate_iqm(x), abs=1e-9)
    assert statistics.optimality_gap(x) == pytest.approx(metrics.aggregate_optimality_gap(x), abs=1e-9)
    improvement = metrics.probability_of_improvement(y, x)
    assert statistics.improvement(y, x) == pytest.approx(improvement, abs=1e-9)


@pytest.mark.parametrize("name", ["figure.pdf", "figure.svg"])
def test_figures_embed_their_letters(paths, tmp_path, name):
    # Would break: Type 3 fonts, which publishers refuse; letters that the reader's machine must have.
    out = figures.draw_figure(paths, tmp_path / name, by="env" if name.endswith("svg") else None)
    content = out.read_bytes()
    assert b"/Type3" not in content and b"<text" not in content and len(content) > 5000
    assert content.startswith(b"%PDF") or b"<svg" in content


@pytest.mark.parametrize(
    "label", ["qmix", "qmix mixer.embed=64 experience.batch_size=128 optimiser.lr=0.0005 gamma=0.99"]
)
def test_legends_fit_their_figure(label, tmp_path):
    # Would break: names that are cut off at the edges, where there are many or they tell many settings.
    figure, axes = figures._panels(1)
    for i in range(4):
        axes[0].plot([0, 1], label=f"{label} {i}")
    figures._finish(figure, axes, tmp_path / "figure.svg")
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width
    assert box.y0 >= 0 and box.y1 <= axes[0].get_tightbbox().y0
    assert axes[0].get_window_extent().height / figure.dpi > 1.5


def test_figures_refuse_what_cannot_be(paths, tmp_path):
    # Would break: a traceback of matplotlib for a file's ending; aggregates over one world.
    with pytest.raises(UserError, match=r"take \.pdf"):
        figures.check_figure_path(Path("figure.docx"))
    with pytest.raises(UserError, match="--by all needs runs of two worlds"):
        figures.draw_figure(paths[:1], tmp_path / "x.pdf", by="all")
