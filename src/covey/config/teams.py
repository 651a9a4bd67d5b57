"""The learner of each team, and the learner that a setting is for."""

from collections.abc import Collection, Iterable, Mapping

from ..core import Spec
from ..errors import UserError
from ..parts import promoted_fields
from .catalogue import algorithms_by_team, find
from .making import OPPONENTS, algorithm_class
from .settings import Tree, signature_of

ALL_TEAMS = "all"  # the slot of a learner that controls several teams
IDLE = "random"  # who plays for a team that nobody learns for


def learns(name: str) -> bool:
    """Return whether a slot with this algorithm learns."""
    return find("algorithm", name).learns


def check_teams(names: Iterable[str], teams: Collection[str], environment: str) -> None:
    """Refuse a team that the environment does not have."""
    for name in names:
        if name not in teams:
            raise UserError(f"{environment} has no team '{name}': its teams are {', '.join(teams)}")


def assign_algorithms(algorithm: str, environment: str, spec: Spec) -> tuple[dict[str, str], list[str]]:
    """Return each slot's algorithm, and notes: of `qmix`, or of `adversary=qmix+agent=iql`."""
    names = algorithms_by_team(algorithm)
    if "" in names and len(spec.teams) > 1 and not algorithm_class(algorithm).traits.cooperative:
        return {ALL_TEAMS: algorithm}, []
    if "" in names:
        names = {next(iter(spec.teams)): algorithm}
    check_teams(names, spec.teams, environment)
    idle = [team for team in spec.teams if team not in names]
    example = "+".join([f"{team}={name}" for team, name in names.items()] + [f"{team}=..." for team in idle])
    note = f"nobody learns for {' and '.join(idle)}, who act at random; to change that, train {example}"
    return {team: names.get(team, IDLE) for team in spec.teams}, [note] if idle else []


def split_opponents(algorithm: str, settings: Tree, spec: Spec) -> tuple[str, Tree]:
    """Return `adversary=qmix+agent=run:DIR` where `agent=run:DIR` is among the settings; and the others.

    Any prefix of `OPPONENTS` may stand for `run:`.
    """
    opponents = {t: settings[t] for t in spec.teams if str(settings.get(t)).startswith(OPPONENTS)}
    if not opponents:
        return algorithm, settings
    free = [team for team in spec.teams if team not in opponents]
    if "=" not in algorithm and not free:
        raise UserError(f"nobody is left for {algorithm} to learn for: {', '.join(opponents)} are taken")
    names = algorithms_by_team(algorithm if "=" in algorithm else f"{free[0]}={algorithm}") | opponents
    others = {path: value for path, value in settings.items() if path not in opponents}
    return "+".join(f"{team}={name}" for team, name in names.items()), others


def route_settings(settings: Tree, names: Mapping[str, str]) -> dict[str, Tree]:
    """Return each slot's settings: `team.gamma` is for that team's learner, `gamma` for all that learn."""
    routed: dict[str, Tree] = {slot: {} for slot in names}
    learning = [slot for slot, name in names.items() if learns(name)] or list(names)
    classes = {slot: algorithm_class(name) for slot, name in names.items()}
    options = {slot: signature_of(cls).keys() | promoted_fields(cls) for slot, cls in classes.items()}
    for path, value in settings.items():
        head, _, rest = path.partition(".")
        if head in names and rest.split(".")[0] in options[head]:
            routed[head][rest] = value
            continue
        for slot in learning:
            routed[slot][path] = value
    return routed
