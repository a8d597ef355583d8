"""The reference against the definition, written out in Python integers."""

import itertools

import numpy as np
import pytest
from networks import pool_layer, random_conv_network, random_network

from sbnn.hls import reference
from sbnn.hls.maps import FeatureMap
from sbnn.hls.network import NetworkError


def neurons(layer, x):
    """Follow the module docstring of hls/layer.py literally, for one vector: sums A of all neurons."""
    seen = x + [layer.peak - value for value in x] if layer.rails == 2 else x
    total, sums = sum(seen), []
    for j in range(layer.mh):
        count = sum(w * value for w, value in zip(layer.weight[j].tolist(), seen, strict=True))
        sums.append(count * 2**layer.xi_frac + int(layer.xi_num[j]) * total)
    return sums


def vectors(layer, values):
    """Return what each place of a layer sees, of {(row, column): values}, missing places being 0."""
    if layer.window is None:
        return {(0, 0): [value for place in sorted(values) for value in values[place]]}
    window, channels = layer.window, len(values[0, 0])
    top, left, _, _ = window.padding
    nothing = [0] * channels
    seen = {}
    for row, column in itertools.product(*map(range, window.output)):
        vector = []
        for r, c in itertools.product(*map(range, window.kernel)):
            at = (row * window.stride[0] + r - top, column * window.stride[1] + c - left)
            vector += values.get(at, nothing)
        seen[row, column] = vector
    return seen


def by_definition(network, image):
    """Return the scores of one image, value by value."""
    encoding = network.encoding
    pixels = [int(pixel) for pixel in image.reshape(-1).tolist()]
    if encoding.threshold is not None:
        pixels = [int(pixel >= encoding.threshold) for pixel in pixels]
    width, channels = encoding.map.width, encoding.map.channels
    values = {
        divmod(n, width): pixels[n * channels : (n + 1) * channels]
        for n in range(len(pixels) // channels)
    }
    for layer in network.layers:
        if layer.threshold is None and layer.offset is None:  # a pool of several bits
            ends = [min if least else max for least in layer.invert.tolist()]
            values = {
                place: [end(vector[j :: layer.mh]) for j, end in enumerate(ends)]
                for place, vector in vectors(layer, values).items()
            }
            continue
        sums = {place: neurons(layer, vector) for place, vector in vectors(layer, values).items()}
        if layer.offset is not None:
            return [2 * a + int(o) for a, o in zip(sums[0, 0], layer.offset.tolist(), strict=True)]
        threshold, invert = layer.threshold.tolist(), layer.invert.tolist()
        values = {
            place: [
                sum((a >= level) != i for level in levels)
                for a, levels, i in zip(found, threshold, invert, strict=True)
            ]
            for place, found in sums.items()
        }
    raise AssertionError("no last layer")


@pytest.mark.parametrize(
    "network",
    [
        *(random_network(seed, largest=24) for seed in range(12)),
        *(random_conv_network(seed) for seed in range(24)),
        *(random_network(seed, largest=24, bits=4) for seed in range(12)),
        *(random_conv_network(seed, largest=7, bits=4) for seed in range(24)),
    ],
    ids=lambda network: network.name,
)
def test_equals_the_definition(network):
    images = np.random.default_rng(3).integers(0, 256, (12, *network.encoding.shape), np.uint8)
    answer = reference.run(network, images)
    for image, scores, winner in zip(images, answer.scores, answer.classes, strict=True):
        wanted = by_definition(network, image)
        assert scores.tolist() == wanted
        assert winner == wanted.index(max(wanted))  # ties go to the lowest index


def test_a_pool_is_the_maximum_of_each_channel():
    """A max pool of bits is a layer with one connection per tap and threshold 1, the minimum one with all."""
    seen, every = FeatureMap(6, 4, 5), np.array([0, 1, 0, 0, 1], bool)
    bits = np.random.default_rng(0).random((30, 6, 4, 5)) < 0.4
    found = reference.activate(pool_layer("pool", seen, 2, every), bits)
    blocks = bits.reshape(30, 3, 2, 2, 2, 5)
    assert (found == np.where(every, blocks.all((2, 4)), blocks.any((2, 4)))).all()


@pytest.mark.parametrize("network", [random_network(4), random_conv_network(4)])
def test_batches_do_not_matter(monkeypatch, network):
    images = np.random.default_rng(0).integers(0, 256, (25, *network.encoding.shape), np.uint8)
    whole = reference.run(network, images)
    monkeypatch.setattr(reference, "BATCH_IMAGES", 7)
    parts = reference.run(network, images)
    assert (whole.scores == parts.scores).all()
    assert all((a == b).all() for a, b in zip(whole.hidden, parts.hidden, strict=True))


def test_no_images_give_no_answers():
    network = random_network(4)
    answer = reference.run(network, np.zeros((0, *network.encoding.shape), np.uint8))
    assert answer.classes.shape == (0,) and answer.scores.shape == (0, network.classes)


def test_wrong_images_are_refused():
    network = random_network(2)
    (bits,) = network.encoding.shape
    with pytest.raises(NetworkError) as caught:
        reference.run(network, np.zeros((3, bits + 1), np.uint8))
    assert str(caught.value) == f"images have shape (3, {bits + 1}), random2 takes (N, {bits})"
    with pytest.raises(NetworkError) as caught:
        reference.run(network, np.zeros((3, bits), np.float32))
    assert str(caught.value) == "images are float32, random2 takes uint8"
