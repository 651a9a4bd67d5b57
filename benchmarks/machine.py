"""The float32 matmul rate of this machine, which bounds the speed of training.

All devices multiply at once, one thread each, as in training. Both operands change with every product, so
that the compiler cannot hoist one; they are rotations, so that they stay finite.
"""

import time

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P
from jaxtyping import Array, Float

from .common import parse_options, print_table, processor, save_results

SIZE = 1024
PRODUCTS = 40


def products(pair: Float[Array, "1 2 size size"]) -> Float[Array, "1 2 size size"]:
    """Return a pair of matrices after `PRODUCTS` products."""

    def turn(pair, _):
        a, b = pair
        return (b, a @ b), None

    a, b = jax.lax.scan(turn, (pair[0, 0], pair[0, 1]), length=PRODUCTS)[0]
    return jnp.stack([a, b])[None]


def matmul_rate(repetitions: int = 5, devices: int | None = None, size: int = SIZE) -> float:
    """Return the flops a second of some devices (all) together: the best of a few turns."""
    used = jax.devices()[:devices]
    mesh = Mesh(np.array(used), ("device",))
    f = jax.jit(jax.shard_map(products, mesh=mesh, in_specs=P("device"), out_specs=P("device")))
    pair = jax.block_until_ready(f(jr.orthogonal(jr.key(0), size, (len(used), 2))))
    seconds = []
    for _ in range(repetitions):
        start = time.perf_counter()
        pair = jax.block_until_ready(f(pair))
        seconds.append(time.perf_counter() - start)
    return len(used) * PRODUCTS * 2 * size**3 / min(seconds)


def main() -> None:
    options = parse_options(__doc__ or "", repetitions=5)
    device_count = len(jax.devices())
    rates = {n: matmul_rate(options.repetitions, n) for n in sorted({1, device_count})}
    print(f"{processor()}: float32 products of {SIZE} x {SIZE} matrices")
    print_table([{"devices": str(n), "GF/s": f"{rate / 1e9:.0f}"} for n, rate in rates.items()])
    save_results(options.json, {f"{n} devices": rate for n, rate in rates.items()})


if __name__ == "__main__":
    main()
