"""Jumanji's worlds, compiled into the training loop: `jumanji:RobotWarehouse-v0`."""

import inspect
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from ...core import Vectorised
from ...errors import SettingError, UserError
from .choices import WorldChoices
from .imports import import_world, make_world
from .jumanji_copy import jumanji_environment
from .teams import TeamReward


def jumanji(
    name: str,
    horizon: int | None = None,
    team: tuple[str, ...] | None = None,
    team_reward: TeamReward = "mean",
    state: bool = True,
    **options: Any,
) -> Vectorised:
    """Any world of Jumanji that has agents, compiled into the training loop; `RobotWarehouse` is the newest.

    An agent observes its own rows of what the world shows, and what belongs to nobody; all of it together is
    the global state. Everything is flattened and padded; the clock is a fraction of the limit. An end at the
    time limit is a truncation.

    Agents are numbered: `agent_0`, `agent_1` and so on. `team` may name each agent's team. A team earns the
    mean or, with `team_reward`, the sum of its agents' rewards; `own` makes each agent a team. `state=False`
    leaves the global state unread.

    `horizon` cuts episodes off earlier, or where the world has no limit. All other options go to the world,
    those of `generator` to the one that draws its problems: `env.generator.num_agents=3`.
    """
    title = f"jumanji:{name}"
    choices = WorldChoices(horizon, team, team_reward, state)
    return jumanji_environment(_make(name, title, options), title, options, choices)


def _make(name: str, title: str, options: Mapping[str, Any]) -> Any:
    package = import_world("jumanji")
    known = sorted(package.registered_environments())
    versions = [each for each in known if re.sub(r"-v\d+$", "", each) == name]
    full = name if name in known else next(reversed(versions), "")
    if not full:
        raise UserError(f"Jumanji has no world '{name}': choose from {', '.join(known)}")
    make = partial(package.make, full)
    chosen = dict(options)
    if isinstance(chosen.get("generator"), Mapping):
        chosen["generator"] = _generator(make_world(make, {}, title), chosen["generator"], title)
    try:
        return make_world(make, chosen, title)
    except (ValueError, AssertionError) as error:
        raise UserError(f"{title}: {error}") from error


def _generator(world: Any, changes: Mapping[str, Any], title: str) -> Any:
    """Return the generator of a world's problems with other options."""
    old = getattr(world, "generator", None) or getattr(world, "_generator", None)
    if old is None:
        problem = f"cannot be set: {title} has no generator"
        raise SettingError("generator", problem, "set the world's own options, as `time_limit=100`")
    kept = {}
    for name in inspect.signature(type(old)).parameters:
        for attribute in (name, f"_{name}"):
            if hasattr(old, attribute):
                kept[name] = getattr(old, attribute)
    return make_world(type(old), kept | dict(changes), f"{title}'s generator")
