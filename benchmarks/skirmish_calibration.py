"""Random play in the battles of `skirmish`, beside what it does in the real game.

Every agent chooses uniformly among its legal actions, in battles that are played to their end without any
training loop. The real figures are statistics of logs of SMAC that people published with their code: version
4.10 of the game, difficulty 7. Each comes with the episodes or runs it rests on. Where these are too few to
give a standard error, it is that of so many of our battles: their spread by the root of the number.
A map agrees where its length and its return both lie within 3 combined standard errors of the real ones, or
within 8 % of them.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from covey.config import catalogue
from covey.core import AbstractEnvironment

from .common import parse_options, print_table, save_results

COPIES = 250  # battles at a time
MOST_ERRORS = 3.0
MOST_PERCENT = 8.0


def median_text(median: float | None) -> str:
    return "" if median is None else f" (median {median:g})"


class Figure(NamedTuple):
    """A real mean, its standard error and the median where known, and the upper end where it is a range."""

    mean: float
    error: float | None = None
    high: float | None = None
    median: float | None = None

    def __str__(self) -> str:
        if self.high is not None:
            return f"{self.mean:g} to {self.high:g}"
        error = f" ± {self.error:g}" if self.error is not None else ""
        return f"{self.mean:g}{error}{median_text(self.median)}"


class Real(NamedTuple):
    """Random play in the real game; the dead are those of the first 10,000 steps, ε from 1 to .8."""

    length: Figure
    total: Figure
    source: str
    early_length: float | None = None
    early_total: float | None = None
    dead_allies: float | None = None
    dead_enemies: float | None = None
    early_source: str = ""

    @property
    def episodes(self) -> int | None:
        """The number of episodes, where the figures come from single ones."""
        number, _, what = self.source.partition(" ")
        return int(number) if what == "episodes" else None


REAL = {
    "8m": Real(
        Figure(34.5, 1.9, median=30), Figure(1.89, 0.06), "71 episodes", 32.3, 2.09, 8.00, 0.01, "44 runs"
    ),
    "25m": Real(Figure(36.6), Figure(2.06), "10 episodes", 37.5, 2.26, 25.0, 0.10, "7 runs"),
    "5m_vs_6m": Real(
        Figure(32.6, 4.5, median=27), Figure(1.39), "7 episodes", 26.7, 1.57, 4.98, 0.0, "5 runs"
    ),
    "2s3z": Real(Figure(51.9, 1.4), Figure(3.84, 0.12), "40 episodes", 53.6, 4.18, 4.98, 0.02, "38 runs"),
    "3s5z": Real(Figure(51.6), Figure(4.82), "7 episodes", 52.6, 4.61, 8.00, 0.06, "7 runs"),
    "6h_vs_8z": Real(Figure(23.6, 0.3), Figure(5.23, 0.24), "29 episodes", 23.2, 5.73, 6.00, 0.07, "7 runs"),
    "corridor": Real(Figure(34.3, 0.6), Figure(3.24, 0.21), "13 episodes", 35.3, 3.23, 6.00, 0.87, "6 runs"),
    "2c_vs_64zg": Real(Figure(31.9), Figure(8.57), "16 episodes", 32.7, 9.19, early_source="2 runs"),
    "MMM2": Real(Figure(39.2), Figure(1.93), "4 episodes", 39.0, 1.89, 9.91, 0.0, "4 runs"),
    "3s_vs_3z": Real(Figure(63, high=65), Figure(5.3, high=5.6), "policies near uniform"),
    "MMM": Real(Figure(45, high=48), Figure(2.2, high=2.5), "policies near uniform"),
}
# Another group of repositories logs 57.5 steps and a return of 4.41 for 2s3z, over 31 episodes.


class Battles(NamedTuple):
    """Sums over each battle."""

    length: Float[Array, " n"]
    total: Float[Array, " n"]
    dead_allies: Float[Array, " n"]
    dead_enemies: Float[Array, " n"]
    won: Float[Array, " n"]


def play(env: AbstractEnvironment, key: PRNGKeyArray, n: int) -> Battles:
    """Play n battles at random to their ends; a copy whose battle is over counts no further."""

    def more(carry):
        return (carry[0] < env.spec.horizon) & ~jnp.all(carry[3])

    def step(carry):
        t, state, obs, over, sums = carry
        draws = jr.uniform(jr.fold_in(key, 2 * t), obs.legal.shape)
        action = jnp.argmax(jnp.where(obs.legal, draws, -1.0), axis=-1)
        state, after = env.step(state, action, jr.fold_in(key, 2 * t + 1))
        counts = (after.counts[name] for name in Battles._fields[2:])
        taken = Battles(jnp.ones(n), after.team_reward[:, 0], *counts)
        sums = jax.tree.map(lambda total, x: total + ~over * x, sums, taken)
        return t + 1, state, after.obs, over | after.terminated | after.truncated, sums

    state, obs = env.reset(key, n)
    nothing = Battles(*[jnp.zeros(n)] * len(Battles._fields))
    return jax.lax.while_loop(more, step, (0, state, obs, jnp.zeros(n, bool), nothing))[-1]


def measure(name: str, battles: int, **settings: Any) -> dict[str, dict[str, float]]:
    """Return the mean and the standard error of each sum, over at least so many battles."""
    entry = catalogue.find("environment", f"skirmish/{name}")
    env = catalogue.load_class(entry)(**entry.fixed, **settings)
    n = min(battles, COPIES)
    program = jax.jit(lambda key: play(env, key, n))
    turns = [program(jr.key(turn)) for turn in range(-(-battles // n))]
    results = {}
    for field, *parts in zip(Battles._fields, *turns, strict=True):
        values = np.concatenate(parts)
        error = float(values.std(ddof=1) / len(values) ** 0.5)
        results[field] = {
            "mean": float(values.mean()),
            "error": error,
            "median": float(np.median(values)),
            "battles": len(values),
        }
    return results


def compare(ours: dict[str, float], real: Figure, episodes: int | None) -> dict[str, float | None]:
    """Return the distance to a real figure, in percent and in combined standard errors where it has one."""
    nearest = min(max(ours["mean"], real.mean), real.high or real.mean)
    distance = ours["mean"] - nearest
    error = real.error
    if error is None and episodes is not None:
        error = ours["error"] * (ours["battles"] / episodes) ** 0.5
    errors = None if error is None else distance / (ours["error"] ** 2 + error**2) ** 0.5
    return {"percent": 100 * distance / nearest, "errors": errors}


def agrees(distance: dict[str, float | None]) -> bool:
    percent = distance["percent"]
    errors = distance["errors"]
    assert percent is not None
    return abs(percent) <= MOST_PERCENT or (errors is not None and abs(errors) <= MOST_ERRORS)


def judge(name: str, ours: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Return our figures with their distances to the real ones, and the verdict."""
    real = REAL[name]
    distances = {
        "length": compare(ours["length"], real.length, real.episodes),
        "total": compare(ours["total"], real.total, real.episodes),
    }
    off = [
        word for word, field in (("length", "length"), ("return", "total")) if not agrees(distances[field])
    ]
    return {"ours": ours, "distance": distances, "verdict": f"off: {', '.join(off)}" if off else "agrees"}


def mean_text(x: dict[str, float], digits: int) -> str:
    return f"{x['mean']:.{digits}f} ± {x['error']:.{digits}f}"


def distance_text(x: dict[str, float | None]) -> str:
    errors = "" if x["errors"] is None else f", {x['errors']:+.1f} s.e."
    return f"{x['percent']:+.1f} %{errors}"


def known(x: float | None) -> str:
    return "" if x is None else f"{x:g}"


def row(name: str, result: dict[str, Any]) -> dict[str, str]:
    real = REAL[name]
    length = result["ours"]["length"]
    return {
        "map": name,
        "length": mean_text(length, 2) + median_text(length["median"]),
        "real length": str(real.length),
        "difference": distance_text(result["distance"]["length"]),
        "return": mean_text(result["ours"]["total"], 3),
        "real return": str(real.total),
        "its difference": distance_text(result["distance"]["total"]),
        "real: from": real.source,
        "verdict": result["verdict"],
    }


def early_row(name: str, result: dict[str, Any]) -> dict[str, str]:
    """Return the dead and the wins, beside the real ones of runs that have begun to learn."""
    real = REAL[name]
    ours = result["ours"]
    return {
        "map": name,
        "dead allies": mean_text(ours["dead_allies"], 3),
        "real dead allies": known(real.dead_allies),
        "dead enemies": mean_text(ours["dead_enemies"], 3),
        "real dead enemies": known(real.dead_enemies),
        "wins": mean_text(ours["won"], 4),
        "real length, return": ", ".join(known(x) for x in (real.early_length, real.early_total) if x),
        "real: from": real.early_source,
    }


def main() -> None:
    more: dict[str, dict[str, Any]] = {
        "--maps": {"nargs": "+", "choices": list(REAL), "default": list(REAL), "metavar": "MAP"},
        "--battles": {"type": int, "default": 2000, "help": "of each map (2000)"},
    }
    options = parse_options(__doc__ or "", None, **more)
    results = {}
    for name in options.maps:
        results[name] = judge(name, measure(name, options.battles))
        print(f"{name}: {results[name]['verdict']}", flush=True)
    print(f"\nRandom play, {options.battles:,} battles of each map; ± is the standard error (s.e.)")
    print_table([row(name, result) for name, result in results.items()])
    print("\nThe dead and the wins; real ones are of training's first 10,000 steps, ε from 1 to .8")
    print_table([early_row(name, result) for name, result in results.items()])
    good = sum(result["verdict"] == "agrees" for result in results.values())
    rule = f"within {MOST_ERRORS:g} s.e. or {MOST_PERCENT:g} %"
    print(f"\n{good} of {len(results)} maps agree in length and return ({rule})")
    save_results(options.json, results)


if __name__ == "__main__":
    main()
