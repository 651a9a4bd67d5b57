"""The words of a command: names, and settings as key=value."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from .. import yaml_text
from ..errors import UserError
from .declaration import Declaration, Parameter


def assign_words(declaration: Declaration, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with names and settings told apart, in whatever order they were typed."""
    settings = declaration.settings
    if settings is None:
        return arguments
    words = [arguments.pop(word.name) for word in declaration.words if word.name in arguments]
    words += arguments.pop(settings.name)
    most = len(declaration.words)
    names, pairs = sort_words(words, most)
    if len(names) > most:
        raise UserError(f"'{names[most]}' is one name too many: write settings as key=value")
    missing = ", ".join(word.shown for word in declaration.words[len(names) :] if word.required)
    if missing:
        raise UserError(f"the following arguments are required: {missing}: {declaration.synopsis}")
    after = declaration.words[-1].shown
    named = {word.name: name for word, name in zip(declaration.words, names, strict=False)}
    return arguments | named | {settings.name: read_settings(settings, pairs, after)}


def sort_words(words: Sequence[str], most: int) -> tuple[list[str], list[str]]:
    """Tell names, of which there are `most` at most, from settings.

    A single name comes first, for a run's path may hold an `=`. Of two, `adversary=qmix+agent=iql` before an
    environment is an algorithm's name.
    """
    if most == 1:
        return list(words[:1]), list(words[1:])
    plain = [word for word in words if "=" not in word]
    is_team_list = lambda word: len(plain) == 1 and word == words[0]
    pairs = [word for word in words if "=" in word.split("+")[-1] and not is_team_list(word)]
    return [word for word in words if word not in pairs], pairs


def read_settings(parameter: Parameter, pairs: Sequence[str], after: str) -> dict[str, Any]:
    """Read key=value words as the parameter wants them: with several values, or of the environment alone."""
    _, value_kind = get_args(parameter.kind)
    if get_origin(value_kind) is Sequence:
        from ..config import grid

        return grid.parse_axes(pairs)
    prefix = parameter.shown.partition("key")[0]
    odd = [pair for pair in pairs if not pair.startswith(prefix) or "=" not in pair]
    if prefix and odd:
        raise UserError(f"'{odd[0]}' is not understood: after {after} only {parameter.shown} may follow")
    settings: Mapping[str, Any] = yaml_text.parse_pairs(pairs, once=True)
    return {key.removeprefix(prefix): value for key, value in settings.items()}
