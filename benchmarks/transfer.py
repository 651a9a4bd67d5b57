"""Entity networks trained on one map of `skirmish` play others: at once, and after more steps.

MAPPO with entity networks trains on 8m. Its weights then play each other map of the family, as they are and
after training there, beside as many steps from nothing. Every run is a run folder under --out: a finished run
is read, an interrupted one is resumed.
"""

from pathlib import Path
from typing import Any

import covey
from covey.runs.results import Evaluation

from .common import parse_options, print_table, save_results
from .learning import train_or_read
from .skirmish_wins import ENTITY_MAPPO, STEPS

HOME = "8m"
MAPS = ("3m", "25m", "5m_vs_6m")


def wins(evaluation: Evaluation) -> str:
    """Return the wins and the return of an evaluation as text."""
    won = evaluation.win_rate or {}
    low, high = (100 * x for x in won["ci95"])
    return f"{100 * won['iqm']:.0f} % [{low:.0f}, {high:.0f}], {evaluation.team_return['iqm']:.1f}"


def main() -> None:
    more = {
        "--maps": {"nargs": "+", "default": list(MAPS), "metavar": "MAP"},
        "--seeds": {"type": int, "default": 4},
        "--first": {"type": int, "default": STEPS[HOME].few, "help": f"steps on {HOME} ({STEPS[HOME].few})"},
        "--steps": {"type": int, "default": 100_000, "help": "more steps on the other map (100,000)"},
        "--episodes": {"type": int, "default": 64, "help": "greedy battles of each seed (64)"},
        "--out": {"type": Path, "default": Path("runs/transfer"), "help": "where runs are kept"},
    }
    options = parse_options(__doc__ or "", None, **more)
    folder = lambda label: options.out / f"{label}-{options.seeds}"

    def train(name: str, label: str, steps: int, **start: Any) -> covey.Run:
        own = {"experience.steps": 32, "epochs": 5, "minibatches": 4}
        rates = {"actor_optimiser.lr": 0.001, "critic_optimiser.lr": 0.001}
        sizes = {"envs": 128, "steps": steps, "seeds": options.seeds, "eval_every": steps}
        settings = ENTITY_MAPPO | own | rates
        world = f"skirmish/{name}"
        return train_or_read(
            "mappo", world, folder(label), settings=settings, preset="original", **sizes, **start
        )

    home = train(HOME, HOME, options.first)
    play = lambda run, name: wins(
        covey.evaluate(run.path, environment=f"skirmish/{name}", episodes=options.episodes)
    )
    rows = [{"map": HOME, f"trained on {HOME}": play(home, HOME)}]
    for name in options.maps:
        moved = train(name, f"{name}-from-{HOME}", options.steps, source=str(home.path))
        alone = train(name, name, options.steps)
        rows.append(
            {
                "map": name,
                f"trained on {HOME}": play(home, name),
                f"and {options.steps:,} steps more": play(moved, name),
                f"{options.steps:,} steps alone": play(alone, name),
            }
        )
        save_results(options.json, rows)
    print_table(rows[1:])
    print(f"{HOME}: {rows[0][f'trained on {HOME}']}")


if __name__ == "__main__":
    main()
