"""What each output of a layer must be, from the network's integers alone, against the gates that were made.

    y = sum over levels of ((P << F) + xi_num * S >= threshold) ^ invert
    score = 2 * ((P << F) + xi_num * S) + offset

Nothing of the generator is used here but the module's text: whatever it shares, reorders or leaves out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from sbnn.hls.network import Network, SparseLayer
from sbnn.hls.proof.cone import Cone, TooLargeError, within_memory
from sbnn.hls.proof.gates import Gates
from sbnn.hls.proof.linear import NotLinearError, weighted_sum

PATIENCE = (
    3  # outputs of a layer that may grow too large, a minute each, before the rest is not tried
)


@dataclass
class Verdict:
    """What became of the outputs of a layer.

    Attributes:
        proven: those that are what they should be for all inputs.
        wrong: those that some input gives another value.
        undecided: those whose BDD grew too large, and what was not tried after them.
        constant: {output: its value} of those that are the same for all inputs.
    """

    proven: list[int] = field(default_factory=list)
    wrong: list[int] = field(default_factory=list)
    undecided: list[int] = field(default_factory=list)
    constant: dict[int, int] = field(default_factory=dict)


def judge_layer(
    network: Network,
    index: int,
    gates: Gates,
    known: Mapping[int, bool],
    only: Iterable[int] | None = None,
) -> Verdict:
    """Return what the gates of a layer are, for all inputs.

    Args:
        network: the integers.
        index: of the layer.
        gates: of its module.
        known: the input bits that are the same in every image; see `known_inputs`.
        only: outputs to look at, all that are read if None.
    """
    layer, verdict = network.layers[index], Verdict()
    wanted = [j for j in range(layer.mh) if is_read(network, index, j)] if only is None else [*only]
    if layer.is_last:
        wanted = [j for j in wanted if not _judge_sum(layer, gates, j, known, verdict)]
    # Neurons that share S share one cone, so that S is worked out once.
    shared = layer.rails == 1 and layer.xi_num.any()
    for group in [wanted] if shared else [[j] for j in wanted]:
        if len(verdict.undecided) < PATIENCE:
            try:
                with within_memory():
                    _judge_functions(layer, gates, group, known, verdict)
            except TooLargeError:
                pass
        verdict.undecided += [j for j in group if j not in {*verdict.proven, *verdict.wrong}]
    return verdict


def is_read(network: Network, index: int, j: int) -> bool:
    """Return whether the next layer reads output j, at any position."""
    if index + 1 == len(network.layers):
        return True
    after, channels = network.layers[index + 1], network.layers[index].mh
    columns = after.w01.reshape(after.mh, -1, channels)
    return bool(columns[:, :, j].any()) or (after.rails == 1 and bool(after.xi_num.any()))


def known_inputs(network: Network, index: int, constant: Mapping[int, int]) -> dict[int, bool]:
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


def weights_of(layer: SparseLayer, j: int, known: Mapping[int, bool]) -> tuple[dict[int, int], int]:
    """Return what each unknown input bit adds to A[j], and what is there without any."""
    rows = layer.weight[j].reshape(layer.rails, layer.inputs).astype(np.int64) << layer.xi_frac
    k = int(layer.xi_num[j])
    bits, peak = layer.value_bits, (1 << layer.value_bits) - 1
    if layer.rails == 2:  # the second rail counts peak - x, and S is peak for each input
        weights, base = rows[0] - rows[1], (int(rows[1].sum()) + k * layer.inputs) * peak
    else:
        weights, base = rows[0] + k, 0
    every = {i * bits + b: int(w) << b for i, w in enumerate(weights) for b in range(bits) if w}
    base += sum(every.get(i, 0) for i, bit in known.items() if bit)
    return {i: w for i, w in every.items() if i not in known}, base


def _judge_sum(
    layer: SparseLayer, gates: Gates, j: int, known: Mapping[int, bool], verdict: Verdict
) -> bool:
    """Return whether rewriting its adders decides a score."""
    width = len(gates.y) // layer.mh
    weights, base = weights_of(layer, j, known)
    need = {i: 2 * w % (1 << width) for i, w in weights.items()}
    constant = (2 * base + _offset(layer, j)) % (1 << width)
    try:
        found = weighted_sum(gates, gates.y[j * width : (j + 1) * width], known)
    except NotLinearError:
        return False
    equal = found == ({i: w for i, w in need.items() if w}, constant)
    (verdict.proven if equal else verdict.wrong).append(j)
    return True


def _judge_functions(
    layer: SparseLayer, gates: Gates, group: list[int], known: Mapping[int, bool], verdict: Verdict
) -> None:
    """Compare the functions of some outputs, which share one manager, with what they should be."""
    width = len(gates.y) // layer.mh
    cone = Cone(gates, [net for j in group for net in gates.y[j * width : (j + 1) * width]], known)
    for n, j in enumerate(group):
        weights, base = weights_of(layer, j, known)
        cone.declare(weights)
        if layer.is_last:
            doubled = {i: 2 * w for i, w in weights.items()}
            need = cone.sum_bits(doubled, 2 * base + _offset(layer, j), width)
        else:
            inverted = layer.invert is not None and bool(layer.invert[j])
            if layer.threshold is None:
                taps = range(layer.inputs // layer.mh)
                need = cone.end_of([_tap_bits(layer, tap, j) for tap in taps], inverted)
            else:
                levels = layer.threshold[j].tolist()
                need = cone.levels_reached(weights, base, levels, inverted, width)
        if not layer.is_last and all(bit in (cone.bdd.true, cone.bdd.false) for bit in need):
            verdict.constant[j] = sum((bit == cone.bdd.true) << b for b, bit in enumerate(need))
        equal = cone.outputs[n * width : (n + 1) * width] == need
        (verdict.proven if equal else verdict.wrong).append(j)


def _offset(layer: SparseLayer, j: int) -> int:
    return 0 if layer.offset is None else int(layer.offset[j])


def _tap_bits(layer: SparseLayer, tap: int, j: int) -> range:
    """Return the input bits of one tap of a pool's channel, the lowest first."""
    first = (tap * layer.mh + j) * layer.value_bits
    return range(first, first + layer.value_bits)
