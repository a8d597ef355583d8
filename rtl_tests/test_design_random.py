"""Random networks in Icarus: every class and score, latency, interval; a failing one shrinks.

The seeds are in the names of the tests; `check` prints the command that runs a shrunk case again.
"""

import shutil
import subprocess
import sys

import pytest
import shrink
from icarus import needs_icarus
from lively import lively_conv_network, lively_network
from shrink import again, check, random_choices

from sbnn.hls.design import Design
from sbnn.hls.stitch import rtl_files

pytestmark = needs_icarus
CHUNK = 20


@pytest.mark.parametrize("seed", range(200, 215))
def test_random_network(seed):
    check(lively_network(seed), random_choices(seed), seed)


@pytest.mark.parametrize("seed", range(200, 215))
def test_random_conv_network(seed):
    check(lively_conv_network(seed), random_choices(seed), seed)


@pytest.mark.parametrize("seed", [300, 301])
def test_few_bits(seed):
    """Weights, values and outputs of up to 4 bits, pools of several bits."""
    check(lively_network(seed, 20, 4), random_choices(seed), seed)
    check(lively_conv_network(seed, 5, 4), random_choices(seed), seed)


@pytest.mark.regress
@pytest.mark.parametrize("first", range(1000, 1200, CHUNK))
def test_many_networks_of_few_bits(first):
    for seed in range(first, first + CHUNK):
        check(lively_network(seed, 40, 4), random_choices(seed), seed)
        check(lively_conv_network(seed, 6, 4), random_choices(seed), seed)


@pytest.mark.regress
@pytest.mark.parametrize("first", range(1000, 1500, CHUNK))
def test_many_random_networks(first):
    for seed in range(first, first + CHUNK):
        check(lively_network(seed, 90), random_choices(seed), seed)


@pytest.mark.regress
@pytest.mark.parametrize("first", range(1000, 1500, CHUNK))
def test_many_random_conv_networks(first):
    for seed in range(first, first + CHUNK):
        check(lively_conv_network(seed, 8), random_choices(seed), seed)


def broken(design: Design) -> dict[str, str]:
    """Return a core whose full adders forget one of the carry's terms."""
    old, new = "(a & b) | (c & (a | b))", "(a & b)"
    return {name: text.replace(old, new) for name, text in rtl_files(design).items()}


@pytest.mark.parametrize("network", [lively_network(7), lively_conv_network(7)])
def test_a_failing_network_shrinks_and_is_written_out(network, tmp_path, monkeypatch):
    monkeypatch.setattr(shrink, "CASES", shrink.CASES / tmp_path.name)
    choices = random_choices(2)
    try:
        with pytest.raises(AssertionError, match=r"shrunk to \d+ ones: python rtl_tests"):
            check(network, choices, 1, broken)
        (folder,) = shrink.CASES.iterdir()
        small = shrink.load(folder / "network.npz")
        assert sum(layer.mh for layer in small.layers) <= 4
        assert small.ones <= 12 < network.ones
        assert again(folder).startswith("PASS"), "the generator is right, only that core was not"
        command = [sys.executable, shrink.__file__, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0
        assert done.stdout.startswith("PASS")
    finally:
        shutil.rmtree(shrink.CASES, ignore_errors=True)
