"""The learning curve: the right numbers, and a picture."""

import numpy as np
import pytest

from covey.runs.metrics import curves
from covey.show.plot import learning_curve


def row(report, seed, value):
    return {"report": report, "seed": seed, "step": 100 * report + seed, "loss": 1.0} | value


ROWS = [
    *(row(1, seed, {}) for seed in range(2)),
    *(row(2, seed, {"eval": 10.0 + seed}) for seed in range(2)),
    *(row(3, seed, {"eval": None}) for seed in range(2)),
    *(row(4, seed, {"eval": 20.0 + seed}) for seed in range(2)),
    row(5, 0, {"eval": 30.0}),  # where the run broke off
]


def test_curves_hold_every_seed_where_all_have_a_value():
    # Would break: seeds mixed up, reports without evaluation taken for 0, a last report that is not whole.
    steps, values = curves(ROWS, "eval")
    np.testing.assert_array_equal(steps, [200.5, 400.5])
    np.testing.assert_array_equal(values, [[10, 11], [20, 21]])


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_picture_comes_out(tmp_path, seeds):
    # Would break: anything that matplotlib refuses or warns of, for one seed or several.
    path, rows = tmp_path / "curve.png", [row for row in ROWS if row["seed"] < seeds]
    assert learning_curve(path, rows, "eval", "qmix on spread", "greedy return")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_nothing_to_draw(tmp_path):
    # Would break: an empty picture, or an error, after a run that was never evaluated.
    assert not learning_curve(tmp_path / "curve.png", ROWS, "unheard of", "", "")
    assert not list(tmp_path.iterdir())
