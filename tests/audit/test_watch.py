"""The effect audit while training: modules without gradient, losses of zeros; no alarm for what is sound."""

import re

import numpy as np
import pytest

from audit.cases import audit_run, planted, refusal
from covey.audit.modules import Anatomy
from covey.audit.watch import LearnerWatch
from covey.errors import UserError

SENTENCES = {
    "Detached": r"online\.agents had no gradient and did not move in \d+ updates.*stop_gradient",
    "MaskOfZeros": r"the loss terms error and size were exactly 0 in \d+ updates.*mask of all zeros",
    "TimesZero": r"online\.extra had no gradient.*multiplied by 0",
    "DetachedMixing": r"online\.mixer had no gradient",
}


@pytest.mark.parametrize("name", SENTENCES)
def test_refused_while_training(name):
    # Would break: a module without gradient, or a loss of zeros, that trains on to the end.
    assert re.search(SENTENCES[name], refusal(planted(name), chunks=1))


def test_a_loss_term_of_zeros():
    # Would break: one of several terms that never counts, hidden by the others; an unreported term refused.
    watch = LearnerWatch("", None, Anatomy(()), set(), ["error", "size", "unreported"])
    watch.record({"error": np.ones((1, 4)), "size": np.zeros((1, 4)), "epsilon": np.zeros((1, 4))})
    with pytest.raises(UserError, match="the loss term size was exactly 0 in 0 updates"):
        watch.check([])


@pytest.mark.slow
def test_no_alarm_where_nothing_is_wrong():
    # Would break: an alarm for what is sound; a move, a copy or a gradient that is not noticed.
    report = audit_run(planted("Sound", "small=0"), chunks=2)
    assert report.judged and report.notes == [] and report.off == ["small"]
    assert set(report.terms) == {"error", "size"}
    assert {"gamma", "target.period", "optimiser.lr.value"} <= set(report.settings_read)
    assert report.modules.keys() >= {"online", "online.agents", "online.mixer", "target"}
    assert all(module.moved == 1 for module in report.modules.values())
    assert report.modules["online.mixer"].gradient is True
    assert (
        report.explored and 0.05 < report.explored[""] < 0.3
    )  # half of what epsilon = 0.3 draws is greedy by chance


@pytest.mark.slow
def test_a_learner_without_roles():
    # Would break: a target that is copied seldom refused before its copy, where no type says that it is one.
    report = audit_run(planted("Unwrapped", "target.period=150"), chunks=2)
    assert report.judged and report.notes == []
    assert report.modules["target"].moved == 1 and report.modules["target"].gradient is None


@pytest.mark.slow
def test_off_by_choice():
    # Would break: an alarm where somebody has set the learning rate to 0.
    report = audit_run(planted("Sound", "optimiser.lr=0"), chunks=1)
    assert report.judged and "optimiser.lr.value" in report.off
    assert not any(module.moved for module in report.modules.values())


@pytest.mark.slow
def test_a_mode_that_somebody_chose():
    # Would break: a module that the chosen mode has no use for, let through at first and refused later.
    report = audit_run(planted("Modes", "mode=lean"), chunks=1)
    assert report.judged and report.off == ["online.extra (mode=lean)", "target.extra (mode=lean)"]
