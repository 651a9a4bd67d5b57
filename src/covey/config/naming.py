"""Worlds and learners by their names, and who learns for which team."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..core import AbstractAlgorithm, AbstractEnvironment, AbstractHostEnvironment, Spec
from ..errors import UserError
from . import catalogue, opponents, settings
from .fitting import fitting
from .settings import Place, Tree

World = AbstractEnvironment | AbstractHostEnvironment
EVERYBODY = "all"  # the side of a learner that controls several teams
IDLE = "random"  # who plays for a team that nobody learns for


def unnamed(tree: Tree) -> Tree:
    return {key: value for key, value in tree.items() if key != "name"}


def world(name: str, *layers: Mapping[str, Any]) -> tuple[World, Tree]:
    """An environment by its name, and all of its options."""
    entry = catalogue.find("environment", name)
    make = catalogue.load(entry)
    tree = settings.layer(settings.defaults(make), entry.fixed, *layers)
    env, tree = settings.construct(make, tree, Place(name, "env"))
    if not isinstance(getattr(env, "spec", None), Spec):
        raise UserError(f"{name} makes no environment: derive it from covey.core:AbstractEnvironment")
    return env, tree


def algorithm_class(name: str) -> type[AbstractAlgorithm]:
    if name.startswith(opponents.RUN):  # its settings name an algorithm, and only what is loaded has a name
        for entry in catalogue.ALGORITHMS.values():
            catalogue.load(entry)
    cls = catalogue.load(catalogue.find("algorithm", name))
    return fitting(cls, AbstractAlgorithm, name)


def learner(name: str, *layers: Mapping[str, Any]) -> tuple[AbstractAlgorithm, Tree]:
    """An algorithm by its name, and all of its settings."""
    cls, fixed = algorithm_class(name), catalogue.find("algorithm", name).fixed
    tree = settings.layer(settings.defaults(cls), fixed, *layers)
    algorithm, tree = settings.construct(cls, tree, Place(name))
    return algorithm, {"name": name} | tree


def assign(typed: str, environment: str, spec: Spec) -> tuple[dict[str, str], list[str]]:
    """Who learns for which team: `qmix`, or `adversary=qmix+agent=iql`; and what to say about it."""
    names = catalogue.learners(typed)
    if "" in names and len(spec.teams) > 1 and not algorithm_class(typed).traits.cooperative:
        return {EVERYBODY: typed}, []
    names = {next(iter(spec.teams)): typed} if "" in names else names
    check_teams(names, spec.teams, environment)
    idle = [team for team in spec.teams if team not in names]
    example = "+".join([f"{team}={name}" for team, name in names.items()] + [f"{team}=..." for team in idle])
    note = f"nobody learns for {' and '.join(idle)}, who act at random; to change that, train {example}"
    return {team: names.get(team, IDLE) for team in spec.teams}, [note] if idle else []


def joined(typed: str, given: Tree, spec: Spec) -> tuple[str, Tree]:
    """`adversary=qmix+agent=run:DIR`, also where `agent=run:DIR` stood among the settings; and the others."""
    seated = {t: given[t] for t in spec.teams if str(given.get(t)).startswith(opponents.RUN)}
    if not seated:
        return typed, given
    teams = [team for team in spec.teams if team not in seated]
    if "=" not in typed and not teams:
        raise UserError(f"nobody is left for {typed} to learn for: {', '.join(seated)} are taken")
    names = catalogue.learners(typed if "=" in typed else f"{teams[0]}={typed}") | seated
    left = {path: value for path, value in given.items() if path not in seated}
    return "+".join(f"{team}={name}" for team, name in names.items()), left


def learns(name: str) -> bool:
    """Whether a side by this name learns."""
    return name != IDLE and not name.startswith(opponents.RUN)


def check_teams(names: Iterable[str], teams: Collection[str], environment: str) -> None:
    for name in names:
        if name not in teams:
            raise UserError(f"{environment} has no team '{name}': its teams are {', '.join(teams)}")
