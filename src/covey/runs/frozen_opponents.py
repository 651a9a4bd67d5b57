"""Opponents that an earlier run trained: its folder, its checkpoint, its weights."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Int, PyTree

from ..algorithms.frozen_opponent import FrozenOpponent, Learner
from ..config.config import Config
from ..config.making import RUN_PREFIX
from ..config.paths import split_checkpoint
from ..errors import UserError
from ..training.learners import LearnerSlot
from . import checkpoint, kept
from .folder import RunFolder


def earlier_run(path: str | Path) -> tuple[RunFolder, Path]:
    """Return the folder of `RUN` or `RUN@STEP`, and its checkpoint, which must be there to play from."""
    run, at = split_checkpoint(str(path).removeprefix(RUN_PREFIX))
    folder = RunFolder.existing(run)
    weights = kept.checkpoint_at(folder, at, f"{RUN_PREFIX}RUN@STEP")
    if not weights.exists():
        raise UserError(
            f"{RUN_PREFIX}{path} has no checkpoint yet: let it train until its first, or name another run"
        )
    return folder, weights


def check_checkpoints(slots: Iterable[LearnerSlot]) -> None:
    """Refuse an earlier run without a checkpoint, before anything is compiled."""
    for slot in slots:
        if isinstance(slot.algorithm, FrozenOpponent):
            earlier_run(slot.algorithm.run)


def read_player(
    weights: Path, place: int, seeds: int, like: PyTree
) -> tuple[PyTree, Int[np.ndarray, " seeds"]]:
    """Return a learner of a checkpoint, of all seeds, and the steps that each had trained.

    `place` is that of its slot. `like` has the shapes of what is wanted of it, None for the rest.
    """
    stored = {"learners": (None,) * place + (like,)}
    learners = checkpoint.restore_state(weights, stored, partial=True)[0]["learners"]
    return learners[place], read_steps(weights, seeds)


def read_steps(weights: Path, seeds: int) -> Int[np.ndarray, " seeds"]:
    """Return the steps that each seed of a checkpoint had trained."""
    step = checkpoint.read_facts(weights).get("step")
    if step is not None:
        return np.full(seeds, step, np.int32)
    stored: dict[str, Any] = {"steps": jax.ShapeDtypeStruct((seeds,), np.int32)}  # of a whole state
    return checkpoint.restore_state(weights, stored, partial=True)[0]["steps"]


def frozen_weights(frozen: FrozenOpponent, like: Learner) -> Learner:
    """Return what an opponent learned, for all seeds of its run; `like` gives the other shapes."""
    folder, weights = earlier_run(frozen.run)
    names = [slot.name for slot in Config.from_yaml(folder.config).build()[1]]
    all_seeds = lambda x: jax.ShapeDtypeStruct((frozen.seeds, *x.shape[1:]), x.dtype)
    shapes = jax.tree.map(all_seeds, like.player)
    loaded = read_player(weights, names.index(frozen.slot), frozen.seeds, shapes)
    return jax.tree.unflatten(jax.tree.structure(like), jax.tree.leaves(loaded))


def opponent_of_seeds(frozen: FrozenOpponent, like: Learner, seeds: int) -> Learner:
    """Return the opponent that each of this run's seeds plays against."""
    weights = frozen_weights(frozen, like)
    rows = np.array([frozen.earlier_seed(seed) for seed in range(seeds)])
    return jax.tree.map(lambda x: x[rows], weights)
