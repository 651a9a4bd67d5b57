"""Opponents that an earlier run trained: its folder, its checkpoint, its weights."""

from collections.abc import Iterable
from pathlib import Path

import jax
import numpy as np

from ..algorithms.frozen_opponent import FrozenOpponent, Learner
from ..config.config import Config
from ..config.making import RUN_PREFIX
from ..errors import UserError
from ..training.learners import LearnerSlot
from . import checkpoint
from .folder import RunFolder


def earlier_run(path: str | Path) -> RunFolder:
    """Return the folder of an earlier run, which must have a checkpoint to play from."""
    folder = RunFolder.existing(str(path).removeprefix(RUN_PREFIX))
    if not folder.last.exists():
        raise UserError(
            f"{RUN_PREFIX}{folder.path} has no checkpoint yet: let it train until its first, "
            "or name another run"
        )
    return folder


def check_checkpoints(slots: Iterable[LearnerSlot]) -> None:
    """Refuse an earlier run without a checkpoint, before anything is compiled."""
    for slot in slots:
        if isinstance(slot.algorithm, FrozenOpponent):
            earlier_run(slot.algorithm.run)


def frozen_weights(frozen: FrozenOpponent, like: Learner) -> Learner:
    """Return what an opponent learned, for all seeds of its run; `like` gives the other shapes."""
    folder = earlier_run(frozen.run)
    names = [slot.name for slot in Config.from_yaml(folder.config).build()[1]]
    place = names.index(frozen.slot)
    all_seeds = lambda x: jax.ShapeDtypeStruct((frozen.seeds, *x.shape[1:]), x.dtype)
    stored = {"learners": (None,) * place + (like.player,), "steps": like.step}
    loaded, _ = checkpoint.restore_state(folder.last, jax.tree.map(all_seeds, stored), partial=True)
    leaves = jax.tree.leaves((loaded["learners"][place], loaded["steps"]))
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def opponent_of_seeds(frozen: FrozenOpponent, like: Learner, seeds: int) -> Learner:
    """Return the opponent that each of this run's seeds plays against."""
    weights = frozen_weights(frozen, like)
    rows = np.array([frozen.earlier_seed(seed) for seed in range(seeds)])
    return jax.tree.map(lambda x: x[rows], weights)
