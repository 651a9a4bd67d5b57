"""Runs against each other: sides of one against those of another, and every run against every other."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree, Shaped

from .. import statistics
from ..config.config import Config
from ..config.making import RUN_PREFIX, make_algorithm, without_name
from ..config.opponents import frozen_player
from ..config.settings import Tree
from ..core import Spec
from ..errors import UserError
from ..runs.engine import Engine
from ..runs.folder import RunFolder
from ..runs.frozen_opponents import earlier_run, frozen_weights
from ..runs.metrics import Numbers, convention
from ..runs.summary import statistic
from ..text import count, signed
from ..training.learners import LearnerSlot

Pairs = list[tuple[int, int]]  # a seed of the one run and a seed of the other


class Entrant(NamedTuple):
    """A run that plays."""

    path: str
    config: Config
    spec: Spec
    sides: tuple[LearnerSlot, ...]


def entrant(path: str | Path) -> Entrant:
    config = Config.from_yaml(earlier_run(path).config)
    env, sides = config.build()
    return Entrant(str(path), config, env.spec, sides)


def seated(team: str, run: Entrant, here: Spec) -> Tree:
    """The settings of a run's player for a team, greedy, as evaluations are."""
    name = f"{RUN_PREFIX}{run.path}"
    found = frozen_player(name, run.spec, run.sides, team, here)
    return make_algorithm(name, found, {"seeds": run.config.seeds, "greedy": True})[1]


@dataclass
class Matches:
    """What was compiled, once for each two kinds of players, and weights that were read."""

    episodes: int | None = None  # None: as the first run evaluates
    engines: dict[str, Engine] = field(default_factory=dict)
    weights: dict[tuple[str, str], PyTree] = field(default_factory=dict)

    def play(self, a: Entrant, b: Entrant, teams: Sequence[str], pairs: Pairs) -> Numbers:
        """Greedy episodes of a's `teams` against b's others: `[pairs, episodes, ...]`.

        A pair begins and draws as the first one's seed does in its own evaluation.
        """
        sides = {team: seated(team, a if team in teams else b, a.spec) for team in a.spec.teams}
        rows = {team: [pair[team not in teams] for pair in pairs] for team in sides}
        engine = self.engine(a.config, sides, len(pairs))
        learners = []
        for i, (team, tree) in enumerate(sides.items()):
            place = tree["run"], team
            if place not in self.weights:
                player: Any = make_algorithm(tree["name"], without_name(tree))[0]
                self.weights[place] = frozen_weights(player, engine.shapes.learners[i])
            picked = np.array(rows[team])
            learners.append(jax.tree.map(lambda x, picked=picked: x[picked], self.weights[place]))
        return engine.judged(tuple(learners), [a.config.seed + i for i, _ in pairs])

    def engine(self, config: Config, sides: dict[str, Tree], pairs: int) -> Engine:
        episodes = self.episodes or config.eval_episodes
        alike = [
            {k: v for k, v in tree.items() if k not in ("name", "run", "seeds")} for tree in sides.values()
        ]
        key = json.dumps([config.environment, config.env, alike, pairs, episodes])
        if key not in self.engines:
            of = replace(config, learners=sides, seeds=pairs, seed=0, eval_episodes=episodes)
            self.engines[key] = Engine(of)
        return self.engines[key]


def paired(a: Entrant, b: Entrant, every: bool) -> Pairs:
    """Seed against seed, from the second run's first again where it has fewer; or each against each."""
    if every:
        return [(i, j) for i in range(a.config.seeds) for j in range(b.config.seeds)]
    return [(i, i % b.config.seeds) for i in range(a.config.seeds)]


def by_seed(x: Shaped[np.ndarray, "pairs episodes"], whose: Sequence[int]) -> dict[str, Any]:
    """Statistics over the seeds of the run that plays; a seed's is the mean over whom it meets."""
    of = np.array(whose)
    return statistics.describe(np.array([x[of == seed].mean(dtype=np.float64) for seed in np.unique(of)]))


def staying(spec: Spec, side: str | None) -> tuple[str, ...]:
    """The teams that the first run plays."""
    if len(spec.teams) == 1:
        raise UserError("these runs have one team: name runs in a world of several, to have an opponent")
    teams = tuple(side.split("+")) if side else spec.teams[:1]
    for team in teams:
        if team not in spec.teams:
            raise UserError(f"--side {team}: there is no such team; the teams are {', '.join(spec.teams)}")
    if set(teams) == set(spec.teams):
        raise UserError(
            f"--side {side} leaves nobody for the other run to play: the teams are {', '.join(spec.teams)}"
        )
    return teams


def versus(
    path: str | Path, other: str | Path, side: str | None, episodes: int | None, every: bool
) -> dict[str, Any]:
    """Returns by team with intervals, and what the world tallies."""
    a, b = entrant(path), entrant(other)
    teams, pairs = staying(a.spec, side), paired(a, b, every)
    results = Matches(episodes).play(a, b, teams, pairs)
    return {
        "run": a.path,
        "versus": b.path,
        "environment": a.config.environment,
        "convention": convention(a.spec),
        "sides": {team: a.path if team in teams else b.path for team in a.spec.teams},
        "pairs": len(pairs),
        "episodes": int(results["length"].shape[1]),
        **outcome(a.spec, results, teams, pairs),
    }


def outcome(spec: Spec, results: Numbers, teams: Sequence[str], pairs: Pairs) -> dict[str, Any]:
    mine, theirs = zip(*pairs, strict=True)
    whose = lambda team: mine if team in teams else theirs
    counts: Any = results["counts"]
    return {
        "teams": {t: by_seed(results["teams"][..., i], whose(t)) for i, t in enumerate(spec.teams)},
        "counts": {name: by_seed(x, mine) for name, x in counts.items()},
    }


def crossplay(
    paths: Sequence[str | Path], side: str | None, episodes: int | None, out: str | Path
) -> dict[str, Any]:
    """Every run's side against every run's others, each seed against each; written to `out`."""
    from ..show.plot import heat

    runs, matches = [entrant(path) for path in paths], Matches(episodes)
    teams = staying(runs[0].spec, side)
    cells = []
    for a in runs:
        cells.append([])
        for b in runs:
            pairs = paired(a, b, every=True)
            cells[-1].append(outcome(a.spec, matches.play(a, b, teams, pairs), teams, pairs))
    pick = lambda *keys: [[value(cell, keys) for cell in row] for row in cells]
    told = {
        "runs": [run.path for run in runs],
        "environment": runs[0].config.environment,
        "side": "+".join(teams),
        "against": "+".join(team for team in runs[0].spec.teams if team not in teams),
        "convention": convention(runs[0].spec),
        "episodes": matches.episodes or runs[0].config.eval_episodes,
        "team_return": pick("teams", teams[0], "mean"),
        "ci95": pick("teams", teams[0], "ci95"),
        "counts": {name: pick("counts", name, "mean") for name in cells[0][0]["counts"]},
    }
    folder = RunFolder(out)
    folder.write_json(folder.path / "crossplay.json", told)
    heat(folder.path / "crossplay.png", tables(told), labels(told["runs"]), told["side"], told["against"])
    return told


def value(tree: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        tree = tree[key]
    return tree


def tables(told: dict[str, Any]) -> dict[str, list[list[float]]]:
    """By what is in them."""
    return {f"{told['side']} return": told["team_return"]} | {
        f"{name} an episode": table for name, table in told["counts"].items()
    }


def labels(paths: Sequence[str]) -> list[str]:
    """The folders' names, or whole paths where two are called the same."""
    names = [Path(path).resolve().name for path in paths]
    return names if len(set(names)) == len(names) else list(paths)


def lines(told: dict[str, Any]) -> str:
    """A match in words, a line a side."""
    plays = f"{count(told['pairs'], 'pair')} of seeds × {count(told['episodes'], 'greedy episode')}"
    heads = f"{told['run']} against {told['versus']} in {told['environment']}, {plays} ({told['convention']})"
    teams = [f"{t} of {told['sides'][t]}: return {statistic(r)}" for t, r in told["teams"].items()]
    return "\n".join([heads, *teams, *(f"{n} an episode: {statistic(r)}" for n, r in told["counts"].items())])


def text(told: dict[str, Any]) -> str:
    """The tables, a row for whoever plays the side, a column for whoever plays against it."""
    names, written = labels(told["runs"]), []
    for title, table in tables(told).items():
        heads = [f"{told['side']} of ↓, {told['against']} of →", *names]
        rows = [heads, *([name, *map(signed, row)] for name, row in zip(names, table, strict=True))]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        under = ["  ".join(map(str.rjust, row, widths)) for row in rows]
        written.append("\n".join([f"{title}, mean over pairs of seeds", *under]))
    over = f"{count(told['episodes'], 'greedy episode')} a pair, {told['convention']}"
    return "\n\n".join(written) + f"\n({over})"
