"""Read a command's words, options and help texts from its function's signature and docstring."""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from .. import api  # noqa: F401, its functions declare the commands
from ..commands import COMMANDS, PROGRESS, Command

_ARGUMENT = re.compile(r"(\w+)(?: \((.*?)\))?: (.*)")


class Parameter(NamedTuple):
    """A parameter of a command, and what the command line shows of it."""

    name: str
    kind: Any  # its annotation, without None
    shown: str  # the name of its value: N, FILE, key=value
    flag: str  # --name; "" for a word
    help: str
    required: bool

    @property
    def repeated(self) -> bool:
        return get_origin(self.kind) is Sequence

    @property
    def negated(self) -> bool:
        """Return whether the option switches its parameter off."""
        return self.kind is bool and self.flag.startswith("--no-")

    @property
    def spelling(self) -> str:
        """The option as it is typed."""
        choices = "|".join(get_args(self.kind)) if get_origin(self.kind) is Literal else ""
        value = "" if self.kind is bool else choices or self.shown
        return f"{self.flag} {value}".strip()


class Declaration(NamedTuple):
    """A command, as the command line needs it."""

    command: Command
    summary: str
    description: str
    words: tuple[Parameter, ...]
    settings: Parameter | None  # the key=value words
    options: tuple[Parameter, ...]
    progress: str | None  # the parameter that receives lines of progress

    @property
    def synopsis(self) -> str:
        """The command with its words."""
        words = [f"{word.shown} {word.shown} …" if word.repeated else word.shown for word in self.words]
        settings = [f"[{self.settings.shown} …]"] if self.settings else []
        return " ".join(["covey", self.command.name, *words, *settings])


def declarations() -> dict[str, Declaration]:
    """Return all commands by name."""
    return {name: read(command) for name, command in COMMANDS.items()}


def read(command: Command) -> Declaration:
    """Read one command."""
    text, help_texts = split_docstring(command.function)
    if command.options:
        help_texts |= split_docstring(command.options)[1]
    paragraphs = [" ".join(p.split()) for p in text.split("\n\n") if not p.startswith("From Python")]
    words = []
    options = []
    settings = None
    progress = None
    for name, kind, default, is_word in _parameters(command):
        if name not in help_texts:
            raise TypeError(f"{command.name}: the docstring's Args say nothing of {name}")
        if get_origin(kind) is Callable:
            progress = name if name == PROGRESS else progress
            continue
        parameter = describe_parameter(name, kind, default, is_word, *help_texts[name])
        if get_origin(kind) is Mapping:
            settings = parameter if "=" in parameter.shown else settings
        elif is_word:
            words.append(parameter)
        else:
            options.append(parameter)
    return Declaration(
        command=command,
        summary=paragraphs[0],
        description="\n\n".join(paragraphs),
        words=tuple(words),
        settings=settings,
        options=tuple(options),
        progress=progress,
    )


def _parameters(command: Command) -> Iterator[tuple[str, Any, Any, bool]]:
    """Yield each parameter's name, kind, default, and whether it is a word; shared options come first."""
    signature = inspect.signature(command.function)
    named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    words = [p for p in named if p.kind is p.POSITIONAL_OR_KEYWORD]
    for p in words:
        yield p.name, without_none(p.annotation), p.default, True
    for name, kind in get_type_hints(command.options, include_extras=True).items() if command.options else ():
        yield name, kind, None, False
    for p in named[len(words) :]:
        yield p.name, without_none(p.annotation), p.default, False


def without_none(kind: Any) -> Any:
    """Return an annotation's kind: `int` of `int | None`."""
    if get_origin(kind) not in (Union, UnionType):
        return kind
    kinds = tuple(k for k in get_args(kind) if k is not NoneType)
    return kinds[0] if len(kinds) == 1 else Union[kinds]  # noqa: UP007


def describe_parameter(
    name: str, kind: Any, default: Any, is_word: bool, spelling: str, help_text: str
) -> Parameter:
    """Return a parameter with its flag and the name of its value."""
    flag, _, shown = spelling.partition(" ") if spelling.startswith("--") else ("", "", spelling)
    shown = shown or name.upper()
    if is_word or ("=" in shown and not flag):
        flag = ""
    elif not flag:
        negated = kind is bool and default is not False
        flag = f"--{'no-' if negated else ''}{name.replace('_', '-')}"
    help_text = f"do not {help_text}" if flag.startswith("--no-") else help_text
    return Parameter(name, kind, shown, flag, help_text, default is inspect.Parameter.empty)


def split_docstring(thing: Any) -> tuple[str, dict[str, tuple[str, str]]]:
    """Return a docstring's text, and of each line of `Args:` the parentheses and the help, by parameter."""
    text, _, rest = (inspect.getdoc(thing) or "").partition("\nArgs:\n")
    lines: list[str] = []
    for line in inspect.cleandoc(rest).splitlines():
        if line.startswith(" "):
            lines[-1] += f" {line.strip()}"
        else:
            lines.append(line)
    matches = [match for line in lines if (match := _ARGUMENT.fullmatch(line))]
    return text.strip(), {m[1]: (m[2] or "", m[3]) for m in matches}
