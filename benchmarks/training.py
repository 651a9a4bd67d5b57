"""Speed of training by the engine of `covey train`, against the machine's matmul rate.

The world is spread, unless --work says otherwise. QMIX, VDN: 8 copies, an update of 32 episodes after every 8
episodes, GRU 64, mixer 32 with hypernetworks of 128, replay of 5000 episodes. MAPPO, IPPO: 16 copies of
128 steps, 4 epochs of 4 minibatches of whole rollouts, Dense-GRU-Dense of 128 for actor and critic; MAPPO
with a value for each agent, and with one for the team. predator_prey: its presets, with 500 episodes in
the replay, which costs the same as 5000. One seed, and summed over 8 seeds.
"""

import math
from typing import Any, NamedTuple

import jax
from jax.extend.core import ClosedJaxpr, Jaxpr
from jax.interpreters.partial_eval import dce_jaxpr

from covey.config.config import Config
from covey.runs.engine import Engine

from .common import format_summary, parse_options, print_table, save_results, summary, time_in_turns
from .machine import matmul_rate

REPLAY = {
    "preset": "original",
    "agent.hidden": 64,
    "experience.capacity": 5000,
    "experience.batch_size": 32,
}
NETS = {"hidden": 128, "depth": 1, "after": 1, "norm": False}
ON_POLICY = {f"{net}.{name}": value for net in ("actor", "critic") for name, value in NETS.items()} | {
    "preset": "original",
    "experience.steps": 128,
    "chunk": 128,
    "epochs": 4,
    "minibatches": 4,
}


class Work(NamedTuple):
    """An algorithm and its settings, in a world."""

    algorithm: str
    settings: dict[str, Any]
    envs: int
    environment: str = "spread"


HUNT = {"preset": "tuned", "experience.capacity": 500}
WORK = {
    "qmix": Work("qmix", REPLAY | {"mixer.embed": 32, "mixer.hyper": 128}, 8),
    "vdn": Work("vdn", REPLAY, 8),
    "mappo": Work("mappo", ON_POLICY | {"critic_input": "agent"}, 16),
    "mappo, team's value": Work("mappo", ON_POLICY, 16),
    "ippo": Work("ippo", ON_POLICY, 16),
} | {
    f"{name} on predator_prey": Work(name, HUNT, 8, "predator_prey")
    for name in ("vdn", "qmix", "cw_qmix", "ow_qmix")
}
SEEDS = (1, 8)


class TrainingWork:
    """A run between two reports; each call trains one chunk."""

    def __init__(self, work: Work, seeds: int):
        options = {"seeds": seeds, "envs": work.envs, "report_every": 30_000 // seeds}
        config = Config.parse(work.algorithm, work.environment, work.settings, options)
        self.engine = Engine(config)
        self.clock = 0
        self.seeds = seeds
        self.states = self.engine.start()
        self()  # the warm-up, too

    @property
    def steps(self) -> int:
        """Environment steps of a call."""
        return self.seeds * self.engine.iterations * self.engine.iteration_steps

    def __call__(self) -> None:
        self.states, _, _ = self.engine.advance(self.states, self.clock)
        jax.block_until_ready(self.states)
        self.clock += self.engine.iterations

    def flops_per_step(self) -> float:
        """Return the flops of matrix products, in collecting and learning, per environment step."""
        trainer = self.engine.trainer
        state = jax.eval_shape(trainer.init, jax.random.key(0))
        program = jax.make_jaxpr(trainer.iteration)(state, 0).jaxpr
        needed, _ = dce_jaxpr(program, [True] * len(program.outvars))  # unused results are compiled away
        return matmul_flops(needed) / self.engine.iteration_steps


def matmul_flops(program: Jaxpr | ClosedJaxpr) -> float:
    """Count a program's matrix products, each scan times its length (XLA's own count takes it once)."""
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
    default = [name for name, work in WORK.items() if work.environment == "spread"]
    choice = {"nargs": "+", "default": default, "choices": list(WORK), "metavar": "WORK"}
    options = parse_options(__doc__ or "", repetitions=7, **{"--work": choice})
    peak = matmul_rate()
    runs = {
        f"{name}, {seeds} seeds": TrainingWork(WORK[name], seeds) for name in options.work for seeds in SEEDS
    }
    flops = {name: run.flops_per_step() for name, run in runs.items()}
    seconds = time_in_turns(runs, options.repetitions)
    rates = {name: summary([runs[name].steps / s for s in turns]) for name, turns in seconds.items()}
    print(
        f"Environment steps a second, summed over seeds; all cores multiply matrices at {peak / 1e9:.0f} GF/s"
    )
    print_table(
        [
            {
                "run": name,
                "steps/s": format_summary(rate),
                "Mflop a step": f"{flops[name] / 1e6:.2f}",
                "of the matmul rate": f"{rate['median'] * flops[name] / peak:.0%}",
            }
            for name, rate in rates.items()
        ]
    )
    save_results(options.json, {"matmul rate": peak, "flops a step": flops, "rates": rates})


if __name__ == "__main__":
    main()
