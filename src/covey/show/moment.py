"""One moment of a world that is played by hand, as a film would show it."""

import jax
import numpy as np

from ..errors import UserError
from ..runs.world import Frame, World
from .film.arena import SIDE, Arena
from .film.battlefield import Battlefield
from .film.theme import PALETTE
from .playback import small_frame


def draw_moment(world: World) -> Frame:
    """Draw where agents are: the world's scene, or its own picture."""
    scene = world.scene()
    if scene is None:
        frame = small_frame(world.env)
        if frame is None:
            raise UserError("this world cannot be drawn: it has no scene, or no episode is under way")
        return frame
    assert world.observation is not None
    moments = jax.tree.map(lambda x: np.asarray(x)[None, ..., 0], scene)
    alive = np.asarray(world.observation.alive)[None]
    units = scene.agent_units is not None
    field = Battlefield(world.spec, moments) if units else Arena(world.spec, moments, alive)
    picture = np.zeros((SIDE, SIDE), np.uint8)
    field.draw(picture, 0)
    return PALETTE[picture]
