"""Convolutional cores against the reference: pads, strides, pools, pixels, stalls, resets, cut images."""

import numpy as np
import pytest
from cores import check_core, core_of, random_images
from networks import random_conv_network

from sbnn.hls.design import Choices


@pytest.mark.parametrize("seed", [0, 8, 9, 11, 17])
def test_random_conv_networks(seed):
    """Latency and interval equal the cycle model's, every class and score the reference's."""
    network = random_conv_network(seed)
    levels = int(np.random.default_rng(seed).integers(1, 4))
    design, folder = core_of(network, Choices(levels_per_stage=levels))
    images = random_images(network, 14, seed)
    check_core(design, folder, images)
    check_core(design, folder, images, send=70, receive=50, seed=seed)
    check_core(design, folder, images, bursts=1, send=95, receive=95, tlast="batch")
    check_core(design, folder, images, "resets", resets=4)
    check_core(design, folder, images, "short_images")


@pytest.mark.regress
@pytest.mark.parametrize("seed", range(100, 150))
def test_more_random_conv_networks(seed):
    test_random_conv_networks(seed)
