"""Is every setting read? Each is changed a little: where every program stays the same, nobody reads it."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args, get_origin

from .. import yaml_text
from ..config import settings
from ..config.settings import MISSING, Tree
from ..errors import UserError

WORDS = ("true", "false", "yes", "no", "on", "off")
OFF = "(--no-audit trains all the same)"
USUAL = "with the other settings at their defaults"


class Field(NamedTuple):
    path: str
    value: Any
    kind: Any


def fields_of(make: Any, tree: Tree) -> list[Field]:
    """All settings of a class or function, as they stand in `tree`."""
    options = settings.signature_of(make)
    return [Field(*x) for x in settings.walk(options, tree, settings.Place("")) if x[1] is not MISSING]


def refuse_text(fields: Iterable[Field], prefix: str = "") -> None:
    """A truth value or a number that came as text: Python takes any text for true."""
    for path, value, kind in fields:
        if not isinstance(value, str) or get_origin(kind) is Literal:
            continue
        loose = kind in (Any, MISSING)
        if value.lower() in WORDS:
            remedy = "annotate it as bool, and give true or false"
        elif loose and isinstance(attempt(lambda value=value: yaml_text.parse(value, "")), int | float):
            remedy = "annotate it as int or float, and give it without quotes"
        else:
            continue
        raise UserError(
            f"{prefix}{path} is the text '{value}', which counts as true whatever it says: {remedy} {OFF}"
        )


def others(kind: Any, value: Any) -> Iterator[Any]:
    """Values that a setting might have instead, the nearest first."""
    if isinstance(value, dict):
        base = settings.part_of(kind)
        yield from (name for name in settings.choices(base) if name != value.get("name")) if base else ()
    elif get_origin(kind) is Literal:
        yield from (arg for arg in get_args(kind) if arg != value)
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int) and kind is not float:
        yield from (value + 1, 2 * value + 1, 100 * value + 100)
    elif isinstance(value, int | float):
        yield from (1.37 * value + 0.1, 0.6 * value + 0.01)
    elif isinstance(value, list | tuple):
        yield from ([other, *value[1:]] for x in value[:1] for other in others(Any, x))
        yield [*value, *value[:1]]
    elif isinstance(value, str):
        yield from (f"{value}_", "")
    elif value is None:
        kinds = [k for k in get_args(kind) if k is not NoneType]
        sample = {bool: [True], int: [1, 7, 100_000], float: [0.37], str: ["a"]}
        yield from (x for k in kinds for x in sample.get(k, get_args(k) if get_origin(k) is Literal else []))


class Facts:
    """What is known of a thing, stage by stage, each found out once and only if asked for."""

    def __init__(self, make: Callable[[], Any]):
        self.make, self.known = make, {}

    def __getitem__(self, stage: str) -> Any:
        if "stages" not in self.known:
            self.known["stages"] = attempt(lambda: dict(self.make().stages()))
        stages = self.known["stages"]
        if stage not in self.known:
            self.known[stage] = attempt(stages[stage]) if isinstance(stages, dict) else stages
        return self.known[stage]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(stages) if isinstance(stages := self["stages"], dict) else ()

    def differs(self, other: "Facts") -> bool:
        if not self.names:
            return False
        return self.names != other.names or any(self[name] != other[name] for name in self.names)


def attempt(f: Callable[[], Any]) -> Any:
    """What f gives, or how it fails: a value that is refused has been read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return f()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


class Verdict(NamedTuple):
    field: Field
    read: bool
    chosen: bool  # by whoever started the run
    when: str | None  # under which other settings it would be read


@dataclass
class Question:
    """Somebody's settings; `make` says what becomes of them, perhaps where actions are of the other kind."""

    make: Callable[[Tree, bool], Any]
    tree: Tree
    default: Tree  # what they are where nobody chooses
    fields: list[Field]
    known: dict[str, Facts] = field(default_factory=dict)

    def facts(self, tree: Tree, flipped: bool = False) -> Facts:
        name = repr((sorted(settings.flatten(tree).items()), flipped))
        return self.known.setdefault(name, Facts(lambda: self.make(tree, flipped)))

    def acts(self, f: Field, tree: Tree, flipped: bool = False) -> bool:
        """Whether this setting changes anything, beside such others."""
        now = self.facts(tree, flipped)
        changed = (settings.layer(tree, {f.path: other}) for other in others(f.kind, f.value))
        return any(now.differs(self.facts(other, flipped)) for other in changed)

    def chosen(self, f: Field) -> bool:
        return settings.flatten(self.default).get(f.path, MISSING) != shown(f.value)

    def verdicts(self, wanted: Callable[[Field], bool]) -> list[Verdict]:
        """Of all wanted settings; a part with settings of its own is known by these."""
        inner = lambda f: any(g.path.startswith(f"{f.path}.") for g in self.fields)
        found = []
        for f in self.fields:
            if wanted(f) and not inner(f) and any(True for _ in others(f.kind, f.value)):
                read = self.acts(f, self.tree)
                found.append(Verdict(f, read, self.chosen(f), None if read else self.when(f)))
        return found

    def when(self, f: Field) -> str | None:
        """Under which other settings it would act; None if under none."""
        usual = settings.layer(self.default, {f.path: shown(f.value)})
        if attempt(lambda: self.acts(f, usual)) is True:
            return self.blame(f, lambda g: [settings.flatten(self.default).get(g.path)])
        if attempt(lambda: self.acts(f, self.tree, True) or self.acts(f, usual, True)) is True:
            return "where actions are of the other kind (discrete or continuous)"
        named = self.blame(f, lambda g: others(g.kind, g.value))
        return None if named == USUAL else named

    def blame(self, f: Field, values: Callable[[Field], Iterable[Any]]) -> str:
        """The one other setting that would make it act."""
        for g in self.fields:
            made = isinstance(g.value, dict) and settings.is_factory(g.kind)
            chooses = made or isinstance(g.value, bool) or get_origin(g.kind) is Literal or g.value == 0
            if not chooses or g.path == f.path or f.path.startswith(f"{g.path}."):
                continue
            for value in values(g):
                tree = attempt(lambda g=g, value=value: settings.layer(self.tree, {g.path: value}))
                if value != shown(g.value) and attempt(lambda tree=tree: self.acts(f, tree)) is True:
                    return f"with {g.path}={yaml_text.inline(value)}"
        return USUAL


def shown(value: Any) -> Any:
    """A part by its name."""
    return value.get("name") if isinstance(value, dict) else value
