"""A trained policy by itself: observations in, actions out."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Float, Shaped

from ..algorithms.random import Random
from ..commands import as_called
from ..config.config import Config
from ..core import Observation, Spec, Trajectory, as_numbers
from ..errors import UserError
from ..ops import named
from ..text import count, nearest
from ..training.host import StandIn
from ..training.loop import Trainer
from . import checkpoint, kept
from .decisions import explain_decisions
from .engine import Engine
from .folder import RunFolder
from .observed import Given, Observed, read_observations, read_row
from .provenance import read_spec
from .session import Training


def load_trained(folder: RunFolder, seed: int, at: int | str | None = None) -> tuple[Engine, tuple[Any, ...]]:
    """Return a run's engine, and the learners of one of its seeds; `at` names a checkpoint."""
    weights = kept.checkpoint_at(folder, at)
    engine = Engine(_config_with(folder, seed))
    learners = checkpoint.restore_learners(weights, engine.all_seeds(engine.shapes).learners)
    return engine, jax.tree.map(lambda x: jnp.asarray(x[seed]), learners)


def load_player(folder: RunFolder, seed: int, at: int | str | None = None) -> tuple[Trainer, tuple[Any, ...]]:
    """Return what acts in a run, and the learners of a seed; its world is made only for an older run."""
    weights = kept.checkpoint_at(folder, at)
    config = _config_with(folder, seed)
    spec = read_spec(folder)
    if spec is None:
        engine, learners = load_trained(folder, seed, at)
        return engine.trainer, learners
    slots = config.learner_slots(spec)
    init = lambda key: tuple(slot.algorithm.init(slot.spec(spec), key) for slot in slots)
    of_seeds = lambda x: jax.ShapeDtypeStruct((config.seeds, *x.shape), x.dtype)
    shapes = jax.tree.map(of_seeds, jax.eval_shape(init, jr.key(0)))
    learners = checkpoint.restore_learners(weights, shapes)
    trainer = Trainer(StandIn(spec), slots, copies=1, length=1)
    return trainer, jax.tree.map(lambda x: jnp.asarray(x[seed]), learners)


def _config_with(folder: RunFolder, seed: int) -> Config:
    """Return a run's configuration, if it trained the seed."""
    config = Config.from_yaml(folder.config)
    _check_seed(config, folder, seed)
    return config


def _check_seed(config: Config, folder: RunFolder, seed: int) -> None:
    if not 0 <= seed < config.seeds:
        raise UserError(f"seed {seed} is not in {folder.path}: it trained seeds 0 to {config.seeds - 1}")


class Policy:
    """A trained policy. It carries its memory; call `reset` where an episode begins.

    It acts in one copy of its world, or in n at once. `step` is the point in training at which schedules
    stand when it explores.
    """

    def __init__(self, trainer: Trainer, learners: tuple[Any, ...], step: int = 0):
        self.trainer = trainer
        self.learners = learners
        self.step = step
        self._act = jax.jit(self._act_once, static_argnames="explore")
        self._explain = jax.jit(lambda learners, rollouts: explain_decisions(trainer, learners, rollouts))
        self.reset(seed=0)

    @staticmethod
    def load(path: str | Path, seed: int = 0, at: int | str | None = None) -> "Policy":
        folder = RunFolder.existing(path)
        return Policy(*load_player(folder, seed, at), _trained_steps(folder, at))

    @property
    def spec(self) -> Spec:
        return self.trainer.spec

    @as_called
    def reset(self, seed: int | None = None) -> None:
        """Begin an episode: reset the carry. A `seed` makes exploring actions begin anew."""
        self._episode: list[tuple[Observed, np.ndarray]] = []
        self._moments = 0
        self._carry: Any = None
        if seed is not None:
            self._key = jr.key(seed)
            self._draws = 0

    def act(
        self, observations: Given, legal: Any = None, *, explore: bool = False
    ) -> Shaped[np.ndarray, "..."] | dict[str, Any]:
        """Return greedy actions for the observations of all agents, in the form in which these come.

        They are `[agents, features]`, `[n, agents, features]` for n copies, the same by agent's name, or what
        a world of `covey.make` gives. `legal` tells the legal actions. With `explore`, actions are drawn as
        in training.
        """
        seen = read_observations(self.spec, observations, legal)
        begins = not self._episode
        if begins:
            self._carry = self.trainer.init_carries(self.learners, seen.n)
        elif seen.n != self._episode[-1][0].n:
            raise UserError(
                f"the episode goes on in {count(self._episode[-1][0].n, 'copy', 'copies')}, not in {seen.n}: "
                "call reset() where another begins"
            )
        obs = _as_observation(seen, begins)
        self._draws += explore
        key = named(self._key, "act", self._draws) if explore else self._key
        self._carry, action = self._act(self.learners, self._carry, obs, key, explore=explore)
        action = np.asarray(action)
        self._moments += 1
        kept = self._episode if self._moments <= self.spec.horizon else []
        self._episode = [*kept, (seen, action)]
        action = action if seen.is_batch else action[0]
        if not seen.by_name:
            return action
        return dict(zip(self.spec.names, np.moveaxis(action, int(seen.is_batch), 0), strict=True))

    def decisions(self) -> dict[str, Float[np.ndarray, "..."]]:
        """Return why the newest actions were taken, as far as the algorithm tells.

        The names are `action_values`, `action_probabilities`, `credit` and `attention`: an entry for each
        agent, and before that an axis for n copies.
        """
        if not self._episode:
            raise UserError("nobody has acted yet: call act(observations) first")
        last = len(self._episode) - 1
        if self._moments > len(self._episode):
            raise UserError(
                f"an episode of this world has at most {count(self.spec.horizon, 'step')}, and this one has "
                f"{self._moments}: call reset() where an episode begins"
            )
        found = self._explain(self.learners, _as_rollouts(self.trainer, self._episode))
        batch = self._episode[-1][0].is_batch
        pick = lambda x: np.asarray(x[:, last] if batch else x[0, last])
        return {name: pick(x) for name, x in found.items() if name != "advantage"}

    def values(self) -> Float[np.ndarray, "*n agents actions"]:
        """Return every action's value where the policy has acted last."""
        return self._decision("action_values", "no values of actions", "probabilities()")

    def probabilities(self) -> Float[np.ndarray, "*n agents actions"]:
        """Return every action's probability where the policy has acted last."""
        return self._decision("action_probabilities", "no probabilities of actions", "values()")

    def _decision(self, name: str, what: str, instead: str) -> Float[np.ndarray, "..."]:
        found = self.decisions()
        if name not in found:
            kinds = ", ".join(dict.fromkeys(type(slot.algorithm).__name__ for slot in self.trainer.slots))
            raise UserError(f"{kinds} tells {what} here: try {instead}, or decisions() for all that it tells")
        return found[name]

    def agent(self, name: str) -> "Agent":
        """Return one agent by itself, which needs its own observations only."""
        return Agent(self.trainer, self.learners, name)

    def _act_once(self, learners, carry, obs, key, explore):
        step = jnp.asarray(self.step, int)
        carry, action, _ = self.trainer.act(learners, carry, obs, key, step, explore)
        return carry, action


def current_policy(training: Training, seed: int) -> Policy:
    """Return a seed's policy as it is in a run in progress."""
    _check_seed(training.config, training.folder, seed)
    engine = training.engine
    learners = engine.join([state.learners for state in training.states])
    own = jax.tree.map(lambda x: jnp.asarray(x[seed]), learners)
    return Policy(engine.trainer, own, training.steps())


def _trained_steps(folder: RunFolder, at: int | str | None) -> int:
    """Return the steps after which a checkpoint was written, as far as the run tells."""
    weights = kept.checkpoint_at(folder, at)
    facts = checkpoint.read_facts(weights)
    steps = facts.get("step") or folder.read_summary().get("steps")
    return int(steps or Config.from_yaml(folder.config).steps)


def _as_observation(seen: Observed, first: bool) -> Observation:
    """Return what was seen as the training loop has it."""
    return Observation(seen.rows, seen.state, seen.legal, seen.alive, np.full(seen.n, first))


def _as_rollouts(trainer: Trainer, episode: list[tuple[Observed, np.ndarray]]) -> Trajectory:
    """Return an episode so far as rollouts that are always as long as the longest: compiled once."""
    spec = trainer.spec
    length = spec.horizon
    n = episode[0][0].n
    moments = [_as_observation(seen, t == 0) for t, (seen, _) in enumerate(episode)]
    empty = jax.tree.map(np.zeros_like, moments[0])
    moments += [empty] * (length + 1 - len(moments))
    actions = [action for _, action in episode]
    actions += [np.zeros_like(actions[0])] * (length - len(actions))
    along_time = lambda *xs: jnp.asarray(np.stack(xs, axis=1))
    return Trajectory(
        obs=jax.tree.map(along_time, *moments),
        action=along_time(*actions),
        reward=jnp.zeros((n, length, spec.agents)),
        team_reward=jnp.zeros((n, length, len(spec.teams))),
        terminated=jnp.zeros((n, length), bool),
        valid=jnp.broadcast_to(jnp.arange(length) < len(episode), (n, length)),
        extras={slot.name: None for slot in trainer.slots},
    )


class Agent:
    """One agent of a trained policy: its own observations in, its greedy actions out.

    It carries its memory; call `reset` where an episode begins.
    """

    def __init__(self, trainer: Trainer, learners: tuple[Any, ...], name: str):
        names = trainer.spec.names
        if name not in names:
            raise UserError(f"there is no agent '{name}'{nearest(name, names)}: there are {', '.join(names)}")
        pairs = zip(trainer.slots, learners, strict=True)
        slot, self._learner = next(pair for pair in pairs if names.index(name) in pair[0].members)
        if isinstance(slot.algorithm, Random):
            raise UserError(f"nobody learned for {name} in this run: it acts at random")
        self.name = name
        self.spec = slot.spec(trainer.spec)
        self._algorithm = slot.algorithm
        self._place = self.spec.names.index(name)
        self._step = jax.jit(self._act_once)
        self.reset()
        self._check_independence()

    def reset(self) -> None:
        """Begin an episode: reset the carry."""
        self.carry = self._algorithm.init_carry(self.spec, self._learner)
        self.first = True

    def act(self, observation: Any, legal: Any = None) -> Shaped[np.ndarray, "..."]:
        """Return the greedy action: a number, or one for each dimension."""
        row = read_row(self.spec, self.name, observation)
        legal = np.ones(self.spec.actions, bool) if legal is None else np.asarray(legal, bool)
        rest = jnp.zeros((self.spec.agents, self.spec.features))
        self.carry, action = self._step(self._learner, self.carry, row, rest, legal, self.first)
        self.first = False
        return np.asarray(action)

    def _act_once(self, learner, carry, row, rest, legal, first):
        """Act on the agent's observation; `rest` takes the place of its teammates'."""
        spec = self.spec
        obs = Observation(
            agents=rest.at[self._place].set(as_numbers(row)),
            state=jnp.zeros(spec.state),
            legal=jnp.ones((spec.agents, spec.actions), bool).at[self._place].set(legal),
            alive=jnp.ones(spec.agents, bool),
            first=jnp.asarray(first),
            others=jnp.zeros((spec.others, spec.features)),
        )
        now = jnp.zeros((), int)
        carry, action, _ = self._algorithm.act(learner, carry, obs, jr.key(0), now, False)
        return carry, action[self._place]

    def _check_independence(self) -> None:
        """Refuse an agent that acts on its teammates' observations: among 64 random ones it shows."""
        spec = self.spec
        legal = jnp.ones(spec.actions, bool)
        rows = jr.normal(jr.key(1), (64, spec.features))
        rests = jr.normal(jr.key(2), (64, spec.agents, spec.features))
        one = lambda row, rest: self._act_once(self._learner, self.carry, row, rest, legal, True)[1]
        act = jax.jit(jax.vmap(one))
        alone = act(rows, 0 * rests)
        among = act(rows, rests)
        if not np.allclose(alone, among, atol=1e-5):
            raise UserError(
                f"{self.name} also acts on what its teammates see: give everybody's to covey.load(run).act"
            )
