"""QMIX and VDN on spread through `covey train`'s own engine, against the machine's matmul rate.

The work: 8 copies, an update of 32 episodes after every 8 episodes, GRU 64, mixer 32 with
hypernetworks of 128, replay of 5000 episodes; one seed, and summed over 8 seeds.
"""

import math
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr

from covey.experiment.config import Config
from covey.experiment.engine import Engine

from .common import arguments, in_turn, keep, shown, summary, table
from .machine import matmul_rate

WORK = {"qmix": {"mixer.embed": 32, "mixer.hyper": 128}, "vdn": {}}
SEEDS = (1, 8)
SETTINGS = {
    "preset": "original",
    "agent.hidden": 64,
    "experience.capacity": 5000,
    "experience.batch_size": 32,
}


class Trained:
    """A run between two reports, over and over."""

    def __init__(self, algorithm: str, seeds: int):
        options = {"seeds": seeds, "envs": 8, "report_every": 20_000}
        config = Config.parse(algorithm, "spread", SETTINGS | WORK[algorithm], options)
        self.engine, self.clock, self.seeds = Engine(config), 0, seeds
        self.states = self.engine.start()
        self()  # the warm-up, too

    @property
    def steps(self) -> int:
        """Of the environment, a call."""
        return self.seeds * self.engine.iterations * self.engine.iteration_steps

    def __call__(self) -> None:
        self.states, _, _ = self.engine.advance(self.states, self.clock)
        jax.block_until_ready(self.states)
        self.clock += self.engine.iterations

    def flops_per_step(self) -> float:
        """The matrix products of collecting and of learning, an environment step."""
        trainer = self.engine.trainer
        state = jax.eval_shape(trainer.init, jax.random.key(0))
        return matmul_flops(jax.make_jaxpr(trainer.iteration)(state, 0)) / self.engine.iteration_steps


def matmul_flops(program: Jaxpr | ClosedJaxpr) -> float:
    """Counted in the program as written, each scan as often as it turns (XLA's own count takes it once)."""
    total = 0.0
    for eqn in program.eqns:
        if eqn.primitive.name == "dot_general":
            (over, _), _ = eqn.params["dimension_numbers"]
            left: Any = eqn.invars[0].aval
            product: Any = eqn.outvars[0].aval
            total += 2.0 * product.size * math.prod(left.shape[i] for i in over)
        inner = [x for x in jax.tree.leaves(list(eqn.params.values())) if isinstance(x, Jaxpr | ClosedJaxpr)]
        if inner:
            total += eqn.params.get("length", 1) * max(map(matmul_flops, inner))
    return total


def main() -> None:
    options = arguments(__doc__ or "", repetitions=7)
    peak = matmul_rate()
    runs = {f"{name}, {seeds} seeds": Trained(name, seeds) for name in WORK for seeds in SEEDS}
    flops = {name: run.flops_per_step() for name, run in runs.items()}
    seconds = in_turn(runs, options.repetitions)
    rates = {name: summary([runs[name].steps / s for s in own]) for name, own in seconds.items()}
    print(
        f"Environment steps a second, summed over seeds; all cores multiply matrices at {peak / 1e9:.0f} GF/s"
    )
    table(
        [
            {
                "run": name,
                "steps/s": shown(rate),
                "Mflop a step": f"{flops[name] / 1e6:.2f}",
                "of the matmul rate": f"{rate['median'] * flops[name] / peak:.0%}",
            }
            for name, rate in rates.items()
        ]
    )
    keep(options.json, {"matmul rate": peak, "flops a step": flops, "rates": rates})


if __name__ == "__main__":
    main()
