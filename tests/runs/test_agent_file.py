"""One agent's networks in a file of their own: written from a run, and where another one starts."""

import json
import zipfile

import jax
import numpy as np
import pytest

from covey.config.config import Config
from covey.errors import UserError
from covey.runs import checkpoint
from covey.runs.agent_file import export_agent, read_agent
from covey.runs.engine import Engine
from covey.runs.folder import RunFolder
from covey.runs.warm_start import with_weights

SMALL = ["critic_input=own", "actor=feed_forward", "critic=feed_forward", "actor.hidden=4", "critic.hidden=4"]


def engine(*settings, seeds=2, seed=0):
    options = {"seeds": seeds, "seed": seed, "envs": 2, "eval_episodes": 1, "preset": "original"}
    return Engine(Config.parse("mappo", "two_step", [*SMALL, *settings], options))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two seeds in which agents share nothing, and its first states."""
    folder = RunFolder.new(tmp_path_factory.mktemp("runs") / "run", "run")
    first = engine("sharing=none")
    first.config.to_yaml(folder.config)
    states = first.start()
    checkpoint.save(folder.last, states, {})
    return folder, first, first.join([state.learners for state in states])[0]


def nets(learner):
    return [*jax.tree.leaves(learner.actor.networks.nets), *jax.tree.leaves(learner.critic.networks.nets)]


def test_an_agents_file_is_where_others_start(run):
    # Would break: another agent's networks, or another seed's; a network that is left out; a team whose
    # agents do not all get them; optimiser states or a scale that come along.
    folder, first, old = run
    name = first.trainer.spec.names[1]
    path = export_agent(folder.path, name, None, None)
    assert path == folder.path / f"{name}.npz"
    agent = read_agent(path)
    assert agent.name == name and sorted(agent.nets) == [".actor.networks", ".critic.networks"]
    loaded = [x for where in (".actor.networks", ".critic.networks") for x in agent.nets[where]]
    for mine, theirs in zip(loaded, nets(old), strict=True):
        np.testing.assert_array_equal(mine, theirs[:, 1])
    one = export_agent(folder.path, name, folder.path / "one.npz", 1)
    other = engine("sharing=all", seeds=1, seed=7)
    (warm,) = with_weights(str(one), other, other.start())
    learner = other.join([warm.learners])[0]
    for mine, theirs in zip(nets(learner), nets(old), strict=True):
        np.testing.assert_array_equal(mine[0], theirs[1, 1])


FACTS = {"format": 1, "agent": "a", "team": "team", "networks": {".actor": ["w", "b"]}}
ARRAYS = {"w": np.ones((2, 3)), "b": np.ones((2, 1))}
WRONG = {
    "of another format": (FACTS | {"format": 2}, ARRAYS, "has format 2, and this covey reads format 1"),
    "a format of text": (FACTS | {"format": "1"}, ARRAYS, "format is text, and should be a whole number"),
    "no networks": ({"format": 1, "agent": "a", "team": "t"}, ARRAYS, "networks is missing"),
    "networks of numbers": (
        FACTS | {"networks": {"x": [1]}},
        ARRAYS,
        "is a whole number, and should be text",
    ),
    "facts of a list": ([FACTS], ARRAYS, "it is a list"),
    "an array too few": (FACTS, {"w": ARRAYS["w"]}, "is no agent's file"),
    "other seeds": (FACTS, ARRAYS | {"b": np.ones((3, 1))}, "its arrays are not of the same seeds"),
    "no seeds": (FACTS, {"w": np.ones((0, 3)), "b": np.ones((0, 1))}, "not of the same seeds"),
    "a scalar": (FACTS, {"w": np.ones(()), "b": np.ones(())}, "not of the same seeds"),
    "NaN": (
        FACTS,
        ARRAYS | {"b": np.full((2, 1), np.nan)},
        r"holds no numbers \(NaN or infinite\) in \.actor",
    ),
    "text": (FACTS, ARRAYS | {"b": np.array([["a"], ["b"]])}, "holds no numbers"),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", WRONG)
def test_an_agents_file_is_not_believed(name, packed, tmp_path):
    # Would break: an agent's file that is read past the one door, with a traceback, NaN or an endless zip.
    facts, arrays, said = WRONG[name]
    path = tmp_path / "agent.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        archive.writestr("agent.json", json.dumps(facts))
        for array, x in arrays.items():
            with archive.open(f"{array}.npy", "w") as entry:
                np.lib.format.write_array(entry, x)
    with pytest.raises(UserError, match="is packed, and covey's never are" if packed else said):
        read_agent(path)


def test_files_that_are_no_agents(run, tmp_path):
    # Would break: a traceback for what a user may well type.
    folder, *_ = run
    with pytest.raises(UserError, match=r"there is no agent 'nobody' in .*: there are agent_0, agent_1"):
        export_agent(folder.path, "nobody", None, None)
    with pytest.raises(UserError, match="trained seeds 0 to 1"):
        export_agent(folder.path, "agent_0", None, 2)
    (tmp_path / "text.npz").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "empty.npz", "w"):
        pass
    for file in ("text.npz", "empty.npz"):
        with pytest.raises(UserError, match="is no agent's file: `covey export RUN --agent NAME` writes one"):
            read_agent(tmp_path / file)
