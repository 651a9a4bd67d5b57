"""Objects where names stand: what becomes of them is what their names and settings would have been."""

import importlib
import sys

import numpy as np
import pytest

import covey
from covey.algorithms import PPO, QMIX, WQMIX
from covey.api.choosing import read_config
from covey.api.options import TrainOptions
from covey.config.objects import name_choice
from covey.core import AbstractHostEnvironment, Spec
from covey.environments import Matrix, Spread, TwoStep
from covey.errors import UserError
from covey.networks import SumMixer
from covey.parts import Adam, ConstantSchedule, Factory

WORLD = """
from covey.core import AbstractHostEnvironment, Spec


class Lone(AbstractHostEnvironment):
    def __init__(self, n: int = 2, pay: float = 1.0):
        self.pay = pay
        self.spec = Spec(tuple(f"a{i}" for i in range(n)), features=1, actions=2, horizon=3)

    def reset(self, seed): ...
    def step(self, action): ...
"""


class Forgetful(AbstractHostEnvironment):
    """A world that keeps nothing of what it was made with."""

    def __init__(self, reward: float = 1.0):
        self.spec = Spec(("a",), features=1, actions=2, horizon=3)

    def reset(self, seed): ...
    def step(self, action): ...


@pytest.fixture
def lone(tmp_path, monkeypatch):
    """A class from a file beside the user's script."""
    (tmp_path / "lone_world.py").write_text(WORLD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("lone_world").Lone
    del sys.modules["lone_world"]


def config(algorithm=None, environment=None, settings=None, env=None, **keywords):
    return read_config(
        algorithm, environment, keywords, settings or {}, env or {}, covey.Session, TrainOptions
    )


@pytest.mark.parametrize(
    ("kind", "thing", "name"),
    [
        ("algorithm", QMIX, "qmix"),
        ("algorithm", QMIX(mixer=Factory(SumMixer)), "vdn"),
        ("algorithm", WQMIX(), "cw_qmix"),
        ("algorithm", PPO(critic_input="own"), "ippo"),
        ("environment", TwoStep, "two_step"),
        ("environment", Spread(agents=4), "spread"),
        ("algorithm", {"adversary": QMIX, "agent": "iql"}, "adversary=qmix+agent=iql"),
    ],
)
def test_coveys_own_have_the_catalogues_names(kind, thing, name):
    # Breaks where a preset is lost because a class goes by its module's path.
    assert name_choice(kind, thing).name == name


def test_an_object_is_its_settings():
    # Breaks where an object's value is lost to a preset or a default, or a keyword to the object.
    made = config(QMIX(gamma=0.9, lam=0.5), Spread(agents=4, continuous=False), gamma=0.8, seeds=2)
    learner = made.learners["team"]
    assert (learner["gamma"], learner["lam"], made.preset) == (0.8, 0.5, "original")
    assert made.env["agents"] == 4 and made.seeds == 2 and made.envs == 8
    by_name = config(
        "qmix", "spread", settings={"lam": 0.5, "preset": "original"}, env={"agents": 4}, gamma=0.8
    )
    assert by_name.learners == made.learners and by_name.env | {"landmarks": 4} == made.env
    replaced = config(QMIX(), "two_step", mixer="sum", optimiser=Adam(ConstantSchedule(1e-3), clip=5.0))
    assert replaced.learners["team"]["mixer"] == {"name": "sum"}
    assert replaced.learners["team"]["optimiser"]["clip"] == 5.0


def test_a_file_beside_the_script_is_named_as_a_file(lone):
    # Breaks where its class goes by a module that no other process finds, or where no copy can be made.
    made = config("qmix", lone(n=3, pay=2.0))
    assert made.environment == "lone_world.py:Lone" and made.env == {"n": 3, "pay": 2.0}
    assert [path.name for path in made.files] == ["lone_world.py"]
    assert made.title == "qmix on lone_world.py:Lone"
    assert config("qmix", lone, env={"n": 4}).build()[0].spec.agents == 4


def test_settings_that_cannot_be_read_are_refused():
    # Breaks where a world is trained with its defaults, though it was made with other values.
    with pytest.raises(UserError, match=r"keep its options as attributes, as in self.reward = reward, or"):
        name_choice("environment", Forgetful(reward=5.0))
    with pytest.raises(UserError, match=r"Matrix does not tell .* env=\{'payoff': …\}"):
        name_choice("environment", Matrix(payoff=[[1, 2], [3, 4]]))


def test_numbers_of_numpy():
    # Breaks where a number or an array of NumPy's is refused, or reaches YAML as something else.
    payoff = np.array([[8.0, -12.0], [-12.0, 0.0]])
    made = config("qmix", "matrix", env={"payoff": payoff}, gamma=np.float32(0.5), steps=np.int64(1000))
    assert made.env["payoff"] == payoff.tolist() and made.steps == 1000
    assert made.learners["team"]["gamma"] == 0.5 and type(made.learners["team"]["gamma"]) is float


def test_a_configuration_alone(tmp_path):
    # Breaks where a mapping, a file and a run's folder mean different things.
    tree = {"algorithm": "qmix", "environment": Spread(agents=4), "steps": np.int32(500), "seeds": 2}
    made = config(config=tree)
    made.to_yaml(tmp_path / "config.yaml")
    assert config(config=tmp_path / "config.yaml") == config(config=tmp_path) == made
    assert config(config=made.to_tree(), seeds=7).seeds == 7 and made.env["agents"] == 4
    with pytest.raises(UserError, match=r"config: there is no 'sede' \(did you mean seed"):
        config(config=tree | {"sede": 1})


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda: config("qmix", "two_step", sedes=3), r"no setting 'sedes' \(did you mean seeds\?\)"),
        (lambda: config("qmix", "two_step", quite=True), r"no setting 'quite' \(did you mean quiet\?\)"),
        (lambda: config("qmix", "two_step", gama=0.9), r"no setting 'gama' \(did you mean gamma\?\)"),
        (lambda: covey.evaluate("x", episode=3), r"no option 'episode' \(did you mean episodes\?\)"),
        (lambda: covey.sweep(QMIX, "spread"), "sweep takes algorithm by its name, as in file.py:Name"),
        (lambda: covey.load("x", sed=3), r"no option 'sed' \(did you mean seed\?\)"),
    ],
    ids=["option", "keyword", "setting", "evaluate", "class", "load"],
)
def test_a_mistyped_keyword_gets_the_nearest_name(call, meant):
    # Breaks where a typing error ends in a list of what is not meant, or in Python's own words.
    with pytest.raises(UserError, match=meant):
        call()
