"""When a seed has arrived, in `benchmarks.skirmish_wins`."""

import numpy as np
from benchmarks.skirmish_wins import Arrival, arrival

STEPS = np.array([10.0, 20.0, 30.0, 40.0])


def test_one_lucky_test_is_no_arrival():
    # Breaks where a single test counts, or the second of the two is taken for the first.
    seconds = STEPS / 10
    assert arrival(np.array([1.0, 0.5, 0.9, 1.0]), STEPS, seconds) == Arrival(30.0, 3.0)
    assert arrival(np.array([1.0, 0.5, 0.5, 1.0]), STEPS, seconds) is None
