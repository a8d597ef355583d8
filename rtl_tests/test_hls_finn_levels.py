"""Activations of a few levels as cuts, against qonnx's own quantizers."""

from fractions import Fraction

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.general.intquant import int_quant, resolve_rounding_mode
from qonnx.custom_op.general.multithreshold import multithreshold
from qonnx_graphs import Graph

from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.finn_levels import read_activation, rounding_cut

MODES = ("ROUND", "HALF_EVEN", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")
EIGHTHS = np.arange(-160, 161) / np.float32(8)  # all of them exact in float32, many of them ties


def activation(op, *constants, outputs=3, **attributes):
    """Return what is read of one node that `outputs` values pass."""
    graph = Graph((outputs,))
    graph.then(op, "act", *constants, **attributes)
    graph.nodes[-1].domain = "qonnx.custom_op.general"
    model = ModelWrapper(graph.model(outputs))
    return read_activation(model, model.graph.node[0], outputs)


def output(found, row, value):
    """Return what an activation gives for a value, by its cuts."""
    cuts = found.cuts[row]
    assert list(cuts) == sorted(cuts, key=lambda cut: (cut.at, cut.strict))
    reached = sum(value > cut.at or (value == cut.at and not cut.strict) for cut in cuts)
    return found.scale * (found.levels.scale * reached + found.levels.shift)


@pytest.mark.parametrize("mode", MODES)
def test_rounding_modes_are_those_of_qonnx(mode):
    rounded = resolve_rounding_mode(mode)(EIGHTHS)
    for level in range(-9, 10):
        cut = rounding_cut(level, mode)
        reached = float(cut.at) < EIGHTHS if cut.strict else float(cut.at) <= EIGHTHS
        assert np.array_equal(rounded >= level, reached), level


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize(("signed", "narrow"), [(0, 0), (1, 0), (1, 1), (0, 1)])
@pytest.mark.parametrize("mode", ["ROUND", "FLOOR", "HALF_UP"])
def test_quant(bits, signed, narrow, mode):
    width = np.float32(bits)
    for scale, zero in ((0.5, 0.0), (2.0, 1.0), (0.25, -0.5)):
        found = activation(
            "Quant", scale, zero, float(bits), signed=signed, narrow=narrow, rounding_mode=mode
        )
        wanted = int_quant(
            EIGHTHS, np.float32(scale), np.float32(zero), width, signed, narrow, mode
        )
        assert [float(output(found, 1, Fraction(float(x)))) for x in EIGHTHS] == wanted.tolist()
        assert found.bits == bits
        assert len(found.cuts[0]) == 2**bits - 1 - narrow


def test_multithreshold_per_channel():
    limits = np.array([[-3, 0, 2.5], [1, -1, 1], [4, 5, 6]], np.float32)  # in any order
    options = {"out_scale": 0.75, "out_bias": -1.0, "out_dtype": "UINT2"}
    found = activation("MultiThreshold", limits, **options)
    values = np.repeat(EIGHTHS[:, None], 3, axis=1)
    wanted = multithreshold(values, limits, 0.75, -1.0)
    for x, row in zip(EIGHTHS, wanted, strict=True):
        assert [float(output(found, j, Fraction(float(x)))) for j in range(3)] == row.tolist()
    one = activation("MultiThreshold", limits[:1], **options)
    assert one.cuts == (found.cuts[0],) * 3


@pytest.mark.parametrize(
    ("op", "constants", "options", "sentence"),
    [
        (
            "Quant",
            (1.0, 0.0, 5.0),
            {},
            "activations of 5 bits are not supported, needs 1 to 4 bits",
        ),
        ("Quant", ([1.0, 2.0], 0.0, 2.0), {}, "has 2 scales, needs one"),
        ("Quant", (-1.0, 0.0, 2.0), {}, "scale -1.0 is not positive"),
        ("MultiThreshold", (np.ones((2, 2)),), {}, "thresholds have the shape (2, 2), needs"),
        ("MultiThreshold", (np.ones((1, 16)),), {}, "activations of 17 levels are not supported"),
        ("MultiThreshold", ([[np.inf]],), {}, "a threshold is not finite"),
        ("MultiThreshold", ([[1.0]],), {"out_scale": 0.0}, "out_scale 0.0 is not positive"),
    ],
)
def test_refused(op, constants, options, sentence):
    with pytest.raises(LoweringError) as error:
        activation(op, *constants, **options)
    assert str(error.value).startswith(f"node act: {sentence}")
