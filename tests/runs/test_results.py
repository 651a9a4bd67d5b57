"""The summary of an evaluation: win rates in words and in JSON."""

import json

import numpy as np
import pytest

from covey.core import Spec
from covey.runs.results import summarise

SPEC = Spec(("a", "b"), features=1, actions=2, horizon=9)


def evaluation(won, name="won"):
    won = np.asarray(won, np.float32)
    zeros = lambda *dims: np.zeros((*won.shape, *dims), np.float32)
    results = {"teams": zeros(1), "agents": zeros(2), "length": zeros(), "counts": {name: won}}
    return summarise(SPEC, results, "team")


def test_win_rates_of_seeds():
    # Would break: episodes of all seeds in one row; a mean where a median is named; quartiles of episodes.
    told = evaluation([[1, 1, 1, 1], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    *_, line = str(told).splitlines()
    assert line.startswith("win rate: median 37.5 % of 4 seeds (quartiles 18.8 % to 62.5 %), IQM 37.5 %, ")
    written = json.loads(json.dumps(told.to_json()))
    assert written["counts"] == {"won": 0.4375}
    assert written["win_rate"]["median"] == 0.375
    assert written["win_rate"]["mean"] == 0.4375
    assert written["win_rate"]["per_seed"] == [1.0, 0.5, 0.25, 0.0]


def test_the_win_rate_of_one_seed_has_the_interval_of_its_episodes():
    # Would break: the bootstrap of one seed, which is a point. Wilson's of 8 in 10 by hand:
    # (0.8 + z²/20 ± z √(0.8 · 0.2 / 10 + z² / 400)) / (1 + z²/10), z = 1.96
    *_, line = str(evaluation([[1] * 8 + [0] * 2])).splitlines()
    assert line == "win rate: 80.0 % of 10 episodes, 95 % interval [49.0 %, 94.3 %]"


@pytest.mark.parametrize("name", ["captures", "lost"])
def test_no_win_rate_where_nothing_is_won(name):
    # Would break: any count taken for a win.
    told = evaluation([[1, 0]], name)
    assert "win_rate" not in told.to_json()
    assert len(str(told).splitlines()) == 1
