"""Sprites: shapes and words as small arrays with smooth edges, to be put on a picture."""

import importlib.util
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from .theme import PAGE, RAMP_STEPS, RAMPS, Picture, Real

Alpha = Float[np.ndarray, "height width"]  # the share of each pixel that is covered


class Sprite(NamedTuple):
    """Indices into the palette, and the pixels that are drawn at all."""

    ink: UInt8[np.ndarray, "height width"]
    shown: Bool[np.ndarray, "height width"]


def stamp(picture: Picture, sprite: Sprite, x: Real, y: Real) -> None:
    """Put the sprite's middle on (x, y), and cut it at the picture's edges."""
    place, ink, shown = _overlap(picture, sprite, x, y)
    np.copyto(place, ink, where=shown)


def brush(picture: Picture, sprite: Sprite, x: Real, y: Real) -> None:
    """Put the sprite's middle on (x, y), but only over colours that are earlier in the palette.

    So strokes of one colour melt together.
    """
    place, ink, shown = _overlap(picture, sprite, x, y)
    np.maximum(place, ink, out=place, where=shown)


def _overlap(
    picture: Picture, sprite: Sprite, x: Real, y: Real
) -> tuple[UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """Return the part of the picture under the sprite, and the part of the sprite on the picture."""
    height, width = picture.shape
    tall, wide = sprite.ink.shape
    top = round(y - tall / 2)
    left = round(x - wide / 2)
    rows = slice(min(max(0, -top), tall), max(0, min(tall, height - top)))
    columns = slice(min(max(0, -left), wide), max(0, min(wide, width - left)))
    place = picture[max(0, top) : max(0, top + tall), max(0, left) : max(0, left + wide)]
    return place, sprite.ink[rows, columns], sprite.shown[rows, columns]


def make_sprite(alpha: Alpha, colour: str, ground: str) -> Sprite:
    """Return a shape in a colour, with edges that fade into the ground."""
    level = np.rint(RAMP_STEPS * np.clip(alpha, 0, 1)).astype(np.uint8)
    return Sprite(RAMPS[colour, ground][level], level > 0)


def _plane(width: Real, height: Real) -> tuple[Float[np.ndarray, "1 w"], Float[np.ndarray, "h 1"]]:
    """Return the coordinates of pixels, from the middle of a box a little larger than this."""
    w = int(np.ceil(width)) + 2
    h = int(np.ceil(height)) + 2
    return (np.arange(w) - (w - 1) / 2)[None], (np.arange(h) - (h - 1) / 2)[:, None]


def coverage(distance: Float[np.ndarray, "h w"]) -> Alpha:
    """Return the share of each pixel inside a shape, from the distance of its middle to the shape."""
    return np.clip(0.5 - distance, 0, 1)


def draw_stroke(
    picture: Picture,
    start: Float[np.ndarray, "2"],
    end: Float[np.ndarray, "2"],
    width: Real,
    colour: str,
    ground: str,
    strength: Real = 1.0,
) -> None:
    """Brush a straight line with round ends; what lies outside the picture is cut."""
    middle = (start + end) / 2
    along = (end - start) / 2
    wide, high = 2 * np.abs(along) + width
    x, y = _plane(wide, high)
    share = np.clip((x * along[0] + y * along[1]) / max(float(along @ along), 1e-9), -1, 1)
    away = np.hypot(x - share * along[0], y - share * along[1])
    brush(picture, make_sprite(strength * coverage(away - width / 2), colour, ground), *middle)


@cache
def spark(radius: Real, colour: str, ground: str, strength: Real = 1.0) -> Sprite:
    """A star of four thin points."""
    x, y = (np.abs(x) / radius for x in _plane(2 * radius, 2 * radius))
    return make_sprite(strength * coverage(radius * (np.sqrt(x) + np.sqrt(y) - 1)), colour, ground)


@cache
def cross(radius: Real, width: Real, colour: str, ground: str, strength: Real = 1.0) -> Sprite:
    """Two lines across each other; the radius is half a line's length."""
    x, y = _plane(2 * radius, 2 * radius)
    away = np.minimum(np.abs(x - y), np.abs(x + y)) / np.sqrt(2)
    within = np.hypot(x, y) - radius
    return make_sprite(strength * coverage(np.maximum(away - width / 2, within)), colour, ground)


@cache
def disc(radius: Real, colour: str, ground: str, strength: Real = 1.0) -> Sprite:
    """A disc; `strength` below 1 makes it darker."""
    away = np.hypot(*_plane(2 * radius, 2 * radius)) - radius
    return make_sprite(strength * coverage(away), colour, ground)


@cache
def boulder(radius: Real, colour: str, ground: str) -> Sprite:
    """A dull disc with a brighter edge."""
    away = np.hypot(*_plane(2 * radius, 2 * radius)) - radius
    rim = coverage(np.abs(away + 2.5) - 2.5)
    return make_sprite(0.4 * coverage(away) + 0.25 * rim, colour, ground)


@cache
def ring(radius: Real, width: Real, colour: str, ground: str, strength: Real = 1.0) -> Sprite:
    """A circle; the radius is that of its line's middle."""
    size = 2 * radius + width
    away = np.abs(np.hypot(*_plane(size, size)) - radius)
    return make_sprite(strength * coverage(away - width / 2), colour, ground)


@cache
def flash(radius: Real, reach: Real, strength: Real, colour: str, ground: str) -> Sprite:
    """A bright ring round a disc, and a glow that ends `reach` further out."""
    size = 2 * (radius + reach)
    out = np.hypot(*_plane(size, size)) - radius
    glow = 0.6 * np.clip(1 - out / reach, 0, 1) ** 2
    ring_alpha = coverage(np.abs(out - 4) - 2.5)
    return make_sprite(strength * np.maximum(glow, ring_alpha), colour, ground)


@cache
def diamond(radius: Real, colour: str, ground: str) -> Sprite:
    """A square that stands on a corner."""
    x, y = _plane(2 * radius, 2 * radius)
    return make_sprite(coverage((np.abs(x) + np.abs(y) - radius) / np.sqrt(2)), colour, ground)


@cache
def diamond_outline(radius: Real, width: Real, colour: str, ground: str, strength: Real = 1.0) -> Sprite:
    """A diamond's edge."""
    x, y = _plane(2 * radius, 2 * radius)
    inward = (radius - np.abs(x) - np.abs(y)) / np.sqrt(2)
    return make_sprite(strength * coverage(np.abs(inward - width / 2) - width / 2), colour, ground)


def rounded_alpha(width: Real, height: Real, corner: Real) -> Alpha:
    """A box with rounded corners."""
    x, y = _plane(width, height)
    x = np.abs(x) - width / 2 + corner
    y = np.abs(y) - height / 2 + corner
    outside = np.hypot(np.maximum(x, 0), np.maximum(y, 0))
    return coverage(outside + np.minimum(np.maximum(x, y), 0) - corner)


@cache
def rounded(
    width: Real, height: Real, corner: Real, colour: str, ground: str, strength: Real = 1.0
) -> Sprite:
    """A box with rounded corners."""
    return make_sprite(strength * rounded_alpha(width, height, corner), colour, ground)


@cache
def arrow(size: Real, angle: Real, colour: str, ground: str) -> Sprite:
    """A narrow triangle that points along `angle`, anticlockwise from the right."""
    x, y = _plane(2 * size, 2 * size)
    ahead = np.cos(angle) * x - np.sin(angle) * y
    aside = np.abs(np.sin(angle) * x + np.cos(angle) * y)
    sides = 0.35 * ahead + 0.94 * aside - 0.35 * size
    return make_sprite(coverage(np.maximum(sides, -ahead - 0.6 * size)), colour, ground)


@cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """Load DejaVu Sans, which matplotlib brings with it."""
    matplotlib = importlib.util.find_spec("matplotlib")
    assert matplotlib is not None and matplotlib.origin is not None
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(Path(matplotlib.origin).parent / "mpl-data" / "fonts" / "ttf" / name, size)


@cache
def _text_alpha(text: str, size: int, bold: bool) -> Alpha:
    """Text in a box as high as the font's lines, so that baselines align."""
    face = font(size, bold)
    above, below = face.getmetrics()
    image = Image.new("L", (max(1, round(face.getlength(text))), above + below))
    ImageDraw.Draw(image).text((0, above), text, fill=255, font=face, anchor="ls")
    return np.asarray(image, np.float64) / 255


@cache
def fit_text(text: str, size: int, bold: bool, room: Real) -> str:
    """Return the text, or as much of it as there is room for."""
    if font(size, bold).getlength(text) <= room:
        return text
    fits = lambda n: font(size, bold).getlength(text[:n] + "…") <= room
    return text[: max(n for n in range(len(text)) if n == 0 or fits(n))] + "…"


@cache
def text_sprite(text: str, size: int, colour: str, ground: str, bold: bool = False) -> Sprite:
    """A line of text."""
    return make_sprite(_text_alpha(text, size, bold), colour, ground)


def write_text(
    picture: Picture,
    text: str,
    x: Real,
    y: Real,
    size: int,
    colour: str,
    ground: str = PAGE,
    bold: bool = False,
    side: Real = 0.0,
) -> None:
    """Write a line at the height y. It starts at x (side 0), has its middle there (.5), or ends there (1)."""
    line = text_sprite(text, size, colour, ground, bold)
    stamp(picture, line, x + (0.5 - side) * line.ink.shape[1], y)


def _cut_text(alpha: Alpha, text: str, size: int) -> Alpha:
    """Return a shape with text cut out of its middle, if there is room for it."""
    cut = _trim(_text_alpha(text, size, True))
    alpha = alpha.copy()
    top, left = (np.array(alpha.shape) - cut.shape) // 2
    if min(top, left) >= 0:
        alpha[top : top + cut.shape[0], left : left + cut.shape[1]] *= 1 - cut
    return alpha


def _trim(alpha: Alpha) -> Float[np.ndarray, "h w"]:
    """Drop empty margins, so that a digit stands in the middle of a disc."""
    rows = np.flatnonzero(alpha.any(axis=1))
    columns = np.flatnonzero(alpha.any(axis=0))
    return alpha[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


@cache
def plate(
    width: Real,
    height: Real,
    corner: Real,
    text: str,
    size: int,
    colour: str,
    ground: str,
    strength: Real = 1.0,
) -> Sprite:
    """A rounded box with text cut out of it; the text stands on the ground's colour."""
    whole = rounded_alpha(width, height, corner)
    return Sprite(make_sprite(strength * _cut_text(whole, text, size), colour, ground).ink, whole > 0.5)


@cache
def badge(radius: Real, text: str, colour: str, ground: str, rim: Real = 2.0) -> Sprite:
    """A disc with a rim of the ground's colour, and text cut out of it where there is room for any."""
    away = np.hypot(*_plane(2 * (radius + rim), 2 * (radius + rim)))
    inner = coverage(away - radius)
    size = min(round(1.15 * radius), 46)
    if size >= 11:
        inner = _cut_text(inner, text, size)
    return Sprite(make_sprite(inner, colour, ground).ink, away < radius + rim)
