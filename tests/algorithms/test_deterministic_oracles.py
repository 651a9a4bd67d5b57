"""Probes with known answers, learned from samples by MADDPG and the dual-Q hybrid: three seeds each."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.algorithms.dual_q import DualQ
from covey.algorithms.maddpg import MADDPG
from covey.environments.probes import Coordination, Death, Meeting, Recall, Truncation
from covey.experience import Replay
from covey.networks.agents import FeedForward, Recurrent
from covey.parts import Adam, ConstantSchedule, Factory, PhasesSchedule, SoftTarget
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer

pytestmark = pytest.mark.slow
SEEDS, COPIES = 3, 16
NET, RATE = Factory(FeedForward, hidden=16, depth=1), Adam(ConstantSchedule(5e-3), clip=10.0)
RING = Replay(capacity=20_000, batch_size=64, window=1, start=500, every=16)
PLAIN = {
    "actor": NET,
    "critic": NET,
    "actor_optimiser": RATE,
    "critic_optimiser": RATE,
    "target": SoftTarget(0.03),
}
KINDS = {
    "maddpg": MADDPG(**PLAIN, experience=RING),
    "dual_q": DualQ(
        MADDPG(**PLAIN, experience=RING),
        alpha=PhasesSchedule(0.5, 1000, 3000),
        local_critic=Factory(FeedForward, hidden=16, depth=1),
        local_optimiser=RATE,
        mixer_optimiser=RATE,
    ),
}
each = pytest.mark.parametrize("algorithm", KINDS.values(), ids=KINDS.keys())


def learned(algorithm, env, iterations):
    """Three seeds of learners, and their greedy returns."""
    length = algorithm.experience.rollout_length(env.spec, COPIES)
    trainer = Trainer(env, (LearnerSlot("team", algorithm, (0, 1)),), COPIES, length)

    def train(key):
        state, _, _ = trainer.chunk(trainer.init(key), jnp.arange(iterations))
        return state.learners[0], trainer.evaluate(state.learners, key, state.steps, 64)["teams"].mean()

    runs = jax.jit(
        lambda keys: jax.lax.map(train, keys), compiler_options={"xla_backend_optimization_level": 1}
    )
    return runs(jax.vmap(jax.random.key)(jnp.arange(SEEDS)))


def test_coordination():
    # Would break: credit for what another agent made of it, an agent that reads another's observation.
    # Observations hide the bit that left saw, so critics are shown the state.
    assert learned(replace(KINDS["maddpg"], critic_input="state"), Coordination(), 500)[1].min() == 1


@each
def test_death(algorithm):
    # Would break: the dead among those that teach actors.
    assert learned(algorithm, Death(), 500)[1].min() == 4


@each
def test_meeting(algorithm):
    # Would break: the squashing, its gradient, how it fits the bounds. Best -.33, standing still -5.
    returns = learned(replace(algorithm, gamma=0.8), Meeting(), 300)[1]
    assert returns.min() > -0.55, returns


def test_recall():
    # Would break: actors that remember, and learn from episodes that do not begin at their beginning.
    ring = Replay(capacity=2000, batch_size=32, start=100, every=16)
    remembers = {"actor": Factory(Recurrent, hidden=16), "experience": ring, "critic_input": "state"}
    recurrent = replace(KINDS["maddpg"], **remembers)
    assert learned(recurrent, Recall(), 900)[1].min() == 1


def test_values_beyond_the_time_limit():
    # Would break: a cut taken for an end. Every step pays 1 for ever: 1 / (1 - .8), everywhere.
    env = Truncation()
    learners, _ = learned(replace(KINDS["maddpg"], gamma=0.8), env, 700)
    obs = jax.tree.map(lambda x: x[:1], env.reset(jax.random.key(0), 1)[1])

    def values(learner):
        return learner.online.critics(obs, jax.nn.one_hot(jnp.zeros((1, 2), int), 2))

    np.testing.assert_allclose(jax.vmap(values)(learners), 5.0, rtol=0.04)
