"""One-step games of N players and N actions, paid for being unlike, or alike."""

import math
from typing import Annotated

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ..core import AbstractEnvironment, Action, Observation, Scene, Spec, Step
from ..ranges import Between

Players = Annotated[int, Between(2, 32)]
# radii, in a scene, of the rings of actions, of the players that chose first, and of those who wait
_ACTIONS_RING = 1.0
_RING = 0.8
_WAITING_RING = 0.35


class CrowdGameState(eqx.Module):
    choices: Int[Array, "agents n"]  # -1: not yet made


class CrowdGame(AbstractEnvironment[CrowdGameState]):
    """N players choose among N actions once; with k_i players on player i's action, i included,

        unlike: reward i = 1 / k_i,      alike: reward i = k_i / N

    Everybody observes a constant 1, and 0 until the game is over. The best return is 1, for each player and
    as their mean: all players on different actions, or all on the same. Uniform random play returns
    1 - (1 - 1/N)^N unlike, and (2N - 1) / N^2 alike. Players with one common policy do no better than that
    when unlike: for a policy p the mean is (1/N) sum over a of 1 - (1 - p_a)^N, which is largest where p is
    uniform; deterministic, it is 1/N. Alike, common players reach 1.
    """

    spec: Spec
    alike: bool

    def __init__(self, agents: Players = 4, alike: bool = True):
        self.alike = alike
        names = tuple(f"agent_{i}" for i in range(agents))
        self.spec = Spec(names, features=2, state=2, actions=agents, horizon=1)

    @property
    def random_return(self) -> float:
        """The return of uniform random play, exactly."""
        n = self.spec.agents
        return (2 * n - 1) / n**2 if self.alike else 1 - (1 - 1 / n) ** n

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[CrowdGameState, Observation]:
        state = CrowdGameState(jnp.full((self.spec.agents, n), -1, int))
        return state, self.observe(state)

    def step(self, state: CrowdGameState, action: Action, key: PRNGKeyArray) -> tuple[CrowdGameState, Step]:
        choices = action.T.astype(int)
        crowd = jnp.sum(choices[:, None] == choices, axis=1)
        reward = (crowd / self.spec.agents if self.alike else 1 / crowd).T
        state = CrowdGameState(choices)
        over = jnp.ones(len(action), bool)
        return state, Step(self.observe(state), reward, self.spec.team_mean(reward), over, ~over)

    def observe(self, state: CrowdGameState) -> Observation:
        agents, n = state.choices.shape
        over = 1.0 * (state.choices[0] >= 0)
        public = jnp.stack([jnp.ones_like(over), over], axis=1)
        return Observation(
            agents=jnp.broadcast_to(public[:, None], (n, agents, 2)),
            state=public,
            legal=jnp.ones((n, agents, agents), bool),
            alive=jnp.ones((n, agents), bool),
            first=state.choices[0] < 0,
        )

    def scene(self, state: CrowdGameState) -> Scene:
        """Show the actions on a ring, and the players in rows before the actions that they chose."""
        agents, n = state.choices.shape
        slots = _ring(agents, _RING)
        radius = min(0.08, 0.8 * math.pi * _RING / agents)
        earlier = np.tril(np.ones((agents, agents), bool), -1)[..., None]
        place = jnp.sum((state.choices[:, None] == state.choices) & earlier, axis=1)  # in the row, 0 first
        inwards = 1 - place * min(2.2 * radius, (_RING - radius) / agents) / _RING
        chosen = jnp.swapaxes(jnp.asarray(slots)[state.choices], 1, 2) * inwards[:, None]
        waiting = jnp.broadcast_to(_ring(agents, _WAITING_RING)[..., None], chosen.shape)
        taken = jnp.any(state.choices[:, None] == jnp.arange(agents)[:, None], axis=0)
        return Scene(
            agents=jnp.where(state.choices[:, None] < 0, waiting, chosen),
            objects=jnp.broadcast_to(_ring(agents, _ACTIONS_RING)[..., None], (agents, 2, n)),
            agent_radii=(radius,) * agents,
            object_radii=(0.5 * radius,) * agents,
            highlighted=taken,
        )


def Specialise(agents: Players = 4) -> CrowdGame:  # noqa: N802
    """N players and N actions: a player gets 1 / (players on its action), so that all should differ."""
    return CrowdGame(agents, alike=False)


def Synchronise(agents: Players = 4) -> CrowdGame:  # noqa: N802
    """N players and N actions: a player gets (players on its action) / N, so that all should agree."""
    return CrowdGame(agents, alike=True)


def _ring(count: int, radius: float) -> Float[np.ndarray, "count 2"]:
    """Return points on a circle, the first at its top, clockwise."""
    angle = 2 * math.pi * np.arange(count) / count
    return radius * np.stack([np.sin(angle), np.cos(angle)], axis=1)
