"""Smaller, grey and stacked pictures, for worlds whose agents see pictures."""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ...core import AbstractHostEnvironment, HostObservation, HostStep
from ...errors import SettingError
from ...ranges import Size


class PictureEnvironment(AbstractHostEnvironment):
    """A world whose pictures are shrunk, made grey, and stacked, in this order.

    `shrink` takes the mean of squares of so many pixels; what is left at the edges is cut off. `grey` takes
    the mean of the channels. `stack` puts so many last pictures into the channels, the newest last; an
    episode begins with copies of its first.
    """

    def __init__(self, world: AbstractHostEnvironment, shrink: int, grey: bool, stack: int):
        spec = world.spec
        if not spec.shape:
            problem = f"is for pictures, but agents of {world} see none"
            raise SettingError("shrink" if shrink > 1 else "grey" if grey else "stack", problem, "drop it")
        self.world = world
        self.counts = world.counts
        self.shrink = shrink
        self.grey = grey
        self.stack = stack
        self.own_shape = spec.shape
        rows, columns, channels = spec.shape
        if shrink > min(rows, columns):
            raise SettingError(
                "shrink", f"is more than a picture's side, {min(rows, columns)}", "shrink less"
            )
        shape = (rows // shrink, columns // shrink, (1 if grey else channels) * stack)
        self.spec = replace(spec, shape=shape, features=int(np.prod(shape)))

    def __str__(self) -> str:
        return str(self.world)

    def reset(self, seed: int) -> HostObservation:
        obs = self.world.reset(seed)
        seen = self._smaller(obs.agents)
        self.last = [seen] * self.stack
        return self._stacked(obs)

    def step(self, action: Shaped[np.ndarray, "agents ..."]) -> HostStep:
        outcome = self.world.step(action)
        self.last = [*self.last[1:], self._smaller(outcome.obs.agents)]
        return outcome._replace(obs=self._stacked(outcome.obs))

    def _smaller(self, flat: Shaped[np.ndarray, "agents features"]) -> Shaped[np.ndarray, "agents h w c"]:
        x = flat.reshape(len(flat), *self.own_shape)
        k = self.shrink
        if k > 1:
            rows = x.shape[1] // k
            columns = x.shape[2] // k
            x = x[:, : rows * k, : columns * k].reshape(len(x), rows, k, columns, k, -1)
            x = x.mean(axis=(2, 4), dtype=np.float32)
        if self.grey:
            x = x.mean(axis=-1, keepdims=True, dtype=np.float32)
        return x.astype(flat.dtype)

    def _stacked(self, obs: HostObservation) -> HostObservation:
        """Return the observations with the last pictures; the dead, who see nothing, have none."""
        whole = np.concatenate(self.last, axis=-1)
        whole = np.where(obs.alive[:, None, None, None], whole, np.zeros_like(whole))
        return obs._replace(agents=whole.reshape(len(whole), -1))


def with_pictures(world: Any, shrink: Size = 1, grey: bool = False, stack: Size = 1) -> Any:
    """Return the world with its pictures changed; as it is, if nothing is asked for."""
    if shrink == 1 and not grey and stack == 1:
        return world
    if not isinstance(world, AbstractHostEnvironment):
        raise SettingError("shrink, grey and stack", "are for worlds in plain Python", "drop them")
    return PictureEnvironment(world, shrink, grey, stack)
