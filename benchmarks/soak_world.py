"""A small world in plain Python for `benchmarks.soak`: two agents walk to the same end of a line."""

import numpy as np

from covey.core import AbstractHostEnvironment, HostObservation, HostStep, Spec

LENGTH = 7


class Line(AbstractHostEnvironment):
    """Each step costs; an episode ends when both agents stand at the right end."""

    counts = ("arrived",)

    def __init__(self) -> None:
        self.spec = Spec(("left", "right"), features=2, actions=3, horizon=20)

    def observe(self) -> HostObservation:
        places = np.stack([self.places, self.places[::-1]], axis=1) / LENGTH
        alive = np.ones(2, bool)
        return HostObservation(
            places.astype(np.float32), np.zeros(0, np.float32), np.ones((2, 3), bool), alive
        )

    def reset(self, seed: int) -> HostObservation:
        self.places = np.random.default_rng(seed).integers(0, LENGTH, 2)
        return self.observe()

    def step(self, action: np.ndarray) -> HostStep:
        self.places = np.clip(self.places + np.asarray(action, int) - 1, 0, LENGTH)
        arrived = bool((self.places == LENGTH).all())
        reward = np.full(2, float(arrived) - 0.05, np.float32)
        return HostStep(self.observe(), reward, arrived, False, counts={"arrived": float(arrived)})
