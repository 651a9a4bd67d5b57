"""Compare our worlds with mpe2's: record its steps, and repeat them with ours from the same states."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from covey.core import Step

STEPS, MOVED = 25, 5  # an episode's; and after how many agents are put elsewhere
Moment = dict[str, np.ndarray]  # a state under our names for it; every array ends with the copies
Look = Callable[[Any], Moment]  # at an original


def column(things, what="p_pos", width=2):
    """Return an attribute of each entity in our layout: `[things, width, 1]`."""
    return np.array([getattr(x.state, what) for x in things], float).reshape(len(things), width, 1)


def place(thing, things):
    return [next(i for i, x in enumerate(things) if x is thing)]


def moving(original) -> Moment:
    agents = original.world.agents
    return {"pos": column(agents), "vel": column(agents, "p_vel"), "t": np.array([original.steps])}


def spread(original) -> Moment:
    return moving(original) | {"landmarks": column(original.world.landmarks)}


def chase(original) -> Moment:
    return moving(original) | {"obstacles": column(original.world.landmarks)}


def speaker_listener(original) -> Moment:
    (speaker, _), landmarks = original.world.agents, original.world.landmarks
    goal, words = np.array(place(speaker.goal_b, landmarks)), column([speaker], "c", 3)
    return moving(original) | {"landmarks": column(landmarks), "goal": goal, "words": words}


def reference(original) -> Moment:
    agents, landmarks = original.world.agents, original.world.landmarks
    goal = np.array([place(agent.goal_b, landmarks) for agent in agents])
    return moving(original) | {"landmarks": column(landmarks), "goal": goal, "words": column(agents, "c", 10)}


def adversary(original) -> Moment:
    agents, landmarks = original.world.agents, original.world.landmarks
    return moving(original) | {
        "landmarks": column(landmarks),
        "goal": np.array(place(agents[0].goal_a, landmarks)),
    }


class Record(NamedTuple):
    """Steps of an original: the last axis of states, as copies are in ours, and the first of all else."""

    before: Moment
    action: np.ndarray  # padded, as ours take it
    after: Moment
    seen: np.ndarray  # padded
    reward: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray


def ours(state, moment: Moment, precision=jnp.float32):
    """Convert a moment to a state of our world."""
    return state(**{k: jnp.asarray(x, precision if x.dtype.kind == "f" else int) for k, x in moment.items()})


def together(moments: Sequence[Moment]) -> Moment:
    return {name: np.concatenate([m[name] for m in moments], axis=-1) for name in moments[0]}


def padded(rows: Sequence[np.ndarray]) -> np.ndarray:
    width = max(map(len, rows))
    return np.array([np.pad(row, (0, width - len(row))) for row in rows])


def actions(parallel, rng) -> tuple[np.ndarray, dict[str, Any]]:
    """Return a random joint action, padded with values that must not matter, and its original form.

    Continuous parts are such that single precision subtracts them exactly.
    """
    names = parallel.possible_agents
    spaces = [parallel.action_space(name) for name in names]
    if hasattr(spaces[0], "n"):
        action = np.array([rng.integers(0, space.n) for space in spaces])
        return action, dict(zip(names, action, strict=True))
    action = np.float32(rng.integers(0, 257, (len(names), max(space.shape[0] for space in spaces))) / 256)
    parts = zip(names, action, spaces, strict=True)
    return action, {name: row[: space.shape[0]] for name, row, space in parts}


def representable(world) -> None:
    """Round all positions and velocities to single precision, so that both worlds start a step equal.

    Else a gap of .01 could be off by 6e-6 of its length, and spread's push along it by 2e-5.
    """
    for x in world.entities:
        x.state.p_pos, x.state.p_vel = (np.float64(np.float32(y)) for y in (x.state.p_pos, x.state.p_vel))


def steps(parallel, look: Look, fields: Sequence[float]) -> Iterator[tuple]:
    """Yield the rows of a `Record`. Every few steps, agents are put elsewhere in the field."""
    original, rng = parallel.unwrapped, np.random.default_rng(0)
    world = original.world
    for episode, field in enumerate(fields):
        parallel.reset(seed=None if episode else 0)
        for t in range(STEPS):
            if t % MOVED == 0:
                for agent in world.agents:
                    agent.state.p_pos = rng.uniform(-field, field, 2)
            representable(world)
            before, (action, own) = look(original), actions(parallel, rng)
            _, reward, terminated, truncated, _ = parallel.step(own)
            seen = padded([original.scenario.observation(agent, world) for agent in world.agents])
            reward = [reward[name] for name in original.possible_agents]
            ends = any(terminated.values()), all(truncated.values())
            yield before, action, look(original), seen, reward, *ends


def record(parallel, look: Look, fields: Sequence[float]) -> Record:
    """Record a random episode in each field; `fields` are half widths, and .2 makes a crowd."""
    before, action, after, *rest = zip(*steps(parallel, look, fields), strict=True)
    return Record(together(before), np.array(action), together(after), *map(np.array, rest))


def assert_same_steps(env, state, told: Record, team_reward, sure=None) -> tuple[Any, Step]:
    """Ours from the original's states, in both precisions: what becomes of them, what is seen and paid.

    In single precision, which it returns, rewards count only where `sure`: where no distance is within
    rounding of a threshold.
    """
    sure = np.ones(len(told.reward), bool) if sure is None else sure
    assert sure.mean() > 0.98
    for precision, tolerance in ((jnp.float64, 1e-9), (jnp.float32, 1e-5)):
        rows = sure if precision == jnp.float32 else np.ones_like(sure)
        close = partial(np.testing.assert_allclose, rtol=tolerance, atol=tolerance)
        with jax.enable_x64(precision == jnp.float64):
            action = jnp.asarray(told.action, precision if env.spec.bounds else jnp.int8)
            after, step = jax.jit(env.step)(ours(state, told.before, precision), action, jr.key(0))
            for name, x in told.after.items():
                close(getattr(after, name), x)
            kept = (after.pos, step.obs.agents, step.reward, step.team_reward)
            assert all(x.dtype == precision for x in kept)
            close(step.obs.agents, told.seen)
            close(step.reward[rows], told.reward[rows])
            close(step.team_reward[rows], team_reward[rows])
        np.testing.assert_array_equal(step.terminated, told.terminated)
        np.testing.assert_array_equal(step.truncated, told.truncated)
    assert not told.terminated.any()
    np.testing.assert_array_equal(np.flatnonzero(told.truncated) % STEPS, STEPS - 1)
    return after, step


def by_team(reward: np.ndarray, first: int) -> np.ndarray:
    """Return the mean over the first agents, and over the rest."""
    return np.stack([reward[:, :first].mean(1), reward[:, first:].mean(1)], axis=1)


def distances(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """`[here, there, n]`."""
    return np.linalg.norm(here[:, None] - there[None], axis=2)


def beginnings(parallel, look: Look, n: int) -> Moment:
    """Return the first states of n episodes of an original."""
    original, rng, found = parallel.unwrapped, np.random.default_rng(0), []
    for _ in range(n):
        original.scenario.reset_world(original.world, rng)
        found.append(look(original))
    return together(found)


def assert_even(places, edge: float = 1.0) -> None:
    """Require uniform, independent numbers from -edge to edge."""
    places = np.asarray(places).reshape(-1, np.shape(places)[-1])
    n = places.shape[1]
    even = np.linspace(-edge, edge, n)
    for row in places:  # Kolmogorov-Smirnov, at odds of one in a thousand
        assert np.abs(np.sort(row) - even).max() / (2 * edge) < 1.95 / np.sqrt(n)
    assert np.abs(np.corrcoef(places) - np.eye(len(places))).max() < 4.5 / np.sqrt(n)


def assert_fair(goals, choices: int, places) -> None:
    """Require every combination of goals equally often, independent of positions."""
    goals, places = np.atleast_2d(goals), np.asarray(places).reshape(-1, np.shape(places)[-1])
    joint = np.ravel_multi_index(tuple(goals), (choices,) * len(goals))
    cells, n = choices ** len(goals), goals.shape[1]
    share = np.bincount(joint, minlength=cells) / n
    np.testing.assert_allclose(share, 1 / cells, atol=4.5 / np.sqrt(cells * n))
    for cell in range(cells):
        mine = places[:, joint == cell]
        assert np.abs(mine.mean(1)).max() < 4.5 / np.sqrt(3 * mine.shape[1])
