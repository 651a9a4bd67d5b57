"""Players of a replay: a run's best, median and worst seed, as trained, and as they were before."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from ...algorithms.frozen_opponent import FrozenOpponent
from ...algorithms.opponent_pool import OpponentPool
from ...config.config import Config
from ...core import Spec, Trajectory
from ...core.scene import Scene
from ...ops import named
from ...runs import checkpoint
from ...runs.decisions import explain_decisions
from ...runs.engine import Engine
from ...runs.folder import RunFolder
from ...statistics import median_index
from ...training.host import Host
from ...training.loop import Trainer
from ..playback import POOL, Episode, cut_episode, first_steps, measure_gauges, play_scenes

_Decisions = dict[str, Float[np.ndarray, "steps agents *k"]]


class PlayerName(NamedTuple):
    """A seed of a run at a stage of its training."""

    seed: int  # by its place in the run
    rank: str  # best, median, worst, or two of them
    stage: str
    step: int


@dataclass(frozen=True)
class RecordedEpisode:
    """An episode, what its learners say of their decisions, and the actions that were legal."""

    episode: Episode
    decisions: _Decisions
    legal: Bool[np.ndarray, "steps agents actions"]


@dataclass(frozen=True)
class RecordedPlayers:
    """Some players of a run in the same episodes: the i-th of each begins in the same way."""

    spec: Spec
    env: Any
    names: tuple[PlayerName, ...]
    episodes: tuple[tuple[RecordedEpisode, ...], ...]  # of each player
    titles: tuple[str, ...]  # of each episode


def record_players(folder: RunFolder, scores: Float[np.ndarray, " seeds"], step: int) -> RecordedPlayers:
    """Play and record greedy episodes of some seeds, whose scores choose them.

    The first player is the median seed as trained. Its median, best and worst episode are those that all
    players show.
    """
    engine = Engine(Config.from_yaml(folder.config))
    trainer = engine.trainer
    names, learners = _gather(folder, engine, scores, step)
    if engine.hosted:
        return _record_hosted(engine, names, learners)
    key = named(jr.key(engine.config.seed), "replay")
    play = jax.jit(jax.vmap(lambda learners: play_scenes(trainer, learners, key, POOL)))
    rollouts, scenes = play(learners)
    returns = np.asarray(_returns(jax.tree.map(lambda x: x[0], rollouts)))
    team = trainer.spec.teams.index(engine.learning_team)
    copies, titles = choose_episodes(returns[:, team])
    shown = np.array(copies)
    rollouts = jax.tree.map(lambda x: x[:, shown], rollouts)
    scenes = jax.tree.map(lambda x: x[..., shown], scenes)
    explain = jax.jit(jax.vmap(lambda learners, rollouts: _explain(trainer, learners, rollouts)))
    gauges, decisions = explain(learners, rollouts)
    everything = jax.tree.map(np.asarray, (rollouts, scenes, gauges, decisions))
    episodes = []
    for p in range(len(names)):
        own, own_scenes, *said = jax.tree.map(lambda x, p=p: x[p], everything)
        episodes.append(tuple(_cut(own, own_scenes, said[0], said[1], i) for i in range(len(copies))))
    return RecordedPlayers(trainer.spec, trainer.env, names, tuple(episodes), titles)


def _returns(rollouts: Trajectory) -> Float[Array, "n teams"]:
    """Return what each team earned in the first episode of each copy."""
    return jnp.sum(rollouts.team_reward * first_steps(rollouts)[..., None], axis=1)


def _record_hosted(engine: Engine, names: tuple[PlayerName, ...], learners: PyTree) -> RecordedPlayers:
    """Record one episode of the first player: a world that is a Python program is slow, and has no scenes."""
    trainer = engine.trainer
    own = jax.tree.map(lambda x: x[0], learners)
    host = Host(replace(trainer, copies=1), engine.runner.make)
    key = named(jr.key(engine.config.seed), "replay")
    rollouts = host.episodes(own, key, jnp.zeros((), int)).trajectory
    gauges, decisions = jax.jit(lambda learners, rollouts: _explain(trainer, learners, rollouts))(
        own, rollouts
    )
    rollouts, gauges, decisions = jax.tree.map(np.asarray, (rollouts, gauges, decisions))
    episode = _cut(rollouts, None, gauges, decisions, 0)
    return RecordedPlayers(trainer.spec, None, names[:1], ((episode,),), ("an episode",))


def choose_episodes(returns: Float[np.ndarray, " n"]) -> tuple[list[int], tuple[str, ...]]:
    """Return the median, the best and the worst of some episodes, and their titles."""
    chosen = {
        "median": median_index(returns),
        "best": int(np.argmax(returns)),
        "worst": int(np.argmin(returns)),
    }
    titles: dict[int, str] = {}
    for title, copy in chosen.items():
        titles.setdefault(copy, title)
    return list(titles), tuple(f"{title} of {len(returns)} episodes" for title in titles.values())


def choose_seeds(scores: Float[np.ndarray, " seeds"]) -> dict[int, str]:
    """Return the median, the best and the worst seed, with what they are."""
    chosen = {"median": median_index(scores), "best": int(np.argmax(scores)), "worst": int(np.argmin(scores))}
    names: dict[int, str] = {}
    for name, seed in chosen.items():
        names.setdefault(seed, name)
    return names if len(scores) > 1 else {0: "only"}


def _gather(
    folder: RunFolder, engine: Engine, scores: Float[np.ndarray, " seeds"], step: int
) -> tuple[tuple[PlayerName, ...], PyTree]:
    """Return the players' names and stacked learners: seeds as trained, then the median seed earlier."""
    shapes = engine.all_seeds(engine.shapes).learners
    last = checkpoint.restore_learners(folder.last, shapes)
    pick = lambda tree, seed: jax.tree.map(lambda x: jnp.asarray(x[seed]), tree)
    seeds = choose_seeds(scores)
    players = {PlayerName(seed, rank, "last", step): pick(last, seed) for seed, rank in seeds.items()}
    median, rank = next(iter(seeds.items()))
    trained = pick(last, median)
    best_step = _best_step(folder)
    if best_step is not None and best_step != step:
        best = checkpoint.restore_learners(folder.best, shapes)
        players[PlayerName(median, rank, "best evaluation", best_step)] = pick(best, median)
    if not engine.config.source:
        players[PlayerName(median, rank, "untrained", 0)] = _untrained(engine, median, trained)
    stacked = jax.tree.map(lambda *xs: jnp.stack(xs), *players.values())
    return tuple(players), stacked


def _best_step(folder: RunFolder) -> int | None:
    """Return the step of the best evaluation's checkpoint; None where there is none."""
    if not folder.best.exists():
        return None
    step = checkpoint.read_facts(folder.best).get("step")
    return step if isinstance(step, int) else None


def _untrained(engine: Engine, seed: int, trained: tuple) -> tuple:
    """Return the learners with which a seed began; opponents that do not learn are as they always were."""
    new = jax.jit(engine.trainer.init_learners)(jr.key(engine.config.seed + seed))
    fixed = lambda slot: isinstance(slot.algorithm, FrozenOpponent | OpponentPool)
    slots = zip(engine.trainer.slots, new, trained, strict=True)
    return tuple(old if fixed(slot) else begun for slot, begun, old in slots)


def _explain(
    trainer: Trainer, learners: tuple, rollouts: Trajectory
) -> tuple[dict[str, Float[Array, "n steps k"]], dict[str, Float[Array, "n steps agents *k"]]]:
    """Return what learners estimate at each step, and what they say of each agent's decision."""
    return measure_gauges(trainer, learners, rollouts), explain_decisions(trainer, learners, rollouts)


def _cut(rollouts: Trajectory, scenes: Scene | None, gauges: Any, decisions: Any, i: int) -> RecordedEpisode:
    """Return copy i's first episode with its decisions."""
    episode = cut_episode(rollouts, scenes, gauges, i)
    cut = {name: x[i, : episode.length] for name, x in decisions.items()}
    return RecordedEpisode(episode, cut, np.asarray(rollouts.obs.legal[i, : episode.length]))
