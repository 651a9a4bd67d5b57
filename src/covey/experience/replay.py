"""A replay buffer."""

import inspect
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Int, PRNGKeyArray

from ..core import AbstractExperience, Spec, Trajectory
from ..errors import SettingError
from ..ops import named, shard
from ..parts import Factory
from ..ranges import Count, Index, Size, Updates
from .on_policy import episode_steps
from .packing import pack

WHOLE_EPISODES = None  # the `window` that draws whole episodes


def require_whole_episodes(experience: AbstractExperience, instead: str) -> None:
    """Refuse a replay buffer of windows for agents with a memory; `instead` names the other remedy."""
    if isinstance(experience, Replay) and experience.window is not WHOLE_EPISODES:
        problem = "cuts episodes open, and agents with a memory need them whole"
        raise SettingError("experience.window", problem, f"set `experience.window=None`, or {instead}")


def without_memory(name: str, network: Factory[Any]) -> str:
    """Return the setting that takes its memory from the network of this name."""
    own = "recurrent" in inspect.signature(network.target).parameters
    return f"`{name}.recurrent=False`" if own else f"`{name}=feed_forward`"


class Replay(AbstractExperience):
    """A replay buffer of steps, from which windows are cut when they are drawn.

    `window=1` draws transitions, `window=None` whole episodes, each with equal probability. `capacity` and
    `start` (how much the buffer must hold before the first update) count episodes where whole episodes are
    drawn, and steps otherwise. No observation is stored twice, however long the window.

    Updates follow iterations or, with `every`, steps; an iteration is then long enough for a whole number of
    updates.

    **The ring.** Arrays are `[n, size, ...]`: a row per copy, in which step s of a copy lies at s % size. An
    iteration writes one block of `length` steps to every row, and size is a whole number of blocks, so a
    block never wraps around. Of a rollout's T+1 observations the first T are stored: the last one opens the
    next rollout. The seam, between the newest step and the oldest, moves by a block per iteration. A window
    may run over the end of the array, but not over the seam.
    """

    capacity: Size = 5000
    batch_size: Size = 32
    window: Count | None = WHOLE_EPISODES
    start: Index | None = None  # None: a batch
    steps: Count | None = None  # collected in each copy per iteration; None: an episode
    updates: Updates = 1  # per iteration or, with `every`, per that many steps of the environment
    every: Count | None = None
    half: bool = False  # store observations and state as float16: up to 65504, with three digits
    packed: bool = False  # lay a batch's episodes end to end; pays where most end well before the longest

    def rollout_length(self, spec: Spec, n: int) -> int:
        """Return the steps of an iteration; with `every`, about an episode and a whole number of updates."""
        if self.steps or not self.every:
            return self.steps or episode_steps(spec)
        least = self.every // math.gcd(self.every, n)
        return least * max(1, round(episode_steps(spec) / least))

    def updates_per_iteration(self, n: int, length: int) -> int:
        return max(1, self.updates * n * length // self.every) if self.every else self.updates

    def steps_of(self, spec: Spec, count: int) -> int:
        """Return the steps in `count` of what `capacity` and `start` count: episodes, or steps."""
        return count * (episode_steps(spec) if self.window is WHOLE_EPISODES else 1)

    def warmup(self, spec: Spec, n: int, length: int) -> int:
        """Wait until the buffer holds `start`, and until it holds one whole window."""
        start = self.batch_size if self.start is None else self.start
        filled = -(-self.steps_of(spec, start) // (n * length))
        first_window = -(-self.window_observations(spec) // length)
        return max(filled, first_window) - 1

    def window_observations(self, spec: Spec) -> int:
        """Return the observations of one window: one more than its steps."""
        return (self.window or spec.horizon) + 1

    def init(self, spec: Spec, rollouts: Trajectory) -> Trajectory:
        if self.packed and self.window is not WHOLE_EPISODES:
            remedy = "set `experience.packed=False`, or `experience.window=None`"
            raise SettingError("experience.packed", "lays whole episodes end to end", remedy, value=True)
        n, length = rollouts.valid.shape
        span = self.window_observations(spec)
        blocks = self.steps_of(spec, self.capacity) // (n * length)
        if blocks * length < 2 * span or blocks < 2:
            needed = -(-max(2 * span, 2 * length) * n // self.steps_of(spec, 1))
            problem = f"is too small for {n} copies of the environment"
            remedy = f"set `experience.capacity={needed}` or more, or use fewer copies (`run.envs`)"
            raise SettingError("experience.capacity", problem, remedy, value=self.capacity)
        empty = lambda x: jnp.zeros((n, blocks * length, *x.shape[2:]), x.dtype)
        return self.cast_observations(jnp.float16, jax.tree.map(empty, rollouts))

    def cast_observations(self, dtype: jnp.dtype | type, steps: Trajectory) -> Trajectory:
        """Convert what `half` stores in half precision."""
        if not self.half:
            return steps
        where = lambda t: (t.obs.agents, t.obs.state)
        wide = lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.floating) else x
        return eqx.tree_at(where, steps, replace_fn=wide)

    def add(self, buffer: Trajectory, rollouts: Trajectory, clock: Int[Array, ""]) -> Trajectory:
        """Write the newest block at `clock * length`, counted around the ring."""
        length = rollouts.valid.shape[1]
        size = buffer.valid.shape[1]
        all_but_last = jax.tree.map(lambda x: x[:, :-1], rollouts.obs)  # the last one opens the next rollout
        steps = eqx.tree_at(lambda t: t.obs, rollouts, all_but_last)
        steps = self.cast_observations(jnp.float16, steps)
        put = lambda ring, x: jax.lax.dynamic_update_slice_in_dim(ring, x, clock * length % size, 1)
        return jax.tree.map(put, buffer, steps)

    def batch(
        self, spec: Spec, buffer: Trajectory, rollouts: Trajectory, clock: Int[Array, ""], key: PRNGKeyArray
    ) -> Trajectory:
        index = self.draw(spec, buffer, rollouts, clock, key)
        own = self.own_places(buffer, index)
        return self.cut(buffer, *(pack(index, own) if self.packed else (index, own)))

    def draw(
        self, spec: Spec, buffer: Trajectory, rollouts: Trajectory, clock: Int[Array, ""], key: PRNGKeyArray
    ) -> Int[Array, "b span"]:
        """Draw windows: the places of their observations in all rows of the ring, end to end."""
        length = rollouts.valid.shape[1]
        size = buffer.valid.shape[1]
        span = self.window_observations(spec)
        sample = self.sample_episodes if self.window is WHOLE_EPISODES else self.sample_windows
        copy, start = shard(sample(buffer, length, clock, span, key))
        # around the ring of the copy, then on by whole rows
        return (start[:, None] + jnp.arange(span)) % size + copy[:, None] * size

    def own_places(self, buffer: Trajectory, index: Int[Array, "b span"]) -> Bool[Array, "b span"]:
        """Mark what belongs to a window: of whole episodes, the places up to the last observation."""
        if self.window is not WHOLE_EPISODES:
            return jnp.ones(index.shape, bool)
        return jnp.cumsum(buffer.obs.first.ravel()[index], axis=1) == 1

    def cut(self, buffer: Trajectory, index: Int[Array, "b span"], own: Bool[Array, "b span"]) -> Trajectory:
        """Return the windows at these places; a window has one step less than observations."""
        rows = buffer.valid.size
        gather = lambda x: x.reshape(rows, *x.shape[2:])[index]
        gather_steps = lambda x: gather(x)[:, :-1]
        steps = jax.tree.map(gather_steps, eqx.tree_at(lambda t: t.obs, buffer, None))
        obs = jax.tree.map(gather, buffer.obs)
        batch = eqx.tree_at(lambda t: t.obs, steps, obs, is_leaf=lambda x: x is None)
        batch = eqx.tree_at(lambda t: t.valid, batch, batch.valid & own[:, :-1])
        return self.cast_observations(jnp.float32, batch)

    def sample_windows(
        self, buffer: Trajectory, length: int, clock: Int[Array, ""], span: int, key: PRNGKeyArray
    ) -> tuple[Int[Array, " b"], Int[Array, " b"]]:
        """Sample copies, and starts of windows of `span` observations, all with equal probability.

        `end` steps have been written to each row. The newest window starts at `end - span`; the oldest at the
        oldest step, which is 0 until the ring is full, and `end - size` from then on.
        """
        n, size = buffer.valid.shape
        end = (clock + 1) * length
        starts = jnp.minimum(end, size) - span + 1
        copy = jr.randint(named(key, "copy"), (self.batch_size,), 0, n)
        back = jr.randint(named(key, "start"), (self.batch_size,), 0, starts)
        return copy, (end - span - back) % size

    def sample_episodes(
        self, buffer: Trajectory, length: int, clock: Int[Array, ""], span: int, key: PRNGKeyArray
    ) -> tuple[Int[Array, " b"], Int[Array, " b"]]:
        """Sample copies, and starts of episodes, all with equal probability.

        An episode may be drawn if `span` observations have been written from its start on. Block b was
        written `age[b]` iterations ago; from step i of it on, `(age[b] + 1) * length - i` observations have
        been written. `age > clock` marks a block that was never written.

        The k-th of these episodes is found in two steps: first its block, from the number of episodes that
        start in each, then its step in the block. So no cumulative sum runs over all steps.
        """
        n, size = buffer.valid.shape
        block = jnp.arange(size // length)
        age = (clock - block) % (size // length)
        complete = (age[:, None] + 1) * length - jnp.arange(length) >= span
        ready = buffer.obs.first.reshape(n, -1, length) & (complete & (age <= clock)[:, None])
        counts = jnp.sum(ready, axis=-1).ravel()
        total = jnp.cumsum(counts)
        k = jr.randint(named(key, "episode"), (self.batch_size,), 0, total[-1])
        which = jnp.searchsorted(total, k, side="right")  # blocks of all copies end to end
        rank = k - (total - counts)[which]  # of the episode among those of its block
        row: Bool[Array, "b length"] = ready.reshape(-1, length)[which]
        inside = jnp.argmax(jnp.cumsum(row, axis=1) > rank[:, None], axis=1)
        return which // block.size, which % block.size * length + inside
