"""The check of a world that is a Python program against the protocol."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Shaped

from ..core import AbstractHostEnvironment, HostObservation, HostStep, Spec
from ..errors import UserError
from ..training.copies import Copy
from .checks import CheckError, check_masks, check_spec, explain_failures, require

_STEPS = 1000  # of an episode, at most, unless the caller wants more
_STARTS = 8  # resets with different seeds
_OBSERVED = HostObservation._fields


class _Episode(NamedTuple):
    """What a world gave in an episode: T+1 observations, T steps."""

    obs: dict[str, Shaped[np.ndarray, "moments ..."]]
    reward: Shaped[np.ndarray, "steps agents"]
    outcomes: list[HostStep]  # as the world gave them, copied


class _Watched(AbstractHostEnvironment):
    """A world whose outcomes are kept, and compared with what the next step leaves of them."""

    def __init__(self, world: AbstractHostEnvironment):
        self.world = world
        self.spec = world.spec
        self.given: Any = None  # the newest outcome, and a copy of it
        self.kept: list[Any] = []

    def __str__(self) -> str:
        return str(self.world)

    def reset(self, seed: int) -> HostObservation:
        obs = self.world.reset(seed)
        require(
            isinstance(obs, HostObservation),
            f"reset returns a {type(obs).__name__}: return a covey.core.HostObservation.",
        )
        self.kept = []
        self.keep(HostStep(obs, np.zeros(self.spec.agents), False, False))
        return obs

    def step(self, action: Shaped[np.ndarray, "agents ..."]) -> HostStep:
        outcome = self.world.step(action)
        require(
            isinstance(outcome, HostStep),
            f"step returns a {type(outcome).__name__}: return a covey.core.HostStep.",
        )
        self.check_kept()
        self.keep(outcome)
        return outcome

    def keep(self, outcome: HostStep) -> None:
        copied = HostObservation(*(np.array(x) for x in outcome.obs))
        self.given = outcome
        self.kept.append(outcome._replace(obs=copied, reward=np.array(outcome.reward)))

    def check_kept(self) -> None:
        """Require that a step leaves the arrays of the moment before as they were."""
        before = {**self.given.obs._asdict(), "reward": self.given.reward}
        copied = {**self.kept[-1].obs._asdict(), "reward": self.kept[-1].reward}
        for name, x in before.items():
            require(
                np.array_equal(np.asarray(x), copied[name]),
                f"The array `{name}` is used again: step {len(self.kept)} changes what was returned before "
                "it; return a new array at each step.",
            )


def check_python_world(
    world: AbstractHostEnvironment,
    steps: int | None = None,
    make: Callable[[], AbstractHostEnvironment] | None = None,
) -> list[str]:
    """Check a world in episodes of random play, of `steps` steps at most; say what was found.

    With `make`, a second copy plays beside a first one.
    """
    spec = world.spec
    check_spec(spec)
    limit = min(spec.horizon, steps or _STEPS)
    episode = _play(world, 0, limit)
    again = _play(world, 0, limit)
    other = _play(world, 1, limit)
    _check_repetition(episode, again)
    for played in (episode, other):
        _check_outcomes(world, played)
    _check_lives(spec, [episode, other])
    taken = len(episode.outcomes) + len(other.outcomes)
    found = [
        f"spec: {spec.agents} agents, {spec.features} features, {spec.actions} actions, "
        f"at most {spec.horizon} steps",
        f"shapes, numbers, masks, signs of life: {taken} steps of random play",
        f"seeds: one seed gives one episode; {_starts(world, limit)}",
        f"ends: {_ends(spec, [episode, other], limit)}",
    ]
    if make:
        _check_two_copies(make, episode, limit)
        found.append("copies: two of them do not disturb each other")
    return found


def _play(
    world: AbstractHostEnvironment,
    seed: int,
    steps: int,
    between: Callable[[], Any] = lambda: None,
) -> _Episode:
    """Play at random from a seed, which also chooses the actions; call `between` after each step."""
    watched = _Watched(world)
    copy = Copy(watched)
    rng = np.random.default_rng(seed)
    try:
        outcome = copy.reset(seed)
        for _ in range(steps):
            outcome = copy.step(random_action(world.spec, outcome.obs, rng))
            between()
            if outcome.terminated or outcome.truncated:
                break
    except UserError as error:
        raise CheckError(f"{error}.") from error
    first, *outcomes = watched.kept
    obs = {name: np.stack([getattr(x.obs, name) for x in watched.kept]) for name in _OBSERVED}
    reward = np.stack([x.reward for x in outcomes]) if outcomes else np.zeros((0, len(first.reward)))
    return _Episode(obs, reward, outcomes)


def random_action(
    spec: Spec, obs: HostObservation, rng: np.random.Generator
) -> Shaped[np.ndarray, "agents ..."]:
    """Return a legal joint action."""
    if spec.bounds:
        return rng.uniform(*spec.bounds, spec.action_shape).astype(np.float32)
    legal = np.asarray(obs.legal, bool)
    require(legal.any(axis=1).all(), "An agent has no legal action: allow at least one, also to the dead.")
    return np.array([rng.choice(np.flatnonzero(row)) for row in legal], spec.action_type)


def _check_repetition(a: _Episode, b: _Episode) -> None:
    """Require that a seed and actions decide an episode."""
    for name in _OBSERVED:
        require(
            np.array_equal(a.obs[name][0], b.obs[name][0]),
            f"Two resets with one seed give different `{name}`: draw from "
            "np.random.default_rng(seed), or hand the seed on to what draws.",
        )
    moments = min(len(a.reward), len(b.reward))
    for t in range(moments):
        same = all(np.array_equal(a.obs[name][t + 1], b.obs[name][t + 1]) for name in _OBSERVED)
        require(
            same and np.array_equal(a.reward[t], b.reward[t]),
            f"The same seed and actions lead elsewhere after {t + 1} steps: draw from a generator that reset "
            "makes of its seed.",
        )
    require(len(a.reward) == len(b.reward), "The same seed and actions end at different times.")


def _check_outcomes(world: AbstractHostEnvironment, played: _Episode) -> None:
    for t, outcome in enumerate(played.outcomes, 1):
        require(
            not (outcome.terminated and outcome.truncated),
            f"Step {t} is both terminated and truncated: a true end is not a time limit, so set only one.",
        )
        unknown = [name for name in outcome.counts if name not in world.counts]
        require(not unknown, f"Step {t} counts {unknown}, which the world's `counts` do not name.")
        odd = [name for name, x in outcome.counts.items() if not np.isfinite(x)]
        require(not odd, f"Step {t} has a count of {odd} that is not finite.")
    for name in ("legal", "alive"):
        require(np.isin(played.obs[name], (0, 1)).all(), f"The observation's `{name}` is not true or false.")
    one_copy = {name: x[:, None] for name, x in played.obs.items()}
    alive = one_copy["alive"].astype(bool)
    legal = one_copy["legal"].astype(bool)
    check_masks(world.spec, one_copy["agents"], legal, alive, np.ones(alive.shape[:2], bool))


def _check_lives(spec: Spec, episodes: list[_Episode]) -> None:
    """Require that every agent takes part, and that nobody returns from the dead."""
    lives: list[Bool[np.ndarray, "moments agents"]] = [
        played.obs["alive"].astype(bool) for played in episodes
    ]
    absent = [name for i, name in enumerate(spec.names) if not any(alive[:, i].any() for alive in lives)]
    require(
        not absent,
        f"{', '.join(absent)} is never alive: leave out of spec.names who takes no part, or set `alive`.",
    )
    for alive in lives:
        was = np.logical_or.accumulate(alive, axis=0)
        gone = np.logical_or.accumulate(was & ~alive, axis=0)
        returned = np.argwhere(gone & alive)
        if len(returned):
            moment, agent = returned[0]
            raise CheckError(
                f"{spec.names[agent]} returns from the dead after {moment} steps: keep `alive` true while an "
                "agent only waits, and let the dead stay dead until the next reset."
            )


def _starts(world: AbstractHostEnvironment, steps: int) -> str:
    """Say whether other seeds give other episodes."""
    played = [_play(world, seed, 0) for seed in range(_STARTS)]
    starts = {b"".join(played_.obs[name].tobytes() for name in _OBSERVED) for played_ in played}
    if len(starts) > 1:
        return f"{_STARTS} seeds give {len(starts)} different starts"
    return f"all of {_STARTS} seeds start alike (nothing is drawn, or the seed is ignored)"


def _ends(spec: Spec, episodes: list[_Episode], limit: int) -> str:
    """Say how the episodes ended."""
    lasts = [(played.outcomes[-1], len(played.outcomes)) for played in episodes]
    terminated = sum(bool(last.terminated) for last, _ in lasts)
    cut = sum(bool(last.truncated) for last, _ in lasts)
    at_horizon = sum(not last.terminated and not last.truncated and n >= spec.horizon for last, n in lasts)
    going = len(lasts) - terminated - cut - at_horizon
    ways = {
        f"{terminated} terminated": terminated,
        f"{cut} truncated by the world": cut,
        f"{at_horizon} cut at spec.horizon": at_horizon,
        f"{going} went on after {limit} steps": going,
    }
    return f"of {len(lasts)} episodes " + ", ".join(way for way, times in ways.items() if times)


def _check_two_copies(make: Callable[[], AbstractHostEnvironment], episode: _Episode, steps: int) -> None:
    """Require that a copy plays as it did alone while another one plays beside it."""
    with explain_failures("making two copies"):
        one = make()
        neighbour = Copy(make())
    rng = np.random.default_rng(1)
    last = neighbour.reset(1)

    def play_neighbour() -> None:
        nonlocal last
        over = last.terminated or last.truncated
        last = neighbour.reset(2) if over else neighbour.step(random_action(one.spec, last.obs, rng))

    beside = _play(one, 0, steps, play_neighbour)
    try:
        _check_repetition(episode, beside)
    except CheckError as error:
        raise CheckError(
            "Two copies made alike differ, or disturb each other: keep everything in the instance, and draw "
            "from a generator of its own, not from random or np.random."
        ) from error
