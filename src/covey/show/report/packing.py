"""Recorded episodes as plain data for a page: arrays in two bytes a number, in base64."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ...core import HasActionNames, Spec
from ...core.scene import Scene
from ..film.arena import camera
from ..film.battlefield import Army, frame_battle, gather_army
from ..film.signs import agent_labels
from ..film.silhouettes import silhouette_parts
from .markup import clean
from .players import RecordedEpisode, RecordedPlayers

_STEPS = 32_000  # of a 16-bit number; -32,768 stands for NaN
_NAN = -32_768
_COARSE_STEPS = 127  # of an 8-bit number; -128 stands for NaN
_COARSE_NAN = -128
_LONG = 100  # steps of an episode whose decisions take one byte a number
_MOST_VALUES = 200_000  # numbers of the decisions of one player; beyond, these are left out
_LEAST_HALF = 4.0


def pack_array(x: Shaped[np.ndarray, "..."], coarse: bool = False) -> dict[str, Any]:
    """Return an array as whole numbers with a scale and an offset. What never changes is kept once.

    `coarse` takes one byte a number in place of two.
    """
    x = np.asarray(x)
    constant = len(x) > 1 and bool(np.array_equal(x[1:], x[:-1], equal_nan=x.dtype.kind == "f"))
    kept = x[:1] if constant else x
    content: dict[str, Any] = {"shape": list(x.shape)} | ({"constant": True} if constant else {})
    if x.dtype.kind == "b":
        return content | {"type": "u1", "data": b64encode(np.packbits(kept).tobytes()).decode()}
    if x.dtype.kind in "iu" and (not kept.size or np.abs(kept.astype(np.int64)).max() <= _STEPS):
        return content | _whole(kept, "i2")
    steps = _COARSE_STEPS if coarse else _STEPS
    nan = _COARSE_NAN if coarse else _NAN
    kept = kept.astype(np.float64)
    is_known = np.isfinite(kept)
    low = float(kept[is_known].min()) if is_known.any() else 0.0
    width = float(kept[is_known].max()) - low if is_known.any() else 0.0
    scale = width / (2 * steps) or 1.0
    middle = low + width / 2
    whole = np.where(is_known, np.rint((np.where(is_known, kept, middle) - middle) / scale), nan)
    return content | {"scale": scale, "middle": middle} | _whole(whole, "i1" if coarse else "i2")


def _whole(x: Shaped[np.ndarray, "..."], kind: str) -> dict[str, Any]:
    return {"type": kind, "data": b64encode(x.astype(f"<{kind}").tobytes()).decode()}


def unpack_array(content: dict[str, Any]) -> Shaped[np.ndarray, "..."]:
    """Return what `pack_array` packed, as the page reads it."""
    shape = tuple(content["shape"])
    stored = (1, *shape[1:]) if content.get("constant") else shape
    raw = np.frombuffer(b64decode(content["data"]), np.uint8)
    x: Any
    if content["type"] == "u1":
        x = np.unpackbits(raw)[: int(np.prod(stored))].astype(bool)
    else:
        x = raw.view(f"<{content['type']}").astype(np.int64)
    if "scale" in content:
        nan = _COARSE_NAN if content["type"] == "i1" else _NAN
        x = np.where(x == nan, np.nan, content["middle"] + content["scale"] * x)
    return np.broadcast_to(x.reshape(stored), shape)


def pack_players(players: RecordedPlayers, label: str, colour: int, world: str) -> dict[str, Any]:
    """Return a group's players as plain data."""
    spec = players.spec
    trained = [one for name, one in zip(players.names, players.episodes, strict=True) if name.step]
    scenes = [one.episode.scene for episodes in trained for one in episodes]
    names = players.env.action_names if isinstance(players.env, HasActionNames) and not spec.bounds else ()
    return {
        "label": label,
        "world": clean(world),
        "colour": colour,
        "agents": [clean(name) for name in spec.names],
        "signs": [clean(sign) for sign in agent_labels(spec)],
        "teams": [clean(team) for team in spec.teams],
        "team": [spec.teams.index(team) for team in (spec.team or spec.teams * spec.agents)],
        "actions": [clean(name) for name in names] if len(names) == spec.actions else [],
        "continuous": spec.bounds is not None,
        "bounds": list(spec.bounds) if spec.bounds else None,
        "titles": list(players.titles),
        "stage": _stage(spec, [scene for scene in scenes if scene is not None]),
        "players": [
            {
                "seed": name.seed,
                "rank": name.rank,
                "stage": name.stage,
                "step": name.step,
                "episodes": [_pack_episode(spec, one) for one in episodes],
            }
            for name, episodes in zip(players.names, players.episodes, strict=True)
        ],
    }


def _stage(spec: Spec, scenes: Sequence[Scene]) -> dict[str, Any] | None:
    """Return what does not move: radii, colours, types of units, terrain, and how much of it to show."""
    if not scenes:
        return None
    first = scenes[0]
    if first.agent_units is not None:
        armies = [gather_army(spec, scene) for scene in scenes]
        return _battle_stage(first, armies)
    half = max(camera(scene) for scene in scenes)
    return {
        "kind": "plane",
        "middle": [0.0, 0.0],
        "half": half,
        "radii": list(map(float, first.agent_radii)),
        "objects": [
            [float(radius), colour, kind]
            for radius, colour, kind in zip(
                first.object_radii, first.object_colours, first.object_kinds, strict=True
            )
        ],
    }


def _battle_stage(first: Scene, armies: list[Army]) -> dict[str, Any]:
    views = [frame_battle(army, first.extent) for army in armies]
    low = np.min([view.middle - view.half for view in views], axis=0)
    high = np.max([view.middle + view.half for view in views], axis=0)
    ground = first.ground
    looks = armies[0].looks
    return {
        "kind": "battle",
        "middle": ((low + high) / 2).tolist(),
        "half": float(max((high - low).max() / 2, _LEAST_HALF)),
        "looks": [look._asdict() for look in looks],
        "shapes": {look.shape: silhouette_parts(look.shape) for look in looks},
        "names": [clean(name) for name in armies[0].names],
        "ground": None
        if ground is None
        else {"rows": ground.rows, "cell": ground.cell, "corner": ground.corner},
    }


def _pack_episode(spec: Spec, one: RecordedEpisode) -> dict[str, Any]:
    """Return an episode's arrays."""
    episode = one.episode
    arrays: dict[str, Any] = {
        "action": episode.action,
        "reward": episode.reward,
        "team_reward": episode.team_reward,
        "alive": episode.alive,
        "legal": one.legal,
    }
    if sum(x.size for x in one.decisions.values()) <= _MOST_VALUES:
        arrays |= one.decisions
    scene = episode.scene
    moving: dict[str, Any] = {}
    if scene is not None and scene.agent_units is not None:
        army = gather_army(spec, scene)
        moving = {"place": army.place, "look": army.look, "health": army.health, "shield": army.shield}
        moving["target"] = army.target
    elif scene is not None:
        moving = {
            "place": scene.agents,
            "object": scene.objects,
            "touching": scene.touching,
            "caught": scene.caught,
            "marked": scene.highlighted,
            "removed": scene.removed,
            "words": scene.words,
            "links": scene.links,
        }
    return {
        "length": episode.length,
        "returns": [round(float(x), 6) for x in episode.returns],
        "arrays": {
            name: pack_array(x, coarse=episode.length > _LONG and name in one.decisions)
            for name, x in arrays.items()
        },
        "scene": {name: pack_array(np.asarray(x)) for name, x in moving.items() if np.asarray(x).size},
        "gauges": {clean(name): pack_array(x) for name, x in episode.gauges.items()},
        "counts": {clean(name): pack_array(x) for name, x in episode.counts.items()},
    }
