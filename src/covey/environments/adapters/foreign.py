"""Worlds of other packages, whose agents have names: what all adapters of Python worlds share.

An adapter implements `AbstractForeignWorld` for one protocol: spaces by agent, and a `ForeignMoment` after
each reset and step, in the world's own terms. `ForeignEnvironment` makes an environment of it: it pads and
flattens, numbers actions, keeps account of who is alive, whose turn it is and how an episode ends.
`recognise.PROTOCOLS` then lists the adapter, and `catalogue.ADAPTERS` its prefix.
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped

from ...core import AbstractHostEnvironment, HostObservation, HostStep, Spec
from ...errors import UserError
from .choices import WorldChoices
from .foreign_world import AbstractForeignWorld, ForeignMoment
from .parts import in_parts
from .spaces import ActionSpaces, ObservationSpaces
from .teams import TEAM_REWARDS, TeamReward, choose_teams, counted_rewards


class ForeignEnvironment(AbstractHostEnvironment):
    """An environment of a foreign world.

    An agent that is gone counts as dead and observes zeros. An agent that waits for its turn is alive and
    observes, with one legal action. The episode has terminated when every agent has; any other end is a
    time limit. Without a chosen horizon the world's own limit is taken.
    """

    def __init__(
        self,
        world: AbstractForeignWorld,
        title: str,
        choices: WorldChoices,
    ):
        self.world, owners = in_parts(world)
        self.title = title
        self.counts = world.counts
        self.names = self.world.names
        try:
            self.rows = ObservationSpaces(self.world.observation_spaces)
            self.actions = ActionSpaces(self.world.action_spaces)
        except UserError as error:
            raise UserError(f"{title}: {error}") from error
        self.waiting = np.tile(np.arange(self.actions.available.shape[1]) == 0, (len(self.names), 1))
        self.team_reward: TeamReward = choices.team_reward
        self.width = 0  # of the state: nobody has read it yet
        first = self.reset(0)
        self.versions = world.versions
        if choices.state:
            self.width = self._state_width(first)
        world.state_is_read = self.width > 0
        team = choose_teams(world.names, choices.team, choices.team_reward, title)
        self.counted = np.diff(owners, prepend=-1) > 0  # a team's reward counts an agent's first part alone
        self.spec = Spec(
            names=tuple(map(str, self.names)),
            features=self.rows.features,
            actions=self.actions.available.shape[1],
            horizon=choices.horizon or choices.longest(title, world.limit),
            state=self.width,
            bounds=self.actions.bounds,
            team=tuple(team[i] for i in owners) if team else (),
            team_reward=TEAM_REWARDS[choices.team_reward],
            shape=self.rows.shape,
            feature_type=self.rows.feature_type,
        )

    def __str__(self) -> str:
        return self.title

    def render(self) -> Any:
        """Return the world's own picture of itself, if it draws one."""
        for drawn in (self.world, getattr(self.world, "world", None)):
            render = getattr(drawn, "render", None)
            if callable(render):
                return render()
        return None

    def _state_width(self, first: HostObservation) -> int:
        """Return the width of a global state that is more than the joint observation; 0: there is none."""
        state = numbers_of(self.moment.state)
        if state is None:
            return 0
        joint = np.concatenate([x[:n] for x, n in zip(first.agents, self.rows.widths, strict=True)])
        return 0 if np.array_equal(state, joint) else len(state)

    def reset(self, seed: int) -> HostObservation:
        self.t = 0
        self.terminated = set()
        self.last_state = np.zeros(self.width, np.float32)
        return self._observe(self.world.reset(seed))

    def step(self, action: Shaped[np.ndarray, "agents ..."]) -> HostStep:
        self.t += 1
        acting = self.moment.playing if self.moment.turn is None else self.moment.turn
        actions = {
            name: self.actions.own(i, action[i], self.legal[i])
            for i, name in enumerate(self.names)
            if name in acting and name not in self.terminated
        }
        moment = self.world.step(actions)
        self.terminated.update(moment.terminated)
        over = self.terminated.union(moment.truncated)
        left = any(name not in over for name in moment.playing)
        all_terminated = not left and len(self.terminated) == len(self.names)
        reward = np.array([moment.reward.get(name, 0.0) for name in self.names], np.float32)
        team_reward = moment.team_reward
        if team_reward is None and (self.team_reward == "sum" or not self.counted.all()):
            team_reward = counted_rewards(self.spec, self.team_reward, reward, self.counted)
        return HostStep(
            obs=self._observe(moment),
            reward=reward,
            terminated=all_terminated,
            truncated=not left and not all_terminated,
            team_reward=team_reward,
            counts=moment.counts,
        )

    def _observe(self, moment: ForeignMoment) -> HostObservation:
        """Return all agents' observations. An agent without one, or that has terminated, is dead."""
        self.moment = moment
        agents = self.rows.empty()
        alive = np.zeros(len(self.names), bool)
        self.legal = self.waiting.copy()
        for i, name in enumerate(self.names):
            if name not in moment.obs or name in self.terminated:
                continue
            alive[i] = True
            width = self.rows.fill(agents[i], i, moment.obs[name])
            if width != self.rows.widths[i]:
                self._refuse_observation(name, width, self.rows.widths[i])
            if moment.turn is None or name in moment.turn:
                mask = moment.masks.get(name)
                self.legal[i] = self.actions.available[i] if mask is None else self.actions.legal(mask)
        return HostObservation(agents, self._state(), self._shown_legal(alive), alive)

    def _shown_legal(self, alive: Bool[np.ndarray, " agents"]) -> Bool[np.ndarray, "agents actions"]:
        """Return the legal actions; where actions are continuous, each living agent's dimensions."""
        if self.actions.bounds is None:
            return self.legal
        return np.where(alive[:, None], self.actions.available, self.legal)

    def _state(self) -> Float[np.ndarray, " state"]:
        """Return the state, or the last one that could be read."""
        state = numbers_of(self.moment.state) if self.width else None
        if state is not None:
            self.last_state = state.astype(np.float32)
        return self.last_state

    def _refuse_observation(self, name: Any, width: int, expected: int) -> None:
        raise UserError(
            f"{self} gave {name} an observation of {width} numbers at step {self.t}, where "
            f"its observation_space says {expected}: fix the world, or train another"
        )


def numbers_of(state: Any) -> Shaped[np.ndarray, " state"] | None:
    """Return a state as a row of numbers; None if it is no such thing."""
    if state is None or isinstance(state, dict | str):
        return None
    try:
        row = np.ravel(state)
    except ValueError:
        return None
    return row if row.dtype.kind in "biuf" and row.size else None
