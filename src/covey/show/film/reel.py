"""A replay as a row of pictures, each with the time for which it is seen."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ...text import count
from ..playback import Episode, Replay
from . import footer
from .arena import SIDE, Arena
from .panel import HEIGHT, WIDTH, Heading, Panel
from .table import Table
from .theme import PAGE, PLACES, Picture

MARGIN = 40
BREADTH = SIDE + WIDTH + 3 * MARGIN  # at twice the size it is meant for
TICK = 60  # milliseconds; all times are multiples of it
BEGIN, END = 6 * TICK, 17 * TICK  # how long first and last moments are seen
MOST = 240  # pictures of an episode, before there are fewer than three a step
PAUSE = 4 * TICK  # a step where nothing moves


class Shot(NamedTuple):
    picture: Picture
    milliseconds: int
    moment: bool  # not between two
    caption: str


def size(replay: Replay) -> tuple[int, int]:
    """Width and height in pixels, twice those it is meant for."""
    return BREADTH, HEIGHT + 2 * MARGIN + (footer.HEIGHT + MARGIN) * footer.has_any(replay)


def stage(replay: Replay, episode: Episode) -> Arena | Table:
    if episode.scene is None:
        return Table(replay.spec, episode.action, episode.reward)
    followed = replay.follow.agent if replay.follow else None
    return Arena(replay.spec, episode.scene, episode.alive, followed)


def heading(replay: Replay, number: int) -> Heading:
    of = f"episode {number + 1} of {len(replay.episodes)}"
    return Heading(replay.world, replay.algorithm, replay.seed, of, replay.episodes[number].length)


def shots(replay: Replay) -> Iterator[Shot]:
    """All of it, drawn as it is asked for."""
    for number, episode in enumerate(replay.episodes):
        yield from played(replay, number, episode)


def played(replay: Replay, number: int, episode: Episode) -> Iterator[Shot]:
    scenery, panel = stage(replay, episode), Panel(replay.spec, episode, heading(replay, number))
    between = max(1, min(3, MOST // episode.length)) if scenery.smooth else 1
    pace = TICK if scenery.smooth else PAUSE
    page = np.full(size(replay)[::-1], PLACES[PAGE], np.uint8)
    field = page[MARGIN : MARGIN + SIDE, MARGIN : MARGIN + SIDE]
    beside = page[MARGIN : MARGIN + HEIGHT, SIDE + 2 * MARGIN : SIDE + 2 * MARGIN + WIDTH]
    below = page[HEIGHT + 2 * MARGIN : HEIGHT + 2 * MARGIN + footer.HEIGHT, MARGIN:-MARGIN]
    foot = footer.Footer(replay, episode, below.shape[1]) if footer.has_any(replay) else None
    last = episode.length * between
    for tick in range(last + 1):
        moment, part = divmod(tick, between)
        scenery.draw(field, tick / between)
        if not part:
            panel.draw(beside, moment)
            if foot:
                foot.draw(below, moment)
        time = {0: BEGIN, last: END}.get(tick, pace)
        caption = f"episode {number + 1}, step {moment} of {count(episode.length, 'step')}"
        yield Shot(page.copy(), time, not part, caption)
