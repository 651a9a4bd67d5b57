"""The plane of a battle: units by type and side, who fires at whom, who fell, the ground."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ...core import Spec
from ...core.scene import Scene, UnitLook
from . import sprites, theme
from .arena import SIDE, field_corners
from .signs import agent_colours
from .silhouettes import unit_sprite
from .sprites import brush, draw_stroke, stamp
from .terrain import View, draw_ground
from .theme import ARENA, CLIFF, PLAIN, RAMP_STEPS, RAMPS, Picture, Real

ENEMY = theme.OBJECT_COLOURS["red"]
_HEAL = theme.OBJECT_COLOURS["green"]
_SHIELD = theme.OBJECT_COLOURS["blue"]
_MARGIN = 1.5  # units of the world round the battle
_LEAST_HALF = 4.0  # units of the world from the middle to each side
_LEAST_RADIUS = 10.0  # pixels of a silhouette
_LARGER = 1.1  # silhouettes are a little larger than the units, to be recognised
_SHOT_WIDTH = 3.5  # pixels
_SPARK = 11  # pixels from its middle to a point, at first
_FALL_STEPS = 2  # in which the cross of a fallen unit fades
_CROSS = (0.9, 0.4)  # its strength at first and at last
_ABOVE = 1.1  # a silhouette's radii from its middle to the lowest bar
_BAR = 5  # pixels high
_MANY = 24  # units, of which only those that are hurt get bars
_GAP = 2  # pixels between bars
_HURT = ((2 / 3, _HEAL), (1 / 3, theme.GOAL), (0.0, ENEMY))  # a bar's colour above this share of health


class Army(NamedTuple):
    """All units of a scene, agents first: arrays of moments and units."""

    place: Float[np.ndarray, "moments units 2"]
    look: Int[np.ndarray, "moments units"]
    health: Float[np.ndarray, "moments units"]
    shield: Float[np.ndarray, "moments units"]
    target: Int[np.ndarray, "moments units"]
    looks: tuple[UnitLook, ...]
    colours: tuple[str, ...]  # of each unit's side
    names: tuple[str, ...]


class _Now(NamedTuple):
    """A battle at a time: the moment before it, the share of a step since, and where everybody is."""

    moment: int
    age: float
    places: Float[np.ndarray, "units 2"]  # in pixels
    looks: tuple[UnitLook, ...]


def gather_army(spec: Spec, scene: Scene) -> Army:
    """Join a scene's agents with its objects, which are the enemies."""
    sides = [
        (np.asarray(places, float), units)
        for places, units in ((scene.agents, scene.agent_units), (scene.objects, scene.object_units))
        if units is not None
    ]
    first_look = np.cumsum([0, *(len(units.looks) for _, units in sides)])
    join = lambda pick: np.concatenate([np.asarray(pick(units)) for _, units in sides], axis=1)
    enemies = scene.objects.shape[1] if scene.object_units is not None else 0
    looks = [np.asarray(units.look) + first for (_, units), first in zip(sides, first_look, strict=False)]
    return Army(
        place=np.concatenate([places for places, _ in sides], axis=1),
        look=np.concatenate(looks, axis=1),
        health=join(lambda units: units.health),
        shield=join(lambda units: units.shield),
        target=join(lambda units: units.target),
        looks=sum((units.looks for _, units in sides), ()),
        colours=agent_colours(spec) + (ENEMY,) * enemies,
        names=spec.names + tuple(f"enemy_{i}" for i in range(enemies)),
    )


def frame_battle(army: Army, least: float) -> View:
    """Return the square that holds every unit at all moments."""
    low = army.place.min(axis=(0, 1))
    high = army.place.max(axis=(0, 1))
    half = (high - low).max() / 2 + _MARGIN
    return View((low + high) / 2, max(float(half), least, _LEAST_HALF), SIDE)


class Battlefield:
    """Draws a battle's moments, and the times between them."""

    smooth = True  # there is motion between two moments

    def __init__(self, spec: Spec, scene: Scene, followed: int | None = None):
        self.army = gather_army(spec, scene)
        self.followed = followed
        self.view = frame_battle(self.army, scene.extent)
        self.places = self.view.pixels(self.army.place)
        self.alive = self.army.health > 0
        self.fall = np.argmin(self.alive, axis=0)  # the moment at which each died; 0 where it never did
        self.field = draw_ground(self.view, scene.ground)

    def radius(self, look: UnitLook) -> float:
        """Return a silhouette's size in pixels, in half pixels so that sprites are shared."""
        return max(_LEAST_RADIUS, round(2 * _LARGER * look.radius * self.view.scale) / 2)

    def at(self, time: Real) -> _Now:
        """Return the battle at a time, counted in steps."""
        last = len(self.places) - 1
        moment = min(int(time), last)
        age = float(time - moment)
        ahead = self.places[min(moment + 1, last)]
        places = self.places[moment] + age * (ahead - self.places[moment])
        looks = tuple(self.army.looks[k] for k in self.army.look[moment])
        return _Now(moment, age, places, looks)

    def draw(self, picture: Picture, time: Real) -> None:
        """Draw the battle at a time, counted in steps."""
        picture[:] = self.field
        now = self.at(time)
        alive = self.alive[now.moment]
        units = range(len(alive))
        firing = [i for i in units if self.army.target[now.moment, i] >= 0]
        # The nearest last, but medivacs first: they hover over those they heal, and would hide them.
        order = lambda i: (not now.looks[i].heals, now.places[i, 1])
        standing = sorted((i for i in units if alive[i]), key=order)
        for i in units:
            if not alive[i] and self.fall[i] > 0:
                self._draw_fallen(picture, now, i)
        for i in firing:
            self._draw_shot(picture, now, i)
        for i in standing:
            self._draw_unit(picture, now, i)
        for i in standing:
            self._draw_bars(picture, now, i)
        for i in firing:
            self._draw_spark(picture, now, i)
        picture[field_corners()] = PLAIN[theme.PAGE]

    def _draw_unit(self, picture: Picture, now: _Now, i: int) -> None:
        radius = self.radius(now.looks[i])
        stamp(picture, unit_sprite(now.looks[i].shape, radius, self.army.colours[i], ARENA), *now.places[i])
        if i == self.followed:
            stamp(picture, sprites.ring(radius + 6, 3, theme.TEXT, ARENA, 0.7), *now.places[i])

    def _draw_fallen(self, picture: Picture, now: _Now, i: int) -> None:
        """Draw a small cross, at first in the side's full colour."""
        first, last = _CROSS
        share = min(1.0, (now.moment + now.age - float(self.fall[i])) / _FALL_STEPS)
        size = max(5.0, round(self.radius(now.looks[i])) / 2)
        strength = _in_steps(first + (last - first) * share)
        brush(picture, sprites.cross(size, 3.0, self.army.colours[i], ARENA, strength), *now.places[i])

    def _draw_shot(self, picture: Picture, now: _Now, i: int) -> None:
        """Draw a line to the target, which fades within the step, or an explosion."""
        look = now.looks[i]
        if look.blast:
            reach = (0.6 + 0.4 * now.age) * (look.blast + look.radius) * self.view.scale
            strength = _in_steps(0.5 * (1 - now.age))
            brush(picture, sprites.disc(round(reach), theme.GOAL, ARENA, strength), *now.places[i])
            return
        colour = _HEAL if look.heals else self.army.colours[i]
        start = now.places[i]
        end = now.places[self.army.target[now.moment, i]]
        right, down = (end - start) / max(float(np.hypot(*(end - start))), 1.0)
        beside = 0.6 * _SHOT_WIDTH * np.array([down, -right])  # two that fire at each other have two lines
        strength = _in_steps(1 - 0.75 * now.age)
        draw_stroke(picture, start + beside, end + beside, _SHOT_WIDTH, colour, ARENA, strength)

    def _draw_spark(self, picture: Picture, now: _Now, i: int) -> None:
        """Draw a spark where the target is hit: on its rim, towards the one that fired."""
        if now.looks[i].blast or now.looks[i].heals:
            return
        target = self.army.target[now.moment, i]
        way = now.places[i] - now.places[target]
        rim = now.places[target] + self.radius(now.looks[target]) * way / max(float(np.hypot(*way)), 1.0)
        stamp(picture, sprites.spark(round(_SPARK * (1 - 0.6 * now.age)), theme.TEXT, ARENA), *rim)

    def _draw_bars(self, picture: Picture, now: _Now, i: int) -> None:
        """Draw the health above a unit and, where it has one, the shield above that."""
        look = now.looks[i]
        place = now.places[i]
        width = 2 * round(self.radius(look))
        left = round(place[0]) - width // 2
        top = round(place[1] - _ABOVE * self.radius(look)) - _BAR - _GAP
        health = float(self.army.health[now.moment, i]) / look.health
        colour = next((colour for share, colour in _HURT if health > share), ENEMY)
        bars = [(health, colour)]
        if look.shield:
            bars.append((float(self.army.shield[now.moment, i]) / look.shield, _SHIELD))
        if len(now.looks) > _MANY and min(bars)[0] >= 1:
            return
        for share, colour in bars:
            _fill(picture, left - 1, top - 1, width + 2, _BAR + 2, PLAIN[CLIFF])
            _fill(picture, left, top, round(width * min(share, 1.0)), _BAR, int(RAMPS[colour, ARENA][-1]))
            top -= _BAR + _GAP


def _in_steps(strength: float) -> float:
    """Round to the palette's steps, so that sprites are shared."""
    return round(RAMP_STEPS * strength) / RAMP_STEPS


def _fill(picture: Picture, left: int, top: int, width: int, height: int, ink: int) -> None:
    """Fill a box; what lies outside the picture is cut."""
    picture[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)] = ink
