"""Defects that do the wrong thing, planted in algorithms and mixers; the table of all is in benchmarks.

CI takes a few of each kind of check. The nightly tier takes all of them, and false alarms over all that covey
ships in every kind of world.
"""

import pytest
from benchmarks.planted.table import DEFECTS, SOUND, STOPPED, TOLD, UNSEEN, Defect
from benchmarks.planted_faults import alarms, before_training, catch

from audit.cases import OPTIONS, audit_run, planted

FEW = (
    "RewardClippedAway",
    "GradientThroughTarget",
    "MomentsBegunAnew",
    "Swapped",
    "DetachedTermByHand",
    "SameDrawsAlways",
    "AgentsLeftOut",
    "EntropyMinimised",
    "DivergenceFromItself",
    "CriticBeside",
)
BY_NAME = {defect.name: defect for defect in DEFECTS}


@pytest.mark.slow
@pytest.mark.parametrize("name", FEW)
def test_caught_before_training(name):
    # Would break: a defect that the traced programs show, and that nobody is told of, or by another's name.
    defect = BY_NAME[name]
    caught, said = before_training(defect)
    assert caught == defect.caught and defect.words in said


@pytest.mark.slow
@pytest.mark.parametrize("defect", SOUND[:2], ids=lambda defect: defect.name)
def test_nothing_is_said_of_what_is_sound(defect):
    # Would break: a false alarm, which is worse than a defect that is missed.
    assert before_training(defect) == (UNSEEN, "")


@pytest.mark.slow
def test_a_short_run_is_judged_on_what_there_is():
    # Would break: a run of a few updates in which a network cannot learn, and nothing said of it at its end;
    # a target called stuck before its period is over.
    short = {"steps": 150, "report_every": 150}
    report = audit_run(planted("TimesZero", options=OPTIONS | short), chunks=1)
    assert not report.judged and 0 < max(report.updates.values()) < 20
    assert any(note.startswith("online.extra had no gradient") for note in report.notes)
    assert not any(note.startswith("target") for note in report.notes)


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_every_planted_defect(defect: Defect):
    # Would break: a defect that is no longer caught where the table says, or not by its sentence.
    assert catch(defect)["as listed"] == "yes"


@pytest.mark.slow
@pytest.mark.nightly
def test_no_false_alarm():
    # Would break: anything said of a sound algorithm in any kind of world.
    assert alarms() == []


def test_the_table_names_every_class_once():
    # Would break: a defect planted and never tried; fewer of them than docs/effect.md says.
    assert len(BY_NAME) == len(DEFECTS) >= 57
    assert sum(defect.caught in (STOPPED, TOLD) for defect in DEFECTS) >= 45
