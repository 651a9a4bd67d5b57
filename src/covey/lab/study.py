"""One game in the lab: the truth, what each operator makes of it, what gradient descent finds."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from .. import yaml_text
from ..config import making
from ..environments.games import Matrix, payoff_tensor
from ..errors import UserError
from ..text import shortest
from . import bootstrap
from .descent import Descent, descent
from .operators import OPERATORS, Projection
from .reading import Joint, Table, chosen, verdict

KINDS = {
    "vdn": "VDN, the nearest sum of the agents' own values",
    "qmix": "QMIX, the nearest monotone table",
    "cw": "CW-QMIX, the nearest where the best joint action counts 1, others α = {alpha:g}",
    "ow": "OW-QMIX, the nearest where falling short counts 1, exceeding α = {alpha:g}",
}
SHOWN = 4  # minimisers, and ends of gradient descent


class State(NamedTuple):
    """A state of the game: its true values, and of each operator what it projected and how."""

    name: str
    truth: Float[np.ndarray, "*shape"]
    targets: dict[str, Float[np.ndarray, "*shape"]]
    projections: dict[str, Projection]
    descents: dict[str, list[Descent]]


class Study(NamedTuple):
    """All of it. `print(study)` tells it, `study.picture(path)` draws it."""

    title: str
    alpha: float
    gamma: float
    states: list[State]
    sweeps: dict[str, int]  # until nothing changed; empty where there is nothing to iterate

    def __str__(self) -> str:
        return "\n\n".join(lines(self))

    def picture(self, out: str | Path) -> Path:
        """Draws it; returns where."""
        from .picture import draw

        draw(self, Path(out))
        return Path(out)


def study_game(
    game: str | Sequence | np.ndarray,
    operators: Sequence[str] = OPERATORS,
    alpha: float = 0.1,
    starts: int = 10,
    gamma: float = 0.99,
    env: Mapping[str, Any] | None = None,
) -> Study:
    """What each operator makes of a payoff table or a small game. `starts=0` leaves gradient descent out.

    `game` is nested lists, an array, or a world's name; `env` has the world's settings. `gamma` counts in
    games of several states.
    """
    title, world = found(game, env or {})
    states = bootstrap.explore(world, title)
    truths = bootstrap.optimal(states, gamma)
    fixed = {operator: bootstrap.settle(states, operator, alpha, gamma) for operator in operators}
    several = len(truths) > 1
    told = []
    for i, truth in enumerate(truths):
        targets = {operator: one.targets[i] for operator, one in fixed.items()}
        descents = {
            operator: descent(target, operator, alpha, starts)
            for operator, target in targets.items()
            if starts and not several
        }
        projections = {operator: one.projections[i] for operator, one in fixed.items()}
        told.append(State(states.names[i] if several else "", truth, targets, projections, descents))
    return Study(title, alpha, gamma, told, {op: one.sweeps for op, one in fixed.items()} if several else {})


def found(game: str | Sequence | np.ndarray, env: Mapping[str, Any]) -> tuple[str, Any]:
    """What to call it, and a world to play it in."""
    if isinstance(game, str) and not game.startswith("["):
        return game, making.make_environment(game, env)[0]
    if env:
        raise UserError("a payoff has no settings: give env.… to a world by name, such as matrix")
    payoff = yaml_text.parse(game, "the payoff") if isinstance(game, str) else game
    payoff = payoff.tolist() if isinstance(payoff, np.ndarray) else list(payoff)
    return "a payoff of " + " × ".join(map(str, payoff_tensor(payoff).shape)), Matrix(payoff)


def lines(study: Study) -> Iterator[str]:
    """Paragraphs: of each state the truth, then operator by operator."""
    for state in study.states:
        best = [tuple(map(int, joint)) for joint in np.argwhere(state.truth == state.truth.max())]
        where = f", {state.name} (discount {study.gamma:g})" if state.name else ""
        yield (
            f"{study.title}{where}: best is {many(best)}, worth {number(state.truth.max())}\n"
            f"{grid(state.truth, state.truth, [])}"
        )
        for operator, projection in state.projections.items():
            yield "\n".join(about(study, state, operator, projection))


def about(study: Study, state: State, operator: str, projection: Projection) -> Iterator[str]:
    truth, tables = state.truth, projection.tables
    known = "error" if projection.exact else "not all orders were tried: the best found has error"
    bound = "" if projection.exact else f", none has less than {projection.bound:.6g}"
    yield f"{KINDS[operator].format(alpha=study.alpha)}: {known} {round(projection.error, 9):.6g}{bound}"
    if len(tables) > 1:
        good = sum(verdict(truth, chosen(table)) == "right" for table in tables)
        yield f"  {len(tables)} minimisers, {good} of them right" + (
            f"; the first {SHOWN}" if len(tables) > SHOWN else ""
        )
    for table in tables[:SHOWN]:
        yield grid(table, truth, chosen(table))
        yield "  " + outcome(truth, table, chosen(table))
    if study.sweeps:
        sweeps = study.sweeps[operator]
        yield f"  after {sweeps} sweeps nothing changes" if sweeps else "  it never settles"
    ends = state.descents.get(operator, [])
    for end in ends[:SHOWN]:
        share = f"{end.starts} of {sum(e.starts for e in ends)}"
        yield f"  gradient descent, {share} starts: error {end.error:.6g}"
        if np.abs(tables - end.table).reshape(len(tables), -1).max(axis=1).min() > 0.02 * np.abs(truth).max():
            yield grid(end.table, truth, [end.chosen])
        yield "  " + outcome(truth, end.table, [end.chosen])


def outcome(truth: Table, table: Table, joints: list[Joint]) -> str:
    """What agents do by a table, and what comes of it."""
    worth = " or ".join(map(number, sorted({float(truth[joint]) for joint in joints})))
    value = number(table[joints[0]])
    return f"{verdict(truth, joints)}: agents choose {many(joints)}, valued {value}, worth {worth}"


def number(x: float) -> str:
    """To two digits: what gradient descent leaves beyond them says nothing."""
    return shortest(round(float(x), 2))


def many(joints: list[Joint]) -> str:
    told = [f"({', '.join(map(str, joint))})" for joint in joints[:SHOWN]]
    return " or ".join(told) + (f" or {len(joints) - SHOWN} more" if len(joints) > SHOWN else "")


def grid(table: Table, truth: Table, joints: list[Joint]) -> str:
    """Numbers in rows; what agents choose in brackets, what is best with a star."""

    def cell(joint: Joint) -> str:
        told = number(table[joint])
        star = "*" if truth[joint] == truth.max() else " "
        return (f"[{told}]" if joint in joints else f" {told} ") + star

    cells = {joint: cell(joint) for joint in np.ndindex(table.shape)}
    width = max(map(len, cells.values()))
    blocks = []
    for rest in np.ndindex(table.shape[2:]):
        head = [f"  others play {', '.join(map(str, rest))}"] if rest else []
        rows = [
            "  " + " ".join(cells[i, j, *rest].rjust(width) for j in range(table.shape[1]))
            for i in range(table.shape[0])
        ]
        blocks += [*head, *rows]
    return "\n".join(blocks)
