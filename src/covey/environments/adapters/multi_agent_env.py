"""One copy of a JaxMARL `MultiAgentEnv`, in covey's terms."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree, Shaped

from ...core import Observation, Spec, Step, Vectorised
from ...errors import SettingError
from .choices import WorldChoices
from .padding import Padding, flat_numbers, raw_key, settled, team_rewards, width_of
from .teams import TeamReward

# These compare the clock with their limit before they advance it: their episodes end a step late.
_LATE = ("SimpleMPE", "SMAX", "EnemySMAX")


def is_multi_agent_env(thing: Any) -> bool:
    """Say whether a class or an object is a world of JaxMARL's kind."""
    return all(hasattr(thing, name) for name in ("step_env", "reset", "action_space"))


def multi_agent_env(
    world: Any,
    title: str,
    options: Mapping[str, Any],
    choices: WorldChoices,
    shaped: float = 0.0,
) -> Vectorised:
    """Return the environment of a JaxMARL world."""
    return Vectorised(JaxMARLCopy(world, title, choices, shaped))


class _State(eqx.Module):
    world: PyTree[Array]
    t: Int[Array, ""]


class JaxMARLCopy(eqx.Module):
    """One copy of a JaxMARL world, for `Vectorised`."""

    world: Any = eqx.field(static=True)
    spec: Spec
    padding: Padding = eqx.field(static=True)
    masks: str = eqx.field(static=True)  # the world's method that tells legal actions
    team_reward: TeamReward = eqx.field(static=True)
    central: bool = eqx.field(static=True)
    shaped: float = eqx.field(static=True)

    def __init__(self, world: Any, title: str, choices: WorldChoices, shaped: float):
        self.world = world
        self.team_reward = choices.team_reward
        self.central = choices.state
        self.shaped = shaped
        names = tuple(world.agents)
        own, central = self._shapes(lambda obs, state: (self._each(obs), self._state(obs, state)))
        self.padding = Padding(title, list(map(width_of, own)), list(map(world.action_space, names)))
        self.masks = self._find_masks()
        limit = choices.longest(title, _time_limit(world))
        self.spec = self.padding.spec(title, names, limit, width_of(central), choices)

    def reset(self, key: PRNGKeyArray) -> tuple[_State, Observation]:
        obs, world = self.world.reset(raw_key(key))
        state = _State(settled(world, self._shapes(lambda _, state: state)), jnp.zeros((), jnp.int32))
        return state, self._observe(obs, state, jnp.ones(self.spec.agents, bool))

    def step(self, state: _State, action: Shaped[Array, "..."], key: PRNGKeyArray) -> tuple[_State, Step]:
        names = self.world.agents
        actions = {name: self.padding.own_action(i, action[i]) for i, name in enumerate(names)}
        obs, world, reward, done, info = self.world.step_env(raw_key(key), state.world, actions)
        state = _State(settled(world, self._shapes(lambda _, state: state)), state.t + 1)
        over = jnp.asarray(done["__all__"], bool)
        at_limit = state.t >= self.spec.horizon
        # A late world says nothing of its limit yet: where it says `done`, the episode is really over.
        terminated = over if _is_late(self.world) else over & ~at_limit
        rewards, counts = self._rewards(reward, info)
        won = _won(self.world, world)
        step = Step(
            obs=self._observe(obs, state, self._alive(done)),
            reward=rewards,
            team_reward=team_rewards(self.spec, self.team_reward, rewards),
            terminated=terminated,
            truncated=at_limit & ~terminated,
            counts=counts | ({} if won is None else {"won": jnp.float32(won & over)}),
        )
        return state, step

    def _each(self, values: Any) -> list[Any]:
        """Return each agent's part of what the world gives for all agents, in any of JaxMARL's shapes."""
        return [self._own(values, i, name) for i, name in enumerate(self.world.agents)]

    def _own(self, values: Any, i: int, name: Any) -> Any:
        if isinstance(values, Mapping):
            return values[name] if name in values else {k: self._own(v, i, name) for k, v in values.items()}
        if isinstance(values, tuple | list):
            return values[i]
        return values[i] if values.shape[0] == len(self.world.agents) else values[..., i]

    def _state(self, obs: Any, state: Any) -> PyTree[Array]:
        """Return the global state, where the world has one."""
        if not self.central:
            return ()
        if isinstance(obs, Mapping) and "world_state" in obs:
            return obs["world_state"]
        return self.world.get_world_state(state) if hasattr(self.world, "get_world_state") else ()

    def _shapes(self, read: Callable[[Any, Any], Any]) -> Any:
        """Return the shapes of what is read from the observations and the state after a reset."""
        return jax.eval_shape(lambda key: read(*self.world.reset(key)), raw_key(jr.key(0)))

    def _find_masks(self) -> str:
        """Return the name of the method that tells each agent's legal actions; empty if there is none."""
        sizes = list(self.padding.available.sum(1))
        for method in ("get_avail_actions", "get_legal_moves"):
            with contextlib.suppress(NotImplementedError, AttributeError):
                legal = getattr(self.world, method)
                masks = self._shapes(lambda _, state, legal=legal: self._each(legal(state)))
                if [mask.size for mask in masks] == sizes:
                    return method
        return ""

    def _observe(self, obs: Any, state: _State, alive: Bool[Array, " agents"]) -> Observation:
        masks = self._each(getattr(self.world, self.masks)(state.world)) if self.masks else None
        return Observation(
            agents=self.padding.stack(self._each(obs)) * alive[:, None],
            state=flat_numbers(self._state(obs, state.world)),
            legal=self.padding.legal(masks, alive),
            alive=alive,
            first=state.t == 0,
        )

    def _alive(self, done: Mapping[Any, Any]) -> Bool[Array, " agents"]:
        """Return who still takes part. Where all are done, the episode is over, and nobody died of that."""
        gone = jnp.stack([jnp.asarray(done.get(name, False), bool) for name in self.world.agents])
        return ~gone | gone.all()

    def _rewards(self, reward: Any, info: Any) -> tuple[Float[Array, " agents"], dict[str, Array]]:
        stack = lambda values: jnp.stack([jnp.float32(own) for own in self._each(values)])
        rewards = stack(reward)
        if not self.shaped:
            return rewards, {}
        if "shaped_reward" not in info:
            raise SettingError("shaped", "needs a world with a shaped reward", "set `shaped=0`")
        return rewards + self.shaped * stack(info["shaped_reward"]), {"unshaped": jnp.mean(rewards)}


def _is_late(world: Any) -> bool:
    return any(cls.__name__ in _LATE for cls in type(world).__mro__)


def _time_limit(world: Any) -> int:
    """Return the longest episode, as the world gives it; 0 if it does not."""
    if hasattr(world, "num_inner_steps"):  # the very last step is a reset, which pays nothing
        return world.num_inner_steps * world.num_outer_steps - 1
    if hasattr(world, "deck_size"):  # Hanabi: all cards are played, all tokens spent on hints
        turns = world.deck_size - world.num_agents * world.hand_size + world.num_agents + 1
        return int(2 * turns + world.max_info_tokens)
    return int(getattr(world, "max_steps", 0) or getattr(world, "episode_length", 0))


def _won(world: Any, state: Any) -> Bool[Array, ""] | None:
    """Return whether the first team has won a battle of SMAX; None in other worlds."""
    battle = getattr(state, "state", state)  # HeuristicEnemySMAX wraps it
    if not hasattr(battle, "unit_alive"):
        return None
    allies = battle.unit_alive[: world.num_allies]
    return allies.any() & ~battle.unit_alive[world.num_allies :].any()
