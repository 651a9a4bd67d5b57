"""Speed of training by the engine of `covey train`, against the machine's matmul rate.

The world is spread, unless --work says otherwise. QMIX, VDN: 8 copies, an update of 32 episodes after every 8
episodes, GRU 64, mixer 32 with hypernetworks of 128, replay of 5000 episodes. MAPPO, IPPO: 16 copies of
128 steps, 4 epochs of 4 minibatches of whole rollouts, Dense-GRU-Dense of 128 for actor and critic; MAPPO
with a value for each agent, and with one for the team. predator_prey: its presets, with 500 episodes in
the replay, which costs the same as 5000. Battles of 2s3z and 8m: PyMARL's settings, an update of 32 episodes
after every 40 steps of one copy, with the episodes of a batch padded or packed. One seed, and summed over 8
seeds. Any other algorithm in any world is named as `--work "ALGORITHM on WORLD"`, and trains by its preset;
`--set key=value` changes settings.

With `--profile` the time is told by piece: world, acting, replay, forward, backward, and so on.
"""

import time
from functools import partial
from typing import Any, NamedTuple

import jax

from covey import yaml_text
from covey.config.config import Config
from covey.errors import UserError
from covey.runs.engine import Engine
from covey.training.costs import bytes_of

from .common import format_summary, parse_options, print_table, save_results, summary, time_in_turns
from .flops import needed_flops
from .machine import matmul_rate
from .pieces import print_profile, profile

REPLAY = {
    "preset": "original",
    "agent.hidden": 64,
    "experience.capacity": 5000,
    "experience.batch_size": 32,
}
ROLLOUTS = {"preset": "original", "experience.steps": 128, "epochs": 4, "minibatches": 4}


def with_networks(settings: dict[str, Any], kind: str, **options: Any) -> dict[str, Any]:
    """Return settings in which actor and critic are of a kind, with the same options."""
    nets = ("actor", "critic")
    return (
        settings
        | dict.fromkeys(nets, kind)
        | {f"{net}.{name}": x for net in nets for name, x in options.items()}
    )


RECURRENT = with_networks(ROLLOUTS | {"chunk": 128}, "recurrent", hidden=128, depth=1, after=1, norm=False)
FEED_FORWARD = with_networks(ROLLOUTS, "feed_forward", hidden=64, activation="tanh", norm=False)


class Work(NamedTuple):
    """An algorithm and its settings, in a world."""

    algorithm: str
    settings: dict[str, Any]
    envs: int | None  # None: the preset's
    environment: str = "spread"

    def config(self, seeds: int, steps: int) -> Config:
        """Return the configuration of a run that reports every so many steps, of all seeds together."""
        options = {"seeds": seeds, "envs": self.envs, "report_every": max(1, steps // seeds)}
        return Config.parse(self.algorithm, self.environment, self.settings, options)


HUNT = {"preset": "tuned", "experience.capacity": 500}
WORK = {
    "qmix": Work("qmix", REPLAY | {"mixer.embed": 32, "mixer.hyper": 128}, 8),
    "vdn": Work("vdn", REPLAY, 8),
    "mappo": Work("mappo", RECURRENT | {"critic_input": "agent"}, 16),
    "mappo, team's value": Work("mappo", RECURRENT, 16),
    "ippo": Work("ippo", RECURRENT, 16),
    "ippo, feed-forward": Work("ippo", FEED_FORWARD, 16),
} | {
    f"{name} on predator_prey": Work(name, HUNT, 8, "predator_prey")
    for name in ("vdn", "qmix", "cw_qmix", "ow_qmix")
}
BATTLE = {"preset": "original", "experience.capacity": 1000, "experience.start": 8, "experience.steps": 40}
WORK |= {
    f"qmix on {name}, {kind}": Work(
        "qmix", BATTLE | {"experience.packed": kind == "packed"}, 1, f"skirmish/{name}"
    )
    for name in ("2s3z", "8m")
    for kind in ("padded", "packed")
}
SEEDS = (1, 8)
PROFILED = 3000  # steps of the call that is recorded, or one iteration


class TrainingWork:
    """A run between two reports; each call trains one chunk."""

    def __init__(self, work: Work, seeds: int, steps: int = 30_000, warm: bool = True):
        """Build the run; `steps` are those of a call, about, of all seeds together."""
        self.engine = Engine(work.config(seeds, steps))
        self.clock = 0
        self.seeds = seeds
        self.engine.memory()  # refuses what cannot fit
        began = time.perf_counter()
        self.engine.compile_together("chunk", "init")
        self.compile_seconds = time.perf_counter() - began
        self.states = self.engine.start()
        if warm:
            self()

    @property
    def steps(self) -> int:
        """Environment steps of a call."""
        return self.seeds * self.engine.iterations * self.engine.iteration_steps

    def __call__(self) -> None:
        self.states, _, _ = self.engine.advance(self.states, self.clock)
        jax.block_until_ready(self.states)
        self.clock += self.engine.iterations

    def memory(self) -> dict[str, int]:
        """Return bytes: of all seeds' states on all devices, and of a chunk's temporary arrays on one."""
        layout = self.engine.layout
        state = bytes_of(self.engine.shapes) * len(layout.lanes) * layout.parts
        return {"state": state, "temporary": self.engine.chunk.run.memory_analysis().temp_size_in_bytes}

    def flops_per_step(self) -> float:
        """Return the flops of matrix products, in collecting and learning, per environment step."""
        trainer = self.engine.trainer
        state = jax.eval_shape(trainer.init, jax.random.key(0))
        return needed_flops(trainer.iteration, state, 0) / self.engine.iteration_steps


def find_work(name: str, changes: dict[str, Any]) -> Work:
    """Return a work of the table above, or of any algorithm in any world: `ALGORITHM on WORLD`."""
    algorithm, on, world = name.partition(" on ")
    if name not in WORK and not on:
        raise UserError(f"--work '{name}': write 'ALGORITHM on WORLD', or one of {', '.join(WORK)}")
    work = WORK.get(name) or Work(algorithm, {}, None, world)
    return work._replace(settings=work.settings | changes)


def main() -> None:
    default = [name for name, work in WORK.items() if work.environment == "spread"]
    options = parse_options(
        __doc__ or "",
        repetitions=7,
        **{
            "--work": {"nargs": "+", "default": default, "metavar": "WORK"},
            "--seeds": {"nargs": "+", "type": int, "default": SEEDS},
            "--steps": {"type": int, "default": 30_000, "help": "of a turn, about (30000)"},
            "--set": {"nargs": "+", "default": [], "metavar": "key=value", "help": "other settings"},
            "--profile": {"action": "store_true", "help": "tell the time of each piece instead"},
        },
    )
    changes = yaml_text.parse_pairs(options.set)
    peak = matmul_rate()
    works = {
        f"{name}, {seeds} seeds": (find_work(name, changes), seeds)
        for name in options.work
        for seeds in options.seeds
    }
    if options.profile:
        found = {}
        for name, (work, seeds) in works.items():
            make = partial(TrainingWork, work, seeds, PROFILED, warm=False)
            found[name] = profile(make, work.config(seeds, PROFILED), peak)
            print_profile(name, found[name])
        save_results(options.json, found)
        return
    runs = {name: TrainingWork(work, seeds, options.steps) for name, (work, seeds) in works.items()}
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
