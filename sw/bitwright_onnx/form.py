"""The intermediate form: a list of nodes in order, the constants, and the shape of every other value.

Frames run along axis 0, whose size is 1 here whatever the file declares: no rewrite may mix frames. A
rewrite is a function from Graph to Graph; `check` holds after each.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_onnx.refusals import OnnxError, Refusal


@dataclass(frozen=True, kw_only=True, eq=False)
class OnnxNode:
    """One operation. An optional input that is absent is the empty name."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def output(self) -> str:
        return self.outputs[0]

    def refuse(self, reason: str) -> OnnxError:
        """The error that says why this node cannot be imported."""
        return OnnxError([Refusal(node=self.name, operator=self.op, reason=reason)])


@dataclass(frozen=True, kw_only=True, eq=False)
class Graph:
    """Nodes in an order in which each value is made before it is used; one input, one or more outputs."""

    nodes: tuple[OnnxNode, ...]
    constants: Mapping[str, NDArray[Any]]
    shapes: Mapping[str, tuple[int, ...]]  # of values that are not constant, frames along axis 0
    input: str
    input_dtype: np.dtype[Any]
    outputs: tuple[str, ...]
    batch: int = 1  # what the file declares for axis 0; a Reshape may name it
    heads: tuple[str, ...] = ()  # operators that were taken off the outputs, the last one first
    heads_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # those of each output
    choices: frozenset[str] = frozenset()  # names of ArgMax nodes that an export of bitwright's own has as layers
    maps: bool = True  # whether an ArgMax of several pixels is a layer, and no head

    def with_(self, **changes: Any) -> "Graph":
        return replace(self, **changes)

    @property
    def producers(self) -> dict[str, OnnxNode]:
        return {output: node for node in self.nodes for output in node.outputs if output}

    def variable_inputs(self, node: OnnxNode) -> tuple[str, ...]:
        """The inputs of `node` that depend on the frame."""
        return tuple(name for name in node.inputs if name and name not in self.constants)


def check(graph: Graph) -> Graph:
    """The graph itself, if it is well formed: each value made once and before its use, nothing undefined.

    Raises OnnxError naming the node otherwise.
    """
    known = {graph.input, *graph.constants}
    if graph.input in graph.constants:
        raise OnnxError(f"input {graph.input} is a constant: the outputs do not depend on a frame")
    for node in graph.nodes:
        for name in node.inputs:
            if name and name not in known:
                raise node.refuse(f"its input {name} is not made by any node before it")
        for name in node.outputs:
            if name in known:
                raise node.refuse(f"value {name} is made twice")
            if name:
                known.add(name)
    for name in graph.outputs:
        if name not in known:
            raise OnnxError(f"output {name} is not made by any node")
    for name, shape in graph.shapes.items():
        if not shape or shape[0] != 1 or min(shape) < 1:
            raise OnnxError(f"value {name} has shape {list(shape)}, which is not a frame's")
    return graph
