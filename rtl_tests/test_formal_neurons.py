"""Every neuron of generated layers, proven to be what its integers say, for all inputs.

    y = sum over levels of ((P << F) + xi_num * S >= threshold) ^ invert
    score = 2 * ((P << F) + xi_num * S) + offset

The right sides come from the arrays of the network alone, none of the generator's code; the left sides from
the module's text through yosys (gates.py). That every path has as many registers as the design says makes
the equality of the functions one of the pipelines. `-s` prints widths and CPU seconds.
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from gates import REGISTER, Cone, Gates, read_gates, registers_between
from networks import random_conv_network, random_network, tracked_network
from prove import cpu_seconds
from summary import count

from sbnn.hls.design import Choices, make_design
from sbnn.hls.network import InputEncoding, Network, SparseLayer

FAMILIES = ("xc7", "ecp5")  # adders and tables of LUT6 and of LUT4


def weights_of(layer: SparseLayer, j: int) -> tuple[dict[int, int], int]:
    """Return what each input bit adds to A[j], and what is there without any."""
    rows = layer.weight[j].reshape(layer.rails, layer.inputs).astype(np.int64) << layer.xi_frac
    k = int(layer.xi_num[j])
    bits, peak = layer.value_bits, (1 << layer.value_bits) - 1
    if layer.rails == 2:  # the second rail counts peak - x, and S is peak for each input
        weights, base = rows[0] - rows[1], (int(rows[1].sum()) + k * layer.inputs) * peak
    else:
        weights, base = rows[0] + k, 0
    return {
        i * bits + b: int(w) << b for i, w in enumerate(weights) for b in range(bits) if w
    }, base


def tap_bits(layer: SparseLayer, tap: int, j: int) -> range:
    """Return the input bits of one tap of a pool's channel, the lowest first."""
    first = (tap * layer.mh + j) * layer.value_bits
    return range(first, first + layer.value_bits)


def is_read(network: Network, index: int, j: int) -> bool:
    """Return whether the next layer reads output j, at any position."""
    if index + 1 == len(network.layers):
        return True
    after, channels = network.layers[index + 1], network.layers[index].mh
    columns = after.w01.reshape(after.mh, -1, channels)
    return bool(columns[:, :, j].any()) or (after.rails == 1 and bool(after.xi_num.any()))


def wrong_outputs(
    network: Network,
    index: int,
    gates: Gates,
    known: dict[int, bool],
    only: list[int] | None = None,
) -> tuple[list[int], dict[int, int]]:
    """Return the outputs of a layer that some input gives another value, and those that are constant.

    Args:
        network: the integers.
        index: of the layer.
        gates: of its module.
        known: the input bits that are the same in every image.
        only: outputs to look at, all that are read if None.
    """
    layer = network.layers[index]
    width = len(gates.y) // layer.mh
    wanted = [j for j in range(layer.mh) if is_read(network, index, j)]
    wanted = wanted if only is None else only
    # Neurons that share S share one cone, so that S is worked out once.
    shared = layer.rails == 1 and layer.xi_num.any()
    groups = [wanted] if shared else [[j] for j in wanted]
    wrong, constant = [], {}
    for group in groups:
        roots = [net for j in group for net in gates.y[j * width : (j + 1) * width]]
        cone = Cone(gates, roots, known)
        for n, j in enumerate(group):
            weights, base = weights_of(layer, j)
            base += sum(weights.pop(i, 0) for i, bit in known.items() if bit)
            weights = {i: w for i, w in weights.items() if i not in known}
            have = cone.outputs[n * width : (n + 1) * width]
            missing = {i for i, w in weights.items() if w} - set(cone.order)
            if missing:  # read by no gate: a variable all the same, so that the sums can name it
                cone.bdd.declare(*(f"x{i}" for i in sorted(missing)))
                cone.order += sorted(missing)
            if layer.is_last:
                doubled = {i: 2 * w for i, w in weights.items()}
                need = cone.sum_bits(doubled, 2 * base + int(layer.offset[j]), width)
            elif layer.threshold is None:
                need = cone.end_of(
                    [tap_bits(layer, tap, j) for tap in range(layer.inputs // layer.mh)],
                    bool(layer.invert[j]),
                )
            else:
                levels = layer.threshold[j].tolist()
                need = cone.levels_reached(weights, base, levels, bool(layer.invert[j]), width)
            if not layer.is_last and all(bit in (cone.bdd.true, cone.bdd.false) for bit in need):
                constant[j] = sum((bit == cone.bdd.true) << n for n, bit in enumerate(need))
            if have != need:
                wrong.append(j)
    return wrong, constant


def known_inputs(network: Network, index: int, constant: dict[int, int]) -> dict[int, bool]:
    """Return the constant input bits of a layer behind one with constant outputs; padding is 0."""
    layer, channels = network.layers[index], network.layers[index - 1].mh
    bits = layer.value_bits
    taps = layer.inputs // channels
    inside = layer.window.always_inside() if layer.window is not None else (True,) * taps
    return {
        (tap * channels + j) * bits + b: bool(value >> b & 1)
        for tap in range(taps)
        for j, value in constant.items()
        for b in range(bits)
        if inside[tap] or not value
    }


def prove_network(network: Network, levels: int, family: str, widest: int = 1 << 30):
    """Prove all neurons of at most `widest` ones; return how many, and how many there are."""
    design = make_design(network, Choices(levels_per_stage=levels, family=family))
    known: dict[int, bool] = {}
    proven = total = 0
    for index, (layer, made) in enumerate(zip(network.layers, design.layers, strict=True)):
        began = cpu_seconds()
        gates = read_gates(made.text)
        assert registers_between(gates) <= {made.latency_cycles}, layer.name
        read = [j for j in range(layer.mh) if is_read(network, index, j)]
        some = [j for j in read if layer.w01[j].sum() <= widest]
        wrong, constant = wrong_outputs(network, index, gates, known, some)
        assert not wrong, f"{network.name}, layer {layer.name}: outputs {wrong} are wrong"
        if index + 1 < len(network.layers):
            known = known_inputs(network, index + 1, constant)
        ones = int(layer.w01[some].sum(1).max(initial=0))
        seconds = cpu_seconds() - began
        print(
            f"\n{network.name} {layer.name}: {len(some)} of {len(read)} outputs, up to {ones} ones",
            end="",
        )
        print(f" of {layer.inputs} inputs, xi in 1/{1 << layer.xi_frac}: {seconds:.1f} s", end="")
        proven, total = proven + len(some), total + len(read)
    count("neurons and scores", proven)
    return proven, total


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
    return wrong_outputs(network, index, read_gates(made.text), {})[0]


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
    assert not wrong_outputs(network, 1, gates, {})[0]
    assert registers_between(gates) == {made.latency_cycles}
    missed = []
    for net, (kind, sources) in gates.cells.items():
        if kind == REGISTER:
            without = gates.cells | {net: ("$_AND_", (sources[0], sources[0]))}
            found = registers_between(replace(gates, cells=without)) != {made.latency_cycles}
        elif kind == "$_XOR_":
            broken = replace(gates, cells=gates.cells | {net: ("$_XNOR_", sources)})
            found = bool(wrong_outputs(network, 1, broken, {})[0])
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
    ("model", "widest", "neurons"),
    [("digits-xi", 64, (138, 138)), ("tfc-sbnn95", 68, (200, 200))],
)
def test_trained(model, widest, neurons):
    assert prove_network(tracked_network(model), 4, "ecp5", widest) == neurons
