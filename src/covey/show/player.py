"""Weights of a run for other programs: all of a seed's, or those that act, with a player in NumPy alone."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Shaped

from ..algorithms.coma import COMA
from ..algorithms.dual_q import DualQ
from ..algorithms.hyper_mappo import HyperMAPPO
from ..algorithms.maddpg import MADDPG
from ..algorithms.off_policy.deterministic import DeterministicActors
from ..algorithms.ppo import PPO
from ..algorithms.pqn import PQN
from ..algorithms.qmix import QMIX
from ..algorithms.wqmix import WQMIX
from ..config.config import Config
from ..core import OptState, Spec
from ..errors import UserError
from ..files import atomic
from ..networks.actors import Actor
from ..networks.agents import AbstractAgent, AgentNetworks, FeedForward, Recurrent
from ..networks.identity import IdentityNetworks
from ..networks.layers import MLP
from ..runs.checkpoint import named_leaves
from ..runs.folder import RunFolder
from ..runs.policy import load_player
from ..training.learners import LearnerSlot
from ..training.loop import Trainer
from . import numpy_player
from .onnx_graph import onnx_bytes
from .safetensors import safetensors_bytes

_Arrays = dict[str, Shaped[np.ndarray, "..."]]
_SUFFIX = ".safetensors"
_ELSE = "covey.load(run).act plays it from Python"


class _ActingNetworks(NamedTuple):
    """The networks that act, and the way from observations to actions."""

    networks: AgentNetworks
    agent_id: bool
    last_action: bool = False
    squashed: bool = True


def _of_values(qmix: QMIX | COMA, networks: AgentNetworks) -> _ActingNetworks:
    return _ActingNetworks(networks, qmix.agent_id, qmix.last_action)


def _of_policy(actor: Actor) -> _ActingNetworks:
    networks = actor.made().networks
    assert not isinstance(networks, IdentityNetworks)
    return _ActingNetworks(networks, actor.agent_id, squashed=actor.squashed)


def _of_deterministic(maddpg: MADDPG, actors: DeterministicActors) -> _ActingNetworks:
    return _ActingNetworks(actors.networks, actors.agent_id, maddpg.last_action)


def _of_hyper(learner: Any) -> _ActingNetworks:
    if learner.hyper is not None:
        raise UserError(
            "hyper_mappo's actor has other weights at each step, which an exported player cannot make: "
            f"{_ELSE}, and --weights writes its networks"
        )
    return _of_policy(learner.ppo.actor)


_READERS: dict[type, Callable[[Any, Any], _ActingNetworks]] = {
    QMIX: lambda algorithm, learner: _of_values(algorithm, learner.online.agents),
    WQMIX: lambda algorithm, learner: _of_values(algorithm.qmix, learner.online.monotonic.agents),
    PQN: lambda algorithm, learner: _of_values(algorithm.qmix, learner.online.agents),
    COMA: lambda algorithm, learner: _of_values(algorithm, learner.actor),
    PPO: lambda algorithm, learner: _of_policy(learner.actor),
    HyperMAPPO: lambda algorithm, learner: _of_hyper(learner),
    MADDPG: lambda algorithm, learner: _of_deterministic(algorithm, learner.online.actors),
    DualQ: lambda algorithm, learner: _of_deterministic(algorithm.maddpg, learner.maddpg.online.actors),
}


def export_player(path: str | Path, out: Path, seed: int = 0, at: int | str | None = None) -> Path:
    """Write what acts of a seed, and beside it the player; return the player's path."""
    _check_suffix(out)
    folder = RunFolder.existing(path)
    facts, arrays = describe_player(*load_player(folder, seed, at))
    _write(out, arrays, _origin(folder, seed) | facts)
    file = out.with_suffix(".py")
    with atomic(file, "the player") as to, open(numpy_player.__file__, "rb") as source:
        shutil.copyfileobj(source, to)
    return file


def export_onnx(path: str | Path, out: Path, seed: int = 0, at: int | str | None = None) -> Path:
    """Write what acts of a seed as an ONNX graph."""
    if out.suffix != ".onnx":
        raise UserError(f"--out {out}: an ONNX graph goes into a file that ends in .onnx")
    folder = RunFolder.existing(path)
    facts, arrays = describe_player(*load_player(folder, seed, at))
    content = onnx_bytes(_origin(folder, seed) | facts, arrays)
    with atomic(out, "the graph") as file:
        file.write(content)
    return out


def export_weights(path: str | Path, out: Path, seed: int = 0, at: int | str | None = None) -> Path:
    """Write all arrays of a seed's learners but their optimisers' states."""
    _check_suffix(out)
    folder = RunFolder.existing(path)
    trainer, learners = load_player(folder, seed, at)
    is_opt_state = lambda x: isinstance(x, OptState)
    arrays = {}
    for slot, learner in zip(trainer.slots, learners, strict=True):
        kept = jax.tree.map(lambda x: None if is_opt_state(x) else x, learner, is_leaf=is_opt_state)
        arrays |= {f"{slot.name}.{name}": np.asarray(x) for name, x in named_leaves(kept)}
    _write(out, arrays, _origin(folder, seed))
    return out


def _origin(folder: RunFolder, seed: int) -> dict[str, Any]:
    """Return where the weights come from."""
    config = Config.from_yaml(folder.config)
    names = {"algorithm": config.algorithm, "environment": config.environment}
    return names | {"run": folder.path.name, "seed": seed}


def _check_suffix(out: Path) -> None:
    if out.suffix != _SUFFIX:
        raise UserError(f"--out {out}: weights go into a file that ends in {_SUFFIX}")


def _write(out: Path, arrays: _Arrays, facts: dict[str, Any]) -> None:
    with atomic(out, "the weights") as file:
        file.write(safetensors_bytes(arrays, facts))


def describe_player(trainer: Trainer, learners: tuple[Any, ...]) -> tuple[dict[str, Any], _Arrays]:
    """Return the facts and the arrays that the player reads: of every agent that learned."""
    networks = {}
    agents = {}
    arrays: _Arrays = {}
    for slot, learner in zip(trainer.slots, learners, strict=True):
        if slot.learns:
            acting = _acting_networks(slot, learner)
            networks[slot.name], own = _describe(acting, slot.spec(trainer.spec), slot.name)
            arrays |= own
            for place, (agent, group) in enumerate(zip(slot.members, acting.networks.groups, strict=True)):
                agents[agent] = [trainer.spec.names[agent], slot.name, place, group]
    if not agents:
        raise UserError("nobody learned in this run, so there is no policy to export")
    return {"format": 1, "agents": [agents[i] for i in sorted(agents)], "networks": networks}, arrays


def _acting_networks(slot: LearnerSlot, learner: Any) -> _ActingNetworks:
    """Return the networks by which a learner acts; refuse those that the player does not know."""
    kind = type(slot.algorithm)
    if kind not in _READERS:
        raise UserError(f"an exported player knows covey's own algorithms, and not {kind.__name__}: {_ELSE}")
    acting = _READERS[kind](slot.algorithm, learner)
    net = acting.networks.nets
    if type(net) not in (FeedForward, Recurrent) or acting.networks.placed:
        raise UserError(
            "an exported player knows networks of the kinds feed_forward and recurrent, and not "
            f"{type(net).__name__}: {_ELSE}, and --weights writes its networks"
        )
    return acting


def _describe(acting: _ActingNetworks, spec: Spec, name: str) -> tuple[dict[str, Any], _Arrays]:
    """Return a slot's facts, and its arrays by name; their first axis is groups of agents that share."""
    nets = acting.networks.nets
    facts = {
        "agents": spec.agents,
        "features": spec.features,
        "feature_type": spec.feature_type,
        "scale": 255.0 if spec.feature_type == "uint8" else 1.0,
        "actions": spec.actions,
        "bounds": spec.bounds,
        "squashed": acting.squashed,
        "last_action": acting.last_action,
        "agent_id": acting.agent_id,
        "carry": nets.carry_size,
        "layers": _layers(nets, name),
    }
    groups = nets if acting.networks.stacked else jax.tree.map(lambda x: x[None], nets)
    return facts, {f"{name}.{path}": np.asarray(x, np.float32) for path, x in named_leaves(groups)}


def _layers(net: AbstractAgent, name: str) -> list[list[str]]:
    """Return the layers in order: of each the kind, and the names of its arrays."""
    if isinstance(net, FeedForward):
        return _mlp_layers(net.layers, f"{name}.layers")
    assert isinstance(net, Recurrent)
    gates = [f"{name}.gru.{side}.{i}" for side in ("inputs", "hidden") for i in range(3)]
    gru = ["gru", *(f"{gate}.{part}" for gate in gates for part in ("weight", "bias"))]
    return [*_mlp_layers(net.embed, f"{name}.embed"), gru, *_mlp_layers(net.head, f"{name}.head")]


def _mlp_layers(mlp: MLP, name: str) -> list[list[str]]:
    norm = [["norm"]] if mlp.norm else []
    layers = [*norm]
    for i in range(len(mlp.layers)):
        layers.append(["linear", f"{name}.layers.{i}.weight", f"{name}.layers.{i}.bias"])
        if i + 1 < len(mlp.layers) or mlp.activated:
            layers += [[mlp.activation], *norm]
    return layers
