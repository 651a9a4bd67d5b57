"""Pools of opponents in runs: who joins, and that nothing is lost where a run stops."""

import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from folders import arrays, assert_same_arrays, rows

from covey import yaml_text
from covey.config.config import Config
from covey.errors import UserError
from covey.runs import checkpoint, run
from covey.runs.engine import Engine
from covey.runs.pools import Member, PoolKeeper, thin_out

pytestmark = pytest.mark.slow  # runs are trained here

WORLDS = f"{Path(__file__).parents[1]}/toys/worlds.py"
SMALL = ["agent=feed_forward", "agent.hidden=4", "experience.capacity=64", "experience.batch_size=8"]
OPTIONS = {
    "seeds": 2,
    "steps": 400,
    "eval_every": 100,
    "eval_episodes": 8,
    "report_every": 100,
    "audit": False,
}


def config(algorithm: str, *settings: str, world: str = "Factions", **options) -> Config:
    return Config.parse(algorithm, f"{WORLDS}:{world}", [*SMALL, *settings], OPTIONS | options)


def trained(path: Path, algorithm: str, *settings: str, **options) -> Path:
    return run.train_run(config(algorithm, *settings, **options), path, True).folder.path


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Path:
    """A run in which both sides learned, with a checkpoint at every evaluation."""
    return trained(tmp_path_factory.mktemp("runs") / "one", "red=iql+blue=iql", "epsilon=.3", keep="all")


def members(path: Path, team: str = "blue") -> list[tuple[str, int]]:
    summary = json.loads((path / "summary.json").read_text())
    return [(Path(x["run"]).name, x["step"]) for x in summary["pools"][team]["members"]]


def kept_steps(path: Path) -> list[int]:
    return sorted(int(x.stem) for x in (path / "checkpoints").glob("*.npz") if x.stem.isdecimal())


# Would break: a newest member that goes, an end before the middle, a rule that sees other runs' steps.
def test_who_gives_way():
    steps = [0, 20, 40, 55, 60]
    of = lambda run, steps: [Member(run, step) for step in steps]
    assert thin_out(of(0, steps), 5) == of(0, steps)
    assert thin_out(of(0, steps), 4) == of(0, [0, 20, 40, 60])
    assert thin_out(of(0, steps), 3) == of(0, [0, 40, 60])
    assert thin_out([*of(1, [5]), *of(0, steps)], 3) == [*of(0, [0, 60]), *of(1, [5])]
    assert thin_out([*of(1, [5, 9]), *of(0, steps)], 2) == [*of(0, [60]), *of(1, [9])]


# Would break: another member, seed, key, carry or step than a frozen opponent's.
def test_a_pool_of_one_is_a_frozen_opponent(one, tmp_path):
    at = f"{one}@{kept_steps(one)[1]}"
    pool = trained(tmp_path / "pool", "iql", f"blue=pool:{at}", "blue.greedy=false", seeds=3)
    frozen = trained(tmp_path / "frozen", "iql", f"blue=run:{at}", "blue.greedy=false", seeds=3)
    extra = ("blue/elo", "blue/members")
    for ours, theirs in zip(rows(pool), rows(frozen), strict=True):
        assert ours["fingerprint"][0] == theirs["fingerprint"][0] and ours["seen"] == theirs["seen"]
        for name in theirs.keys() - {"fingerprint", *extra}:
            assert ours[name] == theirs[name], name
    step = int(at.partition("@")[2])
    whole_numbers = [x for x in arrays(frozen).values() if x.ndim == 1 and x.dtype == np.int32]
    assert any((x == step).all() for x in whole_numbers)  # the frozen opponent's schedules stay there
    assert members(pool) == [(Path(at).name, kept_steps(one)[1])]
    assert json.loads((pool / "summary.json").read_text())["pools"]["blue"]["members"][0]["games"] > 0


# Would break: weights, steps or a place of a member that are another's; a pool that no longer grows.
def test_a_pool_grows_with_its_run(one, tmp_path):
    young = tmp_path / "young"
    shutil.copytree(one, young)
    steps = kept_steps(one)
    for step in steps[2:]:
        (young / "checkpoints" / f"{step:09d}.npz").unlink()
    engine = Engine(config("iql", f"blue=pool:{young}", "blue.capacity=3", "blue.seed=1"))
    keeper = PoolKeeper(engine)
    assert keeper.open(new=True) == []
    first = keeper.begin(engine.start())
    assert [m.steps[0].tolist() for m in pools(first)] == [[*steps[:2], 0]] * len(first)
    np.testing.assert_allclose(pools(first)[0].weights[0], [0.5, 0.5, 0])
    for step in steps[2:]:
        shutil.copy(one / "checkpoints" / f"{step:09d}.npz", young / "checkpoints")
    grown = keeper.after_report(first, False)
    places = pools(grown)[0].steps[0].tolist()
    assert sorted(places) == [steps[0], steps[2], steps[4]]
    own = engine.join([m.members for m in pools(grown)])
    for place, step in enumerate(places):
        there = checkpoint.restore_state(
            one / "checkpoints" / f"{step:09d}.npz",
            {"learners": (None, jax.tree.map(lambda x: x[:, 0], own))},
            partial=True,
        )[0]["learners"][1]
        for x, y in zip(jax.tree.leaves(own), jax.tree.leaves(there), strict=True):
            np.testing.assert_array_equal(x[:, place], y[[1, 1]])
    assert keeper.after_report(grown, False)[0] is grown[0]  # who gave way does not come back
    shutil.rmtree(young)
    assert "nobody joins from pool:" in keeper.open(new=False)[0]
    assert keeper.after_report(grown, False)[0] is grown[0]


def pools(states: list) -> list:
    return [jax.tree.map(np.asarray, state.learners[1]) for state in states]


# Would break: a member, a rating, a draw or a game under way that a checkpoint lacks.
def test_resumed_as_if_never_stopped(tmp_path):
    settings = ("blue.capacity=3", "blue.sample=hard")
    start = lambda name, steps: trained(
        tmp_path / name, "red=iql+blue=pool:self", *settings, world="Duel", steps=steps, eval_every=100
    )
    whole = start("whole", 500)
    start("parts", 200)
    run.resume_run(tmp_path / "parts", 500, quiet=True)
    assert_same_arrays(whole, tmp_path / "parts")
    assert [x["seen"] for x in rows(whole)] == [x["seen"] for x in rows(tmp_path / "parts")]
    found = members(whole)
    assert len(found) == 3 and found[0] == ("self", 0) and found[-1][1] >= 500
    assert rows(whole)[-1]["blue/members"] == 3
    assert rows(whole)[-1]["blue/elo"] != 1000


# Would break: a run of the folder that is left out, or taken twice.
def test_a_folder_of_runs(one, tmp_path):
    for name in ("a", "b"):
        shutil.copytree(one, tmp_path / "league" / name)
        (tmp_path / "league" / name / "checkpoints" / "last.npz").unlink()
    (tmp_path / "league" / "notes").mkdir()
    parsed = config("iql", f"blue=pool:{tmp_path}/league,{one}")
    assert parsed.learners["blue"]["runs"] == [f"{tmp_path}/league/a", f"{tmp_path}/league/b", str(one)]


def said(call, *args, **options) -> str:
    with pytest.raises(UserError) as error:
        call(*args, **options)
    return str(error.value)


# Would break: a stranger's code that runs; a pool that mixes players, or begins with nobody.
def test_what_cannot_be_in_a_pool(one, tmp_path):
    bad = shutil.copytree(one, tmp_path / "bad")
    tree = yaml_text.read_file(bad / "config.yaml")
    tree["learners"]["blue"]["mixer"] = {"name": "evil.py:Mixer"}
    (bad / "config.yaml").write_text(yaml_text.to_text(tree))
    assert "you did not make this run here" in said(config, "iql", f"blue=pool:{bad}")
    refused = lambda *words, **options: said(trained, tmp_path / "none", "iql", *words, **options)
    assert "you did not make this run here" in refused(f"blue=pool:{one},{bad}")
    assert "there is no run folder at nowhere" in refused("blue=pool:nowhere")
    assert "blue=pool:a,,b lacks a run" in refused("blue=pool:a,,b")
    assert "names" in refused(f"blue=pool:{one},{one}") and "twice" in refused(f"blue=pool:{one},{one}")
    assert "no learner of this run can play blue" in refused("blue=pool:self")
    assert "is too few for 2 runs" in refused(
        f"blue=pool:{one},{one}@{kept_steps(one)[0]}", "blue.capacity=1"
    )
    assert "kept no checkpoint of step 7" in refused(f"blue=pool:{one}@7")
    assert "seed=2 is not in" in refused(f"blue=pool:{one}", "blue.seed=2")
    wide = shutil.copytree(one, tmp_path / "wide")
    tree = yaml_text.read_file(wide / "config.yaml")
    tree["learners"]["blue"]["agent"]["hidden"] = 5
    (wide / "config.yaml").write_text(yaml_text.to_text(tree))
    assert "acts in another way" in refused(f"blue=pool:{one},{wide}")
    shutil.rmtree(wide / "checkpoints")
    assert "has no checkpoint yet" in refused(f"blue=pool:{wide}")
    assert not (tmp_path / "none").exists()
    cut = shutil.copytree(one, tmp_path / "cut")
    file = cut / "checkpoints" / f"{kept_steps(one)[0]:09d}.npz"
    file.write_bytes(file.read_bytes()[:-50])
    assert "is damaged" in refused(f"blue=pool:{cut}")
