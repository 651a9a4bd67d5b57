"""A world's own pictures in a film: their colours, their place, and which episodes have them."""

from types import SimpleNamespace

import numpy as np

from covey.show.film.arena import SIDE
from covey.show.film.frames import FrameField, film_palette
from covey.show.film.theme import FREE, PALETTE
from covey.show.playback import Camera, Episode, small_frame

RED = (200, 30, 40)
BLUE = (10, 60, 220)


def frames(moments):
    """A picture of two halves; the left one turns from red to blue."""
    film = np.zeros((moments, 30, 60, 3), np.uint8)
    film[:, :, 30:] = BLUE
    film[:, :, :30] = RED
    film[-1, :, :30] = BLUE
    return film


def test_a_picture_keeps_its_colours_and_shape():
    # Breaks where a film's palette lacks a picture's colours, or takes those of the panel beside it.
    film = frames(3)
    palette = film_palette([film])
    kept = np.setdiff1d(np.arange(256), FREE)
    np.testing.assert_array_equal(palette[kept], PALETTE[kept])
    page = np.zeros((SIDE, SIDE), np.uint8)
    field = FrameField(film, palette)
    field.draw(page, 0)
    middle = palette[page[SIDE // 2]].astype(int)
    assert abs(middle[SIDE // 4] - RED).max() <= 4
    assert abs(middle[3 * SIDE // 4] - BLUE).max() <= 4
    assert page[SIDE // 8, SIDE // 2] not in FREE  # above a wide picture is the arena's ground
    field.draw(page, 2)
    assert abs(palette[page[SIDE // 2, SIDE // 4]].astype(int) - BLUE).max() <= 4
    np.testing.assert_array_equal(film_palette([]), PALETTE)


def test_an_episode_has_pictures_if_every_moment_has_one():
    # Breaks where one picture is taken for another moment's, or a world without pictures cannot be filmed.
    film = frames(3)
    drawn = iter(film)
    one = SimpleNamespace(render=lambda: next(drawn))
    camera = Camera(3)
    for _ in range(3):
        camera.look([one, SimpleNamespace(), SimpleNamespace(render=lambda: "text")])
    steps = np.zeros((2, 1))
    episode = Episode(None, np.zeros((2, 1), int), steps, steps, np.ones((3, 1), bool), {}, {})
    np.testing.assert_array_equal(camera.filmed(0, episode).frames, film)
    assert camera.filmed(1, episode).frames is None
    assert camera.filmed(2, episode).frames is None


def test_a_large_picture_is_made_as_small_as_a_film_shows_it():
    # Breaks where an hour of pictures fills the memory.
    large = SimpleNamespace(render=lambda: np.zeros((900, 1200, 3), np.uint8))
    assert small_frame(large).shape == (360, 480, 3)
