"""Ranges: declared where a setting is, read by the check, its sentence and `covey describe`."""

from math import inf, nan
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import equinox as eqx
import pytest

from covey.config import catalogue
from covey.config.making import make_algorithm, make_environment
from covey.config.settings import (
    SettingPlace,
    build,
    choice_name,
    choices,
    coerce,
    defaults,
    describe_type,
    odd_settings,
    signature_of,
    walk,
)
from covey.errors import SettingError, UserError
from covey.experience import Replay
from covey.networks import AbstractAgent
from covey.networks.mixers import AbstractMixer
from covey.parts import AbstractOptimiser, AbstractTarget, UnitSchedule
from covey.ranges import AtLeast, Between, Count, Odd, Unit, bare, is_level, outside, range_of

PLACE = SettingPlace("", "it")


def kinds_of(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def all_settings():
    """Every setting of covey's own algorithms, worlds and parts, with its type."""
    for name, entry in (catalogue.ALGORITHMS | catalogue.ENVIRONMENTS).items():
        cls = catalogue.load_class(entry)
        tree = defaults(cls) | {key: value for key, value in entry.fixed.items() if key == "map"}
        for path, _, kind in walk(signature_of(cls), tree, SettingPlace(name)):
            yield f"{name} {path}", kind
    for base in (AbstractAgent, AbstractMixer, AbstractOptimiser, AbstractTarget):
        for name, cls in choices(base).items():
            for path, option in signature_of(cls, later=True).items():
                yield f"{name} {path}", option.kind


SETTINGS = dict(all_settings())
NUMBERS = {where: k for where, kind in SETTINGS.items() for k in kinds_of(kind) if bare(k) in (int, float)}


# Catches a setting that is a number, and whose range nobody declared.
def test_every_number_declares_its_range():
    assert len(NUMBERS) > 300
    assert [where for where, kind in NUMBERS.items() if not range_of(kind) and not is_level(kind)] == []


# Catches a range that its check does not keep.
@pytest.mark.parametrize("kind", list(dict.fromkeys(NUMBERS.values())), ids=describe_type)
def test_values_outside_a_range_are_refused(kind):
    found = range_of(kind)
    wrong = [nan, inf, -inf]
    wrong += [found.low - 1] if isinstance(found, AtLeast | Between) else []
    wrong += [found.high + 1] if isinstance(found, Between) else []
    for value in wrong:
        with pytest.raises(SettingError, match=r"^it takes a (whole )?number "):
            coerce(kind, value, PLACE)


# Catches a sentence without the range, a place that is lost, a schedule that leaves its holder's range.
@pytest.mark.parametrize(
    ("name", "setting", "said"),
    [
        ("qmix", {"gamma": 2}, "gamma takes a number between 0 and 1, not 2"),
        ("qmix", {"epsilon": 5}, "epsilon takes a number between 0 and 1, not 5"),
        ("qmix", {"epsilon.start": 5}, "epsilon.start takes a number between 0 and 1, not 5"),
        ("qmix", {"epsilon.steps": 0}, "epsilon.steps takes a whole number of at least 1, not 0"),
        ("qmix", {"optimiser.lr": -1}, "optimiser.lr takes a number of at least 0, not -1"),
        ("qmix", {"target": {"name": "soft", "tau": 5}}, "target.tau takes a number between 0 and 1, not 5"),
        ("qmix", {"agent.depth": -1}, "agent.depth takes a whole number between 0 and 100, not -1"),
        ("mappo", {"clip": 0}, "clip takes a number above 0, not 0"),
        ("mappo", {"chunk": 1e30}, "a whole number of at least 1 and at most 2,147,483,647, not 1e+30"),
        ("dual_q", {"alpha.end": 5}, "alpha.end=5 is not after alpha.begin=10000: set it higher"),
        ("scripted/kite", {"script.retreat": 0}, "script.retreat takes a whole number of at least 1, not 0"),
        ("hyper_mappo", {"hyper.k": 0}, "hyper.k takes a whole number between 1 and 4,096, not 0"),
    ],
)
def test_the_sentence_names_the_range(name, setting, said):
    with pytest.raises(UserError) as error:
        make_algorithm(name, setting)
    assert str(error.value).endswith(said)


# Catches worlds that cannot be: an error from inside JAX, or a reward with the sign turned round.
@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("spread", {"agents": 0}),
        ("spread", {"agents": 1e9}),
        ("spread", {"local_ratio": 1.5}),
        ("tag", {"obstacles": -1}),
        ("predator_prey", {"sight": -1}),
        ("matrix", {"rounds": 0}),
        ("probe/death", {"life": 0}),
        ("skirmish/3m", {"min_attack_range": -1}),
    ],
)
def test_worlds_that_cannot_be_are_refused(name, setting):
    with pytest.raises(SettingError, match=rf"^env\.{next(iter(setting))} takes a "):
        make_environment(name, setting)


class Mine(eqx.Module):
    """A user's part, which declares ranges as covey's own do."""

    weight: Annotated[float, Between(0, 1), Odd(0, "switches it off")] = 0.5
    rate: UnitSchedule = 0.1  # pyright: ignore
    sizes: list[Count] = (4,)  # pyright: ignore
    share: Unit | None = None


# Catches a range that only covey's own classes can declare.
def test_a_users_class_declares_ranges_too():
    make = lambda **tree: build(Mine, {"name": choice_name(Mine)} | tree, PLACE)
    with pytest.raises(UserError, match=r"it\.weight takes a number between 0 and 1, not 2"):
        make(weight=2)
    for tree in (
        {"share": -1},
        {"sizes": [0]},
        {"rate": {"name": "linear", "start": 2, "end": 0, "steps": 1}},
    ):
        with pytest.raises(UserError, match=f"it.{next(iter(tree))}.* takes "):
            make(**tree)


# Catches an odd value that nobody mentions, and one that is the default and is mentioned nevertheless.
def test_odd_values_are_said():
    cls = catalogue.load_class(catalogue.ALGORITHMS["qmix"])
    tree = make_algorithm("qmix", {"optimiser.lr": 0, "agent.depth": 0})[1]
    assert odd_settings(cls, tree, SettingPlace("")) == [
        "agent.depth=0 leaves no hidden layer before it",
        "optimiser.lr=0.0 changes no weight",
    ]
    quiet = catalogue.load_class(catalogue.ALGORITHMS["random"])
    assert odd_settings(quiet, make_algorithm("random")[1], SettingPlace("")) == []


# Catches an estimate's settings with a bound below what a large machine can hold.
def test_sizes_are_bounded_by_memory_alone():
    assert not outside(signature_of(Replay)["capacity"].kind, 10**15)
