"""The pictures that a world draws of itself, in place of an arena."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from . import theme
from .arena import SIDE, field_corners
from .theme import ARENA, FREE, PALETTE, PLAIN, Picture, Real

Frames = UInt8[np.ndarray, "moments height width 3"]

_SAMPLES = 12  # frames of a film from which its colours are taken
_SAMPLE_WIDTH = 200  # pixels
_NONE = Image.Dither.NONE


def film_palette(films: list[Frames]) -> UInt8[np.ndarray, "256 3"]:
    """Return the palette of a film with these frames: the colours of an arena give way to theirs."""
    palette = PALETTE.copy()
    if not films:
        return palette
    every = [(frames, t) for frames in films for t in range(len(frames))]
    chosen = [every[i] for i in np.unique(np.linspace(0, len(every) - 1, _SAMPLES).astype(int))]
    size = (_SAMPLE_WIDTH, _SAMPLE_WIDTH)
    samples = [
        np.asarray(Image.fromarray(frames[t]).resize(size, Image.Resampling.NEAREST)) for frames, t in chosen
    ]
    together = Image.fromarray(np.concatenate(samples))
    colours = together.quantize(len(FREE), Image.Quantize.MEDIANCUT, dither=_NONE).getpalette() or []
    found = np.reshape(colours, (-1, 3))[: len(FREE)]
    palette[FREE[: len(found)]] = found
    return palette


class FrameField:
    """A world's own pictures, as large as they fit."""

    smooth = False  # there is nothing between two of them

    def __init__(self, frames: Frames, palette: UInt8[np.ndarray, "256 3"]):
        self.frames = frames
        self.colours = Image.new("P", (1, 1))
        self.colours.putpalette(palette[FREE].tobytes())
        height, width = frames.shape[1:3]
        scale = SIDE / max(height, width)
        self.size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = min(height, width) <= 120  # small pictures are of squares, which stay sharp
        self.filter = Image.Resampling.NEAREST if pixels else Image.Resampling.BICUBIC

    def draw(self, picture: Picture, time: Real) -> None:
        picture[:] = PLAIN[ARENA]
        frame = Image.fromarray(self.frames[min(int(time), len(self.frames) - 1)])
        indices = frame.resize(self.size, self.filter).quantize(palette=self.colours, dither=_NONE)
        width, height = self.size
        top = (SIDE - height) // 2
        left = (SIDE - width) // 2
        picture[top : top + height, left : left + width] = np.array(FREE, np.uint8)[np.asarray(indices)]
        picture[field_corners()] = PLAIN[theme.PAGE]
