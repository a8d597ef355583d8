"""Networks of 0/1 weights and bits keep their digest and their layers' Verilog.

The digests are from before weights, values and outputs could have several bits. Whoever changes the Verilog
of a layer on purpose takes the new ones from the failing test.
"""

import pytest
from networks import random_conv_network, random_network, tracked_network

from sbnn.hls.design import Choices, make_design
from sbnn.train.files import digest

BEFORE = {
    ("random", 0): ["96d47f8e33a269f2", "ad79d52b910b777a", "f4c913745e50b616"],
    ("random", 3): ["2ae1474ddfd83798", "de9c47b99d450b2a", "bff9b3d452dd88bd"],
    ("random", 7): ["ebfd86a34ff268df", "cb367137fe932ae6", "b38c498860686765"],
    ("random", 8): ["223658e5ba056f7e", "55754f87f0276f2e", "65ff19c8e53a7d3c"],
    ("conv", 0): ["1c45a2269aaa9bc0", "e2b9858f6c0248c0", "4fceefd4289336e3"],
    ("conv", 4): ["1b74b1e321b493a0", "31e725b3d114ba45", "6222e3444b547999"],
    ("conv", 6): ["924b61712512a3c4", "5466b43d04c4e87b", "79d66a04df37f4cf"],
    ("conv", 9): ["eab95dccb2d11cd4", "1089f905d59f701c", "309f3a2c5c682fd7"],
    ("tracked", "digits"): ["dca84dc89b97f76e", "d6c92c823e8d5c8e", "1a6221ae129e9f70"],
    ("tracked", "digits-xi"): ["bc89ce2b608d1812", "3fe23aded1a3c41c", "5318b18472c993c9"],
    ("tracked", "sbnn95"): ["0a3f93f49b636fe0", "8531c5f8928d8eda", "d21298c6abe3096a"],
    ("tracked", "lenet-sbnn95"): ["f978745b33f4378c", "8fe10a897ab76c73", "316bd97b87cedc3e"],
}
MAKE = {"random": random_network, "conv": random_conv_network, "tracked": tracked_network}
SLOW = ("sbnn95", "lenet-sbnn95")


@pytest.mark.parametrize(
    "case",
    [pytest.param(c, marks=pytest.mark.regress if c[1] in SLOW else ()) for c in BEFORE],
    ids=lambda case: f"{case[0]}-{case[1]}",
)
def test_bits_stay_as_they_were(case):
    kind, which = case
    network = MAKE[kind](which)
    found = [network.digest()[:16]]
    for family, levels in (("xc7", 2), ("ecp5", 4)):
        design = make_design(network, Choices(levels_per_stage=levels, family=family))
        texts = "".join(layer.text for layer in design.layers)
        found.append(digest(texts.encode())[:16])
    assert found == BEFORE[case]
