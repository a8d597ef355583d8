"""cnv-sbnn95 from a short training on real images to its RTL: every stage equals the one before."""

import dataclasses

import numpy as np
import pytest
import torch
from summary import count

from sbnn.boards.driver import open_accelerator
from sbnn.export.check import check
from sbnn.export.qonnx import write_qonnx
from sbnn.hls import reference
from sbnn.hls.design import Choices
from sbnn.hls.generate import generate
from sbnn.hls.lower import lower
from sbnn.train.config import load_config
from sbnn.train.data import Split, find, load
from sbnn.train.fit import fit
from sbnn.train.metrics import accuracy, kernel_figures, sparsity_figures


@pytest.mark.regress
@pytest.mark.long
@pytest.mark.skipif(find("cifar10") is None, reason="needs cifar10")
def test_short_training_to_rtl(tmp_path):
    """Four epochs on 500 images; 24 test images through 77,138 ones of RTL, back to back."""
    torch.set_num_threads(1)
    config = load_config("cnv-sbnn95")
    config = dataclasses.replace(
        config, training=dataclasses.replace(config.training, epochs=4, batch=50)
    )
    whole = load(config)
    assert whole.train_x.shape == (45_000, 32, 32, 3)
    x, y = whole.train_x[:500], whole.train_y[:500]
    split = Split(x, y, whole.val_x[:100], whole.val_y[:100], x, y, whole.source)
    module = fit(config, split, tmp_path).module
    assert accuracy(module, x, y) > 0.15  # one in ten is chance
    figures = sparsity_figures(config, module)
    assert figures["target_hit"] is True
    assert figures["zeros_share"] == pytest.approx(0.95, abs=1e-4)
    assert kernel_figures(module)["k0"] > 0.5
    images = whole.test_x[:20]
    graph = write_qonnx(module, config.input.shape, {})
    result = check(graph, module, images, whole.source)
    maps = 64 * (30**2 + 28**2 + 14**2) + 128 * (12**2 + 10**2 + 5**2) + 256 * (3**2 + 1) + 1024
    assert (result.hidden_bits, result.max_score_difference) == (20 * maps, 0.0)

    network = lower(graph, "cnv-sbnn95", images=images)
    network.save(tmp_path / "network.npz")
    folder = tmp_path / "generic"
    manifest = generate(network, Choices(levels_per_stage=4), "generic", folder)
    images = whole.test_x[:24]
    answer = reference.run(network, images)
    with open_accelerator(folder, "verilator") as accelerator:
        results = accelerator.run(images)
    assert (results.classes == answer.classes).all()
    assert (results.scores == answer.scores).all()
    count("images", len(images))
    assert len(np.unique(answer.scores)) > 20
    # The last beat of a result is out_beats - 1 cycles behind the first; both ends count.
    assert accelerator.timing.latencies[0] == manifest.latency_cycles + manifest.out_beats
