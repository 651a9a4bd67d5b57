"""Probes with known answers, learned from samples by COMA: five seeds each."""

import jax
import jax.numpy as jnp
import pytest

from covey.algorithms.coma import COMA
from covey.environments.probes import Coordination, Death, Recall
from covey.networks.agents import FeedForward, Recurrent
from covey.parts import Adam, ConstantSchedule, Factory, HardTarget, LinearSchedule
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer

pytestmark = pytest.mark.slow
SEEDS, COPIES = 5, 32


def learned(env, cls, iterations):
    """Greedy returns of five seeds."""
    steps = iterations * COPIES * env.spec.horizon
    adam = Adam(ConstantSchedule(5e-3))
    algorithm = COMA(
        actor=Factory(cls, hidden=16, depth=1),
        critic=Factory(FeedForward, hidden=32, depth=1),
        target=HardTarget(10),
        epsilon=LinearSchedule(0.5, 0.02, steps // 2),
        actor_optimiser=adam,
        critic_optimiser=adam,
    )
    trainer = Trainer(env, (LearnerSlot("team", algorithm, (0, 1)),), COPIES, env.spec.horizon + 1)

    def train(key):
        state, _, _ = trainer.chunk(trainer.init(key), jnp.arange(iterations))
        return trainer.evaluate(state.learners, key, state.steps, 64)["teams"].mean()

    runs = jax.jit(jax.vmap(train), compiler_options={"xla_backend_optimization_level": 1})
    return runs(jax.vmap(jax.random.key)(jnp.arange(SEEDS)))


def test_recall():
    # Would break: memory that is not carried, or not learned through.
    assert learned(Recall(), Recurrent, 400).min() == 1


def test_coordination():
    # Would break: an advantage of what others did, an agent that reads another's observation.
    assert learned(Coordination(), FeedForward, 400).min() == 1


def test_death():
    # Would break: illegal actions among those that the baseline counts, returns that end with a life.
    assert learned(Death(), FeedForward, 400).min() == 4
