"""Steps a second of worlds that are Python programs: by themselves, and while covey trains in them.

    python -m benchmarks.host_worlds
    python -m benchmarks.host_worlds --worlds spread --workers 0 2 --steps 40000

`spread` is mpe2's simple_spread_v3, `slow` a toy whose step takes a millisecond. A world alone takes random
legal actions. Training is timed without its first report, in which programs are compiled.
"""

import argparse
import time

import numpy as np

from covey.config.config import Config
from covey.core import AbstractHostEnvironment, HostObservation, HostStep, Spec
from covey.runs import launch

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


def alone(world: AbstractHostEnvironment, steps: int) -> float:
    """Return the steps a second of a world with random actions, resets included."""
    from covey.testing.python_worlds import random_action

    rng = np.random.default_rng(0)
    actions = []
    obs = world.reset(0)
    for _ in range(100):  # drawn before the clock starts
        actions.append(random_action(world.spec, obs, rng))
    t = 0
    began = time.perf_counter()
    for i in range(steps):
        t += 1
        outcome = world.step(actions[i % len(actions)])
        if outcome.terminated or outcome.truncated or t >= world.spec.horizon:
            world.reset(i)
            t = 0
    return steps / (time.perf_counter() - began)


def training(algorithm: str, world: str, copies: int, workers: int, steps: int) -> dict[str, float]:
    """Return the steps a second of training after its first chunk, and the shares of its time."""
    from covey.runs.engine import Engine

    options = {"seeds": 1, "steps": steps, "envs": copies, "workers": workers, "report_every": steps // 4}
    engine = Engine(Config.parse(algorithm, world, {}, options))
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=list(WORLDS))
    parser.add_argument("--algorithms", nargs="+", default=["iql", "ippo"])
    parser.add_argument("--copies", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--workers", nargs="+", type=int, default=[0])
    parser.add_argument("--steps", type=int, default=20_000)
    arguments = parser.parse_args()
    launch.prepare("cpu", python_world=True)
    from covey.config.making import make_environment

    for name in arguments.worlds:
        world = make_environment(WORLDS[name])[0]
        assert isinstance(world, AbstractHostEnvironment)
        rate = alone(world, min(arguments.steps, 5000))
        print(f"{name} alone: {rate:,.0f} steps/s", flush=True)
        for algorithm in arguments.algorithms:
            for copies in arguments.copies:
                for workers in arguments.workers:
                    found = training(algorithm, WORLDS[name], copies, workers, arguments.steps)
                    own = found.pop("rate")
                    shares = ", ".join(f"{what} {part:.0%}" for what, part in found.items())
                    print(
                        f"  {algorithm}, copies {copies}, workers {workers}: {own:,.0f} steps/s "
                        f"({own / rate:.0%} of the world alone; {shares})",
                        flush=True,
                    )


if __name__ == "__main__":
    main()
