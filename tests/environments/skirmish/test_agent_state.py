"""The state that each agent has of its own with MAPPO's authors, and the critic that reads it."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.algorithms.ppo import PPO
from covey.environments.skirmish.opponents import PolicyEnemy
from covey.environments.skirmish.skirmish import Skirmish
from covey.environments.skirmish.state import change
from covey.errors import UserError
from covey.networks.actors import Critic
from covey.networks.agents import FeedForward
from covey.parts import Factory

# For get_state_size of on-policy's StarCraft2_Env with its defaults:
# (agents, foes, actions, own shield, foe shield, bits).
SIZES = {
    "3m": (3, 3, 9, 0, 0, 0),
    "MMM2": (10, 12, 18, 0, 0, 3),
    "2s3z": (5, 5, 11, 1, 1, 2),
    "3s_vs_5z": (3, 5, 11, 1, 1, 0),
    "corridor": (6, 24, 30, 1, 0, 0),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_the_authors(name):
    # Breaks where a field of friends, foes, moves, the agent itself or its number is missing.
    agents, foes, actions, own, other, bits = SIZES[name]
    friend = 5 + bits + 1 + own + actions + 2
    foe = 5 + bits + 1 + other + 2
    itself = 4 + bits + 1 + own + actions + 2
    width = (agents - 1) * friend + foes * foe + itself + 4 + agents
    spec = Skirmish(name, use_state_agent=True).spec
    assert spec.state == agents * width
    assert spec.state_by_agent


def test_fields_are_where_the_authors_have_them():
    # Breaks where a field stands elsewhere, hides the far, or shows the dead agent anything but its number.
    env = Skirmish("2s3z", use_state_agent=True)
    state, _ = env.reset(jr.key(0), 1)
    pos = jnp.array(
        [[4, 10], [6, 12], [9, 9], [20, 20], [8, 16], [7, 11], [25, 15], [12, 12], [3, 9], [16, 16]]
    )
    health = state.forces.health.at[2].set(0.0).at[7].set(0.0).at[5].set(40.0)
    forces = change(state.forces, pos=1.0 * pos[..., None], health=health)
    last = jnp.array([1, 2, 0, 7, 3])[:, None]
    state = type(state)(**{**vars(state), "forces": forces, "last_action": last})
    rows = np.array(env.observe(state).state[0]).reshape(5, -1)
    friends = rows[:, : 4 * 22].reshape(5, 4, 22)
    foes = rows[:, 88 : 88 + 5 * 11].reshape(5, 5, 11)
    moves = rows[:, 143:147]
    itself = rows[:, 147:168]
    reach = np.hypot(16, 10)
    far = [0, reach / 9, 16 / 9, 10 / 9, 0, 1, 1, 4 / 32, 4 / 32, 0, 1, *np.eye(11)[7]]
    np.testing.assert_allclose(friends[0, 2], far, atol=1e-6)  # the fourth agent, out of sight
    assert (friends[0, 1] == 0).all()  # the third is dead
    near = np.hypot(3, 1)
    foe = [1, near / 9, 3 / 9, 1 / 9, 1, 40 / 80, 1, 0, 1, (7 - 16) / 32, (11 - 16) / 32]
    np.testing.assert_allclose(foes[0, 0], foe, atol=1e-6)
    assert foes[0, 1, 4] == 0  # not in sight, and told all the same
    np.testing.assert_allclose(foes[0, 1, 1], np.hypot(21, 5) / 9, atol=1e-6)
    assert (foes[0, 2] == 0).all()
    np.testing.assert_array_equal(moves[0], [1, 1, 1, 1])
    own = [1, 0, 0, 0, 1, 1, (4 - 16) / 32, (10 - 16) / 32, 1, 0, *np.eye(11)[1]]
    np.testing.assert_allclose(itself[0], own, atol=1e-6)
    assert (rows[2, :168] == 0).all()
    np.testing.assert_array_equal(rows[:, 168:], np.eye(5))


def test_each_value_depends_on_its_own_row_alone():
    # Breaks where the critic reads another agent's row, or all of them.
    env = Skirmish("3m", use_state_agent=True)
    _, obs = env.reset(jr.key(0), 2)
    critic = Critic(Factory(FeedForward), env.spec, "team", True, "agent_state", key=jr.key(1))

    def values(state):
        seen = type(obs)(**{**vars(obs), "state": state})
        return jax.vmap(lambda o: critic.step(critic.init_carry(), o)[1])(seen)

    slopes = np.array(jax.jacobian(values)(obs.state))[0, :, 0].reshape(3, 3, -1)
    touched = (abs(slopes) > 0).any(axis=-1)
    np.testing.assert_array_equal(touched, np.eye(3, dtype=bool))


def test_who_has_no_such_state_is_told():
    # Breaks where a critic cuts any state into rows, or two teams' states would be mixed.
    with pytest.raises(UserError, match="row for each agent"):
        PPO(critic_input="agent_state").init(Skirmish("3m").spec, jr.key(0))
    with pytest.raises(UserError, match="one team"):
        Skirmish("3m", use_state_agent=True, enemy=PolicyEnemy())
