"""The sections of a report on the runs: settings, losses, the audit, what it took, the data."""

import shlex
from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import statistics
from ...analysis.compare.differences import ABSENT
from ...text import clock, count
from . import drawing
from .grouping import RunGroup, WorldRuns, typed
from .markup import Markup, number, shorten, tag
from .reading import RecordedRun, dig, finite
from .result_sections import page_section

_MOST_COLUMNS = 8  # groups in the table of settings
_MOST_PANELS = 24  # metrics
_PANEL = (230, 130)
_UNREAD = "nobody reads it"
_IDLE = "did nothing"


def settings_section(worlds: list[WorldRuns]) -> Markup | None:
    """Return the settings in which groups differ, and which of them did nothing."""
    tables = [table for world in worlds if (table := _settings_table(world)) is not None]
    if not tables:
        return None
    return page_section("settings", "Settings that differ", *tables)


def _settings_table(world: WorldRuns) -> Markup | None:
    """Return the settings that all groups have and that differ; those that some lack are folded."""
    groups = world.groups[:_MOST_COLUMNS]
    shared, lone = _setting_rows(groups)
    if len(groups) < 2 or not (shared or lone):
        return None
    more = len(world.groups) - len(groups)
    caption = world.name + (f" (the first {len(groups)} of {len(world.groups)})" if more else "")
    head = tag(
        "thead", tag("tr", [tag("th", x, scope="col") for x in ("setting", *(g.label for g in groups), "")])
    )
    table = lambda rows: tag(
        "div", tag("table", head, tag("tbody", rows), class_="settings"), class_="scroll"
    )
    summary = tag("summary", f"{count(len(lone), 'setting')} that only some of them have")
    folded = tag("details", summary, table(lone)) if lone else None
    return tag("div", tag("h3", caption), table(shared), folded)


def _setting_rows(groups: tuple[RunGroup, ...]) -> tuple[list[Markup], list[Markup]]:
    """Return the rows of settings that all have, and of those that some lack."""
    runs = [group.first for group in groups]
    names = dict.fromkeys(["algorithm", *(name for run in runs for name in run.settings)])
    value = lambda run, name: run.algorithm if name == "algorithm" else run.settings.get(name, ABSENT)
    idle = idle_settings(runs)
    shared: list[Markup] = []
    lone: list[Markup] = []
    for name in names:
        values = [value(run, name) for run in runs]
        if all(x == values[0] for x in values):
            continue
        cells = [tag("td", tag("code", x if x == ABSENT else typed(x))) for x in values]
        mark = idle.get(name)
        note = tag("td", tag("span", mark, class_="idle") if mark else None)
        row = tag("tr", tag("th", tag("code", shorten(name)), scope="row"), cells, note)
        (lone if ABSENT in values else shared).append(row)
    return shared, lone


def idle_settings(runs: list[RecordedRun]) -> dict[str, str]:
    """Return the settings that did nothing: nobody reads them, or the runs agree to the bit without them."""
    marks = {}
    audits = [dig(run.summary, dict, "audit", "settings", "idle") for run in runs]
    for name in audits[0] or {} if audits else {}:
        if all(audit and name in audit for audit in audits):
            marks[str(name)] = _UNREAD
    prints = {run.fingerprint for run in runs}
    if len(runs) > 1 and len(prints) == 1 and "" not in prints:
        every = {name for run in runs for name in run.settings}
        marks = dict.fromkeys(every | {"algorithm"}, _IDLE) | marks
    return marks


def training_section(worlds: list[WorldRuns]) -> Markup:
    """Return small charts of the metrics of updates, and what the audits found."""
    panels = [tag("div", [*_panels(world)], class_="panels") for world in worlds[:6]]
    audits = [_audit(group) for world in worlds for group in world.groups[:12]]
    found = [audit for audit in audits if audit is not None]
    note = "Interquartile means over seeds. A click shows a metric among the curves, with every seed."
    listing = (tag("h3", "Effect audit"), tag("div", found, class_="audits")) if found else None
    return page_section("training", "Losses and audit", *panels, listing, note=note)


def _panels(world: WorldRuns) -> Iterator[Markup]:
    names = dict.fromkeys(name for group in world.groups for name in group.table.names)
    chosen = [name for name in names if not name.startswith(("eval/", "train/")) and name != "episodes"]
    for name in chosen[:_MOST_PANELS]:
        lines = []
        for j, group in enumerate(world.groups[:24]):
            steps, values = group.table.curve(name)
            if len(steps):
                blocks = np.array_split(np.arange(len(steps)), min(len(steps), 80))
                mean = lambda x, blocks=blocks: np.array([x[block].mean() for block in blocks])
                lines.append(drawing.DrawnLine(group.label, j, mean(steps), mean(statistics.iqm(values))))
        if lines:
            last = ", ".join(f"{line.label} ends at {number(float(line.y[-1]), 4)}" for line in lines)
            chart = drawing.line_chart(lines, "", "", f"{name}: {last}", _PANEL)
            title = tag("button", name, type="button", class_="metric", data_metric=name)
            yield tag("figure", tag("figcaption", title), chart)


def _audit(group: RunGroup) -> Markup | None:
    """Return what the audit of a group's first run says."""
    audit = dig(group.first.summary, dict, "audit")
    if audit is None:
        return None
    read = dig(audit, list, "settings", "read") or []
    idle = dig(audit, dict, "settings", "idle") or {}
    modules = dig(audit, dict, "modules") or {}
    moves = lambda name: (finite(dig(modules[name], object, "moved")) or 0) > 0
    moved = [name for name in modules if moves(name)]
    still = [name for name in modules if not moves(name)]
    settings = f"{count(len(read), 'setting')} read" if read else "settings as shipped"
    judged = dig(audit, bool, "judged")
    lines = [
        f"{settings}, {count(len(moved), 'module')} moved"
        if judged
        else f"{settings}; too few updates to judge"
    ]
    lines += [f"without effect here: {_names(idle)}"] if idle else []
    lines += [f"did not move: {_names(still)}"] if still and judged else []
    off = dig(audit, list, "off") or []
    lines += [f"off by choice: {_names(off)}"] if off else []
    notes = dig(audit, list, "notes") or []
    items = [tag("li", line) for line in lines] + [
        tag("li", "possible defect: ", shorten(x), class_="defect") for x in notes
    ]
    return tag("div", tag("strong", group.label), tag("ul", items), class_="audit")


def _names(names: Any, most: int = 12) -> str:
    listed = [shorten(name, 60) for name in names]
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def cost_section(worlds: list[WorldRuns], command: str) -> Markup:
    """Return what it took: machine, versions, seeds, and the commands that give all of this again."""
    runs = [run for world in worlds for group in world.groups for run in group.runs]
    rows = [_cost_row(run) for run in runs]
    head = ["run", "status", "seeds", "when", "time", "compiled in", "machine", "versions", "commit"]
    table = tag(
        "table",
        tag("thead", tag("tr", [tag("th", name, scope="col") for name in head])),
        tag("tbody", rows),
        class_="costs",
    )
    commands = [*dict.fromkeys(_command(run) for run in runs), command]
    script = tag("pre", tag("code", "\n".join(commands)), id="commands", tabindex=0)
    copy = tag("button", "copy", type="button", id="copy-commands", class_="wants-script")
    return page_section(
        "cost", "What it took, and how to run it again",
        tag("div", script, copy, class_="commands"), tag("div", table, class_="scroll"),
        note="The same command with the same versions and devices gives the same bits.",
    )  # fmt: skip


def _cost_row(run: RecordedRun) -> Markup:
    versions = dig(run.provenance, dict, "versions") or {}
    git = dig(run.provenance, dict, "git") or {}
    devices = [str(x) for x in dig(run.provenance, list, "machine", "devices") or []]
    machine = [
        dig(run.provenance, str, "machine", "system"),
        *(f"{devices.count(x)} × {x}" for x in dict.fromkeys(devices)),
    ]
    wall = finite(dig(run.summary, object, "train", "wall_seconds"))
    compiled = finite(dig(run.summary, object, "train", "compile_seconds"))
    cells = [
        run.status,
        f"{run.first_seed} to {run.first_seed + run.seeds - 1}" if run.seeds > 1 else str(run.first_seed),
        dig(run.provenance, str, "time") or "–",
        clock(wall) if wall is not None else "–",
        f"{compiled:.1f} s" if compiled is not None else "–",
        ", ".join(filter(None, machine)) or "–",
        " ".join(f"{name} {version}" for name, version in list(versions.items())[:8] if version),
        f"{str(git.get('commit', '–'))[:10]}{', changed' if git.get('changed') else ''}" if git else "–",
    ]
    return tag(
        "tr", tag("th", tag("code", shorten(run.path)), scope="row"), [tag("td", shorten(x)) for x in cells]
    )


def _command(run: RecordedRun) -> str:
    words = dig(run.provenance, list, "command") or []
    if not words:
        return f"# {shorten(run.path)}: config.yaml has every setting (covey train --config …)"
    words = ["covey" if words[0] == "__main__.py" else words[0], *words[1:]]
    return shlex.join(shorten(word, 400).replace("\n", " ") for word in words)


def data_section() -> Markup:
    """Return the buttons that save the data of the page."""
    buttons = [
        tag("button", "curves as CSV", type="button", id="save-csv"),
        tag("button", "everything as JSON", type="button", id="save-json"),
    ]
    return page_section(
        "data", "Data", tag("p", buttons, class_="wants-script"),
        note="The page holds its data: each seed's evaluations in full, metrics of training to six digits.",
    )  # fmt: skip
