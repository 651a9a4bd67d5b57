"""Pictures, from the world to the learner."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.config.making import make_algorithm, make_environment
from covey.core import as_numbers
from covey.errors import UserError
from covey.training.host import Host, StandIn
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer

SCREENS = "toys.foreign:Screens"


def test_bytes_stay_bytes_and_channels_come_last():
    # fails if pictures are made four times as large, or their axes are taken for others
    world, _ = make_environment(SCREENS, {})
    assert (world.spec.shape, world.spec.feature_type) == ((6, 6, 3), "uint8")
    seen = world.reset(1).agents
    assert seen.dtype == np.uint8
    turned, _ = make_environment(SCREENS, {"channels_first": True})
    assert turned.spec.shape == (6, 6, 3)
    np.testing.assert_array_equal(turned.reset(1).agents, seen)
    np.testing.assert_allclose(as_numbers(jnp.asarray(seen)).max(), 200 / 255)


def test_pictures_are_shrunk_made_grey_and_stacked():
    # fails if pixels are mixed with those of another place, or an old picture stands for a new one
    world, _ = make_environment(SCREENS, {"shrink": 3, "grey": True, "stack": 2})
    plain, _ = make_environment(SCREENS, {})
    assert (world.spec.shape, world.spec.features) == ((2, 2, 2), 8)
    first = world.reset(1).agents.reshape(2, 2, 2, 2)
    whole = plain.reset(1).agents.reshape(2, 6, 6, 3)
    np.testing.assert_array_equal(first[..., 0], first[..., 1])
    expected = whole.astype(float).mean(-1)[:, :3, :3].mean((1, 2))
    np.testing.assert_allclose(first[:, 0, 0, 0], expected, atol=1)
    second = world.step(np.array([0, 1])).obs.agents.reshape(2, 2, 2, 2)
    np.testing.assert_array_equal(second[..., 0], first[..., 1])
    again = plain.step(np.array([0, 1])).obs.agents.reshape(2, 6, 6, 3).astype(float).mean(-1)
    np.testing.assert_allclose(second[:, 1, 1, 1], again[:, 3:, 3:].mean((1, 2)), atol=1)
    with pytest.raises(UserError, match=r"is for pictures, but agents of .* see none"):
        make_environment("toys.foreign:Counting", {"shrink": 2, "horizon": 5})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["iql", "ippo"])
def test_pictures_are_learnt_from_bytes(name):
    # fails if replay widens bytes, or the network does not read what they show
    world, _ = make_environment(SCREENS, {"team": ["a", "a"]})
    small = {"channels": 4, "layers": 2, "hidden": 16}
    of_nets = ("agent",) if name == "iql" else ("actor", "critic")
    settings = {net: {"name": "cnn", **small} for net in of_nets}
    settings |= (
        {"experience.capacity": 40, "experience.batch_size": 8, "epsilon": 0.3, "last_action": False}
        | {"optimiser.lr": 5e-3, "agent_id": False}
        if name == "iql"
        else {"agent_id": False, "epochs": 4, "actor_optimiser.lr": 3e-3, "critic_optimiser.lr": 3e-3}
    )
    algorithm, _ = make_algorithm(name, settings)
    length = algorithm.experience.rollout_length(world.spec, 8)
    slots = (LearnerSlot("team", algorithm, (0, 1)),)
    trainer = Trainer(StandIn(world.spec), slots, 8, length)
    host = Host(trainer, lambda: make_environment(SCREENS, {"team": ["a", "a"]})[0])
    state = host.init(jax.random.key(0))
    pictures = [x for x in jax.tree.leaves(state.buffers) if x.shape[-1:] == (108,)]
    assert name == "ippo" or all(x.dtype == jnp.uint8 for x in pictures)
    state, _, _ = host.chunk(state, np.arange(60 if name == "iql" else 12))
    returns = host.evaluate(state.learners, jax.random.key(1), state.steps, 16)["teams"]
    assert returns.mean() > 2.4  # of 3; random play: 1.5
