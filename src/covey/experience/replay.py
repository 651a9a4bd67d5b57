"""A replay buffer."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Int, PRNGKeyArray

from ..core import AbstractExperience, Spec, Trajectory
from ..errors import SettingError
from ..ops import named, shard
from .on_policy import episode_steps

WHOLE_EPISODES = None  # a window of whole episodes


def require_whole_episodes(experience: AbstractExperience, instead: str) -> None:
    """Refuses windows for agents that remember."""
    if isinstance(experience, Replay) and experience.window is not WHOLE_EPISODES:
        problem = "cuts episodes open, and agents that remember need them whole"
        raise SettingError("experience.window", problem, f"set `experience.window=None`, or {instead}")


class Replay(AbstractExperience):
    """Off-policy: a ring of steps, from which windows are cut when they are drawn.

    `window=1` draws transitions, `window=None` whole episodes, each with equal chance. `capacity`
    and `start` (what must be there before the first update) count episodes where whole episodes
    are drawn, else steps. No observation is held twice, whatever the window. Updates follow iterations or,
    with `every`, steps: an iteration is then as long as it takes for none to be owed.
    """

    capacity: int = 5000
    batch_size: int = 32
    window: int | None = WHOLE_EPISODES
    start: int | None = None  # None: a batch
    steps: int | None = None  # collected from each copy an iteration; None: an episode's worth
    updates: int = 1  # an iteration, or `every` so many steps of the environment
    every: int | None = None
    half: bool = False  # observations and state are kept as float16: up to 65504, to three digits

    def rollout_length(self, spec: Spec, n: int) -> int:
        """With `every`, about an episode's worth: as many steps as make a whole number of updates."""
        if self.steps or not self.every:
            return self.steps or episode_steps(spec)
        least = self.every // math.gcd(self.every, n)
        return least * max(1, round(episode_steps(spec) / least))

    def updates_per_iteration(self, n: int, length: int) -> int:
        return max(1, self.updates * n * length // self.every) if self.every else self.updates

    def entries(self, spec: Spec, windows: int) -> int:
        return windows * (episode_steps(spec) if self.window is WHOLE_EPISODES else 1)

    def warmup(self, spec: Spec, n: int, length: int) -> int:
        """Enough for `start`, and for the first window to have closed."""
        start = self.batch_size if self.start is None else self.start
        some = -(-self.entries(spec, start) // (n * length))
        return max(some, -(-self.span(spec) // length)) - 1

    def span(self, spec: Spec) -> int:
        """The observations of one window."""
        return (self.window or spec.horizon) + 1

    def init(self, spec: Spec, rollouts: Trajectory) -> Trajectory:
        n, length = rollouts.valid.shape
        blocks = self.entries(spec, self.capacity) // (n * length)
        if blocks * length < 2 * self.span(spec) or blocks < 2:
            needed = -(-max(2 * self.span(spec), 2 * length) * n // self.entries(spec, 1))
            problem = f"is too small for {n} copies of the environment"
            remedy = f"set `experience.capacity={needed}` or more, or use fewer copies (`run.envs`)"
            raise SettingError("experience.capacity", problem, remedy, value=self.capacity)
        empty = lambda x: jnp.zeros((n, blocks * length, *x.shape[2:]), x.dtype)
        return self.seen_as(jnp.float16, jax.tree.map(empty, rollouts))

    def seen_as(self, kind: jnp.dtype | type, t: Trajectory) -> Trajectory:
        """What is kept in half precision, in another one."""
        seen = lambda t: (t.obs.agents, t.obs.state)
        return eqx.tree_at(seen, t, replace_fn=lambda x: x.astype(kind)) if self.half else t

    def steps_of(self, rollouts: Trajectory) -> Trajectory:
        """Without the last observations, which the next rollouts begin with."""
        steps = eqx.tree_at(lambda t: t.obs, rollouts, jax.tree.map(lambda x: x[:, :-1], rollouts.obs))
        return self.seen_as(jnp.float16, steps)

    def add(self, buffer: Trajectory, rollouts: Trajectory, clock: Int[Array, ""]) -> Trajectory:
        length, size = rollouts.valid.shape[1], buffer.valid.shape[1]
        put = lambda ring, x: jax.lax.dynamic_update_slice_in_dim(ring, x, clock * length % size, 1)
        return jax.tree.map(put, buffer, self.steps_of(rollouts))

    def batch(
        self, spec: Spec, buffer: Trajectory, rollouts: Trajectory, clock: Int[Array, ""], key: PRNGKeyArray
    ) -> Trajectory:
        length, (n, size) = rollouts.valid.shape[1], buffer.valid.shape
        draw = self.episodes if self.window is WHOLE_EPISODES else self.windows
        copy, start = shard(draw(buffer, length, clock, self.span(spec), key))
        place = (start[:, None] + jnp.arange(self.span(spec))) % size + copy[:, None] * size
        cut = lambda x: x.reshape(n * size, *x.shape[2:])[place]
        trim = lambda x: cut(x)[:, :-1]
        steps = jax.tree.map(trim, eqx.tree_at(lambda t: t.obs, buffer, None))
        batch = eqx.tree_at(
            lambda t: t.obs, steps, jax.tree.map(cut, buffer.obs), is_leaf=lambda x: x is None
        )
        batch = self.seen_as(jnp.float32, batch)
        if self.window is not WHOLE_EPISODES:
            return batch
        own = jnp.cumsum(batch.obs.first[:, :-1], axis=1) == 1  # what follows is another episode's
        return eqx.tree_at(lambda t: t.valid, batch, batch.valid & own)

    def windows(
        self, buffer: Trajectory, length: int, clock: Int[Array, ""], span: int, key: PRNGKeyArray
    ) -> tuple[Int[Array, " b"], Int[Array, " b"]]:
        """Copies and starts: any place whose window has closed and does not cross the ring's seam."""
        n, size = buffer.valid.shape
        end = (clock + 1) * length
        places = jnp.minimum(end, size) - span + 1
        copy = jr.randint(named(key, "copy"), (self.batch_size,), 0, n)
        back = jr.randint(named(key, "start"), (self.batch_size,), 0, places)
        return copy, (end - span - back) % size

    def episodes(
        self, buffer: Trajectory, length: int, clock: Int[Array, ""], span: int, key: PRNGKeyArray
    ) -> tuple[Int[Array, " b"], Int[Array, " b"]]:
        """Copies and starts: any episode's beginning that has a window's length recorded after it.

        The k-th of them is found in two strides: to its block (an iteration's steps of one copy)
        by how many begin in each, then inside the block.
        """
        n, size = buffer.valid.shape
        block = jnp.arange(size // length)
        age = (clock - block) % (size // length)
        room = (age[:, None] + 1) * length - jnp.arange(length) >= span
        ready = buffer.obs.first.reshape(n, -1, length) & (room & (age <= clock)[:, None])
        counts = jnp.sum(ready, axis=-1).ravel()
        total = jnp.cumsum(counts)
        k = jr.randint(named(key, "episode"), (self.batch_size,), 0, total[-1])
        which = jnp.searchsorted(total, k, side="right")
        rank = k - (total - counts)[which]
        row: Bool[Array, "b length"] = ready.reshape(-1, length)[which]
        inside = jnp.argmax(jnp.cumsum(row, axis=1) > rank[:, None], axis=1)
        return which // block.size, which % block.size * length + inside
