"""The benchmark beside JaxMARL's scripts, with a fake script in their place."""

import sys
from argparse import Namespace
from pathlib import Path

import pytest
from benchmarks.idle import cores_in_use, wait_until_idle
from benchmarks.jaxmarl_training import MATCHES, Match, commands, measure, row
from benchmarks.peers.jaxmarl_worker import changed
from benchmarks.peers.worker import Worker, WorkerError
from benchmarks.training import Work

from covey.errors import UserError

SCRIPT = """
import hydra
import jax
import jax.numpy as jnp
import wandb


def make_train(config):
    config["NUM_UPDATES"] = config["TOTAL_TIMESTEPS"] // config["NUM_STEPS"] // config["NUM_ENVS"]

    def train(rng):
        def _update_step(runner_state, unused):
            weights, count = runner_state
            metric = jnp.sum(weights @ weights)
            callback = wandb.log if False else None
            jax.experimental.io_callback(callback, None, metric)
            return (jnp.tanh(weights @ weights), count + 1), metric

        runner_state = (jax.random.normal(rng, (8, 8)), 0)
        runner_state, metric = jax.lax.scan(
            _update_step, runner_state, None, config["NUM_UPDATES"]
        )
        return {"runner_state": runner_state, "metrics": metric}

    return train


@hydra.main(version_base=None, config_path="config")
def main(config):
    raise SystemExit("no benchmark calls this")
"""
CONFIG = '"NUM_STEPS": 3\n"NUM_ENVS": 1\n"TOTAL_TIMESTEPS": 1e7\n"BUFFER_SIZE": 40\n'
VALUES = {"experience.capacity": 40, "experience.batch_size": 4, "agent.hidden": 8}


@pytest.fixture
def options(tmp_path: Path) -> Namespace:
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "script.py").write_text(SCRIPT)
    (tmp_path / "baselines" / "config.yaml").write_text(CONFIG)
    settings = {"repetitions": 2, "limit": 300.0, "idle": 100.0, "patience": 0.0}
    return Namespace(jaxmarl=tmp_path, python=Path(sys.executable), **settings)


@pytest.fixture
def match(monkeypatch: pytest.MonkeyPatch) -> Match:
    work = Work("vdn", VALUES, 4, "two_step")
    monkeypatch.setitem(MATCHES, "fake", Match("script.py", "config.yaml", work, updates=10))
    return MATCHES["fake"]


# Breaks if a contestant's process does not start, train, or tell its steps, or if the rates are not compared.
@pytest.mark.slow
def test_both_contestants_take_turns(options, match):
    result = measure(commands("fake", 2, options), options)
    assert result["JaxMARL"]["flops a step"] == 2 * 8**3 / (3 * 4)  # one product an update, none twice
    assert result["covey"]["flops a step"] > 0
    for who in ("JaxMARL", "covey"):
        line = row("fake", who, result, 1e11)
        assert result[who]["rate"]["low"] > 0 and result[who]["memory"] > 1e6
        assert "failed" not in result[who] and float(line["compile s"]) > 0
    assert result["ratio"]["median"] > 0


# Breaks if a contestant that fails takes the other one with it, or the reason with it.
@pytest.mark.slow
def test_the_other_contestant_goes_on(options, match):
    (options.jaxmarl / "baselines" / "script.py").write_text("raise ValueError('no such world')")
    contestants = commands("fake", 1, options)
    contestants["covey"] = contestants["JaxMARL"]
    result = measure(contestants, options)
    assert "is not the script" in result["JaxMARL"]["failed"]
    assert "ratio" not in result and row("fake", "covey", result, 1.0)["times JaxMARL's"] == ""


# Breaks if a published script is timed with its callbacks, or from its start in every turn.
def test_scripts_are_changed_in_three_places():
    text = changed(SCRIPT, "script.py")
    assert "def train(rng, before=None):" in text
    assert 'runner_state if before is None else before, None, config["TURN_UPDATES"]' in text
    assert "io_callback" not in text
    recurrent = SCRIPT.replace("_update_step, runner_state,", "_update_step, (runner_state, 0),")
    assert "(runner_state, 0) if before is None else before" in changed(recurrent, "script.py")
    with pytest.raises(SystemExit, match="is not the script that this benchmark knows"):
        changed(SCRIPT.replace("def train(rng)", "def train(key)"), "script.py")


# Breaks if the work is called equal although a published setting is another one.
def test_unequal_work_is_refused(options, match):
    assert match.configuration(options.jaxmarl)["NUM_ENVS"] == 4
    (options.jaxmarl / "baselines" / "config.yaml").write_text(CONFIG.replace("40", "50"))
    with pytest.raises(UserError, match=r"BUFFER_SIZE is 50, but experience\.capacity is 40"):
        match.configuration(options.jaxmarl)


# Breaks if a contestant that hangs, as XLA may, holds the benchmark up for ever, or a dead one is waited for.
def test_a_worker_that_does_not_answer():
    code = "import time; print('a warning', flush=True); print(3, flush=True); time.sleep(60)"
    with (
        Worker([sys.executable, "-c", code], limit=1.0) as worker,
        pytest.raises(WorkerError, match="no answer within 1 s"),
    ):
        worker.answer()
    assert worker.process.poll() is not None
    with (
        Worker([sys.executable, "-c", "raise ValueError('broken')"], limit=60.0) as worker,
        pytest.raises(WorkerError, match="ended: ValueError: broken"),
    ):
        worker.answer()


# Breaks if a busy machine is called idle.
def test_idleness():
    assert cores_in_use(0.05) >= 0
    assert "NOT IDLE" not in wait_until_idle(bound=1e6, patience=0.0)
    assert "NOT IDLE" in wait_until_idle(bound=0.0, patience=0.0)
