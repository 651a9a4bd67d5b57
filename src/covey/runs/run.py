"""A run: from a configuration to a finished folder, or from its last checkpoint onwards."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..config.config import Config
from ..config.trust import FILES, outside_names, sign
from ..errors import OWN_CODE, RUN_FIELD, SettingError
from ..files import write_errors_explained
from . import checkpoint, frozen_opponents, provenance, warm_start
from .engine import Engine
from .folder import RunFolder
from .results import RunResult
from .session import Training
from .stopping import stop_on_signals
from .summary import finish

Begun = Callable[[Training], None]


@contextmanager
def naming_own_code(config: Config) -> Iterator[None]:
    """Note on an unexpected error which code of the user's a run has: it may have returned a wrong thing."""
    try:
        yield
    except Exception as error:
        names = [name for _, name in outside_names(config.to_tree()) if ":" in name]
        if names:
            error.add_note(f"{OWN_CODE}{names[0]}")
        raise


def train_run(
    config: Config,
    out: str | Path | None = None,
    quiet: bool = False,
    lenders: list[Engine] | None = None,
) -> RunResult:
    """Train a new run; `RunResult.close` finishes it."""
    with new_run(config, out, quiet, lenders) as training:
        return complete(training)


def resume_run(
    path: str | Path, steps: int | None = None, quiet: bool = False, lenders: list[Engine] | None = None
) -> RunResult:
    """Continue from the last checkpoint, as if the run had never stopped; `steps` sets a new end."""
    with reopened_run(path, steps, quiet, lenders) as training:
        return complete(training)


def complete(training: Training) -> RunResult:
    """Train to the end, and write down how it ended."""
    with stop_on_signals(training):
        training.advance()
        return finish(training)


@contextmanager
def new_run(
    config: Config,
    out: str | Path | None = None,
    quiet: bool = False,
    lenders: list[Engine] | None = None,
    begun: Begun = lambda training: None,
) -> Iterator[Training]:
    """Open a new run, ready for its first step; its folder is closed behind it, however it ends.

    `begun` receives the training before it starts. `lenders` are the engines of earlier runs, whose programs
    this one borrows where it differs in numbers alone. It adds its own.
    """
    lenders = [] if lenders is None else lenders
    folder = RunFolder.new(out, config.title.replace(" on ", "_").replace("/", "-").replace(":", "-"))
    with folder.locked(), naming_own_code(config):
        folder.refuse_another_run()  # of a process that was a little faster
        try:
            training = Training(config, folder, quiet, lenders)
            frozen_opponents.check_checkpoints(training.engine.trainer.slots)
            if config.source:
                warm_start.check_source(config.source, training.engine)
            training.prepare()
            lenders.append(training.engine)
        except BaseException:
            folder.discard()
            raise
        _write_beginning(training, copy_user_files(config, folder))
        begun(training)
        with _open(training, training.start):
            yield training


def _write_beginning(training: Training, config: Config) -> None:
    """Write run.json, then config.yaml, with which a run exists: signed, whenever it may be killed."""
    folder = training.folder
    folder.run.unlink(missing_ok=True)  # of a start that was killed before
    signature = sign(folder.path, config.text(folder.config))
    provenance.write_provenance(folder, "running", training.engine.versions, training.spec, signature)
    config.to_yaml(folder.config)


@contextmanager
def reopened_run(
    path: str | Path,
    steps: int | None = None,
    quiet: bool = False,
    lenders: list[Engine] | None = None,
    begun: Begun = lambda training: None,
) -> Iterator[Training]:
    """Open a run at its last checkpoint, as if it had never stopped; `steps` sets a new end."""
    lenders = [] if lenders is None else lenders
    folder = RunFolder.existing(path)
    with folder.locked():
        config = Config.from_yaml(folder.config)
        if config.light:
            _refuse_again(folder, config.steps if steps is None else steps)
        elif steps is not None and steps != config.steps:
            _refuse_earlier_end(folder, steps)
        if steps is not None and steps != config.steps:
            config = replace(config, steps=steps)
            config.to_yaml(folder.config)
        with naming_own_code(config):
            training = Training(config, folder, quiet, lenders)
            if folder.last.exists() and not config.light:  # before anything is compiled
                checkpoint.check_state(folder.last, training.engine.all_seeds(training.engine.shapes))
            training.prepare(new=False)
            lenders.append(training.engine)
            begun(training)
            with _open(training, training.restore):
                yield training


def _refuse_again(folder: RunFolder, steps: int) -> None:
    """Refuse to train a light run to an end that it has reached."""
    done = folder.read_summary().get("steps", 0)
    if folder.read_run().get("status") == "finished" and steps <= done:
        problem = f"is reached: {folder.path} has {done:,}, and a light run begins anew"
        raise SettingError(f"{RUN_FIELD}steps", problem, "name a later end", value=steps)


def _refuse_earlier_end(folder: RunFolder, steps: int) -> None:
    """Refuse an end that lies before what the last checkpoint holds."""
    if not folder.last.exists():
        return
    point = checkpoint.resume_point(folder.last, checkpoint.read_facts(folder.last))
    done = min((row["step"] for row in folder.rows() if row["report"] == point["reports"]), default=0)
    if steps < done:
        remedy = f"set `{RUN_FIELD}steps={done}` or more, or leave it out"
        raise SettingError(
            f"{RUN_FIELD}steps", f"lies before the {done:,} that are done", remedy, value=steps
        )


def copy_user_files(config: Config, folder: RunFolder) -> Config:
    """Copy the user's own files into the run's folder; return the configuration that uses the copies."""
    copies: dict[Path, Path] = {}
    for path in config.files:
        namesakes = sum(path.name == other.name for other in copies)
        copies[path] = folder.path / FILES / (str(namesakes) if namesakes else "") / path.name
        with write_errors_explained("a copy of your file", copies[path]):
            copies[path].parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copies[path])
    return config.with_files(copies.__getitem__)


def copy_run(folder: RunFolder, to: Path) -> RunFolder:
    """Copy a run as it was saved into another folder, which must hold none."""
    copy = RunFolder.new(to, "")
    with write_errors_explained("a copy of the run", copy.config):
        shutil.copytree(folder.path, copy.path, dirs_exist_ok=True)
    provenance.write_provenance(copy, "stopped")
    return copy


@contextmanager
def _open(training: Training, start: Callable[[], None]) -> Iterator[None]:
    """Start, and write down how it ended, however it ends."""
    folder = training.folder
    provenance.write_provenance(folder, "running", training.engine.versions, training.spec)
    try:
        with stop_on_signals(training):
            start()
            training.begin()
        yield
    finally:
        training.close()
        if folder.config.exists():  # and was not moved in the meantime
            provenance.write_provenance(folder, training.status)
