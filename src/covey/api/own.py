"""Classes of the user's own, and worlds to try them in: `check`, `new`, `make`."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..commands import as_called, command
from ..errors import UserError
from ..ranges import Count
from ..runs import launch
from .options import Choice

if TYPE_CHECKING:
    from ..runs.world import World
    from ..testing.by_name import CheckReport
    from .templates import NewFile


@command()
def check(
    name: str,
    *,
    settings: Mapping[str, Any] | None = None,
    world: str | None = None,
    steps: Count | None = None,
) -> "CheckReport":
    """Check that a world, an algorithm or a mixer keeps the protocol.

    Print what was proven, or what is wrong in one sentence.

    Args:
        name (NAME): a name from `covey list`, file.py:Name, package.module:Name, or pz:module
        settings (key=value): settings of what is checked: env.agents=5, gamma=.95, hidden=64
        world (--env ENV): where an algorithm or a mixer is tried (two_step)
        steps (N): the most steps of an episode (a Python world: 1,000)
    """
    launch.prepare("cpu")
    from ..testing import CheckError
    from ..testing.by_name import check_name

    try:
        return check_name(name, dict(settings or {}), world, steps)
    except CheckError as error:
        raise UserError(f"{name}: {error}") from error


@as_called
def make(world: Choice, **settings: Any) -> "World":
    """Return one copy of a world to play in by hand: `reset(seed)` and `step(actions)` on NumPy.

    `world` is a name, a class, or an object.
    """
    launch.prepare()
    from ..config.making import environment_of
    from ..runs.world import World
    from ..show.moment import draw_moment

    return World(environment_of(world, settings), draw_moment)


@command()
def new(kind: str, name: str) -> "NewFile":
    """Write a short commented file to begin with: a world, a mixer or an algorithm.

    It trains at once and passes `covey check`. The file is named after what it holds, and nothing is
    overwritten.

    Args:
        kind (KIND): world (compiled), python-world, mixer or algorithm
        name (NAME): its name, such as my_mixer
    """
    from .templates import write_template

    return write_template(kind, name)
