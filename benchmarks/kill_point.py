"""Run a command of covey's that kills itself (kill -9, or another signal) at a chosen moment.

    python -m benchmarks.kill_point MOMENT covey's words …

MOMENT is JSON: `event` is `call`, `open` or `rename`; `name` is a function (`module:Class.method`), or a
pattern for a file's name; `count` is the number of times that it has to happen; `delay` is the seconds after
it. Files are watched by Python's audit hooks, so nothing of covey's is changed for them: `open` is the moment
before a file is opened to be written, and `rename` the one before it gets its name.
"""

import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from importlib import import_module
from typing import Any, Literal

_AUDITED = {"open": "open", "rename": "os.rename"}


@dataclass(frozen=True)
class Moment:
    """The moment of a kill."""

    event: Literal["call", "open", "rename"]
    name: str
    count: int = 1
    delay: float = 0.0
    signal: int = int(signal.SIGKILL)

    def __str__(self) -> str:
        times = f", {self.count} times" if self.count > 1 else ""
        return f"{self.event} {self.name}{times}, {1000 * self.delay:.0f} ms later"

    def to_json(self) -> str:
        return json.dumps(asdict(self))


class Killer:
    """Counts what happens, and kills this process when the moment has come."""

    def __init__(self, moment: Moment):
        self.moment = moment
        self.left = moment.count

    def happened(self) -> None:
        self.left -= 1
        if self.left == 0:
            if self.moment.delay:
                threading.Thread(target=self._kill_later, daemon=True).start()
            else:
                self.kill()

    def _kill_later(self) -> None:
        time.sleep(self.moment.delay)
        self.kill()

    def kill(self) -> None:
        os.kill(os.getpid(), self.moment.signal)

    def watch_files(self) -> None:
        """Count the files of the moment's name that are opened for writing, or renamed to it."""
        event = _AUDITED[self.moment.event]

        def hear(heard: str, arguments: tuple[Any, ...]) -> None:
            if heard == event and self._is_meant(arguments):
                self.happened()

        sys.addaudithook(hear)

    def _is_meant(self, arguments: tuple[Any, ...]) -> bool:
        if self.moment.event == "rename":
            path = arguments[1]
        else:
            path, mode, *_ = arguments
            if not isinstance(mode, str) or not set(mode) & set("wax+"):
                return False
        return isinstance(path, str | os.PathLike) and fnmatch(
            os.path.basename(os.fspath(path)), self.moment.name
        )

    def watch_calls(self) -> None:
        """Count the calls of a function."""
        module, _, path = self.moment.name.partition(":")
        *owners, last = path.split(".")
        owner: Any = import_module(module)
        for name in owners:
            owner = getattr(owner, name)
        function = getattr(owner, last)

        def counted(*args: Any, **options: Any) -> Any:
            self.happened()
            return function(*args, **options)

        setattr(owner, last, counted)


def main() -> int:
    moment = Moment(**json.loads(sys.argv[1]))
    killer = Killer(moment)
    if moment.event == "call":
        from covey.runs import launch

        launch.prepare()  # before the function's module imports JAX
        killer.watch_calls()
    else:
        killer.watch_files()
    from covey.cli import main as covey_main

    return covey_main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
