"""The configuration of a run: what learns, where, with which settings, for how long."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from .. import yaml_text
from ..core import Spec
from ..errors import RUN_FIELD, SettingError, UserError
from ..files import atomic
from ..ranges import Between, Count, Index, Size, outside
from ..training.learners import LearnerSlot
from . import settings
from .fields import check_fields, in_file, read_base, read_fields
from .intervals import with_intervals
from .keeping import read_keeping
from .making import (
    OPPONENTS,
    AnyEnvironment,
    algorithm_class,
    describe_odd_settings,
    make_algorithm,
    make_environment,
    without_name,
)
from .opponents import TrainedRun, find_run_config, opponent_settings
from .paths import replace_files
from .settings import SettingPlace, Tree
from .teams import ALL_TEAMS, IDLE, assign_algorithms, check_teams, route_settings, split_opponents
from .tuned import original_settings, tuned_settings

_WITH_FILES = ("algorithm", "environment", "learners", "env")  # the fields that may name a user's files
_UNSAVED = ("notes", "origin")
_SEEDS = Between(1, 10_000)
_STEPS = Between(1, 2_000_000_000)  # a seed's counter has 32 bits
_SEED = Between(0, 2**31 - 1)


@dataclass
class Config:
    """The resolved values of a run. `learners` and `env` are trees of settings.

    A learner's tree stands under its team's name, and holds the name of its algorithm as it was typed.
    """

    algorithm: str
    environment: str
    preset: Literal["original", "tuned"] = "original"
    seeds: Annotated[int, _SEEDS] = 5
    seed: Annotated[int, _SEED] = 0
    steps: Annotated[int, _STEPS] = 1_000_000  # of each seed
    envs: Size = 8  # copies of the environment
    eval_every: Count = 50_000  # `parse`: a twentieth of the run
    eval_episodes: Size = 32
    report_every: Count = 10_000  # a chunk: compiled as one program, and fixed whatever the clock says
    save_every: Index = 60  # seconds between checkpoints, more if slow to write; no part of the result
    workers: Index | None = None  # processes for the copies of a Python world; no part of the result
    ahead: bool = False  # whether a Python world plays on while learners learn, with weights an update old
    deadline: Count = 60  # seconds in which a worker must do something
    keep: int | str | None = None  # checkpoints by their steps: a number, all, every=STEPS
    light: bool = False  # checkpoints hold weights alone: none to go on from; no part of the result
    device: Literal["cpu", "gpu"] | None = None
    source: str | None = None  # a run to take the first weights from
    tensorboard: bool = True  # whether TensorBoard's files are written; no part of the result
    audit: bool = True  # whether a setting without effect stops the run
    measure: Literal["stationarity"] | None = None  # between reports, beside training
    learners: dict[str, Tree] = field(default_factory=dict)
    env: Tree = field(default_factory=dict)
    notes: list[str] = field(default_factory=list, compare=False)  # to be printed at the start; not saved
    origin: Path | None = field(default=None, compare=False)  # the file that it was read from; not saved

    def __post_init__(self):
        if self.keep is not None:
            read_keeping(self.keep)
        for name, kind in get_type_hints(Config, include_extras=True).items():
            if outside(kind, getattr(self, name)):
                settings.coerce(kind, getattr(self, name), SettingPlace("", f"{RUN_FIELD}{name}"))

    @classmethod
    def parse(
        cls,
        algorithm: str | None,
        environment: str | None,
        pairs: Iterable[str] | Mapping[str, Any] = (),
        options: Mapping[str, Any] | None = None,
    ) -> "Config":
        """Resolve a command line; from Python, settings come as a mapping.

        `options` holds the fields above, as text or typed, None where not given; and `config`, a YAML
        file of the same shape, a run's folder, or a mapping. A later source wins: the classes' own values,
        the preset, the file, the command line.
        """
        options = dict(options or {}) | {"algorithm": algorithm, "environment": environment}
        options = {name: value for name, value in options.items() if value is not None}
        base = options.pop("config", None)
        typed = settings.flatten(pairs if isinstance(pairs, Mapping) else yaml_text.parse_pairs(pairs))
        if "preset" in typed:
            options["preset"] = typed.pop("preset")
        run = {} if base is None else read_base(base, _kinds())
        run |= check_fields(options, "the command line", _kinds())
        for kind in ("algorithm", "environment"):
            if kind not in run:
                raise UserError(f"no {kind} is named: write `covey train ALGORITHM ENVIRONMENT`")

        of_env = {path[4:]: value for path, value in typed.items() if path.startswith("env.")}
        of_learners = {path: value for path, value in typed.items() if not path.startswith("env.")}
        env, env_tree = make_environment(run["environment"], run.get("env", {}), of_env)
        run["algorithm"], of_learners = split_opponents(run["algorithm"], of_learners, env.spec)
        names, notes = assign_algorithms(run["algorithm"], run["environment"], env.spec)
        check_teams(run.get("learners", {}), names, run["environment"])
        name, preset, fields = _read_preset(names, run, required="preset" in options)
        learners = _resolve_learners(names, env.spec, preset, run.get("learners", {}), of_learners)
        resolved = {"preset": name, "learners": learners, "env": env_tree}
        notes += describe_odd_settings(run["environment"], env_tree, learners)
        config = cls(**with_intervals(fields | run, cls.steps, cls.seeds) | resolved, notes=notes)
        config.refuse_actions(env.spec)
        return config

    def build(self) -> tuple[AnyEnvironment, tuple[LearnerSlot, ...]]:
        """Return the environment, and the learners that between them control all its agents."""
        try:
            env, _ = make_environment(self.environment, self.env)
            return env, self.learner_slots(env.spec)
        except UserError as error:
            raise (in_file(self.origin, error) if self.origin else error) from error

    def learner_slots(self, spec: Spec) -> tuple[LearnerSlot, ...]:
        """Return the learners that control all agents of a world with this spec."""
        teams = {team: spec.members(team) for team in spec.teams}
        if ALL_TEAMS in self.learners:
            teams = {ALL_TEAMS: tuple(range(spec.agents))}
        check_teams(self.learners, teams, self.environment)
        self.refuse_actions(spec)
        slots = []
        for team, members in teams.items():
            tree = self.learners.get(team, {"name": IDLE})
            slots.append(LearnerSlot(team, make_algorithm(tree["name"], without_name(tree))[0], members))
        return tuple(slots)

    def elsewhere(self, environment: str, env: Mapping[str, Any]) -> "Config":
        """Return the same learners in another environment, each with the team in its own team's place."""
        other, tree = make_environment(environment, env)
        teams = self.learners if ALL_TEAMS in self.learners else other.spec.teams
        if len(teams) != len(self.learners):
            raise UserError(
                f"{environment} has teams {', '.join(teams)}, the run learned {', '.join(self.learners)}"
            )
        learners = dict(zip(teams, self.learners.values(), strict=True))
        return replace(self, environment=environment, env=tree, learners=learners)

    def refuse_actions(self, spec: Spec) -> None:
        """Refuse an algorithm that no settings could make fit for this kind of actions."""
        for name in {tree["name"] for tree in self.learners.values()}:
            traits = algorithm_class(name).traits
            if spec.bounds and not traits.continuous:
                clash = f"chooses among discrete actions, but {self.environment} has continuous ones"
                value = "false"
            elif not spec.bounds and not traits.discrete:
                clash = f"needs continuous actions, but {self.environment} has discrete ones"
                value = "true"
            else:
                continue
            remedy = f"set env.continuous={value}, or take" if "continuous" in self.env else "take"
            raise UserError(f"{name} {clash}: {remedy} another algorithm (see `covey describe {name}`)")

    def text(self, path: Path) -> str:
        """Return all of it as YAML; the user's files beside `path` are named from there, and move with it."""
        beside = lambda file: file.relative_to(path.parent) if file.is_relative_to(path.parent) else file
        relative = self.with_files(beside)
        return yaml_text.to_text(relative.to_tree())

    def to_yaml(self, path: Path) -> None:
        with atomic(path, path.name) as file:
            file.write(self.text(path).encode())

    def to_tree(self) -> dict[str, Any]:
        """Return all that is saved, as plain data."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _UNSAVED}

    @classmethod
    def from_yaml(cls, path: Path) -> "Config":
        """Read a whole run's configuration, as `to_yaml` wrote it."""
        tree = read_fields(path, _kinds(), of_run=True)
        lacking = [name for name in _WITH_FILES if name not in tree]
        if lacking:
            raise UserError(f"{path} describes no whole run: it lacks {' and '.join(lacking)}")
        if not tree["learners"]:
            raise UserError(f"{path} describes no whole run: learners is empty")
        for team, learner in tree["learners"].items():
            if not isinstance(learner, dict) or not isinstance(learner.get("name"), str):
                raise UserError(f"{path} describes no whole run: learners.{team} names no algorithm")
        return cls(**tree, origin=path)

    @property
    def title(self) -> str:
        """The algorithm and the world in words, with the user's files by their names alone."""
        return f"{self.portable.algorithm} on {self.portable.environment}"

    @property
    def portable(self) -> "Config":
        """The same run with the user's files by their names alone."""
        return self.with_files(lambda path: Path(path.name))

    @property
    def files(self) -> tuple[Path, ...]:
        """The user's own files that the run needs."""
        files: dict[Path, None] = {}

        def note(path: Path) -> Path:
            files[path] = None
            return path

        self.with_files(note)
        return tuple(files)

    def with_files(self, replacement: Callable[[Path], Path]) -> "Config":
        """Return the same run with the user's files elsewhere: copied into the run's folder, for instance."""
        moved = {name: replace_files(getattr(self, name), replacement) for name in _WITH_FILES}
        return replace(self, **moved)


OPTIONS = (*(f.name for f in fields(Config) if f.name not in ("learners", "env", *_UNSAVED)), "config")


def _kinds() -> dict[str, Any]:
    """Return the type of every field that is saved."""
    kinds = get_type_hints(Config, include_extras=True)
    return {name: kind for name, kind in kinds.items() if name not in _UNSAVED}


def _read_preset(
    names: Mapping[str, str], run: Mapping[str, Any], required: bool
) -> tuple[Literal["original", "tuned"], dict[str, Tree], dict[str, Any]]:
    """Return the name of the preset, its settings of each algorithm, and the fields of the run in it."""
    environment = run["environment"]
    name: Literal["original", "tuned"] = "tuned"
    preset: dict[str, Tree] = {}
    fields: dict[str, Any] = {}
    if run.get("preset") != "original":
        preset, fields = tuned_settings(names.values(), environment, required)
    if not preset:
        name = "original"
        preset, fields = original_settings(names.values(), environment)
    return name, preset, check_fields(fields, f"the preset for {environment}", _kinds())


def _resolve_learners(
    names: Mapping[str, str], spec: Spec, preset: Mapping[str, Tree], file: Mapping[str, Tree], typed: Tree
) -> dict[str, Tree]:
    """Return each slot's tree, from presets, a file, an earlier run, the command line; the last wins."""
    for path, value in typed.items():
        if path in OPTIONS:
            problem = "is the run's, not the algorithm's"
            raise SettingError(path, problem, f"write `{RUN_FIELD}{path}={value}`")
    routed = route_settings(typed, names)
    learners: dict[str, Tree] = {}
    slots: list[LearnerSlot] = []
    for slot in sorted(names, key=lambda slot: names[slot].startswith(OPPONENTS)):  # they may play learners
        name = names[slot]
        opponent = opponent_settings(slot, name, spec, slots, read_trained_run)
        layers = preset.get(name, {}), without_name(file.get(slot, {})), opponent
        algorithm, learners[slot] = make_algorithm(name, *layers, routed[slot])
        slots.append(LearnerSlot(slot, algorithm, spec.members(slot) or tuple(range(spec.agents))))
    return {slot: learners[slot] for slot in names}


def read_trained_run(source: str) -> TrainedRun:
    """Return the players of an earlier run."""
    there = Config.from_yaml(find_run_config(source))
    env, slots = there.build()
    names = {slot: tree["name"] for slot, tree in there.learners.items()}
    return TrainedRun(names, there.seeds, env.spec, slots)
