"""Players in NumPy beside the policies that they were exported from, for every algorithm that has one.

Each decides on 10,000 observations, in episodes of 25 steps, with the weights of a run's start, and with
larger ones too (`--size`), which saturate more. A discrete action differs if two values are closer than the
rounding of either.
"""

import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Float

from covey.config.config import Config
from covey.core import AbstractEnvironment, Spec
from covey.runs.policy import Policy
from covey.show.numpy_player import Player
from covey.show.player import describe_player
from covey.show.safetensors import safetensors_bytes
from covey.text import table
from covey.training.loop import Trainer

from .common import parse_options, save_results

CONTINUOUS = ["ippo", "mappo", "maddpg", "dual_q"]
DISCRETE = ["iql", "vdn", "qmix", "cw_qmix", "ow_qmix", "pqn_vdn", "pqn_qmix", "coma", *CONTINUOUS]
EPISODE = 25


def make_policy(algorithm: str, continuous: bool, size: float) -> Policy:
    """Return an untrained policy whose weights are `size` times those of the start."""
    config = Config.parse(algorithm, "spread", ["env.continuous=true"] if continuous else [])
    env, slots = config.build()
    assert isinstance(env, AbstractEnvironment)
    learners = tuple(slot.algorithm.init(slot.spec(env.spec), jr.key(0)) for slot in slots)
    larger = lambda x: x * size if jnp.issubdtype(x.dtype, jnp.floating) else x
    return Policy(Trainer(env, slots, copies=1, length=1), jax.tree.map(larger, learners))


def decide(
    actor: Policy | Player, rows: Float[np.ndarray, "n agents features"]
) -> tuple[Float[np.ndarray, "n agents *dims"], float]:
    """Return all decisions, and the microseconds of one of the whole team."""
    began = time.perf_counter()
    actions = []
    for t, row in enumerate(rows):
        if t % EPISODE == 0:
            actor.reset()
        actions.append(np.asarray(actor.act(row), float))
    return np.array(actions), 1e6 * (time.perf_counter() - began) / len(rows)


def observations(spec: Spec, count: int) -> Float[np.ndarray, "n agents features"]:
    shape = (count // spec.agents, spec.agents, spec.features)
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def measure(policy: Policy, count: int) -> dict[str, float]:
    """Compare a policy with its player."""
    rows = observations(policy.spec, count)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "player.safetensors"
        facts, arrays = describe_player(policy.trainer, policy.learners)
        file.write_bytes(safetensors_bytes(arrays, facts))
        player = Player(file)
    decide(policy, rows[:1])  # compiles
    want, policy_time = decide(policy, rows)
    found, player_time = decide(player, rows)
    apart = np.abs(want - found)
    return {
        "largest": float(apart.max()),
        "differing": int((apart > 1e-6).sum()),
        "decisions": apart.size,
        "player": player_time,
        "policy": policy_time,
    }


def main() -> None:
    chosen = parse_options(
        __doc__ or "",
        None,
        **{
            "--observations": {"type": int, "default": 10_000},
            "--size": {"type": float, "default": 1.0, "help": "of weights, in those of the start (1)"},
        },
    )
    rows = [["algorithm", "actions", "differing", "largest difference", "player µs", "policy µs"]]
    results = {}
    for algorithm, continuous in [(a, False) for a in DISCRETE] + [(a, True) for a in CONTINUOUS]:
        found = measure(make_policy(algorithm, continuous, chosen.size), chosen.observations)
        kind = "continuous" if continuous else "discrete"
        results[f"{algorithm} {kind}"] = found
        differing = f"{found['differing']:.0f} of {found['decisions']:,.0f}"
        times = [f"{found[who]:.0f}" for who in ("player", "policy")]
        rows.append([algorithm, kind, differing, f"{found['largest']:.1e}", *times])
    print(table(rows, right=range(2, 6), indent=0))
    save_results(chosen.json, results)


if __name__ == "__main__":
    main()
