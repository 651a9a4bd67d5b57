"""Networks of entities in battles of other sizes: weights of one map start and play another."""

import jax
import jax.random as jr
import numpy as np
import pytest

from covey.config.config import Config
from covey.config.making import make_algorithm, make_environment
from covey.errors import UserError
from covey.runs import checkpoint
from covey.runs.engine import Engine
from covey.runs.evaluation import evaluate_run
from covey.runs.folder import RunFolder
from covey.runs.warm_start import with_weights

ENTITIES = {
    "qmix": {"agent": "entity", "mixer": "entity", "agent_id": False},
    "mappo": {"actor": "entity", "critic": "entity", "agent_id": False},
}


def shapes(algorithm, settings, world):
    learner = make_algorithm(algorithm, settings)[0]
    spec = make_environment(world)[0].spec
    of_map = jax.eval_shape(lambda key: learner.init(spec, key), jr.key(0))
    return {jax.tree_util.keystr(path): x.shape for path, x in jax.tree.leaves_with_path(of_map)}


@pytest.mark.parametrize("algorithm", ["qmix", "mappo"])
def test_weights_do_not_know_how_many_units_there_are(algorithm):
    # Breaks where a width depends on a map's number of units or actions, with default networks it does; or
    # where maps whose units tell other fields look alike.
    of = lambda world, settings=ENTITIES[algorithm]: shapes(algorithm, settings, world)
    assert of("skirmish/3m") == of("skirmish/8m") == of("skirmish/5m_vs_6m")
    assert of("skirmish/3m") != of("skirmish/2s3z")
    assert of("skirmish/3m", {}) != of("skirmish/8m", {})
    told = ENTITIES[algorithm] | {"agent_id": True}
    assert of("skirmish/3m", told) != of("skirmish/8m", told) or algorithm == "mappo"


def config(world, **run):
    options = {"seeds": 1, "envs": 2, "eval_episodes": 1, "preset": "original"} | run
    entities = [f"{name}={value}" for name, value in ENTITIES["mappo"].items()]
    sizes = ["env.horizon=4", "actor.hidden=8", "critic.hidden=8"]
    return Config.parse("mappo", world, [*entities, *sizes], options)


@pytest.mark.slow
def test_one_set_of_weights_starts_and_plays_battles_of_other_sizes(tmp_path):
    # Breaks where a warm start or an evaluation refuses a map whose weights have the same shapes, takes other
    # weights than the run's, or does not say why it refuses a map whose units tell more.
    first = config("skirmish/3m")
    folder = RunFolder.new(tmp_path / "first", "first")
    first.to_yaml(folder.config)
    trained = Engine(first).start()
    checkpoint.save(folder.last, trained, {})
    source = str(folder.path)
    other = Engine(config("skirmish/5m_vs_6m", seed=1))
    (warm,) = with_weights(source, other, other.start())
    pairs = zip(*(jax.tree.leaves(state.learners[0].actor) for state in (warm, trained[0])), strict=True)
    for new, old in pairs:
        np.testing.assert_array_equal(new, old)
    assert evaluate_run(source, 1, "skirmish/8m", {"horizon": 4}).environment == "skirmish/8m"
    more = Engine(config("skirmish/2s3z"))
    with pytest.raises(UserError, match=r"--from takes a run whose networks .*agent_id=false"):
        with_weights(source, more, more.start())
    with pytest.raises(UserError, match=r"--env skirmish/2s3z has 5 agents.*agent=entity, agent_id=false"):
        evaluate_run(source, 1, "skirmish/2s3z", {})
