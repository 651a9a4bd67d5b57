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
