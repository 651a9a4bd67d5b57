"""One agent's networks in a file of their own: a zip of plain NumPy arrays. Nothing in it is executed.

`agent.json` says whose they are, and which arrays belong to which network, in the order of its leaves. The
first axis of every array is seeds.
"""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree, Shaped

from ..config.config import Config
from ..core import OptState
from ..errors import UserError
from ..files import atomic
from ..networks.agents import AgentNetworks
from ..networks.identity import IdentityNetworks
from . import checkpoint, kept, records
from .archive import Archive, undated, write_array
from .engine import Engine
from .folder import RunFolder

_FACTS = "agent.json"
_FORMAT = 1
_FORM = {"format": int, "agent": str, "team": str, "networks": records.Each([str])}
_REMEDY = "`covey export RUN --agent NAME` writes one"


class TrainedAgent(NamedTuple):
    """An agent and its networks, each by its path in the learner; the first axis of arrays is seeds."""

    name: str
    team: str
    nets: dict[str, Any]  # a network, or the list of its arrays
    source: str  # for messages


def is_agent_networks(x: Any) -> bool:
    return isinstance(x, AgentNetworks | IdentityNetworks)


def trained_agent(folder: RunFolder, engine: Engine, name: str, weights: Path) -> TrainedAgent:
    """Return an agent of a trained run, with the networks of all seeds, from one of its checkpoints."""
    world = engine.trainer.spec
    learners = checkpoint.restore_learners(weights, engine.all_seeds(engine.shapes).learners)
    i, slot = next((i, s) for i, s in enumerate(engine.trainer.slots) if name in s.spec(world).names)
    place = slot.spec(world).names.index(name)
    team = next(team for team in world.teams if world.names.index(name) in world.members(team))
    is_leaf = lambda x: is_agent_networks(x) or isinstance(x, OptState)  # which holds trees like networks
    leaves = jax.tree_util.tree_flatten_with_path(learners[i], is_leaf=is_leaf)[0]
    nets = {
        jax.tree_util.keystr(path): _net_of(x, place)
        for path, x in leaves
        if is_agent_networks(x) and len(x.groups) > place
    }
    return TrainedAgent(name, team, nets, str(folder.path))


def _net_of(networks: AgentNetworks | IdentityNetworks, place: int) -> PyTree:
    """Return the network of one agent; axes are seeds and, if agents do not share, groups before it."""
    if isinstance(networks, IdentityNetworks):
        return jax.tree.map(lambda x: x[:, place], jax.vmap(lambda one: one.make().per_agent())(networks))
    if not networks.stacked:
        return networks.nets
    return jax.tree.map(lambda x: x[:, networks.groups[place]], networks.nets)


def export_agent(
    run: str | Path, name: str, out: str | Path | None, seed: int | None, at: int | str | None = None
) -> Path:
    """Write one agent's networks to a file, and return its path."""
    folder = RunFolder.existing(run)
    weights = kept.checkpoint_at(folder, at)
    config = Config.from_yaml(folder.config)
    engine = Engine(config)
    names = engine.trainer.spec.names
    if name not in names:
        raise UserError(f"--agent: there is no agent '{name}' in {folder.path}: there are {', '.join(names)}")
    if seed is not None and seed >= config.seeds:
        raise UserError(f"--seed: {folder.path} trained seeds 0 to {config.seeds - 1}")
    agent = trained_agent(folder, engine, name, weights)
    if not agent.nets:
        raise UserError(f"--agent: nobody learned for {name} in {folder.path}, so it has no networks")
    seeds = list(range(config.seeds)) if seed is None else [seed]
    slot = next(s for s in engine.trainer.slots if name in s.spec(engine.trainer.spec).names)
    path = Path(out) if out else folder.path / f"{name}.npz"
    facts = {
        "format": _FORMAT,
        "agent": name,
        "team": agent.team,
        "seeds": seeds,
        "algorithm": config.learners[slot.name]["name"],
        "environment": config.environment,
    }
    _write(path, agent, facts, seeds)
    return path


def _write(path: Path, agent: TrainedAgent, facts: dict[str, Any], seeds: Sequence[int]) -> None:
    arrays: dict[str, Shaped[np.ndarray, ...]] = {}
    networks: dict[str, list[str]] = {}
    for where, net in agent.nets.items():
        leaves = jax.tree_util.tree_flatten_with_path(net)[0]
        names = [where + jax.tree_util.keystr(path) for path, _ in leaves]
        networks[where] = names
        arrays |= {name: np.asarray(x)[list(seeds)] for name, (_, x) in zip(names, leaves, strict=True)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path, "an agent") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(undated(_FACTS), json.dumps(facts | {"networks": networks}, indent=1))
        for name, x in arrays.items():
            write_array(archive, f"{name}.npy", x)


def read_agent(path: Path) -> TrainedAgent:
    """Return an agent from its file."""
    foreign = UserError(f"{path} is no agent's file: {_REMEDY}")
    with Archive(path, foreign) as archive:
        if _FACTS not in archive.namelist():
            raise foreign
        facts = archive.record(_FACTS, _FORMAT, _FORM, _REMEDY)
        nets = {
            where: [archive.array(f"{name}.npy") for name in names]
            for where, names in facts["networks"].items()
        }
    _check_arrays(path, nets)
    return TrainedAgent(facts["agent"], facts["team"], nets, str(path))


def _check_arrays(path: Path, nets: dict[str, list[np.ndarray]]) -> None:
    """Refuse arrays that are no weights of as many seeds as all others."""
    seeds = {x.shape[:1] for arrays in nets.values() for x in arrays}
    if len(seeds) != 1 or not all(sum(shape) for shape in seeds):
        raise UserError(f"{path}: its arrays are not of the same seeds; {_REMEDY}")
    for where, arrays in nets.items():
        if any(x.dtype.kind not in "fiub" or not np.isfinite(x).all() for x in arrays):
            raise UserError(f"{path} holds no numbers (NaN or infinite) in {where}; {_REMEDY}")
