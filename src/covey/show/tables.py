"""A small game drawn whole: what each joint action can lead to, and what the learner thinks of it."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Array, Float, Int

from ..charts import BETTER, INK, PALE_INK, WORSE, draw_payoffs, frame_joint, pyplot, save_figure, star_best
from ..core import Trajectory
from ..core.scene import Insightful, PayoffTable, Tabular
from ..errors import UserError
from ..ops import named
from ..runs.folder import RunFolder
from ..runs.policy import trained
from ..training.learners import view_as
from ..training.loop import Trainer

PANELS, ENTRIES = 6, 400  # more cannot be read
TRIES = 4096  # explorations, among which one takes a table's path
LEFT, BETWEEN, HEAD, FOOT = 0.72, 0.5, 0.66, 0.56  # inches beside, between, above and below the tables
NAME, TICKS = 0.34, 0.34  # inches of a table's name and of the choices under it


class Learned(NamedTuple):
    """A table beside what was learned of it: value None if the learner has none, chosen if it draws lots."""

    table: PayoffTable
    value: Float[np.ndarray, "..."] | None
    called: str
    chosen: tuple[int, ...] | None


def played(trainer: Trainer, learners: tuple, actions: Int[Array, "n T agents"]) -> Trajectory:
    """Return what follows from given actions."""
    n, length = actions.shape[:2]
    actors = trainer.begin(learners, jr.key(0), n)
    steps = jnp.zeros((), int)
    return trainer.rollout(
        learners, actors, jr.key(0), steps, length, explore=False, actions=actions
    ).trajectory


def valued(
    trainer: Trainer, learners: tuple, table: PayoffTable
) -> tuple[Float[np.ndarray, "..."] | None, str]:
    """What each joint action at the end of the table's path is worth to the learner, and what it calls that.

    Of what a learner can tell, this is what has a name with Q: the value of an action, not of a moment.
    """
    ways = [(*table.path, joint) for joint in np.ndindex(table.best.shape)]
    rollouts = jax.jit(lambda learners: played(trainer, learners, jnp.array(ways)))(learners)
    for slot, learner in zip(trainer.slots, learners, strict=True):
        algorithm = slot.algorithm
        if isinstance(algorithm, Insightful):
            seen = view_as(slot, trainer.spec, slot.own_rollouts(rollouts))
            told = jax.vmap(lambda one, a=algorithm, w=learner: a.insight(w, one))(seen)
            for name in filter(lambda name: name.startswith("Q"), told):
                return np.asarray(told[name][:, -1].mean(axis=-1)).reshape(table.best.shape), name
    return None, ""


def chosen(trainer: Trainer, learners: tuple, table: PayoffTable) -> tuple[int, ...] | None:
    """The greedy joint action at the end of the table's path.

    What an agent remembers includes what it did. So many explore, as when training began, and those
    go on that took the path by themselves. None where none did, or where they differ: they draw lots.
    """
    steps, key = jnp.zeros((), int), jr.key(0)
    carry = trainer.init_carries(learners, TRIES)
    state, obs = trainer.env.reset(key, TRIES)
    on = jnp.ones(TRIES, bool)
    for t, joint in enumerate(table.path):
        carry, action, _ = trainer.act(learners, carry, obs, named(key, t), steps, True)
        on &= jnp.all(action == jnp.array(joint), axis=1)
        state, step = trainer.env.step(state, jnp.broadcast_to(jnp.array(joint), action.shape), key)
        obs = step.obs
    action = trainer.act(learners, carry, obs, key, steps, False)[1]
    found = np.unique(np.asarray(action)[np.asarray(on)], axis=0)
    return tuple(found[0].tolist()) if len(found) == 1 else None


def tables_of(trainer: Trainer, learners: tuple) -> list[Learned]:
    """Every table of the game, and what was learned of it."""
    assert isinstance(trainer.env, Tabular)
    return [
        Learned(table, *valued(trainer, learners, table), chosen(trainer, learners, table))
        for table in trainer.env.tables()
    ]


def verdict(first: Learned, got: float) -> str:
    """In words, what a greedy episode earned; nothing where it is a matter of luck."""
    best = first.table.best.max()
    said = f"finds {best:g}" if np.isclose(got, best) else f"settles for {got:g} (best {best:g})"
    return "" if first.chosen is None else said


def check(tables: tuple[PayoffTable, ...]) -> None:
    shape = tables[0].best.shape
    panels = sum(int(np.prod(table.best.shape[2:])) for table in tables)
    if not 2 <= len(shape) <= 3 or panels > PANELS or tables[0].best.size > ENTRIES:
        raise UserError(
            f"a game of {' × '.join(map(str, shape))} joint actions cannot be drawn as tables: "
            "ask for a film instead, as in --out film.gif"
        )


def picture(folder: RunFolder, out: Path, seed: int) -> None:
    """What can be had, what was learned of it; the learned joint action framed, the best ones starred."""
    engine, learners = trained(folder, seed)
    trainer = engine.trainer
    assert isinstance(trainer.env, Tabular)
    check(trainer.env.tables())
    found = tables_of(trainer, learners)
    got = trainer.evaluate(learners, jr.key(0), jnp.zeros((), int), 1)["teams"][0, 0]
    name = engine.config.environment.rpartition(":")[2]
    title = f"{name} · {engine.config.algorithm} · seed {seed}"
    draw(out, found, trainer.spec.names, title, verdict(found[0], float(got)))


def draw(out: Path, found: list[Learned], agents: tuple[str, ...], title: str, said: str) -> None:
    """A table lies beside what was learned of it; several stand side by side, each above its own."""
    panels = [(one, rest) for one in found for rest in np.ndindex(one.table.best.shape[2:])]
    kinds = 1 if found[0].value is None else 2
    across, down = (kinds, 1) if len(panels) == 1 else (len(panels), kinds)
    rows, columns = found[0].table.best.shape[:2]
    cell = 0.62 if max(rows, columns) > 6 else 0.8
    wide, high = columns * cell, rows * cell
    right, below = max(wide, 1.6) + BETWEEN, NAME + high + TICKS
    size = max(LEFT + across * right, 4.6), HEAD + down * below + FOOT
    figure = pyplot().figure(figsize=size, dpi=180)
    headline(figure, title, said, found[0])
    most = max(float(np.abs(x).max()) for one in found for x in (one.table.best, one.value) if x is not None)
    for i, (one, rest) in enumerate(panels):
        for k, (name, x) in enumerate(slices(one, rest, agents)):
            column, row = (k, 0) if len(panels) == 1 else (i, k)
            corner = LEFT + column * right, size[1] - HEAD - row * below - NAME - high
            box = np.array([*corner, wide, high]) / (*size, *size)
            axes = figure.add_axes(tuple(box), xticks=range(columns), yticks=range(rows))
            draw_payoffs(axes, x, most or 1.0)
            marks(axes, one, rest)
            axes.set_title(name, fontsize=9, color=INK, loc="left", pad=5)
            axes.set_ylabel("" if column else agents[0], fontsize=8.5, color=PALE_INK)
            axes.set_xlabel(agents[1] if row == down - 1 else "", fontsize=8.5, color=PALE_INK)
    save_figure(figure, out)


def headline(figure: Any, title: str, said: str, first: Learned) -> None:
    """Whose game it is and how it went, above; below, what the marks mean."""
    up = 1 / figure.get_figheight()
    left = 0.2 / figure.get_figwidth()
    colour = BETTER if said.startswith("finds") else WORSE
    figure.text(left, 1 - 0.26 * up, title, va="center", color=INK, fontsize=11, fontweight="bold")
    figure.text(left, 1 - 0.51 * up, said, va="center", color=colour, fontsize=10, fontweight="bold")
    legend = ["★  best", "□  what it does"][: 1 if first.chosen is None else 2]
    legend += ["Q: mean of agents"] * (first.called == "Q")
    figure.text(left, 0.16 * up, "      ".join(legend), va="center", color=PALE_INK, fontsize=8.5)


def slices(
    one: Learned, rest: tuple[int, ...], agents: tuple[str, ...]
) -> list[tuple[str, Float[np.ndarray, "rows columns"]]]:
    """The truth and what was learned, if anything, for one choice of a third agent; with their names."""
    choice = [f"{name} plays {action}" for name, action in zip(agents[2:], rest, strict=True)]
    where = ", ".join(filter(None, [one.table.name, *choice]))
    named = lambda what: f"{where}: {what}" if where else what
    cut = (slice(None), slice(None), *rest)
    truth = [(named("best return"), one.table.best[cut])]
    if one.value is None:
        return truth
    return [*truth, (named(f"learned {one.called}"), one.value[cut])]


def marks(axes: Any, one: Learned, rest: tuple[int, ...]) -> None:
    """Stars on the best joint actions, a frame around what it does."""
    star_best(axes, one.table.best, rest)
    if one.chosen is not None and one.chosen[2:] == rest:
        frame_joint(axes, one.chosen)
