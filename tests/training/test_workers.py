"""Copies in worker processes play as copies in this one do, and a fault costs no more than an episode."""

import os
import subprocess
import sys
import time
from functools import partial

import numpy as np
import pytest

from covey.errors import UserError
from covey.training.copies import REST, STEP, LocalCopies, Recording
from covey.training.stand_in import StandIn, outcome_layout
from covey.training.workers import MOST_FAILURES, Workers
from toys.worlds import Failing, HostRecall

N = 3
SEEDS = np.array([7, 8, 9])


def stand_in(world):
    return StandIn(world.spec, world.counts)


def play(copies, orders):
    """Let copies do orders, moment after moment; return what was recorded, and what was lost."""
    world = HostRecall()
    recording = Recording(outcome_layout(stand_in(world)), len(orders), N)
    lost = []
    for t, order in enumerate(orders):
        action = np.full((N, 2), t % 2, np.int8)
        lost.append(
            np.broadcast_to(copies.play(recording, t, np.array(order), action, lambda: 10 * SEEDS), N)
        )
    return recording, np.array(lost)


@pytest.mark.slow
def test_workers_play_as_this_process_does_and_survive_a_death():
    # fails if a copy gets another's orders, or if a death loses more than the episodes in its worker
    workers = Workers(HostRecall, stand_in(HostRecall()), N, 2)
    copies = workers.copies()
    orders = [SEEDS, [STEP] * 3, [STEP, STEP, REST], [STEP, 5, STEP]]
    mine, lost = play(copies, orders)
    alone, _ = play(LocalCopies(HostRecall, N), orders)
    np.testing.assert_array_equal(mine.bytes, alone.bytes)
    assert not lost.any()

    workers.each[0].process.kill()
    mine, lost = play(copies, [[STEP, STEP, 3], [STEP] * 3])
    own = workers.shares[0]
    assert lost[0].tolist() == [i < own.stop for i in range(N)]
    assert not lost[1].any()
    assert mine.rows.obs.first[0].tolist() == [i < own.stop or i == 2 for i in range(N)]
    afresh, _ = play(LocalCopies(HostRecall, N), [[70, 80, 3], [STEP] * 3])
    np.testing.assert_array_equal(mine.bytes[:, own], afresh.bytes[:, own])
    assert workers.restarts == 1
    assert workers.given_up == own.stop
    assert "worker 0 died" in workers.news[0]

    other = workers.copies()  # of another seed: its worlds went down with the worker, too
    play(other, [SEEDS])
    workers.each[1].process.kill()
    _, lost = play(copies, [[STEP] * 3])
    assert lost.any()
    _, lost = play(other, [[STEP] * 3])
    assert lost.any()
    processes = [worker.process for worker in workers.each]
    workers.close()
    assert not any(process.is_alive() for process in processes)


@pytest.mark.slow
def test_faults_of_a_world_in_a_worker():
    # fails if a hang is waited for, a failure stops the run at once, or malformed numbers do not
    make = partial(Failing, "hang")
    workers = Workers(make, stand_in(Failing()), N, 1, deadline=1.0)
    copies = workers.copies()
    play(copies, [SEEDS])
    _, lost = play(copies, [[STEP] * 3, [STEP] * 3])
    assert lost.tolist() == [[False] * 3, [True] * 3]
    assert "worker 0 did nothing for 1 s" in workers.news[0]
    workers.in_a_row[0] = MOST_FAILURES - 1
    with pytest.raises(UserError, match=r"did nothing for 1 s, the 10th time in a row"):
        play(copies, [[STEP] * 3, [STEP] * 3])
    workers.close()

    workers = Workers(partial(Failing, "raise", 1), stand_in(Failing()), N, 1)
    copies = workers.copies()
    workers.in_a_row[0] = MOST_FAILURES - 1
    with pytest.raises(UserError, match=r"ValueError: lost the engine .*, the 10th time in a row"):
        play(copies, [SEEDS, [STEP] * 3])
    workers.close()

    workers = Workers(partial(Failing, "nan", 1), stand_in(Failing()), N, 1)
    with pytest.raises(UserError, match=r"failing gave rewards of left that are not finite"):
        play(workers.copies(), [SEEDS, [STEP] * 3])
    workers.close()


ORPHANS = """
import sys, time
sys.path.insert(0, {tests!r})
from covey.training.stand_in import StandIn
from covey.training.workers import Workers
from toys.worlds import HostRecall

if __name__ == "__main__":
    world = HostRecall()
    workers = Workers(HostRecall, StandIn(world.spec, world.counts), 2, 2)
    print(*[worker.process.pid for worker in workers.each], flush=True)
    time.sleep(100)
"""


def is_running(pid):
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


@pytest.mark.nightly
def test_a_killed_parent_leaves_no_workers(tmp_path):
    # fails if a run that is killed leaves processes that nobody will ever end
    script = tmp_path / "parent.py"
    script.write_text(ORPHANS.format(tests=os.path.dirname(os.path.dirname(__file__))))
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert all(map(is_running, pids))
        parent.kill()
    for _ in range(600):
        if not any(map(is_running, pids)):
            break
        time.sleep(0.1)
    assert not any(map(is_running, pids))
