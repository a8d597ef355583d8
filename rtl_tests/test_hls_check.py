"""`python -m sbnn.hls check`: what it says, how fast, and without which packages."""

import resource
import subprocess
import sys
import time

import numpy as np
import pytest
import zoo
from qonnx_graphs import random_graph

from sbnn.hls.check import check, check_text
from sbnn.hls.design import Choices, make_design, make_manifest
from sbnn.hls.estimate import EstimateError, estimate_layers
from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.lower import lower


def stored(tmp_path, model, name="net.onnx"):
    path = tmp_path / name
    path.write_bytes(model.SerializeToString())
    return path


def test_every_number_is_the_designs(tmp_path):
    model = zoo.export("conv-padded")
    checked = check(stored(tmp_path, model), "xc7", 2, 255)
    network = lower(model, "net", images=np.zeros((1, 8, 8), np.uint8), divisor=255)
    design = make_design(network, Choices(family="xc7"))
    luts = estimate_layers(make_manifest(design, "generic", {}), "xc7")
    assert [line.luts for line in checked.layers] == [luts[layer.name] for layer in network.layers]
    assert checked.luts == sum(luts.values())
    assert (checked.ii_cycles, checked.latency_cycles) == (design.ii_cycles, design.latency_cycles)
    assert [line.ones for line in checked.layers] == [layer.ones for layer in network.layers]
    assert checked.layers[0].shape == "6 x 9, 3 x 3 at 8 x 8"
    assert [line.hardware.partition(" (")[0] for line in checked.layers[:3]] == [
        "6 popcounts and comparisons, inputs and complements",
        "max pool: OR of bits",
        "8 popcounts and comparisons, one shared S",
    ]
    for line, other in ((checked.layers[0], "one rail and S"), (checked.layers[2], "inputs and ")):
        assert line.hardware.partition(" (")[2].startswith(other)
    text = check_text(checked)
    assert f"one image every {design.ii_cycles} cycles" in text
    assert "bits, 1 from pixel 128 on" in text


def test_few_bits_in_words(tmp_path):
    checked = check(stored(tmp_path, zoo.export("conv-2w2a")), "ecp5", 2, 255)
    assert [(line.bits, line.weights) for line in checked.layers] == [
        ("1 -> 2", "-1 to 1"),
        ("2 -> 2", "-"),
        ("2 -> 2", "-2 to 1"),
        ("2 -> score", "-1 to 1"),
    ]
    assert [line.hardware.partition(" (")[0] for line in checked.layers] == [
        "6 popcounts and comparisons with 3 thresholds each, inputs and complements",
        "max pool of 2-bit values",
        "8 weighted sums of 2-bit values and comparisons with 3 thresholds each, inputs and complements",
        "10 popcounts of 2-bit values and scores, inputs and complements",
    ]


def test_sparse_layers_say_what_dense_ones_would_cost(tmp_path):
    checked = check(stored(tmp_path, random_graph(1, density=0.05)), "ecp5", 2)
    for line in checked.layers:
        assert line.zeros > 0.9
        assert line.dense_luts > 2 * line.luts
    assert checked.dense_luts > 2 * (checked.luts - 200)  # less the streams of both


def test_command_line(tmp_path):
    path = stored(tmp_path, zoo.export("ternary-softmax"))
    command = (
        "import sys; sys.argv[1:] = sys.argv[1:]; from sbnn.train.errors import run_command; "
        "from sbnn.hls.__main__ import main; run_command('sbnn.hls', main); "
        "print([m for m in ('torch', 'brevitas', 'finn') if m in sys.modules])"
    )
    run = [sys.executable, "-c", command, "check", str(path), "--divide", "255"]
    done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "inputs and complements" in done.stdout
    assert done.stderr == ""
    refused = subprocess.run(run[:-2], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert refused.returncode == 2
    assert refused.stderr.startswith("sbnn.hls: graph input ")
    assert len(refused.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_an_unknown_family(tmp_path):
    with pytest.raises(EstimateError, match="no estimate of max10"):
        check(stored(tmp_path, random_graph(1)), "max10", 2)


def test_refusals_are_those_of_lower(tmp_path):
    path = tmp_path / "text.onnx"
    path.write_text("hello\n" * 100)
    with pytest.raises(LoweringError, match="not an ONNX file"):
        check(path, "xc7", 2)


@pytest.mark.regress
@pytest.mark.parametrize("kind", [{"density": 0.05}, {"dense": True}])
def test_ten_million_weights(tmp_path, kind):
    """Under 30 s and 2 GB, the interpreter included."""
    path = stored(tmp_path, random_graph(1, widths=(784, 2176, 2176, 1600, 10), **kind))
    start = time.monotonic()
    run = [sys.executable, "-m", "sbnn.hls", "check", str(path)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert time.monotonic() - start < 30
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2 << 20
    assert "9,938,560 weights" in done.stdout
    assert "from counts" in done.stdout
