"""The effect audit of a run: before it, while it goes on, and the table at its end."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jaxtyping import Shaped

from ..config import config
from ..ops import named
from ..training.learners import observe_as
from ..training.loop import TrainState
from .static import examine
from .watch import Watch

Metrics = dict[str, Shaped[np.ndarray, "seeds ..."]]
DRAWS = 16


class Audit:
    """Looks on from outside: nothing of it is in the compiled programs."""

    def __init__(self, run: config.Config, engine: Any):
        self.engine, self.told = engine, examine(run, engine.trainer)
        self.begun, self.judged, self.explored = 0, False, None
        self.late = False
        many = len(self.told.structures) > 1
        self.watches: dict[int, Watch] = {}
        for i, slot in enumerate(engine.trainer.slots):
            if (structure := self.told.structures.get(slot.name)) is not None:
                idle = lambda m, s=structure: s.returned(m) or not s.called(m)
                exempt = {m.name for m in structure.anatomy.modules if idle(m)}
                still = any(name.endswith((".lr", ".lr.value")) for name in self.told.off)
                prefix = f"{slot.name}/" if many else ""
                self.watches[i] = Watch(prefix, slot.algorithm, structure.anatomy, exempt, still)

    def arrays(self, states: list[TrainState]) -> dict[int, list[np.ndarray]]:
        """Every learner's arrays, of all seeds, copied."""
        learners = self.engine.joined([[state.learners[i] for i in self.watches] for state in states])
        return {i: jax.tree.leaves(learner) for i, learner in zip(self.watches, learners, strict=True)}

    def begin(self, states: list[TrainState], clock: int) -> None:
        self.begun = clock
        for i, arrays in self.arrays(states).items():
            self.watches[i].first = arrays

    def updates(self, i: int, clock: int) -> int:
        """Those of a learner since the audit began."""
        trainer = self.engine.trainer
        return max(0, clock - max(trainer.warmup(i), self.begun)) * trainer.rounds(i)

    def look(self, states: list[TrainState], metrics: Metrics, clock: int, half: bool) -> None:
        """After a chunk; `half` the run is over."""
        for i, watch in self.watches.items():
            watch.updates = self.updates(i, clock)
            own = {n.removeprefix(watch.prefix): x for n, x in metrics.items() if n.startswith(watch.prefix)}
            watch.listen({n: x for n, x in own.items() if x.ndim == 2 and x.dtype.kind == "f"})
        waiting = [watch for watch in self.watches.values() if watch.updates < watch.wait]
        if self.watches and not self.judged and not waiting:
            for i, arrays in self.arrays(states).items():
                self.watches[i].judge(arrays, self.terms(self.watches[i]))
            self.judged, self.explored = True, self.exploration(states)
        if self.judged and half and not self.late:
            self.late = True
            for i, arrays in self.arrays(states).items():
                self.watches[i].middle, self.watches[i].halfway = arrays, self.watches[i].updates

    def terms(self, watch: Watch) -> list[str]:
        pairs = [term.rpartition(".") for term in self.told.terms]
        return [name for slot, _, name in pairs if slot == watch.prefix.rstrip("/")]

    def exploration(self, states: list[TrainState]) -> dict[str, float]:
        """The share of actions that exploring makes differ from the greedy ones, at what is seen now."""
        found = {}
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
                return jnp.mean(jax.vmap(act)(jr.split(named(jr.key(0), "audit"), DRAWS)))

            first = states[0]
            found[watch.prefix] = float(
                jax.jit(differ)(first.learners[i], first.actors.carry[i], first.actors.obs, first.steps)
            )
        return found

    def finish(self, states: list[TrainState]) -> dict[str, Any]:
        """What summary.json holds."""
        notes = []
        for i, arrays in self.arrays(states).items() if self.judged else ():
            self.watches[i].compare(arrays)
            notes += self.watches[i].notes(arrays)
        for prefix, share in (self.explored or {}).items():
            notes += [f"{prefix}exploring changed no action in {DRAWS} draws"] if share == 0 else []
        idle = [v for v in self.told.settings if not v.read]
        modules = {
            w.prefix + name: {"moved": float(np.mean(moved)), "gradient": w.gradient[name]}
            for w in self.watches.values()
            for name, moved in w.moved.items()
        }
        return {
            "settings": {
                "read": [v.field.path for v in self.told.settings if v.read],
                "idle": {v.field.path: v.when for v in idle},
            },
            "off": self.told.off,
            "terms": self.told.terms,
            "updates": {w.prefix or "learner": w.updates for w in self.watches.values()},
            "judged": self.judged,
            "modules": modules,
            "explored": self.explored,
            "notes": notes,
        }
