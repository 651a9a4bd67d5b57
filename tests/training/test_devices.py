"""Eight devices learn what one does, whichever way they are spread over seeds and copies."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from training.many_devices import LAYOUTS, WORK

WORKER = Path(__file__).with_name("many_devices.py")
REFERENCE, *OTHERS = LAYOUTS


@pytest.fixture(scope="module", params=list(WORK))
def found(request, tmp_path_factory) -> dict[str, dict[str, np.ndarray]]:
    """Return by layout the arrays of an algorithm that was trained in each."""
    path = tmp_path_factory.mktemp("devices") / "arrays.npz"
    flags = re.sub(r"(device_count)=\d+", r"\1=8", os.environ["XLA_FLAGS"])
    environment = os.environ | {"XLA_FLAGS": flags}
    worker = [sys.executable, str(WORKER), request.param, str(path)]
    result = subprocess.run(worker, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    with np.load(path) as file:
        arrays = dict(file)
    own = lambda layout: {k.removeprefix(f"{layout}: "): x for k, x in arrays.items() if k.startswith(layout)}
    return {layout: own(layout) for layout in LAYOUTS}


@pytest.mark.slow
@pytest.mark.parametrize("layout", OTHERS)
def test_many_devices_learn_what_one_does(found, layout):
    # Breaks where a share of the batch is lost, counted twice or averaged wrongly; where seeds in one kernel
    # mix; or where devices that share a seed draw different steps.
    assert found[layout].keys() == found[REFERENCE].keys()
    for name, expected in found[REFERENCE].items():
        # A mean that is only reported is the mean of the devices' means, `ops.mean(..., exact=False)`.
        loose = name.startswith("metrics") and name.endswith(("q", "td_error"))
        tolerance = {"rtol": 0.05} if loose else {"rtol": 1e-5, "atol": 1e-5}
        np.testing.assert_allclose(found[layout][name], expected, **tolerance, err_msg=name)


@pytest.mark.slow
def test_there_was_something_to_learn(found):
    # Breaks where the test above compares learners that never moved, or two seeds that are one.
    arrays = found[REFERENCE]
    losses = [x for name, x in arrays.items() if name.endswith("loss")]
    assert any(np.isfinite(x).any() and np.nanmax(np.abs(x)) > 0 for x in losses)
    weights = [x for name, x in arrays.items() if name.startswith("learners") and x.dtype.kind == "f"]
    assert any((x[0] != x[1]).any() for x in weights)
