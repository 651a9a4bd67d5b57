"""Worlds that misbehave, each in a way that `fault` names: compiled ones, and ones in plain Python."""

import sys
from types import SimpleNamespace

import jax
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

HUGE = {"reward huge": 1e30, "reward nan": jnp.nan, "reward inf": jnp.inf}


def make_spec(fault: str) -> Spec:
    names = ("a", "a") if fault == "names" else ("a", "b")
    return Spec(names, features=2, actions=3, horizon=0 if fault == "horizon" else 4)


def has_gone(x):
    raise RuntimeError("the simulator has gone")


class Compiled(AbstractEnvironment):
    """Two agents, four steps, a number that nobody moves."""

    fault: str = ""

    @property
    def counts(self):
        return ()

    @property
    def spec(self):
        return make_spec(self.fault)

    def observe(self, x, t):
        n = x.shape[-1]
        agents = jnp.stack([x, t.astype(jnp.float32)], -1)[:, None].repeat(2, 1)
        if self.fault == "nan":
            agents = jnp.where((t == 3)[:, None, None], jnp.nan, agents)
        legal = jnp.ones((n, 2, 3), jnp.float32 if self.fault == "legal" else bool)
        agents = agents[..., :1] if self.fault == "width" else agents
        return Observation(agents, jnp.zeros((n, 0)), legal, jnp.ones((n, 2), bool), t == 0)

    def reset(self, key, n):
        if self.fault == "reset":
            raise KeyError("no map")
        state = {"x": jr.normal(named(key, "x"), (n,)), "t": jnp.zeros(n, jnp.int32)}
        if self.fault == "axis":
            state["x"] = state["x"][:, None]
            return state, self.observe(state["x"][:, 0], state["t"])
        return state, self.observe(state["x"], state["t"])

    def step(self, state, action, key):
        if self.fault == "exit":
            sys.exit(0)
        if self.fault == "raises":
            raise ZeroDivisionError("my own fault")
        if self.fault == "if" and state["t"][0] > 2:
            return None
        if self.fault == "none":
            return None
        x = state["x"][:, 0] if self.fault == "axis" else state["x"]
        t = state["t"] + 1
        over = t >= (1 if self.fault == "at once" else 1000 if self.fault == "endless" else 4)
        reward = jnp.ones((*t.shape, 2)) * HUGE.get(self.fault, 1.0)
        if self.fault == "callback":
            reward = reward + jax.pure_callback(has_gone, jax.ShapeDtypeStruct((), jnp.float32), x)
        new = {"x": x, "t": t.astype(jnp.float32) if self.fault == "dtype" else t}
        new |= {"more": t} if self.fault == "structure" else {}
        over = over[0] if self.fault == "flag" else over
        rewards = {"reward": reward[:, 0] if self.fault == "reward" else reward, "team_reward": reward[:, :1]}
        return new, Step(self.observe(x, t), **rewards, terminated=over, truncated=jnp.zeros_like(over))


LATE_OBSERVATIONS = {
    "nan": lambda x: x * np.nan,
    "width": lambda x: x[:, :1],
    "text": lambda x: x.astype(str),
    "nothing": lambda x: None,
    "ragged": lambda x: [[1.0], [1.0, 2.0]],
    "object": lambda x: np.array([[None, 1], [2, 3]], object),
    "complex": lambda x: x * 1j,
}
LATE_REWARDS = {
    "reward nan": np.full(2, np.nan),
    "reward inf": np.full(2, np.inf),
    "reward beyond": np.full(2, 1e300),
    "reward huge": np.full(2, 1e30),
    "reward scalar": 1.0,
    "reward text": np.array(["x", "y"]),
    "reward width": np.ones(3),
    "reward none": None,
}
FLAGS = {"flag array": np.array([True, False]), "flag of one": np.array([False])}
LATE_COUNTS = {"count nan": {"won": float("nan")}, "count text": {"won": "x"}, "no counts": None}


class Python(AbstractHostEnvironment):
    """The same in plain Python. Faults show `after` some episodes, in the second step."""

    counts = ("won",)

    def __init__(self, fault: str = "", after: int = 0):
        if fault == "init":
            raise FileNotFoundError("no map")
        self.fault = fault
        self.spec = make_spec(fault)
        self.after = after
        self.episodes = 0

    def __str__(self):
        return "broken"

    @property
    def late(self) -> bool:
        return self.episodes > self.after and self.t == 2

    def look(self):
        agents = np.array([[self.x, self.t]] * 2, np.float64 if self.fault == "double" else np.float32)
        agents = LATE_OBSERVATIONS.get(self.fault, lambda x: x)(agents) if self.late else agents
        legal = np.ones((2, 3), bool)
        legal[0] = not (self.fault == "stuck" and self.late)
        return HostObservation(agents, np.zeros(0, np.float32), legal, np.ones(2, bool))  # pyright: ignore

    def reset(self, seed):
        self.rng = np.random.default_rng(seed)
        self.t = 0
        self.x = 0.0
        self.episodes += 1
        if self.fault == "reset" and self.episodes > self.after:
            raise KeyError("no map")
        return None if self.fault == "reset none" and self.episodes > self.after else self.look()

    def step(self, action):
        self.t += 1
        self.x = float(self.rng.normal())
        if self.late and self.fault in ENDS:
            return ENDS[self.fault](self)
        over = self.t == (1 if self.fault == "at once" else 1000 if self.fault == "endless" else 4)
        reward = LATE_REWARDS.get(self.fault, np.ones(2)) if self.late else np.ones(2, np.float32)
        counts = LATE_COUNTS.get(self.fault, {"won": 1.0}) if self.late else {"won": 1.0}
        return HostStep(self.look(), reward, FLAGS.get(self.fault, over), False, counts=counts)  # pyright: ignore


def fail(world):
    raise ZeroDivisionError("my own fault")


def call_itself(world):
    return call_itself(world)


ENDS = {
    "raises": fail,
    "numpy": lambda world: np.ones(3).reshape(7, 7),
    "endless call": call_itself,
    "exit": lambda world: sys.exit(0),
    "none": lambda world: None,
    "tuple": lambda world: (world.look(), 0.0, False, False, {}),
    "a namespace": lambda world: SimpleNamespace(obs=world.look()),
}
