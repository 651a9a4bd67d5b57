"""Acting in a world that is a Python program: one compiled call a tick."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, UInt8

from ..ops import named
from .loop import Trainer
from .rows import RowLayout
from .stand_in import one_copy


class Acting:
    """The program that acts: a row of each copy's outcome in, a row of its agents' choices out.

    What it needs besides is taken apart once a rollout: for a large learner that takes longer than to act.
    """

    def __init__(self, trainer: Trainer, outcomes: RowLayout, learners: tuple, carry: tuple, explore: bool):
        self.trainer = trainer
        self.outcomes = outcomes
        self.explore = explore
        self.learners_tree = jax.tree.structure(learners)
        self.carry_tree = jax.tree.structure(carry)

        def choose(learners, carry):
            obs = trainer.env.reset(jr.key(0), trainer.copies)[1]
            return trainer.act(learners, carry, obs, jr.key(0), jnp.zeros((), int), explore)[1:]

        self.choices = RowLayout(one_copy(jax.eval_shape(choose, learners, carry)))
        self._compiled = jax.jit(self._act)

    def fixed(self, learners: tuple, key: PRNGKeyArray, steps: Int[Array, ""]) -> tuple:
        """Return what stays the same at every tick of a rollout."""
        return jax.tree.leaves(learners), key, steps

    def moving(self, carry: tuple) -> list[Array]:
        """Return what changes: the number of the tick, and the carries."""
        return [jnp.zeros((), int), *jax.tree.leaves(carry)]

    def carry(self, moving: list[Array]) -> tuple:
        """Return the carries as the trainer has them."""
        return jax.tree.unflatten(self.carry_tree, moving[1:])

    def act(
        self, fixed: tuple, moving: list[Array], rows: UInt8[np.ndarray, "n width"]
    ) -> tuple[list[Array], UInt8[np.ndarray, "n choice_width"]]:
        """Return what has changed, and everybody's choices."""
        moving, choices = self._compiled(fixed, moving, rows)
        return moving, np.asarray(choices)

    def _act(
        self, fixed: tuple, moving: list[Array], rows: UInt8[Array, "n width"]
    ) -> tuple[list[Array], UInt8[Array, "n choice_width"]]:
        leaves, key, steps = fixed
        t, *carry = moving
        learners = jax.tree.unflatten(self.learners_tree, leaves)
        carry = jax.tree.unflatten(self.carry_tree, carry)
        obs = self.outcomes.unpack(rows).obs
        carry, *choice = self.trainer.act(learners, carry, obs, named(key, t, "act"), steps, self.explore)
        return [t + 1, *jax.tree.leaves(carry)], self.choices.pack(tuple(choice))
