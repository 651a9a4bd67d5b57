"""The parser of a command, made from its declaration; mistakes become sentences."""

import argparse
from functools import partial
from math import isfinite, nan
from typing import Any, Literal, NoReturn, get_args, get_origin

from ..errors import UserError
from ..ranges import bare, outside, range_of
from ..text import nearest
from .declaration import Declaration, Parameter

_REQUIRED = "the following arguments are required:"
_UNKNOWN = "unrecognized arguments:"


class Parser(argparse.ArgumentParser):
    """A parser that answers a mistake with one sentence."""

    required_words = ""

    def error(self, message: str) -> NoReturn:
        if message.startswith(_REQUIRED):  # argparse takes a setting for a name, and counts too few
            message = f"{_REQUIRED} {self.required_words}"
        elif message.startswith(_UNKNOWN):
            words = message.removeprefix(_UNKNOWN).split() or ["''"]  # an empty word is written as one
            message = f"{_UNKNOWN} {' '.join(words)}"
            message += nearest(words[0].partition("=")[0], self._option_string_actions)
        raise UserError(f"{message} (`{self.prog} --help` lists the options)")


def make_parser(declaration: Declaration) -> Parser:
    """Make the parser; only what was typed is in its result."""
    parser = Parser(
        prog=f"covey {declaration.command.name}",
        description=declaration.description,
        argument_default=argparse.SUPPRESS,
    )
    required = ", ".join(word.shown for word in declaration.words if word.required)
    parser.required_words = f"{required}: {declaration.synopsis}"
    for word in declaration.words:
        add_word(parser, word)
    if declaration.settings:
        s = declaration.settings
        parser.add_argument(s.name, nargs="*", metavar=s.shown, help=percent(s.help), default=[])
    for option in declaration.options:
        parser.add_argument(option.flag, dest=option.name, help=percent(option.help), **value_of(option))
    if declaration.command.json:
        parser.add_argument("--json", action="store_true", help="print everything, as JSON")
    return parser


def add_word(parser: Parser, word: Parameter) -> None:
    one: dict[str, Any] = {"action": StoreOnce} if word.required else {"nargs": "?"}
    count: dict[str, Any] = {"nargs": "+"} if word.repeated else one
    parser.add_argument(word.name, metavar=word.shown, help=percent(word.help), **count)


def value_of(option: Parameter) -> dict[str, Any]:
    """Return what argparse needs to know of an option's value."""
    if option.kind is bool:
        return {"action": "store_false" if option.negated else "store_true"}
    if get_origin(option.kind) is Literal:
        return {"choices": get_args(option.kind), "action": StoreOnce}
    number = bare(option.kind) in (int, float)
    kind = partial(read_number, kind=option.kind) if number else str
    return {"type": kind, "metavar": option.shown, "action": StoreEach if option.repeated else StoreOnce}


def percent(text: str) -> str:
    """Return a help text with its percent signs as argparse wants them."""
    return text.replace("%", "%%")


def read_number(text: str, kind: Any) -> int | float:
    """Return a number within its range; a whole one also of 2e6 or 2_000_000."""
    try:
        number = float(text.replace("_", ""))
    except ValueError:
        number = nan
    whole = bare(kind) is int
    if not isfinite(number) or (whole and number % 1) or outside(kind, number):
        declared = range_of(kind)
        limits = f" {declared.words(number)}" if declared else ""
        raise argparse.ArgumentTypeError(
            f"takes a {'whole number' if whole else 'number'}{limits}, not '{text}'"
        )
    return int(number) if whole else number


class StoreOnce(argparse.Action):
    """Store the value of an option or a word; refuse a second, other one."""

    def __call__(self, parser, namespace, values, option_string=None):
        _refuse_dashes(values, option_string or self.metavar)
        old = getattr(namespace, self.dest, values)
        if old != values:
            raise UserError(f"{option_string} is given twice, as {old} and as {values}: write it once")
        setattr(namespace, self.dest, values)


class StoreEach(argparse.Action):
    """Store all values of an option that may be repeated."""

    def __call__(self, parser, namespace, values, option_string=None):
        _refuse_dashes(values, option_string)
        setattr(namespace, self.dest, [*getattr(namespace, self.dest, []), values])


def _refuse_dashes(values: Any, name: Any) -> None:
    """Refuse `--out=--`, of which argparse makes an empty list."""
    if values == []:
        raise UserError(f"{name} is '--', which is no value: write one in its place")
