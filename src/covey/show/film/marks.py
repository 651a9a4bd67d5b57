"""Shapes and words as small arrays with smooth edges, and how they are put on a picture."""

import importlib.util
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from .theme import PAGE, RAMPS, TOP, Number, Picture

Alpha = Float[np.ndarray, "height width"]


class Mark(NamedTuple):
    """Indices of the palette, and which of them are drawn at all."""

    ink: UInt8[np.ndarray, "height width"]
    shown: Bool[np.ndarray, "height width"]


def stamp(picture: Picture, mark: Mark, x: Number, y: Number) -> None:
    """Puts the mark's middle on (x, y); what would reach beyond the picture is cut."""
    place, ink, shown = meeting(picture, mark, x, y)
    np.copyto(place, ink, where=shown)


def brush(picture: Picture, mark: Mark, x: Number, y: Number) -> None:
    """The same, but hides nothing that stands later in the palette: strokes of a colour melt together."""
    place, ink, shown = meeting(picture, mark, x, y)
    np.maximum(place, ink, out=place, where=shown)


def meeting(
    picture: Picture, mark: Mark, x: Number, y: Number
) -> tuple[UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Where the mark lies on the picture, and what of it does."""
    (height, width), (tall, wide) = picture.shape, mark.ink.shape
    top, left = round(y - tall / 2), round(x - wide / 2)
    rows = slice(min(max(0, -top), tall), max(0, min(tall, height - top)))
    columns = slice(min(max(0, -left), wide), max(0, min(wide, width - left)))
    place = picture[max(0, top) : max(0, top + tall), max(0, left) : max(0, left + wide)]
    return place, mark.ink[rows, columns], mark.shown[rows, columns]


def mark(alpha: Alpha, colour: str, ground: str) -> Mark:
    level = np.rint(TOP * np.clip(alpha, 0, 1)).astype(np.uint8)
    return Mark(RAMPS[colour, ground][level], level > 0)


def plane(width: Number, height: Number) -> tuple[Float[np.ndarray, "1 w"], Float[np.ndarray, "h 1"]]:
    """Where the pixels of a box that holds this much are, from its middle."""
    w, h = int(np.ceil(width)) + 2, int(np.ceil(height)) + 2
    return (np.arange(w) - (w - 1) / 2)[None], (np.arange(h) - (h - 1) / 2)[:, None]


def within(distance: Float[np.ndarray, "h w"]) -> Alpha:
    """How much of each pixel lies inside a shape, from how far its middle lies outside."""
    return np.clip(0.5 - distance, 0, 1)


def round_alpha(radius: Number) -> Alpha:
    return within(np.hypot(*plane(2 * radius, 2 * radius)) - radius)


@cache
def disc(radius: Number, colour: str, ground: str, strength: Number = 1.0) -> Mark:
    return mark(strength * round_alpha(radius), colour, ground)


@cache
def boulder(radius: Number, colour: str, ground: str) -> Mark:
    """A dull disc with a brighter edge."""
    away = np.hypot(*plane(2 * radius, 2 * radius)) - radius
    return mark(0.4 * within(away) + 0.25 * within(np.abs(away + 2.5) - 2.5), colour, ground)


@cache
def ring(radius: Number, width: Number, colour: str, ground: str, strength: Number = 1.0) -> Mark:
    size = 2 * radius + width
    away = np.abs(np.hypot(*plane(size, size)) - radius)
    return mark(strength * within(away - width / 2), colour, ground)


@cache
def flash(radius: Number, reach: Number, strength: Number, colour: str, ground: str) -> Mark:
    """A bright ring round a disc, and a glow that is gone `reach` further out."""
    size = 2 * (radius + reach)
    out = np.hypot(*plane(size, size)) - radius
    glow = 0.6 * np.clip(1 - out / reach, 0, 1) ** 2
    return mark(strength * np.maximum(glow, within(np.abs(out - 4) - 2.5)), colour, ground)


@cache
def diamond(radius: Number, colour: str, ground: str) -> Mark:
    x, y = plane(2 * radius, 2 * radius)
    return mark(within((np.abs(x) + np.abs(y) - radius) / np.sqrt(2)), colour, ground)


@cache
def frame(radius: Number, width: Number, colour: str, ground: str, strength: Number = 1.0) -> Mark:
    """A diamond's edge."""
    x, y = plane(2 * radius, 2 * radius)
    inward = (radius - np.abs(x) - np.abs(y)) / np.sqrt(2)
    return mark(strength * within(np.abs(inward - width / 2) - width / 2), colour, ground)


def rounded_alpha(width: Number, height: Number, corner: Number) -> Alpha:
    x, y = plane(width, height)
    x, y = np.abs(x) - width / 2 + corner, np.abs(y) - height / 2 + corner
    return within(np.hypot(np.maximum(x, 0), np.maximum(y, 0)) + np.minimum(np.maximum(x, y), 0) - corner)


@cache
def rounded(
    width: Number, height: Number, corner: Number, colour: str, ground: str, strength: Number = 1.0
) -> Mark:
    return mark(strength * rounded_alpha(width, height, corner), colour, ground)


@cache
def arrow(size: Number, angle: Number, colour: str, ground: str) -> Mark:
    """A narrow triangle that points along `angle`, anticlockwise from the right."""
    x, y = plane(2 * size, 2 * size)
    ahead, aside = np.cos(angle) * x - np.sin(angle) * y, np.abs(np.sin(angle) * x + np.cos(angle) * y)
    return mark(
        within(np.maximum(0.35 * ahead + 0.94 * aside - 0.35 * size, -ahead - 0.6 * size)), colour, ground
    )


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which lies among matplotlib's files."""
    found = importlib.util.find_spec("matplotlib")
    assert found is not None and found.origin is not None
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / name, size)


@cache
def letters(text: str, size: int, bold: bool) -> Alpha:
    """Text in a box as high as the font's lines, so that baselines meet."""
    used = font(size, bold)
    above, below = used.getmetrics()
    image = Image.new("L", (max(1, round(used.getlength(text))), above + below))
    ImageDraw.Draw(image).text((0, above), text, fill=255, font=used, anchor="ls")
    return np.asarray(image, np.float64) / 255


@cache
def fitted(text: str, size: int, bold: bool, room: Number) -> str:
    """The text, or as much of it as there is room for."""
    if font(size, bold).getlength(text) <= room:
        return text
    fits = lambda n: font(size, bold).getlength(text[:n] + "…") <= room
    return text[: max(n for n in range(len(text)) if n == 0 or fits(n))] + "…"


@cache
def word(text: str, size: int, colour: str, ground: str, bold: bool = False) -> Mark:
    return mark(letters(text, size, bold), colour, ground)


def write(
    picture: Picture,
    text: str,
    x: Number,
    y: Number,
    size: int,
    colour: str,
    ground: str = PAGE,
    bold: bool = False,
    side: Number = 0.0,
) -> None:
    """A line whose middle is at the height y. At x it begins (side 0), has its middle (.5) or ends (1)."""
    line = word(text, size, colour, ground, bold)
    stamp(picture, line, x + (0.5 - side) * line.ink.shape[1], y)


def engraved(alpha: Alpha, text: str, size: int) -> Alpha:
    """A shape with text cut out of its middle, if there is room for it."""
    cut, alpha = middle(letters(text, size, True)), alpha.copy()
    top, left = (np.array(alpha.shape) - cut.shape) // 2
    if min(top, left) >= 0:
        alpha[top : top + cut.shape[0], left : left + cut.shape[1]] *= 1 - cut
    return alpha


def middle(alpha: Alpha) -> Float[np.ndarray, "h w"]:
    """Without the empty margins: so that a digit stands in the middle of a disc."""
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    return alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


@cache
def plate(
    width: Number,
    height: Number,
    corner: Number,
    text: str,
    size: int,
    colour: str,
    ground: str,
    strength: Number = 1.0,
) -> Mark:
    """A rounded box with text cut out of it; the text stands on the ground's colour."""
    whole = rounded_alpha(width, height, corner)
    return Mark(mark(strength * engraved(whole, text, size), colour, ground).ink, whole > 0.5)


@cache
def badge(radius: Number, text: str, colour: str, ground: str, rim: Number = 2.0) -> Mark:
    """A disc with a rim of the ground's colour, and text cut out of it where there is room for any."""
    away = np.hypot(*plane(2 * (radius + rim), 2 * (radius + rim)))
    inner, size = within(away - radius), min(round(1.15 * radius), 46)
    inner = engraved(inner, text, size) if size >= 11 else inner
    return Mark(mark(inner, colour, ground).ink, away < radius + rim)
