"""Moments of an episode side by side: a film for paper."""

import numpy as np

from ...text import signed
from ..playback import Replay
from . import theme
from .arena import SIDE
from .marks import font, write
from .reel import MARGIN, stage
from .theme import MUTED, PAGE, PLACES, TEXT, Picture

MOMENTS, HEAD, FOOT = 4, 110, 90  # pixels above and below


def strip(replay: Replay) -> Picture:
    """The first moment, two on the way, and the last, with the teams' returns by then."""
    episode = replay.episodes[0]
    moments = sorted({round(x) for x in np.linspace(0, episode.length, MOMENTS)})
    scenery, wide = stage(replay, episode), SIDE + MARGIN
    page = np.full((HEAD + SIDE + FOOT, MARGIN + wide * len(moments)), PLACES[PAGE], np.uint8)
    write(page, replay.world, MARGIN, HEAD / 2 + 4, 48, TEXT, bold=True)
    whose = f"{replay.algorithm} · seed {replay.seed}"
    write(page, whose, MARGIN + font(48, True).getlength(replay.world) + 36, HEAD / 2 + 8, 36, MUTED)
    returns = np.concatenate([np.zeros((1, len(replay.spec.teams))), np.cumsum(episode.team_reward, axis=0)])
    for i, moment in enumerate(moments):
        left, foot = MARGIN + i * wide, HEAD + SIDE + FOOT / 2
        scenery.draw(page[HEAD : HEAD + SIDE, left : left + SIDE], moment)
        write(page, f"step {moment} of {episode.length}", left + 8, foot, 36, MUTED)
        x = left + SIDE - 8
        for team in reversed(range(len(replay.spec.teams))):
            number = signed(returns[moment, team])
            write(page, number, x, foot, 40, theme.team_colour(team), bold=True, side=1)
            x -= font(40, True).getlength(number) + 30
    return page
