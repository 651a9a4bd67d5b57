"""Promoted settings: those of a base that stand inline among those of the class built on it."""

import equinox as eqx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey.config import settings
from covey.config.settings import SettingPlace as Place
from covey.config.settings import apply, construct, dump, rebuild
from covey.errors import UserError
from covey.networks.mixers import AbstractMixer, MonotonicMixer, SumMixer
from covey.parts import AbstractTarget, Factory, HardTarget, SoftTarget, find_setting, promoted

numbers = st.floats(0, 1)
counts = st.integers(1, 10**6)


class Base(eqx.Module):
    gamma: float = 0.99
    size: int = 3
    target: AbstractTarget = HardTarget(200)
    double: bool = True
    mixer: Factory[AbstractMixer] = Factory(MonotonicMixer, embed=32, hyper=64)


class Middle(eqx.Module):
    before: int = 1
    base: Base = promoted(Base(gamma=0.5, double=False), without=("double",))
    size: int = 4  # hides the base's


class Top(eqx.Module):
    middle: Middle = promoted(Middle(base=Base(gamma=0.25, double=True, size=9)), without=("before",))
    last: int = 2


class Twice(eqx.Module):
    one: Base = promoted(Base())
    other: Base = promoted(Base(), without=("gamma", "double"))


class Other(eqx.Module):
    level: float = 0.25


class Sibling(eqx.Module):
    base: Base = promoted(Base())
    other: Other = promoted(Other())


def refusal(call, *args) -> str:
    with pytest.raises(UserError) as error:
        call(*args)
    return str(error.value)


# Catches a base's settings under its field's name, in other places, or with its class's own defaults.
def test_a_promoted_fields_settings_stand_inline():
    assert {name: option.default for name, option in settings.signature_of(Middle).items()} == {
        "before": 1, "gamma": 0.5, "target": HardTarget(200), "mixer": Base().mixer, "size": 4
    }  # fmt: skip
    assert list(settings.signature_of(Middle)) == ["before", "gamma", "target", "mixer", "size"]
    assert dump(Middle()) == settings.defaults(Middle) | {"name": settings.choice_name(Middle)}
    paths = [path for path, _, _ in settings.walk(settings.signature_of(Top), dump(Top()), Place(""))]
    assert paths == [
        "gamma",
        "target",
        "target.period",
        "mixer",
        "mixer.embed",
        "mixer.hyper",
        "size",
        "last",
    ]


# Catches a value that does not reach the base; a hidden one that falls back to its class's default.
def test_promoted_settings_are_gathered_into_their_base():
    made, tree = construct(Middle, {"gamma": 0.9, "mixer": {"name": "sum"}, "size": 7}, Place("middle"))
    assert made == Middle(1, Base(gamma=0.9, double=False, mixer=Factory(SumMixer)), 7)
    assert made.base.size == 3
    assert tree["gamma"] == 0.9
    top = apply(Top(), {"gamma": 0.75, "size": 5, "target": "soft", "target.tau": 0.2})
    assert top == Top(Middle(1, Base(gamma=0.75, double=True, size=9, target=SoftTarget(0.2)), 5))


# Catches a preset's or a file's value that is lost on its way to a base, or wins over a later one.
def test_layers_reach_promoted_settings():
    preset, typed = {"gamma": 0.1, "mixer": {"embed": 8}}, {"gamma": 0.2, "mixer.hyper": 4}
    tree = settings.layer(settings.defaults(Top), preset, typed)
    made = construct(Top, tree, Place("top"))[0]
    assert (made.middle.base.gamma, made.middle.base.mixer) == (
        0.2,
        Factory(MonotonicMixer, embed=8, hyper=4),
    )


# Catches a base with other values that is not what it was after it was written and read.
@given(numbers, counts, st.booleans())
def test_restoring_promoted_settings_is_the_inverse_of_dumping(gamma, size, double):
    top = apply(Top(), {"gamma": gamma, "size": size})
    assert rebuild(Top, dump(top)) == top
    assert dump(rebuild(Top, dump(top))) == dump(top)


# Catches an old or mistyped name that gets another answer.
def test_names_of_promoted_settings():
    said = refusal(construct, Top, {"middle": {"gamma": 0.9}}, Place("top"))
    assert said == "middle.gamma is called gamma: write gamma=…"
    said = refusal(construct, Middle, {"base": {"mixer": {"embed": 3}}}, Place("middle", "wolf"))
    assert said == "wolf.base.mixer.embed is called wolf.mixer.embed: write wolf.mixer.embed=…"
    said = refusal(construct, Middle, {"gama": 0.9}, Place("middle"))
    assert said.startswith("middle has no setting 'gama' (did you mean gamma?)")
    assert refusal(construct, Middle, {"double": True}, Place("middle")).startswith("middle has no setting")
    assert refusal(construct, Middle, {"base": {"gama": 1}}, Place("middle")).startswith(
        "middle has no setting"
    )
    assert refusal(construct, Middle, {"base": 1}, Place("middle")).startswith("middle has no setting 'base'")


# Catches a setting that is looked for in the wrong base, or behind what hides it.
def test_a_setting_is_found_by_its_name():
    top = Top(Middle(1, Base(gamma=0.75), size=6))
    assert (find_setting(top, "gamma"), find_setting(top, "size"), find_setting(top, "last")) == (0.75, 6, 2)
    assert find_setting(top, "double") is None
    assert find_setting(Sibling(), "level") == 0.25


# Catches two bases with a setting of one name, which would reach only one of them.
def test_two_bases_share_no_setting():
    with pytest.raises(TypeError, match=r"Twice: two fields promote (size|target|mixer): hide it in one"):
        settings.signature_of(Twice)
