"""One copy of a world by hand: the episodes of training, and refusals where training would have a mask."""

import jax
import jax.random as jr
import numpy as np
import pytest

import covey
from covey.core import AbstractHostEnvironment, HostObservation, HostStep, Spec
from covey.environments import Spread
from covey.errors import UserError
from covey.ops import named
from covey.training.copies import WorldError


class Counting(AbstractHostEnvironment):
    """Agents are paid what they choose, for three steps; the world itself never ends."""

    def __init__(self, n: int = 2):
        self.n = n
        self.spec = Spec(("a", "b")[:n], features=1, actions=3, horizon=3)

    def observe(self):
        legal = np.ones((self.n, 3), bool)
        legal[:, 2] = self.t > 0
        return HostObservation(
            np.full((self.n, 1), self.t, np.float32), np.zeros(0), legal, np.ones(self.n, bool)
        )

    def reset(self, seed):
        self.t = seed
        return self.observe()

    def step(self, action):
        self.t += 1
        if self.t == 99:
            raise ValueError("too far")
        return HostStep(self.observe(), action.astype(np.float32), False, False)


def test_a_compiled_world_is_the_trainings():
    # Breaks where keys, axes or ends are not those of the batched world.
    world = covey.make("spread", agents=2, horizon=3)
    env = Spread(agents=2, horizon=3)
    key = jr.key(5)
    state, obs = jax.jit(lambda key: env.reset(key, 1))(named(key, "begin"))
    seen = world.reset(seed=np.int64(5))
    np.testing.assert_array_equal(seen.agents, obs.agents[0])
    step_once = jax.jit(env.step)
    returns = 0.0
    for t in range(3):
        assert not world.over
        actions = world.sample(seed=t)
        state, step = step_once(state, actions[None], named(key, "step", t))
        taken = world.step(dict(zip(world.spec.names, actions, strict=True)))
        np.testing.assert_array_equal(taken.obs.agents, step.obs.agents[0])
        np.testing.assert_array_equal(taken.team_reward, step.team_reward[0])
        returns += float(step.team_reward[0, 0])
    assert world.over and (taken.terminated, taken.truncated) == (
        bool(step.terminated[0]),
        bool(step.truncated[0]),
    )
    np.testing.assert_allclose(world.returns, [returns], rtol=1e-6)
    picture = world.render()
    assert picture.shape == (960, 960, 3) and len(np.unique(picture.reshape(-1, 3), axis=0)) > 5
    assert world.scene().agents.shape == (2, 2, 1)


@pytest.mark.parametrize("given", [Counting, Counting(n=2)], ids=["class", "object"])
def test_a_python_world_ends_at_its_horizon(given):
    # Breaks where nobody cuts its episodes, or its team's reward is not filled in.
    world = covey.make(given)
    world.reset(seed=7)
    steps = [world.step([1, 2]) for _ in range(3)]
    assert [step.truncated for step in steps] == [False, False, True] and world.over
    assert steps[0].team_reward.tolist() == [1.5] and world.returns.tolist() == [4.5]


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        ([0, 2], "b may not take action 2 now: 0, 1 are legal"),
        ([0, 0.5], "b may not take action 0.5 now"),
        ([0], "actions are of 2 agents, a, b, and there are 1"),
        ({"a": 0, "c": 0}, "actions: there is no agent 'c'"),
        ([[0], [0]], r"an action is a whole number for each, of shape \(2,\), not \(2, 1\)"),
    ],
)
def test_wrong_actions_get_a_sentence(actions, said):
    # Breaks where an action that training would mask is played.
    world = covey.make(Counting)
    world.reset(seed=0)
    with pytest.raises(UserError, match=said):
        world.step(actions)


def test_continuous_actions_lie_within_their_bounds():
    # Breaks where NaN or a number beyond the bounds reaches the world.
    world = covey.make("spread", agents=2, continuous=True)
    world.reset()
    with pytest.raises(UserError, match="actions lie between 0 and 1, and these do not"):
        world.step(np.full(world.spec.action_shape, np.nan))
    world.step(world.sample(seed=0))


def test_moments_at_which_nothing_can_be_done():
    # Breaks where a step is taken before an episode begins or after its end, or a failure loses its place.
    world = covey.make(Counting)
    with pytest.raises(UserError, match=r"no episode is under way: call reset\(seed\) first"):
        world.step([0, 0])
    with pytest.raises(UserError, match="cannot be drawn"):
        world.render()
    world.reset(seed=98)
    with pytest.raises(WorldError, match=r"failed at step 1 of an episode .*ValueError: too far"):
        world.step([0, 0])
    with pytest.raises(UserError, match="Counting is made already: give its settings to the class"):
        covey.make(Counting(), n=1)
    with pytest.raises(UserError, match="did you mean"):
        covey.make("spred")
