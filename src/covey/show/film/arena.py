"""The plane on which an episode takes place."""

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from ...core import Spec
from ...core.scene import ObjectKind, Scene
from . import sprites, theme
from .signs import agent_colours, agent_labels
from .sprites import brush, stamp
from .theme import ARENA, GRID, MUTED, PLAIN, TEXT, Picture, Real

SIDE = 960  # pixels
WIDEST = 2.2  # the most to each side of the origin; an arrow points at agents beyond it
_CORNER = 20  # pixels
_EDGE = 26  # pixels from an arrow's middle to the edge
_TRAIL_STEPS = 6
_DOTS_PER_STEP = 8
_FLASH_REACH = 30  # pixels
_LIGHT_STEPS = 2.0  # of a capture
_LIGHT_SIZES = (2.2, 4.5)  # of a capture, at first and at last, in radii
_DIM = 0.42  # the strength of agents that take no more part and of removed objects
_BUBBLE = 46.0  # pixels of a side

_Point = Float[np.ndarray, "2"]


def camera(scene: Scene) -> float:
    """Return how far to see to each side: the world's extent or, up to `WIDEST`, the agent furthest out."""
    everything = ((scene.agents, scene.agent_radii), (scene.objects, scene.object_radii))
    reach = [np.abs(np.asarray(x)).max(axis=(0, 2)) + np.array(sizes) for x, sizes in everything]
    most = 1.03 * np.concatenate(reach).max(initial=0.0)
    return float(np.clip(most, scene.extent, max(WIDEST, scene.extent)))


def _empty_field(half: float) -> Picture:
    """Draw a field with a line every half unit."""
    field = np.full((SIDE, SIDE), PLAIN[ARENA], np.uint8)
    lines = np.arange(-np.floor(2 * half), np.floor(2 * half) + 1) / 2
    for at in np.rint(SIDE / 2 * (1 + lines / half)).astype(int):
        field[:, max(at - 1, 0) : at + 1] = PLAIN[GRID]
        field[max(at - 1, 0) : at + 1] = PLAIN[GRID]
    return field


@cache
def field_corners() -> Bool[np.ndarray, "side side"]:
    """Return the pixels outside a field's rounded corners."""
    return sprites.rounded_alpha(SIDE - 2, SIDE - 2, _CORNER) < 0.5


class _Object(NamedTuple):
    """An object of the scene at one moment."""

    kind: ObjectKind
    radius: float
    colour: str
    place: _Point
    highlighted: bool | np.bool_
    removed: bool | np.bool_


class Arena:
    """Draws an episode's moments, and the times between them."""

    smooth = True  # there is motion between two moments

    def __init__(
        self,
        spec: Spec,
        scene: Scene,
        alive: Bool[np.ndarray, "moments agents"],
        followed: int | None = None,
    ):
        self.scene = scene
        self.alive = alive
        self.followed = followed
        self.half = camera(scene)
        self.colours = agent_colours(spec)
        self.labels = agent_labels(spec)
        self.agents = self._pixels(np.asarray(scene.agents, float))
        self.objects = self._pixels(np.asarray(scene.objects, float))
        self.links = self._pixels(np.asarray(scene.links, float))
        self.touching = np.asarray(scene.touching, float)
        self.caught = np.asarray(scene.caught)
        speed = np.hypot(*np.moveaxis(np.diff(self.agents, axis=0), -1, 0))
        self.speed = speed / max(speed.max(initial=0.0), 1e-9)
        self.field = _empty_field(self.half)

    def _pixels(self, x: Float[np.ndarray, "moments *b 2"]) -> Float[np.ndarray, "moments *b 2"]:
        """Turn the world's coordinates, in which y points up, into pixels."""
        return SIDE / 2 * (1 + x / self.half * np.array([1, -1]))

    def _radius(self, size: Real) -> float:
        """Turn a radius of the world into pixels, in half pixels so that sprites are shared."""
        return max(5.0, round(2 * size * (SIDE / 2 / self.half)) / 2)

    def _agent_radius(self, i: int) -> float:
        return self._radius(self.scene.agent_radii[i])

    def _at(self, x: Float[np.ndarray, "moments *b"], time: Real) -> Float[np.ndarray, "*b"]:
        """Interpolate between two moments; the last one lasts."""
        last = len(x) - 1
        now = min(int(time), last)
        return x[now] + (time - now) * (x[min(now + 1, last)] - x[now])

    def draw(self, picture: Picture, time: Real) -> None:
        """Draw the episode at a time, counted in steps."""
        picture[:] = self.field
        moment = min(int(time), len(self.agents) - 1)
        agents = self._at(self.agents, time)
        objects = self._objects_at(time, moment)
        self._draw_objects(picture, objects)
        for i, alive in enumerate(self.alive[moment]):
            if alive:
                self._draw_trail(picture, i, time)
        for start, end in self._at(self.links, time):
            _dotted_line(picture, start, end)
        for i, place in enumerate(agents):
            self._draw_capture(picture, i, place, time, moment)
            self._draw_flash(picture, i, place, time, moment)
            if i == self.followed:
                stamp(picture, sprites.ring(self._agent_radius(i) + 9, 4, TEXT, ARENA, 0.7), *place)
        for i, place in enumerate(agents):
            self._draw_agent(picture, i, place, bool(self.alive[moment, i]))
        self._draw_target_outlines(picture, objects)
        for i, word in enumerate(map(int, self.scene.words[moment])):
            if word >= 0:
                _draw_bubble(picture, agents[i], self._agent_radius(i), word)
        picture[field_corners()] = PLAIN[theme.PAGE]

    def _draw_objects(self, picture: Picture, objects: list[_Object]) -> None:
        for thing in objects:
            size = 1.25 * thing.radius
            if thing.removed:
                sprite = sprites.diamond_outline(size, 4, thing.colour, ARENA, _DIM)
            elif thing.kind == "obstacle":
                sprite = sprites.boulder(thing.radius, thing.colour, ARENA)
            else:
                sprite = sprites.diamond(size, thing.colour, ARENA)
            stamp(picture, sprite, *thing.place)
        for thing in objects:
            if thing.highlighted:
                stamp(picture, sprites.ring(1.25 * thing.radius + 14, 5, theme.GOAL, ARENA), *thing.place)

    def _draw_target_outlines(self, picture: Picture, objects: list[_Object]) -> None:
        """Draw targets' outlines over agents, so that an agent on a target does not hide it."""
        for thing in objects:
            if thing.kind == "target" and not thing.removed:
                outline = sprites.diamond_outline(1.25 * thing.radius, 4, thing.colour, ARENA)
                brush(picture, outline, *thing.place)

    def _objects_at(self, time: Real, moment: int) -> list[_Object]:
        scene = self.scene
        radii = map(self._radius, scene.object_radii)
        colours = (theme.OBJECT_COLOURS[colour] for colour in scene.object_colours)
        places = self._at(self.objects, time)
        marked = (scene.highlighted[moment], scene.removed[moment])
        return list(map(_Object, scene.object_kinds, radii, colours, places, *marked))

    def _draw_trail(self, picture: Picture, i: int, time: Real) -> None:
        """Draw where an agent was: thin and dark long ago, bright where it was fast."""
        widest = min(self._agent_radius(i), 40)
        for age in range(int(_DOTS_PER_STEP * min(_TRAIL_STEPS, time)), 0, -1):
            then = time - age / _DOTS_PER_STEP
            left = 1 - age / (_TRAIL_STEPS * _DOTS_PER_STEP + 1)
            quick = 0.55 + 0.45 * self.speed[min(int(then), len(self.speed) - 1), i]
            size = max(2.0, round(2 * widest * (0.1 + 0.4 * left)) / 2)
            strength = max(1, round(theme.RAMP_STEPS * 0.9 * left * quick)) / theme.RAMP_STEPS
            dot = sprites.disc(size, self.colours[i], ARENA, strength)
            brush(picture, dot, *self._at(self.agents, then)[i])

    def _draw_flash(self, picture: Picture, i: int, place: _Point, time: Real, moment: int) -> None:
        """Draw a flash while two agents touch; it fades within the next step."""
        touches = float(self.touching[moment, i] * self._at(self.touching, time)[i])
        strength = round(6 * touches) / 6
        if strength and _is_inside(place):
            flash = sprites.flash(self._agent_radius(i), _FLASH_REACH, strength, TEXT, ARENA)
            brush(picture, flash, *place)

    def _draw_capture(self, picture: Picture, i: int, place: _Point, time: Real, moment: int) -> None:
        """Draw the light of an agent that is caught: a disc that grows and fades."""
        ages = time - np.flatnonzero(self.caught[: moment + 1, i])
        age = ages.min(initial=_LIGHT_STEPS) / _LIGHT_STEPS
        if age < 1 and _is_inside(place):
            first, last = _LIGHT_SIZES
            size = round(self._agent_radius(i) * (first + (last - first) * age))
            brush(picture, sprites.disc(size, theme.GOAL, ARENA, round(6 * (1 - age)) / 6), *place)

    def _draw_agent(self, picture: Picture, i: int, place: _Point, alive: bool) -> None:
        radius = self._agent_radius(i)
        colour = self.colours[i]
        if not _is_inside(place):
            edge = np.clip(place, _EDGE, SIDE - _EDGE)
            right, down = place - edge
            angle = round(float(np.arctan2(-down, right)), 1)
            stamp(picture, sprites.arrow(22.0, angle, colour, ARENA), *edge)
        elif alive:
            stamp(picture, sprites.badge(radius, self.labels[i], colour, ARENA), *place)
        else:
            stamp(picture, sprites.ring(radius - 2, 4, colour, ARENA, _DIM), *place)


def _is_inside(place: _Point) -> bool:
    return bool((np.abs(place - SIDE / 2) < SIDE / 2).all())


def _dotted_line(picture: Picture, start: _Point, end: Float[np.ndarray, "2"]) -> None:
    length = float(np.hypot(*(end - start)))
    for share in np.arange(8, length, 16) / max(length, 1):
        brush(picture, sprites.disc(2.5, MUTED, ARENA, 0.75), *(start + share * (end - start)))


def _draw_bubble(picture: Picture, place: _Point, radius: Real, word: int) -> None:
    """Draw a word above an agent and to its right, or on the side where there is room."""
    far = place + (radius + 10 + _BUBBLE) * np.array([1, -1])
    side = np.array([-1 if far[0] > SIDE else 1, 1 if far[1] < 0 else -1])
    rim = place + (0.71 * radius + 5) * side
    stamp(picture, sprites.disc(5.0, TEXT, ARENA), *rim)
    letter = chr(ord("A") + word) if word < 26 else str(word)
    plate = sprites.plate(_BUBBLE, _BUBBLE, 14.0, letter, 30, TEXT, ARENA)
    stamp(picture, plate, *(rim + (4 + _BUBBLE / 2) * side))
