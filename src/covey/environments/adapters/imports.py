"""The import of a world's package, and its making, with sentences where they fail."""

import contextlib
import importlib
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ...errors import UserError

# The names by which pip installs modules.
_PIP = {
    "pettingzoo": "'covey[pettingzoo]'",
    "gymnasium": "'covey[pettingzoo]'",
    "mpe2": "'covey[pettingzoo]'",
    "jaxmarl": "'covey[jaxmarl]'",
    "jumanji": "'covey[jumanji]'",
    "lbforaging": "lbforaging",
    "rware": "rware",
    "pogema": "pogema",
    "magent2": "magent2",
    "highway_env": "highway-env",
    "gymnasium_robotics": "gymnasium-robotics",
    "overcooked_ai_py": "overcooked-ai",
    "vmas": "vmas",
    "torch": "torch",
    "gfootball": "gfootball, which is built as docs/worlds/football.md says",
    "smac": "'git+https://github.com/oxwhirl/smac.git' and StarCraft II (docs/worlds/smac.md)",
    "smacv2": "'git+https://github.com/oxwhirl/smacv2.git' and StarCraft II (docs/worlds/smac.md)",
}


def import_world(name: str, title: str = "", package: str = "") -> Any:
    """Return a module, or what `package.attribute` names.

    `title` is the world, as it was typed; `package` what pip installs, if the table above lacks it.
    """
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
            thing = getattr(import_world(parent, title, package), attribute, None)
            if thing is not None:
                return thing
        raise _missing(name, title, package, str(error.name)) from error
    except ImportError as error:  # pettingzoo.mpe, which has moved, says so in this way
        raise UserError(f"{title or name} cannot be imported: {error}") from error


def _missing(name: str, title: str, package: str, missing: str) -> UserError:
    remedy = f"check the name after {title.partition(':')[0]}:" if title else "install its package"
    package = package or _PIP.get(missing, "")
    if package:
        remedy = f"run pip install {package}"
    elif not missing.startswith("pettingzoo"):
        remedy = _pettingzoo_extra(name) or remedy
    return UserError(f"{title or name} needs the module {missing}, which is not installed: {remedy}")


def _pettingzoo_extra(name: str) -> str:
    """Return how to install what a world of PettingZoo's own needs; nothing for other worlds."""
    family = re.match(r"(?:pz:)?pettingzoo\.(\w+)\.", name)
    return f"run pip install 'pettingzoo[{family[1]}]'" if family else ""


def make_world(make: Callable[..., Any], options: dict[str, Any], title: str) -> Any:
    """Return the world that a class or a function makes of a user's options."""
    try:
        with quiet():
            return make(**options)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise UserError(f"{title} does not accept these options: {error}") from error
    except ImportError as error:
        remedy = _pettingzoo_extra(title) or f"it says: {error}"
        raise UserError(f"{title} needs a package which is not installed: {remedy}") from error
    except Exception as error:
        if not type(error).__module__.startswith(("gymnasium.error", "gym.error")):
            raise
        remedy = " (a package that registers it when it is imported can be named, as in gym:package:ID-v0)"
        raise UserError(f"{title}: {error}{remedy if 'exist' in str(error) else ''}") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep foreign packages' warnings of deprecation from a user who can do nothing about them."""
    with warnings.catch_warnings():
        for kind in (DeprecationWarning, PendingDeprecationWarning, FutureWarning, UserWarning):
            warnings.simplefilter("ignore", kind)
        yield
