"""Checkpoints by number: the learners of a run at some of its steps, and the one that `--at` names."""

from pathlib import Path

from ..errors import UserError
from ..text import nearest
from .folder import RunFolder

_MOST_NAMED = 12


def prune(folder: RunFolder, newest: int | None) -> None:
    """Remove all kept checkpoints but the newest ones; None keeps all."""
    files = list(folder.kept.values())
    for path in files[: len(files) - newest] if newest is not None else ():
        path.unlink(missing_ok=True)


def cut(folder: RunFolder, steps: int) -> None:
    """Remove the checkpoints of steps that a resumed run has still to take."""
    for step, path in folder.kept.items():
        if step > steps:
            path.unlink(missing_ok=True)


def checkpoint_at(folder: RunFolder, at: int | str | None, option: str = "--at") -> Path:
    """Return the checkpoint of a step, or the one called `last` or `best`; None means the last."""
    named = {"last": folder.last, "best": folder.best}
    if at is None or str(at) in named:
        return named[str(at or "last")]
    kept = folder.kept
    try:
        step = float(str(at).replace("_", ""))
    except ValueError:
        meant = nearest(str(at), named)
        raise UserError(f"{option} takes a step, last or best, not '{at}'{meant}") from None
    if step in kept:
        return kept[int(step)]
    if not kept:
        raise UserError(
            f"{folder.path} kept no checkpoints by their steps: train with --keep N, --keep all or "
            f"--keep every=STEPS; {option} takes last and best, too"
        )
    close = min(kept, key=lambda k: abs(k - step))
    there = f"{_listed(kept)}; {close} is the nearest"
    raise UserError(f"{option}: {folder.path} kept no checkpoint of step {at}, but {there}")


def _listed(kept: dict[int, Path]) -> str:
    """Write the steps of checkpoints; of many the first and the last ones."""
    steps = list(map(str, kept))
    if len(steps) > _MOST_NAMED:
        steps = [*steps[: _MOST_NAMED // 2], "…", *steps[-_MOST_NAMED // 2 :]]
    return ", ".join(steps)
