"""Share of random games in which each operator's projection is right: exact, and as mixers find it.

Payoffs are normal draws, the same games for all operators. "Among the maxima" counts games in which the best
joint action is one of the projection's maxima, which the theorem of weighted QMIX promises for a small alpha.
"Chosen" counts games in which agents choose it, each by its own best action. The shortfall is the loss from
that choice, in standard deviations of payoffs.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from covey.lab import OPERATORS
from covey.lab.choices import Joint, chosen_joints, is_maximum
from covey.lab.descent import descent_ends
from covey.lab.operators import additive, every_order, solve_orders, weighting
from covey.lab.study import DESCRIPTIONS
from covey.runs import launch

from .common import print_table, save_results

ALPHAS = (1.0, 0.75, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.003, 0.001)
COLOURS = {"vdn": "#c8553d", "qmix": "#1b6ca8", "cw": "#3f8f5b", "ow": "#8a5fa8"}
NAMES = {"vdn": "VDN", "qmix": "QMIX", "cw": "CW-QMIX", "ow": "OW-QMIX"}
MEASURES = ("among the maxima", "chosen", "shortfall")


def projections(games: np.ndarray, operator: str, alpha: float) -> np.ndarray:
    """Project all games at once; where several tables are nearest, take the first."""
    if operator == "vdn":
        return np.stack([additive(game) for game in games])
    weights = np.stack([weighting(game, operator, alpha)[0] for game in games])
    below = weighting(games[0], operator, alpha)[1]
    tables, errors = solve_orders(games, weights, every_order(games.shape[1:]), below)
    return tables[np.arange(len(games)), errors.argmin(axis=1)]


def measure_choices(games: np.ndarray, joints: list[list[Joint]]) -> dict[str, float]:
    """Return how often the choices are best, and what they lose."""
    paid = [[float(game[j]) for j in joint] for game, joint in zip(games, joints, strict=True)]
    lost = [float(game.max() - np.mean(p)) for game, p in zip(games, paid, strict=True)]
    right = [min(p) == game.max() for game, p in zip(games, paid, strict=True)]
    return {"chosen": float(np.mean(right)), "shortfall": float(np.mean(lost))}


def measure_exact(games: np.ndarray, operator: str, alpha: float) -> dict[str, float]:
    """Measure the exact projection."""
    tables = projections(games, operator, alpha)
    among = [bool(is_maximum(q).flat[game.argmax()]) for game, q in zip(games, tables, strict=True)]
    return {"among the maxima": float(np.mean(among))} | measure_choices(
        games, [chosen_joints(q) for q in tables]
    )


def measure_descent(games: np.ndarray, operator: str, alpha: float) -> dict[str, float]:
    """Measure gradient descent from one start in each game; its tables have no exact ties."""
    ends = [descent_ends(game, operator, alpha, starts=1, seed=i)[0] for i, game in enumerate(games)]
    return measure_choices(games, [[end.chosen] for end in ends])


def draw_picture(path: Path, results: dict[str, dict[str, dict[str, float]]], title: str) -> None:
    """Draw each measure over alpha."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import PercentFormatter

    figure, panels = plt.subplots(1, 3, figsize=(12.4, 4.0), dpi=150)
    for axes, measure in zip(panels, MEASURES, strict=True):
        for operator, by_alpha in results.items():
            values = [by_alpha[str(alpha)][measure] for alpha in ALPHAS]
            axes.plot(ALPHAS, values, color=COLOURS[operator], linewidth=2.2, label=NAMES[operator])
        axes.set_xscale("log")
        axes.invert_xaxis()
        axes.set_xlabel("α, the smaller weight")
        axes.grid(axis="y", color="#e3e8ec", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
    heads = ("the best is among the maxima", "agents choose the best", "what that loses")
    for axes, head in zip(panels, heads, strict=True):
        axes.set_title(head, loc="left", fontsize=10.5, fontweight="bold", color="#22303c")
    for axes in panels[:2]:
        axes.set_ylim(0, 1.02)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    panels[0].set_ylabel(title)
    panels[2].set_ylim(0)
    panels[2].set_ylabel("standard deviations of payoffs")
    panels[2].legend(frameon=False, fontsize=9)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--games", type=int, default=1000)
    parser.add_argument("--actions", type=int, default=3, help="of each of two agents (3)")
    parser.add_argument("--descents", type=int, default=100, metavar="N", help="games for descent, too (100)")
    parser.add_argument("--alpha", type=float, default=0.1, help="of the table (0.1)")
    parser.add_argument("--picture", type=Path, help="draw it over alpha here")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results")
    options = parser.parse_args()
    launch.prepare("cpu")
    shape = (options.games, options.actions, options.actions)
    games = np.random.default_rng(0).normal(size=shape)
    results: dict[str, dict[str, Any]] = {
        operator: {str(alpha): measure_exact(games, operator, alpha) for alpha in ALPHAS}
        for operator in OPERATORS
    }
    rows = []
    few = games[: options.descents]
    for operator in OPERATORS:
        kinds = {f"exact, {len(games)} games": measure_exact(games, operator, options.alpha)}
        if len(few):
            kinds[f"exact, {len(few)} games"] = measure_exact(few, operator, options.alpha)
            kinds[f"descent, {len(few)} games"] = measure_descent(few, operator, options.alpha)
        for kind, result in kinds.items():
            values = {m: f"{result[m]:.1%}" if m in result else "" for m in MEASURES[:2]}
            values["shortfall"] = f"{result['shortfall']:.2f}"
            rows.append({"operator": DESCRIPTIONS[operator].split(",")[0], "": kind} | values)
            results[operator][kind] = result
    print_table(rows)
    if options.picture:
        draw_picture(
            options.picture, results, f"of {len(games)} random {options.actions} × {options.actions} games"
        )
    save_results(options.json, results)


if __name__ == "__main__":
    main()
