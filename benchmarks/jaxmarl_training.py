"""JaxMARL's published training scripts beside covey, in turns, at equal work on MPE's simple_spread.

    git clone https://github.com/FLAIROx/JaxMARL ~/JaxMARL        # scripts and their settings: c793d095
    python3.11 -m venv ~/jaxmarl
    ~/jaxmarl/bin/pip install jaxmarl==0.2.0 flax optax distrax flashbax matplotlib pyyaml
    python -m benchmarks.jaxmarl_training --jaxmarl ~/JaxMARL --python ~/jaxmarl/bin/python

Each contestant is a process. It compiles its program (timed, with no cache), trains until it learns, then
takes turns with the other: a turn goes on with the state in which the last one ended, for the same number of
updates. JaxMARL runs as its authors run it, with JAX's own settings; `benchmarks.peers.jaxmarl_worker` says
what is changed in its scripts for timing. Its evaluations and wandb are off, and it learns from the start of
the first turn that is measured.

Equal are copies, steps of a rollout, updates, epochs, minibatches, networks, batch, replay, optimiser. The
flops of matrix products per step are counted in both programs as written and printed. What differs:

* Steps. JaxMARL's episodes have 26 steps and covey's have 25; the place of the 26th is a reset, which does
  not count. So covey is given 4 % fewer steps for the same work.
* Settings that cost nothing, such as learning rates, are covey's own.
* MAPPO. JaxMARL's critic reads all observations, 54 numbers, once for each agent. With `critic_input=agent`
  covey's reads the state and the agent's own observation and number besides. The row `mappo, team's value`
  computes one value for the team, as the paper does: less work for the same purpose, and not equal.
* IPPO, recurrent. Both have one network with two heads (`trunk=shared`). After the GRU, JaxMARL has a layer
  of 128 for each head, covey one for both.
* Feed-forward IPPO. covey draws minibatches of moments, each with all three agents; JaxMARL of single agents.
* PPO here pools advantages over an iteration to standardise them; JaxMARL does so in every minibatch.
"""

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from covey import yaml_text
from covey.errors import UserError

from .common import format_summary, parse_options, print_table, ratio, save_results, summary
from .idle import OthersMeter, wait_until_idle
from .machine import matmul_rate
from .peers.worker import Worker, WorkerError
from .training import WORK, Work

VALUES = {"last_action": False, "optimiser": {"name": "radam", "clip": 25.0}}
Q_LEARNING = "QLearning/config/alg/ql_rnn_mpe.yaml"
FF = ("IPPO/ippo_ff_mpe.py", "IPPO/config/ippo_ff_mpe.yaml")
MAPPO = ("MAPPO/mappo_rnn_mpe.py", "MAPPO/config/mappo_homogenous_rnn_mpe.yaml")
IPPO = ("IPPO/ippo_rnn_mpe.py", "IPPO/config/ippo_rnn_mpe.yaml")
OFF = {"WANDB_MODE": "disabled", "TEST_DURING_TRAINING": False}
EQUAL = {
    "NUM_STEPS": "experience.steps",
    "UPDATE_EPOCHS": "epochs",
    "NUM_MINIBATCHES": "minibatches",
    "GRU_HIDDEN_DIM": "actor.hidden",
    "FC_DIM_SIZE": "critic.hidden",
    "BUFFER_SIZE": "experience.capacity",
    "BUFFER_BATCH_SIZE": "experience.batch_size",
    "HIDDEN_SIZE": "agent.hidden",
    "MIXER_EMBEDDING_DIM": "mixer.embed",
    "MIXER_HYPERNET_HIDDEN_DIM": "mixer.hyper",
}


class Match(NamedTuple):
    """A script of JaxMARL's, its configuration, covey's work, and the updates of a turn of one seed."""

    script: str
    config: str
    work: Work
    updates: int

    def configuration(self, folder: Path) -> dict[str, Any]:
        """Return the script's configuration, as published, with the copies of covey's work."""
        published = yaml_text.read_file(folder / "baselines" / self.config)
        for theirs, ours in EQUAL.items():
            work = self.work.settings
            if theirs in published and ours in work and published[theirs] != work[ours]:
                raise UserError(f"{self.config}: {theirs} is {published[theirs]}, but {ours} is {work[ours]}")
        return published | OFF | {"NUM_ENVS": self.work.envs}


def adapted(work: Work, envs: int | None = None, **settings: Any) -> Work:
    """Return a work with other settings."""
    return work._replace(settings=work.settings | settings, envs=envs or work.envs)


MATCHES = {
    "qmix": Match("QLearning/qmix_rnn.py", Q_LEARNING, adapted(WORK["qmix"], **VALUES), 150),
    "vdn": Match("QLearning/vdn_rnn.py", Q_LEARNING, adapted(WORK["vdn"], **VALUES), 150),
    "mappo": Match(*MAPPO, WORK["mappo"], 6),
    "mappo, team's value": Match(*MAPPO, WORK["mappo, team's value"], 6),
    "ippo": Match(*IPPO, adapted(WORK["ippo"], minibatches=2, trunk="shared"), 6),
    "ippo, feed-forward": Match(*FF, WORK["ippo, feed-forward"], 40),
    "ippo, feed-forward, 512 copies": Match(*FF, adapted(WORK["ippo, feed-forward"], 512), 2),
}
SEEDS = (1, 8)
EPISODE = 25 / 26  # of the places in an episode, those that are steps


def commands(name: str, seeds: int, options: Any) -> dict[str, list[str]]:
    """Return the command of each contestant's process."""
    match = MATCHES[name]
    configuration = match.configuration(options.jaxmarl)
    updates = max(1, match.updates // seeds)
    steps = seeds * round(updates * configuration["NUM_STEPS"] * match.work.envs * EPISODE)
    script = str(options.jaxmarl.resolve() / "baselines" / match.script)
    module = lambda python, name: [str(python), "-m", f"benchmarks.peers.{name}"]
    theirs = (script, json.dumps(configuration), str(seeds), str(updates))
    ours = (json.dumps(match.work), str(seeds), str(steps))
    return {
        "JaxMARL": [*module(options.python, "jaxmarl_worker"), *theirs],
        "covey": [*module(sys.executable, "covey_worker"), *ours],
    }


def measure(contestants: dict[str, list[str]], options: Any) -> dict[str, Any]:
    """Compile the contestants one by one, wait until the machine is idle, and let them take turns."""
    results: dict[str, dict[str, Any]] = {}
    turns: dict[str, list[dict[str, Any]]] = {who: [] for who in contestants}
    workers: dict[str, Worker] = {}
    with ExitStack() as stack:

        def asked(who: str, answer: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
            """Return a contestant's answer; one that gives none is out."""
            try:
                return answer()
            except WorkerError as error:
                results[who]["failed"] = str(error)
                workers.pop(who).stop()
                return None

        for who, command in contestants.items():
            results[who] = {}
            workers[who] = stack.enter_context(Worker(command, options.limit))
            results[who] |= asked(who, workers[who].answer) or {}
        idle = wait_until_idle(options.idle, options.patience)
        print(f"  {idle}", flush=True)
        for _ in range(options.repetitions):
            for who in list(workers):
                others = OthersMeter()
                if turn := asked(who, workers[who].turn):
                    turns[who].append(turn | {"others": others.read(turn["cpu"])})
    return {"idle": idle} | {who: results[who] | digest(turns[who]) for who in contestants} | compared(turns)


def digest(turns: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a contestant's rates, memory, and the most cores that other programs used meanwhile."""
    if not turns:
        return {}
    others = [turn["others"] for turn in turns if turn["others"] is not None]
    return {
        "rate": summary([turn["steps"] / turn["seconds"] for turn in turns]),
        "memory": max(turn["memory"] for turn in turns),
        "others": max(others, default=None),
    }


def compared(turns: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return covey's rate over JaxMARL's in the same repetition, where both finished."""
    theirs, ours = ([turn["steps"] / turn["seconds"] for turn in turns[who]] for who in ("JaxMARL", "covey"))
    return {"ratio": ratio(ours, theirs)} if ours and len(ours) == len(theirs) else {}


def row(name: str, who: str, result: dict[str, Any], peak: float) -> dict[str, str]:
    """Return a contestant's line of the table."""
    mine = result[who]
    rate = mine.get("rate")
    times = result.get("ratio") if who == "covey" else None
    flops = mine.get("flops a step")
    return {
        "run": name,
        "who": who,
        "steps/s": format_summary(rate) if rate else mine.get("failed", "no turn"),
        "times JaxMARL's": format_summary(times, ".2f") if times else "",
        "Mflop a step": f"{flops / 1e6:.2f}" if flops else "",
        "of the matmul rate": f"{rate['median'] * flops / peak:.0%}" if rate and flops else "",
        "compile s": f"{mine['compile seconds']:.1f}" if "compile seconds" in mine else "",
        "memory MB": f"{mine['memory'] / 1e6:,.0f}" if "memory" in mine else "",
        "others' cores": f"{mine['others']:.2f}" if mine.get("others") is not None else "",
    }


def earlier(path: Path | None) -> dict[str, Any]:
    """Return the results that a file holds already."""
    return json.loads(path.read_text())["results"] if path and path.exists() else {}


def main() -> None:
    choice = {"nargs": "+", "default": list(MATCHES), "choices": list(MATCHES), "metavar": "WORK"}
    options = parse_options(
        __doc__ or "",
        repetitions=7,
        **{
            "--jaxmarl": {"type": Path, "required": True, "metavar": "DIR", "help": "JaxMARL's repository"},
            "--python": {"type": Path, "required": True, "help": "the Python of an environment with jaxmarl"},
            "--work": choice,
            "--seeds": {"type": int, "nargs": "+", "default": SEEDS},
            "--limit": {"type": float, "default": 300.0, "help": "longest wait for an answer, seconds (300)"},
            "--idle": {"type": float, "default": 0.1, "help": "cores busy on an idle machine (0.1)"},
            "--patience": {"type": float, "default": 600.0, "help": "longest wait for idleness, s (600)"},
        },
    )
    peak = matmul_rate()
    measured = {}
    for name in options.work:
        for seeds in options.seeds:
            run = f"{name}, {seeds} seeds"
            print(run, flush=True)
            measured[run] = measure(commands(name, seeds, options), options) | {"matmul rate": peak}
            save_results(options.json, earlier(options.json) | measured)
    print_table([row(run, who, x, peak) for run, x in measured.items() for who in ("JaxMARL", "covey")])


if __name__ == "__main__":
    main()
