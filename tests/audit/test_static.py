"""The effect audit before training: each planted defect is caught and named; what is sound is let through."""

import re

import pytest

from audit.cases import OPTIONS, planted, refusal
from covey.audit.module_checks import switches
from covey.audit.static import examine, learner_settings
from covey.audit.traced import TracedLearner
from covey.config.config import Config
from covey.errors import UserError
from covey.runs.engine import Engine

SENTENCES = {
    "NeverCalled": r"online\.extra is never called: neither acting nor learning depends on it",
    "NotGivenToTheOptimiser": r"online\.mixer never moves.*no optimiser state belongs.*ops\.init_opt_state",
    "ReadButUnused": r"bonus=0\.5 changes nothing.*its result is not used",
    "TargetNeverUpdated": r"target never follows: update returns it as it was",
    "TargetIsOnline": r"target is online itself",
    "UnreadSetting": r"clip_reward=10\.0 changes nothing.*nobody reads it",
    "DetachedTerm": r"the loss term error has a value but no gradient.*stop_gradient too many",
    "UnwrappedTeacher": r"frozen_teacher never moves.*wrap it in covey\.core\.Frozen if it is meant to stay",
    "UnwrappedTargetNeverUpdated": r"target never moves.*follow online, wrap it in covey\.core\.Target",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SENTENCES)
def test_refused_before_training(name):
    # Would break: a defect that the traced programs show, and that is let through; a role read from a name.
    assert re.search(SENTENCES[name], refusal(planted(name)))


@pytest.mark.slow
@pytest.mark.parametrize("value", ["no", "off", '"false"', "False_"])
def test_a_truth_value_as_text(value):
    # Would break: text, which Python takes for true, where false was meant. Other text may be meant.
    sentence = r"double is the text '(no|off|false)', and Python takes any text for true: annotate it as bool"
    config = planted("TruthAsText", f"double={value}")
    if value == "False_":
        examine(config, Engine(config).trainer)
    else:
        assert re.search(sentence, refusal(config))


@pytest.mark.slow
def test_a_frozen_module_stays_by_choice():
    # Would break: a run stopped for a module that its type says is meant to stay.
    config = planted("FrozenTeacher")
    assert examine(config, Engine(config).trainer).off == ["frozen_teacher"]


@pytest.mark.slow
def test_a_mode_that_somebody_chose():
    # Would break: a run stopped for a module that the chosen mode has no use for; a module that no mode uses,
    # let through because some mode was chosen.
    for settings, off in (
        ([], "ppo.actor.networks.nets.layers.layers.2 (output=weights)"),
        (["layers=all"], "ppo.actor (layers=all)"),
    ):
        config = Config.parse("hyper_mappo", "spread", ["output=weights", *settings], OPTIONS)
        modules = [name for name in examine(config, Engine(config).trainer).off if "(" in name]
        assert modules == [off]
    assert re.search(SENTENCES["NeverCalled"], refusal(planted("NoExcuse", "mode=half")))


def test_chosen_settings_are_tried_first():
    # Would break: a dozen learners traced, a second each, before the right setting; a default blamed.
    config = Config.parse("mappo", "probe/death", ["normalise_values=false"], OPTIONS)
    trainer = Engine(config).trainer
    traced = TracedLearner(trainer.slots[0], trainer.spec, trainer.copies, trainer.length)
    (first, _), *others = switches(learner_settings(config.learners[trainer.slots[0].name], {}, traced)[0])
    assert first.path == "normalise_values" and len(others) > 5


def test_a_chosen_part_keeps_its_own_defaults():
    # Would break: `actor=feed_forward actor.gain=.01` refused for a default that a gain turns off.
    config = Config.parse("mappo", "two_step", ["actor=feed_forward", "actor.gain=.01"], OPTIONS)
    trainer = Engine(config).trainer
    traced = TracedLearner(trainer.slots[0], trainer.spec, trainer.copies, trainer.length)
    tried, _ = learner_settings(config.learners[trainer.slots[0].name], {}, traced)
    chosen = [setting.path for setting in tried.settings if tried.is_chosen(setting)]
    assert chosen == ["actor", "actor.gain"]


@pytest.mark.slow
def test_idle_settings():
    """A setting that another one turns off is no defect; choosing a value for it is."""
    # Would break: an idle default that stops a run, or a chosen one that does not.
    sentence = refusal(Config.parse("vdn", "two_step", {"mixer_input": "observations"}, OPTIONS))
    assert "mixer_input=observations changes nothing here: it acts with mixer=monotonic" in sentence
    config = Config.parse("vdn", "two_step", {}, OPTIONS)
    examine(config, Engine(config).trainer)


@pytest.mark.slow
def test_one_network_needs_no_critic():
    # Would break: an alarm for the critic's settings, which one network leaves idle; the coefficient unread;
    # a critic that somebody described, and nobody makes.
    config = Config.parse("ippo", "two_step", {"trunk": "shared", "trunk.value_coefficient": 0.7}, OPTIONS)
    findings = examine(config, Engine(config).trainer)
    assert [v.setting.path for v in findings.settings if v.read] == ["trunk.value_coefficient"]
    sentence = refusal(Config.parse("ippo", "two_step", {"trunk": "shared", "critic.hidden": 8}, OPTIONS))
    assert "critic.hidden=8 changes nothing here: it acts with trunk=separate" in sentence
    config = Config.parse("mappo", "two_step", {"trunk": "shared"}, OPTIONS)
    with pytest.raises(UserError, match="set critic_input=own"):
        Engine(config).start()


def test_settings_of_a_world():
    # Would break: a world's option that nobody reads, missed because only learners are traced.
    config = Config.parse("qmix", "spread", {"env.agents": 4}, OPTIONS)
    findings = examine(config, Engine(config).trainer)
    assert [v.setting.path for v in findings.settings if v.read] == ["env.agents"]
