"""A trained policy by itself: observations in, actions out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Float, Shaped

from ..algorithms.random import Random
from ..config.config import Config
from ..core import Observation, Spec, as_numbers
from ..errors import UserError
from ..text import nearest
from ..training.host import StandIn
from ..training.loop import Trainer
from . import checkpoint, kept
from .engine import Engine
from .folder import RunFolder
from .provenance import read_spec

_Observations = Float[np.ndarray, "agents features"] | Mapping[str, Float[np.ndarray, " features"]]


def load_trained(folder: RunFolder, seed: int, at: int | str | None = None) -> tuple[Engine, tuple[Any, ...]]:
    """Return a run's engine, and the learners of one of its seeds; `at` names a checkpoint."""
    weights = kept.checkpoint_at(folder, at)
    engine = Engine(_config_with(folder, seed))
    learners = checkpoint.restore_learners(weights, engine.all_seeds(engine.shapes).learners)
    return engine, jax.tree.map(lambda x: jnp.asarray(x[seed]), learners)


def load_player(folder: RunFolder, seed: int, at: int | str | None = None) -> tuple[Trainer, tuple[Any, ...]]:
    """Return what acts in a run, and the learners of a seed; its world is made only for an older run."""
    weights = kept.checkpoint_at(folder, at)
    config = _config_with(folder, seed)
    spec = read_spec(folder)
    if spec is None:
        engine, learners = load_trained(folder, seed, at)
        return engine.trainer, learners
    slots = config.learner_slots(spec)
    init = lambda key: tuple(slot.algorithm.init(slot.spec(spec), key) for slot in slots)
    of_seeds = lambda x: jax.ShapeDtypeStruct((config.seeds, *x.shape), x.dtype)
    shapes = jax.tree.map(of_seeds, jax.eval_shape(init, jr.key(0)))
    learners = checkpoint.restore_learners(weights, shapes)
    trainer = Trainer(StandIn(spec), slots, copies=1, length=1)
    return trainer, jax.tree.map(lambda x: jnp.asarray(x[seed]), learners)


def _config_with(folder: RunFolder, seed: int) -> Config:
    """Return a run's configuration, if it trained the seed."""
    config = Config.from_yaml(folder.config)
    if not 0 <= seed < config.seeds:
        raise UserError(f"seed {seed} is not in {folder.path}: it trained seeds 0 to {config.seeds - 1}")
    return config


class Policy:
    """A trained policy that acts greedily. It carries its memory; call `reset` where an episode begins."""

    def __init__(self, trainer: Trainer, learners: tuple[Any, ...]):
        self.trainer = trainer
        self.learners = learners
        self._step = jax.jit(self._act_once)
        self.reset()

    @staticmethod
    def load(path: str | Path, seed: int = 0, at: int | str | None = None) -> "Policy":
        return Policy(*load_player(RunFolder.existing(path), seed, at))

    @property
    def spec(self) -> Spec:
        return self.trainer.spec

    def reset(self) -> None:
        """Begin an episode: reset the carry."""
        self.carry = self.trainer.init_carries(self.learners, 1)
        self.first = True

    def act(
        self, observations: _Observations, legal: Shaped[np.ndarray, "agents actions"] | None = None
    ) -> Shaped[np.ndarray, "agents ..."] | dict[str, Any]:
        """Return greedy actions for observations, stacked or by agent's name, in the same form."""
        names = self.spec.names
        named = isinstance(observations, Mapping)
        rows = np.zeros((len(names), self.spec.features), self.spec.feature_type)
        for i, row in enumerate([observations[n] for n in names] if named else observations):  # pyright: ignore
            rows[i, : len(row)] = row
        legal = np.ones((len(names), self.spec.actions), bool) if legal is None else legal
        self.carry, action = self._step(self.learners, self.carry, rows, legal, self.first)
        self.first = False
        action = np.asarray(action)
        return dict(zip(names, action, strict=True)) if named else action

    def agent(self, name: str) -> "Agent":
        """Return one agent by itself, which needs its own observations only."""
        return Agent(self.trainer, self.learners, name)

    def _act_once(self, learners, carry, rows, legal, first):
        obs = Observation(
            agents=rows[None],
            state=jnp.zeros((1, self.spec.state)),
            legal=legal[None],
            alive=jnp.ones((1, self.spec.agents), bool),
            first=jnp.asarray(first)[None],
        )
        carry, action, _ = self.trainer.act(learners, carry, obs, jr.key(0), jnp.zeros((), int), False)
        return carry, action[0]


class Agent:
    """One agent of a trained policy: its own observations in, its greedy actions out.

    It carries its memory; call `reset` where an episode begins.
    """

    def __init__(self, trainer: Trainer, learners: tuple[Any, ...], name: str):
        names = trainer.spec.names
        if name not in names:
            raise UserError(f"there is no agent '{name}'{nearest(name, names)}: there are {', '.join(names)}")
        pairs = zip(trainer.slots, learners, strict=True)
        slot, self._learner = next(pair for pair in pairs if names.index(name) in pair[0].members)
        if isinstance(slot.algorithm, Random):
            raise UserError(f"nobody learned for {name} in this run: it acts at random")
        self.name = name
        self.spec = slot.spec(trainer.spec)
        self._algorithm = slot.algorithm
        self._place = self.spec.names.index(name)
        self._step = jax.jit(self._act_once)
        self.reset()
        self._check_independence()

    def reset(self) -> None:
        """Begin an episode: reset the carry."""
        self.carry = self._algorithm.init_carry(self.spec, self._learner)
        self.first = True

    def act(
        self, observation: Float[np.ndarray, " seen"], legal: Shaped[np.ndarray, " actions"] | None = None
    ) -> Shaped[np.ndarray, "..."]:
        """Return the greedy action: a number, or one for each dimension."""
        row = np.zeros(self.spec.features, self.spec.feature_type)
        row[: len(observation)] = observation
        legal = np.ones(self.spec.actions, bool) if legal is None else np.asarray(legal, bool)
        rest = jnp.zeros((self.spec.agents, self.spec.features))
        self.carry, action = self._step(self._learner, self.carry, row, rest, legal, self.first)
        self.first = False
        return np.asarray(action)

    def _act_once(self, learner, carry, row, rest, legal, first):
        """Act on the agent's observation; `rest` takes the place of its teammates'."""
        spec = self.spec
        obs = Observation(
            agents=rest.at[self._place].set(as_numbers(row)),
            state=jnp.zeros(spec.state),
            legal=jnp.ones((spec.agents, spec.actions), bool).at[self._place].set(legal),
            alive=jnp.ones(spec.agents, bool),
            first=jnp.asarray(first),
            others=jnp.zeros((spec.others, spec.features)),
        )
        now = jnp.zeros((), int)
        carry, action, _ = self._algorithm.act(learner, carry, obs, jr.key(0), now, False)
        return carry, action[self._place]

    def _check_independence(self) -> None:
        """Refuse an agent that acts on its teammates' observations: among 64 random ones it shows."""
        spec = self.spec
        legal = jnp.ones(spec.actions, bool)
        rows = jr.normal(jr.key(1), (64, spec.features))
        rests = jr.normal(jr.key(2), (64, spec.agents, spec.features))
        one = lambda row, rest: self._act_once(self._learner, self.carry, row, rest, legal, True)[1]
        act = jax.jit(jax.vmap(one))
        alone = act(rows, 0 * rests)
        among = act(rows, rests)
        if not np.allclose(alone, among, atol=1e-5):
            raise UserError(
                f"{self.name} also acts on what its teammates see: give everybody's to covey.load(run).act"
            )
