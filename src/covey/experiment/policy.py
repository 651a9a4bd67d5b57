"""A trained policy by itself: observations in, actions out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Float, Shaped

from ..core import Observation, Spec
from ..errors import UserError
from ..training import Trainer
from . import checkpoint
from .config import Config
from .engine import Engine
from .folder import RunFolder

Seen = Float[np.ndarray, "agents features"] | Mapping[str, Float[np.ndarray, " features"]]


def trained(folder: RunFolder, seed: int) -> tuple[Engine, tuple[Any, ...]]:
    """A run's programs, and the learners of one of its seeds."""
    config = Config.from_yaml(folder.config)
    if not 0 <= seed < config.seeds:
        raise UserError(f"seed {seed} is not in {folder.path}: it trained seeds 0 to {config.seeds - 1}")
    engine = Engine(config)
    found = checkpoint.load_learners(folder.last, engine.everybody(engine.shapes).learners)
    return engine, jax.tree.map(lambda x: jnp.asarray(x[seed]), found)


class Policy:
    """Acts greedily, and remembers what it has to; `reset` where an episode begins."""

    def __init__(self, trainer: Trainer, learners: tuple[Any, ...]):
        self.trainer, self.learners = trainer, learners
        self._act = jax.jit(self._acted)
        self.reset()

    @staticmethod
    def load(path: str | Path, seed: int = 0) -> "Policy":
        engine, learners = trained(RunFolder.existing(path), seed)
        return Policy(engine.trainer, learners)

    @property
    def spec(self) -> Spec:
        return self.trainer.spec

    def reset(self) -> None:
        """An episode begins: memory is laid anew."""
        self.memory = self.trainer.memories(self.learners, 1)
        self.first = True

    def act(
        self, observations: Seen, legal: Shaped[np.ndarray, "agents actions"] | None = None
    ) -> Shaped[np.ndarray, "agents ..."] | dict[str, Any]:
        """Greedy actions, for observations stacked or by agent's name; in the form they came in."""
        names = self.spec.names
        named = isinstance(observations, Mapping)
        rows = np.zeros((len(names), self.spec.features), np.float32)
        for i, row in enumerate([observations[n] for n in names] if named else observations):  # pyright: ignore
            rows[i, : len(row)] = row
        legal = np.ones((len(names), self.spec.actions), bool) if legal is None else legal
        self.memory, action = self._act(self.learners, self.memory, rows, legal, self.first)
        self.first = False
        action = np.asarray(action)
        return dict(zip(names, action, strict=True)) if named else action

    def _acted(self, learners, memory, rows, legal, first):
        obs = Observation(
            agents=rows[None],
            state=jnp.zeros((1, self.spec.state)),
            legal=legal[None],
            alive=jnp.ones((1, self.spec.agents), bool),
            first=jnp.asarray(first)[None],
        )
        memory, action, _ = self.trainer.act(learners, memory, obs, jr.key(0), jnp.zeros((), int), False)
        return memory, action[0]
