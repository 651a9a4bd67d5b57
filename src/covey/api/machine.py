"""The command that looks at the machine: `doctor`."""

from typing import TYPE_CHECKING

from ..commands import command
from ..runs import launch

if TYPE_CHECKING:
    from ..runs.doctor import Checkup


@command(json=True)
def doctor() -> "Checkup":
    """Look at this machine: versions, devices, extras, the cache, and what is slow.

    It takes a few seconds and changes nothing.
    """
    launch.prepare()
    from ..runs.doctor import examine_machine

    return examine_machine()
