"""Seeds spread over devices; and where devices outnumber seeds, one seed's batch over several.

A CPU core is fastest with one seed after another: each device holds one seed at a time, and a
run's seeds take turns in `lanes`. A GPU wants all seeds in one kernel: one lane, mapped by vmap.
Devices that share a seed hold the same state and collect the same steps; they share the batch
out (`ops.shard`) and average what they find (`ops.pooled`), so nobody above knows about them.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from ..ops import PART

SEED = "seed"


class Layout:
    """Which device works on which seed. States of a lane lead with its seeds.

    Where seeds do not fill a CPU's last lane, its last seed is trained several times over: that
    costs less than devices that share every seed. `own` takes what is wanted.
    """

    def __init__(self, seeds: int, devices: list[Any] | None = None, alone: bool = False):
        devices = devices or jax.devices()
        devices = devices[:1] if alone else devices
        self.sequential = devices[0].platform == "cpu"
        groups = min(seeds, len(devices)) if self.sequential else math.gcd(seeds, len(devices))
        parts = len(devices) // groups
        width = groups if self.sequential else seeds
        self.seeds, self.parts, self.width = seeds, parts, width
        self.lanes = [[min(i + k, seeds - 1) for k in range(width)] for i in range(0, seeds, width)]
        grid = np.array(devices[: parts * groups]).reshape(groups, parts)
        self.mesh = Mesh(grid, (SEED, PART)) if parts > 1 else Mesh(grid[:, 0], (SEED,))
        self.sharding = NamedSharding(self.mesh, PartitionSpec(SEED))

    def spread(self, f: Callable, shared: int = 0) -> Callable:
        """Maps f over a lane's seeds. The last `shared` arguments are the same for all of them.

        `check_vma` is off because constants in the carry of a scan would each have to be marked
        as varying; only `pooled` and `share` ever look across devices.
        """

        def local(*args):
            mine, common = args[: len(args) - shared], args[len(args) - shared :]
            g = lambda *mine: f(*mine, *common)
            if not self.sequential:
                return jax.vmap(g)(*mine)
            first = jax.tree.map(lambda x: x[0], mine)
            return jax.tree.map(lambda x: x[None], g(*first))

        def mapped(*args):
            specs = [PartitionSpec(SEED)] * (len(args) - shared) + [PartitionSpec()] * shared
            return jax.shard_map(
                local, mesh=self.mesh, in_specs=tuple(specs), out_specs=PartitionSpec(SEED), check_vma=False
            )(*args)

        return mapped

    def own(self, lanes: list[Any]) -> list[Any]:
        """What lanes hold, each seed once."""
        extra = len(lanes) * self.width - self.seeds
        cut = lambda x: x[: self.width - extra]
        return [*lanes[:-1], jax.tree.map(cut, lanes[-1])] if extra else lanes

    def put(self, tree: PyTree) -> PyTree:
        """A lane's arrays, which lead with its seeds, to where they belong."""
        return jax.device_put(tree, self.sharding)

    def compiled(self, f: Callable, *args: Any, shared: int = 0, donate: int | None = None) -> Any:
        """`spread` and compiled ahead of time: a later mismatch is an error, never a second compile."""
        donated = () if donate is None else (donate,)
        program = jax.jit(self.spread(f, shared), donate_argnums=donated, out_shardings=self.sharding)
        return program.lower(*args).compile()
