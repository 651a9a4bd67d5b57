"""Worlds that misbehave: training stops with a sentence on what, where and when, and goes on where it can."""

import re

import numpy as np
import pytest

from covey.config.making import make_environment
from covey.errors import UserError
from covey.training.copies import Copy
from covey.training.world_forms import world_fault
from toys.broken import Compiled, Python

PYTHON = {
    "nan": r"gave observations of a that are not finite",
    "width": r"gave observations of shape \(2, 1\), which its spec says is \(2, 2\)",
    "text": r"gave observations of type <U\d+, and not numbers",
    "nothing": r"gave observations of shape \(\)",
    "ragged": r"gave observations that are no array of shape \(2, 2\)",
    "object": r"gave observations of type object, and not numbers",
    "complex": r"gave observations of type complex\d+, and not numbers",
    "reward nan": r"gave rewards of a that are not finite",
    "reward inf": r"gave rewards of a that are not finite",
    "reward beyond": r"gave rewards of a that no float32 holds",
    "reward scalar": r"gave rewards of shape \(\)",
    "reward text": r"gave rewards of type <U1, and not numbers",
    "reward width": r"gave rewards of shape \(3,\)",
    "reward none": r"gave rewards of shape \(\)",
    "count nan": r"gave nan as its count of won, which is no finite number",
    "count text": r"gave 'x' as its count of won",
    "no counts": r"returned None as its counts, and not a dict",
    "stuck": r"left a no legal action",
    "raises": r"failed at step 2 of an episode \(broken\.py, line \d+\): ZeroDivisionError: my own fault",
    "numpy": r"failed at step 2 of an episode \(broken\.py, line \d+\): ValueError: cannot reshape",
    "endless call": r"failed at step 2 of an episode \(broken\.py, line \d+\): RecursionError",
    "exit": r"failed at step 2 of an episode \(broken\.py, line \d+\): it called sys\.exit",
    "none": r"returned None from step, and not a covey\.core\.HostStep",
    "tuple": r"returned a tuple from step, and not a covey\.core\.HostStep",
    "a namespace": r"returned a SimpleNamespace from step, and not a covey\.core\.HostStep",
}
AT_ONCE = {
    "flag array": r"gave `terminated` as an array: it is true or false",
    "flag of one": r"gave `terminated` as an array: it is true or false",
    "reset": r"failed at step 0 of an episode \(broken\.py, line \d+\): KeyError: 'no map'",
    "reset none": r"returned None from reset, and not a covey\.core\.HostObservation, at step 0",
}


def play(fault: str, steps: int = 3) -> list[bool]:
    copy = Copy(Python(fault))
    copy.reset(0)
    outcomes = [copy.step(np.zeros(2, np.int8)) for _ in range(steps)]
    return [bool(outcome.terminated or outcome.truncated) for outcome in outcomes]


@pytest.mark.parametrize("fault", [*PYTHON, *AT_ONCE])
def test_a_python_world_is_stopped(fault):
    # Breaks if a fault is trained on, or ends in a traceback of covey's.
    said = PYTHON.get(fault) or AT_ONCE[fault]
    when = "" if "step 0" in said or "failed" in said else " at step [12] of an episode: mend the world"
    with pytest.raises(UserError, match=rf"broken {said}.*{when}"):
        play(fault)


def test_what_is_no_fault():
    # Breaks if types that may be cast, episodes of one step or endless ones stop a run.
    assert play("double", 4) == [False, False, False, True] == play("endless", 4)
    assert play("at once", 1) == [True]


COMPILED = {
    "width": r"The observation's `agents` from env\.reset has shape \(5, 2, 1\), .* needs \(5, 2, 2\)",
    "legal": r"The observation's `legal` from env\.reset has type float32: it must be boolean",
    "axis": r"state\['x'\] has shape \(5, 1\): the last axis of every array in the state must be the copies",
    "none": r"env\.step must return a state and a covey\.core\.Step",
    "dtype": r"env\.step changes state\['t'\] from int32\[5\] to float32\[5\]",
    "structure": r"env\.step changes the structure of state",
}


@pytest.mark.parametrize("fault", COMPILED)
def test_a_compiled_world_is_refused(fault):
    # Breaks if wrong forms reach the training loop, whose scan speaks of carries and pytrees.
    assert re.search(COMPILED[fault], world_fault(Compiled(fault), 5))
    assert world_fault(Compiled(), 5) == ""


@pytest.mark.parametrize(
    ("fault", "said"), [("names", "contains a name twice"), ("horizon", "spec.horizon is 0")]
)
@pytest.mark.parametrize("kind", ["Compiled", "Python"])
def test_facts_that_cannot_be(fault, said, kind):
    # Breaks if two agents share a name, or an episode of no steps divides by zero.
    with pytest.raises(UserError, match=said):
        make_environment(f"toys.broken:{kind}", {"fault": fault})
