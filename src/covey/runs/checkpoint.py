"""Checkpoints: arrays and a few facts in one file, a zip of plain NumPy arrays. Nothing in it is executed.

The zip's checksums reveal a damaged file. Names, shapes and types, compared with those that the run
expects, reveal the file of another run.
"""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from ..core import OptState
from ..errors import UserError
from ..files import atomic
from ..ops.random import is_key, plain
from ..text import nearest
from . import records
from .archive import Archive, undated, write_array

_T = TypeVar("_T")
_FORMAT = 2
_FACTS = "facts.json"
_SAME_RUN = (
    "give the run that made it, or one of the same algorithm, settings, environment and seeds; if its "
    "config.yaml was changed since, write there what it was trained with"
)


def named_leaves(tree: PyTree) -> list[tuple[str, Any]]:
    """Return every array with its path in the tree."""
    name = lambda path: jax.tree_util.keystr(path, simple=True, separator=".")
    return [(name(path), leaf) for path, leaf in jax.tree.leaves_with_path(tree)]


def save(path: Path, lanes: list[Any], facts: dict[str, Any]) -> int:
    """Write the states of lanes, whose first axis is seeds; return the size in bytes."""
    names = [name for name, _ in named_leaves(lanes[0])]
    header = facts | {"format": _FORMAT, "leaves": names}
    with atomic(path, "a checkpoint") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(undated(_FACTS), json.dumps(header))
        for i, lane in enumerate(lanes):
            for j, leaf in enumerate(jax.tree.leaves(lane)):
                write_array(archive, f"{i}/{j}.npy", np.asarray(plain(leaf)))
    return path.stat().st_size


def read_facts(path: Path) -> dict[str, Any]:
    """Return the facts beside a checkpoint's arrays."""
    with _Archive(path) as archive:
        return archive.facts()


class _Archive(Archive):
    """A checkpoint opened for reading."""

    def __init__(self, path: Path):
        if not path.exists():
            raise UserError(f"there is no checkpoint at {path}")
        super().__init__(path, _damaged(path))

    def facts(self) -> dict[str, Any]:
        if _FACTS not in self.namelist():
            raise UserError(f"{self.where} is no checkpoint of covey's")
        return self.record(_FACTS, _FORMAT, records.FACTS, _remedy(self.where))

    @property
    def lanes(self) -> list[int]:
        return sorted({int(name.split("/")[0]) for name in self.namelist() if "/" in name})

    def leaf(self, leaf: int) -> np.ndarray:
        """Return a leaf of the state, for the seeds of all lanes."""
        return np.concatenate([self.array(f"{lane}/{leaf}.npy") for lane in self.lanes])

    def shape(self, leaf: int) -> jax.ShapeDtypeStruct:
        """Return the shape of a leaf, for the seeds of all lanes; nothing of it is read."""
        lanes = [self.header(f"{lane}/{leaf}.npy") for lane in self.lanes]
        seeds = sum(shape[0] for shape, _ in lanes)
        return jax.ShapeDtypeStruct((seeds, *lanes[0][0][1:]), lanes[0][1])


def resume_point(path: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the position in the run that a checkpoint holds."""
    point = facts.get("resume_point")
    known = {name.removesuffix("?") for name in records.RESUME_POINT}
    counts = ("clock", "reports", "metrics_size", "done")
    if point is None or not point.keys() <= known or any(point[name] < 0 for name in counts):
        raise UserError(f"{path} says not where its run was: {_remedy(path)}")
    return point


def _damaged(path: Path) -> UserError:
    return UserError(f"the checkpoint {path} is damaged or cut short, and cannot be read; {_remedy(path)}")


def _remedy(path: Path) -> str:
    other = path.with_name("best.npz")
    if path.name == "best.npz" or not other.exists():
        return "the run has to be trained again"
    return f"{other} may still be whole: put a copy in its place, and `covey eval` plays those weights"


def restore_state(
    path: Path,
    like: _T,
    partial: bool = False,
    rename: Callable[[str], str] = str,
    repeat: bool = False,
    remedy: str = _SAME_RUN,
) -> tuple[_T, dict[str, Any]]:
    """Return the state of all seeds, as NumPy arrays in the shapes of `like`, and the facts.

    `partial` takes what `like` has and leaves the rest. `repeat` takes the first seeds again where the file
    has fewer. `rename` maps the name of a stored array to its name in `like`. `remedy` ends the sentence that
    refuses other shapes.
    """
    with _Archive(path) as archive:
        header = archive.facts()
        places = _match(archive, header, like, partial, rename, repeat, remedy)
        leaves = []
        for (name, leaf), place in zip(named_leaves(like), places, strict=True):
            value = archive.leaf(place)
            value = value[np.arange(leaf.shape[0]) % len(value)] if repeat else value
            if name.startswith("learners") and value.dtype.kind == "f" and np.isnan(value).any():
                raise UserError(f"the checkpoint {path} holds no numbers (NaN) in {name}: {_remedy(path)}")
            leaves.append(jax.random.wrap_key_data(jnp.asarray(value)) if is_key(leaf) else value)
    return jax.tree.unflatten(jax.tree.structure(like), leaves), header


def check_state(path: Path, like: PyTree) -> None:
    """Refuse a checkpoint that holds no state of these shapes; only headers are read."""
    with _Archive(path) as archive:
        _match(archive, archive.facts(), like)


def _match(
    archive: _Archive,
    header: dict[str, Any],
    like: PyTree,
    partial: bool = False,
    rename: Callable[[str], str] = str,
    repeat: bool = False,
    remedy: str = _SAME_RUN,
) -> list[int]:
    """Return the place of each array in the file; refuse a file that holds others."""
    expected = dict(named_leaves(like))
    stored = {rename(name): place for place, name in enumerate(header["leaves"])}
    for name, leaf in expected.items():
        if name not in stored:
            raise _foreign(archive.where, f"it has no {name}", remedy)
        there = archive.shape(stored[name])
        want = jax.eval_shape(plain, leaf)
        skipped = int(repeat)  # the axis of seeds
        if there.shape[skipped:] != want.shape[skipped:] or there.dtype != want.dtype:
            shapes = f"{there.dtype}{list(there.shape)}, not {want.dtype}{list(want.shape)}"
            raise _foreign(archive.where, f"{name} is {shapes}", remedy)
    extra = sorted(set(stored) - set(expected))
    if extra and not partial:
        raise _foreign(archive.where, f"it also holds {extra[0]}", remedy)
    return [stored[name] for name in expected]


def _foreign(path: Path, difference: str, remedy: str) -> UserError:
    return UserError(f"the checkpoint {path} belongs to another kind of run: {difference}; {remedy}")


def restore_learners(path: Path, like: _T, remedy: str = _SAME_RUN, repeat: bool = False) -> _T:
    """Return the learners, and nothing else of a run; `like` has the shapes of all seeds."""
    return restore_state(path, {"learners": like}, partial=True, repeat=repeat, remedy=remedy)[0]["learners"]


def restore_part(path: Path, like: _T, part: str) -> _T:
    """Return one part of the learners, at any place in them; None everywhere else."""
    names = [name for name, _ in named_leaves({"learners": like})]
    leaves, structure = jax.tree.flatten(like)
    pairs = zip(names, leaves, strict=True)
    wanted = {path_from_part(name, part): leaf for name, leaf in pairs if path_from_part(name, part)}
    if not wanted:
        pieces = [piece for name in names for piece in name.split(".")[2:4] if piece.isidentifier()]
        parts = dict.fromkeys(pieces)
        meant = nearest(part, parts)
        raise UserError(f"--from: the learner has no part '{part}'{meant}: it has {', '.join(parts)}")
    arrays = restore_state(path, wanted, True, lambda name: path_from_part(name, part) or name, repeat=True)[
        0
    ]
    return jax.tree.unflatten(structure, [arrays.get(path_from_part(name, part)) for name in names])


def path_from_part(name: str, part: str) -> str:
    """Return the path of a tensor from its learner's part on, or "" if it is not in the part."""
    pieces = name.split(".")
    learner = pieces[:2]
    rest = ".".join(["", *pieces[2:], ""])
    _, inside, after = rest.partition(f".{part}.")
    return ".".join([*learner, part, after]).rstrip(".") if inside else ""


def replace_weights(new: _T, trained: _T) -> _T:
    """Return a new learner with a trained one's weights; optimiser states and counters stay new."""
    is_opt_state = lambda x: isinstance(x, OptState)
    stays = lambda x: is_opt_state(x) or not jnp.issubdtype(x.dtype, jnp.floating)
    return jax.tree.map(lambda n, t: n if stays(n) else t, new, trained, is_leaf=is_opt_state)
