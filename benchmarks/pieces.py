"""Where the time of training goes, by piece: flops, bytes, seconds, fraction of the matmul rate.

The program is the one that trains. Each piece gets a name while it is traced, which changes no instruction,
and JAX's profiler then records when every kernel starts and ends, on each device. So nothing is measured out
of its place: no input is fixed, and no cache is warmer than in training. A kernel that XLA fused from several
pieces counts for the one its result belongs to. A device that waits for another spends that time in
`exchange`.
"""

import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, wraps
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import jax
from jax.profiler import ProfileData, ProfileOptions
from jaxtyping import PyTree

from covey.config.config import Config
from covey.errors import UserError
from covey.experience import OnPolicy
from covey.networks.agents import AgentNetworks
from covey.networks.mixers import AbstractMixer
from covey.ops import collectives, descent
from covey.training.learners import LearnerSlot
from covey.training.loop import Trainer

from .common import print_table
from .hlo import Program

# In the order of printing. A name is a scope, but for `backward`, which is told by JAX's own.
PIECES = {
    "world": "world",
    "acting": "acting",
    "collect": "collecting, the rest",
    "remember": "replay, write",
    "draw": "replay, draw",
    "online": "forward, online",
    "target": "forward, target",
    "mixer": "mixer, forward and backward",
    "loss": "loss, the rest",
    "backward": "backward",
    "optimiser": "optimiser",
    "exchange": "exchange between devices",
    "update": "updates, the rest",
    "other": "outside all of these",
}
CONTROL = ("while", "conditional", "call")  # what they take by themselves is the loop's own time
ON_POLICY_PIECES = {"target": "forward, no gradient", "update": "advantages, minibatches"}


def scoped(f: Callable, piece: str | Callable[..., str]) -> Callable:
    """Return f, traced under a piece's name; a function of the arguments may choose the piece."""

    @wraps(f)
    def named(*args, **kwargs):
        name = piece if isinstance(piece, str) else piece(*args)
        with jax.named_scope(f"piece_{name}"):
            return f(*args, **kwargs)

    return named


def network_piece(networks: PyTree, *_: Any) -> str:
    """Tell networks that take a gradient from those that do not, as a target network."""
    kinds = {type(x).__name__ for x in jax.tree.leaves(networks)}
    return "online" if kinds & {"JVPTracer", "LinearizeTracer"} else "target"


@contextmanager
def names(config: Config) -> Iterator[None]:
    """Name all pieces of a configuration's program while it is traced."""
    env, slots = config.build()
    methods: list[tuple[type, str, str | Callable[..., str]]] = [
        (Trainer, "rollout", "collect"),
        (Trainer, "act", "acting"),
        (Trainer, "remember", "remember"),
        (LearnerSlot, "improve", "update"),
        (AgentNetworks, "unroll", network_piece),
        *((type(env), name, "world") for name in ("reset", "step")),
        *((kind, "batch", "draw") for kind in {type(slot.algorithm.experience) for slot in slots}),
        *((kind, "__call__", "mixer") for kind in subclasses(AbstractMixer)),
    ]
    functions = [
        (descent.gradients, "loss"),
        (descent.step, "optimiser"),
        (collectives.pooled, "exchange"),
    ]
    with ExitStack() as stack:
        for owner, name, piece in methods:
            stack.enter_context(patch.object(owner, name, scoped(getattr(owner, name), piece)))
        for function, piece in functions:
            for module in [m for key, m in sys.modules.items() if key.startswith("covey")]:
                if vars(module).get(function.__name__) is function:
                    stack.enter_context(patch.object(module, function.__name__, scoped(function, piece)))
        yield


def subclasses(kind: type) -> set[type]:
    found = {kind} if "__call__" in vars(kind) else set()
    return found.union(*(subclasses(x) for x in kind.__subclasses__()))


def piece_of(op_name: str) -> str | None:
    """Return the piece that a kernel's name says: the innermost, but for what keeps its parts together."""
    found = re.findall(r"piece_(\w+)", op_name)
    for whole in ("mixer", "acting"):  # its networks and, of a mixer, its backward pass
        if whole in found:
            return whole
    if not found or found[-1] in ("exchange", "optimiser", "draw"):
        return found[-1] if found else None
    return "backward" if "transpose(" in op_name else found[-1]


class Record(NamedTuple):
    """A kernel's or a loop's record on a device."""

    name: str
    start: float
    end: float


class Piece:
    """The sums of a piece, over all devices."""

    def __init__(self):
        self.seconds = 0.0
        self.kernels = 0
        self.flops = 0.0
        self.bytes = 0


def record(run: Callable[[], None], program: Program) -> list[list[Record]]:
    """Return the program's instructions that ran in a call, in order of time, for each thread of a device."""
    options = ProfileOptions()
    options.python_tracer_level = 0
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, profiler_options=options):
            run()
        (path,) = Path(folder).rglob("*.xplane.pb")
        lines = [line for plane in ProfileData.from_file(str(path)).planes for line in plane.lines]
        known = lambda events: [e for e in events if e.name in program.instructions]
        threads = [
            [Record(e.name, e.start_ns * 1e-9, e.end_ns * 1e-9) for e in known(line.events)] for line in lines
        ]
    busiest = max(map(len, threads))
    # Other threads run small programs, whose instructions may have the same names.
    return [sorted(x, key=lambda r: (r.start, -r.end)) for x in threads if len(x) > busiest / 10]


def add_up(threads: list[list[Record]], program: Program) -> dict[str, Piece]:
    """Add each record's own time, without the records within it, to its piece: its own, or its parent's."""
    pieces = {name: Piece() for name in PIECES}
    cost = cache(lambda name: program.cost(program.instructions[name]))
    for records in threads:
        stack: list[tuple[float, str]] = []
        for name, start, end in records:
            while stack and stack[-1][0] <= start:
                stack.pop()
            parent = stack[-1][1] if stack else None
            instruction = program.instructions[name]
            piece = piece_of(instruction.op_name) or parent or "other"
            pieces[piece].seconds += end - start
            if parent:
                pieces[parent].seconds -= end - start
            if instruction.operation not in CONTROL:
                pieces[piece].kernels += 1
                pieces[piece].flops += cost(name)[0]
                pieces[piece].bytes += cost(name)[1]
            stack.append((end, piece))
    return pieces


def profile(make: Callable[[], Any], config: Config, peak: float) -> dict[str, Any]:
    """Compile a run with its pieces named, train until it learns, and record a call.

    `make` returns a `benchmarks.training.TrainingWork`.
    """
    settings: Any = jax.config
    cached = settings.jax_enable_compilation_cache
    jax.config.update("jax_enable_compilation_cache", False)  # a program from the cache has no names
    with names(config):
        run = make()
        if run.engine.hosted or not any(slot.learns for slot in run.engine.trainer.slots):
            raise UserError("--profile needs a world written in JAX, and an algorithm that learns")
        text = run.engine.chunk.run.as_text()
    jax.config.update("jax_enable_compilation_cache", cached)
    while run.engine.updates(run.clock) < 2:
        run()
    seconds = []

    def timed() -> None:
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)

    timed()
    program = Program(text)
    pieces = add_up(record(timed, program), program)
    devices = len(jax.devices())
    on_policy = isinstance(run.engine.trainer.learning[0].algorithm.experience, OnPolicy)
    labels = PIECES | (ON_POLICY_PIECES if on_policy else {})
    rows = {
        labels[name]: {
            "seconds": x.seconds / devices / run.steps,
            "kernels": x.kernels / run.steps,
            "flops": x.flops / run.steps,
            "bytes": x.bytes / run.steps,
        }
        for name, x in pieces.items()
        if x.kernels or x.seconds
    }
    whole = {"seconds": seconds[1] / run.steps}
    for kind in ("kernels", "flops", "bytes"):
        whole[kind] = sum(x[kind] for x in rows.values())
    return {"pieces": rows, "whole": whole, "unrecorded": seconds[0] / run.steps, "matmul rate": peak}


def print_profile(name: str, found: dict[str, Any]) -> None:
    """Print the table of a profile, for an environment step."""
    pieces = found["pieces"]
    whole = found["whole"]
    named = sum(x["seconds"] for x in pieces.values())
    rest = {"seconds": whole["seconds"] - named, "kernels": 0.0, "flops": 0.0, "bytes": 0.0}
    print(f"{name}: an environment step took {whole['seconds'] * 1e6:.1f} us while it was recorded,")
    print(f"{found['unrecorded'] * 1e6:.1f} us in the call before")
    print_table(
        [
            {
                "piece": piece,
                "us": f"{x['seconds'] * 1e6:.2f}",
                "of the time": f"{x['seconds'] / whole['seconds']:.1%}",
                "kernels": f"{x['kernels']:.1f}",
                "Mflop": f"{x['flops'] / 1e6:.3f}",
                "kB": f"{x['bytes'] / 1e3:.1f}",
                "GB/s": f"{x['bytes'] / x['seconds'] / 1e9:.1f}" if x["seconds"] > 0 else "",
                "of the matmul rate": f"{x['flops'] / x['seconds'] / found['matmul rate']:.0%}"
                if x["seconds"] > 0
                else "",
            }
            for piece, x in (pieces | {"not recorded": rest, "the whole": whole}).items()
        ]
    )
