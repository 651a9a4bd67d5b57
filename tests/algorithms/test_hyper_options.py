"""Every option of hyper_mappo: what was acted is learned from, and gradients go where they should."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.algorithms.on_policy.regularisers import unroll_policies
from covey.core import Target
from covey.errors import UserError
from covey.networks.increments import chosen_layers, other_layers
from covey.parts import HardTarget
from toys.hyper import (
    BOX,
    PLAIN,
    SMALL,
    SPEC,
    chunks_of,
    gradients,
    hyper_mappo,
    reached,
    rolled,
    stirred,
    with_terms,
)

OPTIONS = {
    "as it comes": hyper_mappo(),
    "own context": hyper_mappo(hyper={"context": "own", "increments": "agent"}),
    "for each agent": hyper_mappo(hyper={"increments": "agent"}),
    "recurrent": hyper_mappo(hyper={"history": "recurrent"}),
    "lstm": hyper_mappo(hyper={"history": "recurrent", "cell": "lstm"}),
    "last k": hyper_mappo(hyper={"history": "last_k", "k": 2}),
    "attention": hyper_mappo(hyper={"history": "attention", "increments": "agent"}),
    "kl weighted": hyper_mappo(hyper={"history": "kl_weighted"}),
    "kl weighted, recurrent actor": hyper_mappo(
        SMALL, hyper={"history": "kl_weighted", "increments": "agent", "context": "own"}
    ),
    "all layers": hyper_mappo(SMALL, layers="all"),
    "everything": hyper_mappo(SMALL, layers="everything"),
    "networks of their own": hyper_mappo(
        SMALL, {"sharing": "none"}, {"increments": "agent"}, layers="everything"
    ),
    "weights": hyper_mappo(output="weights", layers="all"),
    "accumulated": hyper_mappo(compose="accumulate"),
    "low rank": hyper_mappo(hyper={"rank": 1}),
    "over updates": hyper_mappo(smooth_over="update"),
    "to a target": hyper_mappo(align_to="target", target=HardTarget(2)),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_what_was_acted_is_learned_from(name):
    # Would break: an increment that differs between acting and learning: another window, another memory,
    # weights of another step; an option that no gradient reaches; base weights that get one though unused.
    algorithm = OPTIONS[name]
    learner = stirred(algorithm)

    @jax.jit
    def find(learner):
        batch = rolled(algorithm, learner)
        chunk = chunks_of(algorithm, learner, batch)
        likely = lambda c: unroll_policies(learner.hyper, learner.ppo.actor, c)[2].log_prob(c.extras.choice)
        grads, told = gradients(algorithm, learner, chunk)
        return jax.vmap(likely)(chunk), chunk.extras.log_prob, chunk.valid, grads, told

    again, left, valid, (actor, hyper), told = find(learner)
    np.testing.assert_allclose(again[valid], left[valid], atol=2e-5)
    assert float(jnp.std(left[valid])) > 1e-3
    assert all(np.isfinite(x).all() for x in jax.tree.leaves((actor, hyper, told)))
    for part in ("encoder", "head", "attention", "core", "scales", "position"):
        mine = getattr(hyper, part)
        assert mine is None or jax.tree.leaves(mine)[0].size == 0 or reached(mine), part
    unused = algorithm.output == "weights"
    assert reached(chosen_layers(actor.networks.nets, algorithm.layers)) != unused
    assert not other_layers(actor.networks.nets, algorithm.layers) or reached(
        other_layers(actor.networks.nets, algorithm.layers)
    )


def test_the_target_may_play():
    # Would break: the online hypernetwork that plays though the target should, or learning that takes the
    # target's policies for its own.
    algorithm = hyper_mappo(act_with="target")
    learner = stirred(algorithm)

    @jax.jit
    def find(learner):
        batch = rolled(algorithm, learner)
        chunk = chunks_of(algorithm, learner, batch)
        likely = lambda hyper: jax.vmap(
            lambda c: unroll_policies(hyper, learner.ppo.actor, c).policy.log_prob(c.extras.choice)
        )(chunk)
        kl = gradients(algorithm, learner, chunk)[1]["kl"]
        return likely(learner.target.network), likely(learner.hyper), chunk.extras.log_prob, chunk.valid, kl

    target, online, left, valid, kl = find(learner)
    np.testing.assert_allclose(target[valid], left[valid], atol=2e-5)
    assert float(jnp.abs(online[valid] - left[valid]).max()) > 0.1 and float(kl) > 0.01


def test_continuous_actions():
    # Would break: policies of real numbers that are stored, compared or remembered in another shape.
    algorithm = hyper_mappo(hyper={"history": "kl_weighted"}, layers="all")
    learner = stirred(algorithm, BOX)

    @jax.jit
    def find(learner):
        chunk = chunks_of(algorithm, learner, rolled(algorithm, learner, BOX))
        likely = lambda c: unroll_policies(learner.hyper, learner.ppo.actor, c)[2].log_prob(c.extras.choice)
        return jax.vmap(likely)(chunk), chunk.extras.log_prob, chunk.valid

    again, left, valid = find(learner)
    np.testing.assert_allclose(again[valid], left[valid], atol=1e-4)


@pytest.mark.parametrize("context", ["own", "team"])
@pytest.mark.parametrize("history", ["none", "kl_weighted"])
def test_who_needs_communication(context, history):
    # Would break: another agent's observation that reaches an agent whose context is its own, by whatever
    # way; or that does not where it is the team's. Two steps, for what is remembered is seen, too.
    algorithm = hyper_mappo(hyper={"context": context, "increments": "agent", "history": history})
    learner = stirred(algorithm)
    batch = rolled(algorithm, learner)
    obs = jax.tree.map(lambda x: x[0, :2], batch.obs)
    obs = replace(obs, alive=jnp.ones_like(obs.alive), first=jnp.array([True, False]))
    other = replace(obs, agents=obs.agents.at[:, 1].add(1.0))

    def policy(obs):
        carry = algorithm.init_carry(SPEC, learner)
        for t in range(2):
            now = jax.tree.map(lambda x, t=t: x[t], obs)
            carry, _, extras = algorithm.act(learner, carry, now, jr.key(0), jnp.array(0), True)
        return extras.more[1].log_p[0]

    one, two = policy(obs), policy(other)
    assert (np.abs(one - two).max() < 1e-6) == (context == "own")


WRONG = {
    "increments=agent": {"hyper": {"context": "own"}},
    "hyper.increments=agent": {"ppo": {"sharing": "none"}},
    "output=increment": {"output": "weights", "compose": "accumulate"},
    "hyper.rank=0": {"output": "weights", "hyper": {"rank": 2}},
    "never trains: set output=increment": {"output": "weights", "hyper": {"history": "kl_weighted"}},
    "divisor of it": {"hyper": {"heads": 3}},
    "set hyper.limit=0": {"output": "weights", "hyper": {"limit": 1.0}},
    "zero_mean=True moves .* set compose=base": {"zero_mean": True, "compose": "accumulate"},
    "zero_mean=True moves .* set smooth_over=time": {"zero_mean": True, "smooth_over": "update"},
}


@pytest.mark.parametrize(("remedy", "options"), WRONG.items(), ids=WRONG)
def test_what_cannot_be_says_what_can(remedy, options):
    # Would break: combinations that mean nothing, taken without a word.
    with pytest.raises(UserError, match=remedy):
        hyper_mappo(**options).init(SPEC, jr.key(0))


def difference(algorithm, learner, chunk, **options):
    """How far an option moves gradients of the actor, and of the hypernetwork."""
    find = jax.jit(lambda c: [gradients(with_terms(algorithm, **o), learner, c)[0] for o in ({}, options)])
    size = lambda x, y: float(jnp.abs(x - y).max())
    pairs = zip(*find(chunk), strict=True)
    return [max(map(size, jax.tree.leaves(a), jax.tree.leaves(b))) for a, b in pairs]


@pytest.fixture(scope="module")
def still():
    """Without coefficients; increments at two places: a chunk was collected, then the learner moved on."""
    algorithm = hyper_mappo(PLAIN, smooth_weight=0.0, align_weight=0.0)
    learner = stirred(algorithm)
    chunk = jax.jit(
        lambda x: with_terms(algorithm, smooth_weight=1.0).ppo.make_chunks(x.ppo, rolled(algorithm, x), 5)
    )
    return algorithm, learner, chunk(learner), stirred(algorithm, size=0.5)


def test_smoothness_moves_the_hypernetwork_alone(still):
    # Would break: base weights pulled along by what they cancel out of; a coefficient that does nothing.
    algorithm, learner, chunk, _ = still
    actor, hyper = difference(algorithm, learner, chunk, smooth_weight=1.0)
    assert actor == 0 and hyper > 1e-3


def test_alignment_moves_both(still):
    # Would break: an anchor that holds only one of them; log-probabilities of what was taken for a KL.
    algorithm, _, chunk, moved = still
    actor, hyper = difference(algorithm, moved, chunk, align_weight=1.0)
    assert actor > 1e-4 and hyper > 1e-4


def test_a_target_holds_on_to_something_else(still):
    # Would break: align_to=target that still uses the rollout's policies.
    algorithm, learner, chunk, moved = still
    aligned = with_terms(algorithm, align_weight=1.0, align_to="target")
    found = [
        jax.jit(lambda x: gradients(aligned, x, chunk)[1])(replace(moved, target=target))["align_loss"]
        for target in (None, Target(learner.hyper), Target(moved.hyper))
    ]
    assert float(found[0]) > 1e-3 and float(found[1]) == pytest.approx(float(found[0]), rel=1e-3)
    assert float(found[2]) == pytest.approx(0, abs=1e-6)


def test_smoothness_over_updates_is_measured_from_the_start(still):
    # Would break: old increments that are not those of the update's start: 0 there, more once it has moved.
    algorithm, learner, chunk, moved = still
    algorithm = with_terms(algorithm, smooth_weight=1.0, smooth_over="update")
    loss = jax.jit(lambda params, start: algorithm.loss(params, start, chunk, 0.0)[1]["smooth_loss"])
    assert float(loss((learner.ppo.actor, learner.hyper), learner)) == 0
    assert float(loss((learner.ppo.actor, moved.hyper), learner)) > 1e-2
