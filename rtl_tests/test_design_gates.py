"""Netlists of random networks, family by family: what yosys made of them equals the reference too."""

import re

import pytest
from gate_level import CELLS, netlist_of, simulate_netlist
from icarus import needs_icarus, paired_images, stream_of
from lively import lively_conv_network, lively_network

from sbnn.hls.design import Choices, make_design

pytestmark = needs_icarus


def passes(network, family: str) -> None:
    """Fail where the netlist of a network's core differs from the reference."""
    design = make_design(network, Choices(levels_per_stage=3, family=family, beat_bits=16))
    stream = stream_of(design, paired_images(design, 3))
    netlist = netlist_of(stream, family)
    assert "always" not in netlist
    said = simulate_netlist(stream, family, netlist, 3, 5)
    assert said.startswith("PASS"), f"{network.name} on {family}: {said}"


def test_small_and_a_wrong_lut_is_seen():
    design = make_design(lively_network(21, 24), Choices(family="ecp5", beat_bits=16))
    stream = stream_of(design, paired_images(design, 3))
    netlist = netlist_of(stream, "ecp5")
    assert simulate_netlist(stream, "ecp5", netlist, 2, 2).startswith("PASS")
    luts = re.findall(r"\.INIT\(16'h([0-9a-f]+)\)", netlist)
    assert len(luts) > 50
    wrong = netlist.replace(f"16'h{luts[-1]}", f"16'h{int(luts[-1], 16) ^ 0xFFFF:04x}")
    assert "is wrong" in simulate_netlist(stream, "ecp5", wrong, 2, 2)


@pytest.mark.regress
@pytest.mark.parametrize("family", CELLS)
@pytest.mark.parametrize("seed", range(300, 310))
@pytest.mark.parametrize("make", [lively_network, lively_conv_network])
def test_random_network(make, seed, family):
    passes(make(seed), family)
