"""Max pools of several bits give the largest of a channel's taps, or the smallest."""

import numpy as np
import pytest
from circuits import evaluate
from networks import pool_layer

from sbnn.hls.circuit import Circuit
from sbnn.hls.fabric import LUT4, LUT6
from sbnn.hls.maps import FeatureMap
from sbnn.hls.pools import pool


@pytest.mark.parametrize("fabric", [LUT4, LUT6], ids=["lut4", "lut6"])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_random_and_equal_values(fabric, bits):
    rng = np.random.default_rng(bits)
    least = np.array([False, True, False])
    for side in (1, 2, 3):
        layer = pool_layer("pool", FeatureMap(side, side, 3, bits), side, least)
        values = rng.integers(0, 1 << bits, (500, side * side, 3))
        values[:100] //= 1 << (bits - 1)  # many equal ones
        vectors = values.reshape(500, -1, 1) >> np.arange(bits) & 1
        x = vectors.reshape(500, -1).T.astype(bool)
        for channel in range(3):
            circuit = Circuit(layer.in_bits)
            literals = pool(circuit, layer, channel, fabric)
            signals = evaluate(circuit, x)
            found = sum(
                (signals[bit >> 1] ^ bool(bit & 1)).astype(int) << n
                for n, bit in enumerate(literals)
            )
            taps = values[:, :, channel]
            assert (found == (taps.min(1) if least[channel] else taps.max(1))).all()
            assert all(len(cell.inputs) <= fabric.table_inputs for cell in circuit.cells)


def test_what_a_pool_of_two_bits_costs():
    """2 x 2 taps: three pairs, each a table of two inputs and one of four."""
    layer = pool_layer("pool", FeatureMap(2, 2, 1, 2), 2, np.array([False]))
    circuit = Circuit(layer.in_bits)
    pool(circuit, layer, 0, LUT4)
    assert sorted(len(cell.inputs) for cell in circuit.cells) == [2, 2, 2, 4, 4, 4]
