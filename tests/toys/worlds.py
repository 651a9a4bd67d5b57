"""Small worlds whose observations show what the loop did with them."""

import os
import time

import jax.numpy as jnp
import jax.random as jr
import numpy as np

from covey.core import (
    AbstractEnvironment,
    AbstractHostEnvironment,
    HostObservation,
    HostStep,
    Observation,
    Spec,
    Step,
)
from covey.ops import named


class Counting(AbstractEnvironment):
    """Episodes of 1 to `longest` steps, each with a number of its own; half terminate, half are cut off.

    Its one agent sees that number, the time, when the end comes, whether a true one, what it did last.
    """

    longest: jnp.ndarray

    @property
    def spec(self):
        return Spec(("clerk",), features=5, actions=3, horizon=6)

    def observe(self, s):
        n = s.shape[1]
        legal, alive = jnp.ones((n, 1, 3), bool), jnp.ones((n, 1), bool)
        return Observation(s.T[:, None], jnp.zeros((n, 0)), legal, alive, first=s[1] == 0)

    def reset(self, key, n):
        end = jr.randint(named(key, "end"), (n,), 1, self.longest + 1)
        serial, true = jr.uniform(named(key, "serial"), (n,)), jr.bernoulli(named(key, "true"), shape=(n,))
        s = jnp.stack([serial, jnp.zeros(n), end.astype(float), true.astype(float), -jnp.ones(n)])
        return s, self.observe(s)

    def step(self, state, action, key):
        s = state.at[1].add(1.0).at[4].set(action[:, 0].astype(float))
        over, true = s[1] >= s[2], s[3] > 0
        reward = 10 * s[1:2].T + action
        return s, Step(
            self.observe(s), reward, reward, over & true, over & ~true, {"acted": 1.0 * action[:, 0]}
        )


class Factions(AbstractEnvironment):
    """Agents see bits at each of 3 steps: red's two agents must act theirs out, blue's the opposite."""

    @property
    def spec(self):
        return Spec(("r0", "b0", "r1"), features=1, actions=2, horizon=3, team=("red", "blue", "red"))

    def observe(self, s):
        n = s.shape[1]
        bits, legal = s[:3].T[..., None], jnp.ones((n, 3, 2), bool)
        return Observation(bits, jnp.zeros((n, 0)), legal, jnp.ones((n, 3), bool), first=s[3] == 0)

    def reset(self, key, n):
        s = jnp.concatenate([jr.rademacher(key, (3, n), float), jnp.zeros((1, n))])
        return s, self.observe(s)

    def step(self, state, action, key):
        hit = (2.0 * action - 1) == state[:3].T * jnp.array([1.0, -1.0, 1.0])
        s = jnp.concatenate([jr.rademacher(key, (3, hit.shape[0]), float), state[3:] + 1])
        reward, over = hit.astype(float), s[3] >= 3
        return s, Step(self.observe(s), reward, self.spec.team_mean(reward), over, jnp.zeros_like(over))


class Duel(AbstractEnvironment):
    """Factions of one agent each: after three steps the one that acted out more of its bits has won."""

    @property
    def spec(self):
        return Spec(("red", "blue"), features=1, actions=2, horizon=3, team=("red", "blue"))

    def observe(self, s):
        n = s.shape[1]
        legal, alive = jnp.ones((n, 2, 2), bool), jnp.ones((n, 2), bool)
        return Observation(s[:2].T[..., None], jnp.zeros((n, 0)), legal, alive, first=s[2] == 0)

    def reset(self, key, n):
        s = jnp.concatenate([jr.rademacher(key, (2, n), float), jnp.zeros((3, n))])
        return s, self.observe(s)

    def step(self, state, action, key):
        hit = 1.0 * ((2.0 * action - 1) == state[:2].T)
        hits = state[3:] + hit.T
        s = jnp.concatenate([jr.rademacher(key, (2, hit.shape[0]), float), state[2:3] + 1, hits])
        over = s[2] >= 3
        won, lost = over & (hits[0] > hits[1]), over & (hits[0] < hits[1])
        counts = {"won": 1.0 * won, "lost": 1.0 * lost}
        return s, Step(self.observe(s), hit, self.spec.team_mean(hit), over, jnp.zeros_like(over), counts)


class HostRecall(AbstractHostEnvironment):
    """`Recall` of the probes in plain Python: each of two agents acts out the bit it saw two steps before."""

    counts = ("won",)

    def __init__(self):
        self.spec = Spec(("left", "right"), features=3, state=3, actions=2, horizon=3)
        self.seeds = []

    def look(self):
        shown = self.bits if self.t == 0 else [0.0, 0.0]
        agents = np.array([[bit, self.t / 2, 1.0] for bit in shown], np.float32)
        state = np.array([*self.bits, self.t / 2], np.float32)
        return HostObservation(agents, state, np.ones((2, 2), bool), np.ones(2, bool))

    def reset(self, seed):
        self.seeds.append(seed)
        self.t, self.bits = 0, np.random.default_rng(seed).choice([-1.0, 1.0], 2)
        return self.look()

    def step(self, action):
        self.t += 1
        won = float(self.t == 3 and all(action == (self.bits > 0)))
        return HostStep(
            self.look(), np.full(2, won), terminated=self.t == 3, truncated=False, counts={"won": won}
        )


class Failing(HostRecall):
    """`HostRecall` that fails at the given step of its copy: it raises, hangs, dies, or gives a NaN."""

    def __init__(self, how="raise", at=2):
        super().__init__()
        self.how = how
        self.left = at

    def __str__(self):
        return "failing"

    def step(self, action):
        self.left -= 1
        outcome = super().step(action)
        if self.left:
            return outcome
        if self.how == "raise":
            raise ValueError("lost the engine")
        if self.how == "hang":
            time.sleep(1000)
        if self.how == "die":
            os._exit(3)
        return outcome._replace(reward=np.full(2, np.nan))
