"""PyMARL's settings for SMAC as covey's settings, and what PyMARL reached with them in the real game.

The real figures are those of logs that people published with their code: version 4.10 of the game, difficulty
7, plain QMIX and VDN.
"""

from typing import Any, NamedTuple

from covey import yaml_text
from covey.config import catalogue

POINTS = (0.1, 0.2, 0.3, 0.5, 1.0, 1.5, 2.0)  # million steps


class Setting(NamedTuple):
    """A setting of PyMARL, and covey's. `{…}` depends on the map."""

    theirs: str
    ours: str
    remark: str = ""


PYMARL = (
    Setting("runner=episode, batch_size_run=1", "run.envs=1"),
    Setting("test_interval=10000", "run.eval_every=10000 run.report_every=2500"),
    Setting("test_nepisode=32, test_greedy=True", "run.eval_episodes=32"),
    Setting(
        "an update after every episode",
        "experience.steps={steps} experience.updates=1",
        "an update after so many steps: about an episode of training on this map",
    ),
    Setting(
        "buffer_size=5000",
        "experience.capacity={capacity}",
        "counted in the longest episodes: as many steps as 5000 usual ones",
    ),
    Setting("batch_size=32 (first update: 32 episodes)", "experience.batch_size=32 experience.start={start}"),
    Setting("whole episodes", "experience.window=null", "the newest horizon + 1 steps are not drawn yet"),
    Setting("a batch is cut to its longest episode", "experience.packed=true", "laid end to end instead"),
    Setting("gamma=0.99", "gamma=0.99"),
    Setting("one-step targets", "lam=0"),
    Setting("a time limit is an end", "env.timeout=terminal"),
    Setting("double_q=True", "double=true"),
    Setting("target_update_interval=200 episodes", "target.period=200", "counted in updates"),
    Setting("epsilon_start=1", "epsilon.start=1.0"),
    Setting("epsilon_finish=0.05", "epsilon.end=0.05"),
    Setting("epsilon_anneal_time=50000", "epsilon.steps=50000"),
    Setting("optimiser RMSprop, lr=0.0005", "optimiser=rmsprop optimiser.lr=0.0005"),
    Setting("optim_alpha=0.99", "optimiser.decay=0.99"),
    Setting("optim_eps=0.00001", "optimiser.eps=0.00001", "outside the root, as in PyTorch"),
    Setting("grad_norm_clip=10", "optimiser.clip=10 optimiser.clip_by=norm"),
    Setting("agent=rnn, rnn_hidden_dim=64", "agent=recurrent agent.hidden=64 agent.depth=1"),
    Setting("obs_last_action=True", "last_action=true"),
    Setting("obs_agent_id=True", "agent_id=true"),
    Setting("agents share parameters", "sharing=team"),
)
PYMARL_QMIX = (
    Setting("mixing_embed_dim=32", "mixer.embed=32"),
    Setting("hypernet_layers=2, hypernet_embed=64", "mixer.hyper=64"),
)
ALGORITHMS = ("qmix", "vdn")
EPISODE_STEPS = {"3m": 25, "8m": 30, "25m": 38, "2s3z": 50, "3s5z": 55, "MMM2": 50}  # about, while it learns

Range = tuple[float, float]
REAL: dict[tuple[str, str], tuple[int, tuple[Range | None, ...]]] = {  # runs, and wins at POINTS
    ("qmix", "8m"): (
        3,
        ((0.42, 0.61), (0.53, 0.85), (0.64, 0.85), (0.94, 0.96), (0.96, 0.99), (0.97, 0.97), (0.97, 0.98)),
    ),
    ("vdn", "8m"): (1, tuple((x, x) for x in (0.53, 0.72, 0.92, 0.97, 0.98, 0.97, 0.99))),
    ("qmix", "2s3z"): (
        3,
        ((0.23, 0.28), (0.31, 0.39), (0.63, 0.78), (0.85, 0.93), (0.94, 0.97), (0.97, 0.99), (0.97, 0.99)),
    ),
    ("qmix", "3s5z"): (1, tuple((x, x) for x in (0.31, 0.19, 0.44, 0.81, 0.92, 0.93, 0.98))),
    ("qmix", "MMM2"): (3, ((0, 0), (0, 0), (0, 0), (0, 0.08), (0, 0.68), (0, 0.82), (0, 0.91))),
}
REAL_WON_LENGTH = {"8m": "25 to 28", "25m": "33 to 40", "2s3z": "43 to 48", "3s5z": "55", "MMM2": "61"}


def limit(name: str) -> int:
    """Return the longest episode of a map."""
    entry = catalogue.find("environment", f"skirmish/{name}")
    return catalogue.load_class(entry)(**entry.fixed).spec.horizon


def settings(algorithm: str, name: str) -> list[Setting]:
    """Return PyMARL's settings and covey's, on one map."""
    steps = EPISODE_STEPS[name]
    longest = limit(name) + 1
    sizes = {
        "steps": steps,
        "capacity": round(5000 * steps / longest),
        "start": max(1, round(32 * steps / longest)),
    }
    rows = PYMARL + (PYMARL_QMIX if algorithm == "qmix" else ())
    return [row._replace(ours=row.ours.format(**sizes)) for row in rows]


def covey_settings(algorithm: str, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the algorithm's and the world's settings, and the run's."""
    pairs = yaml_text.parse_pairs(" ".join(row.ours for row in settings(algorithm, name)).split())
    run = {path.removeprefix("run."): value for path, value in pairs.items() if path.startswith("run.")}
    return {path: value for path, value in pairs.items() if not path.startswith("run.")}, run
