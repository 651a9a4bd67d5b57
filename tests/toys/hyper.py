"""Small hyper_mappos, and rollouts of them on random observations."""

from dataclasses import fields, replace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from covey.algorithms.hyper_mappo import HyperMAPPO
from covey.algorithms.on_policy.regularisers import Regularisers
from covey.algorithms.ppo import PPO
from covey.core import Observation, Spec, Trajectory
from covey.networks.agents import FeedForward, Recurrent
from covey.networks.hypernetworks import Hypernetwork
from covey.parts import Factory

SPEC = Spec(("a", "b"), features=3, actions=3, horizon=9)
BOX = replace(SPEC, bounds=(-1.0, 1.0))
SMALL = Factory(Recurrent, hidden=4, norm=True, gain=1.0)
PLAIN = Factory(FeedForward, hidden=4, depth=1, gain=1.0)
N, T = 3, 12


def hyper_mappo(net=PLAIN, ppo=(), hyper=(), **options):
    base = {"actor": net, "critic": net, "epochs": 1, "chunk": 5, "sharing": "all"} | dict(ppo)
    sizes = {"width": 8, "heads": 2} | dict(hyper)
    terms = {f.name: options.pop(f.name) for f in fields(Regularisers) if f.name in options}
    made = {
        "ppo": PPO(**base),
        "hyper": Factory(Hypernetwork, **sizes),
        "regularisers": Regularisers(**terms),
    }
    return HyperMAPPO(**made, **options)


def with_terms(algorithm, **terms):
    """The same algorithm with other regularisers."""
    return replace(algorithm, regularisers=replace(algorithm.regularisers, **terms))


def stirred(algorithm, spec=SPEC, size=0.3):
    """A learner whose hypernetwork has moved away from zero."""
    learner = algorithm.init(spec, jr.key(0))
    stir = lambda n, x: x + size * jr.normal(jr.key(n), x.shape)
    leaves, structure = jax.tree.flatten(learner.hyper)
    moved = jax.tree.unflatten(structure, [stir(n, x) for n, x in enumerate(leaves)])
    return replace(learner, hyper=moved)


def sights(spec, seed=0):
    """Random observations of N copies at T+1 moments; an episode starts at the first, others later."""
    rng = np.random.default_rng(seed)
    real = lambda *shape: jnp.asarray(rng.normal(size=(N, T + 1, *shape)), jnp.float32)
    first = rng.random((N, T + 1)) < 0.2
    first[:, 0] = True
    legal = rng.random((N, T + 1, 2, 3)) < 0.8
    legal[..., 0] = True
    alive = rng.random((N, T + 1, 2)) < 0.9
    return Observation(real(2, 3), real(spec.state), *map(jnp.asarray, (legal, alive, first)))


def rolled(algorithm, learner, spec=SPEC, seed=0):
    """A rollout of this learner. The last step before a new episode is the reset, so it is not valid."""
    obs, start = sights(spec, seed), algorithm.init_carry(spec, learner)

    def one(obs, key):
        def tick(carry, x):
            now, key = x
            carry = jax.tree.map(lambda new, old: jnp.where(now.first, new, old), start, carry)
            carry, action, extras = algorithm.act(learner, carry, now, key, jnp.array(0), True)
            return carry, (action, extras)

        now = jax.tree.map(lambda x: x[:-1], obs)
        return jax.lax.scan(tick, start, (now, jr.split(key, T)))[1]

    action, extras = jax.vmap(one)(obs, jr.split(jr.key(seed), N))
    reward = jr.normal(jr.key(seed), (N, T, 2))
    team = jnp.mean(reward, axis=-1, keepdims=True)
    return Trajectory(obs, action, reward, team, jnp.zeros((N, T), bool), ~obs.first[:, 1:], extras)


def chunks_of(algorithm, learner, batch):
    return algorithm.ppo.make_chunks(learner.ppo, batch, algorithm.chunk_length(learner))


def gradients(algorithm, learner, chunk):
    """Return the gradients of the actor's and the hypernetwork's parameters, and all metrics."""
    loss = lambda params: algorithm.loss(params, learner, chunk, 0.01)
    return jax.grad(loss, has_aux=True)((learner.ppo.actor, learner.hyper))


def reached(tree):
    """True if any of it has a gradient."""
    return any(float(jnp.abs(x).max()) > 0 for x in jax.tree.leaves(tree) if x.size)
