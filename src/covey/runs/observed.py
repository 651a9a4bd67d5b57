"""Observations and actions as people give them by hand, checked and stacked."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Shaped

from ..core import HostObservation, Spec
from ..errors import UserError
from ..text import count, nearest

Given = Any  # `[agents, features]`, `[n, agents, features]`, the same by agent's name, or a HostObservation


class Observed(NamedTuple):
    """The observations of n copies, as the spec has them, and the form in which they came."""

    rows: Shaped[np.ndarray, "n agents features"]
    state: Shaped[np.ndarray, "n state"]
    legal: Bool[np.ndarray, "n agents actions"]
    alive: Bool[np.ndarray, "n agents"]
    is_batch: bool
    by_name: bool

    @property
    def n(self) -> int:
        return len(self.rows)


def read_observations(spec: Spec, given: Given, legal: Any = None) -> Observed:
    """Return observations of one copy or of several; refuse what is of another shape, or not finite."""
    by_name = isinstance(given, Mapping)
    state = alive = None
    if isinstance(given, HostObservation):
        state = given.state[None]
        alive = given.alive[None]
        legal = given.legal if legal is None else legal
        given = given.agents
    rows = [np.asarray(row) for row in _by_agent(spec, given, "observations")]
    is_batch = max(row.ndim for row in rows) > 1
    stacked = _stacked_rows(spec, [row if is_batch else row[None] for row in rows])
    n = len(stacked)
    return Observed(
        rows=stacked,
        state=np.zeros((n, spec.state), np.float32) if state is None else np.asarray(state, np.float32),
        legal=read_legal(spec, legal, n, is_batch),
        alive=np.ones((n, spec.agents), bool) if alive is None else np.asarray(alive, bool),
        is_batch=is_batch,
        by_name=by_name,
    )


def read_row(spec: Spec, name: str, observation: Any) -> Shaped[np.ndarray, " features"]:
    """Return one agent's observation, padded as in training; it may be narrower than others' in its world."""
    given = np.asarray(observation)
    if given.ndim != 1 or not 0 < len(given) <= spec.features:
        wanted = f"up to {count(spec.features, 'number')}"
        raise UserError(f"the observation of {name} is one row of {wanted}, not of shape {given.shape}")
    _check_numbers(given, f"the observation of {name}", spec.feature_type)
    row = np.zeros(spec.features, spec.feature_type)
    row[: len(given)] = given
    return row


def _by_agent(spec: Spec, given: Any, what: str) -> list[Any]:
    """Return each agent's part: by name, from a list, or from an array of one copy or several."""
    if isinstance(given, Mapping):
        unknown = [str(name) for name in given if name not in spec.names]
        lacking = [name for name in spec.names if name not in given]
        if unknown:
            raise UserError(f"{what}: there is no agent '{unknown[0]}'{nearest(unknown[0], spec.names)}")
        if lacking:
            raise UserError(f"{what}: {', '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing")
        return [given[name] for name in spec.names]
    if hasattr(given, "ndim") and given.ndim > 2:
        given = np.moveaxis(np.asarray(given), 1, 0)
    length = len(given) if hasattr(given, "__len__") and getattr(given, "ndim", 1) else 0
    if length != spec.agents:
        agents = f"{count(spec.agents, 'agent')}, {', '.join(spec.names)}"
        raise UserError(f"{what} are of {agents}, and there are {length}: give a row for each, or name them")
    return list(given)


def _stacked_rows(
    spec: Spec, rows: list[Shaped[np.ndarray, "n _"]]
) -> Shaped[np.ndarray, "n agents features"]:
    """Return each agent's features side by side; the world's narrower agents are padded."""
    width = max(row.shape[-1] for row in rows)
    if width != spec.features or len({row.shape[:-1] for row in rows}) > 1:
        shapes = ", ".join(str(row.shape[1:] if len(row) == 1 else row.shape) for row in rows)
        raise UserError(f"an observation has {count(spec.features, 'number')}, not those of shapes {shapes}")
    stacked = np.zeros((len(rows[0]), spec.agents, spec.features), spec.feature_type)
    for i, row in enumerate(rows):
        _check_numbers(row, f"the observation of {spec.names[i]}", spec.feature_type)
        stacked[:, i, : row.shape[-1]] = row
    return stacked


def _check_numbers(x: Shaped[np.ndarray, "..."], what: str, kind: str) -> None:
    if x.dtype.kind not in "fiub":
        raise UserError(f"{what} holds no numbers but {x.dtype}")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise UserError(f"{what} is {x[place]} in feature {place[-1]}: a policy needs finite numbers")
    if kind == "uint8" and x.dtype.kind == "f":
        raise UserError(f"{what} is of a picture, whose numbers are bytes from 0 to 255, not {x.dtype}")


def read_legal(spec: Spec, legal: Any, n: int, is_batch: bool) -> Bool[np.ndarray, "n agents actions"]:
    """Return which actions are legal in each copy; by default all are."""
    shape = (n, spec.agents, spec.actions)
    if legal is None:
        return np.ones(shape, bool)
    agents = [np.asarray(row) for row in _by_agent(spec, legal, "legal actions")]
    mask = np.stack(agents, axis=-2)
    mask = mask if is_batch else mask[None]
    if mask.shape != shape or not np.isin(mask, (0, 1)).all():
        raise UserError(
            f"legal actions are true or false for each of {count(spec.agents, 'agent')} and "
            f"{count(spec.actions, 'action')}, not of shape {mask.shape if is_batch else mask.shape[1:]}"
        )
    barred = np.argwhere(~mask.astype(bool).any(axis=-1))
    if len(barred) and not spec.bounds:
        raise UserError(f"{spec.names[barred[0][1]]} has no legal action: each agent needs one at least")
    return mask.astype(bool)


def check_actions(
    spec: Spec, given: Any, legal: Bool[np.ndarray, "agents actions"]
) -> Shaped[np.ndarray, "agents ..."]:
    """Return one joint action, by agent's name or in a row; refuse what the world does not allow."""
    rows = _by_agent(spec, given, "actions")
    action = np.stack([np.asarray(row) for row in rows])
    if action.shape != spec.action_shape or action.dtype.kind not in "fiub":
        one = f"{count(spec.actions, 'number')} for each agent" if spec.bounds else "a whole number for each"
        raise UserError(f"an action is {one}, of shape {spec.action_shape}, not {action.shape}")
    if spec.bounds:
        low, high = spec.bounds
        if not ((action >= low) & (action <= high) | ~legal).all():
            raise UserError(f"actions lie between {low:g} and {high:g}, and these do not: {action.tolist()}")
        return action.astype(np.float32)
    for name, own, may in zip(spec.names, action.tolist(), legal, strict=True):
        choices = np.flatnonzero(may)
        if own not in choices:
            raise UserError(f"{name} may not take action {own} now: {', '.join(map(str, choices))} are legal")
    return action.astype(int)
