"""VMAS's navigation: each agent goes to its goal, and bumps into nobody on the way."""

from itertools import combinations
from typing import Annotated

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from ...core import AbstractEnvironment, Action, Observation, Scene, Spec, Step
from ...errors import SettingError
from ...ops import named
from ...ranges import Between, Count
from . import observations, physics, vmas_physics
from .physics import fold

_AGENT_RADIUS = 0.1
_GOAL_RADIUS = 0.05
_APART = 2 * _AGENT_RADIUS + 0.05  # agents and goals, when an episode begins
Travellers = Annotated[int, Between(1, 16)]  # more, and their goals, find no room in the field
_NEAR = 2 * _AGENT_RADIUS + 0.005  # agents that collide
_SUBSTEPS = 2
_BEAMS = 12
_REACH = 0.35  # of a beam
_FINAL_REWARD = 0.01


class NavigationState(eqx.Module):
    pos: Float[Array, "agents 2 n"]
    vel: Float[Array, "agents 2 n"]
    goals: Float[Array, "agents 2 n"]  # each agent's own, also where it is another's too
    t: Int[Array, " n"]


class Navigation(AbstractEnvironment[NavigationState]):
    """Each agent is paid for coming nearer to its goal, and fined for every agent that it bumps into.

        progress i = d_i before the step - d_i after it,    d_i = distance from i to its goal
        reward i   = sum over agents of progress + .01 (all are on their goals) - (agents that i touches)

    With `share_reward=False` it is the agent's own progress instead of the sum. Touching is a gap below .005,
    on a goal a distance below .05. An episode terminates when every agent is within .1 of its goal.

    The first `agents_with_same_goal` agents have one goal, the others one each; with `split_goals` the first
    and the second half of the team have one each. Agents with a common goal cannot be bodies, so that
    `collisions` must be off: they then pass through each other, at no cost. An agent observes its position,
    its velocity and its position relative to its goal (to all goals with `observe_all_goals`). With
    collisions twelve beams of .35 follow: how far an agent reaches into each.

    After scenarios/navigation.py of VMAS 1.5.2 (Bettini et al., 2022), whose defaults these are; BenchMARL's
    horizon. One departure: in VMAS a gap between 0 and .005 counts only while agents overlap in some copy of
    the batch; here a copy knows no other.
    """

    spec: Spec
    collisions: bool
    agents_with_same_goal: int
    split_goals: bool
    observe_all_goals: bool
    share_reward: bool

    def __init__(
        self,
        agents: Travellers = 4,
        continuous: bool = False,
        collisions: bool = True,
        agents_with_same_goal: Travellers = 1,
        split_goals: bool = False,
        observe_all_goals: bool = False,
        share_reward: bool = True,
        horizon: Count = 100,
    ):
        _check_goals(agents, collisions, agents_with_same_goal, split_goals)
        self.collisions = collisions
        self.agents_with_same_goal = agents_with_same_goal
        self.split_goals = split_goals
        self.observe_all_goals = observe_all_goals
        self.share_reward = share_reward
        self.spec = Spec(
            names=tuple(f"agent_{i}" for i in range(agents)),
            features=4 + 2 * (agents if observe_all_goals else 1) + _BEAMS * collisions,
            actions=vmas_physics.count_actions(continuous),
            horizon=horizon,
            bounds=(-1.0, 1.0) if continuous else None,
        )

    @property
    def goal_of(self) -> tuple[int, ...]:
        """The number of each agent's goal, among one goal drawn for each agent."""
        same = self.agents_with_same_goal
        own = lambda i: i // same if self.split_goals else 0 if i < same else i
        return tuple(own(i) for i in range(self.spec.agents))

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[NavigationState, Observation]:
        places = _separate_places(key, 2 * self.spec.agents, n)
        pos = places[: self.spec.agents]
        goals = jnp.stack([places[self.spec.agents + goal] for goal in self.goal_of])
        state = NavigationState(pos, jnp.zeros_like(pos), goals, jnp.zeros(n, int))
        return state, self.observe(state)

    def step(self, state: NavigationState, action: Action, key: PRNGKeyArray) -> tuple[NavigationState, Step]:
        touch = 2 * _AGENT_RADIUS if self.collisions else None
        force = vmas_physics.drive(action)
        pos, vel = vmas_physics.integrate(state.pos, state.vel, force, _SUBSTEPS, touch)
        before = physics.length(state.pos - state.goals)
        distance = physics.length(pos - state.goals)
        state = NavigationState(pos, vel, state.goals, state.t + 1)
        progress = before - distance
        progress = (
            jnp.broadcast_to(fold(jnp.add, progress), progress.shape) if self.share_reward else progress
        )
        bumps = 1.0 * self.bumps(pos)
        final = _FINAL_REWARD * jnp.all(distance < _GOAL_RADIUS, axis=0)
        reward = (progress + final - bumps).T
        arrived = jnp.all(distance < _AGENT_RADIUS, axis=0)
        step = Step(
            obs=self.observe(state),
            reward=reward,
            team_reward=self.spec.team_mean(reward),
            terminated=arrived,
            truncated=(state.t >= self.spec.horizon) & ~arrived,
            counts={"collisions": fold(jnp.add, bumps) / 2},
        )
        return state, step

    def bumps(self, pos: Float[Array, "agents 2 n"]) -> Int[Array, "agents n"]:
        """Return the number of agents that each one bumps into."""
        counts = [jnp.zeros(pos.shape[-1], int)] * len(pos)
        for i, j in combinations(range(len(pos)), 2) if self.collisions else ():
            near = (physics.length(pos[i] - pos[j]) <= _NEAR).astype(int)
            counts[i] = counts[i] + near
            counts[j] = counts[j] + near
        return jnp.stack(counts)

    def observe(self, state: NavigationState) -> Observation:
        goals = state.goals if self.observe_all_goals else state.goals[:, None]
        to_goals = observations.flatten_rows(state.pos[:, None] - goals)
        parts = [state.pos, state.vel, to_goals]
        if self.collisions:
            lengths = vmas_physics.beam_lengths(state.pos, _BEAMS, _REACH, _AGENT_RADIUS)
            parts.append(_REACH - lengths)
        return observations.make_observation(jnp.concatenate(parts, axis=1), state.t, self.spec.actions)

    def scene(self, state: NavigationState) -> Scene:
        return Scene(
            agents=state.pos,
            objects=state.goals,
            agent_radii=(_AGENT_RADIUS,) * self.spec.agents,
            object_radii=(_GOAL_RADIUS,) * self.spec.agents,
            touching=self.bumps(state.pos) > 0,
            links=jnp.stack([state.pos, state.goals], axis=1),
        )


def _check_goals(agents: int, collisions: bool, same: int, split: bool) -> None:
    """Refuse goals that no team can have."""
    if same > agents:
        problem = "is more than the team"
        remedy = f"set it to at most `agents={agents}`"
        raise SettingError("agents_with_same_goal", problem, remedy, value=same)
    if same > 1 and collisions:
        problem = "would meet at one goal, where bodies have no room"
        raise SettingError("agents_with_same_goal", problem, "set `collisions=False`", value=same)
    if split and 2 * same != agents:
        problem = "needs an even team, half of it with the same goal"
        raise SettingError("split_goals", problem, "set `agents_with_same_goal` to half of `agents`")


def _separate_places(key: PRNGKeyArray, count: int, n: int) -> Float[Array, "count 2 n"]:
    """Return uniform places, one after the other drawn anew until it is `_APART` from all before."""

    def crowded(pos: Float[Array, "2 n"], places: list) -> Bool[Array, " n"]:
        near = [physics.length(pos - other) < _APART for other in places]
        return fold(jnp.logical_or, jnp.stack(near))

    def draw(i: int, tries) -> Float[Array, "2 n"]:
        return jr.uniform(named(key, "place", i, tries), (2, n), minval=-1.0, maxval=1.0)

    places = [draw(0, 0)]
    for i in range(1, count):

        def again(tried, i=i):
            tries, pos = tried
            return tries + 1, jnp.where(crowded(pos, places), draw(i, tries), pos)

        first = (jnp.ones((), int), draw(i, 0))
        _, pos = jax.lax.while_loop(lambda tried: jnp.any(crowded(tried[1], places)), again, first)
        places.append(pos)
    return jnp.stack(places)
