"""Colours, and the one palette that every film shares.

A picture is an array of indices into the palette. Everything drawn is a colour on a ground, and the palette
holds a ramp between the two: edges are smooth, and no colour is ever quantised.
"""

import numpy as np
from jaxtyping import UInt8

from ...core.scene import Colour

# grounds
PAGE = "#10181f"
ARENA = "#18232d"
# lines in the arena, and empty bars on the page
GRID = "#22303c"
TRACK = "#26333f"
# terrain of a battle, and what lies behind a unit's bars
CLIFF = "#0b1117"
CLIFF_EDGE = "#41525f"
HIGH_GROUND = "#202e3a"
TEXT = "#e8eef3"
MUTED = "#8a99a6"
# colour-blind eyes can tell these apart
TEAM_COLOURS = ("#4fa3e3", "#f0815c", "#5fc48a", "#b792de", "#e6c35c", "#e58fb1")
OBJECT_COLOURS: dict[Colour, str] = {
    "grey": "#a3b0bb",
    "red": "#e2605c",
    "green": "#74c365",
    "blue": "#5b8def",
}
GOAL = TEAM_COLOURS[4]  # the ring round a goal, and the light of a capture

RAMP_STEPS = 12  # step 0 of a ramp is the ground, the last step the colour
TRANSPARENT = 255

Real = int | float
Ramp = UInt8[np.ndarray, "levels"]
Picture = UInt8[np.ndarray, "height width"]


def _rgb(colour: str) -> UInt8[np.ndarray, "3"]:
    return np.frombuffer(bytes.fromhex(colour[1:]), np.uint8)


def _build_palette() -> tuple[UInt8[np.ndarray, "256 3"], dict[str, int], dict[tuple[str, str], Ramp]]:
    """Return the palette's rows, the indices of plain colours, and the indices of each ramp."""
    plain = (PAGE, ARENA, GRID, TRACK, CLIFF, HIGH_GROUND, CLIFF_EDGE)
    rows = [_rgb(colour) for colour in plain]
    indices = {colour: i for i, colour in enumerate(plain)}
    ramps = {}
    share = np.arange(1, RAMP_STEPS + 1)[:, None] / RAMP_STEPS
    colours_on = {
        ARENA: (TEXT, MUTED, *TEAM_COLOURS, *OBJECT_COLOURS.values()),
        PAGE: (TEXT, MUTED, *TEAM_COLOURS),
    }
    for ground, colours in colours_on.items():
        for colour in colours:
            new = range(len(rows), len(rows) + RAMP_STEPS)
            ramps[colour, ground] = np.array([indices[ground], *new], np.uint8)
            steps = _rgb(ground) + share * (_rgb(colour) - _rgb(ground).astype(float))
            rows += list(np.rint(steps).astype(np.uint8))
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(rows)] = rows
    return palette, indices, ramps


PALETTE, PLAIN, RAMPS = _build_palette()
# The places in the palette that a world's own pictures may take: those of what is drawn in an arena.
FREE = sorted({int(i) for (_, ground), ramp in RAMPS.items() if ground == ARENA for i in ramp[1:]})


def team_colour(i: int) -> str:
    """Return the colour of the i-th team."""
    return TEAM_COLOURS[i % len(TEAM_COLOURS)]
