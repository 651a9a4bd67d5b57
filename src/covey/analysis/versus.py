"""Runs that play against each other: one run's teams against another's, or every run against every other."""

import json
from collections.abc import Callable, Sequence
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
from ..training.learners import LearnerSlot
from .match_results import Crossplay, Match

_Pairs = list[tuple[int, int]]  # a seed of the first run and a seed of the second
_ByTeam = dict[str, dict[str, Any]]


class _Entrant(NamedTuple):
    """A run that plays."""

    path: str
    config: Config
    spec: Spec
    slots: tuple[LearnerSlot, ...]


def _load_entrant(path: str | Path) -> _Entrant:
    config = Config.from_yaml(earlier_run(path)[0].config)
    env, slots = config.build()
    return _Entrant(str(path), config, env.spec, slots)


def _player_settings(team: str, run: _Entrant, world: Spec) -> Tree:
    """Return the settings of a run's greedy player for a team."""
    name = f"{RUN_PREFIX}{run.path}"
    player = frozen_player(name, run.spec, run.slots, team, world)
    return make_algorithm(name, player, {"seeds": run.config.seeds, "greedy": True})[1]


@dataclass
class _Arena:
    """Programs, compiled once for each two kinds of players, and the weights that were read so far."""

    episodes: int | None = None  # of each pair; None: as many as the first run evaluates
    engines: dict[str, Engine] = field(default_factory=dict)
    weights: dict[tuple[str, str], PyTree] = field(default_factory=dict)

    def play(self, a: _Entrant, b: _Entrant, teams: Sequence[str], pairs: _Pairs) -> Numbers:
        """Play greedy episodes of a's `teams` against b's others; arrays are `[pairs, episodes, ...]`.

        A pair resets and draws as the first run's seed does in its own evaluation.
        """
        players = {team: _player_settings(team, a if team in teams else b, a.spec) for team in a.spec.teams}
        engine = self._engine(a.config, players, len(pairs))
        learners = []
        for i, (team, tree) in enumerate(players.items()):
            seeds = np.array([pair[team not in teams] for pair in pairs])
            weights = self._weights(team, tree, engine.shapes.learners[i])
            learners.append(jax.tree.map(lambda x, seeds=seeds: x[seeds], weights))
        return engine.evaluate_learners(tuple(learners), [a.config.seed + i for i, _ in pairs])

    def _weights(self, team: str, tree: Tree, like: Any) -> PyTree:
        place = (tree["run"], team)
        if place not in self.weights:
            player: Any = make_algorithm(tree["name"], without_name(tree))[0]
            self.weights[place] = frozen_weights(player, like)
        return self.weights[place]

    def _engine(self, config: Config, players: dict[str, Tree], pairs: int) -> Engine:
        episodes = self.episodes or config.eval_episodes
        identity = ("name", "run", "seeds")  # these change no program
        kinds = [{k: v for k, v in tree.items() if k not in identity} for tree in players.values()]
        key = json.dumps([config.environment, config.env, kinds, pairs, episodes])
        if key not in self.engines:
            match = replace(config, learners=players, seeds=pairs, seed=0, eval_episodes=episodes)
            self.engines[key] = Engine(match)
        return self.engines[key]


def _pair_seeds(a: _Entrant, b: _Entrant, every: bool) -> _Pairs:
    """Pair each seed with each, or one with one, where a run with fewer seeds starts over at its first."""
    if every:
        return [(i, j) for i in range(a.config.seeds) for j in range(b.config.seeds)]
    return [(i, i % b.config.seeds) for i in range(a.config.seeds)]


def _over_seeds(x: Shaped[np.ndarray, "pairs episodes"], seeds: Sequence[int]) -> dict[str, Any]:
    """Describe the mean of each seed over all whom it meets."""
    of = np.array(seeds)
    means = [x[of == seed].mean(dtype=np.float64) for seed in np.unique(of)]
    return statistics.summarise_scores(np.array(means))


def teams_of_first(spec: Spec, side: str | None) -> tuple[str, ...]:
    """Return the teams that the first run plays, by default its first."""
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


def play_match(
    path: str | Path, other: str | Path, side: str | None, episodes: int | None, every: bool
) -> Match:
    """Play greedy episodes of one run's teams against another run's others."""
    a = _load_entrant(path)
    b = _load_entrant(other)
    teams = teams_of_first(a.spec, side)
    pairs = _pair_seeds(a, b, every)
    results = _Arena(episodes).play(a, b, teams, pairs)
    by_team, counts = _summarise(a.spec, results, teams, pairs)
    return Match(
        run=a.path,
        versus=b.path,
        environment=a.config.environment,
        convention=convention(a.spec),
        sides={team: a.path if team in teams else b.path for team in a.spec.teams},
        pairs=len(pairs),
        episodes=int(results["length"].shape[1]),
        teams=by_team,
        counts=counts,
    )


def _summarise(spec: Spec, results: Numbers, teams: Sequence[str], pairs: _Pairs) -> tuple[_ByTeam, _ByTeam]:
    """Return statistics of returns by team, and of what the world counts."""
    first, second = zip(*pairs, strict=True)
    by_team = {}
    for i, team in enumerate(spec.teams):
        by_team[team] = _over_seeds(results["teams"][..., i], first if team in teams else second)
    counts: Any = results["counts"]
    return by_team, {name: _over_seeds(x, first) for name, x in counts.items()}


def play_crossplay(
    paths: Sequence[str | Path], side: str | None, episodes: int | None, out: str | Path
) -> Crossplay:
    """Play every run's teams against every run's others, each seed against each; write crossplay.json."""
    runs = [_load_entrant(path) for path in paths]
    arena = _Arena(episodes)
    spec = runs[0].spec
    teams = teams_of_first(spec, side)

    def play(a: _Entrant, b: _Entrant) -> tuple[_ByTeam, _ByTeam]:
        pairs = _pair_seeds(a, b, every=True)
        return _summarise(a.spec, arena.play(a, b, teams, pairs), teams, pairs)

    cells = [[play(a, b) for b in runs] for a in runs]
    pick = lambda number: _map_cells(cells, number)
    crossplay = Crossplay(
        runs=[run.path for run in runs],
        environment=runs[0].config.environment,
        side="+".join(teams),
        against="+".join(team for team in spec.teams if team not in teams),
        convention=convention(spec),
        episodes=episodes or runs[0].config.eval_episodes,
        team_return=pick(lambda by_team, counts: by_team[teams[0]]["mean"]),
        ci95=pick(lambda by_team, counts: by_team[teams[0]]["ci95"]),
        counts={n: pick(lambda by_team, counts, n=n: counts[n]["mean"]) for n in cells[0][0][1]},
    )
    file = Path(out) / "crossplay.json"
    RunFolder(out).write_json(file, crossplay.to_json())
    return replace(crossplay, files=(file,))


def _map_cells(
    cells: list[list[tuple[_ByTeam, _ByTeam]]], number: Callable[[_ByTeam, _ByTeam], Any]
) -> list[list[Any]]:
    return [[number(*cell) for cell in row] for row in cells]
