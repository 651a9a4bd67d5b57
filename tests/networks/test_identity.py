"""Weights by identity: every agent starts with orthogonal weights of its own, whatever makes them."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.core import Spec
from covey.errors import UserError
from covey.networks.actors import Actor
from covey.networks.agents import FeedForward, Recurrent
from covey.networks.distributions import Categorical, Gaussian
from covey.networks.identity import HyperSettings, IdentityNetworks
from covey.networks.layers import Linear
from covey.parts import Factory

SPEC = Spec(("a", "b", "c"), features=4, actions=4, horizon=9)
KINDS = {
    "linear": {"embedding": "one_hot", "depth": 0},
    "linear, learned": {"depth": 0, "embed": 3},
    "mlp": {"hidden": 6, "embed": 5},
    "deep, one-hot": {"embedding": "one_hot", "hidden": 8, "depth": 2},
}
NETS = {
    "feed-forward": Factory(FeedForward, hidden=4, depth=2, gain=0.01),
    "recurrent": Factory(Recurrent, hidden=4, depth=1, gain=0.01),
}


def actor_of(net, hyper=None, sharing="none"):
    return Actor(net, SPEC, sharing, False, True, 0.5, hyper=hyper, key=jr.key(3))


def linear_layers(networks):
    leaves = jax.tree.leaves(networks, is_leaf=lambda x: isinstance(x, Linear))
    return [x for x in leaves if isinstance(x, Linear)]


@pytest.mark.parametrize("net", NETS.values(), ids=NETS.keys())
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_made_weights_start_orthogonal_for_every_agent(kind, net):
    # Would break: a head that starts anywhere else; agents that start alike; a gain that is not PPO's; a
    # layer, a GRU's for one, that is not made.
    actor = actor_of(net, HyperSettings("identity", **kind))
    assert isinstance(actor.networks, IdentityNetworks)
    layers = linear_layers(actor.made().networks)
    assert len(layers) == (3 if net is NETS["feed-forward"] else 8)
    for n, layer in enumerate(layers):
        gain = 0.01 if n == len(layers) - 1 else 2**0.5 if layer is layers[0] or len(layers) == 3 else 1.0
        for w, b in zip(np.asarray(layer.weight), np.asarray(layer.bias), strict=True):
            np.testing.assert_allclose(w @ w.T, gain**2 * np.eye(4), atol=2e-5)
            np.testing.assert_allclose(b, 0, atol=1e-6)
        assert np.abs(layer.weight[0] - layer.weight[1]).max() > 0.1 * gain
    unshared = jax.tree.leaves(actor_of(net).networks)
    for mine, theirs in zip(jax.tree.leaves(actor.made().networks), unshared, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=2e-5)


def test_a_width_below_the_number_of_agents_is_refused():
    # Would break: weights that silently start dependent.
    for name in ("embed", "hidden"):
        with pytest.raises(UserError, match=rf"hyper\.{name}=2 must be at least the number of agents, 3"):
            actor_of(NETS["feed-forward"], HyperSettings("identity", **{name: 2}))


def test_distances_between_agents():
    # Would break: an illegal action that counts, a distance that is not the other way round too, a missing
    # half, a deviation that does not count, a dimension that an agent lacks.
    p = np.array([[0.5, 0.5, 0.0], [0.25, 0.25, 0.5], [0.0, 1.0, 0.0]], np.float32)
    found = Categorical(jnp.log(p + 1e-12), jnp.asarray(p > 0)).distances()
    np.testing.assert_allclose(found, [[0, 0.5, 0.5], [0.5, 0, 0.75], [0.5, 0.75, 0]], atol=1e-6)
    mean = jnp.array([[0.0, 0.0], [3.0, 9.0]])
    deviation = jnp.log(jnp.array([[1.0, 1.0], [5.0, 1.0]]))
    legal = jnp.array([[True, True], [True, False]])
    found = Gaussian(mean, deviation, legal, (-1.0, 1.0), True).distances()
    np.testing.assert_allclose(found, [[0, 5], [5, 0]], atol=1e-6)
