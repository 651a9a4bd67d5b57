"""SMACv2's scenarios: teams and places that are drawn anew for each episode.

The enemies have the allies' types, and more where they are more. Half of the episodes begin with the sides
mirrored, the other half with the allies in the middle and the enemies in groups on the diagonals.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ...ops import named
from .maps import SIZE, BattleMap, TeamDraw
from .movement import Point, push_apart
from .roster import Roster, distinct
from .scenario import Start, shift_places
from .units import UnitTable

_SURROUNDED = 0.5  # the share of episodes with the allies in the middle
_GAP = 2.0  # between mirrored sides, at least
_INNER = 2.0  # how far along both axes from the middle an enemies' group begins
_GOLDEN = np.pi * (3 - np.sqrt(5))  # the angle between neighbours on a sunflower's spiral
_ROOM = 1.1  # of the spiral, in separations
_PUSHES = 6  # after which units that overlap still go on to push each other in the battle
_CORNERS = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], np.float32)


@dataclass(frozen=True, eq=False)
class RandomScenario:
    """Teams by weights, at random places."""

    roster: Roster
    draw: TeamDraw
    goal: tuple[float, float]
    names: tuple[str, ...]
    jitter: float

    def start(self, key: PRNGKeyArray, n: int) -> Start:
        """Return the start of an episode in each of n copies."""
        allies = self.draw.allies
        team = self._draw_team(named(key, "team"), allies, n)
        others = self._draw_team(named(key, "more enemies"), max(self.draw.enemies - allies, 0), n)
        enemies = jnp.concatenate([team, others])[: self.draw.enemies]
        kinds = jnp.concatenate([team, jnp.asarray(self._enemy_kinds())[enemies]])
        surrounded = jax.random.bernoulli(named(key, "surrounded"), _SURROUNDED, (n,))
        inside = self._surround(named(key, "groups"), n)
        pos = jnp.where(surrounded, inside, self._mirror(named(key, "places"), n))
        pos = shift_places(named(key, "jitter"), self._push_apart(kinds, pos), self.jitter)
        order = self._order(team, pos[:allies])
        kinds = kinds.at[:allies].set(jnp.take_along_axis(team, order, 0))
        pos = pos.at[:allies].set(jnp.take_along_axis(pos[:allies], order[:, None], 0))
        goal = jnp.broadcast_to(jnp.array(self.goal, jnp.float32)[:, None], pos.shape)
        return Start(kinds, pos, goal)

    def _enemy_kinds(self) -> Int[np.ndarray, " types"]:
        """Return the index of each type as enemies have it, the last of its name."""
        last = {unit.name: i for i, unit in enumerate(self.roster.types)}
        return np.array([last[name] for name in self.draw.types], np.int32)

    def _draw_team(self, key: PRNGKeyArray, size: int, n: int) -> Int[Array, "size n"]:
        """Draw types; a team of nothing but those that may not be alone is drawn again."""
        logits = np.log(np.array(self.draw.weights))
        refused = np.array([name in self.draw.not_alone for name in self.draw.types])
        draw = lambda key: jax.random.categorical(key, logits, shape=(size, n)).astype(jnp.int32)
        lonely = lambda team: jnp.all(jnp.asarray(refused)[team], axis=0)

        def again(carry):
            key, team = carry
            key, this = jax.random.split(key)
            return key, jnp.where(lonely(team), draw(this), team)

        team = draw(named(key, "first"))
        if not size or not refused.any():
            return team
        return jax.lax.while_loop(lambda carry: jnp.any(lonely(carry[1])), again, (key, team))[1]

    def _mirror(self, key: PRNGKeyArray, n: int) -> Float[Array, "units 2 n"]:
        """Return allies on the left, enemies at their mirror images, and further enemies on the right."""
        count = self.draw.enemies
        half = SIZE / 2
        place = jax.random.uniform(named(key, "allies"), (self.draw.allies, 2, n))
        allies = place * jnp.array([half - _GAP / 2, SIZE])[:, None]
        mirrored = allies.at[:, 0].set(SIZE - allies[:, 0])
        place = jax.random.uniform(named(key, "enemies"), (max(count - self.draw.allies, 0), 2, n))
        others = place * jnp.array([half, SIZE])[:, None] + jnp.array([half, 0.0])[:, None]
        return jnp.concatenate([allies, mirrored[:count], others])

    def _surround(self, key: PRNGKeyArray, n: int) -> Float[Array, "units 2 n"]:
        """Return allies in the middle, and enemies in one to four groups, each on one half of a diagonal."""
        count = self.draw.enemies
        middle = SIZE / 2
        groups = jax.random.randint(named(key, "number"), (n,), 1, 5)
        share = jax.random.uniform(named(key, "group"), (count, n))
        group = jnp.sort(jnp.floor(share * groups).astype(jnp.int32), axis=0)
        corner = jnp.argsort(jax.random.uniform(named(key, "diagonals"), (4, n)), axis=0)
        corner = jnp.asarray(_CORNERS)[corner]  # [groups, n, 2]
        inward = jax.random.uniform(named(key, "distance"), (4, n, 1))
        inner = middle + _INNER * (2 * corner - 1)
        point = jnp.moveaxis(inner * inward + SIZE * corner * (1 - inward), -1, 1)
        mine = group[:, None] == np.arange(4)[:, None]  # [enemies, groups, n]
        room = self._spacing() * jnp.sqrt(jnp.sum(mine, axis=0))[:, None]
        point = jnp.clip(point, room, SIZE - room)
        same = group[None] == group[:, None]
        number = jnp.sum(same & np.tri(count, k=-1, dtype=bool)[..., None], axis=1)
        place = jnp.sum(jnp.where(mine[:, :, None], point[None], 0.0), axis=1)
        enemies = place + self._spiral(number)
        allies = middle + self._spiral(jnp.arange(self.draw.allies)[:, None])
        return jnp.concatenate([jnp.broadcast_to(allies, (self.draw.allies, 2, n)), enemies])

    def _spacing(self) -> float:
        sizes = [unit.separation for unit in self.roster.types[: len(self.draw.types)]]
        return _ROOM * float(np.dot(sizes, self.draw.weights))

    def _spiral(self, number: Int[Array, "units copies"]) -> Float[Array, "units 2 copies"]:
        """Return the offsets of units that start at one point, by their numbers."""
        radius = self._spacing() * jnp.sqrt(number + 0.5)
        angle = number * _GOLDEN
        return jnp.stack([radius * jnp.cos(angle), radius * jnp.sin(angle)], axis=1)

    def _push_apart(
        self, kinds: Int[Array, "units n"], pos: Float[Array, "units 2 n"]
    ) -> Float[Array, "units 2 n"]:
        """Return places on the map where units hardly overlap."""
        stats = self.roster.stats(kinds)
        solid = jnp.broadcast_to(~stats.above, kinds.shape)
        weight = jnp.ones(kinds.shape)
        size = stats.separation

        def push(_, place: Point) -> Point:
            place = push_apart(stats, place, solid, weight)
            return Point(jnp.clip(place.x, size, SIZE - size), jnp.clip(place.y, size, SIZE - size))

        place = jax.lax.fori_loop(0, _PUSHES, push, Point(pos[:, 0], pos[:, 1]))
        return jnp.stack([place.x, place.y], axis=1)

    def _order(self, team: Int[Array, "allies n"], pos: Float[Array, "allies 2 n"]) -> Int[Array, "allies n"]:
        """Return the allies' order: by type, then x, then y. The types' own order is the alphabet's."""
        rank = np.argsort(np.argsort(self.draw.types)).astype(np.int32)
        return jnp.lexsort((pos[:, 1], pos[:, 0], jnp.asarray(rank)[team]), axis=0)


def random_scenario(battle_map: BattleMap, draw: TeamDraw, table: UnitTable, jitter: float) -> RandomScenario:
    """Return the scenario of a map whose teams are drawn."""
    types = [table.unit(name, "map") for name in draw.types]
    enemies = [table.unit(name, "map", enemy=True) for name in draw.types]
    names = [f"ally_{i}" for i in range(draw.allies)] + [f"enemy_{i}" for i in range(draw.enemies)]
    x, y = battle_map.order
    roster = Roster(distinct([*types, *enemies]), draw.allies, draw.enemies, None)
    return RandomScenario(roster, draw, (float(x), float(y)), tuple(names), jitter)
