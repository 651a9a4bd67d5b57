"""Collect, remember, learn: one seed, scanned over time. It names no algorithm.

Everybody acts and is recorded in one joint trajectory; each side (a learner and the agents it
controls) then learns from what its own experience makes of it.
"""

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree, Shaped, UInt32

from ..core import AbstractEnvironment, Metrics, Observation, Spec, Step, Trajectory
from ..ops import named, pooled
from .learners import LearnerSlot, observe_as, view_as


class Actors(eqx.Module):
    """n copies of an environment, the agents living in them, and their episode so far."""

    env: PyTree[Array]  # leaves end with n; everywhere else they lead with it
    obs: Observation
    carry: tuple[PyTree[Array], ...]  # one a side
    over: Bool[Array, " n"]
    returns: Float[Array, "n teams"]


class TrainState(eqx.Module):
    learners: tuple[PyTree[Array], ...]
    buffers: tuple[PyTree[Array], ...]
    actors: Actors
    steps: Int[Array, ""]
    key: PRNGKeyArray  # never changes: every draw folds what it is for, and when, into it


def choose(over: Bool[Array, " n"], new: PyTree, old: PyTree) -> PyTree:
    """`new` where `over`, along the first axis."""
    spread = lambda x: over.reshape(-1, *[1] * (x.ndim - 1))
    return jax.tree.map(lambda n, o: jnp.where(spread(o), n, o), new, old)


def bits(tree: PyTree[Array]) -> UInt32[Array, " leaves"]:
    """A fingerprint: per leaf, the sum of its bits read as whole numbers."""

    def leaf(x):
        x = x.astype(jnp.uint32) if x.dtype.itemsize != 4 else jax.lax.bitcast_convert_type(x, jnp.uint32)
        return jnp.sum(x, dtype=jnp.uint32)

    return jnp.stack([leaf(x) for x in jax.tree.leaves(tree)] or [jnp.zeros((), jnp.uint32)])


class Trainer(eqx.Module):
    """The loop for one seed: `copies` of an environment, `length` steps of each an iteration."""

    env: AbstractEnvironment
    slots: tuple[LearnerSlot, ...]
    copies: int = eqx.field(static=True)
    length: int = eqx.field(static=True)

    @property
    def spec(self) -> Spec:
        return self.env.spec

    def init_carries(self, learners: tuple, n: int) -> tuple[PyTree[Array], ...]:
        """What every episode begins with."""
        pairs = zip(self.slots, learners, strict=True)
        one = tuple(slot.algorithm.init_carry(slot.spec(self.spec), learner) for slot, learner in pairs)
        return jax.tree.map(lambda x: jnp.broadcast_to(x, (n, *x.shape)), one)

    def begin(self, learners: tuple, key: PRNGKeyArray, n: int) -> Actors:
        env, obs = self.env.reset(key, n)
        teams = len(self.spec.teams)
        return Actors(env, obs, self.init_carries(learners, n), jnp.zeros(n, bool), jnp.zeros((n, teams)))

    def act(
        self, learners: tuple, carry: tuple, obs: Observation, key: PRNGKeyArray, steps, explore: bool
    ) -> tuple[tuple, Shaped[Array, "n agents ..."], tuple]:
        """Every side acts; memory is laid anew where an episode begins."""
        n = obs.first.shape[0]
        carry = choose(obs.first, self.init_carries(learners, n), carry)
        action = jnp.zeros((n, *self.spec.action_shape), self.spec.action_type)
        after, all_extras = [], []
        for slot, learner, own in zip(self.slots, learners, carry, strict=True):
            one = lambda m, o, k, slot=slot, learner=learner: slot.algorithm.act(
                learner, m, o, k, steps, explore
            )
            keys = jr.split(named(key, slot.name), n)
            own, acted, extras = jax.vmap(one)(own, observe_as(slot, obs), keys)
            acted = acted.astype(self.spec.action_type)
            everyone = len(slot.members) == self.spec.agents
            action = acted if everyone else action.at[:, np.array(slot.members)].set(acted)
            after.append(own)
            all_extras.append(extras)
        return tuple(after), action, tuple(all_extras)

    def restart(self, key: PRNGKeyArray, over: Bool[Array, " n"], env: PyTree, obs: Observation):
        fresh_env, fresh_obs = self.env.reset(key, over.shape[0])
        env = jax.tree.map(lambda f, e: jnp.where(over, f, e), fresh_env, env)
        return env, choose(over, fresh_obs, obs)

    def tick(
        self, learners: tuple, actors: Actors, key: PRNGKeyArray, steps, explore: bool
    ) -> tuple[Actors, Trajectory, Metrics]:
        """One step of every copy; for a copy whose episode is over, that of beginning anew."""
        carry, action, extras = self.act(
            learners, actors.carry, actors.obs, named(key, "act"), steps, explore
        )
        env, step = self.env.step(actors.env, action, named(key, "step"))
        again = lambda: self.restart(named(key, "reset"), actors.over, env, step.obs)
        env, obs = jax.lax.cond(jnp.any(actors.over), again, lambda: (env, step.obs))
        after = self.absorb(actors, step)
        now = replace(after[0], env=env, obs=obs, carry=carry)
        return now, self.record(actors, action, step, extras), after[1]

    def absorb(self, actors: Actors, step: Step) -> tuple[Actors, Metrics]:
        """Episodes' returns so far, and the sums of those that end here."""
        valid = ~actors.over
        over = (step.terminated | step.truncated) & valid
        returns = jnp.where(actors.over[:, None], 0.0, actors.returns + step.team_reward)
        ended = {"episodes": jnp.sum(over), "returns": jnp.sum(returns * over[:, None], axis=0)}
        return replace(actors, over=over, returns=returns), ended

    def record(self, actors: Actors, action: Array, step: Step, extras: tuple) -> Trajectory:
        """A step as the rollout keeps it; its `obs` is the one that was acted on."""
        valid = ~actors.over
        blank = (step.reward, step.team_reward, step.counts)
        reward, team_reward, counts = choose(valid, blank, jax.tree.map(jnp.zeros_like, blank))
        ends = step.terminated & valid
        return Trajectory(actors.obs, action, reward, team_reward, ends, valid, extras, None, counts)

    def rollout(
        self, learners: tuple, actors: Actors, key: PRNGKeyArray, steps, length: int, explore: bool = True
    ) -> tuple[Actors, Trajectory, Metrics]:
        def tick(actors, t):
            actors, record, ended = self.tick(learners, actors, named(key, t), steps, explore)
            return actors, (record, ended)

        actors, (record, ended) = jax.lax.scan(tick, actors, jnp.arange(length))
        record = jax.tree.map(lambda x: jnp.moveaxis(x, 0, 1), record)
        return actors, self.close(record, actors.obs), jax.tree.map(lambda x: jnp.sum(x, 0), ended)

    @staticmethod
    def close(record: Trajectory, last: Observation) -> Trajectory:
        """The T+1st observation."""
        append = lambda xs, x: jnp.concatenate([xs, x[:, None]], axis=1)
        return replace(record, obs=jax.tree.map(append, record.obs, last))

    def collect(self, state: TrainState, clock: Int[Array, ""]) -> tuple[TrainState, Trajectory, Metrics]:
        key = named(state.key, "collect", clock)
        actors, rollouts, ended = self.rollout(state.learners, state.actors, key, state.steps, self.length)
        state = replace(state, actors=actors, steps=state.steps + jnp.sum(rollouts.valid))
        return state, rollouts, ended

    def remember(self, state: TrainState, rollouts: Trajectory, clock: Int[Array, ""]) -> TrainState:
        buffers = tuple(
            slot.algorithm.experience.add(buffer, self.kept(i, rollouts), clock)
            for i, (slot, buffer) in enumerate(zip(self.slots, state.buffers, strict=True))
        )
        return replace(state, buffers=buffers)

    @staticmethod
    def kept(i: int, rollouts: Trajectory) -> Trajectory:
        """What side i may keep: everybody's steps, its own memos."""
        return replace(rollouts, extras=rollouts.extras[i], counts={})

    def learn(
        self, state: TrainState, rollouts: Trajectory, clock: Int[Array, ""]
    ) -> tuple[TrainState, Metrics]:
        learners, metrics = list(state.learners), {}
        for i in range(len(self.slots)):
            learners[i], mine = self.improve(i, state, rollouts, clock)
            metrics |= {self.label(i, name): value for name, value in mine.items()}
        return replace(state, learners=tuple(learners)), metrics

    def rounds(self, i: int) -> int:
        """How many updates side i makes after an iteration, once it is warm."""
        experience = self.slots[i].algorithm.experience
        return experience.updates_per_iteration(self.copies, self.length) if experience.updates else 0

    def warmup(self, i: int) -> int:
        """How many iterations go by before side i's first update."""
        return self.slots[i].algorithm.experience.warmup(self.spec, self.copies, self.length)

    def label(self, i: int, name: str) -> str:
        """A metric's name: with the side's before it where several learn."""
        alone = sum(slot.algorithm.experience.updates > 0 for slot in self.slots) == 1
        return name if alone else f"{self.slots[i].name}/{name}"

    def improve(
        self, i: int, state: TrainState, rollouts: Trajectory, clock: Int[Array, ""]
    ) -> tuple[PyTree[Array], Metrics]:
        """Side i's updates. Warm-up is a branch on the clock, which no seed owns: under vmap it stays one."""
        experience = self.slots[i].algorithm.experience
        rollouts = self.kept(i, rollouts)
        if not experience.updates:
            return state.learners[i], {}

        def once(learner, number):
            return self.update(i, learner, state, rollouts, clock, number)

        def learn(learner):
            learner, metrics = jax.lax.scan(once, learner, jnp.arange(self.rounds(i)))
            return learner, jax.tree.map(lambda x: jnp.mean(x, axis=0, dtype=float), metrics)

        blank = jax.eval_shape(learn, state.learners[i])[1]
        skip = lambda learner: (learner, jax.tree.map(lambda x: jnp.full(x.shape, jnp.nan), blank))
        warm = clock >= self.warmup(i)
        return jax.lax.cond(warm, learn, skip, state.learners[i])

    def update(
        self,
        i: int,
        learner: PyTree[Array],
        state: TrainState,
        rollouts: Trajectory,
        clock: Int[Array, ""],
        number: Int[Array, ""],
    ) -> tuple[PyTree[Array], Metrics]:
        """One of side i's updates in this iteration."""
        slot = self.slots[i]
        key = named(state.key, "learn", slot.name, clock, number)
        batch = slot.algorithm.experience.batch(
            self.spec, state.buffers[i], rollouts, clock, named(key, "batch")
        )
        return slot.algorithm.update(
            learner, view_as(slot, self.spec, batch), named(key, "update"), state.steps
        )

    def iteration(
        self, state: TrainState, clock: Int[Array, ""]
    ) -> tuple[TrainState, tuple[Metrics, Metrics]]:
        state, rollouts, ended = self.collect(state, clock)
        state = self.remember(state, rollouts, clock)
        state, metrics = self.learn(state, rollouts, clock)
        return state, (metrics, self.lived(state, rollouts, ended))

    @staticmethod
    def lived(state: TrainState, rollouts: Trajectory, ended: Metrics) -> Metrics:
        """What there is to say of an iteration, whoever learns from it."""
        felt = (rollouts.obs.agents, rollouts.obs.state, rollouts.reward, rollouts.team_reward)
        finite = jnp.all(jnp.stack([jnp.all(jnp.isfinite(x)) for x in felt]))
        return ended | {"steps": state.steps, "seen": bits(rollouts.action)[0], "finite": finite}

    def init(self, key: PRNGKeyArray) -> TrainState:
        learners = tuple(
            slot.algorithm.init(slot.spec(self.spec), named(key, "init", slot.name)) for slot in self.slots
        )
        actors = self.begin(learners, named(key, "begin"), self.copies)
        start = (learners, actors, key, jnp.array(0))

        def kept(learners, actors, key, steps):
            rollouts = self.rollout(learners, actors, key, steps, self.length)[1]
            return [self.kept(i, rollouts) for i in range(len(self.slots))]

        pairs = zip(self.slots, eqx.filter_eval_shape(kept, *start), strict=True)
        buffers = tuple(slot.algorithm.experience.init(self.spec, like) for slot, like in pairs)
        return TrainState(learners, buffers, actors, jnp.zeros((), int), key)

    def chunk(
        self, state: TrainState, clocks: Int[Array, " chunk"]
    ) -> tuple[TrainState, Metrics, tuple[UInt32[Array, " leaves"], ...]]:
        """What happens between two reports: iterations, and the learners' fingerprints at the end."""
        state, (learning, living) = jax.lax.scan(self.iteration, state, clocks)
        return state, pooled(learning) | living, tuple(bits(learner) for learner in state.learners)

    def evaluate(
        self, learners: tuple, key: PRNGKeyArray, steps: Int[Array, ""], episodes: int
    ) -> dict[str, PyTree[Array]]:
        """Greedy episodes: returns by team and by agent, length, and what the world tallies."""
        actors = self.begin(learners, named(key, "begin"), episodes)
        _, rollouts, _ = self.rollout(learners, actors, key, steps, self.spec.horizon, explore=False)
        return first_episodes(rollouts)


def first_episodes(rollouts: Trajectory) -> dict[str, PyTree[Array]]:
    """Sums over the first episode of each rollout, which began at its first step."""
    mine = rollouts.valid & (jnp.cumsum(rollouts.obs.first[:, :-1], axis=1) == 1)
    total = lambda x: jnp.sum(jnp.where(mine.reshape(*mine.shape, *[1] * (x.ndim - 2)), x, 0), axis=1)
    return {
        "teams": total(rollouts.team_reward),
        "agents": total(rollouts.reward),
        "length": jnp.sum(mine, axis=1),
        "counts": jax.tree.map(total, rollouts.counts),
    }
