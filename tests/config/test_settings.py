"""Settings: overrides, types, trees and back."""

from collections.abc import Sequence
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from covey import yaml_text
from covey.algorithms.qmix import QMIX
from covey.config import settings
from covey.config.settings import SettingPlace as Place
from covey.config.settings import apply, choices, coerce, construct, dump, rebuild
from covey.environments.particles.spread import Spread
from covey.errors import UserError
from covey.experience import OnPolicy, Replay
from covey.networks.agents import AbstractAgent, FeedForward, Recurrent
from covey.networks.cnn import CNN
from covey.networks.entity_agent import EntityAgent
from covey.networks.entity_mixer import EntityMixer
from covey.networks.mixers import AbstractMixer, IndependentMixer, MonotonicMixer, SumMixer, UnrestrictedMixer
from covey.parts import (
    AbstractOptimiser,
    AbstractSchedule,
    Adam,
    ConstantSchedule,
    Factory,
    HardTarget,
    LinearSchedule,
    PhasesSchedule,
    RAdam,
    RampSchedule,
    RMSProp,
    SoftTarget,
)

MINE = """
from covey.networks.mixers import AbstractMixer
class Scaled(AbstractMixer):
    scale: float
    def __init__(self, agents, world, actions, *, scale: float = 2.0, key):
        self.scale = scale
    def __call__(self, choices, world):
        return self.scale * choices.chosen.sum(-1, keepdims=True)
class Mixer: ...
class Unfinished(AbstractMixer): ...
def halved(step):
    return 0.5 ** step
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE)


def typed(*pairs: str) -> QMIX:
    return apply(QMIX(), yaml_text.parse_pairs(pairs), "qmix")


def sentence(*pairs: str) -> str:
    with pytest.raises(UserError) as error:
        typed(*pairs)
    return str(error.value)


# Catches a field, or a field of a part, that `key=value` does not reach.
def test_overrides_reach_everything():
    changed = typed(
        "gamma=1", "double=false", "sharing=none", "mixer.embed=64", "epsilon=.1", "target=soft",
        "optimiser=adam", "optimiser.lr=1e-3", "experience.capacity=1e3", "experience.start=1_000",
        "agent=feed_forward", "agent.depth=1",
    )  # fmt: skip
    assert dump(changed) == dump(QMIX(
        gamma=1.0,
        double=False,
        sharing="none",
        mixer=Factory(MonotonicMixer, embed=64, hyper=64),
        epsilon=ConstantSchedule(0.1),
        target=SoftTarget(),
        optimiser=Adam(ConstantSchedule(1e-3)),
        experience=Replay(capacity=1000, start=1000),
        agent=Factory(FeedForward, hidden=64, depth=1),
    ))  # fmt: skip
    assert isinstance(changed.experience.capacity, int)


# Catches overrides that depend on their order; a part that inherits what its predecessor meant by a name.
def test_the_part_is_chosen_first_and_starts_from_its_defaults():
    one = typed("optimiser.clip=5", "optimiser=adam")
    assert one == typed("optimiser=adam", "optimiser.clip=5")
    assert one.optimiser == Adam(clip=5.0)
    assert typed("epsilon=linear", "epsilon.steps=7").epsilon == LinearSchedule(
        1.0, 0.05, 7
    )  # not replaced: it was one


# Catches a name under which a part can no longer be chosen.
def test_choices_are_named_after_their_classes():
    classes = MonotonicMixer, SumMixer, IndependentMixer, UnrestrictedMixer, EntityMixer
    names = "monotonic", "sum", "independent", "unrestricted", "entity"
    assert choices(AbstractMixer) == dict(zip(names, classes, strict=True))
    agents = {"feed_forward": FeedForward, "recurrent": Recurrent, "entity": EntityAgent, "cnn": CNN}
    assert choices(AbstractAgent) == agents
    schedules = {
        "constant": ConstantSchedule,
        "linear": LinearSchedule,
        "phases": PhasesSchedule,
        "ramp": RampSchedule,
    }
    assert choices(AbstractSchedule) == schedules
    assert choices(AbstractOptimiser) == {"adam": Adam, "radam": RAdam, "rmsprop": RMSProp}


# Catches a wrong setting that is taken silently, or refused in other words.
@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("gama=.9", "qmix has no setting 'gama' (did you mean gamma?): `covey describe qmix` lists them"),
        (
            "embed=64",
            "qmix has no setting 'embed' (did you mean mixer.embed?): `covey describe qmix` lists them",
        ),
        (
            "mixer.embd=64",
            "qmix has no setting 'mixer.embd' (did you mean mixer.embed?): `covey describe qmix`",
        ),
        ("gamma=high", 'gamma takes a number between 0 and 1, not "high"'),
        ("gamma=", "gamma takes a number between 0 and 1, not null"),
        ("double=yes", 'double takes true or false, not "yes"'),
        ("double=1", "double takes true or false, not 1"),
        ("target.period=1.5", "target.period takes a whole number of at least 1, not 1.5"),
        ("target.period=true", "target.period takes a whole number of at least 1, not true"),
        ("experience.window=all", 'experience.window takes a whole number of at least 1 or null, not "all"'),
        ("sharing=some", 'sharing takes team or all or none, not "some"'),
        (
            "mixer=mono",
            "mixer is one of monotonic, sum, independent, unrestricted, entity, or file.py:Name, not 'mono'",
        ),
        (
            "mixer=3",
            "mixer takes monotonic or sum or independent or unrestricted or entity or file.py:Name, not 3",
        ),
        ("epsilon=constant", "epsilon also needs epsilon.value"),
        (
            "optimiser=covey.parts:HardTarget",
            "optimiser=covey.parts:HardTarget is no AbstractOptimiser: derive it from covey.parts",
        ),
        ("gamma", "'gamma' is no setting: write key=value, for instance gamma=0.95"),
        ("gamma=[1", "gamma is not valid YAML: expected ',' or ']'"),
    ],
)
def test_wrong_settings(pair, said):
    assert sentence(pair).startswith(said)


# Catches a user's class that cannot be chosen, set, or written down; or one that fits nowhere but passes.
def test_a_users_class(mine):
    changed = typed("mixer.scale=3", "mixer=mine.py:Scaled")
    assert changed.mixer(2, 4, 3, key=jax.random.key(0)).scale == 3.0
    assert dump(changed)["mixer"] == {"name": "mine.py:Scaled", "scale": 3.0}
    assert rebuild(QMIX, dump(changed)) == changed
    assert sentence("mixer=mine.py:Mixer") == (
        "mixer=mine.py:Mixer is no AbstractMixer: derive it from covey.networks.AbstractMixer"
    )
    assert sentence("mixer=mine.py:Unfinished") == "mixer=mine.py:Unfinished does not define __call__"
    assert sentence("mixer=mine.py:Mixr") == "mine.py:Mixr: mine.py has no 'Mixr' (did you mean Mixer?)"


# Catches a function that is not called, not written as it was typed, or made again each time (which would
# compile everything again); and one that is taken where sizes and keys are needed to make a part.
def test_a_users_function(mine):
    changed = typed("epsilon=mine.py:halved")
    assert changed.epsilon(3) == 0.125
    assert dump(changed)["epsilon"] == {"name": "mine.py:halved"}
    assert rebuild(QMIX, dump(changed)) == changed
    assert jax.tree.structure(rebuild(QMIX, dump(changed))) == jax.tree.structure(changed)
    assert sentence("mixer=mine.py:halved").startswith("mixer=mine.py:halved is no AbstractMixer: derive it")
    assert sentence("optimiser=mine.py:halved").startswith("optimiser=mine.py:halved is no AbstractOptimiser")


# Catches classes, parts and nested mappings from Python that are read otherwise than their texts.
def test_values_from_python():
    changed = apply(
        QMIX(), {"mixer": SumMixer, "epsilon": LinearSchedule(0.5, 0.1, 10), "optimiser": {"clip": 1}}
    )
    assert changed.mixer == Factory(SumMixer)
    assert changed.epsilon == LinearSchedule(0.5, 0.1, 10)
    assert changed.optimiser == RMSProp(clip=1.0)
    assert changed == apply(
        QMIX(), {"mixer": "sum", "epsilon": {"start": 0.5, "end": 0.1, "steps": 10}, "optimiser.clip": 1}
    )
    with pytest.raises(UserError, match="cannot stand among settings"):
        apply(QMIX(), {"gamma": object()})


numbers = st.floats(0, 1)
counts = st.integers(1, 10**6)
widths = st.integers(1, 4096)
schedules = st.builds(ConstantSchedule, numbers) | st.builds(LinearSchedule, numbers, numbers, counts)
learners = st.builds(
    QMIX,
    experience=st.builds(OnPolicy, st.none() | counts)
    | st.builds(Replay, counts, counts, st.none() | counts),
    agent=st.builds(lambda h: Factory(Recurrent, hidden=h), widths),
    mixer=st.just(Factory(SumMixer))
    | st.builds(lambda e, h: Factory(MonotonicMixer, embed=e, hyper=h), widths, widths),
    sharing=st.sampled_from(["team", "all", "none"]),
    double=st.booleans(),
    gamma=numbers,
    epsilon=schedules,
    target=st.builds(HardTarget, counts) | st.builds(SoftTarget, numbers),
    optimiser=st.builds(RAdam, schedules, numbers) | st.builds(RMSProp, schedules, numbers, numbers),
)


# Catches a value that does not survive being written as YAML and read again, to the bit.
@given(learners)
def test_restoring_is_the_inverse_of_dumping(learner):
    tree = dump(learner)
    assert yaml_text.parse(yaml_text.to_text(tree), "it") == tree
    assert dump(rebuild(QMIX, tree)) == tree  # what was left to its default is written out


# Catches YAML's surprises: words that become truth, numbers that stay text.
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text("0123.e+-_:noyNaif~ x"),
        st.lists,
    )
)
def test_yaml_returns_what_it_was_given(value):
    assert yaml_text.parse(yaml_text.to_text({"it": value}), "it") == {"it": value}


# Catches a type that is read too loosely, too strictly, or as another.
@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        (int, "1e6", 1_000_000),
        (int, "1_000", 1000),
        (int, ".inf", UserError),
        (float, ".5", 0.5),
        (float, "1e-3", 0.001),
        (float, "2", 2.0),
        (float, "inf", UserError),
        (float, ".inf", float("inf")),
        (bool, "true", True),
        (bool, "no", UserError),
        (str, "no", "no"),
        (str, "5", UserError),
        (int | None, "null", None),
        (int | None, "none", UserError),
        (float | None, "1", 1.0),
        (list, "[[8,-12],[-12,0]]", [[8, -12], [-12, 0]]),
        (list[list[float]], "[[8,-12]]", [[8.0, -12.0]]),
        (tuple[int, ...], "[1, 2]", (1, 2)),
        (tuple[int, str], "[1, a]", (1, "a")),
        (tuple[int, str], "[1]", UserError),
        (Sequence[float], "[1]", (1.0,)),
        (Literal["a", 2], "2", 2),
        (Literal["a", 2], "2.0", UserError),
        (dict, "{a: 1}", {"a": 1}),
        (Any, "[1]", [1]),
    ],
)
def test_types(kind, written, value):
    if value is UserError:
        with pytest.raises(UserError, match=r"^it takes"):
            coerce(kind, yaml_text.parse(written, "it"), Place("", "it"))
    else:
        read = coerce(kind, yaml_text.parse(written, "it"), Place("", "it"))
        assert (read, type(read)) == (value, type(value))


# Catches a constructor whose options are not all found, or not all returned.
def test_constructors():
    env, tree = construct(Spread, {"agents": 5, "continuous": True}, Place("spread", "env"))
    assert (env.spec.agents, env.spec.bounds) == (5, (0.0, 1.0))
    assert tree == {"agents": 5, "landmarks": None, "continuous": True, "local_ratio": 0.5, "horizon": 25}
    with pytest.raises(UserError, match=r"^spread has no setting 'env\.agent' \(did you mean env\.agents"):
        construct(Spread, {"agent": 5}, Place("spread", "env"))


class Picky(eqx.Module):
    level: int = 0

    def __check_init__(self):
        if self.level < 0:
            raise ValueError("level must not be negative")


# Catches a class's own refusal shown as a traceback; keywords that an open constructor is not given.
def test_what_classes_say_themselves():
    with pytest.raises(UserError, match=r"^env: level must not be negative"):
        construct(Picky, {"level": -1}, Place("picky", "env"))
    anything = lambda size=1, **options: (size, options)
    assert construct(anything, {"wide": 3}, Place("it"))[0] == (1, {"wide": 3})
    assert settings.signature_of(anything).keys() == {"size"}


class Gained(AbstractMixer):
    """A mixer with an option whose default is an array."""

    gain: jax.Array

    def __init__(self, agents, world, actions, *, gain=np.ones(2), key):  # noqa: B008
        self.gain = jnp.asarray(gain)

    def __call__(self, choices, world):
        return jnp.sum(self.gain * choices.chosen, axis=-1, keepdims=True)


def test_an_array_as_default():
    # Would break: an array that a factory cannot keep, or that the constructor gets as a list without a need.
    name = f"{__file__}:Gained"
    for chosen, expected in (({}, [1, 1]), ({"gain": [1.0, 1.0]}, [1, 1]), ({"gain": [2, 3]}, [2, 3])):
        made = settings.build(Factory[AbstractMixer], {"name": name} | chosen, Place("it"))
        assert dict(made.options).get("gain", "its own") == ("its own" if expected == [1, 1] else [2, 3])
        assert made(2, 1, 1, key=jax.random.key(0)).gain.tolist() == expected
        assert dump(made)["gain"] == expected
