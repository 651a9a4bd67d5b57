"""Probes with known answers, learned from samples: IPPO and MAPPO, with memory and without, five seeds."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.algorithms.ppo import PPO
from covey.environments.probes import Coordination, Death, Meeting, Recall, Truncation
from covey.networks.agents import FeedForward, Recurrent
from covey.parts import Adam, ConstantSchedule, Factory, LinearSchedule
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer

pytestmark = pytest.mark.slow
SEEDS, COPIES, SHORT = 5, 32, 120
SIGHTS = {"mappo": "state", "ippo": "own"}


def net(cls, gain):
    return Factory(cls, hidden=16, depth=1, norm=True, gain=gain)


def learned(env, sight, cls, iterations, **options):
    """Five seeds of learners, and their greedy returns."""
    adam = Adam(LinearSchedule(5e-3, 5e-4, 4 * iterations))
    algorithm = PPO(
        actor=net(cls, 0.01), critic=net(cls, 1.0), critic_input=SIGHTS[sight], epochs=4,
        actor_optimiser=adam, critic_optimiser=adam,
    )  # fmt: skip
    algorithm = replace(algorithm, **options)
    trainer = Trainer(env, (LearnerSlot("team", algorithm, (0, 1)),), COPIES, env.spec.horizon + 1)

    def train(key):
        state, _, _ = trainer.chunk(trainer.init(key), jnp.arange(iterations))
        return state.learners[0], trainer.evaluate(state.learners, key, state.steps, 64)["teams"].mean()

    level = int(iterations > SHORT)  # what runs longer is worth compiling for longer
    runs = jax.jit(jax.vmap(train), compiler_options={"xla_backend_optimization_level": level})
    return runs(jax.vmap(jax.random.key)(jnp.arange(SEEDS)))


both = pytest.mark.parametrize("cls", [FeedForward, Recurrent])
each = pytest.mark.parametrize("sight", SIGHTS)


@each
def test_recall(sight):
    # Would break: memory that is not carried, or not learned through.
    assert learned(Recall(), sight, Recurrent, SHORT)[1].min() == 1


def test_without_memory_nothing_is_recalled():
    # Would break: a network without memory that is handed one all the same.
    assert learned(Recall(), "ippo", FeedForward, SHORT)[1].max() < 0.5


@both
@each
def test_coordination(sight, cls):
    # Would break: credit for what another agent made of it, an agent that reads another's observation.
    assert learned(Coordination(), sight, cls, SHORT)[1].min() == 1


@both
@each
def test_death(sight, cls):
    # Would break: the dead among those that learn, returns that end with a life.
    assert learned(Death(), sight, cls, SHORT)[1].min() == 4


@both
@each
def test_meeting(sight, cls):
    # Would break: a squashed density, its entropy, how it fits the bounds. Best -.33, standing still -5.
    returns = learned(Meeting(), sight, cls, 150, entropy=ConstantSchedule(1e-3), gamma=0.9)[1]
    assert returns.min() > -0.55, returns


def test_meeting_with_actions_cut_off():
    # Would break: a density of what is left after cutting off.
    quiet = ConstantSchedule(1e-3)
    returns = learned(Meeting(), "ippo", FeedForward, 150, squashed=False, entropy=quiet, gamma=0.9)[1]
    assert returns.min() > -0.55, returns


@both
@each
def test_values_beyond_the_time_limit(sight, cls):
    # Would break: a cut taken for an end. Every step pays 1 for ever: 1 / (1 - .8), everywhere.
    env = Truncation()
    learners, _ = learned(env, sight, cls, 300, gamma=0.8)
    obs = env.reset(jax.random.key(0), 1)[1]

    def value(learner):
        carry = learner.critic.init_carry()
        _, v = learner.critic.step(carry, jax.tree.map(lambda x: x[0], obs))
        return learner.scale.denormalise(v)

    np.testing.assert_allclose(jax.vmap(value)(learners), 5.0, rtol=0.03)
