"""Weights of few bits as connections: equal to the stored ones for every input, in exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from qonnx.core.modelwrapper import ModelWrapper
from qonnx_graphs import Graph

from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.finn_weights import read_weights

MW, MH = 9, 4


def read(weight, quant=None, **options):
    """Return what is read of a MatMul by a constant, or by a Quant with (scale, zero, bits)."""
    graph = Graph((MW,))
    name = graph.constant("weight", weight)
    if quant is not None:
        inputs = [name, *(graph.constant(f"q{i}", value) for i, value in enumerate(quant))]
        name = graph.node("Quant", inputs, "quant", rounding_mode="ROUND", **options)
    graph.last = graph.node("MatMul", [graph.last, name], "matmul")
    model = ModelWrapper(graph.model(MH))
    return read_weights(model, model.graph.node[-1], MW)


def stands_for(found):
    """Return the (MH, MW) rationals that a form stands for."""
    weight = found.weight.astype(np.int64)
    if found.rails == 2:
        assert not any(found.xi)
        weight = weight[:, :MW] - weight[:, MW:]
    return [
        [(int(w) + xi) * eta for w in row]
        for row, xi, eta in zip(weight, found.xi, found.eta, strict=True)
    ]


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize(("signed", "narrow"), [(0, 0), (1, 0), (1, 1)])
@pytest.mark.parametrize("per_channel", [False, True])
def test_quant(bits, signed, narrow, per_channel):
    rng = np.random.default_rng(bits + 7 * signed + 11 * narrow)
    low = (narrow - 2 ** (bits - 1)) if signed else 0
    high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
    for zero in (0.0, 0.5, -3.0):
        levels = rng.integers(low, high + 1, (MH, MW))
        size = (1, MH) if per_channel else ()
        scale = (rng.uniform(0.1, 2, size) * rng.choice([-1, 1], size)).astype(np.float32)
        stored = (levels.T - zero) * scale
        found = read(stored, (scale, zero, float(bits)), signed=signed, narrow=narrow)
        exact = np.broadcast_to(scale, (1, MH))[0]
        wanted = [
            [(int(q) - Fraction(zero)) * Fraction(float(s)) for q in row]
            for row, s in zip(levels, exact, strict=True)
        ]
        assert stands_for(found) == wanted
        assert found.weight.max() <= 15


def test_signed_weights_take_two_rails_and_unsigned_ones_one():
    signed = np.tile([-3, -1, 0, 2, 3, 0, 1, -2, 3], (MH, 1)).T
    assert read(signed).rails == 2
    found = read(np.abs(signed))
    assert (found.rails, set(found.xi)) == (1, {0})
    assert (found.weight == np.abs(signed).T).all()


def test_floats_on_a_grid():
    rng = np.random.default_rng(3)
    for step in rng.uniform(0.01, 3, 20).astype(np.float32):
        values = rng.integers(-15, 16, (MW, MH))
        values[0] = 15
        stored = values.astype(np.float32) * step
        found = np.array(stands_for(read(stored)), float)
        assert np.array_equal(found.astype(np.float32), stored.T)
    rows = np.float32(rng.integers(-7, 8, (MW, MH))) * np.float32([0.3, 0.7, 1.1, 0.01])
    assert np.array_equal(np.array(stands_for(read(rows)), float).astype(np.float32), rows.T)


def test_refused():
    with pytest.raises(LoweringError) as error:
        read(np.random.default_rng(0).normal(size=(MW, MH)))
    assert str(error.value) == (
        "node matmul: float weights take 9 values in output 0, supported are two values per output, or "
        "multiples of one step up to 15"
    )
