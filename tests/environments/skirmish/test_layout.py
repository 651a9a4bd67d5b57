"""The layout tells the truth about observations."""

import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from battles import battle

from covey.environments.skirmish.skirmish import Skirmish
from covey.environments.skirmish.state import change
from covey.environments.skirmish.views import FIRST_TARGET, SIGHT

FLAGS = {
    "as SMAC": {},
    "all that can be shown": {
        "obs_last_action": True,
        "obs_pathing_grid": True,
        "obs_terrain_height": True,
        "obs_timestep_number": True,
    },
    "no health": {"obs_all_health": False, "obs_own_health": False},
}


# Catches a block or a field that is somewhere else than the layout says, with any flag.
@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS.keys())
@pytest.mark.parametrize("name", ["3s_vs_5z", "MMM"])
def test_rows_are_where_the_layout_says(name, flags):
    env = battle(name, **flags)
    (layout,) = env.spec.layouts
    roster = env.field.roster
    state, _ = env.reset(jr.key(0), 1)
    forces = state.forces
    # everybody around one point, and hurt, so that every row tells something
    pos = 16.0 + jnp.array(np.random.default_rng(0).uniform(-2, 2, forces.pos.shape))
    health = forces.health * (0.5 + 0.01 * jnp.arange(roster.units))[:, None]
    shield = forces.shield * 0.25
    forces = change(forces, pos=pos, health=health, shield=shield)
    state = type(state)(**{**vars(state), "forces": forces})
    obs = env.observe(state)
    features = obs.agents[0]
    allies = roster.allies
    agent = 1
    place = np.asarray(pos[:, :, 0])
    kinds = np.asarray(roster.kinds)
    share = np.asarray(health[:, 0]) / np.array([u.health for u in roster.types])[kinds]
    others = {"enemies": range(allies, roster.units), "allies": [i for i in range(allies) if i != agent]}
    for block, units in others.items():
        rows = getattr(layout, block)
        seen = np.asarray(rows.split(features))[agent]
        assert seen.shape == (len(units), rows.width)
        offset = place[list(units)] - place[agent]
        np.testing.assert_allclose(seen[:, rows.dx], offset[:, 0] / SIGHT, atol=1e-6)
        np.testing.assert_allclose(seen[:, rows.dy], offset[:, 1] / SIGHT, atol=1e-6)
        np.testing.assert_allclose(seen[:, rows.distance], np.hypot(*offset.T) / SIGHT, atol=1e-6)
        assert (seen[:, rows.mark] == 1).all()
        assert (rows.health is None) == ("obs_all_health" in flags)
        if rows.health is not None:
            np.testing.assert_allclose(seen[:, rows.health], share[list(units)], atol=1e-6)
        assert (rows.shield is not None) == (name == "3s_vs_5z" and rows.health is not None)
        if rows.shield is not None:
            np.testing.assert_allclose(seen[:, rows.shield], 0.25, atol=1e-6)
    own = np.asarray(layout.own.split(features))[agent, 0]
    timestep = "obs_timestep_number" in flags
    assert layout.own.start + layout.own.width + timestep == env.spec.features
    if layout.own.health is not None:
        np.testing.assert_allclose(own[layout.own.health], share[agent], atol=1e-6)
    assert layout.enemies.action == FIRST_TARGET


# Catches a state whose rows are somewhere else than its layout says, for either side.
@pytest.mark.parametrize("enemy", ["attack_move", "policy"])
@pytest.mark.parametrize("name", ["3s_vs_5z", "MMM"])
def test_the_states_rows_are_where_the_layout_says(name, enemy):
    env = battle(name, enemy=enemy, state_timestep_number=True)
    roster = env.field.roster
    state, _ = env.reset(jr.key(0), 1)
    health = state.forces.health * (0.5 + 0.01 * jnp.arange(roster.units))[:, None]
    agents = env.spec.agents
    told = {"forces": change(state.forces, health=health), "last_action": jnp.arange(agents)[:, None] % 7}
    features = env.observe(type(state)(**{**vars(state), **told})).state[0]
    kinds = np.asarray(roster.kinds)
    share = np.asarray(health[:, 0]) / np.array([u.health for u in roster.types])[kinds]
    sides = [share[: roster.allies], share[roster.allies :]]
    healers = np.array([roster.types[kind].heals > 0 for kind in kinds])
    assert len(env.spec.state_layouts) == len(env.views)
    for side, layout in enumerate(env.spec.state_layouts):
        own = np.asarray(layout.allies.split(features))
        foes = np.asarray(layout.enemies.split(features))
        np.testing.assert_allclose(own[:, layout.allies.health], sides[side], atol=1e-6)
        np.testing.assert_allclose(foes[:, layout.enemies.health], sides[1 - side], atol=1e-6)
        if layout.allies.shield is not None:
            np.testing.assert_allclose(own[:, layout.allies.shield], 1.0, atol=1e-6)
        members = env.spec.members(env.spec.teams[side])
        acted = np.argmax(layout.last_actions.split(features), axis=-1)
        np.testing.assert_array_equal(acted, np.array(members) % 7)
        assert layout.enemies.action == FIRST_TARGET
        np.testing.assert_array_equal(layout.surroundings(features), [0.0])
        assert (layout.healer is not None) == (name == "MMM")
        if layout.healer is not None:
            np.testing.assert_array_equal(own[:, layout.healer] == 1, healers[np.array(members)])
    assert env.spec.state_layouts[-1].around[0][1] == env.spec.state


# Catches an agent's own state whose rows, or itself, are somewhere else than the layout says.
def test_an_agents_own_states_rows_are_where_the_layout_says():
    env = battle("MMM", use_state_agent=True)
    (layout,) = env.spec.state_layouts
    state, obs = env.reset(jr.key(0), 1)
    agents = env.spec.agents
    rows = obs.state[0].reshape(agents, -1)
    own = np.asarray(layout.own.split(rows))[:, 0]
    kinds = np.asarray(env.field.roster.kinds)[:agents]
    healers = np.array([env.field.roster.types[kind].heals > 0 for kind in kinds])
    np.testing.assert_array_equal(own[:, layout.healer] == 1, healers)
    np.testing.assert_array_equal(own[:, layout.own.health], 1.0)
    assert (np.asarray(layout.allies.split(rows))[:, :, layout.allies.health] == 1).all()
    assert (np.asarray(layout.enemies.split(rows))[:, :, layout.enemies.health] == 1).all()
    offset = np.asarray(state.forces.pos)[agents:, 0, 0] - np.asarray(state.forces.pos)[1, 0, 0]
    seen = np.asarray(layout.enemies.split(rows))[1, :, layout.enemies.dx]
    np.testing.assert_allclose(seen, offset / SIGHT, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(layout.surroundings(rows))[:, 4:], np.eye(agents))


# Catches a medivac that is not told as a healer, and a marauder that is sent after a medivac.
def test_healers_and_flyers():
    env = Skirmish(map="MMM")
    (layout,) = env.spec.layouts
    _, obs = env.reset(jr.key(0), 1)
    own = np.asarray(layout.own.split(obs.agents[0]))[:, 0]
    names = [env.field.roster.types[kind].name for kind in np.asarray(env.field.roster.kinds)]
    allies = env.spec.agents
    assert layout.healer is not None
    assert [name == "medivac" for name in names[:allies]] == (own[:, layout.healer] == 1).tolist()
    ((bit, other),) = layout.harmless
    assert [name == "marauder" for name in names[:allies]] == (own[:, bit] == 1).tolist()
    state, _ = env.reset(jr.key(0), 1)
    pos = jnp.full_like(state.forces.pos, 16.0) + 0.01 * jnp.arange(len(names))[:, None, None]
    forces = change(state.forces, pos=pos)
    obs = env.observe(type(state)(**{**vars(state), "forces": forces}))
    seen = np.asarray(layout.enemies.split(obs.agents[0]))[0]
    assert [name == "medivac" for name in names[allies:]] == (seen[:, other] == 1).tolist()
    assert Skirmish(map="3m").spec.layouts[0].healer is None
