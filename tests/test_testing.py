"""Our worlds and algorithms pass the checks; each planted fault gets its own sentence."""

from dataclasses import replace
from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.core import (
    AbstractAlgorithm,
    AbstractEnvironment,
    AbstractExperience,
    Observation,
    Spec,
    Step,
    Traits,
)
from covey.environments import crowd_games, games, probes
from covey.environments.particles.adversary import Adversary
from covey.environments.particles.dispersion import Dispersion
from covey.environments.particles.navigation import Navigation
from covey.environments.particles.pursuit import Pursuit
from covey.environments.particles.reference import Reference
from covey.environments.particles.speaker_listener import SpeakerListener
from covey.environments.particles.spread import Spread
from covey.environments.particles.tag import Tag
from covey.environments.predator_prey import PredatorPrey
from covey.experience import OnPolicy
from covey.ops import masked
from covey.testing import CheckError, check_algorithm, check_environment

WORLDS = {
    "spread": Spread,
    "spread, continuous": lambda: Spread(2, 3, continuous=True, horizon=5),
    "tag": Tag,
    "pursuit": Pursuit,
    "speaker_listener": SpeakerListener,
    "speaker_listener, continuous": lambda: SpeakerListener(continuous=True),
    "reference": Reference,
    "adversary": Adversary,
    "dispersion": lambda: Dispersion(3, horizon=8),
    "navigation": lambda: Navigation(3, continuous=True, horizon=8),
    "specialise": crowd_games.Specialise,
    "predator_prey": lambda: PredatorPrey(3, 2, 4, 4, horizon=20),
    "two_step": games.TwoStep,
    "matrix": games.Matrix,
    "matrix, unequal": lambda: games.Matrix([[1, 2, 3], [4, 5, 6]], rounds=2),
    "climbing": games.Climbing,
    "penalty": games.Penalty,
    "recall": probes.Recall,
    "coordination": probes.Coordination,
    "truncation": probes.Truncation,
    "meeting": probes.Meeting,
    "death": probes.Death,
}


@pytest.mark.parametrize("name", WORLDS)
def test_our_worlds_keep_the_protocol(name):
    # Would break: any part of the contract of core.AbstractEnvironment.
    check_environment(WORLDS[name]())


class Count(AbstractEnvironment):
    """Three steps with random observations. `fault` says what is wrong with it."""

    fault: str = ""

    @property
    def spec(self):
        names = ("a", "a") if self.fault == "names" else ("a", "b")
        horizon = {"horizon": 0, "endless": 2}.get(self.fault, 3)
        return Spec(names, features=2, state=1, actions=3, horizon=horizon, team=("left", "right"))

    def observe(self, x, t):
        n, fault = len(t), self.fault
        seen = jnp.broadcast_to(jnp.stack([x, 1.0 * t], -1)[:, None], (n, 2, 2))
        if fault == "nan":
            seen = seen.at[1, 1].divide(1.0 * (t[1] != 2))
        alive = jnp.stack([t < 2, t < 9], -1) if fault in ("zombie", "choice") else jnp.ones((n, 2), bool)
        if fault == "choice":
            seen = seen * alive[..., None]
        return Observation(
            agents=seen[..., :1] if fault == "width" else seen,
            state=x[:, None],
            legal=jnp.broadcast_to(((t != 1) | (fault != "stuck"))[:, None, None], (n, 2, 3)),
            alive=alive,
            first=jnp.zeros_like(t, bool) if fault == "first" else t == 0,
        )

    def reset(self, key, n):
        fault = self.fault
        if fault == "deaf":
            key = jr.key(7)
        x = jr.normal(key, (n,))
        if fault == "alike":
            x = jnp.full(n, x[0])
        if fault == "python":
            x = x + np.random.random()
        t = jnp.zeros(n, int)
        state = {"x": x[:, None] if fault == "lead" else x, "t": t}
        return state, self.observe(x, t)

    def step(self, state, action, key):
        fault, t = self.fault, state["t"] + 1
        x = state["x"][:, 0] if fault == "lead" else state["x"]
        if fault == "branch" and t[0] > 2:
            x = -x
        if fault == "mixing":
            x = x + jnp.mean(action)
        reward = 1.0 * action
        over = t >= 3
        if fault == "reset":
            t = jnp.where(over, 0, t)
        if fault == "infinite":
            reward = reward.at[:, 1].add(jnp.where(t == 2, jnp.inf, 0.0))
        team = reward[:, :1] if fault == "teams" else reward
        state = {"x": x[:, None] if fault == "lead" else x, "t": t.astype(float) if fault == "type" else t}
        if fault == "structure":
            state["more"] = t
        truncated = over if fault == "both" else jnp.zeros_like(over)
        return state, Step(self.observe(x, t), reward, team, over, truncated)


WORLD_FAULTS = {
    "names": r"spec\.names contains a name twice",
    "horizon": r"spec\.horizon is 0: it must be 1 or more",
    "width": r"`agents` from env\.reset has shape \(3, 2, 1\), .* needs \(3, 2, 2\)",
    "teams": r"`team_reward` has shape \(3, 1\), .* needs \(3, 2\)",
    "lead": r"state\['x'\] has shape \(3, 1\): the last axis of every array in the state must be the copies",
    "type": r"env\.step changes state\['t'\] from int32\[3\] to float32\[3\]",
    "structure": r"env\.step changes the structure of state",
    "branch": r"env\.step needs the value of an array while JAX compiles it .* use jnp\.where",
    "deaf": r"env\.reset draws the same random numbers for every key",
    "alike": r"env\.reset draws random numbers but starts every copy alike",
    "python": r"env\.reset gives two results for the same key: draw with jax\.random only",
    "mixing": r"The actions in one copy change what happens in another",
    "first": r"`first` must be true in the observation that env\.reset returns.*after 0 steps",
    "reset": r"`first` is true in an observation that env\.step returns.*not reset itself.*after 3 steps",
    "both": r"both terminated and truncated.*after 3 steps",
    "endless": r"An episode is longer than spec\.horizon, 2 steps",
    "nan": r"observation's `agents` is not finite.*after 2 steps \(copy 1, b\)",
    "infinite": r"step's `reward` is not finite.*after 2 steps \(copy 0, b\)",
    "stuck": r"An agent has no legal action.*after 1 steps \(copy 0, a\)",
    "zombie": r"A dead agent observes something.*after 2 steps \(copy 0, a\)",
    "choice": r"A dead agent has a choice.*after 2 steps \(copy 0, a\)",
}


def test_a_world_without_fault_passes():
    # Would break: a check that requires more than the protocol does.
    check_environment(Count())


@pytest.mark.parametrize("fault", WORLD_FAULTS)
def test_the_fault_of_a_world_is_named(fault):
    # Would break: a fault that passes, or whose sentence is about something else.
    with pytest.raises(CheckError, match=WORLD_FAULTS[fault]):
        check_environment(Count(fault))


def test_a_world_of_one_copy_has_to_be_vectorised():
    # Would break: an attribute error about something the user has never heard of.
    class One:
        spec = Count().spec

    with pytest.raises(CheckError, match=r"One is not an AbstractEnvironment: .*Vectorised"):
        check_environment(One())


class Learner(eqx.Module):
    bias: jax.Array
    updates: jax.Array


class Bandit(AbstractAlgorithm):
    """Follows the mean reward of each agent's actions. `fault` says what is wrong with it."""

    traits: ClassVar[Traits] = Traits(
        False, True, discrete=True, continuous=True, recurrent=False, cooperative=False
    )
    experience: AbstractExperience = OnPolicy()
    fault: str = ""

    def init(self, spec, key):
        key = jr.key(3) if self.fault == "deaf" else key
        bias = jr.normal(key, (spec.agents, spec.actions))
        if self.fault == "float":
            return (bias, 0.5)
        return Learner(bias, jnp.zeros((), int))

    def init_carry(self, spec, learner):
        return jnp.zeros(spec.agents)

    def act(self, learner, carry, obs, key, step, explore):
        fault, noise = self.fault, explore or self.fault == "restless"
        value = learner.bias + noise * jr.normal(key, learner.bias.shape)
        if self.fault == "all":
            value = jnp.zeros((5, learner.bias.shape[1]))
        if fault in ("bold", "tame"):
            return carry, value if fault == "bold" else jnp.tanh(value), None
        action = jnp.argmax(value if fault in ("illegal", "all") else masked(value, obs.legal), axis=-1)
        carry = carry.astype(int) if fault == "memory" else carry
        return carry, 1.0 * action if fault == "floating" else action, None

    def update(self, learner, batch, key, step):
        fault, reward = self.fault, jnp.mean(batch.reward)
        bias = learner.bias + 0.1 + 0.01 * reward
        if fault == "idle":
            bias = learner.bias
        if fault == "nan":
            bias = bias + jnp.log(-1.0 - reward**2)
        if fault == "half":
            bias = bias.astype(jnp.float16)
        if fault == "python":
            bias = bias + np.random.random()
        if fault == "broken":
            raise KeyError("no such thing")
        return replace(learner, bias=bias, updates=learner.updates + 1), {"reward": reward}


ALGORITHM_FAULTS = {
    "float": r"learner\[1\] is of type float, not a JAX array",
    "deaf": r"init draws the same random numbers for every key",
    "all": r"The action has shape \(5,\), but a learner of 2 agents needs \(2,\)",
    "floating": r"The action has type float32: it must be integer",
    "illegal": r"act with explore=True takes actions that are not legal",
    "restless": r"act with explore=False depends on its key",
    "memory": r"act with explore=True changes carry from float32\[2\] to int32\[2\]",
    "idle": r"update changes no parameter",
    "nan": r"After an update, learner\.bias is not finite",
    "half": r"update changes learner\.bias from float32\[2, 3\] to float16\[2, 3\]",
    "python": r"update gives two results for the same key",
    "broken": r"update fails with KeyError: 'no such thing'",
}

UNEQUAL = games.Matrix([[1, 2, 3], [4, 5, 6]])


@pytest.mark.slow
def test_an_algorithm_without_fault_passes():
    # Would break: a check that requires more than the protocol does.
    check_algorithm(Bandit(), UNEQUAL)
    check_algorithm(Bandit(fault="tame"), probes.Meeting())


@pytest.mark.parametrize("fault", ALGORITHM_FAULTS)
def test_the_fault_of_an_algorithm_is_named(fault):
    # Would break: a fault that passes, or whose sentence is about something else.
    with pytest.raises(CheckError, match=ALGORITHM_FAULTS[fault]):
        check_algorithm(Bandit(fault=fault), UNEQUAL)


def test_actions_have_to_stay_in_bounds():
    # Would break: a policy whose actions a world has to clip behind its back.
    with pytest.raises(
        CheckError, match=r"act with explore=True returns -\d.* to \d.*, but the world allows -1 to 1"
    ):
        check_algorithm(Bandit(fault="bold"), probes.Meeting())


def test_a_world_that_traits_rule_out_is_refused():
    # Would break: an error about shapes from deep inside an algorithm for discrete actions.
    class Discrete(Bandit):
        traits: ClassVar[Traits] = Bandit.traits._replace(continuous=False)

    with pytest.raises(CheckError, match=r"Discrete cannot act in Meeting, whose actions are continuous"):
        check_algorithm(Discrete(), probes.Meeting())


def test_a_learner_of_one_team_receives_its_own_agents_only():
    # Would break: a learner of one team that is given everybody's observations, actions or rewards.
    class Own(Bandit):
        traits: ClassVar[Traits] = Bandit.traits._replace(cooperative=True)

        def update(self, learner, batch, key, step):
            shapes = batch.obs.agents.shape[2:], batch.obs.others.shape[2:], batch.action.shape[2:]
            assert shapes == ((1, 2), (1, 2), (1,))
            assert batch.reward.shape[2:] == batch.team_reward.shape[2:] == batch.others.shape[2:] == (1,)
            return super().update(learner, batch, key, step)

    check_algorithm(Own(), Count(), team="right")
