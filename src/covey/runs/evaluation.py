"""Evaluating a finished run, in its own world or in another of the same shape."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config.config import Config
from ..config.opponents import shape_difference
from ..core import Spec
from ..errors import UserError
from . import checkpoint
from .engine import Engine
from .folder import RunFolder
from .run import learning_team
from .summary import evaluation


def evaluate(
    path: str | Path, episodes: int | None, environment: str | None, env: dict[str, Any]
) -> dict[str, Any]:
    """Returns over seeds, as `summary.json` holds them; asked again, over the same episodes."""
    folder = RunFolder.existing(path)
    config = Config.from_yaml(folder.config)
    trained = config.build()[0].spec
    if episodes is not None:
        config = replace(config, eval_episodes=episodes)
    if environment is not None or env:
        own = config.env if environment is None else fellows(environment, trained)
        config = config.elsewhere(environment or config.environment, own | env)
    engine = Engine(config)
    check_shape(trained, engine.trainer.spec, config.environment)
    found = checkpoint.load_learners(folder.last, engine.everybody(engine.shapes).learners)
    results = engine.judged(found, list(range(config.seeds)))
    told = evaluation(engine.trainer.spec, results, learning_team(engine))
    return {"run": str(folder.path), "environment": config.environment, "seeds": config.seeds} | told


def fellows(environment: str, trained: Spec) -> dict[str, Any]:
    """PettingZoo has no word for teams: who belonged together in the run does so there."""
    return {"team": list(trained.team)} if environment.startswith("pz:") else {}


def check_shape(trained: Spec, other: Spec, name: str) -> None:
    if apart := shape_difference(trained, other):
        raise UserError(
            f"--env {name} has {apart[1]}, and the run's own world {apart[0]}: "
            "choose a world of the same shape (its settings can follow as env.key=value)"
        )
