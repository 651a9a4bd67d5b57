"""The plane on which an episode takes place."""

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from ...core import Spec
from ...core.scene import ObjectKind, Scene
from . import marks, theme
from .marks import brush, stamp
from .theme import ARENA, GRID, MUTED, PLACES, TEXT, Number, Picture

SIDE = 960  # pixels
CORNER = 20
WIDEST = 2.2  # to each side of the origin; who goes further is pointed at
TRAIL, DOTS = 6, 8  # a trail's steps, and dots a step
REACH = 30  # of a flash
FADE, SPREAD = 2.0, (2.2, 4.5)  # a capture's light: the steps it lasts; its first and last size, in radii
PAST = 0.42  # how bright they are drawn who take no more part, and things that are gone
SPEECH = 46.0  # a bubble's side


def labels(spec: Spec) -> tuple[str, ...]:
    """A sign for each agent, its own within a team: the number in its name, its initial, or a count."""
    signs = list(spec.names)
    for team in spec.teams:
        members = spec.members(team)
        names = [spec.names[i] for i in members]
        digits = [name[len(name.rstrip("0123456789")) :] for name in names]
        initials, counts = [name[:1].upper() for name in names], [str(i) for i in range(len(names))]
        unlike = lambda found: all(found) and len(set(found)) == len(found)
        for i, sign in zip(members, next(filter(unlike, (digits, initials, counts))), strict=True):
            signs[i] = sign
    return tuple(signs)


def colours(spec: Spec) -> tuple[str, ...]:
    """Each agent's, by team."""
    team = {i: theme.team_colour(t) for t, name in enumerate(spec.teams) for i in spec.members(name)}
    return tuple(team[i] for i in range(spec.agents))


def camera(scene: Scene) -> float:
    """How far to see to each side: the world's view, or to who goes furthest, at most `WIDEST`."""
    everything = ((scene.agents, scene.agent_radii), (scene.objects, scene.object_radii))
    reach = [np.abs(np.asarray(x)).max(axis=(0, 2)) + np.array(sizes) for x, sizes in everything]
    most = 1.03 * np.concatenate(reach).max(initial=0.0)
    return float(np.clip(most, scene.extent, max(WIDEST, scene.extent)))


def ground(half: float) -> Picture:
    """An empty field with a line every half unit."""
    field = np.full((SIDE, SIDE), PLACES[ARENA], np.uint8)
    lines = np.arange(-np.floor(2 * half), np.floor(2 * half) + 1) / 2
    for at in np.rint(SIDE / 2 * (1 + lines / half)).astype(int):
        for place in (field[:, max(at - 1, 0) : at + 1], field[max(at - 1, 0) : at + 1]):
            place[:] = PLACES[GRID]
    return field


@cache
def outside() -> Bool[np.ndarray, "side side"]:
    """What a field's rounded corners leave free."""
    return marks.rounded_alpha(SIDE - 2, SIDE - 2, CORNER) < 0.5


class Thing(NamedTuple):
    """One of what stands about, as it looks at a moment."""

    kind: ObjectKind
    radius: float
    paint: str
    place: Float[np.ndarray, "2"]
    lit: bool | np.bool_
    gone: bool | np.bool_


class Arena:
    """Draws an episode's moments, and what lies between them."""

    smooth = True  # whether there is anything to see between two moments

    def __init__(
        self,
        spec: Spec,
        scene: Scene,
        alive: Bool[np.ndarray, "moments agents"],
        followed: int | None = None,
    ):
        self.scene, self.alive, self.half, self.followed = scene, alive, camera(scene), followed
        self.colours, self.labels = colours(spec), labels(spec)
        self.scale = SIDE / 2 / self.half
        places = (scene.agents, scene.objects, scene.links)
        self.agents, self.things, self.links = (self.pixels(np.asarray(x, float)) for x in places)
        self.touching, self.caught = np.asarray(scene.touching, float), np.asarray(scene.caught)
        speed = np.hypot(*np.moveaxis(np.diff(self.agents, axis=0), -1, 0))
        self.speed = speed / max(speed.max(initial=0.0), 1e-9)
        self.field = ground(self.half)

    def pixels(self, x: Float[np.ndarray, "moments *b 2"]) -> Float[np.ndarray, "moments *b 2"]:
        """Upwards is upwards."""
        return SIDE / 2 * (1 + x / self.half * np.array([1, -1]))

    def radius(self, size: Number) -> float:
        return max(5.0, round(2 * size * self.scale) / 2)

    def at(self, x: Float[np.ndarray, "moments *b"], time: Number) -> Float[np.ndarray, "*b"]:
        """Between two moments; the last one lasts."""
        last = len(x) - 1
        now = min(int(time), last)
        return x[now] + (time - now) * (x[min(now + 1, last)] - x[now])

    def draw(self, picture: Picture, time: Number) -> None:
        picture[:] = self.field
        moment, agents = min(int(time), len(self.agents) - 1), self.at(self.agents, time)
        things = self.things_at(time, moment)
        self.draw_things(picture, things)
        for i, alive in enumerate(self.alive[moment]):
            if alive:
                self.draw_trail(picture, i, time)
        for start, end in self.at(self.links, time):
            dotted(picture, start, end)
        for i, place in enumerate(agents):
            self.draw_capture(picture, i, place, time, moment)
            self.draw_flash(picture, i, place, time, moment)
            if i == self.followed:
                stamp(
                    picture,
                    marks.ring(self.radius(self.scene.agent_radii[i]) + 9, 4, TEXT, ARENA, 0.7),
                    *place,
                )
        for i, place in enumerate(agents):
            self.draw_agent(picture, i, place, bool(self.alive[moment, i]))
        self.draw_frames(picture, things)
        for i, said in enumerate(map(int, self.scene.words[moment])):
            if said >= 0:
                bubble(picture, agents[i], self.radius(self.scene.agent_radii[i]), said)
        picture[outside()] = PLACES[theme.PAGE]

    def draw_things(self, picture: Picture, things: list[Thing]) -> None:
        for thing in things:
            if thing.gone:
                stamp(picture, marks.frame(1.25 * thing.radius, 4, thing.paint, ARENA, PAST), *thing.place)
            elif thing.kind == "obstacle":
                stamp(picture, marks.boulder(thing.radius, thing.paint, ARENA), *thing.place)
            else:
                stamp(picture, marks.diamond(1.25 * thing.radius, thing.paint, ARENA), *thing.place)
        for thing in things:
            if thing.lit:
                stamp(picture, marks.ring(1.25 * thing.radius + 14, 5, theme.GOAL, ARENA), *thing.place)

    def draw_frames(self, picture: Picture, things: list[Thing]) -> None:
        """So that a target is seen through whoever stands on it."""
        for thing in things:
            if thing.kind == "target" and not thing.gone:
                brush(picture, marks.frame(1.25 * thing.radius, 4, thing.paint, ARENA), *thing.place)

    def things_at(self, time: Number, moment: int) -> list[Thing]:
        scene = self.scene
        radii, paints = map(self.radius, scene.object_radii), (theme.THINGS[c] for c in scene.object_colours)
        marked = scene.highlighted[moment], scene.removed[moment]
        return list(map(Thing, scene.object_kinds, radii, paints, self.at(self.things, time), *marked))

    def draw_trail(self, picture: Picture, i: int, time: Number) -> None:
        """Thin and dark where it is old, bright where the agent was fast."""
        radius = self.radius(self.scene.agent_radii[i])
        for age in range(int(DOTS * min(TRAIL, time)), 0, -1):
            then = time - age / DOTS
            left = 1 - age / (TRAIL * DOTS + 1)
            quick = 0.55 + 0.45 * self.speed[min(int(then), len(self.speed) - 1), i]
            size = max(2.0, round(2 * min(radius, 40) * (0.1 + 0.4 * left)) / 2)
            strength = max(1, round(theme.TOP * 0.9 * left * quick)) / theme.TOP
            brush(picture, marks.disc(size, self.colours[i], ARENA, strength), *self.at(self.agents, then)[i])

    def draw_flash(
        self, picture: Picture, i: int, place: Float[np.ndarray, "2"], time: Number, moment: int
    ) -> None:
        """Full while two touch, and gone within a step after."""
        touches = float(self.touching[moment, i] * self.at(self.touching, time)[i])
        strength = round(6 * touches) / 6
        if strength and self.inside(place):
            radius = self.radius(self.scene.agent_radii[i])
            brush(picture, marks.flash(radius, REACH, strength, TEXT, ARENA), *place)

    def draw_capture(
        self, picture: Picture, i: int, place: Float[np.ndarray, "2"], time: Number, moment: int
    ) -> None:
        """A disc that lights up when it is caught, grows and fades."""
        ages = time - np.flatnonzero(self.caught[: moment + 1, i])
        age = ages.min(initial=FADE) / FADE
        if age < 1 and self.inside(place):
            size = round(self.radius(self.scene.agent_radii[i]) * (SPREAD[0] + (SPREAD[1] - SPREAD[0]) * age))
            brush(picture, marks.disc(size, theme.GOAL, ARENA, round(6 * (1 - age)) / 6), *place)

    def inside(self, place: Float[np.ndarray, "2"]) -> bool:
        return bool((np.abs(place - SIDE / 2) < SIDE / 2).all())

    def draw_agent(self, picture: Picture, i: int, place: Float[np.ndarray, "2"], alive: bool) -> None:
        radius, colour = self.radius(self.scene.agent_radii[i]), self.colours[i]
        if not self.inside(place):
            edge = np.clip(place, 26, SIDE - 26)
            right, down = place - edge
            angle = round(float(np.arctan2(-down, right)), 1)
            stamp(picture, marks.arrow(22.0, angle, colour, ARENA), *edge)
        elif alive:
            stamp(picture, marks.badge(radius, self.labels[i], colour, ARENA), *place)
        else:
            stamp(picture, marks.ring(radius - 2, 4, colour, ARENA, PAST), *place)


def dotted(picture: Picture, start: Float[np.ndarray, "2"], end: Float[np.ndarray, "2"]) -> None:
    length = float(np.hypot(*(end - start)))
    for share in np.arange(8, length, 16) / max(length, 1):
        brush(picture, marks.disc(2.5, MUTED, ARENA, 0.75), *(start + share * (end - start)))


def bubble(picture: Picture, place: Float[np.ndarray, "2"], radius: Number, said: int) -> None:
    """Up and to the right of an agent, or wherever there is room."""
    far = place + (radius + 10 + SPEECH) * np.array([1, -1])
    side = np.array([-1 if far[0] > SIDE else 1, 1 if far[1] < 0 else -1])
    rim = place + (0.71 * radius + 5) * side
    stamp(picture, marks.disc(5.0, TEXT, ARENA), *rim)
    letter = chr(ord("A") + said) if said < 26 else str(said)
    stamp(
        picture, marks.plate(SPEECH, SPEECH, 14.0, letter, 30, TEXT, ARENA), *(rim + (4 + SPEECH / 2) * side)
    )
