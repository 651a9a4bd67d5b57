"""The instructions of a compiled program, read from its text: names, flops of products, bytes, loops' bodies.

XLA's own counts are for a whole program, and take the body of a loop once.
"""

import math
import re
from collections import defaultdict
from typing import NamedTuple

SIZES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "f16": 2, "bf16": 2, "s64": 8, "u64": 8, "f64": 8}
SHAPE = re.compile(r"\b(pred|[suf]\d+|bf16)\[([\d,]*)\]")
LINE = re.compile(r"^\s+(?:ROOT )?%?([\w.\-]+) = (.+?) ([\w\-]+)\((.*)$")
SLICES = ("dynamic-slice", "gather", "slice")


class Instruction(NamedTuple):
    """An instruction: its result's type, operation, operands, and what follows them."""

    name: str
    type: str
    operation: str
    operands: tuple[str, ...]
    rest: str
    root: bool

    @property
    def op_name(self) -> str:
        """The names of the scopes in which it was traced."""
        found = re.search(r'op_name="([^"]*)"', self.rest)
        return found[1] if found else ""


def sizes(type: str) -> list[tuple[int, list[int]]]:
    """Return the bytes of an element and the dimensions, for each array in a type."""
    found = SHAPE.findall(type)
    return [(SIZES.get(kind, 4), [int(n) for n in shape.split(",") if n]) for kind, shape in found]


def bytes_of(type: str) -> int:
    return sum(size * math.prod(shape) for size, shape in sizes(type))


class Program:
    """All instructions of a program by name, and the computations they stand in."""

    def __init__(self, text: str):
        self.instructions: dict[str, Instruction] = {}
        self.computations: dict[str, list[Instruction]] = defaultdict(list)
        computation = ""
        for line in text.splitlines():
            if line and not line[0].isspace():
                computation = line.removeprefix("ENTRY ").partition(" ")[0].lstrip("%")
            elif found := LINE.match(line):
                name, type, operation, tail = found.groups()
                arguments, _, rest = tail.partition(")")
                operands = tuple(re.findall(r"%([\w.\-]+)", arguments))
                root = line.lstrip().startswith("ROOT")
                instruction = Instruction(name, type, operation, operands, rest, root)
                self.instructions[name] = instruction
                self.computations[computation].append(instruction)

    def called(self, x: Instruction) -> list[Instruction]:
        """Return the instructions that a fusion computes."""
        found = re.search(r"calls=%?([\w.\-]+)", x.rest)
        return self.computations[found[1]] if found else []

    def flops(self, x: Instruction) -> float:
        """Return the flops of an instruction's matrix products."""
        if x.operation == "dot":
            over = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", x.rest)
            left = sizes(self.instructions[x.operands[0]].type)[0][1]
            summed = math.prod(left[int(i)] for i in over[1].split(",") if i) if over else 1
            return 2.0 * math.prod(sizes(x.type)[0][1]) * summed
        return sum(map(self.flops, self.called(x)))

    def cost(self, x: Instruction) -> tuple[float, int]:
        """Return flops and bytes of one execution."""
        return self.flops(x), self.bytes(x)

    def bytes(self, x: Instruction) -> int:
        """Return the bytes that an instruction reads and writes; of what it slices or updates, that part."""
        body = self.called(x)
        if not body:
            return self.written(x) + sum(self.read(name, [x]) for name in set(x.operands))
        inputs = [i.name for i in body if i.operation == "parameter"]
        roots = [i for i in body if i.root]
        return sum(map(self.written, roots)) + sum(self.read(name, body) for name in inputs)

    def read(self, name: str, body: list[Instruction]) -> int:
        """Return the bytes of a value that instructions read."""
        whole = bytes_of(self.instructions[name].type)
        users = [i for i in body if name in i.operands]
        parts = [self.part(i) for i in users if self.part(i) is not None and i.operands[0] == name]
        return min(whole, sum(x or 0 for x in parts)) if len(parts) == len(users) else whole

    def part(self, x: Instruction) -> int | None:
        """Return the bytes of its first operand that an instruction touches, or None: all."""
        if x.operation == "dynamic-update-slice":
            return bytes_of(self.instructions[x.operands[1]].type)
        return bytes_of(x.type) if x.operation in SLICES else None

    def written(self, x: Instruction) -> int:
        """Return the bytes that an instruction writes."""
        while x.operation == "bitcast":
            x = self.instructions[x.operands[0]]
        touched = self.part(x) if x.operation == "dynamic-update-slice" else None
        return bytes_of(x.type) if touched is None else touched
