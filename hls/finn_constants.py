"""Constants of a QONNX graph, read exactly: the rationals of its stored floats."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbnn.hls.layer import BoolArray
from sbnn.hls.thresholds import Stage
from sbnn.train.errors import UserError

EPSILON = float(np.float32(1e-5))  # ONNX's default, as the float32 it is


class LoweringError(UserError):
    """The graph cannot become an integer network; names the node and what is supported."""


@dataclass(frozen=True, eq=False)
class Weights:
    """Two-level weights (w01 + xi) * eta.

    Attributes:
        w01: (MH, ...) bool, outputs first, the other axes as stored.
        xi: MH rationals, minus the stored zero point.
        eta: MH positive rationals, the stored scale.
    """

    w01: BoolArray
    xi: tuple[Fraction, ...]
    eta: tuple[Fraction, ...]


def read_weights(model: Any, node: Any, inputs: int) -> Weights:
    """Return the weights of a MatMul (inputs, outputs), or of a Conv (outputs, channels, rows, columns).

    Args:
        model: the graph.
        node: the MatMul or Conv.
        inputs: rows of the MatMul's weights, or channels of the Conv's.
    """
    quant = model.find_producer(node.input[1])
    if quant is None or quant.op_type not in ("Quant", "BipolarQuant"):
        what = "float weights" if quant is None else f"weights from {quant.op_type} {quant.name}"
        raise LoweringError(
            f"node {node.name}: has {what}, needs a Quant of 1 bit or a BipolarQuant"
        )
    constants = [model.get_initializer(name) for name in quant.input]
    if any(constant is None for constant in constants):
        raise LoweringError(f"node {quant.name}: its inputs are not all constants")
    latent, scale = constants[0], constants[1]
    conv = node.op_type == "Conv"
    axes, place = (4, 1) if conv else (2, 0)
    if latent.ndim != axes or latent.shape[place] != inputs:
        needed = f"(outputs, {inputs}, rows, columns)" if conv else f"({inputs}, outputs)"
        raise LoweringError(
            f"node {node.name}: weights have the shape {latent.shape}, needs {needed}"
        )
    axis = 0 if conv else 1
    mh = latent.shape[axis]
    eta = per_output(scale, mh, quant.name, "scale", axis - axes)
    if min(eta) <= 0:
        raise LoweringError(f"node {quant.name}: scale {float(min(eta))!r} is not positive")
    if quant.op_type == "BipolarQuant":
        half = Fraction(1, 2)
        ones = np.moveaxis(latent, axis, 0) >= 0
        return Weights(ones, (-half,) * mh, tuple(2 * value for value in eta))
    attributes = {attribute.name: attribute for attribute in quant.attribute}
    bits = float(np.max(constants[3]))
    if bits != 1 or attributes["signed"].i != 0:
        kind = "signed" if attributes["signed"].i else "unsigned"
        raise LoweringError(
            f"node {quant.name}: weights are {bits:g} bit {kind}, needs 1 bit unsigned"
        )
    zero = per_output(constants[2], mh, quant.name, "zero point", axis - axes)
    # qonnx's own arithmetic: int_quant in float32, then the clip to [0, 1].
    levels = np.rint(latent / scale + constants[2])
    ones = np.moveaxis(np.clip(levels, 0, 1) > 0, axis, 0)
    return Weights(ones, tuple(-value for value in zero), eta)


def read_stages(model: Any, node: Any, outputs: int, axis: int = -1) -> tuple[Stage, ...]:
    """Return an affine node as one exact stage per output; constants lie along the tensor's `axis`."""
    if node.op_type == "BatchNormalization":
        gamma, beta, mean, var = (
            per_output(read_constant(model, node, name), outputs, node.name, "parameter")
            for name in node.input[1:5]
        )
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), EPSILON)
        return tuple(
            Stage(scale=g, pre=-m, variance=v + Fraction(epsilon), post=b)
            for g, b, m, v in zip(gamma, beta, mean, var, strict=True)
        )
    values = per_output(
        read_constant(model, node, node.input[1]), outputs, node.name, "constant", axis
    )
    if node.op_type == "Div" and 0 in values:
        raise LoweringError(f"node {node.name}: Div by 0")
    return tuple(_affine(node.op_type, value) for value in values)


def _affine(operation: str, c: Fraction) -> Stage:
    if operation == "Add":
        return Stage(post=c)
    if operation == "Sub":
        return Stage(pre=-c)
    return Stage(scale=c if operation == "Mul" else 1 / c)


def read_constant(model: Any, node: Any, tensor: str) -> NDArray[Any]:
    """Return an initializer that a node needs."""
    value = model.get_initializer(tensor)
    if value is None:
        raise LoweringError(f"node {node.name}: {node.op_type} needs a constant operand")
    return np.asarray(value)


def per_output(
    value: NDArray[np.float32], outputs: int, node: str, what: str, axis: int = -1
) -> tuple[Fraction, ...]:
    """Return one exact rational per output of a scalar, or of an array along `axis`, from the end."""
    flat = np.asarray(value).reshape(-1)
    if not np.isfinite(flat).all():
        raise LoweringError(f"node {node}: {what} is not finite")
    shape = np.shape(value)
    along = len(shape) >= -axis and shape[axis] == outputs
    if flat.size != 1 and not (flat.size == outputs and along):
        raise LoweringError(
            f"node {node}: {what} has the shape {shape}, needs one value or {outputs}"
        )
    rationals = [Fraction(float(x)) for x in flat]
    return tuple(rationals * outputs if flat.size == 1 else rationals)


def positive_scalar(model: Any, node: Any) -> Fraction:
    """Return the scale of an activation's BipolarQuant."""
    (scale,) = per_output(read_constant(model, node, node.input[1]), 1, node.name, "scale")
    if scale <= 0:
        raise LoweringError(f"node {node.name}: scale {float(scale)!r} is not positive")
    return scale
