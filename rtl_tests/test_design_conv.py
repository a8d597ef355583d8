"""Convolutional cores against the reference: pads, strides, pools, pixels, stalls, resets, cut images."""

import numpy as np
import pytest
from cores import check_core, core_of, random_images
from lively import lively_conv_network
from networks import tracked_network
from simulate import MANY_CYCLES
from summary import count

from sbnn.boards.driver import open_accelerator
from sbnn.hls import reference
from sbnn.hls.design import Choices
from sbnn.hls.generate import generate
from sbnn.train.config import load_config
from sbnn.train.data import find, load, sample_images

REAL = ["lenet-sbnn95", "fashion-sbnn95"]


@pytest.mark.parametrize(
    ("seed", "bits"),
    [
        (7, 1),
        (17, 1),
        (3, 4),
        *(pytest.param(seed, 1, marks=pytest.mark.regress) for seed in range(100, 120)),
        *(pytest.param(seed, 4, marks=pytest.mark.regress) for seed in range(100, 112)),
    ],
)
def test_random_conv_networks(seed, bits):
    """Latency and interval equal the cycle model's, every class and score the reference's."""
    network = lively_conv_network(seed, largest=9 if bits == 1 else 7, bits=bits)
    levels = int(np.random.default_rng(seed).integers(1, 4))
    design, folder = core_of(
        network, Choices(levels_per_stage=levels, family=["", "xc7"][seed % 2])
    )
    images = random_images(network, 14, seed)
    check_core(design, folder, images)
    check_core(design, folder, images, send=70, receive=50, seed=seed)
    check_core(design, folder, images, bursts=1, send=95, receive=95, tlast="batch")
    check_core(design, folder, images, "resets", resets=4)
    check_core(design, folder, images, "short_images")
    count("networks")


@pytest.mark.parametrize("model", ["digits-conv", "digits-grey"])
def test_digits(model):
    """Bits with padding and a pool, and 8-bit pixels with a learned xi: every test image."""
    network = tracked_network(model)
    design, folder = core_of(network, Choices(levels_per_stage=3))
    images = load(load_config(model)).test_x
    check_core(design, folder, images)
    check_core(design, folder, images[:60], send=70, receive=50)
    check_core(design, folder, images[:60], "resets", resets=10)
    check_core(design, folder, images[:60], "short_images")


@pytest.mark.long
@pytest.mark.parametrize(
    "model", ["lenet-lut4k", *(pytest.param(model, marks=pytest.mark.regress) for model in REAL)]
)
def test_real_images(model):
    """200 test images under random stalls, some back to back, and resets in mid-frame."""
    network = tracked_network(model)
    design, folder = core_of(network, Choices(levels_per_stage=4), MANY_CYCLES)
    config = load_config(model)
    there = find(config.input.dataset)
    images = (load(config).test_x if there else sample_images(config)[0])[:200]
    assert len(images) == 200
    check_core(design, folder, images[:12])
    check_core(design, folder, images, send=30, receive=10, bursts=1)
    check_core(design, folder, images[:20], "resets", resets=5)


@pytest.mark.regress
@pytest.mark.long
@pytest.mark.parametrize("model", REAL)
def test_all_images(model, tmp_path):
    """All 10,000 test images back to back."""
    network = tracked_network(model)
    network.save(tmp_path / "network.npz")
    generate(network, Choices(levels_per_stage=4), "generic", tmp_path / "generic")
    images = load(load_config(model)).test_x
    assert len(images) == 10_000
    answer = reference.run(network, images)
    with open_accelerator(tmp_path / "generic", "verilator") as accelerator:
        results = accelerator.run(images)
    assert (results.classes == answer.classes).all()
    assert (results.scores == answer.scores).all()
    count("images", len(images))
