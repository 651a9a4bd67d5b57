"""Scripts: rules that act on observations and learn nothing, as a scale of what a battle asks for.

They read an observation as rows of entities, so they play every world whose `Spec` has `layouts`:

    scripted/idle     stands, in any world with discrete actions
    scripted/nearest  attacks the nearest enemy in reach, else walks toward the nearest that it sees
    scripted/weakest  attacks the enemy in reach with the least health and shield, else walks as nearest does
    scripted/kite     attacks as nearest does, then steps back while its weapon reloads

An enemy is in reach where the action that attacks it is legal. A walk goes along the longer axis if that
move is legal, else along the other one. With nobody in sight an agent stands. A healer picks the most hurt
of its team in reach, else it walks toward the nearest. Nobody attacks or follows what its weapon cannot hit.
Of equally weak or hurt ones, the nearest counts.

The heuristic of SMAC's paper (Samvelyan et al., 2019) is a relative of `nearest`: it picks the nearest enemy
of the whole map, has its unit chase it with the game's own path finding, and keeps it until it is dead.
`nearest` sees as far as observations tell, walks straight, and picks anew at every step.

No observation tells whether a weapon is ready, so `kite` counts steps. From its first attack on it attacks
for `strike` steps, then steps away from the nearest enemy for `retreat` steps, and again. It steps away only
while an enemy is in reach, and otherwise waits there; with its back to a wall it attacks. That suits units
that shoot: one that must walk to its enemy first hardly ever hits.
"""

import abc
from typing import ClassVar, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from ..core import AbstractAlgorithm, AbstractExperience, EntityLayout, EntityRows, Spec, Traits
from ..errors import UserError
from ..experience import OnPolicy
from ..ranges import Count


class _Targets(NamedTuple):
    """The units that actions can name, as each agent of a team sees them; zeros for the unseen."""

    seen: Bool[Array, "agents targets"]
    reached: Bool[Array, "agents targets"]
    dx: Float[Array, "agents targets"]
    dy: Float[Array, "agents targets"]
    strength: Float[Array, "agents targets"]  # health and shield

    @property
    def distance(self) -> Float[Array, "agents targets"]:
        return jnp.hypot(self.dx, self.dy)

    def nearest(self) -> tuple[Float[Array, " agents"], Float[Array, " agents"]]:
        """Return the way to the nearest that is seen; zeros where nobody is."""
        index = jnp.argmin(jnp.where(self.seen, self.distance, jnp.inf), axis=1)[:, None]
        pick = lambda x: jnp.take_along_axis(x, index, axis=1)[:, 0]
        return pick(self.dx), pick(self.dy)


class Team(NamedTuple):
    """What the agents of a team know when a script chooses for them."""

    layout: EntityLayout
    enemies: _Targets
    legal: Bool[Array, "agents actions"]
    memory: Int[Array, " agents"]  # a count that the script keeps; 0 at first


class AbstractScript(eqx.Module):
    """Chooses the actions of agents that fight."""

    needs_health: ClassVar[bool] = False  # of enemies

    @abc.abstractmethod
    def __call__(self, team: Team) -> tuple[Int[Array, " agents"], Int[Array, " agents"]]:
        """Return actions, which need not be legal, and the counts to remember."""


class NearestScript(AbstractScript):
    """Every agent attacks the nearest enemy in reach."""

    def __call__(self, team):
        return _engage(team.layout, team.enemies, team.enemies.distance, team.legal), team.memory


class WeakestScript(AbstractScript):
    """Every agent attacks the enemy in reach that has the least health and shield."""

    needs_health: ClassVar[bool] = True

    def __call__(self, team):
        return _engage(team.layout, team.enemies, team.enemies.strength, team.legal), team.memory


class KiteScript(AbstractScript):
    """Every agent attacks the nearest enemy for `strike` steps, then steps back for `retreat` steps."""

    strike: Count = 2
    retreat: Count = 2

    def __call__(self, team):
        layout, enemies, legal, memory = team
        dx, dy = enemies.nearest()
        away = _walk(layout, -dx, -dy, legal)
        near = jnp.any(enemies.reached, axis=1)
        reloads = memory >= self.strike
        attack = _engage(layout, enemies, enemies.distance, legal)
        action = jnp.where(reloads & near & (away != layout.stand), away, attack)
        action = jnp.where(reloads & ~near, layout.stand, action)
        counted = (memory + 1) % (self.strike + self.retreat)
        return action, jnp.where(near | (memory > 0), counted, 0)


class Scripted(AbstractAlgorithm[Spec]):
    """Agents follow a script and learn nothing; healers heal the most hurt of their team."""

    traits: ClassVar[Traits] = Traits(
        centralised=False, on_policy=True, discrete=True, continuous=False, recurrent=False, cooperative=False
    )
    script: AbstractScript = NearestScript()
    experience: AbstractExperience = OnPolicy(updates=0)

    def init(self, spec, key):
        for layout in spec.layouts or (None,):
            _require_targets(layout, self.script.needs_health)
        return spec

    def init_carry(self, spec, learner):
        return jnp.zeros(spec.agents, int)

    def act(self, learner, carry, obs, key, step, explore):
        action = jnp.zeros(learner.agents, int)
        for name, layout in zip(learner.teams, learner.layouts, strict=True):
            own = np.array(learner.members(name))
            features = obs.agents[own]
            legal = obs.legal[own]
            team = Team(layout, _enemies(layout, features, legal), legal, carry[own])
            chosen, memory = self.script(team)
            if layout.healer is not None:
                friends = _friends(layout, features, legal)
                heals = layout.own.split(features)[:, 0, layout.healer] > 0
                chosen = jnp.where(heals, _engage(layout, friends, friends.strength, legal), chosen)
            action = action.at[own].set(_legal(chosen, legal))
            carry = carry.at[own].set(memory)
        return carry, action, None

    def update(self, learner, batch, key, step):
        return learner, {}


class Idle(AbstractAlgorithm[Spec]):
    """Every agent stands; where the world does not tell the action for that, it takes the first legal one."""

    traits: ClassVar[Traits] = Scripted.traits
    experience: AbstractExperience = OnPolicy(updates=0)

    def init(self, spec, key):
        return spec

    def init_carry(self, spec, learner) -> PyTree[Array]:
        return None

    def act(self, learner, carry, obs, key, step, explore):
        action = jnp.zeros(learner.agents, int)
        for team, layout in zip(learner.teams, learner.layouts, strict=False):
            action = action.at[np.array(learner.members(team))].set(layout.stand)
        return None, _legal(action, obs.legal), None

    def update(self, learner, batch, key, step):
        return learner, {}


def _require_targets(layout: EntityLayout | None, health: bool) -> None:
    """Refuse a world whose observations do not tell what a script needs to know of enemies."""
    rows = layout and layout.enemies
    if rows is None or None in (rows.dx, rows.dy, rows.action) or not rows.rows:
        raise UserError(
            "scripts that fight need a world whose Spec.layouts tells enemies' places and the actions that "
            "attack them, as that of skirmish/3m does: take such a world, or scripted/idle or random"
        )
    if health and rows.health is None:
        raise UserError(
            "scripted/weakest needs observations that tell enemies' health, and this world's do not: "
            "take scripted/nearest, or show it (in skirmish: obs_all_health)"
        )


def _enemies(
    layout: EntityLayout, features: Float[Array, "agents features"], legal: Bool[Array, "agents actions"]
) -> _Targets:
    """Return the enemies that each agent can harm, as it sees them."""
    rows = layout.enemies.split(features)
    own = layout.own.split(features)[:, 0]
    seen = jnp.any(rows != 0, axis=2)
    for kind, other in layout.harmless:
        seen &= ~((own[:, kind] > 0)[:, None] & (rows[:, :, other] > 0))
    return _targets(layout, layout.enemies, rows, seen, legal)


def _friends(
    layout: EntityLayout, features: Float[Array, "agents features"], legal: Bool[Array, "agents actions"]
) -> _Targets:
    """Return a team as its agents see it: rows of allies, and an empty one in an agent's own place."""
    rows = layout.allies.split(features)
    agents = len(features)
    among = np.arange(agents) - (np.arange(agents) > np.arange(agents)[:, None])
    itself = np.eye(agents, dtype=bool)
    rows = jnp.pad(rows, ((0, 0), (0, 1), (0, 0)))
    rows = jnp.take_along_axis(rows, among[:, :, None], axis=1)
    rows = jnp.where(itself[:, :, None], 0.0, rows)
    return _targets(layout, layout.allies, rows, jnp.any(rows != 0, axis=2), legal)


def _targets(
    layout: EntityLayout,
    block: EntityRows,
    rows: Float[Array, "agents targets width"],
    seen: Bool[Array, "agents targets"],
    legal: Bool[Array, "agents actions"],
) -> _Targets:
    first = layout.enemies.action or 0
    field = lambda place: jnp.where(seen, 0.0 if place is None else rows[:, :, place], 0.0)
    return _Targets(
        seen=seen,
        reached=seen & legal[:, first : first + rows.shape[1]],
        dx=field(block.dx),
        dy=field(block.dy),
        strength=field(block.health) + field(block.shield),
    )


def _engage(
    layout: EntityLayout,
    targets: _Targets,
    rank: Float[Array, "agents targets"],
    legal: Bool[Array, "agents actions"],
) -> Int[Array, " agents"]:
    """Act on the target of least rank in reach, of equals on the nearest; or walk toward the nearest."""
    rank = jnp.where(targets.reached, rank, jnp.inf)
    least = targets.reached & (rank <= jnp.min(rank, axis=1, keepdims=True))
    target = jnp.argmin(jnp.where(least, targets.distance, jnp.inf), axis=1)
    walk = _walk(layout, *targets.nearest(), legal)
    return jnp.where(jnp.any(targets.reached, axis=1), (layout.enemies.action or 0) + target, walk)


def _walk(
    layout: EntityLayout,
    dx: Float[Array, " agents"],
    dy: Float[Array, " agents"],
    legal: Bool[Array, "agents actions"],
) -> Int[Array, " agents"]:
    """Return the legal move that goes furthest in a direction, or to stand where none goes there."""
    actions = jnp.array([layout.stand] + [action for action, _, _ in layout.moves])
    gains = [jnp.where(legal[:, action], x * dx + y * dy, 0.0) for action, x, y in layout.moves]
    return actions[jnp.argmax(jnp.stack([jnp.zeros_like(dx), *gains]), axis=0)]


def _legal(action: Int[Array, " agents"], legal: Bool[Array, "agents actions"]) -> Int[Array, " agents"]:
    """Return the actions, or the first legal ones in place of those that are not."""
    allowed = jnp.take_along_axis(legal, action[:, None], axis=1)[:, 0]
    return jnp.where(allowed, action, jnp.argmax(legal, axis=1))
