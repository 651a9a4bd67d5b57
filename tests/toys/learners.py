"""Small algorithms, one of each kind that the loop must support."""

from typing import ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr

from covey.core import AbstractAlgorithm, AbstractExperience, Traits
from covey.experience import OnPolicy, Replay
from covey.networks.agents import AbstractAgent, AgentNetworks, Recurrent
from covey.networks.interface import NetworkInterface, observation_parts
from covey.networks.layers import MLP, Linear
from covey.ops import descend, init_opt_state, init_target, masked, mean, named, take, td_lambda
from covey.parts import AbstractOptimiser, AbstractTarget, Adam, ConstantSchedule, Factory, SoftTarget


class Reinforce(AbstractAlgorithm):
    """On-policy, recurrent: log pi(u) (G - the batch's mean G)."""

    traits: ClassVar[Traits] = Traits(False, True, True, False, True, True)
    experience: AbstractExperience = OnPolicy()
    agent: Factory[AbstractAgent] = Factory(Recurrent, hidden=16)
    optimiser: AbstractOptimiser = Adam(ConstantSchedule(1e-2))

    def init(self, spec, key):
        interface = NetworkInterface(observation_parts(spec), actions=spec.actions)
        networks = AgentNetworks(self.agent, spec, interface, "none", key=key)
        return networks, init_opt_state(self.optimiser, networks)

    def init_carry(self, spec, learner):
        return learner[0].init_carry()

    def act(self, learner, carry, obs, key, step, explore):
        after, logits = learner[0].step(carry, obs.agents)
        logits = masked(logits, obs.legal)
        action = jr.categorical(key, logits) if explore else jnp.argmax(logits, axis=-1)
        return after, action, carry

    def loss(self, networks, batch):
        def one(t):
            _, logits = networks.unroll(t.extras[0], t.current_obs.agents, t.current_obs.first)
            log_pi = take(jax.nn.log_softmax(masked(logits, t.current_obs.legal)), t.action)
            later = jnp.zeros_like(t.team_reward)  # no critic
            return log_pi, td_lambda(t.team_reward, later, t.terminated, t.valid, 1.0, 1.0)

        log_pi, returns = jax.vmap(one)(batch)
        loss = -mean(log_pi * (returns - jnp.mean(returns, axis=0)), batch.valid)
        return loss, {"loss": loss}

    def update(self, learner, batch, key, step):
        networks, state, metrics = descend(self.optimiser, self.loss, *learner, batch)
        return (networks, state), metrics


class FastWeights(AbstractAgent):
    """An actor whose carry is its weights M: M += v k', output M q (Schlag et al., 2021)."""

    write: Linear
    key: Linear
    query: Linear

    def __init__(self, i, o, *, hidden=8, key):
        self.write = Linear(i, o, key=named(key, "write"))
        self.key = Linear(i, hidden, key=named(key, "key"))
        self.query = Linear(i, hidden, key=named(key, "query"))

    @property
    def carry_size(self):
        return self.write.bias.shape[-1] * self.key.bias.shape[-1]

    def step(self, h, x):
        v, k, q = self.write(x), jnp.tanh(self.key(x)), self.query(x)
        weights = h.reshape(*v.shape, -1) + v[..., None] * k[..., None, :]
        return weights.reshape(h.shape), jnp.sum(weights * q[..., None, :], axis=-1)

    def unroll(self, h, xs, first):
        tick = lambda h, x: self.step(jnp.where(x[1], 0.0, h), x[0])
        return jax.lax.scan(tick, h, (xs, first))


class Networks(eqx.Module):
    actor: MLP
    critic: MLP

    def value(self, obs, action):
        return self.critic(jnp.concatenate([obs, action], axis=-1))[..., 0]


class DDPG(AbstractAlgorithm):
    """Off-policy, continuous actions (Lillicrap et al., 2016); one network for all."""

    traits: ClassVar[Traits] = Traits(False, False, False, True, False, False)
    experience: AbstractExperience = Replay(capacity=4000, batch_size=64, window=1, steps=4, updates=2)
    optimiser: AbstractOptimiser = Adam(ConstantSchedule(3e-3))
    target: AbstractTarget = SoftTarget(0.02)

    def init(self, spec, key):
        actor = MLP(spec.features, 16, spec.actions, key=named(key, "actor"))
        critic = MLP(spec.features + spec.actions, 32, 1, key=named(key, "critic"))
        online = Networks(actor, critic)
        return online, init_target(online), init_opt_state(self.optimiser, online)

    def init_carry(self, spec, learner):
        return None

    def act(self, learner, carry, obs, key, step, explore):
        action = jnp.tanh(learner[0].actor(obs.agents))
        noise = 0.3 * explore * jr.normal(key, action.shape)
        return None, jnp.clip(action + noise, -1.0, 1.0), None

    def loss(self, online, target, batch):
        def one(t):
            now, later = t.current_obs.agents, t.next_obs.agents
            y = t.reward + 0.9 * ~t.terminated[:, None] * target.value(later, jnp.tanh(target.actor(later)))
            judge = jax.lax.stop_gradient(online)
            critic = (jax.lax.stop_gradient(y) - online.value(now, t.action)) ** 2
            return critic - judge.value(now, jnp.tanh(online.actor(now)))

        loss = mean(jax.vmap(one)(batch), batch.valid)
        return loss, {"loss": loss}

    def update(self, learner, batch, key, step):
        online, target, state = learner
        online, state, metrics = descend(self.optimiser, self.loss, online, state, target.network, batch)
        return (online, self.target(online, target, jnp.zeros((), int)), state), metrics
