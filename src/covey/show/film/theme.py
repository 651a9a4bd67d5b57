"""Colours, and the one palette that every film shares.

A picture is an array of indices into it. Whatever is drawn is a colour on a ground, and between the
two lies a ramp: so edges are smooth, and nothing is ever quantised.
"""

import numpy as np
from jaxtyping import UInt8

from ...core.scene import Colour

PAGE, ARENA = "#10181f", "#18232d"  # grounds
GRID, TRACK = "#22303c", "#26333f"  # lines in the arena, empty bars on the page
TEXT, MUTED = "#e8eef3", "#8a99a6"
TEAMS = ("#4fa3e3", "#f0815c", "#5fc48a", "#b792de", "#e6c35c", "#e58fb1")  # told apart by colour-blind eyes
THINGS: dict[Colour, str] = {"grey": "#a3b0bb", "red": "#e2605c", "green": "#74c365", "blue": "#5b8def"}
GOAL = TEAMS[4]  # the ring round what is to be reached

TOP = 12  # a ramp's steps: 0 is the ground, TOP the colour
TRANSPARENT = 255

Number = int | float
Ramp = UInt8[np.ndarray, "levels"]
Picture = UInt8[np.ndarray, "height width"]


def rgb(colour: str) -> UInt8[np.ndarray, "3"]:
    return np.frombuffer(bytes.fromhex(colour[1:]), np.uint8)


def laid_out() -> tuple[UInt8[np.ndarray, "256 3"], dict[str, int], dict[tuple[str, str], Ramp]]:
    """The palette's rows, where plain colours stand in it, and where ramps do."""
    plain = (PAGE, ARENA, GRID, TRACK)
    rows = [rgb(colour) for colour in plain]
    places, ramps = {colour: i for i, colour in enumerate(plain)}, {}
    share = np.arange(1, TOP + 1)[:, None] / TOP
    for ground, colours in {
        ARENA: (TEXT, MUTED, *TEAMS, *THINGS.values()),
        PAGE: (TEXT, MUTED, *TEAMS),
    }.items():
        for colour in colours:
            ramps[colour, ground] = np.array([places[ground], *range(len(rows), len(rows) + TOP)], np.uint8)
            rows += list(
                np.rint(rgb(ground) + share * (rgb(colour) - rgb(ground).astype(float))).astype(np.uint8)
            )
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(rows)] = rows
    return palette, places, ramps


PALETTE, PLACES, RAMPS = laid_out()


def team_colour(i: int) -> str:
    return TEAMS[i % len(TEAMS)]
