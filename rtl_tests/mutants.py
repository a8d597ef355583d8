"""Valid QONNX files with something changed at random: refused cleanly, or lowered to what they compute.

`python mutants.py FIRST LAST` tries seeds and prints one line of JSON for each; a test runs it as a child
process, so that a crash or a hang of a native library is seen and named.
"""

import json
import logging
import signal
import sys
import warnings
from functools import cache

import numpy as np
from onnx import AttributeProto, ModelProto, helper, numpy_helper
from qonnx_graphs import Graph, random_conv_graph, random_graph, random_norm

from sbnn.export.execute import execute
from sbnn.hls import reference
from sbnn.hls.finn_ops import KNOWN
from sbnn.hls.lower import lower_with_report
from sbnn.train.errors import UserError

SECONDS = 300  # of a fraction of one core
IMAGES = 6


@cache
def bases() -> tuple[bytes, ...]:
    """Return small valid files: xi, rails, dense, convolution, ternary with a tail, few bits."""
    models = [
        random_graph(1, widths=(16, 6, 4), frac=2),
        random_graph(2, widths=(16, 6, 4), rails=2),
        random_graph(3, widths=(16, 6, 4), dense=True),
        random_conv_graph(2, shape=(6, 6)),
        foreign(),
        few_bits(),
    ]
    return tuple(model.SerializeToString() for model in models)


def foreign() -> ModelProto:
    """Ternary weights, Gemm with a bias, Clip, a 1-bit Quant, Softmax: what only the first passes know."""
    rng = np.random.default_rng(4)
    graph = Graph((4, 4))
    graph.then("Div", "unit", 255.0)
    graph.binarise(0.8)
    for name, mw, mh in (("fc1", 16, 6), ("fc2", 6, 4)):
        parts = {
            "weight": rng.integers(-1, 2, (mh, mw)) * 0.5,
            "scale": 0.5,
            "zero": 0.0,
            "bits": 2.0,
        }
        inputs = [graph.constant(f"{name}.{key}", value) for key, value in parts.items()]
        quant = graph.node(
            "Quant", inputs, f"{name}_quant", signed=1, narrow=1, rounding_mode="ROUND"
        )
        bias = graph.constant(f"{name}.bias", rng.normal(size=mh))
        graph.last = graph.node("Gemm", [graph.last, quant, bias], name, transB=1)
        if name == "fc1":
            graph.then("BatchNormalization", "bn1", *random_norm(rng, mh, 2.0), epsilon=1e-5)
            graph.then("Clip", "clip", -1.0, 1.0)
            graph.then("Quant", "act1", 1.0, 0.0, 1.0, signed=0, narrow=0, rounding_mode="HALF_UP")
    graph.then("Softmax", "softmax", axis=1)
    return graph.model(4)


def few_bits() -> ModelProto:
    """3-bit weights on pixels, a MaxPool in front of Relu and Quant, signed values, MultiThreshold."""
    rng = np.random.default_rng(6)
    graph = Graph((6, 6))
    graph.channels_first()
    graph.then("Div", "unit", 255.0)
    weights = {"signed": 1, "narrow": 1, "rounding_mode": "ROUND"}
    unsigned = {"signed": 0, "narrow": 0, "rounding_mode": "ROUND"}
    parts = [("weight", rng.integers(-3, 4, (3, 1, 3, 3)) * 0.25), ("scale", 0.25), ("zero", 0.0)]
    inputs = [graph.constant(f"conv1.{key}", value) for key, value in (*parts, ("bits", 3.0))]
    quant = graph.node("Quant", inputs, "conv1_quant", **weights)
    graph.last = graph.node("Conv", [graph.last, quant], "conv1", kernel_shape=[3, 3])
    graph.then("MaxPool", "pool1", kernel_shape=[2, 2], strides=[2, 2])
    graph.then("BatchNormalization", "bn1", *random_norm(rng, 3, 0.5, 0.0), epsilon=1e-5)
    graph.then("Relu", "relu1")
    graph.then("Quant", "act1", 0.25, 0.0, 2.0, **unsigned)
    graph.then("Flatten", "flatten", axis=1)
    for name, mw, mh in (("fc1", 12, 6), ("fc2", 6, 4)):
        parts = [("weight", rng.integers(-2, 2, (mw, mh)) * 0.5), ("scale", 0.5), ("zero", 0.0)]
        inputs = [graph.constant(f"{name}.{key}", value) for key, value in (*parts, ("bits", 2.0))]
        quant = graph.node("Quant", inputs, f"{name}_quant", **{**weights, "narrow": 0})
        graph.last = graph.node("MatMul", [graph.last, quant], name)
        if name == "fc1":
            limits = np.sort(rng.normal(size=(6, 3)), axis=1)
            graph.then(
                "MultiThreshold", "act2", limits, out_scale=0.5, out_bias=-0.5, out_dtype="UINT2"
            )
            graph.nodes[-1].domain = "qonnx.custom_op.general"
    return graph.model(4)


def mutated(seed: int) -> bytes:
    """Return one of the valid files with one to three changes."""
    rng = np.random.default_rng(seed)
    content = bases()[int(rng.integers(len(bases())))]
    if rng.random() < 0.15:
        return in_bytes(content, rng)
    model = ModelProto.FromString(content)
    for _ in range(int(rng.integers(1, 4))):
        if model.graph.node:
            CHANGES[int(rng.integers(len(CHANGES)))](model, rng)
    return model.SerializeToString()


def in_bytes(content: bytes, rng) -> bytes:
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        place = int(rng.integers(len(data)))
        kind = int(rng.integers(3))
        if kind == 0:
            data[place] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            del data[place : place + int(rng.integers(1, 9))]
        else:
            data[place:place] = rng.bytes(int(rng.integers(1, 9)))
    return bytes(data)


def pick(items, rng):
    return items[int(rng.integers(len(items)))]


def names(model):
    made = [tensor for node in model.graph.node for tensor in (*node.input, *node.output)]
    return [*made, *(tensor.name for tensor in model.graph.initializer), "image", "", "new"]


def change_value(model, rng):
    tensor = pick(model.graph.initializer, rng)
    array = numpy_helper.to_array(tensor).copy()
    if not array.size:
        return
    special = [0, 1, -1, 0.5, -0.5, 2, 1e-30, 1e30, np.inf, -np.inf, np.nan, float(rng.normal())]
    flat = array.reshape(-1)
    with np.errstate(all="ignore"):
        new = np.asarray(pick(special, rng), np.float64).astype(array.dtype)
    flat[:] = np.where(rng.random(flat.size) < pick([1.0, 0.3, 1 / flat.size], rng), new, flat)
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))


def change_shape(model, rng):
    tensor = pick(model.graph.initializer, rng)
    array = numpy_helper.to_array(tensor)
    forms = [array.reshape(1, *array.shape), array.reshape(-1), array.T, np.repeat(array, 6)]
    forms += [array.reshape(()), array.reshape(1)] if array.size == 1 else [array[:1], array[1:]]
    changed = np.array(pick(forms, rng), order="C")
    tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))


def change_dims(model, rng):
    tensor = pick(model.graph.initializer, rng)
    if tensor.dims:
        place = int(rng.integers(len(tensor.dims)))
        tensor.dims[place] = int(pick([0, 1, -1, 1 << 20, 1 << 40, tensor.dims[place] + 1], rng))


def change_operator(model, rng):
    pick(model.graph.node, rng).op_type = pick([*KNOWN, "Relu", "Loop", ""], rng)


def change_domain(model, rng):
    pick(model.graph.node, rng).domain = pick(["", "onnx.brevitas", "os", "finn"], rng)


def change_attribute(model, rng):
    node = pick(model.graph.node, rng)
    if not node.attribute:
        node.attribute.append(helper.make_attribute("axis", int(rng.integers(-3, 4))))
        return
    found = pick(node.attribute, rng)
    kind = int(rng.integers(5))
    if kind == 0:
        node.attribute.remove(found)
    elif found.type == AttributeProto.INT:
        found.i = int(pick([0, 1, -1, 2, 1 << 40], rng))
    elif found.type == AttributeProto.INTS and found.ints:
        place = int(rng.integers(len(found.ints)))
        found.ints[place] = int(pick([0, 1, 2, 3, -1, 1 << 40], rng))
    elif found.type == AttributeProto.FLOAT:
        found.f = float(pick([0.0, 1.0, -1.0, np.nan, np.inf, 1e30], rng))
    elif found.type == AttributeProto.STRING:
        found.s = pick([b"", b"ROUND", b"FLOOR", b"HALF_UP", b"VALID", b"edge", b"\xff"], rng)
    else:
        found.name += "x"


def change_input(model, rng):
    node = pick(model.graph.node, rng)
    if node.input:
        node.input[int(rng.integers(len(node.input)))] = pick(names(model), rng)


def change_output(model, rng):
    node = pick(model.graph.node, rng)
    if node.output:
        node.output[0] = pick(names(model), rng)


def remove_node(model, rng):
    """Remove a node, its readers reading what it read."""
    node = pick(model.graph.node, rng)
    if node.input and node.output:
        for reader in model.graph.node:
            for index, name in enumerate(reader.input):
                if name == node.output[0]:
                    reader.input[index] = node.input[0]
    model.graph.node.remove(node)


def repeat_node(model, rng):
    """Put the same operation behind a node once more."""
    place = int(rng.integers(len(model.graph.node)))
    node = model.graph.node[place]
    if not node.input or not node.output:
        return
    again = type(node)()
    again.CopyFrom(node)
    again.name += "_again"
    again.input[0], again.output[0] = f"{node.output[0]}_once", node.output[0]
    node.output[0] = again.input[0]
    model.graph.node.insert(place + 1, again)


def swap_nodes(model, rng):
    first, second = (pick(model.graph.node, rng) for _ in range(2))
    first.op_type, second.op_type = second.op_type, first.op_type


def insert_constant_step(model, rng):
    """Put a scaling or a shift behind a node."""
    place = int(rng.integers(len(model.graph.node)))
    node = model.graph.node[place]
    if not node.output:
        return
    value = np.float32(pick([-1.0, 0.5, 2.0, 0.0, -0.25, 3.0], rng))
    name = f"step{rng.integers(1 << 30)}"
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    op = pick(["Mul", "Add", "Sub", "Div"], rng)
    made = helper.make_node(op, [f"{name}_in", name], [node.output[0]], f"{name}_node")
    node.output[0] = f"{name}_in"
    model.graph.node.insert(place + 1, made)


def remove_initializer(model, rng):
    model.graph.initializer.remove(pick(model.graph.initializer, rng))


def change_input_shape(model, rng):
    dims = model.graph.input[0].type.tensor_type.shape.dim
    if dims:
        pick(dims, rng).dim_value = int(pick([0, 1, 2, 3, 5, 1 << 40, -1], rng))


CHANGES = (
    *(change_value, change_value, change_value, change_shape, change_dims, change_operator),
    *(change_domain, change_attribute, change_attribute, change_input, change_output, remove_node),
    *(repeat_node, swap_nodes, insert_constant_step, insert_constant_step, remove_initializer),
    change_input_shape,
)


def verdict(content: bytes) -> str:
    """Return "refused: why" or "equal"; anything else is a fault."""
    rng = np.random.default_rng(0)
    try:
        model = ModelProto.FromString(content)
    except Exception as error:  # what read_file says of it is another test's
        return f"refused: {type(error).__name__}"
    try:
        lowered = lower_with_report(model, "net")
    except UserError as error:
        text = str(error)
        return f"refused: {text}" if len(text.splitlines()) == 1 else f"not one sentence: {text}"
    images = rng.integers(0, 256, (IMAGES, *lowered.network.encoding.shape), np.uint8)
    found = reference.run(lowered.network, images)
    answers = execute(model, images).scores.reshape(len(images), -1)
    rows = np.arange(len(images))
    wanted = answers.argmax(1) if answers.shape[1] > 1 else answers[:, 0].astype(np.int64)
    equal = found.scores[rows, wanted % found.scores.shape[1]] == found.scores.max(1)
    if answers.shape[1] > 1:
        equal |= answers[rows, found.classes] == answers[rows, wanted]
    return "equal" if equal.all() else f"differs: {wanted.tolist()} not {found.classes.tolist()}"


def main() -> None:
    first, last = map(int, sys.argv[1:])
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    for seed in range(first, last):
        print(json.dumps({"seed": seed}), flush=True)
        signal.alarm(SECONDS)
        try:
            said = verdict(mutated(seed))
        except Exception as error:
            said = f"raised {type(error).__name__}: {str(error)[:300]}"
        signal.alarm(0)
        print(json.dumps({"seed": seed, "said": said}), flush=True)


if __name__ == "__main__":
    main()
