"""A world of one's own: two walkers on a line are paid when they meet.

It is written for one copy, as one thinks of it, and `Vectorised` lifts it to the many copies that
training steps at once. To prove that it keeps the protocol, run `python examples/my_environment.py`;
to train in it

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
    """Each sees where both are, itself first; it steps left, stays, or steps right, but not off the line."""

    spec: Spec
    places: int

    def __init__(self, places: int, horizon: int):
        self.places = places
        self.spec = Spec(("walker_0", "walker_1"), features=2, actions=3, horizon=horizon)

    def observe(self, state: State) -> Observation:
        place, last = state.place, self.places - 1
        return Observation(
            agents=jnp.stack([place, place[::-1]], axis=-1) / last,
            state=jnp.zeros(0),  # none but what they see
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
    """Two walkers on a line are paid 1 when they meet; passing each other does not count."""
    return Vectorised(Rendezvous(places, horizon))


if __name__ == "__main__":
    check_environment(rendezvous())
