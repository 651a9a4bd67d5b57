"""The measurement of non-stationarity between the reports of a run: `--measure stationarity`."""

import time
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from ..errors import SettingError
from ..text import count
from ..training import stationarity
from .engine import Engine, States
from .folder import RunFolder
from .metrics import Numbers

PREFIX = "stationarity/"


class StationarityMeter:
    """Compares the learners of each report with those of the report before. It only reads them."""

    def __init__(self, engine: Engine):
        if engine.hosted:
            problem = "plays compiled worlds alone, and this one is a Python program"
            raise SettingError("run.measure", problem, "leave out `--measure`", value="stationarity")
        self.engine = engine
        self.seconds = 0.0
        self.reports = 0
        episodes = engine.config.eval_episodes
        measure = partial(stationarity.measure, episodes=episodes)
        shapes = engine.shapes
        self.program = engine.program(measure, shapes.learners, shapes.learners, shapes.key, shapes.steps)
        self.yesterday: list[PyTree] = []

    def begin(self, states: States) -> None:
        """Keep the learners from which training begins."""
        # Copies on the host: the next chunk is given the memory of these arrays.
        self.yesterday = [jax.tree.map(lambda x: np.array(x), state.learners) for state in states]

    def after_chunk(self, states: States, clock: int) -> Numbers:
        """Return the measurements since the report before, by name, and keep today's learners."""
        began = time.perf_counter()
        results = []
        for lane, (state, old) in enumerate(zip(states, self.yesterday, strict=True)):
            learners = self.engine.layout.put(old)
            results.append(self.program(lane, state.learners, learners, state.key, state.steps))
        measures = self.engine.join(results)
        self.begin(states)
        self.seconds += time.perf_counter() - began
        self.reports += 1
        engine = self.engine
        updates = engine.updates(clock) - engine.updates(clock - engine.iterations)
        measures["updates"] = np.full(engine.config.seeds, float(updates))
        return {f"{PREFIX}{name}": np.asarray(x)[:, None] for name, x in measures.items()}

    def notes(self) -> list[str]:
        """Return what is measured and what it costs, for the start of a run."""
        trainer = self.engine.trainer
        episodes = self.engine.config.eval_episodes
        agents = sum(len(slot.members) for slot in trainer.slots if slot.learns)
        work = f"{agents + 2} × {episodes} greedy episodes of two teams"
        more = f"{count(episodes, 'exploring episode')}, each agent's gradient on them"
        lines = [f"measuring stationarity at each report: {work}, {more}; training does not see it"]
        return lines + [f"stationarity: {line}" for line in self.missing()]

    def missing(self) -> list[str]:
        """Say which measurements an algorithm does not give, and why."""
        lines = []
        for slot in self.engine.trainer.slots:
            if slot.learns:
                name = type(slot.algorithm).__name__
                has = stationarity.measurable(slot)
                if not has["kl"]:
                    lines.append(f"no kl, for {name} has no stochastic policy; see action_change")
                if not has["interference"]:
                    lines.append(f"no interference, for {name} does not split its gradient by agents")
        return list(dict.fromkeys(lines))

    def summary(self, folder: RunFolder) -> dict[str, Any]:
        """Return the means of the whole run's measurements over reports and seeds, and their cost."""
        values: dict[str, list[float]] = {}
        for row in folder.rows():
            for name, x in row.items():
                if name.startswith(PREFIX) and x is not None:
                    values.setdefault(name.removeprefix(PREFIX), []).append(x)
        means = {name: float(np.mean(x)) for name, x in values.items()}
        cost = {"seconds": round(self.seconds, 2), "reports": self.reports}
        return {"mean": means, "cost": cost, "not_measured": self.missing()}
