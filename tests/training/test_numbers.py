"""Settings that are numbers are data of a program; zeros and whole numbers are a part of it."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.algorithms.qmix import QMIX
from covey.config.config import Config
from covey.environments.games import TwoStep
from covey.experience import Replay
from covey.networks.agents import FeedForward
from covey.parts import Adam, ConstantSchedule, Factory, is_off
from covey.runs.engine import Engine
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer
from covey.training.numbers import same_program, split_numbers, stack_numbers

SMALL = {"agent": "feed_forward", "agent.hidden": 8, "agent.depth": 1, "experience.batch_size": 4}


def trainer(**settings):
    algorithm = QMIX(
        experience=Replay(capacity=64, batch_size=4),
        agent=Factory(FeedForward, hidden=8, depth=1),
        **settings,
    )
    return Trainer(TwoStep(), (LearnerSlot("team", algorithm, (0, 1)),), copies=2, length=3)


# Fails if a number stays in the frame, where another value would compile everything again.
def test_numbers_and_frame():
    numbers, frame = split_numbers(trainer(gamma=0.9, optimiser=Adam(ConstantSchedule(0.003), clip=5.0)))
    algorithm = numbers.slots[0].algorithm
    assert (algorithm.gamma, algorithm.optimiser.lr.value, algorithm.optimiser.clip) == (0.9, 0.003, 5.0)
    assert frame.slots[0].algorithm.gamma is None
    assert numbers.slots[0].algorithm.lam is None  # 0 is off, and takes its term out of the program
    assert frame.slots[0].algorithm.lam == 0.0
    assert numbers.copies == frame.copies == 2  # whole numbers give shapes


# Fails if runs that need different programs would share one, or runs that could share one would not.
@pytest.mark.parametrize(
    ("other", "same"),
    [({"gamma": 0.5}, True), ({"lam": 0.5}, False), ({"double": False}, False), ({"gamma": 0.0}, False)],
)
def test_same_program(other, same):
    assert same_program(trainer(gamma=0.9), trainer(**{"gamma": 0.9} | other)) is same


def test_stacked_numbers():
    """Fails if a seed got another seed's value, or the values lost precision beyond float32."""
    numbers = [split_numbers(trainer(gamma=gamma))[0] for gamma in (0.9, 0.5)]
    np.testing.assert_array_equal(stack_numbers(numbers).slots[0].algorithm.gamma, np.float32([0.9, 0.5]))


# Fails if a traced number were asked for its value, or a plain 0 were taken for a number that is on.
def test_is_off():
    assert is_off(0.0)
    assert not is_off(0.1)
    assert jax.jit(lambda x: x * is_off(x))(0.0) == 0.0


# Fails if a value of a number gets into the program: it would be compiled again for every value.
def test_one_program_for_all_values():
    texts = []
    for gamma in (0.9, 0.95):
        loop = trainer(gamma=gamma)
        numbers, frame = split_numbers(loop)
        state = jax.eval_shape(loop.init, jax.random.key(0))
        chunk = lambda numbers, state, frame=frame: eqx.combine(numbers, frame).chunk(state, jnp.arange(2))
        texts.append(jax.jit(chunk).lower(jax.tree.map(np.float32, numbers), state).as_text())
    assert texts[0] == texts[1]


# Fails if a user's algorithm that asks for a number's value could no longer train.
def test_an_algorithm_that_asks_for_a_value(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "from covey.algorithms import QMIX\n"
        "class Curious(QMIX):\n"
        "    def td_error(self, online, target, episode):\n"
        "        assert self.gamma > 0.5\n"
        "        return super().td_error(online, target, episode)\n"
    )
    engine = Engine(Config.parse("mine.py:Curious", "two_step", SMALL, {"seeds": 1, "steps": 20}))
    assert engine.chunk.numbers is None
    assert engine.init.numbers is not None
