"""Checkpoints: what goes in comes out, whole or not at all, and nothing in them is executed."""

import json
import zipfile
from pathlib import Path

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.errors import UserError
from covey.runs import checkpoint


def state(*seeds: int) -> dict:
    """Of a lane: something of every kind that a run holds."""
    n = len(seeds)
    return {
        "key": jax.vmap(jr.key)(jnp.array(seeds)),
        "weights": [jr.normal(jr.key(seeds[0]), (n, 2, 3)), jnp.zeros((n, 0, 4))],
        "ring": {"action": jnp.full((n, 5), -1, jnp.int8), "valid": jnp.arange(5 * n).reshape(n, 5) % 2 == 0},
        "steps": jnp.array(seeds),
    }


LIKE = jax.eval_shape(lambda: state(0, 1, 2, 3))


@pytest.fixture
def path(tmp_path) -> Path:
    checkpoint.save(tmp_path / "last.npz", [state(1, 2), state(3, 4)], {"clock": 7})
    return tmp_path / "last.npz"


def test_what_goes_in_comes_out(path):
    # Would break: keys, empty arrays, small types or the order of lanes lost on the way.
    found, facts = checkpoint.restore_state(path, LIKE)
    assert facts["clock"] == checkpoint.read_facts(path)["clock"] == 7
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), state(1, 2), state(3, 4))
    assert jax.tree.structure(found) == jax.tree.structure(both)
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(both), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(checkpoint.plain(x), checkpoint.plain(y))
    assert jr.uniform(found["key"][2]) == jr.uniform(jr.key(3))


def test_a_part_for_more_seeds(path):
    # Would break: weights for another number of seeds; arrays that nobody asked for in the way.
    want = jax.eval_shape(lambda: {"weights": state(0, 1, 2, 3, 4)["weights"]})
    found, _ = checkpoint.restore_state(path, want, partial=True, repeat=True)
    np.testing.assert_array_equal(found["weights"][0][4], state(1, 2)["weights"][0][0])


def test_a_failure_while_writing_leaves_the_old_file(path, monkeypatch):
    # Would break: writing in place; a half-written file left lying.
    before, write = path.read_bytes(), np.lib.format.write_array

    def fails(file, array, **options):
        if array.dtype == bool:
            raise RuntimeError("pulled the plug")
        write(file, array, **options)

    monkeypatch.setattr(np.lib.format, "write_array", fails)
    with pytest.raises(RuntimeError, match="pulled the plug"):
        checkpoint.save(path, [state(5, 6)], {})
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def crafted(path: Path, facts: dict, array: np.ndarray) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("facts.json", json.dumps(facts))
        with archive.open("0/0.npy", "w") as entry:
            np.lib.format.write_array(entry, array, allow_pickle=True)
    return path


def test_nothing_is_unpickled(tmp_path):
    # Would break: a checkpoint from a stranger that runs the stranger's code.
    bomb = np.array([Bomb(tmp_path / "touched")], object)
    path = crafted(tmp_path / "bomb.npz", {"format": 2, "leaves": ["w"]}, bomb)
    with pytest.raises(UserError, match="damaged"):
        checkpoint.restore_state(path, jax.eval_shape(lambda: {"w": jnp.zeros(1)}))
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda like: like | {"more": like["steps"]}, "it has no more"),
        (lambda like: {key: like[key] for key in like if key != "ring"}, r"it also holds ring\.action"),
        (
            lambda like: like | {"steps": jax.ShapeDtypeStruct((4,), "float32")},
            r"steps is int32\[4\], not float",
        ),
        (lambda like: jax.eval_shape(lambda: state(0, 1, 2)), r"is .*\[4.*\], not .*\[3"),
    ],
    ids=["lacks", "holds more", "other type", "other seeds"],
)
def test_another_runs_checkpoint(path, change, said):
    # Would break: arrays that are taken for others of the same place in the file.
    with pytest.raises(UserError, match=said):
        checkpoint.restore_state(path, change(LIKE))


def test_what_is_no_checkpoint(tmp_path):
    # Would break: a traceback, or a guess, where a sentence belongs.
    with pytest.raises(UserError, match="there is no checkpoint at"):
        checkpoint.restore_state(tmp_path / "nothing.npz", LIKE)
    np.savez(tmp_path / "foreign.npz", x=np.zeros(2))
    with pytest.raises(UserError, match="no checkpoint of covey's"):
        checkpoint.restore_state(tmp_path / "foreign.npz", LIKE)
    newer = crafted(tmp_path / "newer.npz", {"format": 99, "leaves": []}, np.zeros(1))
    with pytest.raises(UserError, match="format 99, and this covey reads format 2"):
        checkpoint.restore_state(newer, LIKE)
