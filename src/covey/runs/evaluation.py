"""Evaluation of a finished run, in its own world or in another of the same shape."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..config import catalogue
from ..config.config import Config
from ..config.opponents import shape_difference
from ..core import Spec
from ..errors import UserError
from . import checkpoint, kept
from .engine import Engine
from .folder import RunFolder
from .results import Evaluation, summarise
from .session import Training


def evaluate_run(
    path: str | Path,
    episodes: int | None,
    environment: str | None,
    env: dict[str, Any],
    at: int | str | None = None,
) -> Evaluation:
    """Play greedy episodes of every seed's policy; the same call plays the same episodes."""
    folder = RunFolder.existing(path)
    weights = kept.checkpoint_at(folder, at)
    config = Config.from_yaml(folder.config)
    trained = config.build()[0].spec
    if episodes is not None:
        config = replace(config, eval_episodes=episodes)
    if environment is not None or env:
        settings = config.env if environment is None else _team_settings(environment, trained)
        config = config.elsewhere(environment or config.environment, settings | env)
    engine = Engine(config)
    _check_shape(folder, trained, engine)
    learners = checkpoint.restore_learners(weights, engine.all_seeds(engine.shapes).learners)
    results = engine.evaluate_learners(learners, list(range(config.seeds)))
    evaluation = summarise(engine.trainer.spec, results, engine.learning_team)
    return replace(evaluation, run=str(folder.path), environment=config.environment, at=_name(weights, at))


def evaluate_training(training: Training, episodes: int | None = None) -> Evaluation:
    """Play greedy episodes of every seed's policy as it is in a run in progress."""
    results = training.engine.evaluate(training.states, episodes)
    return summarise(training.spec, results, training.team)


def _name(weights: Path, at: int | str | None) -> int | str | None:
    """Return the checkpoint's step, or the word that was given for it."""
    return int(weights.stem) if weights.stem.isdecimal() else at


def _team_settings(environment: str, trained: Spec) -> dict[str, Any]:
    """Return the teams of the run as a setting of another package's world, which names no teams itself."""
    return {"team": list(trained.team)} if catalogue.adapter_prefix(environment) else {}


def _check_shape(folder: RunFolder, trained: Spec, engine: Engine) -> None:
    """Refuse a world of another shape, unless all weights have the same shapes there."""
    difference = shape_difference(trained, engine.trainer.spec)
    if difference is None:
        return
    own = Engine(Config.from_yaml(folder.config)).shapes.learners
    shapes = lambda learners: [(name, x.shape) for name, x in checkpoint.named_leaves(learners)]
    if shapes(own) != shapes(engine.shapes.learners):
        name = engine.config.environment
        raise UserError(
            f"--env {name} has {difference[1]}, and the run's own world {difference[0]}: "
            "choose a world of the same shape (its settings can follow as env.key=value), or train networks "
            "of entities (agent=entity, agent_id=false), which play any number of units"
        )
