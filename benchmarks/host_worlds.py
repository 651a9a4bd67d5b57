"""Steps a second of worlds that are Python programs: by themselves, and while covey trains in them.

    python -m benchmarks.host_worlds
    python -m benchmarks.host_worlds --worlds spread --workers 0 2 --ahead
    python -m benchmarks.host_worlds --worlds "pz:pettingzoo.sisl.pursuit_v5 experience.capacity=100"

`spread` is mpe2's simple_spread_v3, `slow` a toy whose step takes a millisecond; any other world by its name,
with settings. A world alone takes random legal actions: in one process, and in as many as there are cores at
once. Training is timed without its first report, in which programs are compiled.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from covey.config.config import Config
from covey.core import AbstractHostEnvironment, HostObservation, HostStep, Spec
from covey.runs import launch

from .common import save_results

MPE2 = "pz:mpe2.simple_spread_v3"


class Slow(AbstractHostEnvironment):
    """Two agents see noise; a step takes `milliseconds` of work."""

    def __init__(self, milliseconds: float = 1.0, horizon: int = 50):
        self.spec = Spec(("left", "right"), features=8, actions=3, horizon=horizon)
        self.milliseconds = milliseconds

    def look(self) -> HostObservation:
        agents = self.rng.random((2, 8), np.float32)
        return HostObservation(agents, np.zeros(0, np.float32), np.ones((2, 3), bool), np.ones(2, bool))

    def reset(self, seed: int) -> HostObservation:
        self.rng = np.random.default_rng(seed)
        return self.look()

    def step(self, action) -> HostStep:
        end = time.perf_counter() + self.milliseconds / 1000
        while time.perf_counter() < end:
            pass
        return HostStep(self.look(), np.ones(2, np.float32), False, False)


WORLDS = {"spread": MPE2, "slow": f"{__name__ if __name__ != '__main__' else 'benchmarks.host_worlds'}:Slow"}


def alone(config: Config, seconds: float) -> float:
    """Return the steps a second of a world with random actions, resets included."""
    from covey.testing.python_worlds import random_action

    world = config.build()[0]
    assert isinstance(world, AbstractHostEnvironment)
    rng = np.random.default_rng(0)
    obs = world.reset(0)
    played = 0
    t = 0
    spent = 0.0
    while spent < seconds:
        action = random_action(world.spec, obs, rng)  # not timed
        began = time.perf_counter()
        outcome = world.step(action)
        obs = outcome.obs
        played += 1
        t += 1
        if outcome.terminated or outcome.truncated or t >= world.spec.horizon:
            obs = world.reset(played)
            t = 0
        spent += time.perf_counter() - began
    return played / spent


def alone_together(config: Config, seconds: float) -> float:
    """Return the steps a second of a copy of the world on every core."""
    cores = launch.cores()
    with ProcessPoolExecutor(cores, get_context("spawn")) as pool:
        list(pool.map(alone, [config] * cores, [0.2] * cores))  # they start, and import what they need
        return sum(pool.map(alone, [config] * cores, [seconds] * cores))


def training(config: Config) -> dict[str, float]:
    """Return the steps a second of training after its first chunk, and the shares of its time."""
    from covey.runs.engine import Engine

    engine = Engine(config)
    states = engine.start()
    states, _, _ = engine.advance(states, 0)
    engine.host_report()
    before = int(states[0].steps.sum())
    began = time.perf_counter()
    for chunk in range(1, 4):
        states, _, _ = engine.advance(states, chunk * engine.iterations)
    seconds = time.perf_counter() - began
    spent = engine.host_report().seconds
    rate = (int(states[0].steps.sum()) - before) / seconds
    engine.close()
    return {"rate": rate} | {what: part / seconds for what, part in spent.items()}


def measure(text: str, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """Print and return the figures of one world."""
    world, *settings = WORLDS.get(text, text).split()
    of_world = [pair for pair in settings if pair.startswith("env.")]
    bare = Config.parse("random", world, of_world, {"seeds": 1, "steps": 1000})
    rate = alone(bare, chosen.seconds)
    together = alone_together(bare, chosen.seconds)
    print(f"{text} alone: {rate:,.0f} steps/s, on {launch.cores()} cores {together:,.0f}", flush=True)
    found = []
    for algorithm, copies, workers, ahead in product(
        chosen.algorithms, chosen.copies, chosen.workers, [False, True][: 1 + chosen.ahead]
    ):
        report = max(1, round(rate * chosen.seconds / 3))
        options = {"seeds": 1, "steps": 4 * report, "envs": copies, "report_every": report}
        options |= {"workers": workers, "ahead": ahead}
        one = training(Config.parse(algorithm, world, settings, options))
        shares = ", ".join(f"{what} {part:.0%}" for what, part in one.items() if what != "rate")
        what = f"{algorithm}, copies {copies}, workers {workers}{', ahead' * ahead}"
        parts = (
            f"{one['rate'] / rate:.0%} of the world alone, {one['rate'] / together:.0%} of it on all cores"
        )
        print(f"  {what}: {one['rate']:,.0f} steps/s ({parts}; {shares})", flush=True)
        found.append(
            options | one | {"world": text, "algorithm": algorithm, "alone": rate, "cores": together}
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", nargs="+", metavar="WORLD", default=list(WORLDS))
    parser.add_argument("--algorithms", nargs="+", default=["iql", "ippo"])
    parser.add_argument("--copies", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--workers", nargs="+", type=int, default=[0])
    parser.add_argument("--ahead", action="store_true", help="also while the world plays on")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each measurement (3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the results")
    chosen = parser.parse_args()
    launch.prepare("cpu", python_world=True)
    found = [row for text in chosen.worlds for row in measure(text, chosen)]
    save_results(chosen.json, found)


if __name__ == "__main__":
    main()
