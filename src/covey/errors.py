"""Errors that a user can mend, each in one sentence."""

import re
from collections.abc import Callable
from typing import Any

RUN_FIELD = "run."
OWN_CODE = "own code: "  # begins the note on an unexpected error that names the user's code in the run
_NAMED = re.compile(r"`([^`]+)`")
_UNSAID = object()


class UserError(Exception):
    """One clear sentence that names the option and the remedy; the command line exits with 2."""


class SettingError(UserError):
    """A setting that cannot be as it is: its field, the problem, the remedy.

    `field` is the dotted path as the code that raises it knows it. `problem` and `remedy` name settings in
    backticks, with Python's values: "set `window=None`, or `run.envs` lower", where `run.` marks an option of
    the run. A floor above puts its own path before them (`within`) and writes them in its way (`phrased`).
    """

    def __init__(self, field: str, problem: str, remedy: str = "", *, value: Any = _UNSAID):
        self.field = field
        self.value = value
        self.problem = problem
        self.remedy = remedy
        super().__init__(field, problem, remedy)

    def within(self, path: str) -> "SettingError":
        """Return the error as seen from an object that holds the settings under `path`."""
        place = lambda name: name if name.startswith(RUN_FIELD) else f"{path}.{name}"
        longer = lambda text: _NAMED.sub(lambda match: f"`{place(match[1])}`", text)
        return SettingError(place(self.field), longer(self.problem), longer(self.remedy), value=self.value)

    def phrased(self, write: Callable[[str], str]) -> str:
        """Return the sentence; `write` turns `path` or `path=value` into text."""
        setting = self.field if self.value is _UNSAID else f"{self.field}={self.value}"
        sentence = f"`{setting}` {self.problem}" + (f": {self.remedy}" if self.remedy else "")
        return _NAMED.sub(lambda match: write(match[1]), sentence)

    def __str__(self) -> str:
        return self.phrased(lambda name: name.removeprefix(RUN_FIELD))
