"""Everything a run is: what learns, where, with which settings, for how long."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_type_hints

from .. import yaml_text
from ..core import Spec
from ..errors import SettingError, UserError
from ..files import atomic
from ..training.loop import LearnerSlot
from . import catalogue, opponents, settings
from .naming import (
    EVERYBODY,
    IDLE,
    World,
    algorithm_class,
    assign,
    check_teams,
    joined,
    learner,
    learns,
    unnamed,
    world,
)
from .options import option
from .settings import Place, Tree

PRESETS = Path(__file__).parent / "presets"
USER_FILE = re.compile(r"[^=+]+\.py(?=:\w)")
NAMING = ("algorithm", "environment", "learners", "env")  # the fields that may name a user's files


@dataclass
class Config:
    """Every value resolved. `learners` and `env` are trees of settings.

    A side's tree stands under its team's name, and holds the name of its algorithm as it was typed.
    """

    algorithm: str
    environment: str
    preset: Literal["original", "tuned"] = "original"
    seeds: int = 5
    seed: int = 0
    steps: int = 1_000_000  # of each seed
    envs: int = 8  # copies of the environment
    eval_every: int = 50_000  # `parse`: a twentieth of the run
    eval_episodes: int = 32
    report_every: int = 10_000  # a chunk: what is compiled as one, whatever the clock says
    save_every: int = 60  # seconds between checkpoints, more if they are slow to write; no part of the result
    device: Literal["cpu", "gpu"] | None = None
    source: str | None = None  # a run to take the first weights from
    audit: bool = True  # whether what has no effect stops the run
    learners: dict[str, Tree] = field(default_factory=dict)
    env: Tree = field(default_factory=dict)
    notes: list[str] = field(default_factory=list, compare=False)  # to be said before it starts, not kept

    def __post_init__(self):
        for name in ("seeds", "steps", "envs", "eval_every", "eval_episodes", "report_every"):
            if getattr(self, name) < 1:
                problem = f"must be at least 1, not {getattr(self, name)}"
                raise SettingError(f"run.{name}", problem, "")
        if not 0 <= self.seed < 2**31:
            problem = f"must be between 0 and {2**31 - 1}, not {self.seed}"
            raise SettingError("run.seed", problem, "")

    @classmethod
    def parse(
        cls,
        algorithm: str | None,
        environment: str | None,
        pairs: Iterable[str] | Mapping[str, Any] = (),
        options: Mapping[str, Any] | None = None,
    ) -> "Config":
        """From a command line; or from Python, where settings come as a mapping.

        `options` holds the fields above, as text or typed, None where not given; and `config`, a YAML
        file of the same shape. What comes later wins: the classes' own values, the preset, the file,
        the command line.
        """
        given = dict(options or {}) | {"algorithm": algorithm, "environment": environment}
        given = {key: value for key, value in given.items() if value is not None}
        path = given.pop("config", None)
        file = read(Path(path)) if path else {}
        typed = settings.flatten(pairs if isinstance(pairs, Mapping) else yaml_text.pairs(pairs))
        given |= {"preset": typed.pop("preset")} if "preset" in typed else {}
        run = file | checked(given, "the command line")
        for kind in ("algorithm", "environment"):
            if kind not in run:
                raise UserError(f"no {kind} is named: write `covey train ALGORITHM ENVIRONMENT`")

        of_env = {key[4:]: typed.pop(key) for key in list(typed) if key.startswith("env.")}
        env, tree = world(run["environment"], run.get("env", {}), of_env)
        run["algorithm"], typed = joined(run["algorithm"], typed, env.spec)
        names, notes = assign(run["algorithm"], run["environment"], env.spec)
        kept, own = run.get("learners", {}), route(typed, names)
        check_teams(kept, names, run["environment"])
        tuned, preset = {}, {}
        if run.get("preset") != "original":
            tuned, preset = presets(names.values(), run["environment"], must="preset" in given)
        slots = {}
        for slot, name in names.items():
            before = tuned.get(name, {}), unnamed(kept.get(slot, {})), opponent(slot, name, env.spec)
            slots[slot] = learner(name, *before, own[slot])[1]
        run = preset | run
        steps, seeds = run.get("steps", cls.steps), run.get("seeds", cls.seeds)
        run.setdefault("eval_every", max(1, steps // 20))
        run.setdefault("report_every", max(1, min(steps // 40, 40_000 // max(1, seeds))))
        made = {"preset": "tuned" if tuned else "original", "learners": slots, "env": tree, "notes": notes}
        config = cls(**run | made)
        config.refuse(env.spec)
        return config

    def build(self) -> tuple[World, tuple[LearnerSlot, ...]]:
        """The environment, and the sides that between them control everybody in it."""
        env, _ = world(self.environment, self.env)
        teams = {team: env.spec.members(team) for team in env.spec.teams}
        teams = {EVERYBODY: tuple(range(env.spec.agents))} if EVERYBODY in self.learners else teams
        check_teams(self.learners, teams, self.environment)
        self.refuse(env.spec)
        slots = []
        for team, members in teams.items():
            tree = self.learners.get(team, {"name": IDLE})
            slots.append(LearnerSlot(team, learner(tree["name"], unnamed(tree))[0], members))
        return env, tuple(slots)

    def elsewhere(self, environment: str, env: Mapping[str, Any]) -> "Config":
        """The same learners in another environment, where each gets the team that is in its own's place."""
        made, tree = world(environment, env)
        teams = self.learners if EVERYBODY in self.learners else made.spec.teams
        if len(teams) != len(self.learners):
            raise UserError(
                f"{environment} has teams {', '.join(teams)}, the run learned {', '.join(self.learners)}"
            )
        learners = dict(zip(teams, self.learners.values(), strict=True))
        return replace(self, environment=environment, env=tree, learners=learners)

    def refuse(self, spec: Spec) -> None:
        """What no settings of the algorithm could make work."""
        for name in {tree["name"] for tree in self.learners.values()}:
            traits = algorithm_class(name).traits
            if spec.bounds and not traits.continuous:
                clash, value = "chooses among discrete actions, but {} has continuous ones", "false"
            elif not spec.bounds and not traits.discrete:
                clash, value = "needs continuous actions, but {} has discrete ones", "true"
            else:
                continue
            remedy = f"set env.continuous={value}, or take" if "continuous" in self.env else "take"
            clash = clash.format(self.environment)
            raise UserError(f"{name} {clash}: {remedy} another algorithm (see `covey describe {name}`)")

    def to_yaml(self, path: Path) -> None:
        """Files of the user's that lie beside it are named from there, so that all of it can be moved."""
        beside = lambda file: file.relative_to(path.parent) if file.is_relative_to(path.parent) else file
        here = self.moved(beside)
        tree = {f.name: getattr(here, f.name) for f in fields(here) if f.name != "notes"}
        with atomic(path, path.name) as file:
            file.write(yaml_text.write(tree).encode())

    @classmethod
    def from_yaml(cls, path: Path) -> "Config":
        """A whole run's, as `to_yaml` wrote it."""
        tree = read(path)
        lacking = [name for name in NAMING if name not in tree]
        if lacking:
            raise UserError(f"{path} describes no whole run: it lacks {' and '.join(lacking)}")
        return cls(**tree)

    @property
    def files(self) -> tuple[Path, ...]:
        """The user's own files that the run needs."""
        found = []
        self.moved(lambda path: found.append(path) or path)
        return tuple(dict.fromkeys(found))

    def moved(self, where: Callable[[Path], Path]) -> "Config":
        """The same run with the user's files elsewhere: copied into the run's folder, for instance."""
        return replace(self, **{name: moved(getattr(self, name), where) for name in NAMING})


OPTIONS = (*(f.name for f in fields(Config) if f.name not in ("learners", "env", "notes")), "config")


def checked(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Fields of `Config`, each of its type. The command line gives numbers as text."""
    kinds = get_type_hints(Config)
    del kinds["notes"]
    for name in given:
        if name not in kinds:
            raise UserError(f"{where}: there is no '{name}'{catalogue.nearest(str(name), kinds)}")

    def typed(name, value):
        number = isinstance(value, str) and kinds[name] is int
        value = yaml_text.parse(value, option(name)) if number else value
        return settings.coerce(kinds[name], value, Place("", option(name)))

    return {name: typed(name, value) for name, value in given.items()}


def read(path: Path) -> dict[str, Any]:
    """Fields in YAML. A user's file that they name may lie beside it, else it is looked for from here."""
    beside = lambda file: path.parent / file if (path.parent / file).is_file() else file
    return checked(moved(yaml_text.load(path), beside), str(path))


def moved(tree: Any, where: Callable[[Path], Path]) -> Any:
    if isinstance(tree, dict):
        return {key: moved(value, where) for key, value in tree.items()}
    if isinstance(tree, list):
        return [moved(value, where) for value in tree]
    return USER_FILE.sub(lambda m: str(where(Path(m[0]))), tree) if isinstance(tree, str) else tree


def opponent(team: str, name: str, spec: Spec) -> Tree:
    """What there is to know of a side that an earlier run plays; nothing of others."""
    if not name.startswith(opponents.RUN):
        return {}
    there = Config.from_yaml(opponents.folder(name).config)
    env, slots = there.build()
    found = opponents.player(name, env.spec, slots, team, spec)
    if there.learners[found["slot"]]["name"] == IDLE:
        raise UserError(f"{team}={name}: nobody learned for {team} in that run; write {team}={IDLE}")
    return found | {"seeds": there.seeds}


def route(typed: Tree, names: Mapping[str, str]) -> dict[str, Tree]:
    """Which side each setting is for: `team.gamma` for that team's learner, `gamma` for all that learn."""
    own: dict[str, Tree] = {slot: {} for slot in names}
    learning = [slot for slot, name in names.items() if learns(name)] or list(names)
    options = {slot: settings.signature_of(algorithm_class(name)) for slot, name in names.items()}
    for path, value in typed.items():
        head, _, rest = path.partition(".")
        if path in OPTIONS:
            raise UserError(f"{path} is the run's, not the algorithm's: write {option(path)} {value}")
        if head in names and rest.split(".")[0] in options[head]:
            own[head][rest] = value
            continue
        for slot in learning:
            own[slot][path] = value
    return own


def presets(names: Iterable[str], environment: str, must: bool) -> tuple[dict[str, Tree], Tree]:
    """The tuned settings of each algorithm in this environment, where there are any; and of the run."""
    tuned, run = {}, {}
    for name in names:
        path = PRESETS / name / f"{environment}.yaml"
        if name in catalogue.ALGORITHMS and environment in catalogue.ENVIRONMENTS and path.exists():
            tuned[name] = yaml_text.load(path)
            run |= checked(tuned[name].pop("run", {}), str(path))
    if must and not tuned:
        raise UserError(f"nothing is tuned for {' or '.join(names)} in {environment}: leave out preset=tuned")
    return tuned, run
