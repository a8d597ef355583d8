"""Activations of 1 bit as other exporters write them, in the words of ours; each pass keeps every value."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from sbnn.hls.finn_constants import LoweringError, read_constant
from sbnn.hls.finn_edit import (
    add_constant,
    attribute,
    bypass,
    chain,
    clip_limits,
    index_of,
    insert_behind,
    put_in_order,
    scalar_step,
)
from sbnn.hls.finn_levels import rounding_cut
from sbnn.hls.finn_ops import AFFINE, PRODUCTS, RISING
from sbnn.hls.finn_weights import read_quant

Steps = Sequence[tuple[str, Any]]


def remove_identities(model: ModelWrapper) -> bool:
    """Take out what changes no value: Identity, Dropout, Cast to float, rising functions before a sign."""
    changed = False
    for node in list(model.graph.node):
        if node.op_type in ("Identity", "Dropout") or (
            node.op_type == "Cast" and attribute(node, "to", 0) == TensorProto.FLOAT
        ):
            changed |= bypass(model, node)
    for sign in model.get_nodes_by_op_type("BipolarQuant"):
        node = model.find_producer(sign.input[0])
        while node is not None and node.op_type in RISING and _through_zero(model, node):
            if not bypass(model, node):
                break
            changed = True
            node = model.find_producer(sign.input[0])
    return changed


def _through_zero(model: ModelWrapper, node: Any) -> bool:
    """Whether a function is >= 0 exactly where its argument is."""
    if node.op_type in ("LeakyRelu", "Elu", "Selu"):
        return all(a.f > 0 for a in node.attribute)
    if node.op_type != "Clip":
        return True
    low, high = clip_limits(model, node)
    return bool(low < 0 <= high)


def write_signs(model: ModelWrapper) -> bool:
    """Write activations of two levels as BipolarQuant: 1-bit Quant, MultiThreshold of one threshold."""
    changed = False
    for node in list(model.graph.node):
        if node.op_type == "MultiThreshold":
            if np.shape(read_constant(model, node, node.input[1]))[1:] != (1,):
                continue
            _write_threshold(model, node)
        elif node.op_type == "Quant" and model.get_initializer(node.input[0]) is None:
            if read_quant(model, node)[0] != 1:
                continue
            _write_quant(model, node)
        else:
            continue
        changed = True
    return changed


def _write_threshold(model: ModelWrapper, node: Any) -> None:
    limits = np.asarray(read_constant(model, node, node.input[1]))
    scale, bias = attribute(node, "out_scale", 1.0), attribute(node, "out_bias", 0.0)
    if not (np.isfinite(scale) and np.isfinite(bias) and scale > 0):
        raise LoweringError(f"node {node.name}: out_scale {scale!r} is not positive")
    axes = len(model.get_tensor_shape(node.input[0]) or ())
    first = axes == 4 and attribute(node, "data_layout", b"NCHW") == b"NCHW"
    limit = limits.reshape(1, -1, 1, 1) if first and limits.size > 1 else limits.reshape(-1)
    before = [("Sub", limit)]
    behind = [("Mul", np.float32(scale / 2)), ("Add", np.float32(scale / 2 + bias))]
    _replace_by_sign(model, node, before, behind)


def _write_quant(model: ModelWrapper, node: Any) -> None:
    _, signed, narrow, mode = read_quant(model, node)
    if narrow and not signed:
        raise LoweringError(f"node {node.name}: has one level, 0; needs at least two")
    scale, zero = (np.asarray(read_constant(model, node, name)) for name in node.input[1:3])
    if scale.size != 1 or zero.size != 1 or not np.isfinite([*scale.flat, *zero.flat]).all():
        raise LoweringError(f"node {node.name}: needs one finite scale and zero point")
    s, z = np.float32(scale.reshape(-1)[0]), np.float32(zero.reshape(-1)[0])
    if s <= 0:
        raise LoweringError(f"node {node.name}: scale {float(s)!r} is not positive")
    before = [("Div", s), ("Add", z)]
    if signed:
        _replace_by_sign(model, node, before, [("Sub", z), ("Mul", s)])
        return
    cut = rounding_cut(1, mode)
    before.append(("Sub", np.float32(float(cut.at))))
    half = np.float32(-0.5 if cut.strict else 0.5)
    if cut.strict:  # above the limit is not at most it: a sign that is turned on both sides
        before.append(("Mul", np.float32(-1)))
    behind = [("Mul", half), ("Add", np.float32(0.5)), ("Sub", z), ("Mul", s)]
    _replace_by_sign(model, node, before, behind)


def _replace_by_sign(model: ModelWrapper, node: Any, before: Steps, behind: Steps) -> None:
    """Put steps, a BipolarQuant and steps in the place of a node; steps that change nothing are left out."""
    shape, name = model.get_tensor_shape(node.output[0]), node.name
    sign = (("BipolarQuant", np.float32(1)),)
    tensor, index = node.input[0], index_of(model, node)
    steps = [
        (op, value)
        for op, value in (*before, *sign, *behind)
        if op == "BipolarQuant" or (np.asarray(value) != (op in ("Mul", "Div"))).any()
    ]
    model.graph.node.remove(node)
    for count, (op, value) in enumerate(steps):
        last = count == len(steps) - 1
        output = node.output[0] if last else model.make_new_valueinfo_name()
        label = name if op == "BipolarQuant" else f"{name}_{op.lower()}{count}"
        inputs = [tensor, add_constant(model, f"{name}_{count}", value)]
        domain = node.domain if op == "BipolarQuant" else ""
        made = helper.make_node(op, inputs, [output], name=label, domain=domain)
        model.graph.node.insert(index + count, made)
        model.set_tensor_shape(output, shape)
        tensor = output


def scale_at_products(model: ModelWrapper) -> bool:
    """Move what scales and shifts bits behind pads, pools and reshapings, right before the product.

    Pads and pools then see bits; the scale of the BipolarQuant becomes a Mul where other steps follow it.
    """
    changed = False
    while any(_move_steps(model, sign) for sign in model.get_nodes_by_op_type("BipolarQuant")):
        changed = True
    return changed


def _move_steps(model: ModelWrapper, sign: Any) -> bool:
    """Do so behind one BipolarQuant."""
    behind = list(chain(model, sign.output[0]))
    steps = [node for node in behind if node.op_type in AFFINE[:-1]]
    weight = model.get_initializer(sign.input[0]) is not None
    if weight or not steps or behind[-1].op_type not in PRODUCTS:
        return False
    scale = np.asarray(read_constant(model, sign, sign.input[1])).reshape(-1)
    if scale.size == 1 and scale[0] != 1:
        constant, shape = sign.input[1], model.get_tensor_shape(sign.output[0])
        sign.input[1] = add_constant(model, f"{sign.name}_unit", 1.0)
        insert_behind(model, sign.output[0], "Mul", [constant], shape)
        return True
    values = {node.name: scalar_step(model, node) for node in steps}
    others = [node for node in behind[:-1] if node.name not in values]
    ordered = [*others, *steps]
    if None in values.values() or ordered == behind[:-1]:
        return False
    low, rising = Fraction(-1), True  # what the bit 0 stands for where the walk has come to
    for node in behind[:-1]:
        step = values.get(node.name)
        if step is not None:
            operation, c = step
            if operation in ("Mul", "Div"):
                low, rising = (low * c if operation == "Mul" else low / c), rising ^ (c < 0)
            else:
                low += c if operation == "Add" else -c
        elif node.op_type == "MaxPool" and not rising:
            raise LoweringError(
                f"node {node.name}: MaxPool of bits that are rounded half to even or scaled by less than 0 "
                "is not supported, needs a BipolarQuant"
            )
        elif node.op_type == "Pad" and low != -1:
            _repad(model, node, low)
    tensor = sign.output[0]
    for node in ordered:
        node.input[0] = tensor
        tensor = node.output[0]
    behind[-1].input[0] = tensor
    put_in_order(model, [sign, *ordered, behind[-1]])
    return True


def _repad(model: ModelWrapper, pad: Any, low: Fraction) -> None:
    """Let a Pad in front of the steps pad with the bit 0, if it padded with what they make of it."""
    value = Fraction(0)
    if len(pad.input) > 2 and pad.input[2]:
        stored = np.asarray(read_constant(model, pad, pad.input[2])).reshape(-1)
        value = Fraction(float(stored[0])) if stored.size == 1 and np.isfinite(stored[0]) else value
    if np.float32(float(value)) != np.float32(float(low)):
        raise LoweringError(
            f"node {pad.name}: pads with {float(value)!r}, needs {float(low)!r}, the lowest value of what it "
            "pads"
        )
    constant = add_constant(model, f"{pad.name}_bit", -1.0)
    if len(pad.input) > 2:
        pad.input[2] = constant
    else:
        pad.input.append(constant)
