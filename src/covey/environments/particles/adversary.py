"""simple_adversary_v3 of mpe2 1.1.1: reach the goal, and do not show the adversary which it is."""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ...core import AbstractEnvironment, Action, Observation, Spec, Step
from ...core.scene import Scene
from ...ops import named
from . import observations, physics
from .physics import fold


class State(eqx.Module):
    pos: Float[Array, "agents 2 n"]
    vel: Float[Array, "agents 2 n"]
    landmarks: Float[Array, "landmarks 2 n"]
    goal: Int[Array, " n"]
    t: Int[Array, " n"]


class Adversary(AbstractEnvironment[State]):
    """Good agents know which landmark is the goal; the adversary has to guess from what they do.

        adversary: -d(it, goal),    good: sum over adversaries of d(goal) - min over good of d(goal)

    A good agent sees where the goal, the landmarks and the others are from here; an adversary the
    landmarks and the others, and two zeros at the end. Nobody sees velocities, nobody collides.
    """

    spec: Spec
    adversaries: int
    landmarks: int

    def __init__(
        self,
        agents: int = 2,
        adversaries: int = 1,
        landmarks: int | None = None,
        continuous: bool = False,
        horizon: int = 25,
    ):
        self.adversaries, self.landmarks = adversaries, agents if landmarks is None else landmarks
        observations.check(agents=agents, adversaries=adversaries, landmarks=self.landmarks, horizon=horizon)
        names = (*(f"adversary_{i}" for i in range(adversaries)), *(f"agent_{i}" for i in range(agents)))
        self.spec = Spec(
            names=names,
            features=2 + 2 * self.landmarks + 2 * (len(names) - 1),
            actions=physics.MOVES,
            horizon=horizon,
            bounds=(0.0, 1.0) if continuous else None,
            team=("adversary",) * adversaries + ("agent",) * agents,
        )

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[State, Observation]:
        pos = observations.anywhere(key, "agents", self.spec.agents, n)
        landmarks = observations.anywhere(key, "landmarks", self.landmarks, n)
        goal = jr.randint(named(key, "goal"), (n,), 0, self.landmarks)
        state = State(pos, jnp.zeros_like(pos), landmarks, goal, jnp.zeros(n, int))
        return state, self.observe(state)

    def target(self, state: State) -> Float[Array, "1 2 n"]:
        return jnp.take_along_axis(state.landmarks, state.goal[None, None], axis=0)

    def step(self, state: State, action: Action, key: PRNGKeyArray) -> tuple[State, Step]:
        pos, vel = physics.move(state.pos, state.vel, physics.thrust(action))
        state = State(pos, vel, state.landmarks, state.goal, state.t + 1)
        away = physics.length(pos - self.target(state))
        spies, good = away[: self.adversaries], away[self.adversaries :]
        shared = fold(jnp.add, spies) - fold(jnp.minimum, good)
        reward = jnp.concatenate([-spies, jnp.broadcast_to(shared, good.shape)]).T
        over = state.t >= self.spec.horizon
        team = self.spec.team_mean(reward)
        return state, Step(self.observe(state), reward, team, jnp.zeros_like(over), over)

    def observe(self, state: State) -> Observation:
        others = observations.rows(observations.others(observations.between(state.pos, state.pos)))
        there = observations.rows(observations.between(state.pos, state.landmarks))
        known = jnp.concatenate([there, others], axis=1)
        goal, spies = self.target(state) - state.pos, self.adversaries
        blind = jnp.concatenate([known[:spies], jnp.zeros_like(goal[:spies])], axis=1)
        told = jnp.concatenate([goal[spies:], known[spies:]], axis=1)
        return observations.observation(jnp.concatenate([blind, told]), state.t)

    def scene(self, state: State) -> Scene:
        return Scene(
            agents=state.pos,
            objects=state.landmarks,
            agent_radii=(0.15,) * self.spec.agents,
            object_radii=(0.08,) * self.landmarks,
            highlighted=jnp.arange(self.landmarks)[:, None] == state.goal,
        )
