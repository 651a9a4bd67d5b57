"""How hyper_mappo learns: switched off it is mappo, bit for bit, on it is not; it starts from others."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from covey.environments.games import TwoStep
from covey.environments.probes import Death, Meeting
from covey.errors import UserError
from covey.parts import Adam, ConstantSchedule, HardTarget
from covey.runs.checkpoint import named_leaves, path_from_part, restore_part, save
from covey.testing import check_algorithm
from covey.training.costs import cost
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer
from toys.hyper import PLAIN, SMALL, SPEC, hyper_mappo, rolled

WORLDS = {
    "deaths, without memory": (Death(), PLAIN, {"minibatches": 2, "critic_input": "agent"}),
    "real numbers, with memory": (Meeting(2), SMALL, {"epochs": 2}),
}
QUICK = Adam(ConstantSchedule(1e-2))


def learned(algorithm, env, iterations=3):
    trainer = Trainer(env, (LearnerSlot("team", algorithm, tuple(range(env.spec.agents))),), 4, 6)
    run = jax.jit(lambda key: jax.lax.scan(trainer.iteration, trainer.init(key), jnp.arange(iterations)))
    state, (told, _) = run(jr.key(0))
    return state.learners[0], told


@pytest.mark.slow
@pytest.mark.parametrize(("env", "net", "options"), WORLDS.values(), ids=WORLDS)
def test_off_is_mappo_to_the_bit(env, net, options):
    # Would break: a draw, an order of operations or an optimiser's state that hyper_mappo does not share
    # with mappo. With increments on, three updates must not lead to the same place.
    off, on = hyper_mappo(net, options, layers="none"), hyper_mappo(net, options, optimiser=QUICK)
    (base, told), (same, too), (other, _) = (learned(a, env) for a in (off.ppo, off, on))
    leaves = [named_leaves(x) for x in (base, same.ppo, other.ppo)]
    assert len(jax.tree.leaves(base)) == len(jax.tree.leaves(same)) and set(told) == set(too)
    for (name, mine), (_, theirs), _ in zip(*leaves, strict=True):
        np.testing.assert_array_equal(mine, theirs, err_msg=name)
    moved = [name for (name, x), _, (_, y) in zip(*leaves, strict=True) if not np.array_equal(x, y)]
    assert any("actor" in name for name in moved)
    for name in told:
        np.testing.assert_array_equal(told[name], too[name])


@pytest.mark.slow
def test_a_hypernetwork_that_never_moves_changes_nothing():
    # Would break: increments that are not zero at first, scales that are not one, a term that is not an
    # addition. Only rounding may differ: the same sums, fused otherwise.
    env, net, options = WORLDS["deaths, without memory"]
    on = hyper_mappo(
        net, options, layers="all", optimiser=Adam(ConstantSchedule(0.0)), smooth_weight=0.0, align_weight=0.0
    )
    base, still = learned(on.ppo, env)[0], learned(on, env)[0]
    for mine, theirs in zip(jax.tree.leaves(base), jax.tree.leaves(still.ppo), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_its_own_optimiser_clip_and_target():
    # Would break: gradients clipped together, rates swapped, a target that counts updates, not steps. Adam's
    # first moment after a step is a tenth of the clipped gradient.
    adam = lambda clip: Adam(ConstantSchedule(1e-2), clip=clip)
    algorithm = hyper_mappo(
        ppo={"minibatches": 3, "actor_optimiser": adam(1e-2)},
        optimiser=adam(1e-3),
        align_to="target",
        target=HardTarget(2),
    )
    learner = algorithm.init(SPEC, jr.key(0))
    batch = rolled(algorithm, learner)
    update = lambda a: jax.jit(lambda x: a.update(x, batch, jr.key(1), jnp.array(0)))(learner)[0]
    norm = lambda x: float(jnp.sqrt(sum(jnp.sum(y**2) for y in jax.tree.leaves(x))))
    same = lambda x, y: all(map(np.array_equal, jax.tree.leaves(x), jax.tree.leaves(y)))
    after = update(replace(algorithm, ppo=replace(algorithm.ppo, minibatches=1)))
    assert norm(after.ppo.actor_opt_state.state[1].mu) == pytest.approx(1e-3, rel=1e-3)
    assert norm(after.hyper_opt_state.state[1].mu) == pytest.approx(1e-4, rel=1e-3)
    assert int(after.steps) == 1 and same(after.target.network, learner.hyper)
    later = update(algorithm)
    assert int(later.steps) == 3 and not same(later.target.network, learner.hyper)
    assert not same(later.target.network, later.hyper)


KEEPERS = {
    "without memory": (hyper_mappo(hyper={"history": "kl_weighted"}), Meeting(2)),
    "with memory": (hyper_mappo(SMALL, hyper={"history": "recurrent"}, compose="accumulate"), TwoStep()),
}


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "env"), KEEPERS.values(), ids=KEEPERS)
def test_the_protocol_is_kept(algorithm, env):
    # Would break: anything `check_algorithm` looks for.
    check_algorithm(algorithm, env)


def test_costs_are_told_beforehand():
    # Would break: parameters of optimisers or targets among those counted, lines for what is switched off.
    algorithm = hyper_mappo()
    learner = algorithm.init(SPEC, jr.key(0))
    count = lambda x: sum(leaf.size for leaf in jax.tree.leaves(x))
    own = count((learner.ppo.actor, learner.ppo.critic, learner.ppo.scale))
    plain, whole = cost(algorithm.ppo, SPEC), cost(algorithm, SPEC)
    assert plain.parameters == own and whole.parameters == own + count(learner.hyper)
    assert whole.flops > plain.flops > 0 and whole.extras > plain.extras > 0
    assert [line.split(":")[0] for line in algorithm.notes(SPEC, 2, 5)] == ["mappo", "hyper_mappo"]
    assert replace(algorithm, layers="none").notes(SPEC, 2, 5) == []


def test_parts_of_another_run(tmp_path):
    # Would break: a part taken from elsewhere in the tree, whatever else was learned with it; another shape
    # taken without a word; seeds that are not there.
    algorithm, path = hyper_mappo(), tmp_path / "last.npz"
    seeds = lambda x, n: jax.tree.map(lambda y: jnp.stack([y + k for k in range(n)]), x)
    save(path, [{"learners": (seeds(algorithm.ppo.init(SPEC, jr.key(1)), 2),)}], {"mark": {}})
    mine = (seeds(algorithm.init(SPEC, jr.key(0)), 3),)
    found = restore_part(path, mine, "actor")[0]
    assert found.hyper is None or not jax.tree.leaves(found.hyper)
    assert jax.tree.leaves(found.ppo.critic) == []
    wanted = jax.tree.leaves(algorithm.ppo.init(SPEC, jr.key(1)).actor)
    for x, y in zip(jax.tree.leaves(found.ppo.actor), wanted, strict=True):
        np.testing.assert_array_equal(x, np.stack([y, y + 1, y]))
    with pytest.raises(UserError, match=r"no part 'actr' \(did you mean actor\?\)"):
        restore_part(path, mine, "actr")
    with pytest.raises(UserError, match=r"it has no learners\.0\.hyper\."):
        restore_part(path, mine, "hyper")
    wide = (seeds(algorithm.init(replace(SPEC, features=5), jr.key(0)), 3),)
    with pytest.raises(UserError, match=r"actor\.networks.* is float32\[2, 5, 4\], not float32\[3, 7, 4\]"):
        restore_part(path, wide, "actor")
    assert path_from_part("learners.1.ppo.actor.networks.0", "actor") == "learners.1.actor.networks.0"
    assert path_from_part("learners.1.ppo.actor_opt_state.0", "actor") == ""
