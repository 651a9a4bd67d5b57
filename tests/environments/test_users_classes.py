"""Users' classes of other libraries: trained by `file.py:Name`, unchanged."""

from pathlib import Path

import numpy as np
import pytest

from covey.config.config import Config
from covey.config.making import make_environment
from covey.errors import UserError
from covey.runs import run
from covey.show.describe import describe_name

TOYS = Path(__file__).parents[1] / "toys"
XUANCE = f"{TOYS / 'xuance_style.py'}:Chase"
PYMARL = f"{TOYS / 'pymarl_style.py'}:Lift"
JAXMARL = f"{Path(__file__).parent / 'test_jaxmarl.py'}:SimpleMPE"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), [(XUANCE, ["env.sides=3"]), (PYMARL, ["env.weight=2.0"])])
def test_a_class_trains_from_its_file(name, options, tmp_path):
    # fails if a class is not recognised, an option does not reach it, or the run cannot be finished
    settings = ["agent=feed_forward", "agent.hidden=4", "experience.capacity=4", "experience.batch_size=2"]
    run_options = {"seeds": "1", "steps": "40", "envs": "2", "eval_episodes": "2"}
    config = Config.parse("iql", name, [*settings, *options], run_options)
    folder = run.train_run(config, tmp_path / "run", quiet=True).folder
    summary = folder.read_json(folder.summary)
    assert summary["status"] == "finished"
    assert summary["eval"]["length"] == 4


def test_a_xuance_class():
    # fails if the configuration, the masks, the dead, the state, the reward or the end are not XuanCe's
    env, tree = make_environment(XUANCE, {"sides": 3})
    assert tree["sides"] == 3
    spec = env.spec
    assert (spec.names, spec.features, spec.state, spec.actions, spec.horizon) == (
        ("scout_0", "scout_1"), 2, 3, 3, 4,
    )  # fmt: skip
    seen = env.reset(5)
    np.testing.assert_array_equal(seen.state, env.reset(5).state)
    side = int(seen.state[0])
    told = env.step(np.array([side, 2]))
    np.testing.assert_array_equal(told.reward, [1.0, 0.0])
    assert told.obs.alive.all()
    env.step(np.array([0, 0]))
    told = env.step(np.array([0, 0]))
    np.testing.assert_array_equal(told.obs.alive, [True, False])
    assert told.obs.legal[1].sum() == 1
    told = env.step(np.array([0, 0]))
    assert told.truncated
    assert not told.terminated


def test_a_pymarl_class():
    # fails if the masks, the team's reward, the time limit or what `info` tells are not PyMARL's
    env, _ = make_environment(PYMARL, {"weight": 2.0})
    spec = env.spec
    assert (spec.features, spec.state, spec.actions, spec.horizon) == (2, 4, 2, 4)
    assert env.counts == ("lifts",)
    env.reset(0)
    told = env.step(np.array([1, 1]))
    np.testing.assert_array_equal(told.reward, [2.0, 2.0])
    np.testing.assert_array_equal(told.obs.legal, [[True, False], [True, False]])
    for action in (0, 1, 0):
        told = env.step(np.array([action, 0]))
    assert told.truncated
    assert not told.terminated
    assert told.counts == {"lifts": 0.0}


def test_settings_are_listed_and_checked():
    # fails if a user cannot see a class's settings, or a mistyped one ends in a traceback
    assert "env.weight" in describe_name(PYMARL)
    with pytest.raises(UserError, match=r"no setting 'env\.wieght'"):
        make_environment(PYMARL, {"wieght": 2.0})
    with pytest.raises(UserError, match="sides is read by"):
        make_environment(XUANCE)


def test_a_jaxmarl_class_is_compiled():
    # fails if a class with `step_env` is taken for one that steps in Python
    env, _ = make_environment(JAXMARL, {"max_steps": 3, "team": ["a", "b"]})
    assert env.spec.horizon == 3
    assert env.spec.teams == ("a", "b")
    assert hasattr(env, "one")
