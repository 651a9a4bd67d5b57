"""Battles in films: who is who, what is left of whom, who fired at whom, and the ground."""

import json
import re
from dataclasses import replace
from itertools import combinations
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from covey.core import Scene, SceneGround, SceneUnits, Shape, Spec, UnitLook
from covey.show.film import battlefield, reel, sprites, theme, writers
from covey.show.film.arena import SIDE, Arena
from covey.show.film.forces import StandingForces
from covey.show.film.hover import battle_numbers
from covey.show.film.silhouettes import unit_sprite
from covey.show.film.theme import ARENA, CLIFF, PLAIN, RAMPS
from covey.show.playback import Episode, Playback

MARINE = UnitLook("marine", "marine", 0.375, range=5.0, health=45.0)
STALKER = UnitLook("stalker", "stalker", 0.625, range=6.0, health=80.0, shield=80.0)
MEDIVAC = UnitLook("medivac", "medivac", 0.75, range=4.0, health=150.0, heals=True)
BANELING = UnitLook("a</script><b>", "baneling", 0.375, range=0.25, health=30.0, blast=2.2)
ALLIES = (MARINE, STALKER, MEDIVAC)
ENEMIES = (MARINE, BANELING)
SPEC = Spec(("<i>", "agent_1", "agent_2"), features=1, actions=9, horizon=3)
BLUE = theme.TEAM_COLOURS[0]
RED, GREEN, SHIELD = (theme.OBJECT_COLOURS[name] for name in ("red", "green", "blue"))
PLACES = np.array([[10.0, 16.0], [10.0, 12.0], [8.0, 20.0]])
FOES = np.array([[15.0, 16.0], [18.0, 12.0]])


def full(colour: str) -> int:
    return int(RAMPS[colour, ARENA][-1])


def moment(
    health=(45.0, 80.0, 150.0),
    shield=(0.0, 80.0, 0.0),
    target=(-1, -1, -1),
    enemies=(45.0, 30.0),
    back=(-1, -1),
) -> Scene:
    """A marine, a stalker and a medivac against a marine and a baneling."""
    column = lambda x, kind: jnp.asarray(x, kind)[:, None]
    units = lambda looks, health, shield, target: SceneUnits(
        column(range(len(looks)), int),
        column(health, jnp.float32),
        column(shield, jnp.float32),
        column(target, int),
        looks,
    )
    return Scene(
        jnp.asarray(PLACES, jnp.float32)[..., None],
        jnp.asarray(FOES, jnp.float32)[..., None],
        agent_units=units(ALLIES, health, shield, target),
        object_units=units(ENEMIES, enemies, (0.0, 0.0), back),
    )


def recorded(*moments: Scene, ground: SceneGround | None = None) -> Scene:
    """Join moments as a playback holds them: the first axis is time, and no copies are left."""
    scene = jax.tree.map(lambda *x: np.stack(x)[..., 0], *moments)
    object.__setattr__(scene, "ground", ground)
    return scene


def episode(*moments: Scene) -> Episode:
    reward = np.ones((len(moments) - 1, 3), np.float32)
    alive = np.ones((len(moments), 3), bool)
    return Episode(recorded(*moments), reward.astype(int), reward, reward[:, :1], alive, {}, {})


def field(*moments: Scene, ground: SceneGround | None = None) -> battlefield.Battlefield:
    return battlefield.Battlefield(SPEC, recorded(*moments, ground=ground))


def draw(field: battlefield.Battlefield, time: float = 0.0) -> theme.Picture:
    picture = np.zeros((SIDE, SIDE), np.uint8)
    field.draw(picture, time)
    return picture


def around(field, picture: theme.Picture, place, reach: float = 1.0) -> theme.Picture:
    """The pixels at most `reach` away from a place of the world, along both axes."""
    (left, top), (right, bottom) = (
        np.rint(field.view.pixels(np.asarray(place) + reach * np.array(corner))).astype(int)
        for corner in ((-1, 1), (1, -1))
    )
    return picture[max(0, top) : bottom, max(0, left) : right]


def test_silhouettes_differ_at_the_size_of_a_crowd():
    # Would break: a type without parts, two types that look alike, a silhouette cut off or in no colour.
    sprites = {shape: unit_sprite(shape, 12.0, BLUE, ARENA) for shape in get_args(Shape)}
    for sprite in sprites.values():
        assert (sprite.ink == full(BLUE)).sum() > 20
        assert not sprite.shown[[0, -1]].any() and not sprite.shown[:, [0, -1]].any()
    for one, other in combinations(sprites.values(), 2):
        assert (one.ink != other.ink).sum() > 60


def test_each_side_stands_where_it_is_in_its_colour():
    # Would break: enemies in the team's colour, a unit drawn elsewhere, upside down, or cut off.
    made = field(moment())
    picture = draw(made)
    for place in PLACES:
        inks = around(made, picture, place, 0.5)
        assert (inks == full(BLUE)).sum() > 50 and not (inks == full(RED)).any()
    for place in FOES:
        inks = around(made, picture, place, 0.3)
        assert (inks == full(RED)).sum() > 50 and not (inks == full(BLUE)).any()


def test_a_medivac_does_not_hide_those_under_it():
    # Would break: an order of drawing by place alone; the medivac stands a little nearer than the marine.
    places = np.array([PLACES[0], PLACES[1], PLACES[0] - [0, 0.3]])
    made = field(replace(moment(), agents=jnp.asarray(places, jnp.float32)[..., None]))
    marine = np.zeros((SIDE, SIDE), np.uint8)
    sprites.stamp(marine, unit_sprite("marine", made.radius(MARINE), BLUE, ARENA), *made.places[0, 0])
    seen = marine == full(BLUE)
    assert seen.sum() > 100
    assert (draw(made)[seen] == full(BLUE)).all()


def test_bars_are_as_long_as_what_is_left():
    # Would break: a share of another unit's health, a shield where there is none, one bar for the other.
    made = field(moment(health=(22.5, 80.0, 150.0), shield=(0.0, 20.0, 0.0), enemies=(9.0, 30.0)))
    picture = draw(made)
    above = lambda place: around(made, picture, np.add(place, (0, 0.9)), 0.8)
    longest = lambda inks, colour: int((inks == full(colour)).sum(axis=1).max())
    width = lambda look: 2 * round(made.radius(look))
    assert longest(above(PLACES[0]), theme.GOAL) == round(width(MARINE) * 0.5)  # yellow: below two thirds
    assert longest(above(PLACES[0]), SHIELD) == 0
    assert longest(above(PLACES[1]), SHIELD) == round(width(STALKER) * 0.25)
    assert longest(above(PLACES[1]), GREEN) == width(STALKER)
    assert not (above(FOES[0]) == full(GREEN)).any()  # red: below a third
    assert longest(above(FOES[1]), GREEN) == width(BANELING)


def test_in_a_crowd_only_the_hurt_have_bars(monkeypatch):
    # Would break: sixty full bars that hide who is below them, or a hurt unit without its bar.
    monkeypatch.setattr(battlefield, "_MANY", 4)
    whole, hurt = draw(field(moment())), draw(field(moment(enemies=(40.0, 30.0))))
    bars = lambda picture: (picture == full(GREEN)).sum()
    assert bars(whole) == 0 and bars(hurt) > 20


def test_a_dead_unit_is_a_cross_that_fades():
    # Would break: a corpse that still stands or has bars, a cross before the death, one as bright for ever.
    dead = moment(enemies=(0.0, 30.0))
    made = field(moment(), dead, dead, dead)
    at = lambda time: around(made, draw(made, time), np.add(FOES[0], (0, 0.3)), 1.0)
    red = RAMPS[RED, ARENA]
    strength = lambda inks: max(np.flatnonzero(np.isin(red, inks)))
    assert (at(0.9) == full(RED)).sum() > 100 and (at(0.9) == full(GREEN)).any()
    assert not np.isin(at(1), [full(RED), full(GREEN)]).any()
    assert 20 < np.isin(at(1), red[1:]).sum() < np.isin(at(0), red[1:]).sum() / 2
    assert strength(at(1)) > strength(at(2)) > strength(at(3)) > 2


def test_a_shot_is_a_line_from_shooter_to_target_that_fades_within_the_step():
    # Would break: a line to another unit, in the other side's colour, one that stays or comes a step late.
    made = field(moment(), moment(target=(3, -1, -1), back=(-1, 1)), moment())
    shot = lambda time, place: around(made, draw(made, time), place, 0.2)
    half = (PLACES[0] + FOES[0]) / 2
    assert (shot(1, half) == full(BLUE)).any() and not (shot(1, half) == full(RED)).any()
    assert not np.isin(shot(0.9, half), RAMPS[BLUE, ARENA][1:]).any()
    assert (
        not (shot(1.5, half) == full(BLUE)).any() and np.isin(shot(1.5, half), RAMPS[BLUE, ARENA][1:]).any()
    )
    assert not np.isin(shot(2, half), RAMPS[BLUE, ARENA][1:]).any()


def test_two_that_fire_at_each_other_have_two_lines():
    # Would break: the line of one that hides the other's.
    made = field(moment(target=(3, -1, -1), back=(0, -1)))
    between = around(made, draw(made), (PLACES[0] + FOES[0]) / 2, 0.2)
    assert (between == full(BLUE)).any() and (between == full(RED)).any()


def test_healing_is_green_and_an_explosion_is_a_disc():
    # Would break: a medivac that seems to shoot its own, a baneling that seems to have a gun.
    made = field(moment(target=(-1, -1, 0), back=(-1, 1)))
    picture = draw(made)
    assert (around(made, picture, (PLACES[2] + PLACES[0]) / 2, 0.2) == full(GREEN)).any()
    gold = RAMPS[theme.GOAL, ARENA][1:]
    assert np.isin(around(made, picture, np.add(FOES[1], (0.9, 0)), 0.1), gold).all()
    assert not np.isin(around(made, picture, np.add(FOES[1], (2.8, 0)), 0.1), gold).any()
    assert not (around(made, picture, (PLACES[1] + FOES[1]) / 2, 0.2) == full(RED)).any()


def test_cliffs_stand_where_the_map_has_them():
    # Would break: rows from below, x and y exchanged, open ground beyond the map, a corner that is ignored.
    ground = SceneGround(("######", "###..#", "##.###", "#+####"), cell=2.0, corner=(6.0, 10.0))
    made = field(moment(), ground=ground)
    cliffs = [PLAIN[CLIFF], PLAIN[theme.PAGE]]
    ink = lambda x, y: int(made.field[tuple(np.rint(made.view.pixels(np.array([x, y]))).astype(int)[::-1])])
    open_ground = {(13.2, 15.2), (14.8, 14.8), (11.2, 13.2)}
    assert all(ink(*place) == PLAIN[ARENA] for place in open_ground)
    assert ink(9.2, 10.9) == PLAIN[theme.HIGH_GROUND]
    assert all(ink(*place) in cliffs for place in ((9.2, 13.2), (13.2, 13.2), (7.2, 10.9), (18.9, 12.6)))
    assert (made.field == PLAIN[theme.CLIFF_EDGE]).any()
    assert not np.isin(field(moment()).field, cliffs).any()


def test_the_camera_goes_to_the_battle():
    # Would break: a view of the world's origin, somebody beyond the edge, a view that is drawn out of shape.
    made = field(moment())
    assert ((made.places > 0) & (made.places < SIDE)).all()
    np.testing.assert_allclose(made.view.middle, (13, 16))
    across = made.view.pixels(np.array([[0.0, 0.0], [1.0, 1.0]]))
    np.testing.assert_allclose(np.diff(across, axis=0), [[made.view.scale, -made.view.scale]])


def test_the_legend_counts_who_stands():
    # Would break: the dead counted, enemies among the allies, a type that is not there.
    scene = recorded(moment(), moment(health=(0.0, 80.0, 150.0), enemies=(45.0, 0.0)))
    forces = StandingForces(SPEC, battlefield.gather_army(SPEC, scene), 440)
    allies, enemies = forces.sides
    assert (allies.name, enemies.name) == ("allies", "enemies")
    assert [look.name for look in enemies.looks] == ["marine", BANELING.name]
    assert allies.standing.tolist() == [[1, 1, 1], [0, 1, 1]] and enemies.standing[1].tolist() == [1, 0]
    np.testing.assert_allclose(allies.health, [1, 310 / 355])


PLAYBACK = Playback(SPEC, "battle", "qmix", 0, (episode(moment(), moment(enemies=(31.0, 30.0))),))


def test_a_page_tells_numbers_of_the_unit_under_the_pointer():
    # Would break: places of another scale, health of another unit, a range that forgets the unit's radius.
    told = battle_numbers(PLAYBACK, PLAYBACK.episodes[0])
    made = reel.make_field(PLAYBACK, PLAYBACK.episodes[0])
    assert isinstance(made, battlefield.Battlefield) and told is not None
    name, radius, reach, *rest = told["types"][1]
    assert (name, radius, rest) == ("stalker", made.radius(STALKER), [6, 80, 80, False])
    assert reach == pytest.approx(6.625 * made.view.scale, abs=0.1)
    x, y, look, health, shield = told["moments"][1][3]
    assert (told["types"][look][0], health, shield, told["names"][3]) == ("marine", 31, 0, "enemy_0")
    shot = next(iter(reel.shots(PLAYBACK))).picture
    assert (shot[y - 12 : y + 12, x - 12 : x + 12] == full(RED)).sum() > 50


def test_names_on_a_page_are_not_taken_for_html():
    # Would break: an agent's or a type's name that ends the script, or numbers that cannot be read back.
    page = writers.html_page(PLAYBACK).decode()
    assert page.count("</script>") == 1 and "<i>" not in page and "<b>" not in page
    line = re.search(r"^const battles = (.*);$", page, re.MULTILINE)
    assert line is not None
    told = json.loads(line[1])[0]
    assert told["names"][0] == "<i>" and told["types"][4][0] == BANELING.name
    assert not re.search(r"https?:|src=|href=|url\(|import ", page)


def test_a_scene_without_units_is_drawn_as_ever():
    # Would break: any change to the look of the other worlds' films: a colour, a trail, a ring, the grid.
    places = np.linspace([[-0.9, 0.4], [0.2, -0.8]], [[0.3, 0.5], [0.9, 0.1]], 3)
    scenes = [
        Scene(
            jnp.asarray(place)[..., None],
            jnp.asarray([[0.5, 0.6], [-0.5, -0.4]])[..., None],
            agent_radii=(0.02, 0.02),  # too small for a number, which a font would draw
            object_radii=(0.1, 0.05),
            touching=jnp.asarray([[True], [False]]),
            highlighted=jnp.asarray([[False], [True]]),
            object_kinds=("obstacle", "target"),
        )
        for place in places
    ]
    told = replace(PLAYBACK, spec=Spec(("a", "b"), 1, 2, 3, team=("a", "b")))
    field = reel.make_field(
        told, PLAYBACK.episodes[0]._replace(scene=recorded(*scenes), alive=np.ones((3, 2), bool))
    )
    assert (
        isinstance(field, Arena) and battle_numbers(told, PLAYBACK.episodes[0]._replace(scene=None)) is None
    )
    picture = np.zeros((SIDE, SIDE), np.uint8)
    field.draw(picture, 1.5)
    mean = theme.PALETTE[picture].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(mean, [25.4577, 36.4121, 46.2837], atol=2e-3)
