"""One copy of a Jumanji world, in covey's terms."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Bool, Int, PRNGKeyArray, PyTree, Shaped

from ...core import Observation, Spec, Step, Vectorised
from ...errors import UserError
from .choices import WorldChoices
from .padding import Padding, flat_numbers, raw_key, settled, team_rewards, width_of
from .spaces import MASK, Box, Discrete
from .teams import TeamReward

_MEMBERS = ("reset", "step", "observation_spec", "action_spec", "discount_spec")
# These tell a time limit by a discount of 1; all others call it a termination.
_TELL_TRUNCATION = ("Connector", "LevelBasedForaging")
_CLOCKS = ("step_count", "step")
_MAPS = ("grid",)  # with two axes it is nobody's own, however many agents there are


def is_jumanji(thing: Any) -> bool:
    """Say whether a class or an object is a world of Jumanji's kind."""
    return all(hasattr(thing, name) for name in _MEMBERS)


def jumanji_environment(
    world: Any,
    title: str,
    options: Mapping[str, Any],
    choices: WorldChoices,
) -> Vectorised:
    """Return the environment of a Jumanji world."""
    return Vectorised(JumanjiCopy(world, title, choices))


class _State(eqx.Module):
    world: PyTree[Array]
    t: Int[Array, ""]


class JumanjiCopy(eqx.Module):
    """One copy of a Jumanji world, for `Vectorised`."""

    world: Any = eqx.field(static=True)
    spec: Spec
    padding: Padding = eqx.field(static=True)
    team_reward: TeamReward = eqx.field(static=True)
    central: bool = eqx.field(static=True)
    agents: int = eqx.field(static=True)
    limit: int = eqx.field(static=True)

    def __init__(self, world: Any, title: str, choices: WorldChoices):
        self.world = world
        self.team_reward = choices.team_reward
        self.central = choices.state
        spaces = _action_spaces(world, title)
        self.agents = len(spaces)
        self.limit = choices.longest(title, int(getattr(world, "time_limit", 0) or 0))
        shown = _first(world)[1].observation
        own, central = jax.eval_shape(lambda shown: (self._each(shown), self._state(shown)), shown)
        self.padding = Padding(title, list(map(width_of, own)), spaces)
        names = tuple(f"agent_{i}" for i in range(self.agents))
        width = width_of(central) if self.agents > 1 else 0
        self.spec = self.padding.spec(title, names, self.limit, width, choices)

    def reset(self, key: PRNGKeyArray) -> tuple[_State, Observation]:
        world, shown = self.world.reset(raw_key(key))
        state = _State(self._settled(world), jnp.zeros((), jnp.int32))
        return state, self._observe(shown.observation, state)

    def step(self, state: _State, action: Shaped[Array, "..."], key: PRNGKeyArray) -> tuple[_State, Step]:
        each = [self.padding.own_action(i, action[i]) for i in range(self.agents)]
        joint = jnp.stack(each) if self.world.action_spec.shape else each[0]
        world, shown = self.world.step(state.world, joint.astype(self.world.action_spec.dtype))
        state = _State(self._settled(world), state.t + 1)
        last = shown.last()
        at_limit = state.t >= self.spec.horizon
        terminated = last & jnp.all(shown.discount == 0) & (~at_limit | self._tells_truncation())
        reward = jnp.broadcast_to(jnp.float32(shown.reward), (self.agents,))
        extras = {name: jnp.float32(x) for name, x in shown.extras.items() if jnp.ndim(x) == 0}
        step = Step(
            obs=self._observe(shown.observation, state),
            reward=reward,
            team_reward=team_rewards(self.spec, self.team_reward, reward),
            terminated=terminated,
            truncated=(last | at_limit) & ~terminated,
            counts={name: jnp.where(last, x, 0.0) for name, x in extras.items()},
        )
        return state, step

    def _tells_truncation(self) -> bool:
        return any(cls.__name__ in _TELL_TRUNCATION for cls in type(self.world).__mro__)

    def _settled(self, world: PyTree) -> PyTree[Array]:
        return settled(world, _first(self.world)[0])

    def _parts(self, shown: Any) -> dict[str, Any]:
        """Return what an observation is made of, the clock as a fraction of the limit."""
        parts = shown._asdict() if hasattr(shown, "_asdict") else {"": shown}
        for name in _CLOCKS:
            if name in parts:
                parts[name] = jnp.float32(parts[name]) / self.limit
        return {name: part for name, part in parts.items() if name != MASK}

    def _each(self, shown: Any) -> list[PyTree[Array]]:
        """Return each agent's own rows, and what belongs to nobody."""
        parts = self._parts(shown)
        return [
            {name: jax.tree.map(lambda x, n=name, i=i: self._own(n, x, i), x) for name, x in parts.items()}
            for i in range(self.agents)
        ]

    def _own(self, name: str, x: Shaped[Array, "..."], i: int) -> Shaped[Array, "..."]:
        shared = name in _MAPS and x.ndim == 2
        if shared and type(self.world).__name__ == "Connector":
            return connectors_grid(x, i, self.agents)
        return x[i] if x.shape[:1] == (self.agents,) and not shared and self.agents > 1 else x

    def _state(self, shown: Any) -> PyTree[Array]:
        return self._parts(shown) if self.central else ()

    def _observe(self, shown: Any, state: _State) -> Observation:
        alive: Bool[Array, " agents"] = jnp.ones(self.agents, bool)
        masks = getattr(shown, MASK, None)
        each = None if masks is None else list(jnp.reshape(masks, (self.agents, -1)))
        return Observation(
            agents=self.padding.stack(self._each(shown)),
            state=flat_numbers(self._state(shown)) if self.spec.state else jnp.zeros(0),
            legal=self.padding.legal(each, alive),
            alive=alive,
            first=state.t == 0,
        )


def connectors_grid(grid: Int[Array, "rows columns"], i: int, agents: int) -> Int[Array, "rows columns"]:
    """Return Connector's grid as agent i sees it: path, head, target are 1, 2, 3, the next agent's 4, 5, 6.

    The world shows one grid to all, in which 1, 2, 3 are the first agent's.
    """
    owner = (grid - 1) // 3
    return jnp.where(grid > 0, (owner - i) % agents * 3 + (grid - 1) % 3 + 1, 0)


def _first(world: Any) -> tuple[PyTree[jax.ShapeDtypeStruct], Any]:
    """Return the shapes of a world's state and of what it shows, after a reset."""
    return jax.eval_shape(lambda key: world.reset(key), raw_key(jr.key(0)))


def _action_spaces(world: Any, title: str) -> list[Any]:
    """Return each agent's actions. A world whose joint action is one agent's is refused."""
    spec = world.action_spec
    if not spec.shape and hasattr(spec, "num_values"):
        return [Discrete(int(spec.num_values))]
    inner = getattr(world, "generator", None)
    said = [getattr(world, "num_agents", None), getattr(world, "_num_vehicles", None)]
    agents = next(filter(None, [*said, getattr(inner, "num_searchers", None)]), None)
    if agents is None or not spec.shape or spec.shape[0] != agents:
        raise UserError(f"{title} has one agent, which chooses several things at once: train in another")
    if jnp.issubdtype(spec.dtype, jnp.integer):
        choices = getattr(spec, "num_values", np.asarray(spec.maximum) + 1)
        return [Discrete(int(n)) for n in np.broadcast_to(np.asarray(choices), spec.shape)]
    low = np.broadcast_to(np.asarray(spec.minimum, np.float32), spec.shape)
    high = np.broadcast_to(np.asarray(spec.maximum, np.float32), spec.shape)
    return [Box(spec.shape[1:], low[i], high[i]) for i in range(agents)]
