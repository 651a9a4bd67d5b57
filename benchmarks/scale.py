"""Cost of a step as a team, its copies and its seeds grow, on `spread`: rates, memory, flops, and a figure.

* agents from 3 to 48, as many landmarks: QMIX with feed-forward and recurrent agents, recurrent MAPPO, and
  Hyper-MAPPO, whose hypernetwork attends to the whole team; and the world alone;
* copies from 8 to 4096: the world alone, and MAPPO;
* seeds from 1 to 64: QMIX and MAPPO.

A row is a few chunks of training, kept in `--json` as soon as it is there: the same command continues.
The cost is in core seconds, which other work on the machine disturbs less than a rate. `growth` is the
exponent between neighbouring rows: 1 is linear. It stands for the cost of one step where agents grow, and for
that of all of them where copies and seeds do.
"""

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from covey import charts
from covey.config import catalogue

from . import environments
from .common import parse_options, print_table
from .environments import Entrant, Turn
from .rows import Row, Rows, rates, training_row
from .training import RECURRENT, REPLAY, ROLLOUTS, Work

AGENTS = (3, 6, 12, 24, 48)
COPIES = (8, 64, 512, 4096)
SEEDS = (1, 2, 4, 16, 64)
# Agents of one size everywhere; a replay of 48 agents' steps stays below a gigabyte.
QMIX = REPLAY | {"experience.capacity": 200, "mixer.embed": 32, "mixer.hyper": 128}
NETWORKS = {
    "qmix, feed-forward": Work("qmix", QMIX | {"agent": "feed_forward"}, 8),
    "qmix, recurrent": Work("qmix", QMIX, 8),
    "mappo, recurrent": Work("mappo", RECURRENT, 16),
    "hyper_mappo, attention": Work("hyper_mappo", ROLLOUTS, 16),
}


class Axis(NamedTuple):
    """Something that grows, and the lines of its panel."""

    label: str
    values: tuple[int, ...]
    lines: tuple[str, ...]
    total: bool  # the cost of all steps together, not of one


AXES = {
    "agents": Axis("agents", AGENTS, ("world alone", *NETWORKS), False),
    "copies": Axis("copies of the world", COPIES, ("world alone", "mappo, recurrent"), True),
    "seeds": Axis("seeds", SEEDS, ("qmix, recurrent", "mappo, recurrent"), True),
}


def world_row(agents: int, copies: int, seconds: float) -> Row:
    """Play the world alone on one device."""
    env = catalogue.load_class(catalogue.find("environment", "spread"))(agents=agents)
    entrant = Entrant(partial(environments.covey, env), (env.spec.actions,) * env.spec.agents)
    turn = Turn(copies, env.spec.horizon, 100_000)
    row = rates(environments.compiled(entrant, turn, devices=1), turn.steps, seconds)
    return row | {"flops": environments.count_cost(env, copies)["flops"]}


def row_of(axis: str, line: str, value: int, seconds: float) -> Row:
    """Measure one row."""
    agents = value if axis == "agents" else 3
    if line == "world alone":
        return world_row(agents, value if axis == "copies" else 1024, seconds)
    work = NETWORKS[line]
    settings = work.settings | {"env.agents": agents}
    work = work._replace(settings=settings, envs=value if axis == "copies" else work.envs)
    return training_row(work, value if axis == "seeds" else 1, seconds, 2 if axis == "agents" else 1)


def name_of(axis: str, line: str, value: int) -> str:
    return f"{line}, {value:,} {axis}"


def measured(rows: dict[str, Row], axis: str, line: str) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a line that were measured."""
    for value in AXES[axis].values:
        row = rows.get(name_of(axis, line, value), {"error": ""})
        if "error" not in row:
            yield value, row


def cost(axis: str, value: int, row: Row) -> float:
    """Return the core seconds of a step; of one step of every copy or seed, where these grow."""
    return row["core_seconds"]["median"] * (value if AXES[axis].total else 1)


def table(rows: dict[str, Row], axis: str) -> list[dict[str, str]]:
    """Return the rows of an axis in words, each with its growth from the one before."""
    cells = []
    for line in AXES[axis].lines:
        last: tuple[int, Row] | None = None
        for value, row in measured(rows, axis, line):
            grown = ""
            if last:
                times = cost(axis, value, row) / cost(axis, *last)
                grown = f"{math.log(times) / math.log(value / last[0]):.2f}"
            memory = row.get("memory", {})
            cells.append(
                {
                    "line": line,
                    axis: f"{value:,}",
                    "steps/s": f"{row['rate']['median']:,.0f}",
                    "core µs a step": f"{1e6 * row['core_seconds']['median']:,.2f}",
                    "growth": grown,
                    "kflop a step": f"{row['flops'] / 1e3:,.1f}",
                    "GF/s a core": f"{row['flops'] / row['core_seconds']['median'] / 1e9:.1f}",
                    "state MB": f"{memory['state'] / 1e6:,.1f}" if memory else "",
                    "temporary MB": f"{memory['temporary'] / 1e6:,.1f}" if memory else "",
                }
            )
            last = (value, row)
    return cells


def draw(rows: dict[str, Row], path: Path) -> None:
    """Draw the cost over what grows; a dotted line in each panel is linear growth."""
    figure, panels = charts.pyplot().subplots(1, len(AXES), figsize=(11.4, 4.2), dpi=160)
    lines = list(dict.fromkeys(line for axis in AXES.values() for line in axis.lines))
    for axes, (name, axis) in zip(panels, AXES.items(), strict=True):
        for line in axis.lines:
            points = [(value, 1e6 * cost(name, value, row)) for value, row in measured(rows, name, line)]
            if points:
                axes.plot(*zip(*points, strict=True), marker="o", ms=4, label=line, **style(lines, line))
        draw_linear(axes)
        what = {"agents": "a step", "copies": "a step of all copies", "seeds": "a step of all seeds"}[name]
        charts.set_title(axes, f"core µs {what}")
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(axis.values, [f"{value:,}" for value in axis.values])
        axes.minorticks_off()
        axes.set_xlabel(axis.label, color=charts.INK)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=charts.PALE_INK, labelsize=9)
    handles = {
        label: handle
        for axes in panels
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncol=len(handles), frameon=False)
    figure.tight_layout(rect=(0, 0.07, 1, 1))
    charts.save_figure(figure, path)


def style(lines: list[str], line: str) -> dict[str, Any]:
    return charts.line_style(lines.index(line))


def draw_linear(axes: Any) -> None:
    """Draw linear growth from the lowest first point."""
    starts = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.get_lines()]
    if starts:
        x, y = min(starts, key=lambda start: start[1])
        end = max(line.get_xdata()[-1] for line in axes.get_lines())
        axes.plot([x, end], [y, y * end / x], ":", color=charts.PALE_INK, lw=1, label="linear")


def main() -> None:
    more: dict[str, dict[str, Any]] = {
        "--axes": {"nargs": "+", "choices": list(AXES), "default": list(AXES)},
        "--seconds": {"type": float, "default": 1.0, "help": "of each row (1)"},
        "--minutes": {"type": float, "help": "no row begins that would end later"},
        "--picture": {"type": Path, "help": "draw the figure here"},
    }
    options = parse_options(__doc__ or "", None, **more)
    rows = Rows(options.json, options.minutes)
    for axis in options.axes:
        for value in AXES[axis].values:
            for line in AXES[axis].lines:
                measure = partial(row_of, axis, line, value, options.seconds)
                rows.measure(name_of(axis, line, value), measure)
    for axis in options.axes:
        if cells := table(rows.rows, axis):
            print()
            print_table(cells)
    if options.picture:
        draw(rows.rows, options.picture)


if __name__ == "__main__":
    main()
