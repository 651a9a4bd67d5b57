"""The sections of a report on results: the verdict, the curves, the profiles, cross-play."""

from typing import Any

import numpy as np

from ... import statistics
from ...text import clock, count
from . import drawing
from .grouping import WON, RunGroup
from .markup import Markup, interval_text, join, number, tag
from .scores import GroupScore, TaskScores, WorldScores, overall_verdict, score_tasks, verdict

_MOST_OPEN = 4  # worlds whose tables are shown open
_MOST_CHARTS = 12  # worlds whose curves are drawn without JavaScript
_THRESHOLDS = 101
_DRAWS = 2000


def page_section(name: str, title: str, *content: Any, note: Any = None) -> Markup:
    """Return a section with its title; `note` explains it in small letters."""
    heading = tag("h2", title, id=f"{name}-title")
    small = tag("p", note, class_="note") if note else None
    return tag("section", heading, small, *content, id=name, aria_labelledby=f"{name}-title")


def verdict_section(results: list[WorldScores]) -> Markup:
    """Say what was found: a sentence and a table for each world."""
    tasks = score_tasks(results)
    parts = [tag("p", overall_verdict(tasks, len(results)), class_="verdict")] if tasks else []
    for result in results:
        parts.append(tag("p", verdict(result), class_="verdict" if len(results) <= _MOST_OPEN else None))
        tables = [_score_table(result)] if result.scores else []
        tables += [_pair_table(result)] if len(result.scores) > 2 and result.pairs else []
        if len(results) > _MOST_OPEN and tables:
            tables = [tag("details", tag("summary", f"every number on {result.world.name}"), tables)]
        parts += tables
    conventions = dict.fromkeys(
        _convention(group) for result in results for group in result.world.groups if _convention(group)
    )
    note = "Interquartile means over seeds of the last policies' greedy episodes, 95 % bootstrap intervals."
    returns = f" Returns: {'; '.join(conventions)}." if conventions else ""
    return page_section("verdict", "Verdict", *parts, note=note + returns)


def _convention(group: RunGroup) -> str:
    evaluation = group.first.summary.get("eval")
    told = evaluation.get("convention") if isinstance(evaluation, dict) else None
    return told if isinstance(told, str) else ""


def _score_table(result: WorldScores) -> Markup:
    """Return a row for each group: its score, its evidence, its cost."""
    scores = result.scores
    span = drawing.padded([score.values for score in scores])
    wins = result.world.score != WON and any(_wins(score.group) for score in scores)
    first = scores[0].group.label
    several = len(scores) > 1
    head = ["", result.world.score_name, "IQM", "95 % interval", *["win rate"] * wins, "seeds", "steps"]
    head += [f"beats {first}", "p", "seeds to settle"] * several + ["time", "steps/s"]
    rows = []
    for score in scores:
        colour = drawing.colour_class(_place(result, score))
        label = tag("th", tag("span", class_=f"swatch {colour}"), score.group.label, scope="row")
        values = score.summary
        text = f"{score.group.label}: IQM {number(values['iqm'])}, interval {interval_text(*values['ci95'])}"
        strip = drawing.interval_strip(
            score.values,
            values["iqm"],
            (values["ci95"][0], values["ci95"][1]),
            span,
            _place(result, score),
            text,
        )
        cells = [strip, number(values["iqm"]), interval_text(*values["ci95"])]
        cells += [_wins(score.group)] * wins
        cells += [str(len(score.values)), f"{score.step:,.0f}"]
        cells += _evidence(score) if several else []
        cells += [clock(score.group.seconds) if score.group.seconds is not None else "–", _rate(score.group)]
        rows.append(tag("tr", label, [tag("td", cell) for cell in cells]))
    table = tag(
        "table",
        tag("thead", tag("tr", [tag("th", name, scope="col") for name in head])),
        tag("tbody", rows),
        class_="scores",
    )
    return tag(
        "div", table, class_="scroll", tabindex=0, role="region", aria_label=f"scores on {result.world.name}"
    )


def _place(result: WorldScores, score: GroupScore) -> int:
    return result.world.groups.index(score.group)


def _evidence(score: GroupScore) -> list[str]:
    """Return the probability of improvement over the first group, the p-value, the seeds to settle it."""
    over = score.over_first
    if over is None:
        return ["", "", ""]
    needed = over["seeds_to_settle"]
    probability = f"{number(over['probability_of_improvement'])} {interval_text(*over['ci95'])}"
    return [probability, f"{over['p_value']:.2g}", f"{needed:,}" if needed else "–"]


def _wins(group: RunGroup) -> str:
    values = group.table.curve(WON)[1]
    return f"{100 * float(np.median(values[-1])):.0f} %" if len(values) else ""


def _rate(group: RunGroup) -> str:
    train = group.first.summary.get("train")
    rate = train.get("env_steps_per_second") if isinstance(train, dict) else None
    return f"{rate:,.0f}" if isinstance(rate, int | float) and not isinstance(rate, bool) else "–"


def _pair_table(result: WorldScores) -> Markup:
    names = [score.group.label for score in result.scores]
    text = "Probability that a seed of the row scores above one of the column"
    table = drawing.heat_map(result.pairs, names, names, text, span=(0.0, 1.0))
    return tag("details", tag("summary", "Every pair"), tag("div", table, class_="scroll"))


def curves_section(results: list[WorldScores]) -> Markup:
    """Return the places for the curves, which the page draws; without JavaScript they are SVG."""
    figures = []
    for i, result in enumerate(results):
        world = result.world
        legend = [
            tag("li", tag("button", tag("span", class_=f"swatch {drawing.colour_class(j)}"), group.label,
                          type="button", class_="key", data_group=j, aria_pressed="true"))
            for j, group in enumerate(world.groups)
        ]  # fmt: skip
        fallback = tag("noscript", _plain_curves(result)) if i < _MOST_CHARTS else None
        figures.append(
            tag(
                "figure",
                tag("figcaption", world.name),
                tag("div", class_="plot", data_world=i),
                fallback,
                tag("ul", legend, class_="legend"),
                tag("details", tag("summary", "These numbers"), tag("div", class_="scroll numbers")),
                class_="curves",
            )
        )
    controls = tag("div", class_="controls", id="curve-controls")
    note = "Thin lines are seeds: point at one. Drag to zoom, double click to zoom out."
    return page_section("curves", "Curves", controls, tag("div", figures, class_="figures"), note=note)


def _plain_curves(result: WorldScores) -> Markup:
    """Draw the interquartile mean of the score with its interval over steps."""
    lines = []
    for j, group in enumerate(result.world.groups[:16]):
        steps, values = group.table.curve(result.world.score)
        if len(steps):
            bands = np.array([statistics.interval(v, draws=_DRAWS) for v in values])
            lines.append(
                drawing.DrawnLine(group.label, j, steps, statistics.iqm(values), bands[:, 0], bands[:, 1])
            )
    text = f"{result.world.score_name} over steps"
    return drawing.line_chart(
        lines, "environment steps of each seed", result.world.score_name, text, (720, 320)
    )


def profile_section(results: list[WorldScores]) -> Markup | None:
    """Return performance profiles and, over several worlds, sample efficiency, in rliable's definitions."""
    tasks = score_tasks(results)
    if tasks:
        return _task_profiles(tasks, len(results))
    shown = [result for result in results if len(result.scores) > 1]
    charts = [_profile_of(result) for result in shown[:_MOST_CHARTS]]
    if not charts:
        return None
    note = "The share of seeds that score above each value: a curve further right is better everywhere."
    return page_section("profiles", "Performance profiles", tag("div", charts, class_="charts"), note=note)


def _profile_of(result: WorldScores) -> Markup:
    low, high = drawing.padded([score.values for score in result.scores])
    thresholds = np.linspace(low, high, _THRESHOLDS)
    lines = []
    for score in result.scores[:24]:
        table = score.values[:, None]
        picks = statistics.draw_resamples(np.random.default_rng(0), table.shape, _DRAWS // 4)
        bands = statistics.bootstrap(lambda x: statistics.profile(x, thresholds), (table,), (picks,))
        share = statistics.profile(table, thresholds)
        lines.append(
            drawing.DrawnLine(
                score.group.label, _place(result, score), thresholds, share, *bands, stepped=True
            )
        )
    chart = drawing.line_chart(
        lines, result.world.score_name, "share of seeds above", f"performance profile on {result.world.name}",
        x_span=(low, high), y_span=(0.0, 1.0),
    )  # fmt: skip
    return tag("figure", tag("figcaption", result.world.name), chart)


def _task_profiles(tasks: list[TaskScores], worlds: int) -> Markup:
    """Return aggregates over all worlds: a table, performance profiles, sample efficiency."""
    thresholds = np.linspace(0.0, 1.0, _THRESHOLDS)
    profiles = []
    efficiency = []
    rows = []
    for i, task in enumerate(tasks):
        picks = statistics.draw_resamples(np.random.default_rng(0), task.table.shape, _DRAWS)
        bands = statistics.bootstrap(
            lambda x: statistics.profile(x, thresholds), (task.table,), (picks[:500],)
        )
        share = statistics.profile(task.table, thresholds)
        profiles.append(drawing.DrawnLine(task.label, i, thresholds, share, *bands, stepped=True))
        points = len(task.curve)
        over = np.arange(1, points + 1) / points
        between = [statistics.bootstrap(statistics.iqm_of_tasks, (x,), (picks[:500],)) for x in task.curve]
        low, high = (np.array(side, float) for side in zip(*between, strict=True))
        efficiency.append(
            drawing.DrawnLine(task.label, i, over, statistics.iqm_of_tasks(task.curve), low, high)
        )
        rows.append(_aggregates(i, task, tasks[0], picks))
    head = ["", "IQM", "95 % interval", "optimality gap", f"beats {tasks[0].label}"]
    table = tag(
        "table",
        tag("thead", tag("tr", [tag("th", name, scope="col") for name in head])),
        tag("tbody", rows),
        class_="scores",
    )
    charts = tag(
        "div",
        drawing.line_chart(profiles, "normalised score", "share of runs above", "performance profiles",
                           x_span=(0.0, 1.0), y_span=(0.0, 1.0)),
        drawing.line_chart(efficiency, "share of training", "IQM of normalised score", "sample efficiency",
                           x_span=(0.0, 1.0)),
        class_="charts",
    )  # fmt: skip
    note = (
        f"Over {count(worlds, 'world')}. A score of 0 is a world's worst seed of all, 1 its best. "
        "Stratified bootstrap by world, in rliable's definitions."
    )
    return page_section("profiles", "Over all worlds", tag("div", table, class_="scroll"), charts, note=note)


def _aggregates(i: int, task: TaskScores, first: TaskScores, picks: Any) -> Markup:
    """Return a row of the table over all worlds."""
    low, high = statistics.bootstrap(statistics.iqm_of_tasks, (task.table,), (picks,))
    beats = "" if task is first else number(float(statistics.improvement(task.table, first.table)))
    cells = [
        number(float(statistics.iqm_of_tasks(task.table))),
        interval_text(float(low), float(high)),
        number(float(statistics.optimality_gap(task.table))),
        beats,
    ]
    swatch = tag("span", class_=f"swatch {drawing.colour_class(i)}")
    return tag("tr", tag("th", swatch, task.label, scope="row"), [tag("td", cell) for cell in cells])


def crossplay_section(tables: list[dict[str, Any]]) -> Markup | None:
    """Return the tables of runs that played against each other."""
    maps = [
        drawing.heat_map(
            rows,
            table["names"],
            table["names"],
            f"{title}: rows play {table['side']}, columns {table['against']}",
        )
        for table in tables
        for title, rows in table["tables"].items()
    ]
    if not maps:
        return None
    return page_section(
        "crossplay", "Cross-play", tag("div", [tag("div", x, class_="scroll") for x in maps], class_="charts")
    )


def joined(*sections: Markup | None) -> Markup:
    """Return the sections that there are."""
    return join(*(part for part in sections if part is not None))
