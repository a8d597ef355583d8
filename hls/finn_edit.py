"""Small edits of a graph, in place."""

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper

from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.finn_ops import AFFINE, SHAPING


def chain(model: ModelWrapper, tensor: str) -> Iterator[Any]:
    """Yield the nodes behind a tensor up to the first product or branch."""
    for _ in model.graph.node:
        consumers = [node for node in model.graph.node if tensor in node.input]
        if len(consumers) != 1 or consumers[0].input[0] != tensor:
            return
        yield consumers[0]
        if consumers[0].op_type not in (*AFFINE[:-1], *SHAPING, "Pad", "MaxPool"):
            return
        tensor = consumers[0].output[0]


def bypass(model: ModelWrapper, node: Any) -> bool:
    """Let the readers of a node read what it reads; the graph's output keeps its name."""
    outputs = {value.name for value in model.graph.output}
    if node.output[0] in outputs:
        producer = model.find_producer(node.input[0])
        readers = [n for n in model.graph.node if node.input[0] in n.input]
        if producer is None or len(readers) > 1:
            return False
        producer.output[list(producer.output).index(node.input[0])] = node.output[0]
    else:
        for reader in model.graph.node:
            for index, name in enumerate(reader.input):
                if name == node.output[0]:
                    reader.input[index] = node.input[0]
    model.graph.node.remove(node)
    return True


def remove_unread(model: ModelWrapper) -> None:
    """Remove constant nodes whose results nothing reads any more."""
    outputs = {value.name for value in model.graph.output}
    while True:
        read = {name for node in model.graph.node for name in node.input} | outputs
        dead = [node for node in model.graph.node if not read & set(node.output)]
        if not dead:
            return
        for node in dead:
            model.graph.node.remove(node)


def insert_behind(
    model: ModelWrapper, tensor: str, op: str, extra: list[str], shape: Any, **attributes: Any
) -> Any:
    """Put a node behind a tensor, in front of all who read it or of the graph's output."""
    producer = model.find_producer(tensor)
    if producer is None:  # the graph's input keeps its name
        output = model.make_new_valueinfo_name()
        for reader in model.graph.node:
            for index, name in enumerate(reader.input):
                if name == tensor:
                    reader.input[index] = output
        source, place = tensor, 0
    else:
        source, output, place = (
            model.make_new_valueinfo_name(),
            tensor,
            index_of(model, producer) + 1,
        )
        producer.output[list(producer.output).index(tensor)] = source
        model.set_tensor_shape(source, list(shape))
    made = helper.make_node(op, [source, *extra], [output], name=f"{tensor}_{op}", **attributes)
    model.graph.node.insert(place, made)
    model.set_tensor_shape(output, list(shape))
    return model.graph.node[place]


def put_in_order(model: ModelWrapper, nodes: list[Any]) -> None:
    """Put nodes that follow each other in that order, at the place of the last one of them."""
    place = max(index_of(model, node) for node in nodes)
    kept = [node for i, node in enumerate(model.graph.node) if i > place]
    before = [node for i, node in enumerate(model.graph.node) if i <= place and node not in nodes]
    ordered = [*before, *nodes, *kept]
    copies = []
    for node in ordered:
        copy = type(node)()
        copy.CopyFrom(node)
        copies.append(copy)
    del model.graph.node[:]
    model.graph.node.extend(copies)


def add_constant(model: ModelWrapper, name: str, value: Any) -> str:
    """Store a float32 initializer; return its name."""
    model.set_initializer(name, np.asarray(value, np.float32))
    return name


def index_of(model: ModelWrapper, node: Any) -> int:
    """Return a node's place in the graph."""
    return list(model.graph.node).index(node)


def attribute(node: Any, name: str, default: Any) -> Any:
    """Return the value of a node's attribute, or a default."""
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


def scalar_step(model: ModelWrapper, node: Any) -> tuple[str, Fraction] | None:
    """Return an affine node of one finite constant, as (operator, constant)."""
    value = model.get_initializer(node.input[1])
    if value is None or value.size != 1 or not np.isfinite(value).all():
        return None
    constant = Fraction(float(value.reshape(-1)[0]))
    return None if node.op_type == "Div" and constant == 0 else (node.op_type, constant)


def clip_limits(model: ModelWrapper, node: Any) -> tuple[float, float]:
    """Return (smallest, largest) of a Clip: attributes up to opset 10, inputs behind it."""
    limits = [attribute(node, "min", -math.inf), attribute(node, "max", math.inf)]
    for index, name in enumerate(node.input[1:]):
        value = model.get_initializer(name) if name else None
        if value is not None and value.size == 1:
            limits[index] = float(value.reshape(-1)[0])
        elif name:
            raise LoweringError(f"node {node.name}: Clip needs a constant limit")
    return float(limits[0]), float(limits[1])
