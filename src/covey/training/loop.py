"""The training loop: collect, remember, learn, repeated over time. It names no algorithm.

All agents act and are recorded in one joint trajectory. Each learner slot (a learner and the agents it
controls) then learns from the part of it that its own experience keeps.
"""

from collections.abc import Callable
from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Int, PRNGKeyArray, PyTree, Shaped, UInt32

from ..core import AbstractEnvironment, Action, Metrics, Observation, Spec, Step, Trajectory
from ..ops import named, pooled
from .learners import LearnerSlot, RolloutShape, UpdateContext, learning_slots, observe_as
from .rollout import Actors, Rollout, first_episodes, rollout


class TrainState(eqx.Module):
    """The state of one seed: arrays all the way down."""

    learners: tuple[PyTree[Array], ...]
    buffers: tuple[PyTree[Array], ...]
    actors: Actors
    steps: Int[Array, ""]
    key: PRNGKeyArray  # never changes: every draw folds its purpose and its time into it


def where_over(over: Bool[Array, " n"], new: PyTree, old: PyTree) -> PyTree:
    """Return `new` where `over`, else `old`, along the first axis."""
    spread = lambda x: over.reshape(-1, *[1] * (x.ndim - 1))
    return jax.tree.map(lambda n, o: jnp.where(spread(o), n, o), new, old)


def bit_sums(tree: PyTree[Array]) -> UInt32[Array, " leaves"]:
    """Return a fingerprint: for each leaf the sum of its bits, read as whole numbers."""

    def leaf(x):
        x = x.astype(jnp.uint32) if x.dtype.itemsize != 4 else jax.lax.bitcast_convert_type(x, jnp.uint32)
        return jnp.sum(x, dtype=jnp.uint32)

    return jnp.stack([leaf(x) for x in jax.tree.leaves(tree)] or [jnp.zeros((), jnp.uint32)])


class Trainer(eqx.Module):
    """The loop for one seed: an iteration takes `length` steps in each of `copies` of an environment."""

    env: AbstractEnvironment
    slots: tuple[LearnerSlot, ...]
    copies: int = eqx.field(static=True)
    length: int = eqx.field(static=True)

    @property
    def spec(self) -> Spec:
        return self.env.spec

    @property
    def shape(self) -> RolloutShape:
        return RolloutShape(self.spec, self.copies, self.length)

    @property
    def learning(self) -> tuple[LearnerSlot, ...]:
        """The slots that learn, or all of them where none does."""
        return tuple(learning_slots(self.slots))

    def init_carries(self, learners: tuple, n: int) -> tuple[PyTree[Array], ...]:
        """Return the carries with which episodes begin."""
        pairs = zip(self.slots, learners, strict=True)
        one = tuple(slot.algorithm.init_carry(slot.spec(self.spec), learner) for slot, learner in pairs)
        return jax.tree.map(lambda x: jnp.broadcast_to(x, (n, *x.shape)), one)

    def begin(self, learners: tuple, key: PRNGKeyArray, n: int) -> Actors:
        env, obs = self.env.reset(key, n)
        teams = len(self.spec.teams)
        return Actors(env, obs, self.init_carries(learners, n), jnp.zeros(n, bool), jnp.zeros((n, teams)))

    def act(
        self, learners: tuple, carry: tuple, obs: Observation, key: PRNGKeyArray, steps, explore: bool
    ) -> tuple[tuple, Shaped[Array, "n agents ..."], dict[str, PyTree[Array]]]:
        """Return all slots' carries, the joint action, and each slot's extras by its name.

        A carry is reset where an episode begins.
        """
        n = obs.first.shape[0]
        carry = where_over(obs.first, self.init_carries(learners, n), carry)
        action = jnp.zeros((n, *self.spec.action_shape), self.spec.action_type)
        carries = []
        all_extras = {}
        for slot, learner, own in zip(self.slots, learners, carry, strict=True):
            one = lambda m, o, k, slot=slot, learner=learner: slot.algorithm.act(
                learner, m, o, k, steps, explore
            )
            keys = jr.split(named(key, slot.name), n)
            own, acted, extras = jax.vmap(one)(own, observe_as(slot, obs), keys)
            acted = acted.astype(self.spec.action_type)
            everyone = len(slot.members) == self.spec.agents
            action = acted if everyone else action.at[:, np.array(slot.members)].set(acted)
            carries.append(own)
            all_extras[slot.name] = extras
        return tuple(carries), action, all_extras

    def restart(self, key: PRNGKeyArray, over: Bool[Array, " n"], env: PyTree, obs: Observation):
        """Return the copies' states and observations, reset where an episode is over."""
        new_env, new_obs = self.env.reset(key, over.shape[0])
        env = jax.tree.map(lambda new, old: jnp.where(over, new, old), new_env, env)
        return env, where_over(over, new_obs, obs)

    def tick(
        self,
        learners: tuple,
        actors: Actors,
        key: PRNGKeyArray,
        steps,
        explore: bool,
        action: Action | None = None,
    ) -> tuple[Actors, Trajectory, Metrics]:
        """Take one step in every copy; a copy whose episode is over is reset instead.

        `action` is played instead of the learners' own.
        """
        carry, chosen, extras = self.act(
            learners, actors.carry, actors.obs, named(key, "act"), steps, explore
        )
        action = chosen if action is None else action.astype(chosen.dtype)
        env, step = self.env.step(actors.env, action, named(key, "step"))
        again = lambda: self.restart(named(key, "reset"), actors.over, env, step.obs)
        # No copy needs a reset most of the time: under `cond` it is then not computed.
        env, obs = jax.lax.cond(jnp.any(actors.over), again, lambda: (env, step.obs))
        after, ended = self.absorb(actors, step)
        after = replace(after, env=env, obs=obs, carry=carry)
        return after, self.taken(actors, action, step, extras), ended

    def absorb(self, actors: Actors, step: Step) -> tuple[Actors, Metrics]:
        """Return the actors with their returns so far, and the sums over episodes that end here."""
        valid = ~actors.over
        over = (step.terminated | step.truncated) & valid
        returns = jnp.where(actors.over[:, None], 0.0, actors.returns + step.team_reward)
        ended = {"episodes": jnp.sum(over), "returns": jnp.sum(returns * over[:, None], axis=0)}
        return replace(actors, over=over, returns=returns), ended

    def taken(self, actors: Actors, action: Array, step: Step, extras: dict[str, PyTree]) -> Trajectory:
        """Return a step as the rollout keeps it; its `obs` is the one that was acted on."""
        valid = ~actors.over
        rewards = (step.reward, step.team_reward, step.counts)
        zeros = jax.tree.map(jnp.zeros_like, rewards)
        reward, team_reward, counts = where_over(valid, rewards, zeros)
        ends = step.terminated & valid
        return Trajectory(actors.obs, action, reward, team_reward, ends, valid, extras, None, counts)

    def rollout(
        self,
        learners: tuple,
        actors: Actors,
        key: PRNGKeyArray,
        steps,
        length: int,
        explore: bool = True,
        record: Callable[[Actors], PyTree] = lambda actors: None,
        actions: Shaped[Array, "n T agents ..."] | None = None,
    ) -> Rollout:
        """Take `length` steps in every copy. `actions` are played instead of the learners' own."""
        learners = tuple(slot.prepare(x) for slot, x in zip(self.slots, learners, strict=True))

        def tick(actors, t):
            action = None if actions is None else actions[:, t]
            return self.tick(learners, actors, named(key, t), steps, explore, action)

        return rollout(tick, actors, length, record)

    def episodes(
        self,
        learners: tuple,
        key: PRNGKeyArray,
        steps: Int[Array, ""],
        n: int,
        record: Callable[[Actors], PyTree] = lambda actors: None,
    ) -> Rollout:
        """Play greedily in n copies from their beginning, for as long as the longest episode."""
        actors = self.begin(learners, named(key, "begin"), n)
        return self.rollout(learners, actors, key, steps, self.spec.horizon, False, record)

    def collect(self, state: TrainState, clock: Int[Array, ""]) -> tuple[TrainState, Trajectory, Metrics]:
        key = named(state.key, "collect", clock)
        actors, joint, ended, _ = self.rollout(state.learners, state.actors, key, state.steps, self.length)
        state = replace(state, actors=actors, steps=state.steps + jnp.sum(joint.valid))
        return state, joint, ended

    def remember(self, state: TrainState, joint: Trajectory, clock: Int[Array, ""]) -> TrainState:
        """Add to every slot's buffer what its experience keeps of the rollouts."""
        buffers = tuple(
            slot.algorithm.experience.add(buffer, slot.own_rollouts(joint), clock)
            for slot, buffer in zip(self.slots, state.buffers, strict=True)
        )
        return replace(state, buffers=buffers)

    def learn(
        self, state: TrainState, joint: Trajectory, clock: Int[Array, ""]
    ) -> tuple[TrainState, Metrics]:
        """Update every learner, each from the state before."""
        context = UpdateContext(state.key, clock, state.steps)
        learners = []
        metrics = {}
        for slot, learner, buffer in zip(self.slots, state.learners, state.buffers, strict=True):
            learner, own = slot.improve(learner, buffer, slot.own_rollouts(joint), context, self.shape)
            learners.append(learner)
            metrics |= {slot.label(name, self.slots): value for name, value in own.items()}
        return replace(state, learners=tuple(learners)), metrics

    def iteration(
        self, state: TrainState, clock: Int[Array, ""]
    ) -> tuple[TrainState, tuple[Metrics, Metrics]]:
        state, joint, ended = self.collect(state, clock)
        state = self.remember(state, joint, clock)
        state, metrics = self.learn(state, joint, clock)
        return state, (metrics, collecting_metrics(state, joint, ended))

    def init_learners(self, key: PRNGKeyArray) -> tuple[PyTree[Array], ...]:
        """Return each slot's new learner."""
        return tuple(
            slot.algorithm.init(slot.spec(self.spec), named(key, "init", slot.name)) for slot in self.slots
        )

    def init(self, key: PRNGKeyArray) -> TrainState:
        learners = self.init_learners(key)
        actors = self.begin(learners, named(key, "begin"), self.copies)

        def own_rollouts(learners, actors, key, steps):
            joint = self.rollout(learners, actors, key, steps, self.length).trajectory
            return [slot.own_rollouts(joint) for slot in self.slots]

        shapes = eqx.filter_eval_shape(own_rollouts, learners, actors, key, jnp.array(0))
        pairs = zip(self.slots, shapes, strict=True)
        buffers = tuple(slot.algorithm.experience.init(self.spec, like) for slot, like in pairs)
        # `zeros((), int)` is strongly typed; a weak type would not fit the scan's carry.
        return TrainState(learners, buffers, actors, jnp.zeros((), int), key)

    def chunk(
        self, state: TrainState, clocks: Int[Array, " chunk"]
    ) -> tuple[TrainState, Metrics, tuple[UInt32[Array, " leaves"], ...]]:
        """Run the iterations between two reports; return their metrics and the learners' fingerprints."""
        one = lambda state, clock: self.iteration(
            state, clock
        )  # a bound method would be hashed, arrays and all
        state, (learning, collecting) = jax.lax.scan(one, state, clocks)
        return state, pooled(learning) | collecting, tuple(bit_sums(learner) for learner in state.learners)

    def evaluate(
        self, learners: tuple, key: PRNGKeyArray, steps: Int[Array, ""], episodes: int
    ) -> dict[str, PyTree[Array]]:
        """Return greedy episodes' returns by team and by agent, lengths, and the world's counts."""
        return first_episodes(self.episodes(learners, key, steps, episodes).trajectory)


def collecting_metrics(state: TrainState, joint: Trajectory, ended: Metrics) -> Metrics:
    """Return the metrics of collecting, which are the same whoever learns from it."""
    inputs = (joint.obs.agents, joint.obs.state, joint.reward, joint.team_reward)
    finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in inputs]))
    return ended | {"steps": state.steps, "seen": bit_sums(joint.action)[0], "finite": finite}
