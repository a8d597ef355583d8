"""Make random networks lively: neurons that switch and classes that change, so that faults can be seen.

Of `random_conv_network`'s networks as drawn, three in four give every image the same scores: thresholds
around the middle of a neuron's reach are seldom where its sums are, and what is constant makes constant what
follows.
"""

from dataclasses import replace

import numpy as np
from cores import random_images
from networks import random_conv_network, random_network

from sbnn.hls import reference
from sbnn.hls.network import Network, SparseLayer

IMAGES = 64
AS_DRAWN = 0.1  # of the neurons keep their threshold, constant ones and ties at the ends among them


def lively(network: Network, seed: int) -> Network:
    """Return the network with connections for idle neurons and thresholds at sums that images reach.

    A threshold is a sum that some image has exactly: a tie.
    """
    rng = np.random.default_rng([seed, 3])
    values = reference.encode(network, random_images(network, IMAGES, seed))
    layers: list[SparseLayer] = []
    for layer in network.layers:
        if not layer.pool:
            layer = _connected(layer, rng)
            sums = reference.accumulate(layer, reference.windows(layer, values))
            layer = _placed(layer, sums.reshape(-1, layer.mh), rng)
        layers.append(layer)
        if not layer.is_last:
            values = np.asarray(reference.activate(layer, values), np.uint8)
    return replace(network, layers=tuple(layers))


def lively_network(seed: int, largest: int = 40, bits: int = 1) -> Network:
    """Return 1 to 4 layers of up to `largest` neurons."""
    return lively(random_network(seed, largest, bits), seed)


def lively_conv_network(seed: int, largest: int = 5, bits: int = 1) -> Network:
    """Return windows and pools over maps of up to `largest` x `largest`."""
    return lively(random_conv_network(seed, largest, bits), seed)


def _connected(layer: SparseLayer, rng: np.random.Generator) -> SparseLayer:
    """Return the layer with one connection for most of those neurons that have none."""
    weight = layer.weight.copy()
    for row in weight:
        if not row.any() and rng.random() > AS_DRAWN:
            row[rng.integers(layer.mw)] = 1
    return replace(layer, weight=weight)


def _placed(layer: SparseLayer, sums: np.ndarray, rng: np.random.Generator) -> SparseLayer:
    """Return the layer with thresholds, or offsets, where the (rows, MH) sums are."""
    if layer.is_last:
        seen = sums[rng.integers(len(sums), size=layer.mh), np.arange(layer.mh)]
        return replace(layer, offset=-2 * seen + rng.integers(-2, 3, layer.mh))
    levels = layer.threshold.reshape(layer.mh, -1).copy()
    for row, seen in zip(levels, sums.T, strict=True):
        reached = np.unique(seen)[1:]  # above the least: there are images on both sides
        if len(reached) and rng.random() > AS_DRAWN:
            row[:] = np.sort(rng.choice(reached, len(row)))
    return replace(layer, threshold=levels.reshape(layer.threshold.shape))
