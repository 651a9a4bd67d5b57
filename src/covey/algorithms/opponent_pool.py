"""Opponents from a pool of checkpoints: each episode of each copy meets one, drawn anew.

Self-play against past selves keeps a learner from forgetting how to beat them (Brown, 1951, fictitious play;
Heinrich et al., 2015). With `sample=hard` member i is drawn as in prioritised fictitious self-play (Vinyals
et al., 2019):

    P(i) ∝ (1 - p_i)²,    p_i = (points_i + 1/2) / (games_i + 1)

p_i is the learner's score against member i; a game counts 0.99 times as much with each later one against the
same member, and half a point in one game is known beforehand. A game is an episode. Where the world counts
`won`, its score is 1, 1/2 or 0. Elsewhere it is the share of the newest 128 games, against all members, in
which the learner's return was lower, ties as halves: 1/2 in the mean. Ratings are Elo's (1978), for the
learner R and for each member R_i, from 1000 on; after a game of score s against member i

    e = 1 / (1 + 10^((R_i - R) / 400)),    R ← R + 8 (s - e),    R_i ← R_i - 8 (s - e)
"""

from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from ..core import (
    AbstractAlgorithm,
    AbstractExperience,
    Observation,
    OptState,
    Spec,
    Target,
    Traits,
    Trajectory,
)
from ..experience import episode_steps
from ..ops import named
from ..ranges import Count, Index
from .frozen_opponent import restore_obs
from .random import Random

START_RATING = 1000.0
EMPTY = -1  # the run of a place without a member
_STEP = 8.0  # Elo's K
_FADING = 0.99
_NEWEST = 128


class Learner(eqx.Module):
    """The members, stacked: their weights, the steps they trained, and how often each is drawn."""

    members: PyTree[Array]
    steps: Int[Array, " capacity"]  # their schedules stay there
    runs: Int[Array, " capacity"]  # the place of each one's run in the pool's `runs`
    weights: Float[Array, " capacity"]  # add up to 1
    places: tuple[int, ...] = eqx.field(static=True)


class PoolCarry(eqx.Module):
    """The member that plays this episode, and what it carries."""

    member: Int[Array, ""]
    own: PyTree[Array]


class OpponentPool(AbstractAlgorithm[Learner]):
    """Checkpoints of the learner slot `slot` of `runs`, one drawn for each episode; written `TEAM=pool:DIR`.

    `self` among the runs stands for this one: a learner of the same shape joins as it was at each checkpoint
    that is kept. `capacity` members are held. Where more come, those that stand closest to the others of
    their run give way. `greedy` and `seed` are a frozen opponent's.
    """

    traits: ClassVar[Traits] = Random.traits
    runs: tuple[str, ...]
    slot: str  # the name of its slot in the first of them
    player: AbstractAlgorithm
    world: Spec  # the spec of that slot
    side: Index  # the number of the team that it plays
    capacity: Count = 16
    sample: Literal["uniform", "hard"] = "uniform"
    greedy: bool | None = None
    seed: Index | None = None

    @property
    def experience(self) -> AbstractExperience:  # pyright: ignore[reportIncompatibleVariableOverride]
        return _GameResults(capacity=self.capacity, side=self.side)

    def init(self, spec: Spec, key) -> Learner:
        """Return an empty pool."""
        one = jax.eval_shape(lambda: acting_part(self.player.init(self.world, key)))
        members = jax.tree.map(lambda x: jnp.zeros((self.capacity, *x.shape), x.dtype), one)
        known = set(spec.names) <= set(self.world.names)  # else teams of equal size exchange places
        places = map(self.world.names.index, spec.names) if known else range(spec.agents)
        zeros = jnp.zeros(self.capacity, int)
        weights = jnp.zeros(self.capacity).at[0].set(1.0)
        return Learner(members, zeros, zeros + EMPTY, weights, tuple(places))

    def init_carry(self, spec: Spec, learner: Learner) -> PoolCarry:
        first = jax.tree.map(lambda x: x[0], learner.members)
        return PoolCarry(jnp.zeros((), int), self.player.init_carry(self.world, first))

    def act(self, learner: Learner, carry: PoolCarry, obs: Observation, key, step, explore: bool):
        drawn = jr.categorical(named(key, "opponent"), jnp.log(learner.weights))
        member = jnp.where(obs.first, drawn, carry.member)
        player = jax.tree.map(lambda x: x[member], learner.members)
        fresh = self.player.init_carry(self.world, player)
        own = jax.tree.map(lambda new, old: jnp.where(obs.first, new, old), fresh, carry.own)
        explore = self.player.traits.on_policy if self.greedy is None else not self.greedy
        obs = restore_obs(self.world, obs, learner.places)
        own, action, _ = self.player.act(player, own, obs, key, learner.steps[member], explore)
        return PoolCarry(member, own), action[np.array(learner.places)], member

    def update(self, learner: Learner, batch, key, step):
        return learner, {}

    def draw_weights(
        self, runs: Int[np.ndarray, "*b capacity"], scores: Float[np.ndarray, "*b capacity"]
    ) -> Float[np.ndarray, "*b capacity"]:
        """Return the probability of each member, from the learner's scores against them."""
        appeal = (1 - scores) ** 2 if self.sample == "hard" else np.ones_like(scores)
        appeal = np.where(runs == EMPTY, 0, appeal)
        return appeal / appeal.sum(axis=-1, keepdims=True)


def acting_part(learner: PyTree[Any]) -> PyTree[Any]:
    """Return a learner without what never acts: optimiser states and targets."""
    idle = lambda x: isinstance(x, OptState | Target)
    return jax.tree.map(lambda x: None if idle(x) else x, learner, is_leaf=idle)


class Games(eqx.Module):
    """The games under way in n copies, and the results against each member."""

    margin: Float[Array, " n"]  # so far: the learner's return, or wins less defeats
    newest: Float[Array, " window"]  # returns of the newest games, in a ring
    finished: Int[Array, ""]
    rating: Float[Array, ""]
    ratings: Float[Array, " capacity"]
    points: Float[Array, " capacity"]  # fading
    games: Float[Array, " capacity"]  # fading
    played: Int[Array, " capacity"]

    def scores(self) -> Float[Array | np.ndarray, "*b capacity"]:
        """Return the learner's score against each member."""
        return (self.points + 0.5) / (self.games + 1)


class _GameResults(AbstractExperience):
    """Counts games and nothing else; the pool's side learns from none of them."""

    reads_counts: ClassVar[bool] = True
    capacity: int
    side: int
    updates: int = 0

    def rollout_length(self, spec: Spec, n: int) -> int:
        return episode_steps(spec)

    def updates_per_iteration(self, n: int, length: int) -> int:
        return 0

    def warmup(self, spec: Spec, n: int, length: int) -> int:
        return 0

    def init(self, spec: Spec, rollouts: Trajectory) -> Games:
        n = rollouts.valid.shape[0]
        zeros = jnp.zeros(self.capacity)
        ratings = zeros + START_RATING
        newest = jnp.zeros(max(n, _NEWEST))
        none = jnp.zeros((), int)
        return Games(jnp.zeros(n), newest, none, ratings[0], ratings, zeros, zeros, zeros.astype(int))

    def add(self, buffer: Games, rollouts: Trajectory, clock: Int[Array, ""]) -> Games:
        """Return the games after a rollout. The step between two episodes, which is none, ends a game."""
        wins = "won" in rollouts.counts
        margins = self._won(rollouts) if wins else self._earned(rollouts)

        def moment(games: Games, now: tuple[Array, Array, Array]) -> tuple[Games, None]:
            margin, over, member = now
            score = self._points(games.margin, rollouts) if wins else ranks(games)
            return count_games(games, score, over, member, margin), None

        steps = jax.tree.map(lambda x: jnp.moveaxis(x, 1, 0), (margins, ~rollouts.valid, rollouts.extras))
        return jax.lax.scan(moment, buffer, steps)[0]

    def batch(self, spec: Spec, buffer: Games, rollouts: Trajectory, clock, key) -> Trajectory:
        return rollouts

    def _earned(self, rollouts: Trajectory) -> Float[Array, "n T"]:
        """Return what all other teams earned."""
        teams = np.delete(np.arange(rollouts.team_reward.shape[-1]), self.side)
        return jnp.sum(rollouts.team_reward[..., teams], axis=-1)

    def _won(self, rollouts: Trajectory) -> Float[Array, "n T"]:
        """Return 1 where the learner won and -1 where it lost. `won` is the first team's."""
        counts = rollouts.counts
        margin = counts["won"] - counts.get("lost", jnp.zeros_like(counts["won"]))
        return -margin if self.side == 0 else margin

    def _points(self, margin: Float[Array, " n"], rollouts: Trajectory) -> Float[Array, " n"]:
        """Return the learner's score; who does not win has lost where the world counts no defeats."""
        level = 0.5 if "lost" in rollouts.counts else float(self.side == 0)
        return jnp.where(margin == 0, level, 0.5 + 0.5 * jnp.sign(margin))


def ranks(games: Games) -> Float[Array, " n"]:
    """Return the share of the newest games with a lower return than each game under way has so far."""
    known = jnp.arange(games.newest.size) < games.finished
    lower = (games.newest < games.margin[:, None]) & known
    equal = (games.newest == games.margin[:, None]) & known
    count = jnp.sum(known)
    share = (jnp.sum(lower, axis=1) + 0.5 * jnp.sum(equal, axis=1)) / jnp.maximum(count, 1)
    return jnp.where(count > 0, share, 0.5)


def rate(
    games: Games, score: Float[Array, " n"], over: Bool[Array, " n"], member: Int[Array, " n"]
) -> tuple[Float[Array, ""], Float[Array, " capacity"]]:
    """Return the ratings after the games that are over, one after the other: all at once would overshoot."""

    def one(known: tuple[Array, Array], game: tuple[Array, Array, Array]) -> tuple[tuple[Array, Array], None]:
        rating, ratings = known
        score, over, member = game
        expected = 1 / (1 + 10 ** ((ratings[member] - rating) / 400))
        change = jnp.where(over, _STEP * (score - expected), 0.0)
        return (rating + change, ratings.at[member].add(-change)), None

    return jax.lax.scan(one, (games.rating, games.ratings), (score, over, member))[0]


def count_games(
    games: Games,
    score: Float[Array, " n"],
    over: Bool[Array, " n"],
    member: Int[Array, " n"],
    margin: Float[Array, " n"],
) -> Games:
    """Return the results with the games that are over, and the margins with this step's of the others."""
    by_member = lambda x: jnp.zeros_like(games.games).at[member].add(jnp.where(over, x, 0.0))
    ended = by_member(1.0)
    fading = _FADING**ended
    place = jnp.where(over, (games.finished + jnp.cumsum(over) - 1) % games.newest.size, games.newest.size)
    rating, ratings = jax.lax.cond(
        jnp.any(over), lambda: rate(games, score, over, member), lambda: (games.rating, games.ratings)
    )
    return Games(
        margin=jnp.where(over, 0.0, games.margin + margin),
        newest=games.newest.at[place].set(games.margin, mode="drop"),
        finished=games.finished + jnp.sum(over),
        rating=rating,
        ratings=ratings,
        points=fading * games.points + by_member(score),
        games=fading * games.games + ended,
        played=games.played + ended.astype(int),
    )
