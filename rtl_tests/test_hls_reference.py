"""The reference against the definition, written out in Python integers."""

import numpy as np
import pytest
from networks import random_network

from sbnn.hls import reference
from sbnn.hls.network import NetworkError


def by_definition(network, image):
    """Follow the module docstring of hls/network.py literally, one neuron at a time."""
    x = [int(pixel >= network.encoding.threshold) for pixel in image.reshape(-1).tolist()]
    for layer in network.layers:
        seen = x + [1 - bit for bit in x] if layer.rails == 2 else x
        total = sum(seen)
        sums = []
        for j in range(layer.mh):
            count = sum(bit for bit, one in zip(seen, layer.w01[j].tolist(), strict=True) if one)
            sums.append(count * 2**layer.xi_frac + int(layer.xi_num[j]) * total)
        if layer.offset is not None:
            return [2 * a + int(o) for a, o in zip(sums, layer.offset.tolist(), strict=True)]
        x = [
            int((a >= int(t)) != bool(i))
            for a, t, i in zip(sums, layer.threshold.tolist(), layer.invert.tolist(), strict=True)
        ]
    raise AssertionError("no last layer")


@pytest.mark.parametrize("seed", range(12))
def test_equals_the_definition(seed):
    network = random_network(seed, largest=24)
    images = np.random.default_rng(seed).integers(0, 256, (20, *network.encoding.shape), np.uint8)
    answer = reference.run(network, images)
    for image, scores, winner in zip(images, answer.scores, answer.classes, strict=True):
        wanted = by_definition(network, image)
        assert scores.tolist() == wanted
        assert winner == wanted.index(max(wanted))  # ties go to the lowest index


def test_batches_do_not_matter(monkeypatch):
    network = random_network(4)
    images = np.random.default_rng(0).integers(0, 256, (25, *network.encoding.shape), np.uint8)
    whole = reference.run(network, images)
    monkeypatch.setattr(reference, "BATCH", 7)
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
