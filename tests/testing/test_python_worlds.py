"""Each planted fault of a world in plain Python gets its own sentence."""

import numpy as np
import pytest

from covey.core import AbstractHostEnvironment, HostObservation, HostStep, Spec
from covey.testing import CheckError, check_environment
from covey.testing.python_worlds import check_python_world
from toys.worlds import HostRecall

SHARED = np.random.default_rng(3)  # what a world draws from that forgets its seed


class Walk(AbstractHostEnvironment):
    """Two agents, four random steps. `fault` says what is wrong with it."""

    counts = ("won",)
    generators = 0  # of all copies

    def __init__(self, fault=""):
        self.fault = fault
        names = ("a", "a") if fault == "names" else ("a", "b")
        self.spec = Spec(names, features=2, actions=3, horizon=4)
        self.buffer = np.zeros((2, 2), np.float32)

    def __str__(self):
        return "walk"

    def look(self):
        fault = self.fault
        agents = np.array([[self.x, self.t], [self.x, self.t]], np.float32)
        alive = np.ones(2, bool)
        if fault in ("dead", "lazarus", "zombie", "choice"):
            alive[1] = not (self.t > 1 if fault != "lazarus" else self.t == 2)
        if fault == "absent":
            alive[1] = False
        legal = np.ones((2, 3), bool)
        if fault != "zombie":
            agents = agents * alive[:, None]
        if fault != "choice":
            legal = legal & (alive[:, None] | (np.arange(3) == 0))
        if fault == "stuck" and self.t == 2:
            legal[0] = False
        if fault == "nan" and self.t == 3:
            agents[1, 0] = np.nan
        if fault == "reused":
            self.buffer[:] = agents
            agents = self.buffer
        if fault == "width" and self.t == 1:
            agents = agents[:, :1]
        return HostObservation(agents, np.zeros(0, np.float32), legal, alive)

    def reset(self, seed):
        self.rng = SHARED if self.fault == "deaf" else np.random.default_rng(seed)
        if self.fault == "global":
            np.random.seed(seed)
        self.steps = SHARED if self.fault == "restless" else self.rng
        self.t = 0
        self.x = 0.0 if self.fault == "constant" else float(self.rng.normal())
        return (self.look(), {}) if self.fault == "tuple" else self.look()

    def step(self, action):
        if self.fault == "broken" and self.t == 1:
            raise KeyError("fuel")
        self.t += 1
        self.x += float(np.random.normal() if self.fault == "global" else self.steps.normal())
        over = self.t == 4 and self.fault != "endless"
        counts = {"lost": 1.0} if self.fault == "counts" else {"won": 1.0}
        reward = np.ones(2, np.float32)
        return HostStep(self.look(), reward, over, over and self.fault == "both", counts=counts)


FAULTS = {
    "names": r"spec\.names contains a name twice",
    "tuple": r"reset returns a tuple: return a covey\.core\.HostObservation",
    "deaf": r"Two resets with one seed give different `agents`: draw from",
    "restless": r"The same seed and actions lead elsewhere after 1 steps",
    "nan": r"walk gave observations of b that are not finite, at step 3 of an episode",
    "width": r"observations of shape \(2, 1\), which its spec says is \(2, 2\)",
    "stuck": r"walk left a no legal action",
    "both": r"Step 4 is both terminated and truncated",
    "counts": r"Step 1 counts \['lost'\], which the world's `counts` do not name",
    "zombie": r"A dead agent observes something.*after 2 steps \(copy 0, b\)",
    "choice": r"A dead agent has a choice.*after 2 steps \(copy 0, b\)",
    "absent": r"b is never alive",
    "lazarus": r"b returns from the dead after 3 steps",
    "reused": r"The array `agents` is used again: step 1 changes",
    "broken": r"walk failed at step 2 of an episode \(test_python_worlds\.py, line \d+\): KeyError: 'fuel'",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_fault_of_a_python_world_is_named(fault):
    # Would break: a fault that passes, or whose sentence is about something else.
    with pytest.raises(CheckError, match=FAULTS[fault]):
        check_environment(Walk(fault))


@pytest.mark.parametrize("fault", ["", "dead", "endless", "constant", "global"])
def test_a_python_world_without_fault_passes(fault):
    # Would break: a check that requires more than the protocol does.
    check_environment(Walk(fault))


def test_copies_that_share_a_generator_are_told():
    # Would break: a world that passes alone, and whose episodes depend on what other copies do.
    with pytest.raises(CheckError, match="Two copies made alike differ, or disturb each other"):
        check_python_world(Walk("global"), make=lambda: Walk("global"))
    check_python_world(Walk(), make=Walk)
    check_python_world(HostRecall(), make=HostRecall)


def test_what_was_found_is_said():
    # Would break: an episode that nobody ends, or seeds without effect, and nobody is told.
    found = "\n".join(check_python_world(Walk("endless")))
    assert "of 2 episodes 2 cut at spec.horizon" in found
    assert "8 seeds give 8 different starts" in found
    assert "all of 8 seeds start alike" in "\n".join(check_python_world(Walk("constant")))
