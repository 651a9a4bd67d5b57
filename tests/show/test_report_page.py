"""Reports: numbers are those of `statistics`, nothing of a folder is executed, no page asks for anything."""

import json
import re
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest

from covey import statistics
from covey.errors import UserError
from covey.show.report import embedding, grouping, markup, page, reading, run_sections, scores
from covey.show.report.drawing import ticks
from show.report_runs import Parsed, write_run

EVIL = "</script><img src=x onerror=alert(1)>\u2028<!--'\"&`"


def report(*paths: Path) -> Parsed:
    return Parsed(page.make_report(paths, replay=False))


def worlds(*paths: Path) -> list[grouping.WorldRuns]:
    return grouping.group_runs([reading.read_run(folder) for folder in reading.find_folders(paths)[0]])


@pytest.fixture(scope="module")
def three(tmp_path_factory) -> list[Path]:
    """Three algorithms in a world, of which the last is clearly worse."""
    root = tmp_path_factory.mktemp("three")
    ends = {"qmix": 20.0, "vdn": 20.2, "mappo": 3.0}
    return [write_run(root / name, name, scores=end) for name, end in ends.items()]


@pytest.fixture(scope="module")
def shown(three) -> Parsed:
    return report(*three)


def final(path: Path) -> np.ndarray:
    return np.array(json.loads((path / "summary.json").read_text())["eval"]["team_return"]["per_seed"])


def test_scores_are_those_of_statistics(three):
    # Would break: another evaluation than the last, seeds left out, a statistic of the report's own.
    result = scores.score_world(worlds(*three)[0])
    first = final(three[0])
    for score, path in zip(result.scores, three, strict=True):
        assert score.summary == statistics.summarise_scores(final(path))
        assert score.over_first == (None if path == three[0] else statistics.against(final(path), first))
    assert result.pairs[0][2] == 1.0 and result.pairs[2][0] == 0.0


def test_the_page_shows_these_numbers(three, shown):
    # Would break: a column exchanged with another, a number rounded away.
    text = " ".join(shown.texts)
    for path in three:
        summary = statistics.summarise_scores(final(path))
        assert markup.number(summary["iqm"]) in text
        assert markup.interval_text(*summary["ci95"]) in text
    over = statistics.against(final(three[2]), final(three[0]))
    assert f"{over['p_value']:.2g}" in text and f"{over['seeds_to_settle']:,}" in text


def test_curves_hold_every_seed_in_full(three, shown):
    # Would break: values rounded, seeds exchanged, an axis of another metric.
    group = shown.data["worlds"][0]["groups"][1]
    metric = group["metrics"]["eval/return/team"]
    rows = [json.loads(line) for line in (three[1] / "metrics.jsonl").read_text().splitlines()]
    for seed, values in enumerate(metric["values"]):
        known = [row for row in rows if row["seed"] == seed and "eval/return/team" in row]
        assert values == [row["eval/return/team"] for row in known]
        assert metric["step"] == [row["step"] for row in known]
        assert metric["updates"] == [row["updates"] for row in known]
    assert "td_error" not in group["metrics"]  # it never had a value


def test_the_page_draws_as_statistics_does(shown):
    # Would break: other draws than `statistics.interval`, so that intervals of page and text differ.
    draws = np.frombuffer(b64decode(shown.data["draws"]["5"]), np.uint8).reshape(-1, 5)
    x = np.random.default_rng(3).normal(size=5)
    interval = np.percentile(statistics.iqm(x[draws]), [2.5, 97.5])
    assert tuple(interval) == statistics.interval(x, draws=embedding.DRAWS)


@pytest.mark.parametrize(
    ("ends", "says"),
    [
        ({"qmix": 5.0}, r"qmix on spread reaches a greedy team return of .* \(IQM of 5 seeds"),
        (
            {"qmix": 5.0, "vdn": 15.0},
            r"vdn is better than qmix on spread: .* probability 1\.00 .* 5 seeds of each",
        ),
        ({"qmix": 5.0, "vdn": 5.1}, r"cannot be told apart on spread with 5 seeds of each.*p = "),
        ({"qmix": 5.0, "vdn": 15.0, "mappo": 30.0}, r"mappo scores highest.*better than vdn and qmix.*Holm"),
    ],
)
def test_verdict(tmp_path, ends, says):
    # Would break: the loser named as the winner, chance called a difference, a difference called chance.
    paths = [write_run(tmp_path / name, name, scores=end) for name, end in ends.items()]
    assert re.search(says, scores.verdict(scores.score_world(worlds(*paths)[0])))


def test_runs_that_differ_in_seeds_alone_are_one_group(tmp_path):
    # Would break: seeds counted twice, or pooled although a setting differs.
    a = write_run(tmp_path / "a", seeds=3)
    b = write_run(tmp_path / "b", seeds=2, first_seed=3)
    again = write_run(tmp_path / "again", seeds=3)
    other = write_run(tmp_path / "other", seeds=3, settings={"gamma": 0.9})
    (world,) = worlds(a, b, again, other)
    assert [group.seeds for group in world.groups] == [(0, 1, 2, 3, 4), (0, 1, 2), (0, 1, 2)]
    assert len({group.label for group in world.groups}) == 3
    assert "gamma=0.9" in world.groups[2].label


def test_worlds_with_other_settings_are_not_compared(tmp_path):
    # Would break: returns of different games in one table.
    a = write_run(tmp_path / "a", env={"agents": 3})
    b = write_run(tmp_path / "b", env={"agents": 5})
    assert [world.name for world in worlds(a, b)] == ["spread env.agents=3", "spread env.agents=5"]


def test_a_win_rate_is_compared_where_it_tells_anything(tmp_path):
    # Would break: battles judged by return alone, or by a win rate that is 0 everywhere.
    a = write_run(tmp_path / "a", extra={"eval/won": 0.25})
    b = write_run(tmp_path / "b", "vdn", extra={"eval/won": 0.75})
    c = write_run(tmp_path / "c", "vdn", extra={"eval/won": 0.25})
    assert worlds(a, b)[0].score == "eval/won"
    assert worlds(a, c)[0].score == "eval/return/team"


def test_settings_without_effect_are_marked(tmp_path):
    # Would break: a setting that changed no bit shown like one that did.
    a = write_run(tmp_path / "a", fingerprint="same")
    b = write_run(tmp_path / "b", fingerprint="same", settings={"gamma": 0.9})
    c = write_run(tmp_path / "c", settings={"gamma": 0.9})
    runs = [reading.read_run(reading.RunFolder(path)) for path in (a, b, c)]
    assert run_sections.idle_settings(runs[:2])["gamma"] == "did nothing"
    assert run_sections.idle_settings(runs[1:]) == {}


def test_tasks_are_aggregated_by_statistics(tmp_path):
    # Would break: another normalisation, tasks mixed up, seeds of one world alone.
    paths = {
        (name, world): write_run(tmp_path / f"{name}_{world}", name, world, scores=end)
        for name, end in (("qmix", 4.0), ("vdn", 9.0))
        for world in ("spread", "reference")
    }
    tasks = scores.score_tasks([scores.score_world(world) for world in worlds(*paths.values())])
    table = np.stack([[final(paths[name, w]) for w in ("spread", "reference")] for name in ("qmix", "vdn")])
    low = table.min(axis=(0, 2), keepdims=True)
    normal = (table - low) / (table.max(axis=(0, 2), keepdims=True) - low)
    for task, expected in zip(tasks, normal, strict=True):
        np.testing.assert_allclose(task.table, expected.T, atol=1e-12)
        np.testing.assert_allclose(task.curve[-1], expected.T, atol=1e-12)
    text = " ".join(report(*paths.values()).texts)
    assert markup.number(float(statistics.optimality_gap(normal[0].T))) in text


def test_holm_by_hand():
    # Would break: Bonferroni for all, no monotonicity, results in another order than the p-values.
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert statistics.holm([0.6, 0.9]) == [1.0, 1.0]


@pytest.fixture(scope="module")
def evil(tmp_path_factory) -> Parsed:
    """The report of a folder that a stranger made: markup for names, numbers that are none, wrong kinds."""
    root = tmp_path_factory.mktemp("evil")
    name = EVIL.replace("/", "")
    path = write_run(root / f"a{name}", f"qmix{EVIL}", f"spread{EVIL}", settings={EVIL: EVIL})
    other = write_run(root / "b", f"vdn{EVIL}", f"spread{EVIL}", settings={EVIL: "x"})
    with open(path / "metrics.jsonl", "a", encoding="utf-8") as file:
        row = '{"report": 13, "seed": %d, "step": 1e999, "seconds": NaN, "eval/return/team": %s, "%s": 1.5}\n'
        for seed in range(5):
            file.write(row % (seed, f"1{'0' * 400}" if seed else "1e308", "<b>\\u2028\\ud800</b>"))
        file.write('{"report": true, "seed": "0"}\n[1]\n{"report": 14, "seed": -1}\n{"report": 15, ')
    summary = json.loads((path / "summary.json").read_text())
    summary["audit"] = {
        "settings": {"idle": {EVIL: None}},
        "notes": [EVIL],
        "modules": {EVIL: 3},
        "judged": 1,
    }
    summary["train"] = {"wall_seconds": EVIL, "env_steps_per_second": [EVIL]}
    (path / "summary.json").write_text(json.dumps(summary))
    run = {
        "status": EVIL,
        "command": ["covey", f"{EVIL}\nrm -rf /"],
        "versions": {EVIL: EVIL},
        "git": {"commit": EVIL},
    }
    (path / "run.json").write_text(json.dumps(run))
    (other / "summary.json").write_text("[]")
    (other / "run.json").write_text("{")
    table = {"runs": [EVIL, "b"], "side": EVIL, "team_return": [[1, float("nan")], ["x", 10**400]]}
    (root / "crossplay.json").write_text(json.dumps(table))
    return report(root)


def test_a_strangers_folder_injects_nothing(evil, shown):
    # Would break: any name that reaches the page unescaped, in text, attributes, SVG or data.
    assert {name for name, _ in evil.elements} <= {name for name, _ in shown.elements} | {
        "details",
        "summary",
    }
    attributes = {name for _, attrs in evil.elements for name in attrs}
    assert not [name for name in attributes if name.startswith("on")]
    assert sum(name == "script" for name, _ in evil.elements) == 1 + len(page._SCRIPTS)
    assert any(EVIL.split("\u2028")[0] in text for text in evil.texts)
    assert "qmix" + markup.clean(EVIL) in json.dumps(evil.data, ensure_ascii=False).replace('\\"', '"')


def test_numbers_that_are_none_are_left_out(evil):
    # Would break: NaN or infinity in the data, which no browser reads.
    groups = evil.data["worlds"][0]["groups"]
    for metric in groups[0]["metrics"].values():
        assert all(x is None or np.isfinite(x) for values in metric["values"] for x in values)


def test_a_page_asks_nobody(shown):
    # Would break: a font, a script or a picture from elsewhere; a policy that would allow one.
    policies = [a["content"] for _, a in shown.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1 and "default-src 'none'" in policies[0] and "unsafe-eval" not in policies[0]
    assert "'unsafe-inline'" not in policies[0].partition("script-src")[2].partition(";")[0]
    addresses = [a[key] or "" for _, a in shown.elements for key in ("src", "href") if key in a]
    assert all(address.startswith(("#", "data:,")) for address in addresses)


def test_scripts_cannot_end_early():
    # Would break: a script of ours that holds the end of a script element, even in a string.
    for name in page._SCRIPTS:
        text = (Path(page.__file__).parent / name).read_text()
        assert not re.search(r"</script|<!--", text, re.IGNORECASE)


def test_the_same_runs_give_the_same_page(three):
    # Would break: the time of day, or a set's order, in the page.
    assert page.make_report(three, replay=False) == page.make_report(three, replay=False)


def test_runs_are_found_below_a_folder(tmp_path):
    # Would break: an ablation's folder refused; a folder without runs accepted.
    write_run(tmp_path / "grid" / "gamma=0.9")
    write_run(tmp_path / "grid" / "gamma=0.99", settings={"gamma": 0.5})
    assert len(reading.find_folders([tmp_path / "grid"])[0]) == 2
    assert len(reading.find_folders([tmp_path, tmp_path / "grid"])[0]) == 2
    with pytest.raises(UserError, match="no run"):
        reading.find_folders([tmp_path / "grid" / "nothing"])


def test_a_run_without_evaluation_has_a_report(tmp_path):
    # Would break: a traceback for a run that has only begun.
    path = write_run(tmp_path / "begun")
    for name in ("metrics.jsonl", "summary.json", "run.json"):
        (path / name).unlink()
    assert any("Nothing has been evaluated yet" in text for text in report(path).texts)


def test_a_page_stays_small(tmp_path):
    # Would break: metrics of long runs in full: 3 algorithms, 5 seeds, 2,000 reports each.
    extra = {f"metric_{i}": 1.23456789 for i in range(20)}
    paths = [write_run(tmp_path / name, name, reports=500, extra=extra) for name in ("qmix", "vdn", "mappo")]
    assert len(page.make_report(paths, replay=False)) < 1.5e6


def test_ticks_are_round():
    # Would break: ticks outside of the range, or too many of them.
    assert ticks(0.0, 1.0, 4) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert ticks(-26.0, -8.0, 4) == [-25.0, -20.0, -15.0, -10.0]
    assert ticks(3.0, 3.0) == [3.0]
