"""The panel beside the arena: the episode, its progress, returns, rewards, counts and values."""

from typing import Protocol

import numpy as np
from jaxtyping import Float

from ...core import Spec
from ...text import signed
from ..playback import Episode
from . import sprites, theme
from .battlefield import gather_army
from .curve import ValueCurve
from .forces import StandingForces
from .signs import agent_colours, agent_labels
from .sprites import stamp, write_text
from .theme import MUTED, PAGE, PLAIN, TEXT, TRACK, Picture

PANEL_WIDTH = 440  # pixels
PANEL_HEIGHT = 960
_SPACE = 26  # between two blocks
_ROW = 34  # the height of an agent's row
_SMALL_ROW = 24  # where there are many agents
_FEW_AGENTS = 8  # that get high rows
_MOST_ROWS = 16
_TITLE_SIZES = (38, 34, 30, 26)  # the largest that a world's name fits in
_BAR_LEFT = 50
_BAR_WIDTH = 270


class PanelBlock(Protocol):
    """A part of the panel, drawn from `top` down."""

    height: int

    def draw(self, picture: Picture, moment: int, top: int) -> None: ...


class Heading:
    """The world, the algorithm, the seed, the episode; a bar for its steps."""

    height = 178

    def __init__(self, world: str, algorithm: str, seed: str, episode: str, steps: int):
        run = f" · {seed}"
        room = PANEL_WIDTH - sprites.font(25).getlength(run)
        fits = lambda size: sprites.font(size, True).getlength(world) <= PANEL_WIDTH
        self.size = next(filter(fits, _TITLE_SIZES), _TITLE_SIZES[-1])
        self.title = sprites.fit_text(world, self.size, True, PANEL_WIDTH)
        self.subtitle = sprites.fit_text(algorithm, 25, False, room) + run
        self.episode = episode
        self.steps = steps

    def draw(self, picture: Picture, moment: int, top: int) -> None:
        write_text(picture, self.title, 0, top + 22, self.size, TEXT, bold=True)
        write_text(picture, self.subtitle, 0, top + 66, 25, MUTED)
        write_text(picture, self.episode, 0, top + 124, 23, MUTED)
        write_text(picture, f"step {moment} / {self.steps}", PANEL_WIDTH, top + 124, 23, TEXT, side=1)
        _fill_bar(picture, 0, top + 148, PANEL_WIDTH, 8, TRACK)
        _fill_bar(picture, 0, top + 148, round(PANEL_WIDTH * moment / self.steps), 8, TEXT)


def _fill_bar(picture: Picture, left: int, top: int, width: int, height: int, colour: str) -> None:
    index = PLAIN[colour] if colour in PLAIN else theme.RAMPS[colour, PAGE][-1]
    picture[top : top + height, left : left + width] = index


class TeamReturn:
    """A team's return so far, as a number and as a curve."""

    def __init__(self, name: str, colour: str, reward: Float[np.ndarray, " steps"], room: int):
        self.name = name
        self.colour = colour
        self.height = 48 + room
        self.total = np.concatenate([[0.0], np.cumsum(reward, dtype=np.float64)])
        self.curve = None
        if room:
            self.curve = ValueCurve(self.total[:, None], (colour,), PANEL_WIDTH, room, len(self.total))

    def draw(self, picture: Picture, moment: int, top: int) -> None:
        number = signed(self.total[moment])
        write_text(picture, number, PANEL_WIDTH, top + 20, 36, self.colour, bold=True, side=1)
        room = PANEL_WIDTH - sprites.font(36, True).getlength(number) - 20
        write_text(picture, sprites.fit_text(self.name, 23, False, room), 0, top + 22, 23, MUTED)
        if self.curve:
            self.curve.draw(picture, moment, 0, top + 48)


class AgentRewards:
    """Each agent's reward for the newest step."""

    def __init__(self, spec: Spec, reward: Float[np.ndarray, "steps agents"], row: int):
        self.reward = reward
        self.row = row
        self.shown = min(spec.agents, _MOST_ROWS)
        self.hidden = spec.agents - self.shown
        self.colours = agent_colours(spec)
        self.labels = agent_labels(spec)
        low = reward.min(initial=0.0)
        high = reward.max(initial=0.0)
        self.zero = _BAR_LEFT - _BAR_WIDTH * low / max(high - low, 1e-9)
        self.unit = _BAR_WIDTH / max(high - low, 1e-9)
        self.height = 34 + row * self.shown

    def draw(self, picture: Picture, moment: int, top: int) -> None:
        more = f" (the first {self.shown} agents)" if self.hidden else ""
        write_text(picture, f"reward of this step{more}", 0, top + 12, 21, MUTED)
        for i in range(self.shown):
            y = top + 34 + self.row * i + self.row // 2
            stamp(picture, sprites.badge(self.row / 2 - 3, self.labels[i], self.colours[i], PAGE), 16, y)
            _fill_bar(picture, _BAR_LEFT, y - 4, _BAR_WIDTH, 8, TRACK)
            if moment:
                self._draw_reward(picture, i, float(self.reward[moment - 1, i]), y)
            _fill_bar(picture, round(self.zero) - 1, y - 8, 2, 16, MUTED)

    def _draw_reward(self, picture: Picture, i: int, reward: float, y: int) -> None:
        ends = sorted((round(self.zero), round(self.zero + self.unit * reward)))
        _fill_bar(picture, ends[0], y - 6, ends[1] - ends[0], 12, self.colours[i])
        write_text(picture, signed(reward), PANEL_WIDTH, y, 22, TEXT, side=1)


class CountTotals:
    """The totals of what the world counts, so far."""

    def __init__(self, counts: dict[str, Float[np.ndarray, " steps"]]):
        self.totals = {name: np.concatenate([[0.0], np.cumsum(counts)]) for name, counts in counts.items()}
        self.height = 38 * len(counts)

    def draw(self, picture: Picture, moment: int, top: int) -> None:
        for row, (name, total) in enumerate(self.totals.items()):
            y = top + 16 + 38 * row
            write_text(picture, name, 0, y, 23, MUTED)
            write_text(picture, f"{total[moment]:g}", PANEL_WIDTH, y, 28, TEXT, bold=True, side=1)


class Gauge:
    """What the algorithm estimates at each step: a value, or several."""

    height = 98

    def __init__(self, name: str, values: Float[np.ndarray, "steps k"]):
        self.name = name
        self.values = values
        many = values.shape[1] > 1
        self.colours = tuple(theme.team_colour(i) for i in range(values.shape[1])) if many else (TEXT,)
        self.curve = ValueCurve(values, self.colours, PANEL_WIDTH, 64, len(values) + 1)

    def draw(self, picture: Picture, moment: int, top: int) -> None:
        write_text(picture, sprites.fit_text(self.name, 23, False, 250), 0, top + 14, 23, MUTED)
        now = self.values[min(moment, len(self.values) - 1)]
        if len(now) == 1:
            write_text(picture, signed(now[0]), PANEL_WIDTH, top + 14, 25, TEXT, bold=True, side=1)
        for i, colour in enumerate(self.colours if 1 < len(now) <= 8 else ()):
            x = PANEL_WIDTH - 24 * (len(now) - 1 - i)
            write_text(picture, str(i), x, top + 14, 22, colour, bold=True, side=1)
        self.curve.draw(picture, moment, 0, top + 34)


class SidePanel:
    """Blocks below each other, as many as there is room for."""

    def __init__(self, spec: Spec, episode: Episode, heading: Heading):
        row = _ROW if spec.agents <= _FEW_AGENTS else _SMALL_ROW
        fixed: list[PanelBlock] = [*_battle_blocks(spec, episode)]
        if not fixed or np.ptp(episode.reward, axis=1).any():
            fixed.append(AgentRewards(spec, episode.reward, row))
        if episode.counts:
            fixed.append(CountTotals(episode.counts))
        teams = len(spec.teams)
        taken = heading.height + sum(block.height + _SPACE for block in fixed) + _SPACE * (1 + teams)
        left = PANEL_HEIGHT - taken - teams * (48 + 56)
        gauges = [Gauge(name, values) for name, values in episode.gauges.items()]
        gauges = gauges[: max(0, left // (Gauge.height + _SPACE))]
        left -= len(gauges) * (Gauge.height + _SPACE)
        room = int(np.clip(56 + left / teams, 0, 230))
        room = room if room > 30 else 0
        returns = [
            TeamReturn(_return_label(spec, team), theme.team_colour(i), episode.team_reward[:, i], room)
            for i, team in enumerate(spec.teams)
        ]
        self.blocks: list[PanelBlock] = [heading, *returns, *fixed, *gauges]

    def draw(self, picture: Picture, moment: int) -> None:
        picture[:] = PLAIN[PAGE]
        top = 0
        for block in self.blocks:
            if top + block.height > PANEL_HEIGHT:
                break
            block.draw(picture, moment, top)
            top += block.height + _SPACE


def _battle_blocks(spec: Spec, episode: Episode) -> list[StandingForces]:
    """Return the legend of a battle; nothing where there is none."""
    if episode.scene is None or episode.scene.agent_units is None:
        return []
    return [StandingForces(spec, gather_army(spec, episode.scene), PANEL_WIDTH)]


def _return_label(spec: Spec, team: str) -> str:
    return "team return" if len(spec.teams) == 1 else f"{team} return"
