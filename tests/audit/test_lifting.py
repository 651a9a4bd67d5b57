"""Settings that are numbers, as inputs of the programs."""

import equinox as eqx
import jax

from audit.cases import planted
from covey.audit.lifting import numbers_in, put, value_at
from covey.audit.source import Source
from covey.audit.static import learner_settings
from covey.audit.traced import TracedLearner
from covey.config.making import algorithm_class, make_algorithm
from covey.runs.engine import Engine


def test_a_setting_is_put_where_its_constructor_keeps_it():
    # Would break: a number put into another object than the one that holds it: a promoted field, a factory.
    algorithm, _ = make_algorithm("hyper_mappo", {})
    for path, value in {
        "gamma": 0.5,
        "optimiser.lr.value": 0.25,
        "actor.gain": 3.0,
        "smooth_weight": 2.0,
    }.items():
        changed = put(algorithm, path.split("."), value)
        assert value_at(changed, path.split(".")) == value != value_at(algorithm, path.split("."))
        assert eqx.tree_equal(changed, make_algorithm("hyper_mappo", {path: value})[0])


def test_a_traced_number_may_be_an_option():
    # Would break: Equinox's warning, an error here, when an entity network's factory gets its interface.
    algorithm, _ = make_algorithm("mappo", {"actor": "entity", "actor.gain": 0.01})

    def trace(gain):
        actor = put(algorithm, ["actor", "gain"], gain).actor.offer(interface=None)
        assert dict(actor.options) == dict(algorithm.actor.options) | {"gain": gain, "interface": None}
        return gain

    jax.eval_shape(trace, 0.5)


def test_zeros_and_whole_numbers_stay_in_the_program():
    # Would break: what is off turned on by tracing it; a shape that is no number while it is traced.
    algorithm, _ = make_algorithm("qmix", {"gamma": 0})
    paths = [
        "gamma",
        "lam",
        "agent.hidden",
        "epsilon.start",
        "target.period",
        "double",
        "no.such",
        "optimiser",
    ]
    assert numbers_in(algorithm, paths) == {"epsilon.start": 1.0, "target.period": 200}


def test_a_number_that_is_asked_for_stays_in_the_program(tmp_path):
    # Would break: a class that asks `if self.bonus > 0` refused, or all of its numbers judged one by one.
    config = planted("AsksForANumber")
    trainer = Engine(config).trainer
    traced = TracedLearner(trainer.slots[0], trainer.spec, trainer.copies, trainer.length)
    _, settled = learner_settings(config.learners[trainer.slots[0].name], {}, traced)
    assert "bonus" not in settled.numbers and "gamma" in settled.numbers
    assert settled.depends_on("gamma")


def test_what_the_code_names():
    # Would break: a setting that nobody reads searched for at length; one that is read called unread.
    source = Source.of(algorithm_class(f"{planted('UnreadSetting').algorithm}"))
    assert source.never_reads("clip_reward") and not source.never_reads("bonus")
    source = Source.of(algorithm_class("hyper_mappo"))
    assert source.nearness("target_kl", "trust", "stop") > source.nearness("target_kl", "layers", "all")
