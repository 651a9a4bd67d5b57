"""A small game drawn whole: its payoffs, and beside them what the learner estimates."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int

from ..charts import (
    BETTER,
    INK,
    PALE_INK,
    WORSE,
    draw_payoffs,
    frame_joint,
    pyplot,
    save_figure,
    star_best,
)
from ..core import Trajectory
from ..core.scene import Insightful, PayoffTable, Tabular
from ..errors import UserError
from ..ops import named
from ..runs.folder import RunFolder
from ..runs.policy import load_trained
from ..training.learners import view_as
from ..training.loop import Trainer

_MOST_PANELS = 6  # in a picture that can be read
_MOST_ENTRIES = 400
_TRIES = 4096  # exploring copies, among which one follows a table's path
# inches beside, between, above and below the tables
_LEFT = 0.72
_BETWEEN = 0.5
_ABOVE = 0.66
_BELOW = 0.56
# inches of a table's name and of the actions under it
_NAME = 0.34
_ACTIONS = 0.34


class LearnedTable(NamedTuple):
    """A table of the game, and what was learned of it."""

    table: PayoffTable
    value: Float[np.ndarray, "..."] | None  # None: the learner has no values of actions
    called: str  # the learner's name for its values
    chosen: tuple[int, ...] | None  # None: the learner draws lots


def play_actions(trainer: Trainer, learners: tuple, actions: Int[Array, "n T agents"]) -> Trajectory:
    """Return the trajectories that given actions lead to."""
    n, length = actions.shape[:2]
    actors = trainer.begin(learners, jr.key(0), n)
    steps = jnp.zeros((), int)
    return trainer.rollout(
        learners, actors, jr.key(0), steps, length, explore=False, actions=actions
    ).trajectory


def _joint_values(
    trainer: Trainer, learners: tuple, table: PayoffTable
) -> tuple[Float[np.ndarray, "..."] | None, str]:
    """Return the learner's value of each joint action at the end of the table's path, and their name.

    Among a learner's estimates these are the first whose name starts with Q: they value an action, not a
    moment.
    """
    paths = [(*table.path, joint) for joint in np.ndindex(table.best.shape)]
    rollouts = jax.jit(lambda learners: play_actions(trainer, learners, jnp.array(paths)))(learners)
    for slot, learner in zip(trainer.slots, learners, strict=True):
        algorithm = slot.algorithm
        if isinstance(algorithm, Insightful):
            view = view_as(slot, trainer.spec, slot.own_rollouts(rollouts))
            insight = jax.vmap(lambda one, a=algorithm, w=learner: a.insight(w, one))(view)
            for name in filter(lambda name: name.startswith("Q"), insight):
                values = np.asarray(insight[name][:, -1].mean(axis=-1))
                return values.reshape(table.best.shape), name
    return None, ""


def _greedy_joint(trainer: Trainer, learners: tuple, table: PayoffTable) -> tuple[int, ...] | None:
    """Return the greedy joint action at the end of the table's path.

    A recurrent agent remembers its own actions. So many copies explore, as when training began, and those
    count that took the path by themselves. None where none did, or where they differ: they draw lots.
    """
    steps = jnp.zeros((), int)
    key = jr.key(0)
    carry = trainer.init_carries(learners, _TRIES)
    state, obs = trainer.env.reset(key, _TRIES)
    on_path = jnp.ones(_TRIES, bool)
    for t, joint in enumerate(table.path):
        carry, action, _ = trainer.act(learners, carry, obs, named(key, t), steps, True)
        on_path &= jnp.all(action == jnp.array(joint), axis=1)
        state, step = trainer.env.step(state, jnp.broadcast_to(jnp.array(joint), action.shape), key)
        obs = step.obs
    action = trainer.act(learners, carry, obs, key, steps, False)[1]
    joints = np.unique(np.asarray(action)[np.asarray(on_path)], axis=0)
    return tuple(joints[0].tolist()) if len(joints) == 1 else None


def learned_tables(trainer: Trainer, learners: tuple) -> list[LearnedTable]:
    """Return every table of the game, with what was learned of it."""
    assert isinstance(trainer.env, Tabular)
    results = []
    for table in trainer.env.tables():
        value, name = _joint_values(trainer, learners, table)
        results.append(LearnedTable(table, value, name, _greedy_joint(trainer, learners, table)))
    return results


def outcome_label(first: LearnedTable, earned: float) -> str:
    """Say what a greedy episode earned; nothing where that is a matter of luck."""
    if first.chosen is None:
        return ""
    best = first.table.best.max()
    return f"finds {best:g}" if np.isclose(earned, best) else f"settles for {earned:g} (best {best:g})"


def check_drawable(tables: tuple[PayoffTable, ...]) -> None:
    """Raise if the tables are too large or too many to be read in a picture."""
    shape = tables[0].best.shape
    panels = sum(int(np.prod(table.best.shape[2:])) for table in tables)
    if not 2 <= len(shape) <= 3 or panels > _MOST_PANELS or tables[0].best.size > _MOST_ENTRIES:
        raise UserError(
            f"a game of {' × '.join(map(str, shape))} joint actions cannot be drawn as tables: "
            "ask for a film instead, as in --out film.gif"
        )


def draw_run(folder: RunFolder, out: Path, seed: int, at: int | str | None = None) -> None:
    """Draw a run's game and what a seed learned of it: its joint action framed, the best ones starred."""
    engine, learners = load_trained(folder, seed, at)
    trainer = engine.trainer
    assert isinstance(trainer.env, Tabular)
    check_drawable(trainer.env.tables())
    tables = learned_tables(trainer, learners)
    earned = trainer.evaluate(learners, jr.key(0), jnp.zeros((), int), 1)["teams"][0, 0]
    name = engine.config.environment.rpartition(":")[2]
    title = f"{name} · {engine.config.algorithm} · seed {seed}"
    draw_tables(out, tables, trainer.spec.names, title, outcome_label(tables[0], float(earned)))


def draw_tables(
    out: Path, tables: list[LearnedTable], agents: tuple[str, ...], title: str, outcome: str
) -> None:
    """Draw the truth and the learned values: side by side for one table, else below each other."""
    panels = [(one, rest) for one in tables for rest in np.ndindex(one.table.best.shape[2:])]
    kinds = 1 if tables[0].value is None else 2
    across, down = (kinds, 1) if len(panels) == 1 else (len(panels), kinds)
    rows, columns = tables[0].table.best.shape[:2]
    cell = 0.62 if max(rows, columns) > 6 else 0.8
    wide = columns * cell
    high = rows * cell
    right = max(wide, 1.6) + _BETWEEN
    below = _NAME + high + _ACTIONS
    size = max(_LEFT + across * right, 4.6), _ABOVE + down * below + _BELOW
    figure = pyplot().figure(figsize=size, dpi=180)
    _draw_headline(figure, title, outcome, tables[0])
    numbers = [x for one in tables for x in (one.table.best, one.value) if x is not None]
    largest = max(float(np.abs(x).max()) for x in numbers) or 1.0
    for i, (one, rest) in enumerate(panels):
        for k, (name, x) in enumerate(panel_contents(one, rest, agents)):
            column, row = (k, 0) if len(panels) == 1 else (i, k)
            corner = _LEFT + column * right, size[1] - _ABOVE - row * below - _NAME - high
            box = np.array([*corner, wide, high]) / (*size, *size)
            axes = figure.add_axes(tuple(box), xticks=range(columns), yticks=range(rows))
            draw_payoffs(axes, x, largest)
            mark_joints(axes, one, rest)
            axes.set_title(name, fontsize=9, color=INK, loc="left", pad=5)
            axes.set_ylabel("" if column else agents[0], fontsize=8.5, color=PALE_INK)
            axes.set_xlabel(agents[1] if row == down - 1 else "", fontsize=8.5, color=PALE_INK)
    save_figure(figure, out)


def _draw_headline(figure: Any, title: str, outcome: str, first: LearnedTable) -> None:
    """Write the run and its outcome above the tables, and the meaning of marks below them."""
    up = 1 / figure.get_figheight()
    left = 0.2 / figure.get_figwidth()
    colour = BETTER if outcome.startswith("finds") else WORSE
    bold = {"va": "center", "fontweight": "bold"}
    figure.text(left, 1 - 0.26 * up, title, color=INK, fontsize=11, **bold)
    figure.text(left, 1 - 0.51 * up, outcome, color=colour, fontsize=10, **bold)
    legend = ["★  best"]
    if first.chosen is not None:
        legend.append("□  what it does")
    if first.called == "Q":
        legend.append("Q: mean of agents")
    figure.text(left, 0.16 * up, "      ".join(legend), va="center", color=PALE_INK, fontsize=8.5)


def mark_joints(axes: Any, one: LearnedTable, rest: tuple[int, ...]) -> None:
    """Put stars on the best joint actions, and a frame around the learner's choice."""
    star_best(axes, one.table.best, rest)
    if one.chosen is not None and one.chosen[2:] == rest:
        frame_joint(axes, one.chosen)


def panel_contents(
    one: LearnedTable, rest: tuple[int, ...], agents: tuple[str, ...]
) -> list[tuple[str, Float[np.ndarray, "rows columns"]]]:
    """Return the truth and the learned values, if any, for one action of a third agent; with their names."""
    third = [f"{name} plays {action}" for name, action in zip(agents[2:], rest, strict=True)]
    where = ", ".join(filter(None, [one.table.name, *third]))
    label = lambda content: f"{where}: {content}" if where else content
    cut = (slice(None), slice(None), *rest)
    contents = [(label("best return"), one.table.best[cut])]
    if one.value is not None:
        contents.append((label(f"learned {one.called}"), one.value[cut]))
    return contents
