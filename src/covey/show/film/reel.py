"""A playback as a sequence of pictures, each with the time for which it is shown."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from ...text import count
from ..playback import Episode, Playback
from .action_table import ActionTable
from .arena import SIDE, Arena
from .battlefield import Battlefield
from .footer import FOOTER_HEIGHT, Footer, has_footer
from .frames import FrameField, film_palette
from .panel import PANEL_HEIGHT, PANEL_WIDTH, Heading, SidePanel
from .theme import PAGE, PLAIN, Picture

PAGE_MARGIN = 40
TICK = 60  # milliseconds; all times are multiples of it
FIRST = 6 * TICK  # how long the first moment is shown
LAST = 17 * TICK
_PAGE_WIDTH = SIDE + PANEL_WIDTH + 3 * PAGE_MARGIN  # twice the size that it is shown at
_MOST_SHOTS = 240  # of an episode; a longer one gets fewer than three a step
_STEP_TIME = 4 * TICK  # of a step where nothing moves
_FRAME_TIME = 2 * TICK  # of a world's own picture


class Shot(NamedTuple):
    """A picture of a film."""

    picture: Picture
    milliseconds: int
    moment: bool  # at a step, not between two
    caption: str
    episode: int
    steps: float  # since the episode's start


def page_size(playback: Playback) -> tuple[int, int]:
    """Return the width and height in pixels, twice the size that it is shown at."""
    foot = FOOTER_HEIGHT + PAGE_MARGIN if has_footer(playback) else 0
    return _PAGE_WIDTH, PANEL_HEIGHT + 2 * PAGE_MARGIN + foot


def palette_of(playback: Playback) -> UInt8[np.ndarray, "256 3"]:
    """Return the palette of a film."""
    return film_palette([episode.frames for episode in playback.episodes if episode.frames is not None])


def make_field(playback: Playback, episode: Episode) -> Arena | Battlefield | FrameField | ActionTable:
    """Return what draws the episode: its scene, the world's own pictures, or else a table of actions."""
    if episode.frames is not None:
        return FrameField(episode.frames, palette_of(playback))
    if episode.scene is None:
        return ActionTable(playback.spec, episode.action, episode.reward)
    followed = playback.follow.agent if playback.follow else None
    if episode.scene.agent_units is not None:
        return Battlefield(playback.spec, episode.scene, followed)
    return Arena(playback.spec, episode.scene, episode.alive, followed)


def shots(playback: Playback) -> Iterator[Shot]:
    """Yield the shots of all episodes, each drawn when it is asked for."""
    for number, episode in enumerate(playback.episodes):
        yield from _episode_shots(playback, number, episode)


def _episode_shots(playback: Playback, number: int, episode: Episode) -> Iterator[Shot]:
    field = make_field(playback, episode)
    panel = SidePanel(playback.spec, episode, _heading(playback, number))
    per_step = max(1, min(3, _MOST_SHOTS // episode.length)) if field.smooth else 1
    pace = TICK if field.smooth else _FRAME_TIME if episode.frames is not None else _STEP_TIME
    page = np.full(page_size(playback)[::-1], PLAIN[PAGE], np.uint8)
    field_part = page[PAGE_MARGIN : PAGE_MARGIN + SIDE, PAGE_MARGIN : PAGE_MARGIN + SIDE]
    right = SIDE + 2 * PAGE_MARGIN
    panel_part = page[PAGE_MARGIN : PAGE_MARGIN + PANEL_HEIGHT, right : right + PANEL_WIDTH]
    below = PANEL_HEIGHT + 2 * PAGE_MARGIN
    footer_part = page[below : below + FOOTER_HEIGHT, PAGE_MARGIN:-PAGE_MARGIN]
    footer = Footer(playback, episode, footer_part.shape[1]) if has_footer(playback) else None
    last = episode.length * per_step
    for tick in range(last + 1):
        moment, part = divmod(tick, per_step)
        field.draw(field_part, tick / per_step)
        if not part:
            panel.draw(panel_part, moment)
            if footer:
                footer.draw(footer_part, moment)
        time = {0: FIRST, last: LAST}.get(tick, pace)
        caption = f"episode {number + 1}, step {moment} of {count(episode.length, 'step')}"
        yield Shot(page.copy(), time, not part, caption, number, tick / per_step)


def _heading(playback: Playback, number: int) -> Heading:
    which = f"episode {number + 1} of {len(playback.episodes)}"
    steps = playback.episodes[number].length
    if playback.pool and number == 0:
        which = f"median of {playback.pool} episodes"
    seed = f"median seed {playback.seed}" if playback.is_median else f"seed {playback.seed}"
    return Heading(playback.world, playback.algorithm, seed, which, steps)
