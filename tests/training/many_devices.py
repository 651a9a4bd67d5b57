"""Train on eight host devices in several layouts, for test_devices.py: `many_devices.py ALGORITHM FILE`.

The devices are the host's own, so this is a program of its own: JAX counts its devices once.
"""

import sys

import jax
import numpy as np
from jaxtyping import PyTree

from covey.config.config import Config
from covey.runs.checkpoint import named_leaves
from covey.runs.engine import Engine
from covey.training.devices import Layout

SMALL = {"preset": "original", "env.horizon": 7}
NETS = {"actor.hidden": 8, "critic.hidden": 8}
WORK = {
    "qmix": {"agent.hidden": 8, "experience.capacity": 64, "experience.batch_size": 8},
    "mappo": NETS | {"experience.steps": 8, "chunk": 8, "epochs": 2, "minibatches": 2},
    "maddpg": NETS
    | {"experience.capacity": 512, "experience.batch_size": 16}
    | {"experience.start": 64, "experience.every": 32},
}
CHUNKS = 2
# name: seeds, devices, and whether a device takes its seeds one after another, as a CPU does
LAYOUTS = {
    "one device": (2, 1, True),
    "devices share a seed": (2, 8, True),
    "GPUs share several seeds": (6, 8, False),
}


def train(algorithm: str, seeds: int, devices: int, sequential: bool) -> dict[str, PyTree]:
    """Return the learners and the metrics of the first two seeds."""
    options = {"seeds": seeds, "envs": 16, "report_every": 200, "seed": 3}
    engine = Engine(Config.parse(algorithm, "spread", SMALL | WORK[algorithm], options))
    engine.layout = Layout(seeds, jax.devices()[:devices], sequential=sequential)
    states = engine.start()
    reports = []
    for i in range(CHUNKS):
        states, metrics, _ = engine.advance(states, i * engine.iterations)
        reports.append(metrics)
    learners = engine.join([state.learners for state in states])
    evaluation = engine.evaluate(states)
    found = {"learners": learners, "metrics": reports, "evaluation": evaluation}
    return jax.tree.map(lambda x: x[:2], found)


def main() -> None:
    algorithm, path = sys.argv[1:]
    assert len(jax.devices()) == 8
    arrays = {
        f"{name}: {leaf}": np.asarray(x)
        for name, layout in LAYOUTS.items()
        for leaf, x in named_leaves(train(algorithm, *layout))
    }
    np.savez(path, **arrays)


if __name__ == "__main__":
    main()
