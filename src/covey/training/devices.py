"""The spread of seeds over devices; where devices outnumber seeds, that of one seed's batch over several.

A CPU core is fastest with one seed after another: each device holds one seed at a time, and a
run's seeds take turns in `lanes`. A GPU wants all seeds in one kernel: one lane, mapped by vmap.
Devices that share a seed hold the same state and collect the same steps; each takes its shard of the
batch (`ops.shard`), and gradients and metrics are averaged (`ops.pooled`), so no code above knows of it.
"""

import math
from collections.abc import Callable
from threading import Lock
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from ..ops import PART
from ..ops.random import plain

_SEED = "seed"
_TRACING = Lock()  # programs are compiled side by side, but traced in turn: two threads of Python win nothing


class Layout:
    """The seeds of each lane, and the device of each seed. The first axis of a lane's arrays is its seeds.

    Where seeds do not fill a CPU's last lane, its last seed is trained several times over: that
    costs less than devices that share every seed. `own` drops the repetitions. `sequential` is decided by the
    kind of devices; CPUs in place of GPUs are for tests.
    """

    def __init__(
        self,
        seeds: int,
        devices: list[Any] | None = None,
        alone: bool = False,
        sequential: bool | None = None,
    ):
        devices = devices or jax.devices()
        devices = devices[:1] if alone else devices
        self.sequential = devices[0].platform == "cpu" if sequential is None else sequential
        groups = min(seeds, len(devices)) if self.sequential else math.gcd(seeds, len(devices))
        parts = len(devices) // groups
        width = groups if self.sequential else seeds
        self.seeds = seeds
        self.parts = parts  # devices that share a seed
        self.width = width  # seeds of a lane
        self.lanes = [[min(i + k, seeds - 1) for k in range(width)] for i in range(0, seeds, width)]
        grid = np.array(devices[: parts * groups]).reshape(groups, parts)
        self.mesh = Mesh(grid, (_SEED, PART)) if parts > 1 else Mesh(grid[:, 0], (_SEED,))
        self.sharding = NamedSharding(self.mesh, PartitionSpec(_SEED))

    def spread(self, f: Callable, shared: int = 0) -> Callable:
        """Map f over a lane's seeds. The last `shared` arguments are the same for all of them.

        `check_vma` is off because constants in the carry of a scan would each have to be marked
        as varying; only `pooled` and `shard` ever look across devices.
        """

        def local(*args):
            per_seed = args[: len(args) - shared]
            common = args[len(args) - shared :]
            one_seed = lambda *own: f(*own, *common)
            if not self.sequential:
                return jax.vmap(one_seed)(*per_seed)
            only = jax.tree.map(lambda x: x[0], per_seed)  # a CPU device holds one seed of a lane
            return jax.tree.map(lambda x: x[None], one_seed(*only))

        def mapped(*args):
            specs = [PartitionSpec(_SEED)] * (len(args) - shared) + [PartitionSpec()] * shared
            return jax.shard_map(
                local, mesh=self.mesh, in_specs=tuple(specs), out_specs=PartitionSpec(_SEED), check_vma=False
            )(*args)

        return mapped

    def own(self, lanes: list[Any]) -> list[Any]:
        """Return the arrays of lanes with each seed once.

        The last lane is cut on the host, where random keys are numbers: XLA would compile a program for each
        shape, at a twentieth of a second.
        """
        extra = len(lanes) * self.width - self.seeds
        cut = lambda x: np.asarray(plain(x))[: self.width - extra]
        return [*lanes[:-1], jax.tree.map(cut, lanes[-1])] if extra else lanes

    def put(self, tree: PyTree) -> PyTree:
        """Put a lane's arrays on their devices."""
        return jax.device_put(tree, self.sharding)

    def compiled(self, f: Callable, *args: Any, shared: int = 0, donate: int | None = None) -> Any:
        """Compile `spread(f)` ahead of time: a later mismatch is an error, never a second compilation.

        The argument number `donate` gives its memory to the results.
        """
        donated = () if donate is None else (donate,)
        program = jax.jit(self.spread(f, shared), donate_argnums=donated, out_shardings=self.sharding)
        with _TRACING:
            lowered = program.lower(*args)
        return lowered.compile()
