"""The length of foreign worlds' episodes, where they say it, and where it is known."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

_OPTIONS = ("max_cycles", "max_episode_steps", "max_steps", "episode_limit", "horizon")
_ATTRIBUTES = (*_OPTIONS, "_max_episode_steps", "_max_episode_length", "time_limit")

_INSIDE = ("unwrapped", "env", "single_agent_env", "grid_config")  # where worlds keep another, or settings

# Worlds that do not say it: games in turns, and the turns that their rules allow.
_KNOWN = {
    r"\btictactoe_v\d": 9,  # the squares
    r"\bconnect_four_v\d": 42,  # the squares
    r"\bhanabi_v\d": 100,  # 50 cards, each played or discarded once; a hint costs what a discard gives back
    r"\bleduc_holdem_v\d": 20,  # two rounds of at most two raises
    r"\btexas_holdem_v\d": 60,  # four rounds of at most four raises
    r"\btexas_holdem_no_limit_v\d": 100,
    r"\bgo_v\d": 722,  # twice the points of 19x19
    r"\bchess_v\d": 600,  # longer games are rare
}


def episode_limit(world: Any, options: Mapping[str, Any], name: str) -> int | None:
    """Return the longest episode of a world in steps: as it was asked for, as it says, or as it is known."""
    said = [options.get(key) for key in _OPTIONS]
    for each in (world, *(getattr(world, name, None) for name in _INSIDE), *_inner(world)):
        said += _said(each)
    said += [limit for pattern, limit in _KNOWN.items() if re.search(pattern, name)]
    whole = (int(x) for x in said if isinstance(x, int | float | np.integer) and x > 0)
    return next(whole, None)


def _inner(world: Any) -> list[Any]:
    """Return the worlds inside the innermost wrapped one."""
    raw = getattr(world, "unwrapped", None)
    return [getattr(raw, name, None) for name in _INSIDE]


def _said(world: Any) -> list[Any]:
    """Return the limits that a world says, the most binding kind first."""
    spec = getattr(world, "spec", None)
    metadata = getattr(world, "metadata", None)
    metadata = metadata if isinstance(metadata, Mapping) else {}
    config = getattr(world, "config", None)
    config = config if isinstance(config, Mapping) else {}  # highway-env's, which counts seconds
    return [
        getattr(spec, "max_episode_steps", None),
        *(getattr(world, key, None) for key in _ATTRIBUTES),
        *(metadata.get(key) for key in _OPTIONS),
        config.get("duration", 0) * config.get("policy_frequency", 1),
    ]
