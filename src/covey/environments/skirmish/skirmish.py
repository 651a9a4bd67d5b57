"""The world: a battle with SMAC's actions, observations, rewards and ends."""

from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ...core import AbstractEnvironment, Action, Observation, Scene, Spec, Step
from ...ops import named
from .battle import Field, draw_delays, fight
from .features import Shown, View, global_state, legal_actions, make_view, observe
from .layout import entity_layout
from .maps import find_map
from .opponents import AbstractEnemy, AttackMoveEnemy, NearestEnemy, see_battle
from .orders import join_orders, read_actions
from .rewards import result, reward
from .roster import Kinds
from .scenario import FixedScenario, fixed_scenario
from .scene import draw_scene
from .state import Forces, Orders, start_forces
from .targeting import sides
from .units import read_units

_ATTACK_MOVE = AttackMoveEnemy()


class SkirmishState(eqx.Module):
    """A battle under way. `kinds` has no rows where every episode has the same units."""

    forces: Forces
    kinds: Int[Array, "drawn n"]
    goal: Float[Array, "units 2 n"]
    last_action: Int[Array, "agents n"]  # -1: none yet
    t: Int[Array, " n"]


class Skirmish(AbstractEnvironment[SkirmishState]):
    """StarCraft's micromanagement battles, as SMAC presents them (Samvelyan et al., 2019)."""

    spec: Spec
    scenario: FixedScenario = eqx.field(static=True)
    field: Field = eqx.field(static=True)
    view: View = eqx.field(static=True)
    enemy: AbstractEnemy
    shown: Shown = eqx.field(static=True)
    medics_lose: bool
    reward_sparse: bool
    reward_only_positive: bool
    timeout: str
    horizon: int

    def __init__(
        self,
        map: str = "3m",
        enemy: AbstractEnemy = _ATTACK_MOVE,
        data: str = "lotv",
        jitter: float = 0.0,
        obs_all_health: bool = True,
        obs_own_health: bool = True,
        obs_last_action: bool = False,
        obs_pathing_grid: bool = False,
        obs_terrain_height: bool = False,
        obs_instead_of_state: bool = False,
        obs_timestep_number: bool = False,
        state_last_action: bool = True,
        state_timestep_number: bool = False,
        reward_sparse: bool = False,
        reward_only_positive: bool = True,
        timeout: Literal["truncated", "terminal"] = "truncated",
        horizon: int | None = None,
    ):
        battle_map = find_map(map)
        self.scenario = fixed_scenario(battle_map, read_units(data), jitter)
        roster = self.scenario.roster
        attacks_units = isinstance(enemy, AttackMoveEnemy) and battle_map.order == "units"
        self.enemy = NearestEnemy() if attacks_units else enemy
        self.field = Field(roster, battle_map.terrain, isinstance(self.enemy, AttackMoveEnemy))
        self.view = make_view(battle_map, roster, sides(roster)[0])
        self.shown = Shown(
            all_health=obs_all_health,
            own_health=obs_own_health,
            last_action=obs_last_action,
            pathing_grid=obs_pathing_grid,
            terrain_height=obs_terrain_height,
            timestep=obs_timestep_number,
            state_last_action=state_last_action,
            state_timestep=state_timestep_number,
        )
        self.medics_lose = battle_map.kind == "MMM"
        self.reward_sparse = reward_sparse
        self.reward_only_positive = reward_only_positive
        self.timeout = timeout
        self.horizon = battle_map.limit if horizon is None else horizon
        shape = jax.eval_shape(lambda key: self.observe(self._begin(key, 1), False), jax.random.key(0))
        self.spec = Spec(
            names=self.scenario.names[: roster.allies],
            features=shape.agents.shape[-1],
            actions=self.view.actions,
            horizon=self.horizon,
            state=0 if obs_instead_of_state else shape.state.shape[-1],
            layouts=(entity_layout(self.view, self.shown, roster),),
        )

    def kinds(self, state: SkirmishState) -> Kinds:
        """Return the type of each unit."""
        fixed = self.field.roster.kinds
        return state.kinds if fixed is None else fixed[:, None]

    def _begin(self, key: PRNGKeyArray, n: int) -> SkirmishState:
        start = self.scenario.start(named(key, "start"), n)
        roster = self.field.roster
        kinds = start.kinds if roster.kinds is None else roster.kinds[:, None]
        return SkirmishState(
            forces=start_forces(roster, kinds, start.pos, self.field.reacting),
            kinds=jnp.asarray(start.kinds),
            goal=start.goal,
            last_action=jnp.full((roster.allies, n), -1),
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
        ranks = self.view.ranks
        delays = draw_delays(named(key, "weapon delays"), roster, action.shape[-1])
        before = state.forces
        orders = self.orders(state, action, named(key, "enemies"))
        after = fight(self.field, kinds, before, orders, delays)
        outcome = result(ranks, stats, after, self.medics_lose)
        earned = reward(ranks, stats, before, after, outcome, self.reward_sparse, self.reward_only_positive)
        state = SkirmishState(after, state.kinds, state.goal, action, state.t + 1)
        late = (state.t >= self.horizon) & ~outcome.over
        fallen = lambda rows: 1.0 * jnp.sum(before.alive[rows] & ~after.alive[rows], axis=0)
        terminal = self.timeout == "terminal"
        return state, Step(
            obs=self.observe(state),
            reward=jnp.broadcast_to(earned[:, None], (len(earned), roster.allies)),
            team_reward=earned[:, None],
            terminated=outcome.over | late if terminal else outcome.over,
            truncated=jnp.zeros_like(late) if terminal else late,
            counts={
                "won": 1.0 * outcome.won,
                "dead_allies": fallen(ranks.own),
                "dead_enemies": fallen(ranks.foes),
                "timeouts": 1.0 * late,
            },
        )

    def orders(self, state: SkirmishState, action: Int[Array, "agents n"], key: PRNGKeyArray) -> Orders:
        """Return everybody's orders: the agents' actions, and what the enemies' script says."""
        roster = self.field.roster
        battle = see_battle(self.field, roster.stats(self.kinds(state)), state.forces, sides(roster)[1], key)
        return join_orders(roster, read_actions(action), self.enemy(battle), state.goal)

    def observe(self, state: SkirmishState, state_too: bool = True) -> Observation:
        """Return what agents observe."""
        kinds = self.kinds(state)
        stats = self.field.roster.stats(kinds)
        legal = legal_actions(self.view, self.shown, self.field.terrain, stats, state.forces)
        clock = state.t / self.horizon
        facing = jnp.zeros_like(state.last_action)
        features = observe(
            self.view,
            self.shown,
            self.field.terrain,
            kinds,
            stats,
            state.forces,
            legal,
            state.last_action,
            clock,
            facing,
        )
        world = global_state(self.view, self.shown, kinds, stats, state.forces, state.last_action, clock)
        n = len(state.t)
        if state_too and not self.spec.state:
            world = jnp.zeros((0, n))
        return Observation(
            agents=jnp.moveaxis(features, -1, 0),
            state=world.T,
            legal=jnp.moveaxis(legal, -1, 0),
            alive=state.forces.alive[self.view.ranks.own].T,
            first=state.t == 0,
        )

    def scene(self, state: SkirmishState) -> Scene:
        return draw_scene(
            self.field.roster, self.field.terrain, self.kinds(state), state.forces, len(self.spec.teams)
        )
