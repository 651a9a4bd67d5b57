"""Moments of an episode side by side: a film for paper."""

import numpy as np

from ...text import signed
from ..playback import Playback
from . import theme
from .arena import SIDE
from .reel import PAGE_MARGIN, make_field
from .sprites import font, write_text
from .theme import MUTED, PAGE, PLAIN, TEXT, Picture

_MOMENTS = 4
_ABOVE = 110  # pixels above the moments
_BELOW = 90


def film_strip(playback: Playback) -> Picture:
    """Draw the first moment, two in between and the last, with the teams' returns by then."""
    episode = playback.episodes[0]
    moments = sorted({round(x) for x in np.linspace(0, episode.length, _MOMENTS)})
    field = make_field(playback, episode)
    wide = SIDE + PAGE_MARGIN
    page = np.full((_ABOVE + SIDE + _BELOW, PAGE_MARGIN + wide * len(moments)), PLAIN[PAGE], np.uint8)
    write_text(page, playback.world, PAGE_MARGIN, _ABOVE / 2 + 4, 48, TEXT, bold=True)
    run = f"{playback.algorithm} · seed {playback.seed}"
    beside = PAGE_MARGIN + font(48, True).getlength(playback.world) + 36
    write_text(page, run, beside, _ABOVE / 2 + 8, 36, MUTED)
    nothing = np.zeros((1, len(playback.spec.teams)))
    returns = np.concatenate([nothing, np.cumsum(episode.team_reward, axis=0)])
    for i, moment in enumerate(moments):
        left = PAGE_MARGIN + i * wide
        foot = _ABOVE + SIDE + _BELOW / 2
        field.draw(page[_ABOVE : _ABOVE + SIDE, left : left + SIDE], moment)
        write_text(page, f"step {moment} of {episode.length}", left + 8, foot, 36, MUTED)
        x = left + SIDE - 8
        for team in reversed(range(len(playback.spec.teams))):
            number = signed(returns[moment, team])
            write_text(page, number, x, foot, 40, theme.team_colour(team), bold=True, side=1)
            x -= font(40, True).getlength(number) + 30
    return page
