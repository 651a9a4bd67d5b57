"""What a person sees, in a terminal and through a pipe."""

import io
import sys
from types import SimpleNamespace

import pytest

from covey.runs import progress
from covey.runs.progress import Progress, progress_bar
from covey.text import clock, count


class Terminal(io.StringIO):
    def isatty(self):
        return True


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
    assert [progress_bar(*x) for x in ((0.5, 10), (0.0, 4), (1.0, 99), (0.5, -3))] == [
        "━━━━━─────",
        "────",
        "━" * 20,
        "",
    ]


def test_a_terminal_sees_one_line(now, monkeypatch):
    # Would break: a line longer than the terminal, which cannot be rewritten; remains of a longer one;
    # a return that is cut off where the rate could be.
    monkeypatch.setattr(sys, "stdout", terminal := Terminal())
    monkeypatch.setenv("COLUMNS", "80")
    told = Progress(1000)
    told.update(100, 50_000.0, "team return over ≤ 25 steps: −26.10, greedy −12.00")
    first = terminal.getvalue()
    assert len(first) == 80
    assert first.strip().startswith("10%  step 100  team return over ≤ 25 steps: −26.10, greedy −12.00  ETA")
    now.seconds += 2
    told.update(300, 50_000.0, "")  # 200 steps took 2 s, 700 are left
    second = terminal.getvalue()[len(first) :]
    assert second.startswith("\r━") and second.rstrip().endswith("30%  step 300  ETA 0:07  50,000 steps/s")
    assert len(second) == 80
    told.say("done")
    assert terminal.getvalue().endswith("  \rdone\n")
    assert terminal.getvalue().count("\n") == 1


def test_a_pipe_sees_a_line_now_and_then_and_the_last(now, capsys):
    # Would break: a log of thousands of lines, or one that ends before the run does.
    told = Progress(1000)
    for step in range(100, 1100, 100):
        told.update(step, 1.0, f"at {now.seconds:.0f}")
        now.seconds += 4
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[4] for line in lines] == ["100", "112", "124", "136"]
    assert not any("\r" in line for line in lines)
    assert "100%" in lines[-1] and "ETA 0:00" in lines[-1]


def test_quiet_is_quiet(capsys):
    # Would break: anything between a script and the one line it reads.
    told = Progress(10, quiet=True)
    told.say("hello")
    told.update(10, 1.0, "")
    assert not capsys.readouterr().out
