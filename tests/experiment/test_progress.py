"""What a person sees, in a terminal and through a pipe."""

import io
import sys
from types import SimpleNamespace

import pytest

from covey.experiment import progress
from covey.experiment.progress import Progress, bar, clock, count


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def pipe(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    return sys.stdout


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", "100")
    return sys.stdout


@pytest.fixture
def now(monkeypatch):
    """A clock that only we move."""
    time = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: time.seconds))
    return time


def test_words():
    # Would break: "1 seeds", 90 minutes told as minutes.
    assert [clock(x) for x in (7.4, 750.0, 3723.0)] == ["0:07", "12:30", "1:02:03"]
    assert [count(1, "seed"), count(8_000, "seed")] == ["1 seed", "8,000 seeds"]
    assert [count(1, "copy", "copies"), count(2, "copy", "copies")] == ["1 copy", "2 copies"]
    assert [bar(0.5, 10), bar(0.0, 4), bar(1.0, 99), bar(0.5, -3)] == ["━━━━━─────", "────", "━" * 20, ""]


def test_a_terminal_sees_one_line(now, terminal):
    # Would break: a line longer than the terminal, which cannot be rewritten; remains of a longer one.
    told = Progress(1000)
    told.update(100, 50_000.0, "return −26.10, greedy −12.00 (sum over ≤ 25 steps)")
    first = terminal.getvalue()
    assert first.startswith("\r━") and len(first) == 100
    assert "100/1,000 steps  50,000 steps/s  ETA …  return −26.10" in first
    now.seconds += 2
    told.update(300, 50_000.0, "")  # 200 steps took 2 s, 700 are left
    second = terminal.getvalue()[len(first) :]
    assert "ETA 0:07" in second and len(second) == 100
    told.say("done")
    assert terminal.getvalue().endswith("  \rdone\n")
    assert terminal.getvalue().count("\n") == 1


def test_a_pipe_sees_a_line_now_and_then_and_the_last(now, pipe):
    # Would break: a log of thousands of lines, or one that ends before the run does.
    told = Progress(1000)
    for step in range(100, 1100, 100):
        told.update(step, 1.0, f"at {now.seconds:.0f}")
        now.seconds += 4
    lines = pipe.getvalue().splitlines()
    assert [line.split()[-1] for line in lines] == ["100", "112", "124", "136"]
    assert "\r" not in pipe.getvalue()
    assert "100%" in lines[-1] and "ETA 0:00" in lines[-1]


def test_quiet_is_quiet(now, terminal):
    # Would break: anything between a script and the one line it reads.
    told = Progress(10, quiet=True)
    told.say("hello")
    told.update(10, 1.0, "")
    assert not terminal.getvalue()
