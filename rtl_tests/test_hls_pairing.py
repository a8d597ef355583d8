"""LUT6 sites: netlists whose answer is known, the largest matching, and a real layer."""

import itertools

import networkx
import numpy as np
import pytest

from sbnn.hls.pairing import SHARED_INPUTS, count_sites, match

OUTPUTS = {"O", "O5", "O6", "CO"}


def cell(kind, **pins):
    ports = {port: nets if isinstance(nets, list) else [nets] for port, nets in pins.items()}
    directions = {port: "output" if port in OUTPUTS else "input" for port in ports}
    return {"type": kind, "port_directions": directions, "connections": ports}


def lut(output, *inputs):
    return cell(f"LUT{len(inputs)}", O=output, **{f"I{i}": net for i, net in enumerate(inputs)})


def sites(*cells):
    return count_sites({"cells": {f"c{i}": one for i, one in enumerate(cells)}})


def carry(select, data, sums, kind="CARRY4", carries=("x",) * 4):
    return cell(kind, S=select, DI=data, CI="0", CYINIT="0", O=sums, CO=list(carries))


def test_a_full_adder_is_one_site():
    assert sites(lut(10, 1, 2, 3), lut(11, 1, 2, 3)) == 1


def test_five_inputs_share_six_do_not():
    assert sites(lut(10, 1, 2, 3), lut(11, 3, 4, 5)) == 1
    assert sites(lut(10, 1, 2, 3), lut(11, 4, 5, 6)) == 2
    assert sites(lut(10, 1, 2, 3, 4, 5), lut(11, 1, 2, 3, 4, 5)) == 1
    assert sites(lut(10, 1, 2, 3, 4, 5, 6), lut(11, 1, 2)) == 2
    assert sites(lut(10, 1, 2, 3), lut(11, 4, 5)) == 1, "strangers that fit share too"
    assert sites(lut(10, 1, 2, 3, "0"), lut(11, 4, 5)) == 1, "a constant takes no pin"


def test_greedy_alone_would_leave_two():
    """Taking the twins (b, c) first leaves a and d alone; a+b, c+d is the answer."""
    a, b, c, d = (lut(10, 1, 2, 3, 4), lut(11, 2, 3, 5), lut(12, 2, 3, 5), lut(13, 2, 5, 6, 3))
    assert sites(b, c, a, d) == 2
    # b and c widest of all, so that the greedy step joins them.
    wide = [frozenset(s) for s in ({1, 2, 3, 4, 5}, {1, 2, 3, 4, 5}, {1, 2}, {3, 4})]
    assert len(match(wide)) == 2


def test_cells_that_are_no_luts():
    assert sites(cell("LUT6_2", I0=1, I1=2, O5=3, O6=4), cell("FDRE", D=3, Q=5)) == 1
    assert sites(cell("SRL16E", D=1, Q=2), cell("SRLC32E", D=2, Q=3)) == 2
    assert sites(cell("RAM32M"), cell("RAM32X1D"), cell("RAM64X1S"), cell("RAMB18E1")) == 7
    assert sites(cell("INV", I=1, O=2), lut(3, 4, 5)) == 1


def test_carry_chains_need_a_site_per_bit():
    propagate = [lut(20 + i, 2 * i, 2 * i + 1) for i in range(4)]
    chain = carry([20, 21, 22, 23], [0, 2, 4, 6], [30, 31, 32, 33])
    assert sites(*propagate, chain) == 4, "those LUTs do not share"
    assert sites(carry([1, 2, 3, 4], [5, 6, 7, 8], [30, 31, 32, 33])) == 4, "S routes through"
    # Nothing above bit 1 is read: two sites.
    assert sites(carry([1, 2, "0", "0"], [3, 4, "0", "0"], [30, 31, "x", "x"])) == 2
    # One LUT cannot be the O6 of two bits.
    assert sites(lut(20, 1, 2), carry([20, 20, "0", "0"], [3, 4, "0", "0"], [5, 6, "x", "x"])) == 2
    # DI's LUT rides along where both read at most five nets.
    rides = (lut(20, 1, 2, 3), lut(21, 1, 2, 4))
    assert sites(*rides, carry([20, "0", "0", "0"], [21, "0", "0", "0"], [5, "x", "x", "x"])) == 1
    apart = (lut(20, 1, 2, 3), lut(21, 4, 5, 6))
    assert sites(*apart, carry([20, "0", "0", "0"], [21, "0", "0", "0"], [5, "x", "x", "x"])) == 2
    double = cell("LUT6_2", I0=1, I1=2, O5=21, O6=20)
    assert sites(double, carry([20, "0", "0", "0"], [21, "0", "0", "0"], [5, "x", "x", "x"])) == 1
    eight = carry(list(range(1, 9)), list(range(11, 19)), list(range(21, 29)), "CARRY8", ["x"] * 8)
    assert sites(eight) == 8


@pytest.mark.parametrize("seed", range(20))
def test_matching_against_the_largest_one(seed):
    """Disjoint pairs that fit, at most one site in ten more than the largest matching leaves."""
    rng = np.random.default_rng(seed)
    nets = int(rng.integers(6, 60))
    luts = [
        frozenset(rng.choice(nets, int(rng.integers(1, 7)), replace=False).tolist())
        for _ in range(int(rng.integers(2, 90)))
    ]
    pairs = match(luts)
    assert all(len(luts[a] | luts[b]) <= SHARED_INPUTS for a, b in pairs)
    assert len({i for pair in pairs for i in pair}) == 2 * len(pairs)
    graph = networkx.Graph(
        (a, b)
        for a, b in itertools.combinations(range(len(luts)), 2)
        if len(luts[a] | luts[b]) <= SHARED_INPUTS
    )
    largest = len(networkx.max_weight_matching(graph, maxcardinality=True))
    assert len(pairs) <= largest
    assert len(luts) - len(pairs) <= 1.1 * (len(luts) - largest)
    assert match(luts) == pairs
