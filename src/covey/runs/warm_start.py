"""First weights from another run: all of them, some parts, or those of one agent for each of its team."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import numpy as np
from jaxtyping import PyTree

from ..config.config import Config
from ..core import Spec
from ..errors import UserError
from ..networks.agents import AbstractAgent, AgentNetworks
from . import checkpoint
from .engine import Engine, States
from .folder import RunFolder


def begun(source: str, engine: Engine, states: States) -> States:
    """New learners with weights from `RUN`, `RUN:actor+critic` or `RUN:agent_0`; counters and what optimisers
    remember stay new."""
    pairs = zip(states, engine.lanes(borrowed(source, engine, states)), strict=True)
    whole = [(state.learners, eqx.combine(old, state.learners)) for state, old in pairs]
    learners = [checkpoint.weights(*pair) for pair in whole]
    swap = lambda state, new: eqx.tree_at(lambda s: s.learners, state, new)
    return list(map(swap, states, learners))


def borrowed(source: str, engine: Engine, states: States) -> tuple[Any, ...]:
    """Learners of all seeds, None for what begins anew."""
    learning = [slot.learns for slot in engine.trainer.slots]
    like = engine.everybody(engine.shapes).learners
    like = tuple(x if learns else None for x, learns in zip(like, learning, strict=True))
    if Path(source).is_dir() or ":" not in source:
        return checkpoint.load_learners(RunFolder.existing(source).last, like)
    run, _, parts = source.rpartition(":")
    folder = RunFolder.existing(run)
    there = Engine(Config.from_yaml(folder.config))
    if parts in there.trainer.spec.names:
        fresh = engine.joined([state.learners for state in states])
        fresh = tuple(x if learns else None for x, learns in zip(fresh, learning, strict=True))
        return of_agent(folder, there, parts, engine, fresh)
    return eqx.combine(*(checkpoint.load_part(folder.last, like, part) for part in parts.split("+")))


class Trained(NamedTuple):
    """An agent, and its networks by where they stand in its learner; arrays lead with seeds."""

    name: str
    team: str
    nets: dict[str, AbstractAgent]


def of_agent(
    folder: RunFolder, there: Engine, name: str, engine: Engine, fresh: tuple[Any, ...]
) -> tuple[Any, ...]:
    """Learners in which each agent of the team has this one's networks, where shapes agree."""
    world = there.trainer.spec
    learners = checkpoint.load_learners(folder.last, there.everybody(there.shapes).learners)
    i, slot = next((i, s) for i, s in enumerate(there.trainer.slots) if name in s.spec(world).names)
    place = slot.spec(world).names.index(name)
    team = next(team for team in world.teams if world.names.index(name) in world.members(team))
    nets = {
        path: net_of(networks, place) for path, networks in crews(learners[i]) if len(networks.groups) > place
    }
    agent, taken = Trained(name, team, nets), []
    slots = zip(engine.trainer.slots, fresh, strict=True)
    found = tuple(taught(x, slot.spec(engine.trainer.spec), agent, taken.append) for slot, x in slots)
    if not taken:
        raise UserError(
            f"--from: no network here has the shape of {name}'s in {folder.path}: take a run of the same "
            "algorithm, settings and observations"
        )
    return found


def crews(learner: PyTree) -> list[tuple[str, AgentNetworks]]:
    """Every crew, and where it stands."""
    found = jax.tree_util.tree_flatten_with_path(learner, is_leaf=is_crew)[0]
    return [(jax.tree_util.keystr(path), x) for path, x in found if is_crew(x)]


def is_crew(x: Any) -> bool:
    return isinstance(x, AgentNetworks)


def net_of(networks: AgentNetworks, place: int) -> AbstractAgent:
    """An agent's own network: arrays lead with seeds, and with groups below where these do not share."""
    return (
        jax.tree.map(lambda x: x[:, networks.groups[place]], networks.nets)
        if networks.stacked
        else networks.nets
    )


def taught(learner: PyTree, spec: Spec, agent: Trained, tell: Callable[[str], None]) -> PyTree:
    """The learner with the agent's networks for all of its team, or where there is none for everybody."""
    members = spec.members(agent.team) if agent.team in spec.teams else range(spec.agents)

    def one(path: Any, x: Any) -> Any:
        where = jax.tree_util.keystr(path)
        near = [net for at, net in agent.nets.items() if at.endswith(where) or where.endswith(at)]
        if not is_crew(x) or not near or len(x.groups) != spec.agents:
            return x
        net = agent.nets.get(where, near[0])
        groups = np.array(sorted({x.groups[i] for i in members})) if members else np.array([], int)
        old, new = jax.tree.leaves(x.nets), jax.tree.leaves(net)
        if not len(groups) or not alike(old, new, x.stacked):
            return x
        tell(where)
        nets = [put(o, n, groups if x.stacked else None) for o, n in zip(old, new, strict=True)]
        return eqx.tree_at(lambda networks: jax.tree.leaves(networks.nets), x, nets)

    return jax.tree_util.tree_map_with_path(one, learner, is_leaf=is_crew)


def alike(old: list[Any], new: list[Any], stacked: bool) -> bool:
    """Whether networks have the same shapes, seeds and groups aside."""
    return [x.shape[1 + stacked :] for x in old] == [x.shape[1:] for x in new]


def put(old: Any, new: Any, groups: Any) -> Any:
    """An agent's array in the place of others'; seeds that are not there start from the first ones again."""
    new = new[np.arange(len(old)) % len(new)]
    if groups is None:
        return new
    old = np.array(old)
    old[:, groups] = new[:, None]
    return old
