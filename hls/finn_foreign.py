"""Products as other exporters write them, in the words of ours; each pass keeps every value.

Passes change a graph in place and return whether they did. What they cannot rewrite they leave for the
reader, which names the node.
"""

from typing import Any

import numpy as np
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.general.bipolar_quant import binary_quant
from qonnx.custom_op.general.intquant import int_quant

from sbnn.hls.finn_constants import LoweringError, read_constant
from sbnn.hls.finn_edit import add_constant, attribute, index_of, insert_behind, remove_unread
from sbnn.hls.finn_ops import PRODUCTS, QUANTIZERS, SHAPING
from sbnn.hls.finn_weights import read_quant

# Operators whose attributes became inputs, in that order, with opset 10 and 11.
BECAME_INPUTS = {
    "Pad": ("pads", "value"),
    "Clip": ("min", "max"),
    "Slice": ("starts", "ends", "axes"),
    "TopK": ("k",),
}


def raise_opset(model: ModelWrapper) -> bool:
    """Write what opsets 9 and 10 say otherwise as opset 11 does; the other operators here read the same."""
    (entry,) = (entry for entry in model.model.opset_import if not entry.domain)
    if entry.version >= 11:
        return False
    entry.version = 11
    for node in model.graph.node:
        names = BECAME_INPUTS.get(node.op_type, ())
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute if a.name in names}
        for index, name in enumerate(names if given else ()):
            tensor = ""
            if name in given:
                value, tensor = given[name], f"{node.name}_{name}"
                kind = np.float32 if isinstance(value, float) else np.int64
                flat = np.asarray(value, kind)
                model.set_initializer(tensor, flat.reshape(-1) if node.op_type == "TopK" else flat)
            node.input.insert(1 + index, tensor)
        kept = [attribute for attribute in node.attribute if attribute.name not in names]
        del node.attribute[:]
        node.attribute.extend(kept)
    return True


def fold_parameter_quantizers(model: ModelWrapper) -> bool:
    """Replace quantizers of constants by their values, but for those of weights."""
    weights = {node.input[1] for node in model.graph.node if node.op_type in (*PRODUCTS, "Gemm")}
    for node in list(model.graph.node):  # a Transpose may stand between a quantizer and its product
        if node.op_type in SHAPING and node.output[0] in weights:
            weights.add(node.input[0])
    changed = False
    for node in list(model.graph.node):
        if node.op_type not in QUANTIZERS or node.output[0] in weights:
            continue
        values = [model.get_initializer(name) for name in node.input]
        if any(value is None for value in values):
            continue
        if node.op_type == "BipolarQuant":
            result = binary_quant(*values)
        else:
            bits, signed, narrow, mode = read_quant(model, node)
            width = np.float32(bits)
            result = int_quant(values[0], values[1], values[2], width, signed, narrow, mode)
        model.graph.node.remove(node)
        model.set_initializer(node.output[0], np.asarray(result, np.float32))
        changed = True
    return changed


def split_products(model: ModelWrapper) -> bool:
    """Write Gemm as MatMul, Mul and Add; the bias of a Conv as Add, its padding as Pad."""
    changed = False
    for node in list(model.graph.node):
        if node.op_type == "Gemm":
            _split_gemm(model, node)
        elif node.op_type == "Conv" and (len(node.input) > 2 or any(attribute(node, "pads", []))):
            _split_conv(model, node)
        else:
            continue
        changed = True
    return _own_weights(model) or changed


def _split_gemm(model: ModelWrapper, node: Any) -> None:
    if attribute(node, "transA", 0):
        raise LoweringError(f"node {node.name}: transA is not supported, needs 0")
    alpha, beta = (attribute(node, name, 1.0) for name in ("alpha", "beta"))
    shape = model.get_tensor_shape(node.output[0])
    bias = node.input[2] if len(node.input) > 2 and node.input[2] else None
    transposed = attribute(node, "transB", 0)
    if transposed:
        weights = model.make_new_valueinfo_name()
        made = helper.make_node(
            "Transpose", [node.input[1]], [weights], name=f"{node.name}_weights", perm=[1, 0]
        )
        model.graph.node.insert(index_of(model, node), made)
        node.input[1] = weights
    node.op_type = "MatMul"
    del node.input[2:]
    del node.attribute[:]
    if bias is not None and beta != 0:
        value = read_constant(model, node, bias)
        constant = add_constant(model, f"{node.name}_bias", np.asarray(value * np.float32(beta)))
        insert_behind(model, node.output[0], "Add", [constant], shape)
    if alpha != 1:
        constant = add_constant(model, f"{node.name}_alpha", alpha)
        insert_behind(model, node.output[0], "Mul", [constant], shape)


def _split_conv(model: ModelWrapper, node: Any) -> None:
    shape = model.get_tensor_shape(node.output[0])
    if len(node.input) > 2:
        bias = np.asarray(read_constant(model, node, node.input[2])).reshape(1, -1, 1, 1)
        del node.input[2:]
        constant = add_constant(model, f"{node.name}_bias", bias)
        insert_behind(model, node.output[0], "Add", [constant], shape)
    pads = list(attribute(node, "pads", []))
    if any(pads):
        if len(pads) != 4 or min(pads) < 0:
            raise LoweringError(
                f"node {node.name}: pads {tuple(pads)}, needs 4 numbers of at least 0"
            )
        name, inside = f"{node.name}_pads", model.make_new_valueinfo_name()
        model.set_initializer(name, np.array([0, 0, *pads[:2], 0, 0, *pads[2:]], np.int64))
        inputs = [node.input[0], name, add_constant(model, f"{node.name}_pad_value", 0.0)]
        pad = helper.make_node("Pad", inputs, [inside], name=f"{node.name}_pad", mode="constant")
        model.graph.node.insert(index_of(model, node), pad)
        node.input[0] = inside
        next(a for a in node.attribute if a.name == "pads").ints[:] = [0, 0, 0, 0]


def _own_weights(model: ModelWrapper) -> bool:
    """Give each product a quantizer of its own and turn it where a Transpose follows."""
    changed = False
    for node in [node for node in model.graph.node if node.op_type in PRODUCTS]:
        turns = []
        source = model.find_producer(node.input[1])
        while source is not None and source.op_type in ("Transpose", "Identity"):
            turns.append(source)
            source = model.find_producer(source.input[0])
        origin = turns[-1].input[0] if turns else node.input[1]
        constant = source is None and model.get_initializer(origin) is not None
        if not constant and (source is None or source.op_type not in QUANTIZERS):
            continue
        readers = sum(list(n.input).count(origin) for n in model.graph.node)
        if not turns and (readers == 1 or constant):
            continue
        perms = [
            attribute(turn, "perm", [1, 0]) for turn in turns[::-1] if turn.op_type == "Transpose"
        ]
        inputs = [origin] if source is None else list(source.input)
        rank = np.ndim(model.get_initializer(inputs[0]))
        if any(len(perm) != rank for perm in perms):
            raise LoweringError(
                f"node {node.name}: its weights have {rank} axes, its Transpose others"
            )
        names = []
        for index, name in enumerate(inputs):
            value = np.asarray(read_constant(model, source or node, name))
            if index < 3 and value.ndim and value.size > 1:
                value = value.reshape((1,) * (rank - value.ndim) + value.shape)
                for perm in perms:
                    value = value.transpose(perm)
            stem, dot, last = name.rpartition(".")
            names.append(f"{stem}{dot}{last}" if readers == 1 else f"{node.name}.{index}")
            model.set_initializer(names[-1], np.ascontiguousarray(value))
        if source is None:
            node.input[1] = names[0]
        else:
            made = helper.make_node(
                source.op_type,
                names,
                [f"{node.name}_weights"],
                f"{node.name}_quant",
                domain=source.domain,
            )
            made.attribute.extend(source.attribute)
            if readers == 1:
                made.name = source.name
            model.graph.node.insert(index_of(model, node), made)
            node.input[1] = made.output[0]
        changed = True
    if changed:
        remove_unread(model)
    return changed


def put_constants_second(model: ModelWrapper) -> bool:
    """Write c + x as x + c, c * x as x * c, and c - x as x * -1 + c.

    FINN's streamlining reads the second operand as the constant; it leaves c - x standing.
    """
    changed = False
    for node in list(model.graph.node):
        if node.op_type not in ("Add", "Mul", "Sub"):
            continue
        first, second = node.input
        if model.get_initializer(first) is None or model.get_initializer(second) is not None:
            continue
        node.input[0], node.input[1] = second, first
        if node.op_type == "Sub":
            minus, negated = (
                add_constant(model, f"{node.name}_minus_one", -1.0),
                f"{node.name}_negated",
            )
            model.set_tensor_shape(negated, model.get_tensor_shape(second))
            mul = helper.make_node("Mul", [second, minus], [negated], name=negated)
            model.graph.node.insert(index_of(model, node), mul)
            node.input[0], node.op_type = negated, "Add"
        changed = True
    return changed
