"""Greedy episodes of one trained seed, recorded step by step: films and logs are made of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Shaped, UInt8
from PIL import Image

from ..config.config import Config
from ..config.making import make_named_world
from ..core import Spec, Trajectory
from ..core.scene import HasTrainingCurves, Insightful, Scene, Scenic
from ..errors import UserError
from ..ops import named
from ..runs.engine import Engine
from ..runs.folder import RunFolder
from ..runs.policy import load_trained
from ..statistics import median_index
from ..text import nearest
from ..training.host import Host
from ..training.learners import view_as
from ..training.loop import Trainer

POOL = 32  # greedy episodes, of which the typical ones are shown
_FRAME = 480  # pixels of a world's own picture
_Gauges = dict[str, Float[Array, "n steps k"]]


class Episode(NamedTuple):
    """T steps between T+1 moments.

    `scene` is of one copy: its first axis is moments, and its last axis n is dropped.
    """

    scene: Scene | None
    action: Shaped[np.ndarray, "steps agents *dims"]
    reward: Float[np.ndarray, "steps agents"]
    team_reward: Float[np.ndarray, "steps teams"]
    alive: Bool[np.ndarray, "moments agents"]
    counts: dict[str, Float[np.ndarray, " steps"]]
    gauges: dict[str, Float[np.ndarray, "steps k"]]
    frames: UInt8[np.ndarray, "moments height width 3"] | None = None  # the world's own pictures

    @property
    def length(self) -> int:
        """The number of steps."""
        return len(self.reward)

    @property
    def returns(self) -> Float[np.ndarray, " teams"]:
        """Each team's return."""
        return self.team_reward.sum(axis=0, dtype=np.float64)


class FollowedAgent(NamedTuple):
    """An agent, by its index in the world, and its columns among gauges."""

    agent: int
    columns: dict[str, int]


@dataclass(frozen=True)
class Playback:
    """Recorded episodes, and the seed that played them.

    `training` holds metrics of the seed's training, report by report.
    """

    spec: Spec
    world: str
    algorithm: str
    seed: int
    episodes: tuple[Episode, ...]
    follow: FollowedAgent | None = None
    is_median: bool = False  # whether the seed is the median of its run
    pool: int = 0  # the episodes of which the first is the median; 0: it was not chosen
    training: dict[str, Float[np.ndarray, " reports"]] = field(default_factory=dict)


def median_seed(folder: RunFolder) -> int:
    """Return the seed whose evaluation was the median; 0 where there was none."""
    evaluation = folder.read_summary().get("eval", {})
    known = "team_return" in evaluation
    return median_index(np.array(evaluation["team_return"]["per_seed"])) if known else 0


def typical_first(returns: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Return the places of episodes, the median first and those nearest to it in rank next."""
    order = np.argsort(returns, kind="stable")
    away = np.abs(np.arange(len(returns)) - (len(returns) - 1) // 2)
    return order[np.argsort(away, kind="stable")]


def record_playback(
    folder: RunFolder,
    seed: int | None = None,
    episodes: int = 2,
    begin: int = 0,
    follow: str | None = None,
    at: int | str | None = None,
) -> Playback:
    """Play and record greedy episodes, by default of the median seed.

    The first is the median of `POOL` episodes, the next are those nearest to it; a world that is a Python
    program plays no more than it shows. The same arguments give the same episodes, another `begin` others.
    `at` names the checkpoint that plays.
    """
    if episodes < 1:
        raise UserError(f"--episodes must be at least 1, not {episodes}")
    chosen = seed is not None
    seed = median_seed(folder) if seed is None else seed
    engine, learners = load_trained(folder, seed, at)
    config = engine.config
    trainer = engine.trainer
    key = named(jax.random.key(config.seed + seed), "film", begin)
    camera = Camera(episodes)
    pool = episodes if engine.hosted else max(episodes, POOL)
    if engine.hosted:
        rollouts = _play_on_host(engine, learners, key, episodes, camera)
        scenes = None
    else:
        rollouts, scenes = _play_compiled(engine, learners, key, pool)
    if pool > episodes:
        earned = np.asarray(jnp.sum(rollouts.team_reward * first_steps(rollouts)[..., None], axis=1))
        shown = typical_first(earned[:, trainer.spec.teams.index(engine.learning_team)])[:episodes]
        rollouts = jax.tree.map(lambda x: x[shown], rollouts)
        scenes = jax.tree.map(lambda x: x[..., shown], scenes)
    measure = jax.jit(lambda learners, rollouts: measure_gauges(trainer, learners, rollouts))
    gauges = measure(learners, rollouts)
    rollouts, scenes, gauges = jax.tree.map(np.asarray, (rollouts, scenes, gauges))
    training = _training_curves(folder, trainer, seed)
    widths = {name: x.shape[-1] for name, x in gauges.items()}
    return Playback(
        spec=trainer.spec,
        world=config.environment.rpartition(":")[2],
        algorithm=config.algorithm,
        seed=seed,
        is_median=not chosen and config.seeds > 1,
        pool=pool if pool > episodes else 0,
        episodes=tuple(camera.filmed(i, cut_episode(rollouts, scenes, gauges, i)) for i in range(episodes)),
        follow=_followed_agent(trainer, widths, follow, bool(training)),
        training=training,
    )


def first_steps(rollouts: Trajectory) -> Bool[Array, "n steps"]:
    """Return which steps belong to the first episode of each rollout."""
    return jnp.cumprod(rollouts.valid, axis=1).astype(bool)


def _training_curves(
    folder: RunFolder, trainer: Trainer, seed: int
) -> dict[str, Float[np.ndarray, " reports"]]:
    """Return the metrics of training that learners ask films to show."""
    curves = {}
    for slot in trainer.slots:
        if not isinstance(slot.algorithm, HasTrainingCurves):
            continue
        for name in slot.algorithm.training_curves:
            label = slot.label(name, trainer.slots)
            rows = [row[label] for row in folder.rows() if row["seed"] == seed and row.get(label) is not None]
            if rows:
                curves[label] = np.array(rows, float)
    return curves


def _followed_agent(
    trainer: Trainer, widths: dict[str, int], name: str | None, always: bool
) -> FollowedAgent | None:
    """Return the agent called `name`; without a name the first that learns, if `always` somebody is followed.

    `widths` has the number of columns of each gauge. The agent has a column in gauges that have one for each
    agent of its learner slot, or of the slot's first team.
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
    if not isinstance(slot.algorithm, Insightful):
        return FollowedAgent(agent, {})
    first_team = tuple(m for m in slot.members if m in spec.members(slot.spec(spec).teams[0]))
    column = {len(agents): agents.index(agent) for agents in (first_team, slot.members) if agent in agents}
    columns = {}
    for gauge, width in widths.items():
        of_slot = gauge == slot.label(gauge.rpartition("/")[2], trainer.slots)
        if of_slot and width in column:
            columns[gauge] = column[width]
    return FollowedAgent(agent, columns)


def _play_compiled(
    engine: Engine, learners: tuple, key: PRNGKeyArray, n: int
) -> tuple[Trajectory, Scene | None]:
    trainer = engine.trainer
    return jax.jit(lambda learners, key: play_scenes(trainer, learners, key, n))(learners, key)


def _play_on_host(engine: Engine, learners: tuple, key: PRNGKeyArray, n: int, camera: "Camera") -> Trajectory:
    """Play in a world that is a Python program; it has no scenes, but perhaps pictures."""
    host = Host(replace(engine.trainer, copies=n), film_maker(engine.config, engine.runner.make))
    return host.episodes(learners, key, jnp.zeros((), int), camera.look).trajectory


def film_maker(config: Config, make: Callable[[], Any]) -> Callable[[], Any]:
    """Return what makes a run's world such that it draws itself, where its package must be asked for that."""
    if not config.environment.startswith(("pz:", "gym:")):
        return make
    drawing = partial(make_named_world, config.environment, config.env | {"render_mode": "rgb_array"})
    try:
        drawing()
    except Exception:  # whatever a world answers that cannot be drawn
        return make
    return drawing


class Camera:
    """The pictures that the copies of a Python world draw of themselves, moment by moment."""

    def __init__(self, n: int):
        self.frames: list[list[Any]] = [[] for _ in range(n)]

    def look(self, worlds: Sequence[Any]) -> None:
        """Take a picture of every copy."""
        for frames, world in zip(self.frames, worlds, strict=True):
            frames.append(small_frame(world))

    def filmed(self, i: int, episode: Episode) -> Episode:
        """Return copy i's episode with its pictures, if it has one for each moment."""
        frames = self.frames[i][: episode.length + 1]
        shapes = {None if frame is None else frame.shape for frame in frames}
        if len(frames) <= episode.length or len(shapes) != 1 or None in shapes:
            return episode
        return episode._replace(frames=np.stack(frames))


def small_frame(world: Any) -> UInt8[np.ndarray, "height width 3"] | None:
    """Return a world's picture of itself, made no larger than a film shows it; None if it has none."""
    render = getattr(world, "render", None)
    if not callable(render):
        return None
    try:
        frame = np.asarray(render())
    except Exception:  # a world that was not made to be drawn
        return None
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        return None
    image = Image.fromarray(frame)
    image.thumbnail((_FRAME, _FRAME))
    return np.asarray(image)


def play_scenes(
    trainer: Trainer, learners: tuple, key: PRNGKeyArray, n: int
) -> tuple[Trajectory, Scene | None]:
    """Play n episodes as `Trainer.evaluate` does, and record the scenes: arrays are `[moments, ..., n]`."""
    env = trainer.env
    scene = (lambda actors: env.scene(actors.env)) if isinstance(env, Scenic) else lambda actors: None
    played = trainer.episodes(learners, key, jnp.zeros((), int), n, record=scene)
    return played.trajectory, played.recorded


def measure_gauges(trainer: Trainer, learners: tuple, rollouts: Trajectory) -> _Gauges:
    """Return the estimates, of each step, of all learners that have any."""
    gauges = {}
    for slot, learner in zip(trainer.slots, learners, strict=True):
        algorithm = slot.algorithm
        if isinstance(algorithm, Insightful):
            view = view_as(slot, trainer.spec, slot.own_rollouts(rollouts))
            insight = jax.vmap(lambda one, a=algorithm, learner=learner: a.insight(learner, one))(view)
            for name, x in insight.items():
                gauges[slot.label(name, trainer.slots)] = x.reshape(*x.shape[:2], -1)
    return gauges


def cut_episode(rollouts: Trajectory, scenes: Scene | None, gauges: Any, i: int) -> Episode:
    """Return copy i's first episode, up to its own end."""
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
        gauges=cut(gauges),
    )
