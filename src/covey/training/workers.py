"""Copies of a Python world in processes of their own, each with a share of the copies.

Orders, actions and outcomes lie in memory that the processes share; a message on a pipe says whose turn it
is. A worker that dies, fails or hangs is started again. The episodes in it are given up, as those under way
are where a run is resumed.
"""

import ctypes
import math
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable
from itertools import pairwise
from multiprocessing import connection, get_context, parent_process, shared_memory
from typing import Any

import numpy as np
from jaxtyping import Bool, Int, Shaped

from ..core import AbstractHostEnvironment
from ..errors import RUN_FIELD, SettingError, UserError
from .copies import REST, STEP, Copy, Recording, WorldError
from .rows import RowLayout
from .stand_in import StandIn, outcome_layout

MOST_FAILURES = 10  # in a row, before the run stops
_START = 300.0  # seconds in which a new worker must have imported what it needs
_REFUSED = b"R"  # the first byte of a reply: the world's numbers are malformed
_FAILED = b"F"  # its code failed

Make = Callable[[], AbstractHostEnvironment]  # must be known to another process: no lambda


class Board:
    """The memory that workers share: orders, actions and outcomes of n copies, and beats of the workers."""

    def __init__(self, world: StandIn, n: int, workers: int, name: str | None = None):
        spec = world.spec
        self.layout: RowLayout = outcome_layout(world)
        shapes = {"orders": (n,), "beats": (workers,), "action": (n, *spec.action_shape)}
        types = {"orders": np.dtype(int), "beats": np.dtype(int), "action": np.dtype(spec.action_type)}
        sizes = [-(-math.prod(shapes[x]) * types[x].itemsize // 64) * 64 for x in shapes]
        total = sum(sizes) + n * self.layout.size
        self.memory = shared_memory.SharedMemory(name, create=name is None, size=total)
        buffer: Any = self.memory.buf
        place = lambda x, start: np.ndarray(shapes[x], types[x], buffer, start)
        self.orders: Any = place("orders", 0)
        self.beats: Any = place(
            "beats", sizes[0]
        )  # rise with all that a worker does: a slow one does not hang
        self.action: Any = place("action", sizes[0] + sizes[1])
        self.outcomes: Any = Recording(self.layout, 1, n, buffer[sum(sizes) :])

    def remove(self) -> None:
        """Give the memory back; it must not be looked at any more."""
        del self.orders, self.beats, self.action, self.outcomes
        self.memory.close()
        self.memory.unlink()


class _Worker:
    """A process, and the pipe to it."""

    def __init__(self, make: Make, name: str, n: int, workers: int, number: int, share: slice):
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        arguments = (make, theirs, name, n, workers, number, share.start, share.stop)
        self.process: Any = context.Process(target=run_worker, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.started = False

    def end(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _end_all(workers: list[_Worker], board: Board) -> None:
    for worker in workers:
        worker.end()
    board.remove()


class Workers:
    """Processes that hold the copies of a world, for all seeds and for evaluation.

    `restarts` and `given_up` count faults; `news` has a line for each.
    """

    def __init__(self, make: Make, world: StandIn, n: int, workers: int, deadline: float = 60.0):
        self.make = make
        self.n = n
        self.deadline = deadline
        workers = min(workers, n)
        bounds = np.linspace(0, n, workers + 1).astype(int).tolist()
        self.shares = [slice(a, b) for a, b in pairwise(bounds)]
        self.board = Board(world, n, workers)
        self.members = [world.spec.members(team) for team in world.spec.teams]
        self.each = [self._start(number) for number in range(workers)]
        self.generations = [0] * workers
        self.in_a_row = [0] * workers
        self.restarts = 0
        self.given_up = 0
        self.news: list[str] = []
        self.groups = 0
        self.close = weakref.finalize(self, _end_all, self.each, self.board)

    def copies(self) -> "WorkerCopies":
        """Return n more copies, spread over the workers."""
        self.groups += 1
        return WorkerCopies(self, self.groups - 1)

    def _start(self, number: int) -> _Worker:
        name = self.board.memory.name
        return _Worker(self.make, name, self.n, len(self.shares), number, self.shares[number])

    def ask(self, numbers: list[int], group: int) -> dict[int, str]:
        """Let these workers do their orders; return what went wrong, by worker."""
        wrong: dict[int, str] = {}
        waiting: dict[Any, int] = {}
        for number in numbers:
            worker = self.each[number]
            try:
                worker.pipe.send_bytes(group.to_bytes(4, "little"))
                waiting[worker.pipe] = number
            except OSError:
                wrong[number] = self._death(worker)
        beats = self.board.beats.copy()
        since = time.monotonic()
        while waiting:
            ready = connection.wait(list(waiting), timeout=min(1.0, self.deadline))
            for pipe in ready:
                number = waiting.pop(pipe)
                if problem := self._reply(self.each[number]):
                    wrong[number] = problem
            if ready or not np.array_equal(beats, self.board.beats):
                beats = self.board.beats.copy()
                since = time.monotonic()
            new = any(not self.each[number].started for number in waiting.values())
            limit = max(self.deadline, _START) if new else self.deadline
            if waiting and time.monotonic() - since > limit:
                wrong |= dict.fromkeys(waiting.values(), f"did nothing for {limit:g} s")
                break
        return wrong

    def _reply(self, worker: _Worker) -> str:
        """Return what a worker says went wrong, or nothing; refuse malformed numbers."""
        try:
            reply = worker.pipe.recv_bytes()
        except (EOFError, OSError):
            return self._death(worker)
        worker.started = True
        if reply[:1] == _REFUSED:
            raise UserError(reply[1:].decode())
        return f"failed: {reply[1:].decode()}" if reply else ""

    def _death(self, worker: _Worker) -> str:
        worker.process.join(1.0)
        return f"died (exit status {worker.process.exitcode})"

    def restart(self, number: int, problem: str, steps: int) -> None:
        """Replace a worker that lost `steps` steps; stop the run where that does not help."""
        self.each[number].end()
        self.in_a_row[number] += 1
        if self.in_a_row[number] >= MOST_FAILURES:
            times = f"{problem}, the {MOST_FAILURES}th time in a row without an episode's end"
            remedy = "mend the world, or see it fail in this process with `run.workers=0`"
            raise SettingError(f"{RUN_FIELD}workers", f"made a process of the world that {times}", remedy)
        self.each[number] = self._start(number)
        self.generations[number] += 1
        self.restarts += 1
        self.given_up += steps
        self.news.append(f"worker {number} {problem}; it is restarted, and {steps} episodes are given up")


class WorkerCopies:
    """n copies of a world in worker processes."""

    def __init__(self, workers: Workers, group: int):
        self.workers = workers
        self.group = group
        self.generations = list(workers.generations)  # of the workers that hold the copies

    def play(
        self,
        recording: Recording,
        t: int,
        orders: Int[np.ndarray, " n"],
        action: Shaped[np.ndarray, "n agents ..."],
        seeds: Callable[[], Int[np.ndarray, " n"]],
    ) -> Bool[np.ndarray, " n"]:
        """Let every copy do what its order says, and write moment t; return which steps were lost."""
        workers = self.workers
        board = workers.board
        lost = np.zeros(len(orders), bool)
        for number, generation in enumerate(self.generations):
            if generation != workers.generations[number]:  # restarted while other copies played
                self._give_up(number, orders, lost, seeds)
        board.orders[:] = orders
        board.action[:] = action
        asked = [i for i, share in enumerate(workers.shares) if (orders[share] != REST).any()]
        while asked:
            wrong = workers.ask(asked, self.group)
            for number, problem in wrong.items():
                steps = int((orders[workers.shares[number]] == STEP).sum())
                workers.restart(number, problem, steps)
                self._give_up(number, orders, lost, seeds)
            board.orders[:] = orders
            asked = list(wrong)
        self._write(recording, t, orders)
        return lost

    def _give_up(
        self,
        number: int,
        orders: Int[np.ndarray, " n"],
        lost: Bool[np.ndarray, " n"],
        seeds: Callable[[], Int[np.ndarray, " n"]],
    ) -> None:
        """Order resets in place of the steps of a worker whose worlds are new."""
        share = self.workers.shares[number]
        stepping = orders[share] == STEP
        lost[share] |= stepping
        orders[share] = np.where(stepping, seeds()[share], orders[share])
        self.generations[number] = self.workers.generations[number]

    def _write(self, recording: Recording, t: int, orders: Int[np.ndarray, " n"]) -> None:
        workers = self.workers
        recording.bytes[t] = workers.board.outcomes.bytes[0]
        for i in np.flatnonzero(orders == REST).tolist():
            recording.rest(t, i)
        recording.fill_team_rewards(t, workers.members)
        over = recording.over(t)
        for number, share in enumerate(workers.shares):
            if over[share].any():
                workers.in_a_row[number] = 0


def run_worker(
    make: Make, pipe: Any, name: str, n: int, workers: int, number: int, start: int, stop: int
) -> None:
    """Run a worker: wait for a group's turn, do its orders, reply; end with the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    _end_with_parent()
    groups: dict[int, list[Copy]] = {}
    board: Board | None = None
    while True:
        try:
            group = int.from_bytes(pipe.recv_bytes(), "little")
        except (EOFError, OSError):
            os._exit(0)
        try:
            copies = groups.setdefault(group, [])
            for i in range(start, stop):
                if len(copies) <= i - start:
                    copies.append(Copy(make()))
                world = copies[0].world
                board = board or Board(StandIn(world.spec, world.counts), n, workers, name)
                board.beats[number] += 1
            for i, copy in zip(range(start, stop), copies, strict=True):
                _do(board, i, copy)  # pyright: ignore
                board.beats[number] += 1  # pyright: ignore
            pipe.send_bytes(b"")
        except WorldError as error:
            pipe.send_bytes(_FAILED + str(error).encode())
        except UserError as error:
            pipe.send_bytes(_REFUSED + str(error).encode())
        except Exception as error:
            pipe.send_bytes(_FAILED + f"{type(error).__name__}: {error}".encode())


def _do(board: Board, i: int, copy: Copy) -> None:
    """Do copy i's order."""
    order = int(board.orders[i])
    if order == STEP:
        board.outcomes.write(0, i, copy.step(board.action[i].copy()), False)
    elif order != REST:
        board.outcomes.write(0, i, copy.reset(order), True)


def _end_with_parent() -> None:
    """End this process when its parent does, however the parent ends and whatever the world is doing."""
    if sys.platform == "linux":
        set_death_signal = 1
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
