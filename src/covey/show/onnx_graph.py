"""The player's networks as an ONNX graph: one decision of all agents, for a batch of copies.

What an agent carries goes in and comes out: zeros where an episode begins. The format and its operators are
described at https://onnx.ai/onnx/operators.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Shaped

from ..errors import UserError

_OPERATORS = 17  # the version of the operators: of 2022, which every runtime in use knows
_FORMAT = 8  # of the file, which came with them
_FORBIDDEN = -1e9

_Arrays = Mapping[str, Shaped[np.ndarray, "..."]]


class _Graph:
    """Nodes and constants as they are added; a value is known by its name."""

    def __init__(self, helper: Any, numpy_helper: Any):
        self.helper = helper
        self.numpy_helper = numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its result."""
        name = name or f"v{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, array: Any, kind: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(self.numpy_helper.from_array(np.asarray(array, kind), name))
        return name

    def cut(self, x: str, start: int, stop: int, axis: int) -> str:
        """Return a part of an axis."""
        ends = [self.constant([place], np.int64) for place in (start, stop, axis)]
        return self.add("Slice", x, *ends)

    def tensor(self, name: str, kind: str, *shape: int) -> Any:
        """Describe an input or an output; its first axis is copies, as many as are given."""
        kinds = self.helper.TensorProto
        return self.helper.make_tensor_value_info(name, getattr(kinds, kind), ["batch", *shape])

    def carry(self, name: str, following: str, *shape: int) -> tuple[Any, Any]:
        """Return the input and the output of what agents carry to their next decision."""
        after = self.add("Identity", following, name=f"next_{name}")
        return self.tensor(name, "FLOAT", *shape), self.tensor(after, "FLOAT", *shape)

    def last_mean(self, x: str) -> str:
        return self.add("ReduceMean", x, axes=[-1], keepdims=1)


class _Network:
    """The agents of one learner: their rows `[batch, agents, …]` go through the layers of `facts`."""

    def __init__(
        self, graph: _Graph, facts: dict[str, Any], places: list[int], groups: list[int], arrays: Any
    ):
        self.graph = graph
        self.facts = facts
        self.places = places
        self.groups = groups
        self.arrays = arrays
        self.hidden = ""

    def rows(self, x: str) -> str:
        """Return values with each agent's as a matrix of one row, for weights of its own."""
        return self.graph.add("Unsqueeze", x, self.graph.constant([2], np.int64))

    def values(self, x: str) -> str:
        return self.graph.add("Squeeze", x, self.graph.constant([2], np.int64))

    def weights(self, name: str) -> str:
        """Return an array of each agent, or one for all of them where they share it; rows come before it."""
        array = self.arrays[name]
        array = array[:1] if len(set(self.groups)) == 1 and len(array) == 1 else array[np.array(self.groups)]
        return self.graph.constant(array if array.ndim == 3 else array[:, None])

    def choose(self, rows: str, legal: str, last: str, hidden: str) -> str:
        """Return actions."""
        graph = self.graph
        facts = self.facts
        self.hidden = hidden
        if facts["scale"] != 1:
            rows = graph.add("Div", rows, graph.constant(facts["scale"]))
        parts = [rows, *[last] * facts["last_action"]]
        if facts["agent_id"]:
            copies = graph.cut(graph.add("Shape", rows), 0, 1, 0)
            shape = graph.add("Concat", copies, graph.constant([1, 1], np.int64), axis=0)
            parts.append(
                graph.add("Expand", graph.constant(np.eye(facts["agents"])[self.places][None]), shape)
            )
        x = graph.add("Concat", *parts, axis=-1) if len(parts) > 1 else rows
        x = graph.add(
            "Unsqueeze", x, graph.constant([2], np.int64)
        )  # a row of its own for each agent's weights
        for kind, *names in facts["layers"]:
            x = getattr(self, kind)(x, *names)
        x = graph.cut(self.values(x), 0, facts["actions"], 2)
        return self._continuous(x, legal) if facts["bounds"] else self._discrete(x, legal)

    def _discrete(self, x: str, legal: str) -> str:
        x = self.graph.add("Where", legal, x, self.graph.constant(_FORBIDDEN))
        return self.graph.add("ArgMax", x, axis=-1, keepdims=0)

    def _continuous(self, x: str, legal: str) -> str:
        graph = self.graph
        low, high = (graph.constant(bound) for bound in self.facts["bounds"])
        one = graph.constant(1.0)
        if self.facts["squashed"]:
            x = graph.add("Tanh", x)
        else:
            x = graph.add("Clip", x, graph.constant(-1.0), one)
        half = graph.constant(0.5 * np.subtract(*reversed(self.facts["bounds"])))
        x = graph.add("Add", low, graph.add("Mul", half, graph.add("Add", x, one)))
        return graph.add("Where", legal, graph.add("Clip", x, low, high), low)

    def last(self, actions: str) -> str:
        """Return actions as the next decision reads them."""
        if self.facts["bounds"]:
            return actions
        every = self.graph.constant(np.arange(self.facts["actions"]), np.int64)
        return self.graph.add("Cast", self.graph.add("Equal", self.rows(actions), every), to=1)  # float32

    def linear(self, x: str, weight: str, bias: str) -> str:
        product = self.graph.add("MatMul", x, self.weights(weight))
        return self.graph.add("Add", product, self.weights(bias))

    def relu(self, x: str) -> str:
        return self.graph.add("Relu", x)

    def tanh(self, x: str) -> str:
        return self.graph.add("Tanh", x)

    def norm(self, x: str) -> str:
        graph = self.graph
        centred = graph.add("Sub", x, graph.last_mean(x))
        variance = graph.last_mean(graph.add("Mul", centred, centred))
        spread = graph.add("Sqrt", graph.add("Add", variance, graph.constant(1e-5)))
        return graph.add("Div", centred, spread)

    def gru(self, x: str, *names: str) -> str:
        graph = self.graph
        old = self.rows(self.hidden)
        now = [self.linear(x, *names[i : i + 2]) for i in (0, 2, 4)]
        past = [self.linear(old, *names[i : i + 2]) for i in (6, 8, 10)]
        reset, update = (graph.add("Sigmoid", graph.add("Add", now[i], past[i])) for i in (0, 1))
        new = graph.add("Tanh", graph.add("Add", now[2], graph.add("Mul", reset, past[2])))
        kept = graph.add("Mul", update, graph.add("Sub", old, new))
        result = graph.add("Add", new, kept)
        self.hidden = self.values(result)
        return result


def onnx_bytes(facts: dict[str, Any], arrays: _Arrays) -> bytes:
    """Return the file of what `describe_player` gives. Agents stand in the order of `facts["agents"]`."""
    try:
        import onnx  # pyright: ignore[reportMissingImports]
        from onnx import helper, numpy_helper  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise UserError("--onnx needs the package onnx: pip install 'covey[onnx]'") from error
    graph = _Graph(helper, numpy_helper)
    inputs, outputs = _add_policy(graph, facts, arrays)
    body = helper.make_graph(graph.nodes, "policy", inputs, outputs, graph.constants)
    operators = [helper.make_opsetid("", _OPERATORS)]
    model = helper.make_model(body, opset_imports=operators, producer_name="covey")
    model.ir_version = _FORMAT
    helper.set_model_props(model, {"covey": json.dumps(facts)})
    onnx.checker.check_model(model)
    return model.SerializeToString()


def _add_policy(graph: _Graph, facts: dict[str, Any], arrays: _Arrays) -> tuple[list[Any], list[Any]]:
    """Add a decision of all agents; return the graph's inputs and outputs."""
    agents = facts["agents"]
    first = next(iter(facts["networks"].values()))
    inputs = [
        graph.tensor("observations", "FLOAT", len(agents), first["features"]),
        graph.tensor("legal", "BOOL", len(agents), first["actions"]),
    ]
    carried: list[tuple[Any, Any]] = []
    parts = []
    order: list[int] = []
    for slot, own in facts["networks"].items():
        rows = [i for i, agent in enumerate(agents) if agent[1] == slot]
        places = [agents[i][2] for i in rows]
        groups = [agents[i][3] for i in rows]
        network = _Network(graph, own, places, groups, arrays)
        where = graph.constant(rows, np.int64)
        seen = graph.add("Gather", "observations", where, axis=1)
        legal = graph.add("Gather", "legal", where, axis=1)
        actions = network.choose(seen, legal, f"last_{slot}", f"hidden_{slot}")
        if own["last_action"]:
            carried.append(graph.carry(f"last_{slot}", network.last(actions), len(rows), own["actions"]))
        if own["carry"]:
            carried.append(graph.carry(f"hidden_{slot}", network.hidden, len(rows), own["carry"]))
        parts.append(actions)
        order += rows
    every = graph.add("Concat", *parts, axis=1)
    graph.add("Gather", every, graph.constant(np.argsort(order), np.int64), axis=1, name="actions")
    width = [first["actions"]] if first["bounds"] else []
    outputs = [graph.tensor("actions", "FLOAT" if width else "INT64", len(agents), *width)]
    return [*inputs, *(x for x, _ in carried)], [*outputs, *(x for _, x in carried)]
