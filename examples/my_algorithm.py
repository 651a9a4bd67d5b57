"""An algorithm of your own: each agent values its own actions and learns from single transitions.

    y_i = r_i + gamma (1 - term) max_u Q'(o'_i, u),        loss = mean_i (y_i - Q(o_i, u_i))^2

One feed-forward network serves all agents (independent Q-learning, Tan, 1993; Mnih et al., 2015).
Train it with

    covey train examples/my_algorithm.py:Independent spread gamma=.9 hidden=128 --steps 200000
"""

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from covey.core import AbstractAlgorithm, AbstractExperience, OptState, Target, Traits, Trajectory
from covey.experience import Replay
from covey.networks import MLP
from covey.ops import descend, epsilon_greedy, init_opt_state, init_target, masked, mean, take
from covey.parts import AbstractOptimiser, AbstractSchedule, AbstractTarget, Adam, LinearSchedule, SoftTarget


class Learner(NamedTuple):
    online: MLP
    target: Target[MLP]
    opt_state: OptState
    updates: Int[Array, ""]


class Independent(AbstractAlgorithm):
    traits: ClassVar[Traits] = Traits(
        centralised=False,
        on_policy=False,
        discrete=True,
        continuous=False,
        recurrent=False,
        cooperative=False,
    )
    experience: AbstractExperience = Replay(capacity=50_000, batch_size=128, window=1, steps=4)
    hidden: int = 64
    gamma: float = 0.99
    epsilon: AbstractSchedule = LinearSchedule(1.0, 0.05, 50_000)
    target: AbstractTarget = SoftTarget(0.01)
    optimiser: AbstractOptimiser = Adam()

    def init(self, spec, key):
        online = MLP(spec.features, self.hidden, self.hidden, spec.actions, key=key)
        return Learner(
            online, init_target(online), init_opt_state(self.optimiser, online), jnp.zeros((), int)
        )

    def init_carry(self, spec, learner):
        return None

    def act(self, learner, carry, obs, key, step, explore):
        epsilon = self.epsilon(step) if explore else 0.0
        return None, epsilon_greedy(learner.online(obs.agents), obs.legal, epsilon, key), None

    def td_error(self, online: MLP, target: MLP, t: Trajectory) -> Float[Array, "T agents"]:
        """Return the errors of one window; an agent that is gone has no future."""
        best = jnp.max(masked(target(t.next_obs.agents), t.next_obs.legal), axis=-1)
        goes_on = ~t.terminated[:, None] & t.next_obs.alive
        y = t.reward + self.gamma * goes_on * best
        return t.current_obs.alive * (jax.lax.stop_gradient(y) - take(online(t.current_obs.agents), t.action))

    def loss(self, online, target, batch):
        error = jax.vmap(self.td_error, in_axes=(None, None, 0))(online, target, batch)
        loss = mean(error**2, batch.valid)
        return loss, {"loss": loss}

    def update(self, learner, batch, key, step):
        online, opt_state, metrics = descend(
            self.optimiser, self.loss, learner.online, learner.opt_state, learner.target.network, batch
        )
        updates = learner.updates + 1
        target = self.target(online, learner.target, updates)
        return Learner(online, target, opt_state, updates), metrics
