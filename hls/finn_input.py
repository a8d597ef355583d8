"""The way from pixels to the first product as other exporters write it, in the words of ours."""

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.general.intquant import max_int, min_int

from sbnn.hls.finn_constants import LoweringError, read_constant
from sbnn.hls.finn_edit import (
    add_constant,
    attribute,
    bypass,
    clip_limits,
    insert_behind,
    put_in_order,
    scalar_step,
)
from sbnn.hls.finn_ops import AFFINE, CLIPS, QONNX_DOMAIN, QUANTIZERS, RISING, SHAPING
from sbnn.hls.finn_weights import read_quant
from sbnn.hls.network import MAX_WEIGHTS

PIXELS = 256
ONLY = "supported are 2 to 16 levels, or 8-bit pixels times a scale"


def adapt_input(model: ModelWrapper, divisor: int | None) -> bool:
    """Let a graph take one uint8 image, rows first and channels last.

    Args:
        model: the raw graph.
        divisor: the graph takes pixel / divisor, such as 255 behind torchvision's ToTensor; None where the
            file itself says that it takes UINT8.

    Raises:
        LoweringError: several inputs or outputs, or an input whose meaning is not known.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    if len(inputs) != 1:
        raise LoweringError(f"graph has {len(inputs)} inputs, needs one, the image")
    (value,) = inputs
    kind = value.type.tensor_type
    shape = _image_shape(value)
    if kind.elem_type not in (TensorProto.FLOAT, TensorProto.UINT8):
        found = kind.elem_type
        known = found in TensorProto.DataType.values()
        named = TensorProto.DataType.Name(found) if known else f"type {found}"
        raise LoweringError(f"graph input {value.name} holds {named}, needs FLOAT or UINT8")
    annotated = model.get_tensor_datatype(value.name).name
    is_pixels = annotated == "UINT8" or kind.elem_type == TensorProto.UINT8
    if not is_pixels and (divisor is None or annotated != "FLOAT32"):
        raise LoweringError(
            f"graph input {value.name} has the datatype {annotated}, needs UINT8 pixels; say --divide 255 "
            "where it takes pixel / 255, --divide 1 where it takes pixels"
        )
    changed = kind.elem_type != TensorProto.FLOAT or not is_pixels
    kind.elem_type = TensorProto.FLOAT
    if not kind.shape.dim[0].HasField("dim_value"):
        kind.shape.dim[0].dim_value = 1
        changed = True
    model.set_tensor_datatype(value.name, DataType["UINT8"])
    if not is_pixels and divisor not in (None, 1):
        constant = add_constant(model, f"{value.name}_divisor", float(divisor or 1))
        insert_behind(model, value.name, "Div", [constant], shape)
    if len(shape) == 4 and (shape[1] == 1 or _feeds_conv(model, value.name)):
        _take_channels_last(model, value, shape)
        changed = True
    return bool(changed)


def _image_shape(value: Any) -> tuple[int, ...]:
    """Return the shape of a graph input; a batch size that is left open counts as 1."""
    dims = value.type.tensor_type.shape.dim
    shape = [dim.dim_value for dim in dims]
    if dims and not dims[0].HasField("dim_value"):
        shape[0] = 1
    if not shape or any(n < 1 for n in shape):
        names = ", ".join(dim.dim_param or str(dim.dim_value or "?") for dim in dims)
        raise LoweringError(f"graph input {value.name} has the shape ({names}), needs fixed sizes")
    if math.prod(shape) > MAX_WEIGHTS:
        raise LoweringError(f"graph input {value.name} has the shape {tuple(shape)}, too large")
    return tuple(shape)


def _feeds_conv(model: ModelWrapper, tensor: str) -> bool:
    """Whether a Conv reads an input's axes as they are."""
    passed = {
        *AFFINE,
        *QUANTIZERS,
        *RISING,
        "Pad",
        "Identity",
        "Cast",
        "Dropout",
        "MultiThreshold",
        "MaxPool",
    }
    for _ in model.graph.node:
        consumers = [node for node in model.graph.node if tensor in node.input]
        if len(consumers) != 1:
            return False
        if consumers[0].op_type == "Conv":
            return True
        if consumers[0].op_type not in passed:
            return False
        tensor = consumers[0].output[0]
    return False


def _take_channels_last(model: ModelWrapper, value: Any, shape: tuple[int, ...]) -> None:
    """Make (1, C, H, W) the inside of a graph whose input is (1, H, W), or (1, H, W, C)."""
    _, channels, rows, columns = shape
    dims = value.type.tensor_type.shape.dim
    if channels == 1:
        del dims[1]
        name = f"{value.name}_map_shape"
        model.set_initializer(name, np.array(shape, np.int64))
        insert_behind(model, value.name, "Reshape", [name], shape)
    else:
        for dim, size in zip(dims[1:], (rows, columns, channels), strict=True):
            dim.dim_value = size
        insert_behind(model, value.name, "Transpose", [], shape, perm=[0, 3, 1, 2])


def take_pixels(model: ModelWrapper) -> bool:
    """Write what makes bits of pixels as one comparison, what only scales them as Mul and Add.

    Every pixel is followed exactly, so any quantizer or clip may stand there. A chain of scalings and a
    BipolarQuant that is on for bright pixels stays as it is. A quantizer of 3 to 16 levels becomes a layer of
    its own: a Conv that gives each pixel as it is, in front of it.

    Raises:
        LoweringError: the pixels become more than two levels that are no scaling of them.
    """
    values = [Fraction(pixel) for pixel in range(PIXELS)]
    tensor, passed, plain = model.graph.input[0].name, [], True
    for _ in model.graph.node:
        consumers = [node for node in model.graph.node if tensor in node.input]
        if len(consumers) != 1:
            return False
        (node,) = consumers
        if node.op_type in AFFINE[:-1]:
            step = scalar_step(model, node)
            if step is None:
                return False
            values = [_apply(step, value) for value in values]
        elif node.op_type in (*QUANTIZERS, "MultiThreshold", *CLIPS):
            values = _levels(model, node, values)
            plain &= node.op_type == "BipolarQuant"
        elif node.op_type not in SHAPING:
            break
        tensor = node.output[0]
        if node.op_type in SHAPING:
            continue
        passed.append(node)
        if node.op_type not in (*CLIPS, *AFFINE) and len(set(values)) <= 2:
            return _write_bits(model, passed, values, plain)
    if not plain and passed[-1].op_type in ("Quant", "MultiThreshold") and len(set(values)) <= 16:
        return _give_a_layer(model, passed)
    return not plain and _write_scaling(model, passed, values)


def _apply(step: tuple[str, Fraction], value: Fraction) -> Fraction:
    operation, c = step
    if operation == "Add":
        return value + c
    if operation == "Sub":
        return value - c
    return value * c if operation == "Mul" else value / c


def _levels(model: ModelWrapper, node: Any, values: Sequence[Fraction]) -> list[Fraction]:
    """Return what a quantizer or a clip makes of each value."""
    if node.op_type == "Relu":
        return [max(value, Fraction(0)) for value in values]
    if node.op_type == "Clip":
        least, most = clip_limits(model, node)
        if not (math.isfinite(least) and math.isfinite(most)):
            raise LoweringError(
                f"node {node.name}: clips pixels at one side, needs two finite limits"
            )
        return [min(max(value, Fraction(least)), Fraction(most)) for value in values]
    constants = [
        np.asarray(read_constant(model, node, name)).reshape(-1) for name in node.input[1:]
    ]
    if not all(np.isfinite(constant).all() for constant in constants):
        raise LoweringError(f"node {node.name}: a parameter is not finite")
    if node.op_type == "MultiThreshold":
        scale = Fraction(attribute(node, "out_scale", 1.0))
        bias = Fraction(attribute(node, "out_bias", 0.0))
        limits = [Fraction(float(limit)) for limit in constants[0]]
        return [scale * sum(value >= limit for limit in limits) + bias for value in values]
    if any(constant.size != 1 for constant in constants):
        raise LoweringError(f"node {node.name}: quantizes pixels per channel, {ONLY}")
    s = Fraction(float(constants[0][0]))
    if s <= 0:
        raise LoweringError(f"node {node.name}: scale {float(s)!r} is not positive")
    if node.op_type == "BipolarQuant":
        return [s if value >= 0 else -s for value in values]
    zero = Fraction(float(constants[1][0]))
    bits, signed, narrow, mode = read_quant(model, node)
    if bits == 1 and signed:
        return [((1 if value / s + zero >= 0 else -1) - zero) * s for value in values]
    low, high = min_int(signed, narrow, bits), max_int(signed, narrow, bits)
    clipped = [min(max(value / s + zero, Fraction(low)), Fraction(high)) for value in values]
    return [(_rounded(value, mode) - zero) * s for value in clipped]


def _rounded(value: Fraction, mode: str) -> int:
    """Return qonnx's rounding of an exact value."""
    size, sign = abs(value), 1 if value >= 0 else -1
    half = Fraction(1, 2)
    return {
        "CEIL": math.ceil(value),
        "FLOOR": math.floor(value),
        "UP": sign * math.ceil(size),
        "DOWN": math.trunc(value),
        "HALF_UP": sign * math.floor(size + half),
        "HALF_DOWN": sign * math.ceil(size - half),
    }.get(mode, round(value))


def _write_bits(
    model: ModelWrapper, passed: Sequence[Any], values: Sequence[Fraction], plain: bool
) -> bool:
    """Replace the nodes by a comparison and what the two levels are."""
    dark, bright = values[0], values[-1]
    turns = [i for i in range(1, PIXELS) if values[i] != values[i - 1]]
    last = passed[-1]
    if len(turns) != 1:
        what = "the same for every pixel" if not turns else f"different at {len(turns)} thresholds"
        raise LoweringError(
            f"node {last.name}: its bits are {what}, needs one threshold between dark and bright"
        )
    if plain and dark < bright:
        return False
    tensor = _drop(model, passed)
    shape = model.get_tensor_shape(tensor)
    half, middle = (bright - dark) / 2, (bright + dark) / 2
    centre = add_constant(model, f"{last.name}_threshold", turns[0] - 0.5)
    steps = [("Sub", centre), ("BipolarQuant", add_constant(model, f"{last.name}_one", 1.0))]
    steps += [("Mul", add_constant(model, f"{last.name}_half", float(half)))] if half != 1 else []
    steps += [("Add", add_constant(model, f"{last.name}_middle", float(middle)))] if middle else []
    for operation, constant in steps:
        made = insert_behind(model, tensor, operation, [constant], shape)
        if operation == "BipolarQuant":
            made.name, made.domain = last.name, QONNX_DOMAIN
        tensor = made.output[0]
    return True


def _give_a_layer(model: ModelWrapper, passed: Sequence[Any]) -> bool:
    """Put a Conv of 1 x 1 and weight 1 in front of the nodes, where the pixels are a map."""
    tensor, shaping = model.graph.input[0].name, []
    while len(model.get_tensor_shape(tensor)) != 4:
        (node,) = [node for node in model.graph.node if tensor in node.input]
        if node.op_type not in SHAPING:
            raise LoweringError(
                f"node {passed[-1].name}: makes few levels of pixels that are no map, {ONLY}"
            )
        tensor = node.output[0]
    source, channels = tensor, model.get_tensor_shape(tensor)[1]
    while tensor != passed[-1].output[0]:
        (node,) = [node for node in model.graph.node if tensor in node.input]
        shaping += [node] if node.op_type in SHAPING else []
        tensor = node.output[0]
    readers = [node for node in model.graph.node if tensor in node.input]
    name = f"{passed[-1].name}_pixels"
    identity = add_constant(model, name, np.eye(channels).reshape(channels, channels, 1, 1))
    conv = helper.make_node("Conv", [source, identity], [f"{name}_out"], name, kernel_shape=[1, 1])
    model.graph.node.insert(0, conv)
    ordered, last = [model.graph.node[0], *passed, *shaping], source
    for node in ordered:
        node.input[0], last = last, node.output[0]
    for reader in readers:
        reader.input[list(reader.input).index(tensor)] = last
    put_in_order(model, ordered)
    return True


def _write_scaling(model: ModelWrapper, passed: Sequence[Any], values: Sequence[Fraction]) -> bool:
    """Replace the nodes by one Mul and one Add."""
    scale, shift = values[1] - values[0], values[0]
    wrong = [i for i, value in enumerate(values) if value != scale * i + shift]
    if wrong:
        count = len(set(values))
        raise LoweringError(f"node {passed[-1].name}: makes {count} levels of pixels, {ONLY}")
    name, tensor = passed[-1].name, _drop(model, passed)
    shape = model.get_tensor_shape(tensor)
    mul = insert_behind(
        model, tensor, "Mul", [add_constant(model, f"{name}_scale", float(scale))], shape
    )
    if shift:
        constant = add_constant(model, f"{name}_shift", float(shift))
        insert_behind(model, mul.output[0], "Add", [constant], shape)
    return True


def _drop(model: ModelWrapper, nodes: Sequence[Any]) -> str:
    """Remove nodes from the chain of the input; return the tensor that stands in their place."""
    tensor: str = nodes[-1].input[0]
    for node in nodes:
        source, output = node.input[0], node.output[0]
        if not bypass(model, node):
            raise LoweringError(
                f"node {node.name}: ends the graph, needs a MatMul that gives scores"
            )
        if tensor == output:
            tensor = source
    return tensor
