"""Counting a layer without writing it: adders and tables before sharing, the same additions and latency."""

import pytest
from lively import lively_conv_network
from networks import random_conv_network, random_network

from sbnn.hls.counts import count_design, dense_network, literals
from sbnn.hls.design import Choices, make_design

SAME = ("count", "score", "product")


def as_counted(row):
    """Whether nothing of a layer is folded away: no constant, no neuron unread, no known input."""
    if row.constants or None in row.rows:
        return False
    one_rail = row.total is not None and row.layer.rails == 1
    known = one_rail and len(row.total.literals) != row.layer.inputs
    return not known and [len(r.literals) for r in row.rows] == literals(row.layer)


def outputs(cost):
    return sum(cost.tables.values()) + 2 * sum(cost.pairs.values())


@pytest.mark.parametrize("levels", [1, 3])
def test_equals_what_writing_counts(levels):
    compared, more = set(), set()
    networks = [
        *map(random_network, range(80)),
        *map(random_conv_network, range(10)),
        *(random_network(seed, largest=20, bits=4) for seed in range(40)),
        *(lively_conv_network(seed, largest=6, bits=3) for seed in range(10)),
        random_conv_network(34, largest=6, bits=3),  # a max pool of 3 bits
    ]
    for network in networks:
        written, counted = (make(network, Choices(levels)) for make in (make_design, count_design))
        for layer, row, count in zip(written.layers, written.rows, counted.layers, strict=True):
            if not as_counted(row):
                continue
            assert layer.cost.full_adders <= count.cost.full_adders
            assert outputs(layer.cost) <= outputs(count.cost)
            if row.layer.mh == 1 and row.total is None:  # nothing to share with
                assert layer.cost.full_adders == count.cost.full_adders
                assert layer.cost.tables == count.cost.tables
                assert layer.cost.pairs == count.cost.pairs
            for name in SAME:
                assert layer.cost.additions.get(name) == count.cost.additions.get(name), name
            assert (layer.latency_cycles, layer.score_bits) == (
                count.latency_cycles,
                count.score_bits,
            )
            xi = bool(row.layer.xi_num.any())
            compared.add((row.layer.rails, xi, row.layer.is_last, row.layer.value_bits))
            more.add((row.layer.weight_bits, row.layer.output.bits, row.layer.pool))
        if all(map(as_counted, written.rows)):
            assert counted.ii_cycles == written.ii_cycles
            assert counted.latency_cycles == written.latency_cycles
    assert {(1, True, False, 1), (1, False, False, 1), (2, False, False, 1)} <= compared
    assert {(1, True, True, 1), (1, True, False, 8)} <= compared
    assert (
        {weights for weights, _, _ in more} == {outputs for _, outputs, _ in more} == {1, 2, 3, 4}
    )
    assert {outputs for _, outputs, pool in more if pool} > {1, 2}


def test_a_dense_twin_costs_half_the_inputs():
    network = random_network(1)
    dense = dense_network(network)
    for layer, twin in zip(network.layers, dense.layers, strict=True):
        assert (twin.mh, twin.inputs) == (layer.mh, layer.inputs)
        assert twin.ones == twin.mh * -(-twin.inputs // 2)
