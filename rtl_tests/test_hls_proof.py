"""Every neuron of generated layers, proven to be what its integers say; `-s` prints widths and seconds."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from networks import random_conv_network, random_network, tracked_network
from summary import count

from sbnn.hls.design import Choices, make_design
from sbnn.hls.generate import generate
from sbnn.hls.manifest import ManifestError
from sbnn.hls.network import InputEncoding, Network, SparseLayer
from sbnn.hls.proof import cone
from sbnn.hls.proof.gates import REGISTER, Gates, read_gates, registers_between
from sbnn.hls.proof.linear import NotLinearError, weighted_sum
from sbnn.hls.proof.neurons import judge_layer
from sbnn.hls.proof.prove import CoreProof, ProofError, proof_text, prove, prove_layers

FAMILIES = ("xc7", "ecp5")  # adders and tables of LUT6 and of LUT4


def prove_network(network: Network, levels: int, family: str) -> tuple[int, int]:
    """Prove a network's layers; return how many outputs are proven, and how many are read."""
    design = make_design(network, Choices(levels_per_stage=levels, family=family))
    texts = [layer.text for layer in design.layers]
    latencies = [layer.latency_cycles for layer in design.layers]
    proofs = prove_layers(network, texts, latencies, network.name)
    print(f"\n{network.name}: {proof_text(CoreProof(proofs, 0))}", end="")
    proven = sum(proof.proven for proof in proofs)
    count("neurons and scores", proven)
    return proven, sum(proof.read for proof in proofs)


def small_network() -> Network:
    """Return 12 inputs, 4 neurons of 8 ones with a xi of their own, 2 scores."""
    rng = np.random.default_rng(5)
    weight = np.zeros((4, 12), np.uint8)
    for row in weight:
        row[rng.choice(12, 8, replace=False)] = 1
    hidden = SparseLayer(
        "fc1",
        weight,
        np.array([1, 1, -1, 3]),
        2,
        threshold=np.array([[22], [23], [13], [35]]),
        invert=np.array([False, True, False, False]),
    )
    last = SparseLayer(
        "fc2", np.ones((2, 4), np.uint8), np.zeros(2, np.int64), 0, offset=np.array([1, -3])
    )
    return Network("small", InputEncoding((12,), 128), (hidden, last))


def proof_of(network: Network, generated: Network, index: int) -> list[int]:
    """Return the outputs of one layer, generated from another network, that are not this network's."""
    made = make_design(generated, Choices(levels_per_stage=2)).layers[index]
    return judge_layer(network, index, read_gates(made.text), {}).wrong


def changed(array: np.ndarray, place: int | tuple[int, int], by: int) -> np.ndarray:
    copy = array.copy()
    copy[place] = copy[place] ^ True if copy.dtype == np.bool_ else copy[place] + by
    return copy


@pytest.mark.parametrize(
    ("index", "field", "place"),
    [
        *((0, "threshold", (1, 0)), (0, "invert", 2), (0, "xi_num", 3), (0, "weight", (1, 0))),
        *((0, "weight", (2, 7)), (1, "offset", 1), (1, "weight", (0, 3))),
    ],
)
def test_wrong_generated_layer_is_found(index, field, place):
    """A generator that reads one number wrong: that output is named, and no other."""
    network = small_network()
    layer = network.layers[index]
    wrong = replace(layer, **{field: changed(getattr(layer, field), place, 1)})
    layers = (*network.layers[:index], wrong, *network.layers[index + 1 :])
    output = place if isinstance(place, int) else place[0]
    assert proof_of(network, replace(network, layers=layers), index) == [output]


def test_every_gate_and_register_counts():
    """Every XOR of an adder that is inverted, and every register that is left out, is found."""
    network = small_network()
    made = make_design(network, Choices(levels_per_stage=2)).layers[1]
    gates = read_gates(made.text)
    assert not judge_layer(network, 1, gates, {}).wrong
    assert registers_between(gates) == {made.latency_cycles}
    missed = []
    for net, (kind, sources) in gates.cells.items():
        if kind == REGISTER:
            without = gates.cells | {net: ("$_AND_", (sources[0], sources[0]))}
            found = registers_between(replace(gates, cells=without)) != {made.latency_cycles}
        elif kind == "$_XOR_":
            broken = replace(gates, cells=gates.cells | {net: ("$_XNOR_", sources)})
            found = bool(judge_layer(network, 1, broken, {}).wrong)
        else:
            continue
        if not found:
            missed.append((net, kind))
    assert not missed


def test_xi_finer_than_its_sum():
    """xi = -1/32 over 4 inputs: the fraction of xi_num * S needs the sign beyond its own bits."""
    network = small_network()
    layer = replace(
        network.layers[0],
        weight=np.ones((4, 4), np.uint8),
        xi_num=np.full(4, -1),
        xi_frac=5,
        threshold=np.array([[31], [30], [61], [92]]),
    )
    layers = (layer, network.layers[1])
    network = Network("narrow", InputEncoding((4,), 128), layers)
    assert prove_network(network, 2, "ecp5") == (6, 6)


@pytest.mark.parametrize("family", ["ecp5", pytest.param("xc7", marks=pytest.mark.regress)])
def test_digits(family):
    assert prove_network(tracked_network("digits"), 4, family) == (136, 136)


def regress(make, kind: str, largest: int, seed: int):
    few = partial(make, seed, largest, 4)
    return pytest.param(few, id=f"{kind}{seed}", marks=pytest.mark.regress)


def seeds(fast: int, count: int) -> list:
    return [pytest.param(n, marks=() if n == fast else pytest.mark.regress) for n in range(count)]


@pytest.mark.parametrize("seed", seeds(4, 20))
def test_random_network(seed):
    proven, total = prove_network(random_network(seed, 24), 1 + seed % 4, FAMILIES[seed % 2])
    assert proven == total


@pytest.mark.parametrize("seed", seeds(4, 8))
def test_random_conv_network(seed):
    """Windows, pools, and 8-bit pixels, some with xi."""
    proven, total = prove_network(random_conv_network(seed, 5), 1 + seed % 4, FAMILIES[seed % 2])
    assert proven == total


# Of the first 60, those with layers of at most 40 input bits: one of 54 bits did not end within 400 s.
NARROW = (2, 5, 9, 10, 13, 17, 20, 21, 25, 27, 30, 32, 33, 37, 45, 47, 50, 51, 58)


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(lambda: random_network(4, 12, 4), id="random4"),
        pytest.param(lambda: random_conv_network(9, 4, 4), id="conv9"),
        *(regress(random_network, "random", 12, seed) for seed in range(20) if seed != 4),
        *(regress(random_conv_network, "conv", 4, seed) for seed in NARROW if seed != 9),
    ],
)
def test_few_bits(network):
    """Weights, values and outputs of up to 4 bits, both rails, some with xi; conv9 has a pool of 2 bits."""
    few = network()
    proven, total = prove_network(few, 1 + few.weights % 4, FAMILIES[few.weights % 2])
    assert proven == total


@pytest.mark.regress
@pytest.mark.parametrize(
    ("model", "neurons"),
    [
        *(("digits-xi", 138), ("digits-conv", 138), ("tfc-sbnn95", 200), ("sbnn98", 549)),
        *(("sbnn95", 764), ("sbnn95-dual", 736), ("lenet-lut4k", 246), ("lenet-sbnn95", 385)),
        ("lut4k", 2325),
    ],
)
def test_trained(model, neurons):
    assert prove_network(tracked_network(model), 4, "ecp5") == (neurons, neurons)


def wide_score(seed: int, xi: int) -> Network:
    """Return one score of about 150 of 300 inputs, and another that shares their sums."""
    rng = np.random.default_rng(seed)
    weight = (rng.random((2, 300)) < 0.5).astype(np.uint8)
    last = SparseLayer("fc1", weight, np.full(2, xi), 2, offset=np.array([-41, 6]))
    return Network("wide", InputEncoding((300,), 128), (last,))


@pytest.mark.parametrize("xi", [0, -3])
@pytest.mark.parametrize("family", FAMILIES)
def test_wide_scores_by_rewriting(family, xi):
    """Far too wide for a BDD, where all 300 inputs count in S too."""
    network = wide_score(1, xi)
    assert prove_network(network, 3, family) == (2, 2)
    layer = network.layers[0]
    weight = changed(layer.weight, (1, 17), 1 - 2 * int(layer.weight[1, 17]))
    wrong = replace(network, layers=(replace(layer, weight=weight),))
    assert proof_of(network, wrong, 0) == [1]


def broken_gates(gates: Gates, kind: str, other: str, keep: int) -> list[Gates]:
    """Return gates with one cell of a kind, every `keep`th, made another."""
    nets = [net for net, (found, _) in gates.cells.items() if found == kind][::keep]
    return [replace(gates, cells=gates.cells | {net: (other, gates.cells[net][1])}) for net in nets]


def test_rewriting_sees_every_broken_adder():
    network = wide_score(2, 0)
    made = make_design(network, Choices(levels_per_stage=2)).layers[0]
    gates = read_gates(made.text)
    width = len(gates.y) // 2

    def value(some: Gates) -> list:
        found = []
        for j in range(2):
            try:
                found.append(weighted_sum(some, gates.y[j * width : (j + 1) * width], {}))
            except NotLinearError as error:
                found.append(str(error))
        return found

    right = value(gates)
    assert all(isinstance(some, tuple) for some in right)
    every = broken_gates(gates, "$_XOR_", "$_XNOR_", 40)
    every += broken_gates(gates, "$_AND_", "$_OR_", 40) + broken_gates(gates, "$_OR_", "$_AND_", 40)
    assert len(every) > 20
    assert [some for some in every if value(some) == right] == []


def test_what_is_too_large_is_undecided(monkeypatch):
    monkeypatch.setattr(cone, "MEMORY", 1 << 20)
    network = small_network()
    rng = np.random.default_rng(1)
    few = (rng.random((4, 200)) < 0.5).astype(np.uint8)
    layer = replace(
        network.layers[0], weight=few, xi_num=np.zeros(4, np.int64), threshold=np.full((4, 1), 200)
    )
    network = Network("large", InputEncoding((200,), 128), (layer, network.layers[1]))
    design = make_design(network, Choices(levels_per_stage=2))
    texts = [made.text for made in design.layers]
    proofs = prove_layers(network, texts, [made.latency_cycles for made in design.layers], "large")
    assert [(proof.proven, proof.undecided) for proof in proofs] == [(0, (0, 1, 2, 3)), (2, ())]
    text = proof_text(CoreProof(proofs, 0))
    assert "too large for a BDD: 4\n" in text
    assert "2 of 6 neurons and scores proven" in text


def test_a_build_folder(tmp_path):
    """The report is of this Verilog; what was changed since, or is not the network's, is refused."""
    network = small_network()
    network.save(tmp_path / "network.npz")
    folder = tmp_path / "ulx3s"
    generate(network, Choices(levels_per_stage=2), "ulx3s", folder)
    proof = prove(folder)
    report = json.loads((folder / "report" / "proof.json").read_text())
    assert (
        [layer["proven"] for layer in report["layers"]]
        == [p.proven for p in proof.layers]
        == [4, 2]
    )
    assert report["wiring"] == {"modules": proof.modules} == {"modules": 6}
    assert report["rtl_digest"] == json.loads((folder / "manifest.json").read_text())["rtl_digest"]
    path = folder / "rtl" / "small_fc1.sv"
    whole = path.read_text()
    path.write_text(whole + "\n")
    with pytest.raises(ManifestError, match="its Verilog is not what"):
        prove(folder)
    path.write_text(whole)
    other = replace(
        network, layers=(network.layers[0], replace(network.layers[1], offset=np.array([0, -3])))
    )
    other.save(tmp_path / "network.npz")
    with pytest.raises(ProofError, match="make hls makes it again"):
        prove(folder)


def test_a_wrong_layer_or_a_missing_register_is_named():
    network = small_network()
    design = make_design(network, Choices(levels_per_stage=2))
    layers = (replace(network.layers[0], invert=~network.layers[0].invert), network.layers[1])
    texts = [layer.text for layer in design.layers]
    latencies = [layer.latency_cycles for layer in design.layers]
    with pytest.raises(
        ProofError, match="here: layer fc1: some input gives outputs 0 1 2 3 another"
    ):
        prove_layers(replace(network, layers=layers), texts, latencies, "here")
    latencies[1] += 1
    with pytest.raises(
        ProofError, match=f"layer fc2 has paths of .* registers, needs {latencies[1]}"
    ):
        prove_layers(network, texts, latencies, "here")
