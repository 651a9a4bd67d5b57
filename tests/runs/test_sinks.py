"""Sinks: every row in order, offline first, and a fault ends the sink and not the run."""

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import covey
from covey.errors import UserError
from covey.runs import sinks
from covey.runs.folder import RunFolder

MINE = """
import json
class Sink:
    def __init__(self, run):
        self.file = open(run.path / "mine.jsonl", "w")
    def write(self, row):
        print(json.dumps(row), file=self.file)
    def close(self):
        self.file.close()
class Faulty:
    def __init__(self, run):
        pass
    def write(self, row):
        raise OSError("the service is away")
"""
TINY = {
    "agent": "feed_forward",
    "agent.hidden": 4,
    "mixer.embed": 2,
    "experience.capacity": 64,
    "experience.batch_size": 4,
}
SHORT = {"seeds": 2, "steps": 64, "report_every": 32, "eval_every": 32, "eval_episodes": 2, "quiet": True}


class Module(ModuleType):
    """A package that records what it is asked."""

    def __init__(self, name: str, **content):
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None)
        self.__dict__.update(content)


class WandbRun:
    def __init__(self, asked: dict):
        self.asked = asked
        self.rows: list[tuple[dict, int]] = []
        self.finished = False

    def log(self, numbers: dict, step: int) -> None:
        self.rows.append((numbers, step))

    def finish(self) -> None:
        self.finished = True


def tracked(path: Path, offline: bool = True) -> sinks.TrackedRun:
    return sinks.TrackedRun("run", path, "qmix", "spread", {"gamma": 0.9}, first_seed=5, offline=offline)


ROWS = [
    {
        "report": 1,
        "seed": seed,
        "step": 100 * step,
        "loss": 0.5 / step,
        "td_error": None,
        "fingerprint": ["ff"],
    }
    for step in (1, 2)
    for seed in (0, 1)
]


def test_wandb_gets_a_run_for_each_seed(monkeypatch, tmp_path):
    # Would break: seeds in one run, another step, text as a metric, something sent while training.
    runs: list[WandbRun] = []

    def init(**asked) -> WandbRun:
        runs.append(WandbRun(asked))
        return runs[-1]

    monkeypatch.setitem(sys.modules, "wandb", Module("wandb", init=init))
    monkeypatch.delenv("WANDB_MODE", raising=False)
    made = sinks.make_sinks(["wandb"], tracked(tmp_path), print)
    for row in ROWS:
        made[0].write(row)
    sinks.close_sinks(made)
    assert [run.asked["config"]["seed"] for run in runs] == [5, 6]
    assert {run.asked["group"] for run in runs} == {"run"} and {run.asked["mode"] for run in runs} == {
        "offline"
    }
    assert runs[1].rows == [({"loss": 0.5}, 100), ({"loss": 0.25}, 200)] and all(run.finished for run in runs)
    sinks.make_sinks(["wandb"], tracked(tmp_path, offline=False), print)[0].write(ROWS[0])
    assert runs[-1].asked["mode"] == "online"


def test_mlflow_writes_into_the_folder(monkeypatch, tmp_path):
    # Would break: a server asked for, metrics without their step, a run left open.
    calls: list[tuple] = []

    class Client:
        def __init__(self, tracking_uri):
            calls.append(("client", tracking_uri))

        def get_experiment_by_name(self, name):
            return None

        def create_run(self, experiment, tags, run_name):
            return SimpleNamespace(info=SimpleNamespace(run_id=run_name))

        def __getattr__(self, name):
            return lambda *args, **options: calls.append((name, *args, *options.values())) or "7"

    monkeypatch.setitem(sys.modules, "mlflow", Module("mlflow", MlflowClient=Client))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    made = sinks.make_sinks(["mlflow"], tracked(tmp_path), print)
    for row in ROWS:
        made[0].write(row)
    sinks.close_sinks(made)
    assert calls[0][1].startswith(f"sqlite:///{tmp_path}")
    assert ("log_metric", "run seed 6", "loss", 0.25, 200) in calls
    assert [call[0] for call in calls].count("set_terminated") == 2


@pytest.mark.parametrize(
    ("name", "says"),
    [("wanbd", "did you mean wandb"), ("nowhere.py:Sink", "nowhere.py"), ("mlflow", "covey.mlflow")],
)
def test_wrong_sinks_are_refused(monkeypatch, name, says):
    # Would break: a run that trains for hours before anybody learns that the sink is none.
    monkeypatch.setattr(sinks.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=says):
        sinks.find_sink(name)


@pytest.mark.slow
def test_own_sinks(tmp_path, capsys):
    # Would break: a row lost or out of order; a faulty sink that ends the run; a sync that sends other rows.
    file = tmp_path / "mine.py"
    file.write_text(MINE)
    names = [f"{file}:Faulty", f"{file}:Sink"]
    run = covey.train(
        "qmix", "two_step", settings=TINY, out=tmp_path / "run", track=names, report=False, **SHORT
    )
    written = [json.loads(line) for line in (run.path / "mine.jsonl").read_text().splitlines()]
    assert written == run.metrics and run.summary["status"] == "finished"
    (run.path / "mine.jsonl").unlink()
    assert sinks.send_run(RunFolder(run.path), names[1], print) == len(written)
    assert [json.loads(line) for line in (run.path / "mine.jsonl").read_text().splitlines()] == written
    sinks.send_run(RunFolder(run.path), names[0], print)
    assert "OSError: the service is away); later: covey sync" in capsys.readouterr().out
