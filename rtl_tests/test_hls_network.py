"""The integer network: its file, its checks, its messages."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from networks import pool_layer, random_network

from sbnn.hls import reference
from sbnn.hls.layer import check_layer
from sbnn.hls.maps import FeatureMap
from sbnn.hls.network import InputEncoding, Network, NetworkError, SparseLayer, load


def layer(**changes):
    fields = {
        "name": "fc1",
        "weight": np.eye(3, 4, dtype=np.uint8),
        "xi_num": np.zeros(3, np.int64),
        "xi_frac": 0,
        "offset": np.zeros(3, np.int64),
    }
    return SparseLayer(**(fields | changes))


def hidden(levels):
    """Return a first layer with these levels of each output."""
    threshold = np.array([list(row) for row in levels], np.int64)
    count = len(threshold)
    return layer(
        weight=np.ones((count, 4), np.uint8),
        xi_num=np.zeros(count, np.int64),
        threshold=threshold,
        invert=np.zeros(count, bool),
        offset=None,
    )


def network(*layers, shape=(4,)):
    return Network("net", InputEncoding(shape, 128), layers)


@pytest.mark.parametrize("bits", [1, 4])
@pytest.mark.parametrize("seed", range(5))
def test_file_gives_the_network_back(tmp_path, seed, bits):
    first = random_network(seed, bits=bits)
    first.save(tmp_path / "a.npz")
    again = load(tmp_path / "a.npz")
    assert again.digest() == first.digest()
    again.save(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    images = np.random.default_rng(seed).integers(0, 256, (50, *first.encoding.shape), np.uint8)
    assert (reference.run(first, images).scores == reference.run(again, images).scores).all()


def test_digest_sees_every_part():
    base = random_network(3)
    last = base.layers[-1]
    other = SparseLayer(
        last.name, last.weight, last.xi_num, last.xi_frac, last.rails, offset=last.offset + 1
    )
    assert Network(base.name, base.encoding, (*base.layers[:-1], other)).digest() != base.digest()


def test_arrays_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        random_network(0).layers[0].weight[0, 0] = 1


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([layer(name="1fc")], "name '1fc': needs letters, digits and _, no digit first"),
        ([layer(weight=np.eye(3, 5, dtype=np.uint8))], "layer fc1: weight has 5 columns, needs 4"),
        ([layer(weight=np.eye(3, 4))], "layer fc1: weight is float64, needs a 2-D uint8 array"),
        ([layer(xi_frac=17)], "layer fc1: xi_frac is 17, needs 0 to 16"),
        ([layer(rails=3)], "layer fc1: 3 rails, needs 1 or 2"),
        ([layer(offset=None)], "layer fc1: needs offset"),
        ([layer(threshold=np.zeros((3, 1), np.int64))], "layer fc1: cannot have threshold"),
        (
            [layer(weight=16 * np.eye(3, 4, dtype=np.uint8))],
            "layer fc1: a weight is 16, needs at most 15",
        ),
        (
            [
                hidden([[0, 2, 1], [0, 1, 2]]),
                layer(name="fc2", weight=np.eye(3, 2, dtype=np.uint8)),
            ],
            "layer fc1: the levels of output 0 are [0, 2, 1], need to ascend",
        ),
        (
            [hidden([range(16)] * 2), layer(name="fc2")],
            "layer fc1: threshold has shape (2, 16), needs 1 to 15 levels an output",
        ),
        (
            [hidden([[0, 1]] * 2), layer(name="fc2", weight=np.eye(3, 2, dtype=np.uint8))],
            "layer fc2: takes 1-bit values, gets 2-bit ones",
        ),
        (
            [layer(offset=np.zeros(2, np.int64))],
            "layer fc1: offset is int64 (2,), needs int64 (3,)",
        ),
        ([], "network net: has no layers, needs at least one"),
    ],
)
def test_broken_networks_are_refused(layers, message):
    with pytest.raises(NetworkError) as caught:
        network(*layers)
    assert str(caught.value) == message


def damage_member(path, name, change):
    """Rewrite one member of an npz with other bytes."""
    with zipfile.ZipFile(path) as archive:
        members = {entry: archive.read(entry) for entry in archive.namelist()}
    members[name] = change(members[name])
    with zipfile.ZipFile(path, "w") as archive:
        for entry, content in members.items():
            archive.writestr(entry, content)


def test_damaged_files_are_refused(tmp_path):
    path = tmp_path / "network.npz"
    random_network(1).save(path)
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(NetworkError, match="not a network file"):
            load(path)
    path.write_bytes(whole)
    damage_member(path, "fc1.w01.npy", lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]))
    with pytest.raises(NetworkError, match="content has digest"):
        load(path)


def test_header_cannot_ask_for_more_than_the_file_holds(tmp_path):
    path = tmp_path / "network.npz"
    random_network(1).save(path)

    def grow(raw):
        start = raw.index(b"{", 80)
        header = json.loads(raw[start:])
        header["layers"][0]["mh"] = 10**9
        text = json.dumps(header).encode()
        stream = io.BytesIO()
        np.save(stream, np.frombuffer(text, np.uint8))
        return stream.getvalue()

    damage_member(path, "header.npy", grow)
    with pytest.raises(NetworkError, match="weights, at most 268435456"):
        load(path)


def test_reach_is_attained_and_never_left():
    for seed in range(30):
        for first in (random_network(seed, largest=7).layers[0], *few_bit_layers(seed)):
            ends = np.array([0, first.peak], np.uint8)  # a sum is extreme where every input is
            values = ends[np.arange(1 << first.inputs)[:, None] >> np.arange(first.inputs) & 1]
            sums = reference.accumulate(first, values)
            low, high = first.reach
            assert (sums.min(0) == low).all() and (sums.max(0) == high).all()


def few_bit_layers(seed):
    return [layer for layer in random_network(seed, 7, bits=4).layers if layer.inputs <= 7]


def test_a_pool_of_several_bits_is_one():
    """Its weights say which taps a channel has: no other input, none twice, no second rail."""
    pool = pool_layer("pool", FeatureMap(4, 4, 2, 3), 2, np.array([False, True]))
    check_layer(pool, last=False)
    assert (pool.levels, pool.output.bits) == (7, 3)
    for weight in (2 * pool.weight, pool.weight[:, ::-1]):
        with pytest.raises(NetworkError) as caught:
            check_layer(replace(pool, weight=weight), last=False)
        assert str(caught.value) == (
            "layer pool: pools 3-bit values, needs weight 1 for each tap of its own channel and nothing else"
        )
    with pytest.raises(NetworkError, match="layer pool: cannot have threshold"):
        check_layer(replace(pool, threshold=np.ones((2, 1), np.int64)), last=False)
