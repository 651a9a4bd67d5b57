"""Arrays and a few facts in one file: a zip of plain NumPy arrays. Nothing in it is ever executed.

The zip's checksums tell a damaged file; names, shapes and types, compared with what the run
would hold, tell a foreign one.
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

T = TypeVar("T")
FORMAT = 2
FACTS = "facts.json"


def plain(x: Any) -> Any:
    """A key as the numbers it is made of; any other array as it is."""
    return jax.random.key_data(x) if is_key(x) else x


def is_key(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def named_leaves(tree: PyTree) -> list[tuple[str, Any]]:
    """Every array with where it stands in the tree."""
    name = lambda path: jax.tree_util.keystr(path, simple=True, separator=".")
    return [(name(path), leaf) for path, leaf in jax.tree.leaves_with_path(tree)]


def save(path: Path, lanes: list[Any], facts: dict[str, Any]) -> int:
    """Writes lanes' states, which lead with seeds; returns the size in bytes."""
    names = [name for name, _ in named_leaves(lanes[0])]
    header = facts | {"format": FORMAT, "leaves": names}
    with atomic(path, "a checkpoint") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(FACTS, json.dumps(header))
        for i, lane in enumerate(lanes):
            for j, leaf in enumerate(jax.tree.leaves(lane)):
                with archive.open(f"{i}/{j}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array(entry, np.asarray(plain(leaf)), allow_pickle=False)
    return path.stat().st_size


def facts(path: Path) -> dict[str, Any]:
    """What a checkpoint says of itself."""
    with Archive(path) as archive:
        return read_facts(archive, path)


class Archive(zipfile.ZipFile):
    """A checkpoint opened for reading; damage becomes a sentence."""

    def __init__(self, path: Path):
        self.where = path
        if not path.exists():
            raise UserError(f"there is no checkpoint at {path}")
        try:
            super().__init__(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise damaged(path) from error

    def __exit__(self, kind, error, trace):
        super().__exit__(kind, error, trace)
        if isinstance(error, zipfile.BadZipFile | EOFError | ValueError | KeyError):
            raise damaged(self.where) from error


def damaged(path: Path) -> UserError:
    other = path.with_name("best.npz" if path.name == "last.npz" else "last.npz")
    remedy = f"{other} may still be whole" if other.exists() else "it has to be trained again"
    return UserError(f"the checkpoint {path} is damaged or cut short, and cannot be read; {remedy}")


def read_facts(archive: zipfile.ZipFile, path: Path) -> dict[str, Any]:
    if FACTS not in archive.namelist():
        raise UserError(f"{path} is no checkpoint of covey's")
    header = json.loads(archive.read(FACTS))
    if header.get("format") != FORMAT:
        raise UserError(f"{path} has format {header.get('format')}, and this covey reads format {FORMAT}")
    return header


def load(
    path: Path, like: T, partial: bool = False, called: Callable[[str], str] = str
) -> tuple[T, dict[str, Any]]:
    """The state of all seeds, as NumPy arrays in the shape of `like` (arrays that lead with seeds).

    `partial` takes what `like` has and leaves the rest; seeds that are not there start from the
    first ones again. `called` says how `like` names what is stored under another name.
    """
    expected = named_leaves(like)
    with Archive(path) as archive:
        header = read_facts(archive, path)
        stored = {called(name): j for j, name in enumerate(header["leaves"])}
        lanes = sorted({int(name.split("/")[0]) for name in archive.namelist() if "/" in name})
        leaves = []
        for name, leaf in expected:
            if name not in stored:
                raise foreign(path, f"it has no {name}")
            parts = []
            for lane in lanes:
                with archive.open(f"{lane}/{stored[name]}.npy") as entry:
                    parts.append(np.lib.format.read_array(entry, allow_pickle=False))
            value = np.concatenate(parts)
            if partial:
                value = value[np.arange(leaf.shape[0]) % len(value)]
            want = jax.eval_shape(plain, leaf)
            if value.shape != want.shape or value.dtype != want.dtype:
                raise foreign(
                    path, f"{name} is {value.dtype}{list(value.shape)}, not {want.dtype}{list(want.shape)}"
                )
            leaves.append(jax.random.wrap_key_data(jnp.asarray(value)) if is_key(leaf) else value)
        extra = sorted(set(stored) - {name for name, _ in expected})
        if extra and not partial:
            raise foreign(path, f"it also holds {extra[0]}")
    return jax.tree.unflatten(jax.tree.structure(like), leaves), header


def foreign(path: Path, how: str) -> UserError:
    return UserError(
        f"the checkpoint {path} belongs to another kind of run: {how}; give the run that made it, or one of "
        "the same algorithm, settings, environment and seeds"
    )


def load_learners(path: Path, like: T) -> T:
    """What learnt, and nothing else of a run; `like` has the shapes of all seeds."""
    return load(path, {"learners": like}, partial=True)[0]["learners"]


def load_part(path: Path, like: T, part: str) -> T:
    """One part of what learnt, wherever it stands in a learner; None everywhere else."""
    names = [name for name, _ in named_leaves({"learners": like})]
    leaves, structure = jax.tree.flatten(like)
    wanted = {
        within(name, part): leaf for name, leaf in zip(names, leaves, strict=True) if within(name, part)
    }
    if not wanted:
        parts = dict.fromkeys(
            piece for name in names for piece in name.split(".")[2:4] if piece.isidentifier()
        )
        meant = nearest(part, parts)
        raise UserError(f"--from: the learner has no part '{part}'{meant}: it has {', '.join(parts)}")
    found = load(path, wanted, True, lambda name: within(name, part) or name)[0]
    return jax.tree.unflatten(structure, [found.get(within(name, part)) for name in names])


def within(name: str, part: str) -> str:
    """The path of a tensor from its learner's part on; "" where it is not within it."""
    learner, rest = name.split(".")[:2], ".".join(["", *name.split(".")[2:], ""])
    _, found, after = rest.partition(f".{part}.")
    return ".".join([*learner, part, after]).rstrip(".") if found else ""


def weights(fresh: T, found: T) -> T:
    """A new learner with another's weights: what optimisers remember, and counters, begin anew."""
    opt_state = lambda x: isinstance(x, OptState)
    own = lambda x: opt_state(x) or not jax.numpy.issubdtype(x.dtype, jax.numpy.floating)
    return jax.tree.map(lambda new, old: new if own(new) else old, fresh, found, is_leaf=opt_state)
