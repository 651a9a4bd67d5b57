"""Silhouettes of fighting units: each type is a few own, simple shapes in two tones."""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFilter

from ...core.scene import Shape
from .sprites import Sprite, make_sprite
from .theme import Real

_FINE = 8  # points per pixel and side, before edges are smoothed
_RIM = 2  # pixels of the ground's colour round a unit, so that units in a crowd stay apart
_EDGE = 1.25  # how far a silhouette may reach, in radii

_DARK = 0.55  # tones, as shares of the side's colour
_LIGHT = 1.0
_CUT = 0.0

_Points = tuple[tuple[Real, Real], ...]


class _Area(NamedTuple):
    """A filled polygon; the unit's middle is the origin, its radius is 1, and y points up."""

    points: _Points
    tone: float = _LIGHT


class _Stroke(NamedTuple):
    """A thick line with round ends; of one point, a disc."""

    points: _Points
    width: Real
    tone: float = _LIGHT


_Part = _Area | _Stroke


def _both(*parts: _Part) -> tuple[_Part, ...]:
    """Return the parts and their mirror images."""
    mirror = lambda part: part._replace(points=tuple((-x, y) for x, y in part.points))
    return tuple(side for part in parts for side in (part, mirror(part)))


def _arc(x: Real, y: Real, radius: Real, first: Real, last: Real) -> _Points:
    """Return points on a circle between two angles in degrees, anticlockwise from the right."""
    angles = np.radians(np.linspace(first, last, 13))
    return tuple((x + radius * float(np.cos(a)), y + radius * float(np.sin(a))) for a in angles)


_PARTS: dict[Shape, tuple[_Part, ...]] = {
    "disc": (_Stroke(((0, 0),), 2),),
    # a helmet with a visor between two shoulder plates
    "marine": (
        _Area(((-0.5, -0.9), (0.5, -0.9), (0.72, 0.0), (-0.72, 0.0)), _DARK),
        *_both(_Stroke(((0.66, -0.3),), 0.78)),
        _Stroke(((0, 0.36),), 1.34, _CUT),
        _Stroke(((0, 0.38),), 1.1),
        _Stroke(((-0.27, 0.3), (0.27, 0.3)), 0.26, _CUT),
    ),
    # broad armour, a small head, a launcher on each arm
    "marauder": (
        _Area(((-0.62, -0.95), (0.62, -0.95), (0.9, 0.5), (-0.9, 0.5)), _DARK),
        _Area(((-0.42, -0.7), (0.42, -0.7), (0.55, 0.2), (-0.55, 0.2))),
        *_both(
            _Area(((0.5, -0.62), (1.12, -0.62), (1.12, 0.78), (0.5, 0.78))),
            _Stroke(((0.81, 0.42),), 0.34, _CUT),
        ),
        _Stroke(((0, 0.55),), 0.86, _CUT),
        _Stroke(((0, 0.55),), 0.62),
    ),
    # a hull with a cross on it, between two engines
    "medivac": (
        *_both(
            _Stroke(((0.82, -0.45), (0.82, 0.3)), 0.46, _DARK),
            _Stroke(((0.3, 0.0), (0.82, -0.1)), 0.3, _DARK),
        ),
        _Stroke(((0, -0.5), (0, 0.45)), 1.12),
        _Area(((-0.25, -0.8), (0.25, -0.8), (0.4, -1.1), (-0.4, -1.1)), _DARK),
        _Stroke(((0, -0.42), (0, 0.38)), 0.26, _CUT),
        _Stroke(((-0.38, -0.02), (0.38, -0.02)), 0.26, _CUT),
    ),
    # an eye on four long, bent legs
    "stalker": (
        *_both(
            _Stroke(((0.2, 0.1), (0.72, 0.78), (1.06, 0.2)), 0.22, _DARK),
            _Stroke(((0.2, -0.05), (0.8, 0.05), (0.78, -0.98)), 0.22, _DARK),
        ),
        _Area(((0, 0.92), (0.52, 0.12), (0.0, -0.62), (-0.52, 0.12))),
        _Stroke(((0, 0.14),), 0.34, _CUT),
    ),
    # a warrior between two long blades
    "zealot": (
        *_both(
            _Area(((0.52, -0.72), (0.76, -0.72), (1.12, 0.5), (1.0, 1.08), (0.66, 0.3))),
            _Stroke(((0.22, 0.02), (0.6, -0.5)), 0.24, _DARK),
        ),
        _Area(((-0.42, 0.3), (0.42, 0.3), (0.16, -0.3), (0.34, -1.02), (-0.34, -1.02), (-0.16, -0.3)), _DARK),
        _Area(((0, 1.0), (0.3, 0.5), (0.0, 0.1), (-0.3, 0.5))),
    ),
    # a flat head high up on thin legs
    "colossus": (
        *_both(
            _Stroke(((0.2, 0.5), (0.98, 0.3), (1.02, -1.05)), 0.15, _DARK),
            _Stroke(((0.15, 0.45), (0.5, 0.1), (0.42, -0.95)), 0.15, _DARK),
        ),
        _Area(((-0.72, 0.52), (0.72, 0.52), (0.42, 0.98), (-0.42, 0.98))),
        _Area(((-0.4, 0.52), (0.4, 0.52), (0.18, 0.2), (-0.18, 0.2))),
        *_both(_Stroke(((0.22, 0.72),), 0.22, _CUT)),
    ),
    # a small body and two claws like scythes
    "zergling": (
        *_both(
            _Area((*_arc(0.42, 0.2, 0.72, -60, 110), *_arc(0.3, 0.12, 0.52, 100, -50))),
            _Stroke(((0.15, -0.4), (0.55, -0.95)), 0.2, _DARK),
        ),
        _Area(((0, 0.5), (0.4, 0.0), (0.28, -0.6), (0, -1.0), (-0.28, -0.6), (-0.4, 0.0))),
        *_both(_Stroke(((0.15, 0.05),), 0.16, _CUT)),
    ),
    # a ball full of acid
    "baneling": (
        *_both(_Stroke(((0.45, -0.6), (0.75, -1.0)), 0.24, _DARK), _Stroke(((0.8, 0.5), (1.02, 0.72)), 0.2)),
        _Stroke(((0, 0),), 1.9, _DARK),
        _Stroke(((0, 0),), 1.56),
        _Stroke(((-0.25, 0.3),), 0.5, _CUT),
        _Stroke(((0.34, 0.02),), 0.36, _CUT),
        _Stroke(((-0.16, -0.4),), 0.3, _CUT),
    ),
    # a hood over an upright, winding body
    "hydralisk": (
        _Stroke((*_arc(0.2, -0.18, 0.34, 110, 250), *_arc(-0.15, -0.72, 0.34, 60, -110)), 0.36, _DARK),
        *_both(_Stroke(((0.16, 0.3), (0.76, -0.02), (0.66, -0.52)), 0.2)),
        _Area(((0, 1.1), (0.62, 0.72), (0.5, 0.2), (0, -0.06), (-0.5, 0.2), (-0.62, 0.72))),
        *_both(_Area(((0.1, 0.3), (0.36, 0.42), (0.3, 0.62)), _CUT)),
    ),
    # a spike that bends over a root
    "spine_crawler": (
        *_both(
            _Stroke(((0.3, -0.6), (1.0, -0.95)), 0.28, _DARK),
            _Stroke(((0.2, -0.6), (0.6, -0.3)), 0.24, _DARK),
        ),
        _Stroke(((-0.25, -0.66), (0.25, -0.66)), 0.6),
        _Stroke(_arc(0.1, 0.2, 0.62, 255, 75), 0.3),
        _Area(((0.0, 1.1), (0.12, 0.5), (0.4, 0.42), (1.1, -0.02), (0.62, 0.86))),
    ),
}


def silhouette_parts(shape: Shape) -> list[list[Any]]:
    """Return a silhouette's parts as plain data: `[points, stroke's width or 0 for an area, tone]`."""
    return [[part.points, getattr(part, "width", 0), part.tone] for part in _PARTS[shape]]


def _draw(pen: ImageDraw.ImageDraw, part: _Part, place: Real, scale: Real, tone: int) -> None:
    points = [(place + scale * x, place - scale * y) for x, y in part.points]
    if isinstance(part, _Area):
        pen.polygon(points, fill=tone)
        return
    half = scale * part.width / 2
    pen.line(points, fill=tone, width=round(2 * half))
    for x, y in points:
        pen.ellipse((x - half, y - half, x + half, y + half), fill=tone)


@cache
def _tones(shape: Shape, radius: Real) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Return each pixel's tone, and the share of it that belongs to the unit, holes and rim included."""
    side = 2 * (int(np.ceil(_EDGE * radius)) + _RIM + 1)
    tones, whole = (Image.new("L", (side * _FINE, side * _FINE)) for _ in range(2))
    for part in _PARTS[shape]:
        for image, tone in ((tones, part.tone), (whole, 1.0)):
            _draw(ImageDraw.Draw(image), part, side * _FINE / 2, radius * _FINE, round(255 * tone))
    whole = whole.reduce(_FINE).filter(ImageFilter.MaxFilter(2 * _RIM + 1))
    return np.asarray(tones.reduce(_FINE), float) / 255, np.asarray(whole, float) / 255


@cache
def unit_sprite(shape: Shape, radius: Real, colour: str, ground: str) -> Sprite:
    """A unit's silhouette in a colour, with a rim of the ground's colour."""
    tones, whole = _tones(shape, radius)
    return Sprite(make_sprite(tones, colour, ground).ink, whole > 0.5)
