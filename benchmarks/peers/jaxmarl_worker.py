"""Worker of `benchmarks.jaxmarl_training`: runs a training script of JaxMARL's, a turn at a time.

    python -m benchmarks.peers.jaxmarl_worker SCRIPT CONFIG SEEDS UPDATES

It runs in an environment that has JaxMARL and the packages that its scripts import, without covey. CONFIG is
JSON: the script's own configuration. wandb, hydra and omegaconf take no part in training and are replaced by
empty modules. The script's text is changed in memory, in three places, for timing alone:

* `train` takes the state in which an earlier call ended, so that a turn goes on where the last one stopped;
* it makes UPDATES updates in a call, while schedules still count those of the whole run;
* metrics are not sent to wandb, which costs a call to Python in every update.
"""

import json
import re
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from ..flops import needed_flops
from .turns import take_turns

CHANGES = (  # pattern, replacement, and whether a script may lack it
    (r"def train\(rng\):", "def train(rng, before=None):", False),
    (
        r'_update_step, (\(?runner_state(?:, 0\))?), None, config\["NUM_UPDATES"\]',
        r'_update_step, \1 if before is None else before, None, config["TURN_UPDATES"]',
        False,
    ),
    (r"jax\.experimental\.io_callback\(callback, None, metric\)", "None", True),
)


def changed(source: str, name: str) -> str:
    """Return a script's text with the changes, each of which must find its one place."""
    for pattern, replacement, optional in CHANGES:
        source, count = re.subn(pattern, replacement, source)
        if count != 1 and not (optional and count == 0):
            raise SystemExit(f"{name} is not the script that this benchmark knows: {count} times {pattern}")
    return source


def empty_module(name: str, **contents: Any) -> None:
    """Put a module with little or nothing in it in the place of a package."""
    module = types.ModuleType(name)
    vars(module).update(contents)
    sys.modules[name] = module


def load_train(path: Path, config: dict[str, Any]) -> Callable:
    """Return a script's function that trains one seed."""
    empty_module("wandb")
    empty_module("hydra", main=lambda **_: lambda f: f)
    empty_module("omegaconf", OmegaConf=None)
    script = types.ModuleType("script")
    sys.modules["script"] = script  # dataclasses look their module up
    exec(compile(changed(path.read_text(), path.name), str(path), "exec"), script.__dict__)
    if hasattr(script, "env_from_config"):
        return script.make_train(config, script.env_from_config(config)[0])
    return script.make_train(config)


def make() -> tuple[Callable[[], int], dict[str, Any]]:
    script, text, seeds, updates = sys.argv[1:]
    config = json.loads(text) | {"TURN_UPDATES": int(updates)}
    train = load_train(Path(script), config)
    keys = jax.random.PRNGKey(0) if seeds == "1" else jax.random.split(jax.random.PRNGKey(0), int(seeds))
    all_seeds = train if seeds == "1" else jax.vmap(train)
    start = time.perf_counter()
    begin = jax.jit(lambda keys: all_seeds(keys)["runner_state"]).lower(keys).compile()
    compile_seconds = time.perf_counter() - start
    go_on = lambda keys, before: all_seeds(keys, before)["runner_state"]
    state = begin(keys)
    steps = int(seeds) * int(updates) * config["NUM_STEPS"] * config["NUM_ENVS"]
    one = jax.eval_shape(train, jax.random.PRNGKey(0))["runner_state"]
    flops = needed_flops(lambda key, x: train(key, x)["runner_state"], jax.random.PRNGKey(0), one)
    program = jax.jit(go_on, donate_argnums=1).lower(keys, state).compile()

    def turn() -> int:
        nonlocal state
        state = jax.block_until_ready(program(keys, state))
        return steps

    for _ in range(2 + config.get("LEARNING_STARTS", 0) * int(seeds) // steps):
        turn()  # until it learns
    facts = {"compile seconds": compile_seconds, "flops a step": flops * int(seeds) / steps}
    return turn, facts | {"jax": jax.__version__}


if __name__ == "__main__":
    take_turns(make)
