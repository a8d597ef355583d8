"""The bit-exact reference: what every RTL, netlist and board must equal, with ==."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sbnn.hls.layer import IntArray, NetworkError, SparseLayer
from sbnn.hls.network import Network

# Bounds the working set of one batch: inputs of all windows of a layer, as float32 about 60 MB.
BATCH_VALUES = 1 << 24
BATCH_IMAGES = 4096

Values = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Answer:
    """What the network says of B images.

    Attributes:
        classes: (B,) int64.
        scores: (B, classes) int64.
        hidden: one uint8 array of values per hidden layer, in order: (B, MH), or (B, rows, columns, MH)
            behind a window.
    """

    classes: IntArray
    scores: IntArray
    hidden: tuple[Values, ...]


def encode(network: Network, images: NDArray[np.uint8]) -> Values:
    """Turn (B, *shape) uint8 images into their (B, height, width, channels) uint8 values.

    Raises:
        NetworkError: wrong dtype or shape.
    """
    encoding = network.encoding
    if images.dtype != np.uint8:
        raise NetworkError(f"images are {images.dtype}, {network.name} takes uint8")
    if images.shape[1:] != encoding.shape or images.ndim != len(encoding.shape) + 1:
        shape = ", ".join(map(str, encoding.shape))
        raise NetworkError(f"images have shape {images.shape}, {network.name} takes (N, {shape})")
    seen = encoding.map
    values = images.reshape(len(images), seen.height, seen.width, seen.channels)
    return values if encoding.threshold is None else (values >= encoding.threshold).astype(np.uint8)


def windows(layer: SparseLayer, values: Values) -> Values:
    """Return what every output vector of a layer sees, of its (B, ...) input.

    Returns:
        (B, inputs), or (B, rows, columns, inputs) behind a window.
    """
    window = layer.window
    if window is None:
        return values.reshape(len(values), layer.inputs)
    top, left, bottom, right = window.padding
    channels = layer.inputs // window.taps
    places = values.reshape(len(values), window.rows, window.columns, channels)
    padded = np.pad(places, ((0, 0), (top, bottom), (left, right), (0, 0)))
    seen = np.lib.stride_tricks.sliding_window_view(padded, window.kernel, axis=(1, 2))
    strided = seen[:, :: window.stride[0], :: window.stride[1]]  # (B, rows, columns, c, kr, kc)
    return np.moveaxis(strided, 3, 5).reshape(*strided.shape[:3], layer.inputs)


def accumulate(layer: SparseLayer, values: Values) -> IntArray:
    """Return A = (P << F) + xi_num * S, (..., MH) int64, of (..., inputs) uint8.

    P is a float32 matrix product where sums stay below 2**24: exact, and about 100 times faster than an
    integer product in numpy. Larger sums take float64, exact below 2**53.
    """
    seen = np.concatenate([values, layer.peak - values], axis=-1) if layer.rails == 2 else values
    largest = int(layer.weight.sum(1, dtype=np.int64).max(initial=0)) * layer.peak
    kind = np.float32 if largest < 1 << 24 else np.float64
    flat = seen.reshape(-1, layer.mw)
    counts = (flat.astype(kind) @ layer.weight.T.astype(kind)).astype(np.int64)
    total = flat.sum(1, dtype=np.int64)
    sums: IntArray = (counts << layer.xi_frac) + total[:, None] * layer.xi_num
    return sums.reshape(*seen.shape[:-1], layer.mh)


def activate(layer: SparseLayer, values: Values) -> Values:
    """Return the output values of a hidden layer: (B, MH), or (B, rows, columns, MH) behind a window."""
    if layer.invert is None:
        raise NetworkError(f"layer {layer.name}: gives scores, no values")
    seen = windows(layer, values)
    if layer.threshold is None:
        taps = seen.reshape(*seen.shape[:-1], -1, layer.mh)
        pooled: Values = np.where(layer.invert, taps.min(-2), taps.max(-2))
        return pooled
    sums = accumulate(layer, seen)
    reached = np.zeros(sums.shape, np.uint8)
    for level in layer.threshold.T:
        reached += sums >= level
    outputs: Values = np.where(layer.invert, np.uint8(layer.levels) - reached, reached)
    return outputs


def score(layer: SparseLayer, values: Values) -> IntArray:
    """Return the (B, classes) int64 scores of the last layer."""
    if layer.offset is None:
        raise NetworkError(f"layer {layer.name}: gives values, no scores")
    sums = accumulate(layer, windows(layer, values)).reshape(len(values), layer.mh)
    return 2 * sums + layer.offset


def run_values(network: Network, values: Values) -> Answer:
    """Run (B, height, width, channels) input values through the network."""
    hidden = []
    for layer in network.layers[:-1]:
        values = activate(layer, values)
        hidden.append(values)
    scores = score(network.layers[-1], values)
    return Answer(scores.argmax(1).astype(np.int64), scores, tuple(hidden))


def run(network: Network, images: NDArray[np.uint8]) -> Answer:
    """Run (B, *shape) uint8 images through the network.

    Raises:
        NetworkError: wrong dtype or shape.
    """
    inputs = encode(network, images)
    size = batch_images(network)
    parts = [
        run_values(network, inputs[start : start + size])
        for start in range(0, max(len(inputs), 1), size)
    ]
    return Answer(
        np.concatenate([part.classes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        tuple(
            np.concatenate(found) for found in zip(*(part.hidden for part in parts), strict=True)
        ),
    )


def batch_images(network: Network) -> int:
    """Return how many images `run` takes at a time."""
    largest = max(layer.mw * layer.output.positions for layer in network.layers)
    return max(1, min(BATCH_IMAGES, BATCH_VALUES // largest))
