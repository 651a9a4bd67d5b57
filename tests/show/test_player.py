"""Exported policies: a player in NumPy acts as the policy does; weights as others read them."""

import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.config.config import Config
from covey.errors import UserError
from covey.runs.policy import Policy
from covey.show import numpy_player, player
from covey.show.onnx_graph import onnx_bytes
from covey.show.safetensors import safetensors_bytes
from covey.training.loop import Trainer

STEPS = 40
DISCRETE = {
    "qmix": ["agent.hidden=8", "sharing=none"],
    "iql": ["agent=feed_forward", "agent.hidden=8"],
    "ow_qmix": ["agent.hidden=8"],
    "pqn_qmix": ["agent.hidden=8", "last_action=true"],
    "coma": ["actor.hidden=8"],
    "mappo": ["actor=recurrent", "actor.hidden=8", "actor.after=1", "actor.depth=0", "actor.norm=true"],
    "ippo": ["actor=recurrent", "actor.hidden=8", "critic_input=own", "trunk=shared"],
    "maddpg": ["actor=recurrent", "actor.hidden=8", "experience.window=null", "last_action=true"],
    "dual_q": ["actor.hidden=8"],
}


def policy_of(algorithm: str, world: str, *settings: str, size: float = 0.5) -> Policy:
    """A policy with random weights, larger than those at the start, so that its actions differ."""
    env, slots = Config.parse(algorithm, world, settings).build()
    trainer = Trainer(env, slots, copies=1, length=1)
    init = lambda key: tuple(slot.algorithm.init(slot.spec(env.spec), key) for slot in slots)
    shapes = jax.eval_shape(init, jr.key(0))
    rng = np.random.default_rng(0)
    spread = lambda x: size if jnp.issubdtype(x.dtype, jnp.floating) else 0
    draw = lambda x: jnp.asarray(rng.normal(0, spread(x), x.shape), x.dtype)
    return Policy(trainer, jax.tree.map(draw, shapes))


def numpy_player_of(policy: Policy, path: Path) -> numpy_player.Player:
    facts, arrays = player.describe_player(policy.trainer, policy.learners)
    path.write_bytes(safetensors_bytes(arrays, facts))
    return numpy_player.Player(path)


def assert_same_actions(policy: Policy, path: Path) -> None:
    """Two episodes of random observations and legal actions, everybody's."""
    there = numpy_player_of(policy, path)
    spec = policy.spec
    rng = np.random.default_rng(1)
    taken = []
    for t in range(STEPS):
        if t == STEPS // 2:
            policy.reset()
            there.reset()
        rows = rng.normal(size=(spec.agents, spec.features)).astype(np.float32)
        legal = rng.random((spec.agents, spec.actions)) < 0.8
        legal[:, 0] = True
        want = np.asarray(policy.act(rows, legal))
        np.testing.assert_allclose(there.act(rows, legal), want, atol=1e-6)
        taken.append(want)
    assert len(np.unique(taken)) > 2


@pytest.mark.parametrize("algorithm", DISCRETE)
def test_discrete_actions(algorithm, tmp_path):
    # Would break: a layer, a gate, last actions, ids, groups or a carry in another place than the policy's.
    policy = policy_of(algorithm, "spread", *DISCRETE[algorithm])
    assert_same_actions(policy, tmp_path / "p.safetensors")


@pytest.mark.parametrize(
    "settings", [["squashed=false", "hyper.context=identity", "sharing=all"], ["sharing=none"]]
)
def test_gaussian_actions(settings, tmp_path):
    # Would break: another squashing, or bounds; a mean that is the value's head.
    settings = ["env.continuous=true", "actor.hidden=8", *settings]
    policy = policy_of("mappo", "spread", *settings, size=0.2)
    assert_same_actions(policy, tmp_path / "p.safetensors")


def test_deterministic_continuous_actions_of_two_teams(tmp_path):
    # Would break: teams' weights or ids exchanged; agents in another order than the world's.
    policy = policy_of("adversary=maddpg+agent=maddpg", "tag", "env.continuous=true", "actor.hidden=8")
    assert_same_actions(policy, tmp_path / "p.safetensors")


def test_last_continuous_actions(tmp_path):
    # Would break: last actions before they are scaled, or those of the dimensions that are not legal.
    settings = ["actor.hidden=8", "experience.window=null", "last_action=true"]
    policy = policy_of("maddpg", "spread", "env.continuous=true", *settings)
    assert_same_actions(policy, tmp_path / "p.safetensors")


def test_one_agent_by_itself(tmp_path):
    # Would break: an agent that needs its teammates' observations, or that moves their carries.
    policy = policy_of("qmix", "spread", "agent.hidden=8")
    there = numpy_player_of(policy, tmp_path / "p.safetensors")
    rows = np.random.default_rng(0).normal(size=(3, policy.spec.features))
    names = list(policy.spec.names)
    every = there.act(rows)
    there.reset()
    alone = [there.act({name: row}) for name, row in zip(names, rows, strict=True)]
    assert alone == [{name: action} for name, action in zip(names, every, strict=True)]


@pytest.mark.parametrize(
    ("algorithm", "world", "settings", "said"),
    [
        ("hyper_mappo", "spread", ["layers=last"], "other weights at each step"),
        ("qmix", "skirmish/3m", ["agent=entity", "agent.recurrent=false"], "not EntityAgent"),
        ("random", "spread", [], "nobody learned"),
    ],
)
def test_refusals(algorithm, world, settings, said):
    # Would break: a player that acts as another policy would.
    policy = policy_of(algorithm, world, *settings)
    with pytest.raises(UserError, match=said):
        player.describe_player(policy.trainer, policy.learners)


def test_the_player_is_short_and_needs_numpy_alone():
    # Would break: an import that a robot does not have.
    lines = Path(numpy_player.__file__).read_text().splitlines()
    assert len(lines) <= 100
    imports = [line for line in lines if line.startswith(("import ", "from "))]
    assert imports == ["import json", "from pathlib import Path", "import numpy as np"]


def test_safetensors_format():
    # Would break: offsets, types, shapes or the padding that others read.
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3).T, "b": np.array([True, False, True])}
    raw = safetensors_bytes(arrays, {"x": 1})
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    assert size % 8 == 0
    assert header["a"] == {"dtype": "F32", "shape": [3, 2], "data_offsets": [0, 24]}
    assert header["b"] == {"dtype": "BOOL", "shape": [3], "data_offsets": [24, 27]}
    assert json.loads(header["__metadata__"]["covey"]) == {"x": 1}
    assert len(raw) == 8 + size + 27
    np.testing.assert_array_equal(np.frombuffer(raw, "<f4", 6, 8 + size).reshape(3, 2), arrays["a"])


@pytest.mark.nightly
def test_safetensors_reads_it():
    # Would break: a file that Hugging Face's own package refuses.
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(3), "c": np.zeros((0, 4))}
    found = safetensors.load(safetensors_bytes(arrays, {}))
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_onnx_is_an_extra(monkeypatch):
    # Would break: a traceback where the package is not installed.
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UserError, match=r"pip install 'covey\[onnx\]'"):
        onnx_bytes({}, {})


ONNX = {name: ("spread", name, settings) for name, settings in DISCRETE.items()} | {
    "squashed": ("spread", "mappo", ["env.continuous=true", "actor.hidden=8"]),
    "clipped": ("spread", "mappo", ["env.continuous=true", "actor.hidden=8", "squashed=false"]),
    "last continuous actions": (
        "spread",
        "maddpg",
        ["env.continuous=true", "actor.hidden=8", "experience.window=null", "last_action=true"],
    ),
    "two teams": ("tag", "adversary=qmix+agent=iql", []),
}


@pytest.mark.nightly
@pytest.mark.parametrize("case", ONNX)
def test_an_onnx_graph_acts_as_the_policy_does(case):
    # Would break: an operator, a gate, a carry, an id or an agent at another's place, for any of two copies.
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    world, algorithm, settings = ONNX[case]
    policy = policy_of(algorithm, world, *settings, size=0.2 if case in ("squashed", "clipped") else 0.5)
    facts, arrays = player.describe_player(policy.trainer, policy.learners)
    session = onnxruntime.InferenceSession(onnx_bytes(facts, arrays), providers=["CPUExecutionProvider"])
    spec = policy.spec
    assert [name for name, *_ in facts["agents"]] == list(spec.names)
    rng = np.random.default_rng(1)
    carries = {}
    taken = []
    for t in range(STEPS):
        if t in (0, STEPS // 2):
            policy.reset()
            wanted = [x for x in session.get_inputs() if x.name not in ("observations", "legal")]
            carries = {x.name: np.zeros((2, *x.shape[1:]), np.float32) for x in wanted}
        rows = rng.normal(size=(spec.agents, spec.features)).astype(np.float32)
        legal = rng.random((spec.agents, spec.actions)) < 0.8
        legal[:, 0] = True
        both = {"observations": np.stack([rows, rows]), "legal": np.stack([legal, legal])}
        actions, *following = session.run(None, both | carries)
        carries = dict(zip(carries, following, strict=True))
        want = np.asarray(policy.act(rows, legal))
        np.testing.assert_allclose(actions, [want, want], atol=1e-5)
        taken.append(want)
    assert len(np.unique(taken)) > 2
