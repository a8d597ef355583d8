"""Cores in four states under every profile of stalls, reset anywhere, with images in every order.

Icarus Verilog (Debian package iverilog) simulates; Verilator, which runs all other tests, has two states.
"""

import itertools

import pytest
from icarus import every_pair, needs_icarus, paired_images, simulate, stream_of
from lively import lively_conv_network, lively_network
from networks import random_network, tracked_network

from sbnn.hls.design import Choices, Design, make_design
from sbnn.hls.network import Network
from sbnn.hls.stitch import rtl_files

pytestmark = needs_icarus


def design_of(network: Network) -> Design:
    """Return a core with few registers, whose images end in the middle of a beat."""
    beat_bits = 16 if network.takes_pixels else 64
    return make_design(network, Choices(levels_per_stage=2, beat_bits=beat_bits))


def run(design: Design, kinds: int, resets: int, files=None, profiles: int = 12) -> str:
    stream = stream_of(design, paired_images(design, kinds))
    return simulate(stream, files, profiles=profiles, resets=resets)


def faulty(design: Design, old: str, new: str) -> dict[str, str]:
    """Return a core with one text, which is there once, changed."""
    files = rtl_files(design)
    (name,) = [name for name, text in files.items() if old in text]
    assert files[name].count(old) == 1
    return files | {name: files[name].replace(old, new)}


def test_every_image_follows_every_other_one():
    for count in range(1, 8):
        order = every_pair(count)
        pairs = set(itertools.pairwise(order))
        assert len(order) - 1 == len(pairs) == count * count


SMALL = [
    pytest.param(lambda: lively_network(4, 24), id="xi-rails"),
    pytest.param(lambda: lively_network(12, 24), id="one-a-cycle"),
    pytest.param(lambda: lively_conv_network(7), id="conv-8-bit"),
    pytest.param(lambda: lively_conv_network(17), id="conv-pool"),
]


@pytest.mark.parametrize("network", SMALL)
def test_profiles_and_resets(network):
    """12 profiles with images in every order, then 100 resets at random points."""
    said = run(design_of(network()), 4, 100)
    assert said.startswith("PASS"), said


def test_xi_finer_than_its_sum():
    """Bits read beyond a vector, which Verilator sign-extends and yosys leaves undefined, were X here."""
    said = run(design_of(random_network(13)), 2, 1, profiles=1)
    assert said.startswith("PASS"), said


@pytest.mark.regress
@pytest.mark.parametrize("model", ["digits", "digits-xi", "digits-conv", "digits-grey"])
def test_trained(model):
    """As the small ones: every profile, 100 resets."""
    said = run(design_of(tracked_network(model)), 4, 100)
    assert said.startswith("PASS"), said


@pytest.mark.regress
@pytest.mark.parametrize("make", [lively_network, lively_conv_network])
@pytest.mark.parametrize("seed", range(30))
def test_more_profiles_and_resets(make, seed):
    said = run(design_of(make(seed)), 4, 100)
    assert said.startswith("PASS"), said


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        (("      inside_q <= '0;\n", ""), "m_axis_tvalid is X"),
        (("      count_q  <= '0;\n      go_q", "      go_q"), "s_axis_tready is X"),
        (("push(inside_q[LATENCY])", "push(inside_q[LATENCY-1])"), "m_axis_tdata is"),
        (("assign m_axis_tlast = last_q;", "assign m_axis_tlast = 1'b0;"), "tlast is wrong"),
    ],
)
def test_faults_are_seen(fault, complaint):
    design = design_of(lively_network(12, 24))
    assert complaint in run(design, 3, 0, faulty(design, *fault), profiles=2)


def test_what_a_reset_leaves_behind_is_seen():
    """A pixel that survives the reset is one place off in every later image."""
    design = design_of(lively_conv_network(7))
    unset = faulty(
        design, "      fill_q       <= '0;\n", "      if (fill_q[0] === 1'bx) fill_q <= '0;\n"
    )
    said = run(design, 3, 100, unset)
    assert "is wrong" in said or "no result after a reset" in said
    assert run(design, 3, 0, unset).startswith("PASS"), "nothing but a reset shows it"
