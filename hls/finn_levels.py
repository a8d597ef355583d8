"""Activations of a few levels: what a Quant or a MultiThreshold makes of a sum, as exact cuts."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from qonnx.custom_op.general.intquant import max_int, min_int

from sbnn.hls.finn_constants import LoweringError, per_output, positive_scalar, read_constant
from sbnn.hls.finn_edit import attribute
from sbnn.hls.finn_weights import read_quant
from sbnn.hls.thresholds import BITS, SIGN, Affine, Cut

MOST_LEVELS = 15  # cuts of an activation of 4 bits
HALF = Fraction(1, 2)


@dataclass(frozen=True, eq=False)
class Activation:
    """What an activation makes of a sum: the number of cuts that it reaches, and what that stands for.

    Attributes:
        cuts: one ascending row of cuts per output.
        levels: what the number of cuts stands for, apart from `scale`.
        scale: positive; of bits, whose levels are -1 and +1.
    """

    cuts: tuple[tuple[Cut, ...], ...]
    levels: Affine
    scale: Fraction = Fraction(1)

    @property
    def bits(self) -> int:
        """Bits of the number of cuts."""
        return len(self.cuts[0]).bit_length()


def read_activation(model: Any, node: Any, outputs: int) -> Activation:
    """Return what a BipolarQuant, a Quant of 2 to 4 bits or a MultiThreshold does to `outputs` channels.

    Raises:
        LoweringError: no single scale, more than 16 levels, or a parameter that is not finite.
    """
    if node.op_type == "BipolarQuant":
        return Activation((SIGN,) * outputs, BITS, positive_scalar(model, node))
    if node.op_type == "MultiThreshold":
        return _read_thresholds(model, node, outputs)
    bits, signed, narrow, mode = read_quant(model, node)
    low, high = (int(end(signed, narrow, bits)) for end in (min_int, max_int))
    if not 1 <= high - low <= MOST_LEVELS:
        raise LoweringError(
            f"node {node.name}: activations of {bits} bits are not supported, needs 1 to 4 bits"
        )
    for name, what in zip(node.input[1:3], ("scale", "zero point"), strict=True):
        size = read_constant(model, node, name).size
        if size != 1:
            raise LoweringError(f"node {node.name}: has {size} {what}s, needs one")
    scale = positive_scalar(model, node)
    (zero,) = per_output(read_constant(model, node, node.input[2]), 1, node.name, "zero point")
    cuts = tuple(
        Cut((cut.at - zero) * scale, cut.strict)
        for cut in (rounding_cut(level, mode) for level in range(low + 1, high + 1))
    )
    return Activation((cuts,) * outputs, Affine(scale, (low - zero) * scale))


def _read_thresholds(model: Any, node: Any, outputs: int) -> Activation:
    limits = np.asarray(read_constant(model, node, node.input[1]))
    if limits.ndim != 2 or limits.shape[0] not in (1, outputs):
        raise LoweringError(
            f"node {node.name}: thresholds have the shape {limits.shape}, needs (1, levels) or "
            f"({outputs}, levels)"
        )
    if not 1 <= limits.shape[1] <= MOST_LEVELS:
        raise LoweringError(
            f"node {node.name}: activations of {limits.shape[1] + 1} levels are not supported, needs 2 to 16"
        )
    if not np.isfinite(limits).all():
        raise LoweringError(f"node {node.name}: a threshold is not finite")
    scale, bias = attribute(node, "out_scale", 1.0), attribute(node, "out_bias", 0.0)
    if not (np.isfinite(scale) and np.isfinite(bias) and scale > 0):
        raise LoweringError(f"node {node.name}: out_scale {scale!r} is not positive")
    rows = [tuple(Cut(Fraction(float(limit))) for limit in sorted(row)) for row in limits]
    cuts = tuple(rows * outputs) if len(rows) == 1 else tuple(rows)
    return Activation(cuts, Affine(Fraction(scale), Fraction(bias)))


def rounding_cut(level: int, mode: str) -> Cut:
    """Return from which value on a rounding mode of qonnx gives at least `level`."""
    half, below = level - HALF, Fraction(level - 1)
    return {
        "CEIL": Cut(below, strict=True),
        "FLOOR": Cut(Fraction(level)),
        "UP": Cut(below, strict=True) if level > 0 else Cut(Fraction(level)),
        "DOWN": Cut(Fraction(level)) if level > 0 else Cut(below, strict=True),
        "HALF_UP": Cut(half, strict=level <= 0),
        "HALF_DOWN": Cut(half, strict=level > 0),
    }.get(mode, Cut(half, strict=level % 2 == 1))
