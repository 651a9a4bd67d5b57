"""Runs whose checkpoints hold weights alone."""

import numpy as np
import pytest

import covey
from covey.errors import UserError
from covey.runs import checkpoint
from runs.folders import arrays, rows

SMALL = {"agent": "feed_forward", "agent.hidden": 4, "experience.capacity": 64, "experience.batch_size": 4}
OPTIONS = {"seeds": 1, "envs": 2, "eval_episodes": 2, "report_every": 32, "audit": False, "save_every": 0}
QUIET = {"quiet": True, "report": False}


@pytest.mark.slow
def test_a_light_run_begins_anew_to_the_same_bits(tmp_path):
    # Breaks where a light run keeps its replay, goes on from half of a state, or ends on other weights.
    run = lambda name, **more: covey.train(
        "iql", "two_step", settings=SMALL, out=tmp_path / name, **OPTIONS | QUIET | more
    )
    whole = run("whole", steps=96)
    light = run("light", steps=64, light=True)
    weights = arrays(whole.path)
    assert len(arrays(light.path)) < len(weights)
    assert "resume_point" not in checkpoint.read_facts(light.path / "checkpoints" / "last.npz")
    with pytest.raises(UserError, match="a light run begins anew"):
        covey.resume(light.path, **QUIET)
    covey.resume(light.path, steps=96, **QUIET)
    assert rows(light.path) == rows(whole.path)
    same = [any(np.array_equal(x, y) for y in weights.values()) for x in arrays(light.path).values()]
    assert all(same)
