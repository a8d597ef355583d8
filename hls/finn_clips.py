"""Relu and Clip in front of a quantizer, which clips too: gone where that says the same."""

from fractions import Fraction
from typing import Any

from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.general.intquant import max_int, min_int

from sbnn.hls.finn_constants import LoweringError, per_output, positive_scalar, read_constant
from sbnn.hls.finn_edit import add_constant, bypass, clip_limits
from sbnn.hls.finn_levels import rounding_cut
from sbnn.hls.finn_ops import CLIPS
from sbnn.hls.finn_weights import read_quant


def absorb_clips(model: ModelWrapper) -> bool:
    """Take out a Relu or a Clip in front of a Quant; one that ends at 0 makes a signed Quant unsigned.

    Raises:
        LoweringError: a limit between the lowest and the highest level, which no Quant stands for.
    """
    changed = False
    for quant in list(model.graph.node):
        if quant.op_type != "Quant" or model.get_initializer(quant.input[0]) is not None:
            continue
        while (node := model.find_producer(quant.input[0])) is not None:
            if node.op_type not in CLIPS or len(model.find_consumers(node.output[0])) > 1:
                break
            _absorb(model, node, quant)
            bypass(model, node)
            changed = True
    return changed


def _absorb(model: ModelWrapper, node: Any, quant: Any) -> None:
    """Let a quantizer alone do what it does behind a Relu or a Clip."""
    bits, signed, narrow, mode = read_quant(model, quant)
    least, most = (0.0, float("inf")) if node.op_type == "Relu" else clip_limits(model, node)
    low, high = int(min_int(signed, narrow, bits)), int(max_int(signed, narrow, bits))
    scale = positive_scalar(model, quant)
    (zero,) = per_output(read_constant(model, quant, quant.input[2]), 1, quant.name, "zero point")
    if bits == 1 and signed:  # its levels are -1 and +1, from 0 on
        if least < -zero * scale <= most:
            return
    elif most == float("inf") or _reaches(most, high, scale, zero, mode):
        if least == -float("inf") or not _reaches(least, low + 1, scale, zero, mode):
            return
        if least == 0 and zero == 0 and signed and low < 0:
            _set(quant, signed=0, narrow=0)
            quant.input[3] = add_constant(model, f"{quant.name}_bits", bits - 1)
            return
    raise LoweringError(
        f"node {node.name}: {node.op_type} from {least:g} to {most:g} cuts levels of Quant {quant.name} off, "
        "needs a Quant of that range"
    )


def _reaches(value: float, level: int, scale: Fraction, zero: Fraction, mode: str) -> bool:
    """Whether a value becomes at least `level`."""
    place, cut = Fraction(value) / scale + zero, rounding_cut(level, mode)
    return place > cut.at if cut.strict else place >= cut.at


def _set(node: Any, **values: int) -> None:
    kept = [attribute for attribute in node.attribute if attribute.name not in values]
    del node.attribute[:]
    node.attribute.extend(kept)
    node.attribute.extend(helper.make_attribute(name, value) for name, value in values.items())
