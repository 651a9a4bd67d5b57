"""Warm starts: first weights from another run, whole, of some parts, or of one agent for all of its team."""

from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PyTree

from ..config.config import Config
from ..core import Spec
from ..errors import UserError
from ..networks.agents import AgentNetworks
from . import checkpoint, kept
from .agent_file import TrainedAgent, read_agent, trained_agent
from .engine import Engine, States
from .folder import RunFolder

_SAME_SHAPES = (
    "--from takes a run whose networks have these shapes; those of entities (agent=entity, mixer=entity) "
    "have the same for any number of units, if agent_id=false and units tell the same fields (shields, types)"
)


def split_source(source: str) -> tuple[str, str | None, str]:
    """Return the run, the checkpoint and the parts of `RUN[@STEP][:PART]`; a folder's name may hold both."""
    run, _, rest = source.rpartition("@")
    if Path(source).is_dir():
        return source, None, ""
    if run and Path(run).is_dir():
        at, _, parts = rest.partition(":")
        return run, at, parts
    run, _, parts = source.rpartition(":")
    return (run, None, parts) if run else (source, None, "")


def find_source(source: str) -> tuple[RunFolder, Path, str]:
    """Return the run's folder, the checkpoint and the part that `RUN[@STEP][:PART]` names."""
    run, at, part = split_source(source)
    folder = RunFolder.existing(run)
    weights = kept.checkpoint_at(folder, at, "--from RUN@STEP")
    checkpoint.read_facts(weights)
    return folder, weights, part


def with_weights(source: str, engine: Engine, states: States) -> States:
    """Return new states with weights from `RUN`, `RUN:actor+critic`, `RUN:agent_0` or an agent's file.

    `RUN@STEP` stands for the run at a checkpoint that it kept. Counters and optimiser states stay new.
    """
    trained = engine.lanes(_load_weights(source, engine, states))
    warm = []
    for state, weights in zip(states, trained, strict=True):
        whole = eqx.combine(weights, state.learners)
        learners = checkpoint.replace_weights(state.learners, whole)
        warm.append(eqx.tree_at(lambda s: s.learners, state, learners))
    return warm


def check_source(source: str, engine: Engine) -> None:
    """Refuse weights that do not fit, before anything is compiled."""
    if Path(source).is_file():
        read_agent(Path(source))
        return
    folder, weights, parts = find_source(source)
    like = _learning_shapes(engine)
    if not parts:
        checkpoint.restore_learners(weights, like, _SAME_SHAPES, repeat=True)
    elif parts not in Config.from_yaml(folder.config).build()[0].spec.names:
        for part in parts.split("+"):
            checkpoint.restore_part(weights, like, part)


def _learning_shapes(engine: Engine) -> tuple[Any, ...]:
    """Return the shapes of the learners of all seeds, None for those that never learn."""
    shapes = engine.all_seeds(engine.shapes).learners
    return tuple(x if slot.learns else None for x, slot in zip(shapes, engine.trainer.slots, strict=True))


def _load_weights(source: str, engine: Engine, states: States) -> tuple[Any, ...]:
    """Return the learners of all seeds, None for what stays new."""
    like = _learning_shapes(engine)
    if Path(source).is_file():
        return _from_agent(read_agent(Path(source)), engine, states)
    folder, weights, parts = find_source(source)
    if not parts:
        return checkpoint.restore_learners(weights, like, _SAME_SHAPES, repeat=True)
    other = Engine(Config.from_yaml(folder.config))
    if parts in other.trainer.spec.names:
        return _from_agent(trained_agent(folder, other, parts, weights), engine, states)
    return eqx.combine(*(checkpoint.restore_part(weights, like, part) for part in parts.split("+")))


def _from_agent(agent: TrainedAgent, engine: Engine, states: States) -> tuple[Any, ...]:
    """Return learners in which each agent of the team has this one's networks, where shapes agree."""
    new = engine.join([state.learners for state in states])
    taken: list[str] = []
    spec = engine.trainer.spec
    taught = tuple(
        _with_networks(x, slot.spec(spec), agent, taken) if slot.learns else None
        for slot, x in zip(engine.trainer.slots, new, strict=True)
    )
    if not taken:
        raise UserError(
            f"--from: no network here has the shape of {agent.name}'s in {agent.source}: take a run of the "
            "same algorithm, settings and observations"
        )
    return taught


def _with_networks(learner: PyTree, spec: Spec, agent: TrainedAgent, taken: list[str]) -> PyTree:
    """Return the learner with the agent's networks for its team, or for everybody where it has none.

    The paths of replaced networks are added to `taken`.
    """
    members = spec.members(agent.team) if agent.team in spec.teams else range(spec.agents)

    def replaced(path: Any, x: Any) -> Any:
        where = jax.tree_util.keystr(path)
        near = [net for at, net in agent.nets.items() if at.endswith(where) or where.endswith(at)]
        if not isinstance(x, AgentNetworks) or not near or len(x.groups) != spec.agents:
            return x
        net = agent.nets.get(where, near[0])
        groups = np.array(sorted({x.groups[i] for i in members})) if members else np.array([], int)
        old = jax.tree.leaves(x.nets)
        new = jax.tree.leaves(net)
        if not len(groups) or not _same_shapes(old, new, x.stacked):
            return x
        taken.append(where)
        nets = [_put(o, n, groups if x.stacked else None) for o, n in zip(old, new, strict=True)]
        return eqx.tree_at(lambda networks: jax.tree.leaves(networks.nets), x, nets)

    return jax.tree_util.tree_map_with_path(replaced, learner, is_leaf=lambda x: isinstance(x, AgentNetworks))


def _same_shapes(old: list[Any], new: list[Any], stacked: bool) -> bool:
    """Return whether networks have the same shapes, seeds and groups aside."""
    return [x.shape[1 + stacked :] for x in old] == [x.shape[1:] for x in new]


def _put(old: Any, new: Any, groups: Any) -> Any:
    """Put an agent's array in the place of others'; seeds that it lacks take the first ones again."""
    new = new[np.arange(len(old)) % len(new)].astype(old.dtype)
    if groups is None:
        return new
    old = np.array(old)
    old[:, groups] = new[:, None]
    return old
