"""Other packages' worlds, played at random where they are installed: `pip install '.[worlds]'`."""

import numpy as np
import pytest

from covey.config.making import make_environment
from covey.training.copies import Copy

WORLDS = [
    ("lbforaging", "gym:Foraging-8x8-2p-3f-v3", {}),
    ("rware", "gym:rware-tiny-2ag-v2", {}),
    ("highway_env", "gym:intersection-multi-agent-v1", {}),
    ("pogema", "gym:pogema:pogema_v0", {"grid_config.num_agents": 4}),
    ("overcooked_ai_py", "overcooked:cramped_room", {}),
    ("gymnasium_robotics", "pz:gymnasium_robotics.mamujoco_v1", {"scenario": "Ant", "agent_conf": "2x4"}),
    ("Box2D", "pz:pettingzoo.sisl.multiwalker_v9", {}),
    ("scipy", "pz:pettingzoo.sisl.pursuit_v5", {}),
    ("pymunk", "pz:pettingzoo.butterfly.knights_archers_zombies_v11", {}),
    ("pygame", "pz:pettingzoo.classic.connect_four_v3", {}),
    ("pyspiel", "pz:pettingzoo.classic.hanabi_v5", {}),
    ("rlcard", "pz:pettingzoo.classic.leduc_holdem_v4", {}),
    ("magent2", "pz:magent2.environments.battle_v4", {"map_size": 16}),
]


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")  # theirs
@pytest.mark.parametrize(("package", "name", "env"), WORLDS, ids=[name for _, name, _ in WORLDS])
def test_a_world_plays_by_its_name(package, name, env):
    # fails if a new version of a package says its shapes, ends or masks in another way
    pytest.importorskip(package)
    world, _ = make_environment(name, env)
    copy = Copy(world)  # which checks shapes and numbers
    again = Copy(make_environment(name, env)[0])  # a new one: lbforaging shuffles its players in place
    np.testing.assert_array_equal(copy.reset(5).obs.agents, again.reset(5).obs.agents)
    draw = np.random.default_rng(0)
    seen = copy.reset(6).obs
    for _ in range(60):
        if world.spec.bounds:
            action = draw.uniform(*world.spec.bounds, (world.spec.agents, world.spec.actions))
        else:
            action = np.array([draw.choice(np.flatnonzero(row)) for row in seen.legal])
        told = copy.step(action)
        seen = copy.reset(7).obs if told.terminated or told.truncated else told.obs
