"""Copies of a world that is a Python program, stepped one after another in this process."""

import math
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from ..core import AbstractHostEnvironment, HostObservation, HostStep, Observation
from ..errors import UserError
from .rows import RowLayout

STEP = -1  # an order to take a step; any other but REST is the seed of a reset
REST = -2
_COVEY = Path(__file__).parents[1].resolve()
_LARGEST = np.finfo(np.float32).max
_NUMPY = Path(np.__file__).parent.resolve()


class WorldError(UserError):
    """A failure of a world's own code, which is its cause."""


class Copy:
    """One copy of a world. It counts steps, cuts episodes at the horizon and refuses malformed numbers."""

    def __init__(self, world: AbstractHostEnvironment):
        self.world = world
        self.spec = world.spec
        bare = type(world).__str__ is object.__str__
        self.title = type(world).__name__ if bare else str(world)
        self.t = 0
        spec = self.spec
        self.shapes = {
            "observations": (spec.agents, spec.features),
            "state": (spec.state,),
            "legal actions": (spec.agents, spec.actions),
            "signs of life": (spec.agents,),
            "rewards": (spec.agents,),
            "team rewards": (len(spec.teams),),
        }

    def reset(self, seed: int) -> HostStep:
        self.t = 0
        try:
            obs = self.world.reset(seed)
        except (Exception, SystemExit) as error:
            raise self.failure(error) from error
        return self.checked(HostStep(obs, np.zeros(self.spec.agents), False, False))

    def step(self, action: Shaped[np.ndarray, "agents ..."]) -> HostStep:
        self.t += 1
        try:
            outcome = self.world.step(action)
        except (Exception, SystemExit) as error:
            raise self.failure(error) from error
        if not isinstance(outcome, HostStep):
            self.refuse(f"returned {named_kind(outcome)} from step, and not a covey.core.HostStep")
        self.checked(outcome)
        cut = not outcome.terminated and (outcome.truncated or self.t >= self.spec.horizon)
        return outcome._replace(truncated=cut)

    def checked(self, outcome: HostStep) -> HostStep:
        """Return the outcome if its shapes are the spec's and its numbers finite."""
        obs = outcome.obs
        if not isinstance(obs, HostObservation):
            source = "step" if self.t else "reset"
            self.refuse(f"returned {named_kind(obs)} from {source}, and not a covey.core.HostObservation")
        self.check("observations", obs.agents)
        self.check("state", obs.state)
        self.check("legal actions", obs.legal)
        self.check("signs of life", obs.alive)
        self.check("rewards", outcome.reward)
        if outcome.team_reward is not None:
            self.check("team rewards", outcome.team_reward)
        for what in ("terminated", "truncated"):
            if np.ndim(getattr(outcome, what)):
                self.refuse(f"gave `{what}` as an array: it is true or false, for all agents together")
        self.check_counts(outcome.counts)
        return outcome

    def check_counts(self, counts: Any) -> None:
        """Check the world's counts."""
        if not isinstance(counts, Mapping):
            self.refuse(f"returned {named_kind(counts)} as its counts, and not a dict")
        for name, x in counts.items():
            if not isinstance(x, Real | np.bool_) or not math.isfinite(x):
                self.refuse(f"gave {x!r} as its count of {name}, which is no finite number")

    def check(self, what: str, x: Any) -> None:
        """Check a part of an outcome."""
        shape = self.shapes[what]
        try:
            array = np.asarray(x)
        except ValueError:  # rows of several lengths
            self.refuse(f"gave {what} that are no array of shape {shape}")
        if array.shape != shape:
            self.refuse(f"gave {what} of shape {array.shape}, which its spec says is {shape}")
        if array.dtype.kind not in "biuf":
            self.refuse(f"gave {what} of type {array.dtype}, and not numbers")
        if what == "legal actions" and not (self.spec.bounds or array.any(axis=1).all()):
            none = self.spec.names[int(np.argmin(array.any(axis=1)))]
            self.refuse(f"left {none} no legal action: allow at least one, also to the dead")
        if not all_finite(array):
            odd = np.argwhere(~(np.abs(array) <= _LARGEST))[0]
            whose = f" of {self.spec.names[odd[0]]}" if what not in ("state", "team rewards") else ""
            large = np.isfinite(array[tuple(odd)])
            self.refuse(f"gave {what}{whose} that {'no float32 holds' if large else 'are not finite'}")

    def refuse(self, problem: str) -> NoReturn:
        raise UserError(
            f"{self.title} {problem}, at step {self.t} of an episode: mend the world, or train another"
        )

    def failure(self, error: Exception | SystemExit) -> BaseException:
        """Return a world's exception as a sentence with its place; a sentence, or our own fault, as it is."""
        frames = traceback.extract_tb(error.__traceback__)
        others = [frame for frame in frames if not Path(frame.filename).resolve().is_relative_to(_COVEY)]
        own = [frame for frame in others if _is_worlds_line(frame.filename)] or others
        if isinstance(error, UserError) or not own or os.environ.get("COVEY_TRACEBACK"):
            return error
        place = f"{Path(own[-1].filename).name}, line {own[-1].lineno}"
        reason = next(iter(str(error).strip().splitlines()), "")
        what = "it called sys.exit" if isinstance(error, SystemExit) else f"{type(error).__name__}: {reason}"
        return WorldError(
            f"{self.title} failed at step {self.t} of an episode ({place}): {what} "
            "(COVEY_TRACEBACK=1 shows the whole traceback)"
        )


def named_kind(x: Any) -> str:
    """Return a value's kind in words."""
    return "None" if x is None else f"a {type(x).__name__}"


def _is_worlds_line(file: str) -> bool:
    """Return whether a line of code is there to be read, and not of NumPy, which the world calls."""
    path = Path(file).resolve()
    return path.is_file() and not path.is_relative_to(_NUMPY)


def all_finite(x: Shaped[np.ndarray, "..."]) -> bool:
    """Return whether all numbers are finite, in float32 too."""
    if x.dtype.kind != "f":
        return True
    return bool(
        np.count_nonzero(np.abs(x) <= _LARGEST) == x.size
    )  # half of what `all` takes for small arrays


class Recording:
    """A rollout in memory: for each moment and copy, a row of bytes with the step that led there.

    `rows` is the same memory as a `Step` of arrays `[moments, n, ...]`.
    """

    def __init__(self, layout: RowLayout, moments: int, n: int, memory: Any = None):
        shape = (moments, n, layout.size)
        self.bytes = np.zeros(shape, np.uint8) if memory is None else np.ndarray(shape, np.uint8, memory)
        self.rows: Any = layout.views(self.bytes)

    def begin(self, obs: Observation) -> None:
        """Write the observations of moment 0."""
        for name in ("agents", "state", "legal", "alive", "first"):
            getattr(self.rows.obs, name)[0] = np.asarray(getattr(obs, name))

    def write(self, t: int, i: int, outcome: HostStep, first: bool) -> None:
        """Write copy i's outcome as moment t; NaN stands for a team reward that the world does not give."""
        rows = self.rows
        obs = rows.obs
        obs.agents[t, i] = outcome.obs.agents
        obs.state[t, i] = outcome.obs.state
        obs.legal[t, i] = outcome.obs.legal
        obs.alive[t, i] = outcome.obs.alive
        obs.first[t, i] = first
        rows.reward[t, i] = outcome.reward
        rows.team_reward[t, i] = np.nan if outcome.team_reward is None else outcome.team_reward
        rows.terminated[t, i] = outcome.terminated
        rows.truncated[t, i] = outcome.truncated
        for name, counted in rows.counts.items():
            counted[t, i] = outcome.counts.get(name, 0.0)

    def rest(self, t: int, i: int) -> None:
        """Write moment t of a copy that stands still: the last one again, as the start of another episode."""
        self.bytes[t, i] = self.bytes[t - 1, i]
        self.rows.obs.first[t, i] = True

    def fill_team_rewards(self, t: int, members: Sequence[tuple[int, ...]]) -> None:
        """Give teams their agents' mean reward where the world gave them none."""
        given = self.rows.team_reward[t]
        lacking = np.isnan(given)
        if lacking.any():
            given[lacking] = team_means(members, self.rows.reward[t])[lacking]

    def over(self, t: int) -> Bool[np.ndarray, " n"]:
        """Return whether each copy's step to moment t ended its episode."""
        return self.rows.terminated[t] | self.rows.truncated[t]


def team_means(
    members: Sequence[tuple[int, ...]], reward: Float[np.ndarray, "*b agents"]
) -> Float[np.ndarray, "*b teams"]:
    """Compute `Spec.team_mean` in NumPy, to the same bits: XLA divides by a constant by multiplying."""
    total = lambda team: sum([reward[..., i] for i in team], np.float32(0))
    mean = lambda team: total(team) * np.float32(1 / len(team))
    return np.stack([mean(team) for team in members], axis=-1)


class LocalCopies:
    """n copies of a world in this process."""

    def __init__(self, make: Callable[[], AbstractHostEnvironment], n: int):
        self.each = [Copy(make()) for _ in range(n)]
        spec = self.each[0].spec
        self.members = [spec.members(team) for team in spec.teams]

    def play(
        self,
        recording: Recording,
        t: int,
        orders: Int[np.ndarray, " n"],
        action: Shaped[np.ndarray, "n agents ..."],
        seeds: Callable[[], Int[np.ndarray, " n"]],
    ) -> bool:
        """Let every copy do what its order says, and write moment t; return that no step was lost."""
        for i, order in enumerate(orders.tolist()):
            if order == STEP:
                recording.write(t, i, self.each[i].step(action[i]), False)
            elif order == REST:
                recording.rest(t, i)
            else:
                recording.write(t, i, self.each[i].reset(order), True)
        recording.fill_team_rewards(t, self.members)
        return False
