"""The import of a world's package, and its making, with sentences where they fail."""

import contextlib
import importlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ...errors import UserError

_EXTRAS = {"pettingzoo": "pettingzoo", "gymnasium": "pettingzoo", "mpe2": "pettingzoo", "jaxmarl": "jaxmarl"}


def import_world(name: str, prefix: str, package: str = "") -> Any:
    """Return a module, or what `package.attribute` names. `package` is what pip installs where it differs."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")  # worlds that draw with pygame need no screen
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        with quiet():
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        parent, _, attribute = name.rpartition(".")
        if parent and error.name == name:
            thing = getattr(import_world(parent, prefix, package), attribute, None)
            if thing is not None:
                return thing
        raise _missing(name, prefix, package, str(error.name)) from error
    except ImportError as error:  # pettingzoo.mpe, which has moved, says so in this way
        raise UserError(f"{prefix}{name} cannot be imported: {error}") from error


def _missing(name: str, prefix: str, package: str, missing: str) -> UserError:
    extra = _EXTRAS.get(missing)
    remedy = f"run pip install 'covey[{extra}]'" if extra else f"check the name after {prefix}"
    remedy = f"run pip install {package}" if package else remedy
    return UserError(f"{prefix}{name} needs the module {missing}, which is not installed: {remedy}")


def make_world(make: Callable[..., Any], options: dict[str, Any], title: str) -> Any:
    """Return the world that a class or a function makes of a user's options."""
    try:
        with quiet():
            return make(**options)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise UserError(f"{title} does not accept these options: {error}") from error
    except Exception as error:
        if not type(error).__module__.startswith(("gymnasium.error", "gym.error")):
            raise
        remedy = "a package that registers it when it is imported can be named, as in gym:package:ID-v0"
        raise UserError(f"{title}: {error} ({remedy})") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep foreign packages' warnings of deprecation from a user who can do nothing about them."""
    with warnings.catch_warnings():
        for kind in (DeprecationWarning, PendingDeprecationWarning, FutureWarning, UserWarning):
            warnings.simplefilter("ignore", kind)
        yield
