"""Beside the arena: whose episode it is, how far it has come, and who has been paid what."""

from typing import Protocol

import numpy as np
from jaxtyping import Float

from ...core import Spec
from ...text import signed
from ..playback import Episode
from . import marks, theme
from .arena import colours, labels
from .curve import Curve
from .marks import stamp, write
from .theme import MUTED, PAGE, PLACES, TEXT, TRACK, Picture

WIDTH, HEIGHT = 440, 960  # pixels
GAP = 26
ROW, SMALL = 34, 24  # the height of an agent's row, where there is room and where there is little
MOST = 16  # rows of agents


class Block(Protocol):
    height: int

    def draw(self, picture: Picture, moment: int, top: int) -> None: ...


class Heading:
    """The world, the algorithm, the seed, the episode; a bar for its steps."""

    height = 178

    def __init__(self, world: str, algorithm: str, seed: int, episode: str, steps: int):
        whose = f" · seed {seed}"
        self.title = marks.fitted(world, 38, True, WIDTH)
        self.subtitle = marks.fitted(algorithm, 25, False, WIDTH - marks.font(25).getlength(whose)) + whose
        self.episode, self.steps = episode, steps

    def draw(self, picture: Picture, moment: int, top: int) -> None:
        write(picture, self.title, 0, top + 22, 38, TEXT, bold=True)
        write(picture, self.subtitle, 0, top + 66, 25, MUTED)
        write(picture, self.episode, 0, top + 124, 23, MUTED)
        write(picture, f"step {moment} / {self.steps}", WIDTH, top + 124, 23, TEXT, side=1)
        bar(picture, 0, top + 148, WIDTH, 8, TRACK)
        bar(picture, 0, top + 148, round(WIDTH * moment / self.steps), 8, TEXT)


def bar(picture: Picture, left: int, top: int, width: int, height: int, colour: str) -> None:
    plain = PLACES[colour] if colour in PLACES else theme.RAMPS[colour, PAGE][-1]
    picture[top : top + height, left : left + width] = plain


class Return:
    """A team's return so far, as a number and as a curve."""

    def __init__(self, name: str, colour: str, reward: Float[np.ndarray, " steps"], room: int):
        self.name, self.colour, self.height = name, colour, 48 + room
        self.total = np.concatenate([[0.0], np.cumsum(reward, dtype=np.float64)])
        self.curve = Curve(self.total[:, None], (colour,), WIDTH, room, len(self.total)) if room else None

    def draw(self, picture: Picture, moment: int, top: int) -> None:
        number = signed(self.total[moment])
        write(picture, number, WIDTH, top + 20, 36, self.colour, bold=True, side=1)
        room = WIDTH - marks.font(36, True).getlength(number) - 20
        write(picture, marks.fitted(self.name, 23, False, room), 0, top + 22, 23, MUTED)
        if self.curve:
            self.curve.draw(picture, moment, 0, top + 48)


class Rewards:
    """What each agent was paid for the newest step."""

    def __init__(self, spec: Spec, reward: Float[np.ndarray, "steps agents"], row: int):
        self.reward, self.row, self.shown = reward, row, min(spec.agents, MOST)
        self.colours, self.labels, self.left = colours(spec), labels(spec), spec.agents - self.shown
        low, high = reward.min(initial=0.0), reward.max(initial=0.0)
        self.zero, self.unit = 50 - 270 * low / max(high - low, 1e-9), 270 / max(high - low, 1e-9)
        self.height = 34 + row * self.shown

    def draw(self, picture: Picture, moment: int, top: int) -> None:
        more = f" (the first {self.shown} agents)" if self.left else ""
        write(picture, f"reward of this step{more}", 0, top + 12, 21, MUTED)
        for i in range(self.shown):
            y = top + 34 + self.row * i + self.row // 2
            stamp(picture, marks.badge(self.row / 2 - 3, self.labels[i], self.colours[i], PAGE), 16, y)
            bar(picture, 50, y - 4, 270, 8, TRACK)
            if moment:
                self.draw_bar(picture, i, float(self.reward[moment - 1, i]), y)
            bar(picture, round(self.zero) - 1, y - 8, 2, 16, MUTED)

    def draw_bar(self, picture: Picture, i: int, reward: float, y: int) -> None:
        ends = sorted((round(self.zero), round(self.zero + self.unit * reward)))
        bar(picture, ends[0], y - 6, ends[1] - ends[0], 12, self.colours[i])
        write(picture, signed(reward), WIDTH, y, 22, TEXT, side=1)


class Tally:
    """What has been counted so far."""

    def __init__(self, counts: dict[str, Float[np.ndarray, " steps"]]):
        self.totals = {name: np.concatenate([[0.0], np.cumsum(counts)]) for name, counts in counts.items()}
        self.height = 38 * len(counts)

    def draw(self, picture: Picture, moment: int, top: int) -> None:
        for row, (name, total) in enumerate(self.totals.items()):
            write(picture, name, 0, top + 16 + 38 * row, 23, MUTED)
            write(picture, f"{total[moment]:g}", WIDTH, top + 16 + 38 * row, 28, TEXT, bold=True, side=1)


class Gauge:
    """What the algorithm thinks: a value for each step, or several."""

    height = 98

    def __init__(self, name: str, values: Float[np.ndarray, "steps k"]):
        self.name, self.values = name, values
        many = values.shape[1] > 1
        self.colours = tuple(theme.team_colour(i) for i in range(values.shape[1])) if many else (TEXT,)
        self.curve = Curve(values, self.colours, WIDTH, 64, len(values) + 1)

    def draw(self, picture: Picture, moment: int, top: int) -> None:
        write(picture, marks.fitted(self.name, 23, False, 250), 0, top + 14, 23, MUTED)
        now = self.values[min(moment, len(self.values) - 1)]
        if len(now) == 1:
            write(picture, signed(now[0]), WIDTH, top + 14, 25, TEXT, bold=True, side=1)
        for i, colour in enumerate(self.colours if 1 < len(now) <= 8 else ()):
            write(picture, str(i), WIDTH - 24 * (len(now) - 1 - i), top + 14, 22, colour, bold=True, side=1)
        self.curve.draw(picture, moment, 0, top + 34)


class Panel:
    """Blocks below each other, as many as there is room for."""

    def __init__(self, spec: Spec, episode: Episode, heading: Heading):
        row = ROW if spec.agents <= 8 else SMALL
        fixed = [Rewards(spec, episode.reward, row), *([Tally(episode.counts)] if episode.counts else [])]
        taken = heading.height + sum(block.height + GAP for block in fixed) + GAP * (1 + len(spec.teams))
        left = HEIGHT - taken - len(spec.teams) * (48 + 56)
        gauges = [Gauge(name, values) for name, values in episode.gauges.items()]
        gauges = gauges[: max(0, left // (Gauge.height + GAP))]
        left -= len(gauges) * (Gauge.height + GAP)
        room = int(np.clip(56 + left / len(spec.teams), 0, 230))
        returns = [
            Return(
                returned(spec, name),
                theme.team_colour(i),
                episode.team_reward[:, i],
                room if room > 30 else 0,
            )
            for i, name in enumerate(spec.teams)
        ]
        self.blocks: list[Block] = [heading, *returns, *fixed, *gauges]

    def draw(self, picture: Picture, moment: int) -> None:
        picture[:] = PLACES[PAGE]
        top = 0
        for block in self.blocks:
            if top + block.height > HEIGHT:
                break
            block.draw(picture, moment, top)
            top += block.height + GAP


def returned(spec: Spec, team: str) -> str:
    """How a team's return is called."""
    return "team return" if len(spec.teams) == 1 else f"{team} return"
