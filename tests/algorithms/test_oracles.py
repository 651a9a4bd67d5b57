"""Probes with known answers, learned from samples: one table of algorithms and probes.

A row says what learns, in which probe, for how long, and what its greedy returns must then be. The rows of
the ordinary tier cover every pair of an algorithm and a probe, of a probe and a kind of network, of an
algorithm and a kind of network. What the full product has beyond that runs nightly.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.algorithms import COMA, MADDPG, PPO, PQN, QMIX, DualQ
from covey.algorithms.on_policy.networks import SharedTrunk
from covey.environments.games import TwoStep
from covey.environments.probes import Coordination, Death, Meeting, Recall, Truncation
from covey.experience import OnPolicy, Replay
from covey.networks.agents import FeedForward, Recurrent
from covey.networks.mixers import MonotonicMixer, SumMixer
from covey.parts import (
    Adam,
    ConstantSchedule,
    Factory,
    HardTarget,
    LinearSchedule,
    PhasesSchedule,
    RAdam,
    SoftTarget,
)
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer

pytestmark = pytest.mark.slow
SHORT = 120  # iterations: what runs for longer is worth compiling for longer


class Case(NamedTuple):
    """One row. `holds` is true of greedy returns, one a seed, that are right."""

    algorithm: Any
    env: Any
    iterations: int
    holds: Callable[[np.ndarray], bool] = lambda returns: True
    seeds: int = 5
    copies: int = 32
    episodes: int = 64  # of the evaluation


def learned(case: Case) -> tuple[Any, np.ndarray]:
    """The learners of all seeds, and their greedy returns."""
    length = case.algorithm.experience.rollout_length(case.env.spec, case.copies)
    slots = (LearnerSlot("team", case.algorithm, (0, 1)),)
    trainer = Trainer(case.env, slots, case.copies, length)

    def train(key):
        state, _, _ = trainer.chunk(trainer.init(key), jnp.arange(case.iterations))
        returns = trainer.evaluate(state.learners, key, state.steps, case.episodes)["teams"].mean()
        return state.learners[0], returns

    stacked = isinstance(case.algorithm, MADDPG | DualQ)  # networks of their own: seeds one after another
    seeds = partial(jax.lax.map, train) if stacked else jax.vmap(train)
    level = int(case.iterations > SHORT)
    run = jax.jit(seeds, compiler_options={"xla_backend_optimization_level": level})
    learners, returns = run(jax.vmap(jax.random.key)(jnp.arange(case.seeds)))
    return learners, np.asarray(returns)


def all_reach(best: float) -> Callable[[np.ndarray], bool]:
    return lambda returns: returns.min() == best


def most_reach(best: float) -> Callable[[np.ndarray], bool]:
    """All seeds but one, of twenty."""
    return lambda returns: np.sum(np.abs(returns - best) < 1e-5) >= len(returns) - 1


def near_the_meeting(returns: np.ndarray) -> bool:
    """The best is -.33, standing still -5."""
    return returns.min() > -0.55


def qmix(mixer: Factory, best: float) -> Case:
    algorithm = QMIX(
        agent=Factory(Recurrent, hidden=16),
        mixer=mixer,
        epsilon=ConstantSchedule(1.0),
        target=HardTarget(50),
        optimiser=Adam(lr=ConstantSchedule(5e-3)),
        experience=Replay(capacity=1000, batch_size=32),
    )
    return Case(algorithm, TwoStep(), 600, most_reach(best), seeds=20, copies=8, episodes=1)


def pqn(env: Any, net: Any, mixer: Factory, best: float, iterations: int = SHORT, **options: Any) -> Case:
    """Rollouts of seven steps, which cut episodes open; exploration ends half-way."""
    steps = iterations * 32 * 5
    qmix = QMIX(
        agent=Factory(net, hidden=16, depth=1, norm=True),
        mixer=mixer,
        lam=0.5,
        epsilon=LinearSchedule(1.0, 0.1, steps // 2),
        optimiser=RAdam(LinearSchedule(5e-3, 5e-4, 16 * iterations), clip=10.0),
    )
    qmix = replace(qmix, **options)
    return Case(PQN(qmix=qmix, experience=OnPolicy(steps=7)), env, iterations, all_reach(best))


def pqn_uniform(mixer: Factory, best: float) -> Case:
    """The two-step game by uniform actions, with one-step targets."""
    case = pqn(TwoStep(), RNN, mixer, best, 300, lam=0.0, epsilon=ConstantSchedule(1.0))
    return case._replace(holds=most_reach(best), seeds=20, episodes=1)


def coma(env: Any, net: Any, best: float, iterations: int = 400) -> Case:
    steps = iterations * 32 * env.spec.horizon
    algorithm = COMA(
        actor=Factory(net, hidden=16, depth=1),
        critic=Factory(FeedForward, hidden=32, depth=1),
        target=HardTarget(10),
        epsilon=LinearSchedule(0.5, 0.02, steps // 2),
        actor_optimiser=Adam(ConstantSchedule(5e-3)),
        critic_optimiser=Adam(ConstantSchedule(5e-3)),
    )
    return Case(algorithm, env, iterations, all_reach(best))


def ppo(critic_input: Any, env: Any, net: Any, iterations: int = SHORT, **options: Any) -> PPO:
    """IPPO with `critic_input=own`, MAPPO with `state`."""
    adam = Adam(LinearSchedule(5e-3, 5e-4, 4 * iterations))
    network = lambda gain: Factory(net, hidden=16, depth=1, norm=True, gain=gain)
    algorithm = PPO(
        actor=network(0.01),
        critic=network(1.0),
        critic_input=critic_input,
        epochs=4,
        actor_optimiser=adam,
        critic_optimiser=adam,
    )
    return replace(algorithm, **options)


def ppo_reaches(critic_input: Any, env: Any, net: Any, best: float) -> Case:
    return Case(ppo(critic_input, env, net), env, SHORT, all_reach(best))


def ppo_meets(critic_input: Any, net: Any, **options: Any) -> Case:
    quiet = {"entropy": ConstantSchedule(1e-3), "gamma": 0.9}
    return Case(ppo(critic_input, Meeting(), net, 150, **quiet, **options), Meeting(), 150, near_the_meeting)


NET = Factory(FeedForward, hidden=16, depth=1)
RATE = Adam(ConstantSchedule(5e-3), clip=10.0)
DETERMINISTIC: dict[str, Any] = {
    "actor": NET,
    "critic": NET,
    "actor_optimiser": RATE,
    "critic_optimiser": RATE,
    "target": SoftTarget(0.03),
    "experience": Replay(capacity=20_000, batch_size=64, window=1, start=500, every=16),
}
EPISODES = Replay(capacity=2000, batch_size=32, start=100, every=16)


def maddpg(**options: Any) -> MADDPG:
    return MADDPG(**DETERMINISTIC | options)


def dual_q(**options: Any) -> DualQ:
    blend = {"alpha": PhasesSchedule(0.5, 1000, 3000), "local_critic": NET}
    rates = {"local_optimiser": RATE, "mixer_optimiser": RATE}
    return replace(DualQ(**blend, **rates), maddpg=maddpg(**options))


def deterministic(algorithm: Any, env: Any, iterations: int, holds: Any) -> Case:
    return Case(algorithm, env, iterations, holds, seeds=3, copies=16)


FF, RNN = FeedForward, Recurrent
QMIXER = Factory(MonotonicMixer, embed=8, hyper=16)
# Two steps break if anything between acting and learning is wrong: collecting, replay, carries, targets, the
# mixer's state. Recall breaks without a carry, or if nothing is learned through it. Coordination breaks if an
# agent is credited for what another did, or reads another's observation. Death breaks if the dead learn, or
# if returns end with a life. Meeting breaks with the squashing, its gradient or density, its fit to bounds.
ORDINARY = {
    "qmix two_step rnn": lambda: qmix(QMIXER, 8.0),
    "vdn two_step rnn": lambda: qmix(Factory(SumMixer), 7.0),
    "pqn_vdn recall rnn": lambda: pqn(Recall(), RNN, Factory(SumMixer), 1),
    "pqn_qmix coordination ff": lambda: pqn(Coordination(), FF, QMIXER, 1),
    "pqn_vdn death ff": lambda: pqn(Death(), FF, Factory(SumMixer), 4),
    "pqn_qmix two_step rnn": lambda: pqn_uniform(QMIXER, 8),
    "pqn_vdn two_step rnn": lambda: pqn_uniform(Factory(SumMixer), 7),
    "coma recall rnn": lambda: coma(Recall(), RNN, 1),
    "coma coordination ff": lambda: coma(Coordination(), FF, 1),
    "coma death ff": lambda: coma(Death(), FF, 4),
    "ippo recall rnn": lambda: ppo_reaches("own", Recall(), RNN, 1),
    "ippo recall rnn, one network": lambda: Case(
        ppo("own", Recall(), RNN, trunk=SharedTrunk()), Recall(), SHORT, all_reach(1)
    ),
    "mappo recall rnn": lambda: ppo_reaches("state", Recall(), RNN, 1),
    "ippo coordination rnn": lambda: ppo_reaches("own", Coordination(), RNN, 1),
    "mappo coordination ff": lambda: ppo_reaches("state", Coordination(), FF, 1),
    "ippo death ff": lambda: ppo_reaches("own", Death(), FF, 4),
    "mappo death rnn": lambda: ppo_reaches("state", Death(), RNN, 4),
    "ippo meeting rnn": lambda: ppo_meets("own", RNN),
    "mappo meeting ff": lambda: ppo_meets("state", FF),
    "ippo meeting ff, clipped": lambda: ppo_meets("own", FF, squashed=False),
    # observations hide the bit that the left agent saw, so critics read the state
    "maddpg coordination ff": lambda: deterministic(
        maddpg(critic_input="state"), Coordination(), 500, all_reach(1)
    ),
    "maddpg death ff": lambda: deterministic(maddpg(), Death(), 500, all_reach(4)),
    "dual_q death ff": lambda: deterministic(dual_q(), Death(), 500, all_reach(4)),
    "maddpg meeting ff": lambda: deterministic(maddpg(gamma=0.8), Meeting(), 300, near_the_meeting),
    "dual_q meeting ff": lambda: deterministic(dual_q(gamma=0.8), Meeting(), 300, near_the_meeting),
    "maddpg recall rnn": lambda: deterministic(
        maddpg(actor=Factory(Recurrent, hidden=16), experience=EPISODES, critic_input="state"),
        Recall(),
        900,
        all_reach(1),
    ),
}
NIGHTLY = {
    "pqn_vdn coordination rnn": lambda: pqn(Coordination(), RNN, Factory(SumMixer), 1),
    "ippo coordination ff": lambda: ppo_reaches("own", Coordination(), FF, 1),
    "mappo coordination rnn": lambda: ppo_reaches("state", Coordination(), RNN, 1),
    "ippo death rnn": lambda: ppo_reaches("own", Death(), RNN, 4),
    "mappo death ff": lambda: ppo_reaches("state", Death(), FF, 4),
    "ippo meeting ff": lambda: ppo_meets("own", FF),
    "mappo meeting rnn": lambda: ppo_meets("state", RNN),
}


@pytest.mark.parametrize(
    "name", [*ORDINARY, *(pytest.param(name, marks=pytest.mark.nightly) for name in NIGHTLY)]
)
def test_probe(name):
    case = (ORDINARY | NIGHTLY)[name]()
    returns = learned(case)[1]
    assert case.holds(returns), returns


def test_nothing_is_recalled_without_a_carry():
    # Breaks if a network without memory is given one all the same.
    case = Case(ppo("own", Recall(), FF), Recall(), SHORT)
    assert learned(case)[1].max() < 0.5


@pytest.mark.parametrize(
    ("critic_input", "net"),
    [
        ("own", FF),
        ("state", RNN),
        pytest.param("own", RNN, marks=pytest.mark.nightly),
        pytest.param("state", FF, marks=pytest.mark.nightly),
    ],
    ids=["ippo ff", "mappo rnn", "ippo rnn", "mappo ff"],
)
def test_ppo_values_beyond_the_time_limit(critic_input, net):
    # Breaks if a time limit counts as an end. Every step pays 1 for ever: 1 / (1 - .8), everywhere.
    env = Truncation()
    learners, _ = learned(Case(ppo(critic_input, env, net, 300, gamma=0.8), env, 300))
    obs = env.reset(jax.random.key(0), 1)[1]

    def value(learner):
        carry = learner.critic.init_carry()
        _, v = learner.critic.step(carry, jax.tree.map(lambda x: x[0], obs))
        return learner.scale.denormalise(v)

    np.testing.assert_allclose(jax.vmap(value)(learners), 5.0, rtol=0.03)


def test_pqn_values_beyond_the_time_limit():
    # As above, for the value of the greedy actions, with rollouts that end before episodes do.
    case = pqn(Truncation(), FF, Factory(SumMixer), 0, 300, gamma=0.8)
    learners, _ = learned(case)
    obs = jax.tree.map(lambda x: x[0], Truncation().reset(jax.random.key(0), 1)[1])

    def value(learner):
        agents = learner.online.agents
        q = agents.step(agents.init_carry(), case.algorithm.qmix.inputs(obs, jnp.full(2, -1)))[1]
        return jnp.sum(jnp.max(q, axis=-1))

    np.testing.assert_allclose(jax.vmap(value)(learners), 5.0, rtol=0.03)


def test_maddpg_values_beyond_the_time_limit():
    # As above, for a critic that reads what all agents see and do.
    env = Truncation()
    learners, _ = learned(deterministic(maddpg(gamma=0.8), env, 700, lambda returns: True))
    obs = jax.tree.map(lambda x: x[:1], env.reset(jax.random.key(0), 1)[1])

    def values(learner):
        return learner.online.critics(obs, jax.nn.one_hot(jnp.zeros((1, 2), int), 2))

    np.testing.assert_allclose(jax.vmap(values)(learners), 5.0, rtol=0.04)
