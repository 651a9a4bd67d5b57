"""Greedy episodes of one trained seed, step by step: what films and logs are made of."""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray, Shaped

from ..config.catalogue import nearest
from ..core import Spec, Trajectory
from ..core.scene import HasTrainingCurves, Insightful, Scene, Scenic
from ..errors import UserError
from ..ops import named
from ..runs.engine import Engine
from ..runs.folder import RunFolder
from ..runs.policy import trained
from ..training.host import Host
from ..training.learners import view_as
from ..training.loop import Trainer

Told = dict[str, Float[Array, "n steps k"]]


class Episode(NamedTuple):
    """T steps between T+1 moments. `scene` is one copy's: its arrays lead with moments and end without n."""

    scene: Scene | None
    action: Shaped[np.ndarray, "steps agents *dims"]
    reward: Float[np.ndarray, "steps agents"]
    team_reward: Float[np.ndarray, "steps teams"]
    alive: Bool[np.ndarray, "moments agents"]
    counts: dict[str, Float[np.ndarray, " steps"]]
    gauges: dict[str, Float[np.ndarray, "steps k"]]

    @property
    def length(self) -> int:
        return len(self.reward)

    @property
    def returns(self) -> Float[np.ndarray, " teams"]:
        return self.team_reward.sum(axis=0, dtype=np.float64)


class Followed(NamedTuple):
    """An agent, by its place in the world, and its columns among gauges."""

    agent: int
    columns: dict[str, int]


@dataclass(frozen=True)
class Replay:
    """Episodes, and whose they are. `course` holds metrics of the seed's training, report by report."""

    spec: Spec
    world: str
    algorithm: str
    seed: int
    episodes: tuple[Episode, ...]
    follow: Followed | None = None
    course: dict[str, Float[np.ndarray, " reports"]] = field(default_factory=dict)


def best_seed(folder: RunFolder) -> int:
    """The seed whose evaluation was best; 0 where there was none."""
    told = folder.read_json(folder.summary).get("eval", {})
    return int(np.argmax(told["team_return"]["per_seed"])) if "team_return" in told else 0


def play(
    folder: RunFolder, seed: int | None = None, episodes: int = 2, begin: int = 0, follow: str | None = None
) -> Replay:
    """The same episodes whenever the same is asked for; another `begin`, other ones."""
    if episodes < 1:
        raise UserError(f"--episodes must be at least 1, not {episodes}")
    seed = best_seed(folder) if seed is None else seed
    engine, learners = trained(folder, seed)
    config, trainer = engine.config, engine.trainer
    key = named(jax.random.key(config.seed + seed), "film", begin)
    rollouts, scenes = (on_host if engine.hosted else compiled)(engine, learners, key, episodes)
    told = jax.jit(lambda learners, rollouts: gauges(trainer, learners, rollouts))(learners, rollouts)
    rollouts, scenes, told = jax.tree.map(np.asarray, (rollouts, scenes, told))
    cut = tuple(episode(rollouts, scenes, told, i) for i in range(episodes))
    name = config.environment.rpartition(":")[2]
    course = story(folder, trainer, seed)
    whom = followed(trainer, {n: x.shape[-1] for n, x in told.items()}, follow, bool(course))
    return Replay(trainer.spec, name, config.algorithm, seed, cut, whom, course)


def story(folder: RunFolder, trainer: Trainer, seed: int) -> dict[str, Float[np.ndarray, " reports"]]:
    """The metrics that a learner wants shown, as training went."""
    found = {}
    for slot in trainer.slots:
        for name in slot.algorithm.training_curves if isinstance(slot.algorithm, HasTrainingCurves) else ():
            label = slot.label(name, trainer.slots)
            rows = [row[label] for row in folder.rows() if row["seed"] == seed and row.get(label) is not None]
            found |= {label: np.array(rows, float)} if rows else {}
    return found


def followed(trainer: Trainer, told: dict[str, int], name: str | None, always: bool) -> Followed | None:
    """Who is followed, by default (where it is `always` somebody) the first agent that learns.

    `told` counts gauges' columns; taken are those with one for each agent of its side or its first team.
    """
    spec = trainer.spec
    if name is None and not always:
        return None
    if name is not None and name not in spec.names:
        raise UserError(
            f"--follow: there is no agent '{name}'{nearest(name, spec.names)}; "
            f"there are {', '.join(spec.names)}"
        )
    agent = trainer.learning[0].members[0] if name is None else spec.names.index(name)
    slot = next(slot for slot in trainer.slots if agent in slot.members)
    first = tuple(m for m in slot.members if m in spec.members(slot.spec(spec).teams[0]))
    places = {len(who): who.index(agent) for who in (first, slot.members) if agent in who}
    thinks = isinstance(slot.algorithm, Insightful)
    ours = lambda name: thinks and name == slot.label(name.rpartition("/")[2], trainer.slots)
    return Followed(agent, {n: places[k] for n, k in told.items() if ours(n) and k in places})


def compiled(engine: Engine, learners: tuple, key: PRNGKeyArray, n: int) -> tuple[Trajectory, Scene | None]:
    trainer = engine.trainer
    return jax.jit(lambda learners, key: rollout(trainer, learners, key, n))(learners, key)


def on_host(engine: Engine, learners: tuple, key: PRNGKeyArray, n: int) -> tuple[Trajectory, None]:
    """In a world that is a Python program, which gives no scenes."""
    host = Host(replace(engine.trainer, copies=n), engine.runner.make)
    return host.episodes(learners, key, jnp.zeros((), int)).trajectory, None


def rollout(trainer: Trainer, learners: tuple, key: PRNGKeyArray, n: int) -> tuple[Trajectory, Scene | None]:
    """Return the episodes of an evaluation, and the scene at every moment: `[moments, ..., n]`."""
    env = trainer.env
    scene = (lambda actors: env.scene(actors.env)) if isinstance(env, Scenic) else lambda actors: None
    played = trainer.episodes(learners, key, jnp.zeros((), int), n, record=scene)
    return played.trajectory, played.recorded


def gauges(trainer: Trainer, learners: tuple, rollouts: Trajectory) -> Told:
    """What the learners that can tell think of each step."""
    told = {}
    for slot, learner in zip(trainer.slots, learners, strict=True):
        algorithm = slot.algorithm
        if isinstance(algorithm, Insightful):
            seen = view_as(slot, trainer.spec, slot.own_rollouts(rollouts))
            found = jax.vmap(lambda one, a=algorithm, learner=learner: a.insight(learner, one))(seen)
            told |= {
                slot.label(name, trainer.slots): x.reshape(*x.shape[:2], -1) for name, x in found.items()
            }
    return told


def episode(rollouts: Trajectory, scenes: Scene | None, told: Any, i: int) -> Episode:
    """Copy i's first episode, up to its own end."""
    valid = rollouts.valid[i]
    length = len(valid) if valid.all() else int(np.argmin(valid))
    cut = lambda tree: jax.tree.map(lambda x: x[i, :length], tree)
    return Episode(
        scene=jax.tree.map(lambda x: x[: length + 1, ..., i], scenes),
        action=cut(rollouts.action),
        reward=cut(rollouts.reward),
        team_reward=cut(rollouts.team_reward),
        alive=np.asarray(rollouts.obs.alive[i, : length + 1]),
        counts=cut(rollouts.counts),
        gauges=cut(told),
    )
