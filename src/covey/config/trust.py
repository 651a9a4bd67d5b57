"""Python code that a run folder names: run if the folder was made here by this user, or if the user says so.

A configuration can name files and modules, and a command that reads it runs them. So a run that is made
here is signed: its `run.json` holds a keyed hash of those names and of all that `files/` holds, and the key
lies among the user's own settings. A folder from elsewhere has no such signature, nor has a changed one.
"""

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import update_wrapper
from pathlib import Path
from typing import Any, TypeVar

from .. import yaml_text
from ..errors import UserError
from .paths import CONFIG_FILE, PLAN_FILE

SIGNATURE = "signature"  # in run.json
FILES = "files"  # the folder in a run's folder that holds copies of the user's files
_NAMING = ("algorithm", "environment", "learners", "env", "source")
_PATHS = (".py", ".yaml", ".yml", ".json")
_Function = TypeVar("_Function", bound=Callable[..., Any])
_trusting: ContextVar[bool] = ContextVar("trusting", default=False)


@contextmanager
def trusting(trust: bool = True) -> Iterator[None]:
    """Run what all run folders name, for as long as this lasts."""
    token = _trusting.set(trust or _trusting.get())
    try:
        yield
    finally:
        _trusting.reset(token)


def heeds_trust(function: _Function) -> _Function:
    """Let a function's option `trust` hold for all run folders that it reads."""

    def call(*args: Any, **options: Any) -> Any:
        with trusting(bool(options.get("trust"))):
            return function(*args, **options)

    return update_wrapper(call, function)  # pyright: ignore[reportReturnType]


def check_trust(folder: Path, tree: dict[str, Any]) -> None:
    """Refuse a run's configuration that names code or files of somebody else's."""
    names = outside_names(tree)
    if not names or _trusting.get() or _is_signed(folder, names, read_signature(folder / "run.json")):
        return
    raise UserError(
        f"{folder} names {names[0][1]}, code or a file that would be used as your own, and you did not make "
        f"this run here: read its {CONFIG_FILE} and {FILES}/ first, then add --trust (in Python trust=True)"
    )


def check_plan_trust(folder: Path, tree: dict[str, Any], signature: str | None) -> None:
    """Refuse a sweep's plan that names code or files of somebody else's."""
    names = outside_names(tree)
    if not names or _trusting.get() or _is_signed(folder, names, signature):
        return
    raise UserError(
        f"{folder} names {names[0][1]}, code or a file that would be used as your own, and you did not make "
        f"this sweep here: read its {PLAN_FILE} first, then add --trust (in Python trust=True)"
    )


def check_trial_trust(trial: str, tree: dict[str, Any], plan: dict[str, Any]) -> None:
    """Refuse a trial that names code or files which its sweep's plan does not name."""
    known = {text for _, text in outside_names(plan)}
    other = [text for _, text in outside_names(tree) if text not in known]
    if other and not _trusting.get():
        raise UserError(f"{trial} names {other[0]}, which is not in the sweep's {PLAN_FILE}: it was changed")


def is_trusting() -> bool:
    """Return whether all run folders are trusted now."""
    return _trusting.get()


def check_parts(folder: Path, tree: Any) -> None:
    """Refuse data in which a part is chosen by the name of code: in such a place nobody ever writes one."""
    if isinstance(tree, dict):
        if ":" in str(tree.get("name", "")):
            raise UserError(f"{folder} names {tree['name']} where no code belongs: its run.json was changed")
        for value in tree.values():
            check_parts(folder, value)
    elif isinstance(tree, list):
        for value in tree:
            check_parts(folder, value)


def outside_names(tree: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the place and the text of every name that leads to Python code, to another run or to a file."""
    named = [(place, text) for field in _NAMING for place, text in _texts(tree.get(field), field)]
    return sorted({(place, text) for place, text in named if place == "source" or _leads_outside(text)})


def _texts(tree: Any, place: str) -> Iterator[tuple[str, str]]:
    """Yield every text in a tree with its place; of `adversary=qmix+agent=mine.py:Name` each name."""
    if isinstance(tree, str):
        for part in tree.split("+"):
            yield place, part.partition("=")[2] or part
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _texts(str(key), place)
            yield from _texts(value, f"{place}.{key}")
    elif isinstance(tree, list):
        for i, value in enumerate(tree):
            yield from _texts(value, f"{place}.{i}")


def _leads_outside(text: str) -> bool:
    path = Path(text)
    return ":" in text or text.endswith(_PATHS) or path.is_absolute() or ".." in path.parts or text[:1] == "~"


def sign(folder: Path, text: str) -> dict[str, str]:
    """Return the signature of a run that is made here, for its run.json; nothing where none is needed.

    `text` is that of its configuration, which need not be written yet.
    """
    signature = sign_tree(folder, yaml_text.parse(text, CONFIG_FILE))
    return {SIGNATURE: signature} if signature else {}


def sign_tree(folder: Path, tree: dict[str, Any]) -> str | None:
    """Return the signature of what is made here in a folder; None where none is needed."""
    names = outside_names(tree)
    key = _key(new=True) if names else None
    return _digest(key, folder, names) if key else None


def read_signature(path: Path) -> Any:
    """Return the signature that a run's file holds; None where it has none."""
    try:
        return json.loads(path.read_bytes())[SIGNATURE]
    except (OSError, ValueError, RecursionError, LookupError, TypeError):
        return None


def _is_signed(folder: Path, names: list[tuple[str, str]], signature: Any) -> bool:
    """Return whether this user's covey made the folder, and nobody has changed what it names."""
    key = _key()
    modules = [name for _, name in names if ":" in name and not name.partition(":")[0].endswith(".py")]
    shadowed = modules and Path.cwd().resolve().is_relative_to(folder.resolve())  # they would be found in it
    if key is None or shadowed or not isinstance(signature, str):
        return False
    return hmac.compare_digest(signature.encode(), _digest(key, folder, names).encode())


def _digest(key: bytes, folder: Path, names: list[tuple[str, str]]) -> str:
    """Return the keyed hash of the names, and of every file that `files/` holds."""
    root = folder / FILES
    paths = sorted(path for path in root.rglob("*") if not path.is_dir() or path.is_symlink())
    held = [
        [str(path.relative_to(folder)), _content(path)] for path in paths if "__pycache__" not in path.parts
    ]
    return hmac.new(key, json.dumps([names, held]).encode(), hashlib.sha256).hexdigest()


def _content(path: Path) -> str:
    if path.is_symlink() or not path.is_file():
        return f"no file: {os.readlink(path) if path.is_symlink() else 'special'}"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _key(new: bool = False) -> bytes | None:
    """Return the user's own key; make one if it is asked for. None where there can be none."""
    path = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "covey" / "run.key"
    try:
        if new and not path.exists():
            _write_key(path)
        status = path.stat()
        own = status.st_uid == os.getuid() if hasattr(os, "getuid") else True
        return path.read_bytes() if own and not status.st_mode & 0o077 and status.st_size == 32 else None
    except OSError:
        return None


def _write_key(path: Path) -> None:
    """Write a key that is whole as soon as it is there, and that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(32))
        os.link(part, path)  # fails where another process was first
    except FileExistsError:
        pass
    finally:
        part.unlink()
