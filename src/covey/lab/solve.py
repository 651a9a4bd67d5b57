"""Study a game in the lab."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .. import yaml_text
from ..config.making import make_environment
from ..environments.games import Matrix, payoff_tensor
from ..errors import UserError
from . import bootstrap
from .descent import descent_ends
from .operators import OPERATORS
from .study import StudiedState, Study


def study_game(
    game: str | Sequence | np.ndarray,
    operators: Sequence[str] = OPERATORS,
    alpha: float = 0.1,
    starts: int = 10,
    gamma: float = 0.99,
    env: Mapping[str, Any] | None = None,
) -> Study:
    """Apply each operator to a payoff table or to a small game, exactly and by gradient descent.

    `game` is nested lists, an array, or the name of a world, whose settings `env` has. `alpha` is the
    lesser weight of cw and ow, `gamma` the discount in games of several states. Gradient descent runs in
    games of one state, from `starts` starting points; 0 leaves it out.
    """
    title, world = _load_game(game, env or {})
    states = bootstrap.explore(world, title)
    truths = bootstrap.optimal(states, gamma)
    solutions = {operator: bootstrap.solve_game(states, operator, alpha, gamma) for operator in operators}
    several = len(truths) > 1
    studied = []
    for i, truth in enumerate(truths):
        targets = {operator: solution.targets[i] for operator, solution in solutions.items()}
        projections = {operator: solution.projections[i] for operator, solution in solutions.items()}
        ends = {}
        if starts and not several:
            ends = {op: descent_ends(target, op, alpha, starts) for op, target in targets.items()}
        name = states.names[i] if several else ""
        studied.append(StudiedState(name, truth, targets, projections, ends))
    sweeps = {operator: solution.sweeps for operator, solution in solutions.items()} if several else {}
    return Study(title, alpha, gamma, studied, sweeps)


def _load_game(game: str | Sequence | np.ndarray, env: Mapping[str, Any]) -> tuple[str, Any]:
    """Return a title and the world in which the game is played."""
    if isinstance(game, str) and not game.startswith("["):
        return game, make_environment(game, env)[0]
    if env:
        raise UserError("a payoff has no settings: give env.… to a world by name, such as matrix")
    payoff = yaml_text.parse(game, "the payoff") if isinstance(game, str) else game
    payoff = payoff.tolist() if isinstance(payoff, np.ndarray) else list(payoff)
    return "a payoff of " + " × ".join(map(str, payoff_tensor(payoff).shape)), Matrix(payoff)
