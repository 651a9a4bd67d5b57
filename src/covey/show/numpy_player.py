"""The policy of a run of covey's, in NumPy alone.

    player = Player()                                    # reads the weights beside this file
    player.reset()                                       # where an episode begins
    actions = player.act({"agent_0": observation, ...})  # of the agents that are named, one or all

Actions are greedy: a number where they are discrete, else one for each dimension. `legal` may tell for each
agent which actions it can take. Rows in the order of `player.agents` may stand for the names.
"""

import json
from pathlib import Path

import numpy as np

WEIGHTS = Path(__file__).with_suffix(".safetensors")


def read_weights(path):
    """Return the arrays of a safetensors file, and the facts beside them."""
    raw = Path(path).read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    facts = json.loads(header.pop("__metadata__")["covey"])
    arrays = {}
    for name, entry in header.items():
        first, end = entry["data_offsets"]
        flat = np.frombuffer(raw[start + first : start + end], "<f4")
        arrays[name] = flat.reshape(entry["shape"]).astype(float)
    return arrays, facts


class NumPyAgent:
    """One agent: its own observations in, its greedy actions out."""

    def __init__(self, facts, place, group, arrays):
        self.facts = facts
        self.identity = np.eye(facts["agents"])[place] if facts["agent_id"] else []
        self.layers = [(kind, [arrays[name][group] for name in names]) for kind, *names in facts["layers"]]
        self.reset()

    def reset(self):
        self.hidden = np.zeros(self.facts["carry"])
        self.last = np.zeros(self.facts["actions"] * self.facts["last_action"])  # no action yet

    def act(self, observation, legal=None):
        facts = self.facts
        row = np.zeros(facts["features"], facts["feature_type"])
        row[: len(observation)] = observation
        x = np.concatenate([row / facts["scale"], self.last, self.identity])
        for kind, weights in self.layers:
            x = getattr(self, kind)(x, *weights)
        x = x[: facts["actions"]]  # a network with two heads has the value after them
        legal = np.ones(len(x), bool) if legal is None else np.asarray(legal, bool)
        if facts["bounds"]:
            low, high = facts["bounds"]
            x = np.tanh(x) if facts["squashed"] else np.clip(x, -1.0, 1.0)
            action = np.where(legal, np.clip(low + 0.5 * (high - low) * (x + 1.0), low, high), low)
        else:
            action = int(np.argmax(np.where(legal, x, -1e9)))
        if facts["last_action"]:
            self.last = action if facts["bounds"] else np.arange(len(x)) == action
        return action

    def linear(self, x, weight, bias):
        return x @ weight + bias

    relu = staticmethod(lambda x: np.maximum(x, 0.0))
    tanh = staticmethod(np.tanh)

    def norm(self, x):
        return (x - x.mean()) / np.sqrt(x.var() + 1e-5)

    def gru(self, x, *weights):
        now = [x @ w + b for w, b in zip(weights[0:6:2], weights[1:6:2], strict=True)]
        past = [self.hidden @ w + b for w, b in zip(weights[6::2], weights[7::2], strict=True)]
        reset, update = (0.5 + 0.5 * np.tanh(0.5 * (now[i] + past[i])) for i in (0, 1))  # sigmoids
        new = np.tanh(now[2] + reset * past[2])
        self.hidden = new + update * (self.hidden - new)
        return self.hidden


class Player:
    """All agents that learned. Each acts by itself and carries its own memory."""

    def __init__(self, weights=WEIGHTS):
        arrays, self.facts = read_weights(weights)
        make = lambda network, place, group: NumPyAgent(self.facts["networks"][network], place, group, arrays)
        self.agents = {name: make(*where) for name, *where in self.facts["agents"]}

    def reset(self):
        for agent in self.agents.values():
            agent.reset()

    def act(self, observations, legal=None):
        by_name = lambda x: x if isinstance(x, dict) else dict(zip(self.agents, x, strict=True))
        rows = by_name(observations)
        may = {} if legal is None else by_name(legal)
        actions = {name: self.agents[name].act(row, may.get(name)) for name, row in rows.items()}
        return actions if isinstance(observations, dict) else np.array(list(actions.values()))
