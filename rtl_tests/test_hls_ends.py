"""Adders and tables reach a threshold exactly where the sum does, in cells that the fabric has."""

import numpy as np
import pytest
from circuits import evaluate

from sbnn.hls.circuit import Circuit
from sbnn.hls.ends import decide, plan
from sbnn.hls.fabric import LUT4, LUT6, Fabric, fabric_of
from sbnn.hls.sharing import Request, share

FABRICS = {"lut4": LUT4, "lut6": LUT6}


def build(heights: tuple[int, ...], need: int, invert: bool, fabric: Fabric) -> tuple[Circuit, int]:
    """Return a circuit over the bits of all columns, the lowest first, and its output."""
    bits = iter(range(sum(heights)))
    columns = tuple(tuple(2 * next(bits) for _ in range(height)) for height in heights)
    made = plan(heights, (), need, fabric)
    sharing = share([Request(columns, made.adders)], sum(heights))
    circuit = Circuit(sum(heights))
    for level in sharing.levels:
        for triple in level:
            circuit.add(triple)
    return circuit, decide(circuit, sharing.columns[0], made.carries, need, invert, fabric, 0)


def check(heights: tuple[int, ...], need: int, fabric: Fabric, x: np.ndarray) -> None:
    """Compare the circuit with the sum on vectors x, (bits, B), and its cells with the fabric."""
    weights = np.repeat([1 << c for c in range(len(heights))], heights)
    invert = bool(need % 2)
    circuit, output = build(heights, need, invert, fabric)
    signals = evaluate(circuit, x)
    wanted = (weights @ x >= need) ^ invert
    assert (signals[output >> 1] ^ bool(output & 1) == wanted).all(), (heights, need)
    for cell in circuit.cells:
        limit = fabric.table_inputs
        if cell.outputs == 2 and fabric.pair_inputs:
            limit = fabric.pair_inputs
        assert len(cell.inputs) <= limit and cell.outputs <= 2


def every_vector(bits: int) -> np.ndarray:
    return (np.arange(1 << bits) >> np.arange(bits)[:, None] & 1).astype(bool)


@pytest.mark.parametrize("fabric", FABRICS)
def test_every_input_of_every_threshold(fabric):
    for n in range(1, 13):
        for need in range(1, n + 1):
            check((n,), need, FABRICS[fabric], every_vector(n))
    for heights in [(1, 1, 1), (3, 0, 2), (2, 2, 2, 2), (4, 3, 1), (0, 5, 2), (5, 5)]:
        for need in range(1, 1 + sum(height << c for c, height in enumerate(heights))):
            check(heights, need, FABRICS[fabric], every_vector(sum(heights)))


@pytest.mark.parametrize("fabric", FABRICS)
def test_high_heaps_around_the_threshold(fabric):
    """Random vectors whose sums lie about the threshold, on it and beside it."""
    rng = np.random.default_rng(0)
    for heights in [(17,), (22,), (40,), (97,), (300,), (9,) * 8, (25,) * 8]:
        most = sum(height << c for c, height in enumerate(heights))
        for need in {1, 2, 3, 4, 5, 7, most // 8, most // 3, most // 2, most - 3, most - 1, most}:
            x = rng.random((sum(heights), 400)) < np.clip(need / most, 0.02, 0.98)
            x[:, 0], x[:, 1] = False, True
            check(heights, need, FABRICS[fabric], x)


def test_what_small_neurons_cost():
    """Up to 6 ones one LUT6, then a cell per one more; an OR of any size no adder."""
    assert [plan((n,), (), n // 2 + 1, LUT6).cost for n in (2, 6, 7, 8, 9)] == [1, 1, 2, 3, 4]
    assert plan((31,), (), 1, LUT6).cost == plan((31,), (), 31, LUT6).cost == 6
    assert plan((31,), (), 1, LUT6).adders == ()
    assert plan((4,), (), 2, LUT4).cost == 1


def test_families():
    assert fabric_of("xcup") == fabric_of("xc7") == LUT6
    assert fabric_of("ice40") == fabric_of("") == LUT4
