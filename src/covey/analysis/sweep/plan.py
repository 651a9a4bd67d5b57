"""The plan of a sweep and its trials, as files of its folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from ... import yaml_text
from ...config import grid, settings
from ...config.config import Config
from ...config.options import command_line_sentence
from ...config.paths import PLAN_FILE
from ...config.space import SearchRange, read_space, typed_space
from ...config.trust import check_plan_trust, check_trial_trust, sign_tree
from ...errors import UserError
from ...files import atomic, write_errors_explained
from ...runs import records
from ...runs.folder import RunFolder
from .share import Share

SearchName = Literal["grid", "random", "tpe"]
_ALGORITHM = "algorithm"


@dataclass(frozen=True)
class Plan:
    """What is searched, and how: the content of sweep.yaml."""

    algorithms: list[str]
    environments: list[str]
    axes: dict[str, list[Any]]
    trials: int | None = None  # of each environment; None: all of a grid
    search: SearchName = "grid"
    stop: Literal["asha"] | None = None
    fresh: int = 5  # seeds that none of the trials had, for the winner
    options: dict[str, Any] = field(default_factory=dict)  # those of `covey train`
    on: str = "local"  # the engine
    per: str | None = None  # the share of a machine for each trial: its cores are a part of its bits
    signature: str | None = None  # of a folder's plan that names code: from `config.trust`

    def __post_init__(self):
        if not self.algorithms or not self.environments:
            raise UserError("a sweep needs an algorithm and an environment: covey sweep ALGO ENV key=v1,v2")
        ranges = [key for key, axis in self.space.items() if isinstance(axis, SearchRange)]
        if self.search == "grid" and ranges:
            raise UserError(
                f"{ranges[0]} is a range, which no grid can hold: name its values, or set --search random "
                "and --trials N"
            )
        if self.search != "grid" and self.trials is None:
            raise UserError(f"--search {self.search} goes on for ever: say how long, with --trials N")
        whole = self.on == "sequential" or Share.read(self.per).kind == "gpu"
        if self.options.get("device") == "gpu" and not whole:
            raise UserError(
                "--device gpu: a trial's share of a machine is cores here; set --on sequential, or "
                "--per '1 gpu' with --on ray or slurm"
            )
        if self.choices < 2:
            raise UserError(
                "nothing varies: give a setting several values, as gamma=.9,.99, or use `covey train`"
            )

    @property
    def space(self) -> dict[str, Any]:
        """The search space, the algorithm among its axes."""
        return {_ALGORITHM: self.algorithms} | read_space(self.axes)

    @property
    def choices(self) -> float:
        """The number of combinations, in every environment; infinite where a setting has a range."""
        count = float(len(self.environments))
        for axis in self.space.values():
            count = count * (float("inf") if isinstance(axis, SearchRange) else len(axis))
        return count

    @property
    def planned(self) -> int:
        """The number of trials of each environment."""
        combinations = self.choices / len(self.environments)
        return int(min(combinations, self.trials or combinations))

    def settings_name(self, settings: Mapping[str, Any], environment: str) -> str:
        """Return a trial's name: whatever varies, as it would be typed."""
        shown = {"environment": environment} if len(self.environments) > 1 else {}
        varying = {
            key: value
            for key, value in settings.items()
            if isinstance(self.space[key], SearchRange) or len(self.space[key]) > 1
        }
        return ",".join(f"{key}={yaml_text.inline(value)}" for key, value in (shown | varying).items())

    def write(self, folder: Path) -> None:
        with write_errors_explained("the sweep", folder):
            folder.mkdir(parents=True, exist_ok=True)
        tree = asdict(self) | {"axes": typed_space(read_space(self.axes))}
        tree["signature"] = sign_tree(folder, self.names)
        with atomic(folder / PLAN_FILE, PLAN_FILE) as file:
            file.write(yaml_text.to_text(tree).encode())

    @property
    def names(self) -> dict[str, Any]:
        """Whatever may name code, in the places that a run's configuration has for it."""
        worlds = {"environment": self.environments, "source": _files(self.options)}
        return {"algorithm": self.algorithms, "learners": self.axes, **worlds}

    def move(self, folder: Path, on: str | None, per: str | None) -> None:
        """Go on in another place; refuse another share of a machine, which would change the bits."""
        new = replace(self, on=on or self.on, per=per or self.per)
        whole = "sequential"  # gives each trial the whole machine
        if Share.read(new.per) != Share.read(self.per) or (new.on == whole) != (self.on == whole):
            share = "the whole machine" if self.on == whole else str(Share.read(self.per))
            raise UserError(
                f"a trial of this sweep has {share}, which is a part of its bits: leave out --per and "
                "--on sequential, or begin a sweep in another --out"
            )
        if new != self:
            new.write(folder)

    @classmethod
    def typed(
        cls,
        algorithm: str,
        environment: str | None,
        axes: Mapping[str, Sequence[Any]],
        options: Mapping[str, Any],
        **how: Any,
    ) -> "Plan":
        """Return the plan of a command line; a range makes the search random where none is named."""
        space = read_space({key: [settings.dump(x) for x in values] for key, values in axes.items()})
        is_range = any(isinstance(axis, SearchRange) for axis in space.values())
        how.setdefault("search", "random" if is_range else "grid")
        return cls(
            algorithms=grid.split_values(algorithm),
            environments=grid.split_values(environment) if environment else [],
            axes=typed_space(space),
            options={name: value for name, value in options.items() if value is not None},
            **how,
        )

    @classmethod
    def read(cls, path: Path) -> "Plan":
        """Read sweep.yaml, or a file of the same shape."""
        tree = yaml_text.read_file(path)
        known = {f.name for f in fields(cls)}
        unknown = sorted(set(tree) - known)
        if unknown:
            raise UserError(
                f"{path}: there is no '{unknown[0]}' in a sweep; it has {', '.join(sorted(known))}"
            )
        for name in ("algorithms", "environments"):
            value = tree.get(name, [])
            tree[name] = grid.split_values(value) if isinstance(value, str) else value
        axes = tree.get("axes") or {}
        if not isinstance(axes, dict):
            raise UserError(f"{path}: axes are keys with lists of values, as in `gamma: [.9, .99]`")
        tree["axes"] = {key: x if isinstance(x, list) else [x] for key, x in axes.items()}
        return cls(**tree)


def _files(options: Mapping[str, Any]) -> list[str]:
    """Return the files that options of `covey train` name."""
    return [str(options[name]) for name in ("source", "config") if options.get(name)]


def read_plan(folder: Path) -> Plan:
    """Return the plan of a sweep's folder; refuse code that comes from elsewhere."""
    plan = Plan.read(folder / PLAN_FILE)
    check_plan_trust(folder, plan.names, plan.signature)
    return plan


@dataclass(frozen=True)
class Trial:
    """One combination of settings in one environment, and the folder of its run."""

    number: int
    environment: str
    settings: dict[str, Any]  # the algorithm among them
    folder: str  # within the sweep's
    name: str
    options: dict[str, Any] = field(default_factory=dict)  # of its own: a winner's fresh seeds

    @property
    def is_winner(self) -> bool:
        """Whether it is the winner's second run."""
        return bool(self.options)

    def config(self, plan: Plan, steps: int | None = None) -> Config:
        """Return the run's configuration; `steps` is the end for now, which changes nothing before it."""
        tree = {"environment": self.environment, "learners": self.settings, "source": _files(self.options)}
        check_trial_trust(self.name, tree, plan.names)
        pairs = {key: value for key, value in self.settings.items() if key != _ALGORITHM}
        try:
            whole = Config.parse(
                self.settings[_ALGORITHM], self.environment, pairs, plan.options | self.options
            )
        except UserError as error:
            raise UserError(f"{self.name}: {command_line_sentence(error)}") from error
        return whole if steps is None else replace(whole, steps=steps)

    def run_folder(self, root: Path) -> RunFolder:
        return RunFolder(root / self.folder)


_TRIAL = {
    "number": int,
    "environment": str,
    "settings": dict,
    "folder": str,
    "name": str,
    "options?": dict,
}


class TrialBook:
    """The trials of a sweep, in trials.jsonl: a line for each that was ever asked for."""

    def __init__(self, root: Path):
        self.path = root / "trials.jsonl"
        self.trials: list[Trial] = []
        self.size = 0  # of the whole lines: a sudden end may have left half of one
        if self.path.exists():
            for number, line in enumerate(self.path.read_bytes().splitlines(keepends=True), 1):
                if not line.endswith(b"\n"):
                    break
                self.trials.append(self._read(number, line))
                self.size += len(line)

    def _read(self, number: int, line: bytes) -> Trial:
        fields: dict[str, Any] = {}
        try:
            fields = json.loads(line)
            problem = records.fault(fields, _TRIAL)
        except (ValueError, RecursionError) as error:
            problem = str(error)
        if problem:
            raise UserError(
                f"{self.path}: line {number} is no trial: {problem}; take it and all lines after it out, and "
                "their trials are run again"
            )
        known = {name.removesuffix("?") for name in _TRIAL}
        return Trial(**{name: value for name, value in fields.items() if name in known})

    def add(
        self, plan: Plan, environment: str, settings: dict[str, Any], options: dict[str, Any] | None = None
    ) -> Trial:
        """Write down a new trial; one with options of its own is a winner's second run."""
        number = len(self.trials)
        name = plan.settings_name(settings, environment)
        folder = f"{'winners' if options else 'trials'}/{number:03d}_{grid.folder_name(name)}"
        trial = Trial(number, environment, settings, folder, name, options or {})
        with write_errors_explained("trials.jsonl", self.path), open(self.path, "ab") as file:
            if file.tell() > self.size:
                file.truncate(self.size)
            file.write(json.dumps(asdict(trial)).encode() + b"\n")
            file.flush()
            self.size = file.tell()
        self.trials.append(trial)
        return trial

    def write(self, trials: list[Trial]) -> None:
        """Write down all trials of a grid, in place of those that were there."""
        content = "".join(json.dumps(asdict(trial)) + "\n" for trial in trials).encode()
        with atomic(self.path, self.path.name) as file:
            file.write(content)
        self.trials = trials
        self.size = len(content)

    def of(self, environment: str) -> list[Trial]:
        """Return the trials of the search in an environment."""
        return [trial for trial in self.trials if trial.environment == environment and not trial.is_winner]

    def winner(self, environment: str) -> Trial | None:
        """Return the newest second run of a winner."""
        runs = [trial for trial in self.trials if trial.environment == environment and trial.is_winner]
        return runs[-1] if runs else None
