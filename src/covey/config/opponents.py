"""Opponents that runs trained, `TEAM=run:DIR` and `TEAM=pool:DIR`: who plays, and whether the worlds fit."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..core import Spec
from ..errors import UserError
from ..training.learners import LearnerSlot
from .making import POOL_PREFIX, RUN_PREFIX
from .paths import CONFIG_FILE, find_config, split_checkpoint
from .settings import Tree, dump
from .teams import IDLE

SELF = "self"  # among the runs of a pool: the run that trains
_SHAPE = {
    "agents": "{} agents",
    "features": "{} observation features",
    "actions": "{} actions",
    "world": "{} numbers of global state",
    "bounds": "action bounds {}",
}


class TrainedRun(NamedTuple):
    """What an earlier run's configuration says of its players."""

    algorithms: dict[str, str]  # by slot
    seeds: int
    spec: Spec
    slots: tuple[LearnerSlot, ...]


def shape_difference(here: Spec, there: Spec) -> tuple[str, str] | None:
    """Return what keeps a policy from one world out of another, in words for each; None if nothing does."""
    for name, words in _SHAPE.items():
        ours = getattr(here, name)
        theirs = getattr(there, name)
        if ours != theirs:
            return words.format(ours), words.format(theirs)
    return None


def frozen_player(
    name: str, there: Spec, slots: Sequence[LearnerSlot], team: str, here: Spec
) -> dict[str, Any]:
    """Return the settings of the earlier run's player for `team`: the team's own slot, or one for all."""
    difference = shape_difference(here, there)
    if difference is not None:
        raise UserError(
            f"{team}={name} does not fit: this world has {difference[0]}, that run's {difference[1]}; "
            "name a run in a world of the same shape, or set env.key=value as it did"
        )
    agents = {here.names[i] for i in here.members(team)}
    able = [slot for slot in slots if agents <= {there.names[i] for i in slot.members}]
    if not able:
        has = "; ".join(f"{slot.name} ({', '.join(slot.spec(there).names)})" for slot in slots)
        wanted = ", ".join(here.names[i] for i in here.members(team))
        raise UserError(f"{team}={name}: no learner of that run plays {wanted}; it has {has}")
    slot = min(able, key=lambda slot: (slot.name != team, len(slot.members)))
    return {"slot": slot.name, "player": dump(slot.algorithm), "world": dump(slot.spec(there))}


def own_player(name: str, slots: Sequence[LearnerSlot], team: str, here: Spec) -> dict[str, Any]:
    """Return the settings of a learner of this very run that can stand in for `team`, its opponent."""
    view = lambda spec: (spec.agents, spec.layouts, spec.state_by_agent)
    wanted = view(here.subset(here.members(team)))
    for slot in slots:
        if slot.learns and view(slot.spec(here)) == wanted:
            return {"slot": slot.name, "player": dump(slot.algorithm), "world": dump(slot.spec(here))}
    raise UserError(
        f"{team}={name}: no learner of this run can play {team}, for the teams differ in size or in what "
        f"they observe; train both sides (adversary=...+{team}=...) with --keep all first, and name that run"
    )


def opponent_settings(
    team: str,
    name: str,
    here: Spec,
    learners: Sequence[LearnerSlot],
    read_trained_run: Callable[[str], TrainedRun],
) -> Tree:
    """Return the settings of an opponent that earlier runs trained; none for a learner.

    `learners` are this run's own.
    """
    if name.startswith(RUN_PREFIX):
        run = read_trained_run(name.removeprefix(RUN_PREFIX))
        return player_of(name, run, team, here) | {"seeds": run.seeds}
    if not name.startswith(POOL_PREFIX):
        return {}
    if team not in here.teams:
        raise UserError(f"{name} plays one team: write {here.teams[0]}=ALGORITHM+{here.teams[-1]}={name}")
    runs = pool_runs(team, name)
    if runs[0] == SELF:
        player = own_player(name, learners, team, here)
    else:
        player = player_of(name, read_trained_run(runs[0]), team, here)
    return player | {"runs": runs, "side": here.teams.index(team)}


def player_of(name: str, run: TrainedRun, team: str, here: Spec) -> Tree:
    """Return the settings of an earlier run's player for a team; refuse a run where nobody learned for it."""
    player = frozen_player(name, run.spec, run.slots, team, here)
    if run.algorithms[player["slot"]] == IDLE:
        raise UserError(f"{team}={name}: nobody learned for {team} in that run; write {team}={IDLE}")
    return player


def pool_runs(team: str, name: str) -> list[str]:
    """Return the runs of `pool:DIR,DIR`; a folder of runs stands for all of them, in order of name."""
    runs: list[str] = []
    for source in name.removeprefix(POOL_PREFIX).split(","):
        if not source:
            raise UserError(
                f"{team}={name} lacks a run: write {team}={POOL_PREFIX}DIR, {POOL_PREFIX}DIR,DIR or "
                f"{POOL_PREFIX}{SELF}"
            )
        folder = Path(split_checkpoint(source)[0])
        inside = sorted(path.parent for path in folder.glob(f"*/{CONFIG_FILE}"))
        whole = source == SELF or (folder / CONFIG_FILE).exists() or not inside
        runs += [source] if whole else map(str, inside)
    twice = next((run for run in runs if runs.count(run) > 1), None)
    if twice:
        raise UserError(f"{team}={name} names {twice} twice: name each run once")
    return runs


def find_run_config(source: str) -> Path:
    """Return the configuration of the run that `RUN` or `RUN@STEP` names."""
    return find_config(Path(split_checkpoint(source)[0]))
