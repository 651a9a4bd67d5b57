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

from ..config.catalogue import nearest
from ..core import OptState
from ..errors import UserError
from ..files import atomic
from ..ops.random import is_key, plain

_T = TypeVar("_T")
_FORMAT = 2
_FACTS = "facts.json"
_SAME_RUN = "give the run that made it, or one of the same algorithm, settings, environment and seeds"


def named_leaves(tree: PyTree) -> list[tuple[str, Any]]:
    """Return every array with its path in the tree."""
    name = lambda path: jax.tree_util.keystr(path, simple=True, separator=".")
    return [(name(path), leaf) for path, leaf in jax.tree.leaves_with_path(tree)]


def save(path: Path, lanes: list[Any], facts: dict[str, Any]) -> int:
    """Write the states of lanes, whose first axis is seeds; return the size in bytes."""
    names = [name for name, _ in named_leaves(lanes[0])]
    header = facts | {"format": _FORMAT, "leaves": names}
    with atomic(path, "a checkpoint") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(_FACTS, json.dumps(header))
        for i, lane in enumerate(lanes):
            for j, leaf in enumerate(jax.tree.leaves(lane)):
                with archive.open(f"{i}/{j}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asarray(plain(leaf)), allow_pickle=False)
    return path.stat().st_size


def read_facts(path: Path) -> dict[str, Any]:
    """Return the facts beside a checkpoint's arrays."""
    with _Archive(path) as archive:
        return archive.facts()


class _Archive(zipfile.ZipFile):
    """A checkpoint opened for reading; damage becomes a sentence."""

    def __init__(self, path: Path):
        self.where = path
        if not path.exists():
            raise UserError(f"there is no checkpoint at {path}")
        try:
            super().__init__(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise _damaged(path) from error

    def __exit__(self, kind, error, trace):
        super().__exit__(kind, error, trace)
        if isinstance(error, zipfile.BadZipFile | EOFError | ValueError | KeyError):
            raise _damaged(self.where) from error

    def facts(self) -> dict[str, Any]:
        if _FACTS not in self.namelist():
            raise UserError(f"{self.where} is no checkpoint of covey's")
        header = json.loads(self.read(_FACTS))
        if header.get("format") != _FORMAT:
            raise UserError(
                f"{self.where} has format {header.get('format')}, and this covey reads format {_FORMAT}"
            )
        return header

    def array(self, leaf: int) -> np.ndarray:
        """Return a leaf of the state, for the seeds of all lanes."""
        lanes = sorted({int(name.split("/")[0]) for name in self.namelist() if "/" in name})
        parts = []
        for lane in lanes:
            with self.open(f"{lane}/{leaf}.npy") as entry:
                parts.append(np.lib.format.read_array(entry, allow_pickle=False))
        return np.concatenate(parts)


def _damaged(path: Path) -> UserError:
    other = path.with_name("best.npz" if path.name == "last.npz" else "last.npz")
    remedy = f"{other} may still be whole" if other.exists() else "it has to be trained again"
    return UserError(f"the checkpoint {path} is damaged or cut short, and cannot be read; {remedy}")


def restore_state(
    path: Path,
    like: _T,
    partial: bool = False,
    rename: Callable[[str], str] = str,
    remedy: str = _SAME_RUN,
) -> tuple[_T, dict[str, Any]]:
    """Return the state of all seeds, as NumPy arrays in the shapes of `like`, and the facts.

    `partial` takes what `like` has and leaves the rest; seeds that the file lacks take the first ones
    again. `rename` maps the name of a stored array to its name in `like`. `remedy` ends the sentence that
    refuses other shapes.
    """
    expected = named_leaves(like)
    with _Archive(path) as archive:
        header = archive.facts()
        stored = {rename(name): j for j, name in enumerate(header["leaves"])}
        leaves = []
        for name, leaf in expected:
            if name not in stored:
                raise _foreign(path, f"it has no {name}", remedy)
            value = archive.array(stored[name])
            if partial:
                value = value[np.arange(leaf.shape[0]) % len(value)]
            want = jax.eval_shape(plain, leaf)
            if value.shape != want.shape or value.dtype != want.dtype:
                there = f"{value.dtype}{list(value.shape)}"
                raise _foreign(path, f"{name} is {there}, not {want.dtype}{list(want.shape)}", remedy)
            leaves.append(jax.random.wrap_key_data(jnp.asarray(value)) if is_key(leaf) else value)
        extra = sorted(set(stored) - {name for name, _ in expected})
        if extra and not partial:
            raise _foreign(path, f"it also holds {extra[0]}", remedy)
    return jax.tree.unflatten(jax.tree.structure(like), leaves), header


def _foreign(path: Path, difference: str, remedy: str) -> UserError:
    return UserError(f"the checkpoint {path} belongs to another kind of run: {difference}; {remedy}")


def restore_learners(path: Path, like: _T, remedy: str = _SAME_RUN) -> _T:
    """Return the learners, and nothing else of a run; `like` has the shapes of all seeds."""
    return restore_state(path, {"learners": like}, partial=True, remedy=remedy)[0]["learners"]


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
    arrays = restore_state(path, wanted, True, lambda name: path_from_part(name, part) or name)[0]
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
