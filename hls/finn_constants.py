"""Constants of a QONNX graph, read exactly: the rationals of its stored floats."""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbnn.hls.thresholds import Stage
from sbnn.train.errors import UserError

EPSILON = float(np.float32(1e-5))  # ONNX's default, as the float32 it is


class LoweringError(UserError):
    """The graph cannot become an integer network; names the node and what is supported."""


def read_stages(model: Any, node: Any, outputs: int, axis: int = -1) -> tuple[Stage, ...]:
    """Return an affine node as one exact stage per output; constants lie along the tensor's `axis`."""
    if node.op_type == "BatchNormalization":
        gamma, beta, mean, var = (
            per_output(read_constant(model, node, name), outputs, node.name, "parameter")
            for name in node.input[1:5]
        )
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), EPSILON)
        if not np.isfinite(epsilon):
            raise LoweringError(f"node {node.name}: epsilon is not finite")
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
