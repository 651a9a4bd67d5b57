"""The effect audit of a run: before training, between its chunks, and at its end."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Shaped

from ..config.config import Config
from ..ops import named
from ..training.learners import LearnerSlot, observe_as
from ..training.loop import TrainState
from .health import SeedArrays
from .losses import loss_metrics
from .modules import LearnerStructure
from .report import AuditReport, ModuleReport
from .static import StaticFindings, examine
from .watch import WINDOW, LearnerWatch

_DRAWS = 16  # of exploring actions, to compare with the greedy ones


class Audit:
    """The audit of one run. It only reads: the compiled programs hold nothing of it."""

    def __init__(self, run: Config, engine: Any):
        self.engine = engine
        self.findings: StaticFindings = examine(run, engine.trainer)
        self.source = run.source
        self.start_clock = 0
        self.judged = False
        self.followed = False  # whether targets were judged, too
        self.explored: dict[str, float] | None = None
        self.passed_middle = False
        self.watches: dict[int, LearnerWatch] = {}
        for i, slot in enumerate(engine.trainer.slots):
            if (structure := self.findings.structures.get(slot.name)) is not None:
                self.watches[i] = self._watch(slot, structure)

    def _watch(self, slot: LearnerSlot, structure: LearnerStructure) -> LearnerWatch:
        prefix = f"{slot.name}/" if len(self.findings.structures) > 1 else ""
        idle = lambda module: structure.is_returned_unchanged(module) or not structure.is_called(module)
        return LearnerWatch(
            prefix=prefix,
            algorithm=slot.algorithm,
            anatomy=structure.anatomy,
            exempt={module.name for module in structure.anatomy.modules if idle(module)},
            terms=sorted(structure.loss_terms[0]),
            summands=loss_metrics(structure.traced.losses),
        )

    def _arrays(self, states: list[TrainState]) -> dict[int, SeedArrays]:
        """Return every learner's arrays, of all seeds, copied."""
        learners = self.engine.join([[state.learners[i] for i in self.watches] for state in states])
        return {i: jax.tree.leaves(learner) for i, learner in zip(self.watches, learners, strict=True)}

    def begin(self, states: list[TrainState], clock: int) -> None:
        """Keep the arrays that training starts from."""
        self.start_clock = clock
        for i, arrays in self._arrays(states).items():
            self.watches[i].first = arrays
            if clock == 0 and not self.source and self.watches[i].begin_alike():
                whose = self.watches[i].prefix.replace("/", ": ")
                self.findings.told.append(f"{whose}all seeds begin with the same weights: init uses no key")

    def _updates(self, i: int, clock: int) -> int:
        """Return a learner's updates since the audit began."""
        trainer = self.engine.trainer
        slot = trainer.slots[i]
        start = max(slot.warmup(trainer.shape), self.start_clock)
        return max(0, clock - start) * slot.updates(trainer.shape)

    def after_chunk(
        self,
        states: list[TrainState],
        metrics: dict[str, Shaped[np.ndarray, "seeds ..."]],
        clock: int,
        half: bool,
    ) -> None:
        """Examine the learners after a chunk; `half` of the run is over."""
        for i, watch in self.watches.items():
            watch.updates = self._updates(i, clock)
            own = {n.removeprefix(watch.prefix): x for n, x in metrics.items() if n.startswith(watch.prefix)}
            watch.record({n: x for n, x in own.items() if x.ndim == 2 and x.dtype.kind == "f"})
        judged = self._all_have_updates(lambda watch: WINDOW)
        followed = self._all_have_updates(lambda watch: watch.window)
        if (judged, followed) != (self.judged, self.followed):
            for i, arrays in self._arrays(states).items():
                self.watches[i].check(arrays)
        self.judged = judged
        self.followed = followed
        if self.judged and half and not self.passed_middle:
            self.passed_middle = True
            for i, arrays in self._arrays(states).items():
                self.watches[i].middle = arrays
                self.watches[i].middle_updates = self.watches[i].updates

    def _all_have_updates(self, enough: Callable[[LearnerWatch], int]) -> bool:
        """Say whether every learner has had so many updates."""
        return bool(self.watches) and all(w.updates >= enough(w) for w in self.watches.values())

    def after_report(self, states: list[TrainState]) -> None:
        """Measure once how much exploration changes. It compiles a program: the user sees a report first."""
        if self.judged and self.explored is None:
            self.explored = self._exploration(states)

    def _exploration(self, states: list[TrainState]) -> dict[str, float]:
        """Return the share of actions that differ from the greedy ones, at the current observations."""
        shares = {}
        for i, watch in self.watches.items():
            slot = self.engine.trainer.slots[i]

            def differ(learner, carry, obs, steps, slot=slot):
                learner, carry, obs, steps = jax.tree.map(lambda x: x[0], (learner, carry, obs, steps))
                one = lambda m, o, k, explore: slot.algorithm.act(
                    learner, m, observe_as(slot, o), k, steps, explore
                )[1]
                all_copies = lambda key, explore: jax.vmap(partial(one, explore=explore))(
                    carry, obs, jr.split(key, obs.first.shape[0])
                )
                act = lambda key: all_copies(key, True) != all_copies(key, False)
                return jnp.mean(jax.vmap(act)(jr.split(named(jr.key(0), "audit"), _DRAWS)))

            first = states[0]
            shares[watch.prefix] = float(
                jax.jit(differ)(first.learners[i], first.actors.carry[i], first.actors.obs, first.steps)
            )
        return shares

    def finish(self, states: list[TrainState]) -> AuditReport:
        """Examine the learners at the end of the run, and report."""
        notes = list(self.findings.told)
        for i, arrays in self._arrays(states).items():
            if self.watches[i].updates:
                self.watches[i].compare(arrays)
                notes += self.watches[i].notes(arrays)
        for prefix, share in (self.explored or {}).items():
            notes += [f"{prefix}exploring changed no action in {_DRAWS} draws"] if share == 0 else []
        verdicts = self.findings.settings
        modules = {
            watch.prefix + m.name: ModuleReport(
                float(np.mean(watch.moved[m.name])), watch.gradient[m.name], m.is_target
            )
            for watch in self.watches.values()
            for m in watch.modules
            if m.name in watch.moved
        }
        return AuditReport(
            settings_read=[v.setting.path for v in verdicts if v.read],
            settings_idle={v.setting.path: v.condition for v in verdicts if not v.read},
            off=self.findings.off,
            terms=self.findings.terms,
            updates={watch.prefix or "learner": watch.updates for watch in self.watches.values()},
            judged=self.judged,
            modules=modules,
            explored=self.explored,
            notes=notes,
        )
