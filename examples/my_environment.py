"""A world of your own: two walkers on a line are rewarded when they meet.

It is written for one copy, and `Vectorised` lifts it to the many copies that training steps at once. Prove
that it keeps the protocol with `python examples/my_environment.py`, and train in it with

    covey train qmix examples/my_environment.py:rendezvous env.places=9 --steps 50000
"""

import equinox as eqx
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Int, PRNGKeyArray

from covey.core import Observation, Spec, Step, Vectorised
from covey.testing import check_environment


class State(eqx.Module):
    place: Int[Array, "2"]
    t: Int[Array, ""]


class Rendezvous(eqx.Module):
    """Each walker observes both places, its own first; it steps left, stays, or steps right on the line."""

    spec: Spec
    places: int

    def __init__(self, places: int, horizon: int):
        self.places = places
        self.spec = Spec(("walker_0", "walker_1"), features=2, actions=3, horizon=horizon)

    def observe(self, state: State) -> Observation:
        place = state.place
        last = self.places - 1
        return Observation(
            agents=jnp.stack([place, place[::-1]], axis=-1) / last,
            state=jnp.zeros(0),  # none: the observations are the state
            legal=jnp.stack([place > 0, jnp.ones(2, bool), place < last], axis=-1),
            alive=jnp.ones(2, bool),
            first=state.t == 0,
        )

    def reset(self, key: PRNGKeyArray) -> tuple[State, Observation]:
        state = State(jr.choice(key, self.places, (2,), replace=False), jnp.zeros((), int))
        return state, self.observe(state)

    def step(self, state: State, action: Int[Array, "2"], key: PRNGKeyArray) -> tuple[State, Step]:
        state = State(state.place + action - 1, state.t + 1)
        met = state.place[0] == state.place[1]
        reward = jnp.broadcast_to(1.0 * met, 2)
        late = (state.t >= self.spec.horizon) & ~met
        return state, Step(
            self.observe(state), reward, self.spec.team_mean(reward), met, late, {"won": 1.0 * met}
        )


def rendezvous(places: int = 5, horizon: int = 10) -> Vectorised:
    """Two walkers on a line are rewarded with 1 when they meet; passing each other does not count."""
    return Vectorised(Rendezvous(places, horizon))


if __name__ == "__main__":
    check_environment(rendezvous())
