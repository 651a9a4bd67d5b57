"""The world: a battle with SMAC's actions, observations, rewards and ends."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Shaped

from ...core import AbstractEnvironment, Action, EntityLayout, Observation, Scene, Spec, Step
from ...errors import SettingError
from ...ops import named
from ...parts import promoted
from ...ranges import Count, NonNegative
from .battle import Field, draw_delays, fight
from .custom import change_map
from .features import legal_actions, observe
from .global_state import agent_states, global_state
from .layout import agent_state_layout, entity_layout, global_state_layout
from .maps import BattleMap, find_map
from .opponents import AbstractEnemy, AttackMoveEnemy, NearestEnemy, PolicyEnemy, see_battle
from .orders import Standing, join_orders, read_actions, stand, take_actions
from .random_teams import random_scenario
from .rewards import Pay, Result, result, reward
from .roster import Kinds
from .scenario import Scenario, fixed_scenario
from .scene import draw_scene
from .state import Forces, Orders, start_forces
from .targeting import sides
from .units import UnitTable, read_units
from .views import FIRST_TARGET, Shown, ShownMoment, SideView, make_view

_ATTACK_MOVE = AttackMoveEnemy()


class SkirmishState(eqx.Module):
    """A battle under way. `kinds` has no rows where every episode has the same units."""

    forces: Forces
    kinds: Int[Array, "drawn n"]
    goal: Float[Array, "units 2 n"]
    last_action: Int[Array, "agents n"]  # -1: none yet
    standing: Standing
    t: Int[Array, " n"]


class Skirmish(AbstractEnvironment[SkirmishState]):
    """StarCraft's micromanagement battles, as SMAC (Samvelyan et al., 2019) and SMACv2 present them.

    With `enemy=policy` the enemies are a second team of agents, who see, act and earn as the allies do, with
    the sides exchanged. Both teams' observations and actions are padded to one shape, and the state holds
    the allies' and then the enemies'.
    """

    spec: Spec
    scenario: Scenario = eqx.field(static=True)
    field: Field = eqx.field(static=True)
    views: tuple[SideView, ...] = eqx.field(static=True)
    enemy: AbstractEnemy
    use_state_agent: bool
    timeout: str
    horizon: int
    shown: Shown = promoted(Shown())
    pay: Pay = promoted(Pay())

    def __init__(
        self,
        map: str = "3m",
        enemy: AbstractEnemy = _ATTACK_MOVE,
        allies: dict | list | None = None,
        enemies: dict | list | None = None,
        terrain: str | list | None = None,
        order: str | list | None = None,
        data: str = "lotv",
        jitter: NonNegative = 0.0,
        shown: Shown = Shown(),  # noqa: B008  a tuple of settings
        pay: Pay = Pay(),  # noqa: B008
        obs_instead_of_state: bool = False,
        obs_aligned_types: bool = False,
        use_state_agent: bool = False,
        timeout: Literal["truncated", "terminal"] = "truncated",
        horizon: Count | None = None,
    ):
        self._check(enemy, obs_instead_of_state, use_state_agent)
        battle_map = change_map(find_map(map), allies, enemies, terrain, order)
        if obs_aligned_types and set(battle_map.enemy_types) == set(battle_map.ally_types):
            battle_map = replace(battle_map, enemy_types=battle_map.ally_types)
        self.scenario = _make_scenario(battle_map, read_units(data), jitter)
        attacks_units = isinstance(enemy, AttackMoveEnemy) and battle_map.order == "units"
        self.enemy = NearestEnemy() if attacks_units else enemy
        roster = self.scenario.roster
        self.field = Field(roster, battle_map.terrain, isinstance(self.enemy, AttackMoveEnemy))
        teams = sides(roster) if isinstance(enemy, PolicyEnemy) else sides(roster)[:1]
        self.views = tuple(make_view(battle_map, roster, side, shown.looks) for side in teams)
        self.shown = shown
        self.pay = pay
        self.use_state_agent = use_state_agent
        self.timeout = timeout
        self.horizon = battle_map.limit if horizon is None else horizon
        self.spec = self._make_spec(obs_instead_of_state)

    @staticmethod
    def _check(enemy: AbstractEnemy, obs_instead_of_state: bool, use_state_agent: bool) -> None:
        if use_state_agent and (obs_instead_of_state or isinstance(enemy, PolicyEnemy)):
            remedy = "set it to false with `obs_instead_of_state` and with `enemy=policy`"
            raise SettingError("use_state_agent", "is for one team with a state", remedy)

    def _make_spec(self, obs_instead_of_state: bool) -> Spec:
        shape = jax.eval_shape(lambda key: self._look(self._begin(key, 1)), jax.random.key(0))
        roster = self.field.roster
        two = len(self.views) == 2
        return Spec(
            names=self.scenario.names if two else self.scenario.names[: roster.allies],
            features=shape.agents.shape[-1],
            actions=shape.legal.shape[-1],
            horizon=self.horizon,
            state=0 if obs_instead_of_state else shape.state.shape[-1],
            team=("allies",) * roster.allies + ("enemies",) * roster.enemies if two else (),
            state_by_agent=self.use_state_agent,
            layouts=tuple(entity_layout(view, self.shown, roster) for view in self.views),
            state_layouts=() if obs_instead_of_state else self._state_layouts(),
        )

    def _state_layouts(self) -> tuple[EntityLayout, ...]:
        """Return each side's layout of the state, which holds the sides' parts one after the other."""
        roster = self.field.roster
        if self.use_state_agent:
            return (agent_state_layout(self.view, self.shown, roster),)
        first = global_state_layout(self.view, self.shown, roster, 0)
        if len(self.views) == 1:
            return (first,)
        ends = [end for _, end in first.around or ()]
        return (first, global_state_layout(self.views[1], self.shown, roster, ends[0]))

    @property
    def view(self) -> SideView:
        """The battle from the allies' side."""
        return self.views[0]

    def kinds(self, state: SkirmishState) -> Kinds:
        """Return the type of each unit."""
        fixed = self.field.roster.kinds
        return state.kinds if fixed is None else fixed[:, None]

    def _begin(self, key: PRNGKeyArray, n: int) -> SkirmishState:
        start = self.scenario.start(named(key, "start"), n)
        roster = self.field.roster
        kinds = start.kinds if roster.kinds is None else roster.kinds[:, None]
        agents = roster.units if len(self.views) == 2 else roster.allies
        return SkirmishState(
            forces=start_forces(roster, kinds, start.pos, self.field.reacting),
            kinds=jnp.asarray(start.kinds),
            goal=start.goal,
            last_action=jnp.full((agents, n), -1, jnp.int32),
            standing=stand(agents if self.shown.conic_fov else 0, n),
            t=jnp.zeros(n, int),
        )

    def reset(self, key: PRNGKeyArray, n: int) -> tuple[SkirmishState, Observation]:
        state = self._begin(key, n)
        return state, self.observe(state)

    def step(self, state: SkirmishState, action: Action, key: PRNGKeyArray) -> tuple[SkirmishState, Step]:
        roster = self.field.roster
        action = action.T.astype(jnp.int32)
        kinds = self.kinds(state)
        stats = roster.stats(kinds)
        delays = draw_delays(named(key, "weapon delays"), roster, action.shape[-1])
        before = state.forces
        standing = take_actions(self.shown, state.standing, action)
        orders = self.orders(state, standing, action, named(key, "enemies"))
        after = fight(self.field, kinds, before, orders, delays)
        outcome = result(self.view.ranks, stats, after, roster.medics)
        outcomes = (outcome, outcome.turned)
        earned = [
            reward(self.pay, view.ranks, stats, before, after, seen)
            for view, seen in zip(self.views, outcomes, strict=False)
        ]
        state = SkirmishState(after, state.kinds, state.goal, action, standing, state.t + 1)
        late = (state.t >= self.horizon) & ~outcome.over
        terminal = self.timeout == "terminal"
        members = [view.ranks.own.stop - view.ranks.own.start for view in self.views]
        return state, Step(
            obs=self.observe(state),
            reward=jnp.stack(
                [x for x, count in zip(earned, members, strict=True) for _ in range(count)], axis=1
            ),
            team_reward=jnp.stack(earned, axis=1),
            terminated=outcome.over | late if terminal else outcome.over,
            truncated=jnp.zeros_like(late) if terminal else late,
            counts=self._counts(before, after, outcome, late),
        )

    def _counts(
        self, before: Forces, after: Forces, outcome: Result, late: Bool[Array, " n"]
    ) -> dict[str, Float[Array, " n"]]:
        ranks = self.view.ranks
        fallen = lambda rows: 1.0 * jnp.sum(before.alive[rows] & ~after.alive[rows], axis=0)
        counts = {
            "won": 1.0 * outcome.won,
            "dead_allies": fallen(ranks.own),
            "dead_enemies": fallen(ranks.foes),
            "timeouts": 1.0 * late,
        }
        return counts | ({"lost": 1.0 * outcome.lost} if len(self.views) == 2 else {})

    def orders(
        self, state: SkirmishState, standing: Standing, action: Int[Array, "agents n"], key: PRNGKeyArray
    ) -> Orders:
        """Return everybody's orders: the agents' actions, and what the enemies' script says."""
        roster = self.field.roster
        stats = roster.stats(self.kinds(state))
        allies, *enemies = [read_actions(view, self.shown, stats, standing, action) for view in self.views]
        battle = see_battle(self.field, stats, state.forces, sides(roster)[1], key)
        return join_orders(roster, allies, enemies[0] if enemies else self.enemy(battle), state.goal)

    def observe(self, state: SkirmishState) -> Observation:
        """Return what agents observe."""
        seen = self._look(state)
        return seen if self.spec.state else replace(seen, state=seen.state[:, :0])

    def _look(self, state: SkirmishState) -> Observation:
        """Return observations with the state, whether or not agents get it."""
        features, legal, world = zip(*(self._look_as(view, state) for view in self.views), strict=True)
        rows = lambda parts: jnp.moveaxis(jnp.concatenate(_padded(parts)), -1, 0)
        agents = len(state.last_action)
        return Observation(
            agents=rows(features),
            state=jnp.concatenate(world).T,
            legal=rows(legal),
            alive=state.forces.alive[:agents].T,
            first=state.t == 0,
        )

    def _look_as(
        self, view: SideView, state: SkirmishState
    ) -> tuple[Float[Array, "own features n"], Bool[Array, "own actions n"], Float[Array, "state n"]]:
        """Return one side's features, legal actions and state."""
        shown = self.shown
        terrain = self.field.terrain
        kinds = self.kinds(state)
        own = view.ranks.own
        moment = ShownMoment(
            kinds=kinds,
            stats=self.field.roster.stats(kinds),
            forces=state.forces,
            last_action=state.last_action[own],
            clock=state.t / self.horizon,
            facing=state.standing.facing[own],
        )
        legal = legal_actions(view, shown, terrain, moment)
        features = observe(view, shown, terrain, moment, legal)
        if not self.use_state_agent:
            return features, legal, global_state(view, shown, moment)
        rows = agent_states(view, shown, moment, legal)
        return features, legal, rows.reshape(-1, rows.shape[-1])

    @property
    def action_names(self) -> tuple[str, ...]:
        """Healers' targets are friends, and by the same numbers."""
        looks = [f"look {i}" for i in range(self.shown.looks)]
        targets = self.spec.actions - FIRST_TARGET - len(looks)
        moves = ("dead", "stop", "north", "south", "east", "west")
        return (*moves, *looks, *(f"target {i}" for i in range(targets)))

    def scene(self, state: SkirmishState) -> Scene:
        return draw_scene(
            self.field.roster, self.field.terrain, self.kinds(state), state.forces, len(self.views)
        )


def _make_scenario(battle_map: BattleMap, table: UnitTable, jitter: float) -> Scenario:
    if battle_map.draw is None:
        return fixed_scenario(battle_map, table, jitter)
    return random_scenario(battle_map, battle_map.draw, table, jitter)


def _padded(parts: Sequence[Shaped[Array, "..."]]) -> list[Shaped[Array, "..."]]:
    """Return arrays `[own, fields, n]` with as many fields each, zeros at the end."""
    most = max(x.shape[1] for x in parts)
    return [jnp.pad(x, ((0, 0), (0, most - x.shape[1]), (0, 0))) for x in parts]
