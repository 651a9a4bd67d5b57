"""Every algorithm in battles: it trains, resumes to the bit, and keeps to the legal actions."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.config.catalogue import ALGORITHMS
from covey.config.config import Config
from covey.runs import run
from covey.runs.engine import Engine
from runs.folders import assert_same_arrays

pytestmark = pytest.mark.slow

ALL = sorted(name for name in ALGORITHMS if name != "wqmix")  # wqmix is cw_qmix
USUAL = {"qmix"}
CLOSE = {  # so close that somebody dies within an episode
    "env.allies": [["marine", 3, 14, 16]],
    "env.enemies": [["marine", 2, 18, 16], ["marine", 1, 18, 17]],
    "env.horizon": 10,
}
REPLAY = {"experience.capacity": 64, "experience.batch_size": 8}
AGENT = {"agent.hidden": 8}
ACTOR = {"actor.hidden": 8, "critic.hidden": 8}
ROLLOUT = {"experience.steps": 10}  # the authors' 400 would leave time for one update
STEPS = {
    "experience.capacity": 400,
    "experience.batch_size": 16,
    "experience.start": 40,
    "experience.every": 20,
}
SMALL = {
    **dict.fromkeys(("iql", "vdn", "qmix", "cw_qmix", "ow_qmix"), REPLAY | AGENT),
    **dict.fromkeys(("pqn_iql", "pqn_vdn", "pqn_qmix"), AGENT),
    "coma": ACTOR,
    **dict.fromkeys(("ippo", "mappo", "hyper_mappo"), ACTOR | ROLLOUT),
    **dict.fromkeys(("maddpg", "dual_q"), ACTOR | STEPS),
}
TWO = {"allies": "qmix", "enemies": "mappo"}
OPTIONS = {"seeds": 1, "envs": 4, "eval_episodes": 4, "report_every": 80, "eval_every": 160}


def config(algorithm: str, steps: int = 320, **more) -> Config:
    settings = CLOSE | SMALL.get(algorithm, {}) | more
    return Config.parse(algorithm, "skirmish/3m", settings, {"preset": "original", "steps": steps} | OPTIONS)


def played(algorithm: str):
    """Return 40 steps of 16 copies twice, first exploring and then greedy, as trajectories."""
    trainer = Engine(config(algorithm)).trainer

    @jax.jit
    def play(key):
        learners = trainer.init(key).learners
        actors = trainer.begin(learners, key, 16)
        both = (
            trainer.rollout(learners, actors, key, jnp.array(0), 40, explore) for explore in (True, False)
        )
        return [rollout.trajectory for rollout in both]

    return jax.tree.map(np.asarray, play(jax.random.key(3)))


def few(names):
    """Return names, of which all but the usual ones wait for the night."""
    return [name if name in USUAL else pytest.param(name, marks=pytest.mark.nightly) for name in names]


@pytest.mark.parametrize("algorithm", few(ALL))
def test_only_legal_actions_and_the_dead_do_nothing(algorithm):
    # Would break: a mask that an algorithm ignores, greedy or exploring; an agent that acts after its death.
    for seen in played(algorithm):
        legal = seen.obs.legal[:, :-1]
        assert np.take_along_axis(legal, seen.action[..., None], axis=-1).all()
        assert not legal.all(axis=(0, 1, 2)).any()  # there is none that is always legal
        dead = ~seen.obs.alive[:, :-1]
        assert dead.any()
        assert (seen.action[dead] == 0).all()


@pytest.mark.parametrize("algorithm", few(name for name in ALL if name in SMALL))
def test_two_updates_and_a_resumed_run_is_the_unbroken_one(algorithm, tmp_path):
    # Would break: an alarm of the audit; a battle under way that a checkpoint loses, in any of its timers.
    whole = run.train_run(config(algorithm), tmp_path / "whole", quiet=True).folder.path
    assert json.loads((whole / "summary.json").read_text())["updates"] >= 2
    half = run.train_run(config(algorithm, steps=160), tmp_path / "half", quiet=True).folder.path
    run.resume_run(half, 320, quiet=True)
    assert_same_arrays(whole, half)


@pytest.mark.nightly
def test_two_sides_learn_by_two_algorithms(tmp_path):
    # Would break: a side that is paid, observed or trained as the other; two learners on one battle.
    more = {f"{team}.{name}": value for team, own in TWO.items() for name, value in SMALL[own].items()}
    pair = "+".join(f"{team}={name}" for team, name in TWO.items())
    settings = config(pair, **{"env.enemy": "policy", "allies.target.period": 1}, **more)
    path = run.train_run(settings, tmp_path / "both", quiet=True).folder.path
    summary = json.loads((path / "summary.json").read_text())
    assert summary["updates"] >= 4
    assert summary["eval"]["teams"].keys() == TWO.keys()
    assert all(module["moved"] == 1 for module in summary["audit"]["modules"].values())
