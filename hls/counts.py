"""What a wired layer is made of, from its counts alone: no module is written.

Equal to what `sbnn.hls.wired` counts while it writes one, but for what neurons share, for neurons that
nothing reads and for inputs that never change, which all cost less there. A layer of a million connections
takes seconds.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from sbnn.hls.circuit import Circuit, shared_adders
from sbnn.hls.compress import count_width, signed_width, to_two_rows
from sbnn.hls.design import Choices, Design
from sbnn.hls.fabric import Fabric, fabric_of
from sbnn.hls.facts import Cost
from sbnn.hls.heap import stages
from sbnn.hls.layer import IntArray, SparseLayer
from sbnn.hls.levels import Levels, ask, build_levels, plan_levels
from sbnn.hls.network import Network
from sbnn.hls.pools import pool
from sbnn.hls.rows import LayerRows, digits
from sbnn.hls.sharing import Request, distinct
from sbnn.hls.sums import score_width
from sbnn.hls.wired import LayerRtl


def literals(layer: SparseLayer) -> list[int]:
    """Return how many literals each output counts; an input and its complement together are a constant."""
    return [int(n) for n in _heap(layer).shifts.sum(1)]


@dataclass(frozen=True, eq=False)
class _Heap:
    """What the outputs of a layer add.

    Attributes:
        shifts: (MH, shifts) int64, literals of each output per shift.
        above: (MH,) int64, what their sum is where P is smallest: complements count there, -x being ~x less
            a constant.
    """

    shifts: IntArray
    above: IntArray

    def heights(self, value_bits: int) -> list[tuple[int, ...]]:
        """Return the bits per column of each output's sum."""
        count = self.shifts.shape[1]
        heights = np.zeros((len(self.shifts), count + value_bits - 1), np.int64)
        for bit in range(value_bits):
            heights[:, bit : bit + count] += self.shifts
        # As `Row.columns`: no columns above what the largest shift of the row reaches.
        last = count - 1 - (self.shifts > 0)[:, ::-1].argmax(1)
        used = np.where(self.shifts.any(1), last, 0) + value_bits
        return [tuple(row[:n]) for row, n in zip(heights.tolist(), used.tolist(), strict=True)]

    def largest(self, peak: int) -> IntArray:
        """Return the sum of all literals of each output."""
        each = self.shifts << np.arange(self.shifts.shape[1])
        return np.asarray(peak * each.sum(1), np.int64)


def _heap(layer: SparseLayer) -> _Heap:
    if layer.rails == 2:
        plain, complemented = layer.weight[:, : layer.inputs], layer.weight[:, layer.inputs :]
        counted = np.maximum(plain, complemented) - np.minimum(plain, complemented)
    else:
        counted = layer.weight
    most = int(counted.max(initial=1))
    shifts = np.zeros((layer.mh, 1 + max(digits(c)[-1][0] for c in range(1, most + 1))), np.int64)
    above = np.zeros(layer.mh, np.int64)
    for coefficient in range(1, most + 1):
        times = (counted == coefficient).sum(1, dtype=np.int64)
        for shift, negative in digits(coefficient):
            shifts[:, shift] += times
            above += times * (layer.peak << shift) * negative
    return _Heap(shifts[:, : 1 + int(np.flatnonzero(shifts.any(0)).max(initial=0))], above)


def count_design(network: Network, choices: Choices) -> Design:
    """Return a design whose layers have costs and latencies but no text; estimates and cycles hold."""
    fabric = fabric_of(choices.family)
    layers = tuple(count_layer(layer, choices.levels_per_stage, fabric) for layer in network.layers)
    rows = tuple(LayerRows(layer, (), None, layer.reach, {}) for layer in network.layers)
    return Design(network, choices, rows, layers)


def count_layer(layer: SparseLayer, levels_per_stage: int, fabric: Fabric) -> LayerRtl:
    """Return what `emit_layer` returns of a layer, without its text and its registers."""
    if layer.is_last or layer.xi_num.any():
        return _count_sums(layer, levels_per_stage)
    adders, tables, pairs, depth = 0, Counter[int](), Counter[int](), 0
    for circuit, times in _circuits(layer, fabric):
        for cell in circuit.cells:
            adders += times * (cell.table is None)
            if cell.table is not None:
                (tables if cell.outputs == 1 else pairs)[len(cell.inputs)] += times
        depth = max(depth, circuit.depth)
    cost = Cost(adders, dict(tables), dict(pairs), {}, 0)
    return LayerRtl(layer.name, "", stages(depth, levels_per_stage), 0, cost)


def _circuits(layer: SparseLayer, fabric: Fabric) -> list[tuple[Circuit, int]]:
    """Return the distinct circuits of a hidden layer's outputs, and how many outputs have each."""
    if layer.threshold is None or layer.invert is None:
        circuit = Circuit(layer.in_bits)
        pool(circuit, layer, 0, fabric)
        return [(circuit, layer.mh)]
    heap = _heap(layer)
    lows, highs = (ends.tolist() for ends in layer.reach)
    asked = (
        ask(thresholds, layer.xi_frac, (low, high), (low >> layer.xi_frac) - above, invert)
        for thresholds, low, high, above, invert in zip(
            layer.threshold.tolist(),
            lows,
            highs,
            heap.above.tolist(),
            layer.invert.tolist(),
            strict=True,
        )
    )
    kinds = Counter(zip(heap.heights(layer.value_bits), asked, strict=True))
    return [
        (_neuron(heights, levels, fabric), times)
        for (heights, levels), times in kinds.items()
        if levels.needs  # else it is constant
    ]


@cache
def _neuron(heights: tuple[int, ...], levels: Levels, fabric: Fabric) -> Circuit:
    """Return the cells of a neuron that shares none."""
    made = plan_levels(heights, levels, fabric)
    circuit, left = shared_adders(made.requests(distinct(heights)), sum(heights))
    build_levels(circuit, left, made, levels, fabric, 0)
    return circuit


@cache
def _count(heights: tuple[int, ...]) -> tuple[int, int]:
    """Return the full adders and the levels of a popcount."""
    request = Request(distinct(heights), to_two_rows(heights))
    circuit, _ = shared_adders([request], sum(heights))
    return len(circuit.cells), circuit.depth


def _count_sums(layer: SparseLayer, levels_per_stage: int) -> LayerRtl:
    """Return what scores, or neurons with xi, are made of."""
    peak, last, shared = layer.peak, layer.is_last, bool(layer.xi_num.any())
    low, high = _shared_range(layer)
    size = score_width(layer) if last else 0
    adders, meet = 0, 1
    additions: defaultdict[str, list[int]] = defaultdict(list)
    heap = _heap(layer)
    largest = heap.largest(layer.peak).tolist()
    for j, heights in enumerate(heap.heights(layer.value_bits)):
        count, depth = _count(heights)
        adders += count
        meet = max(meet, stages(depth, levels_per_stage) + 1)
        additions["count"].append(count_width(largest[j]))
        if last:
            additions["score"].append(size)
            additions["offset"] += [size] if shared else []
        else:
            additions["shared"] += [signed_width([low, high + largest[j]])] * layer.levels
    if shared:
        counted = layer.inputs if layer.rails == 1 else 0
        count, depth = _count((counted,) * layer.value_bits)
        adders += count
        additions["count"].append(count_width(counted * peak))
        if counted:
            meet = max(meet, stages(depth, levels_per_stage) + (2 if last else 3))
        _count_shared(layer, additions)
    widths = {kind: dict(Counter(found)) for kind, found in additions.items() if found}
    return LayerRtl(layer.name, "", meet + 1, size, Cost(adders, {}, {}, widths, 0))


def _shared_range(layer: SparseLayer) -> tuple[int, int]:
    """Return the smallest and largest V of a layer with a shared S."""
    most = layer.inputs * layer.peak
    ends = [int(k) * s >> layer.xi_frac for k in set(layer.xi_num.tolist()) for s in (0, most)]
    return min(ends), max(ends) + 1


def _count_shared(layer: SparseLayer, additions: defaultdict[str, list[int]]) -> None:
    """Count xi*S and V, once per distinct xi and fraction of a threshold."""
    most = layer.inputs * layer.peak
    for k in sorted(set(layer.xi_num.tolist())):
        ends = sorted((0, k * most))
        additions["product"] += [max(signed_width(ends), layer.xi_frac + 1)] * abs(k).bit_count()
        if layer.threshold is None:
            continue
        fractions = {
            int(t) % (1 << layer.xi_frac) for t in layer.threshold[layer.xi_num == k].reshape(-1)
        }
        wide = signed_width([ends[0] >> layer.xi_frac, (ends[1] >> layer.xi_frac) + 1])
        additions["carry"] += [wide + layer.xi_frac] * len(fractions)


def dense_twin(layer: SparseLayer) -> SparseLayer:
    """Return a layer of the same shape with weights of -1 and +1, half of them +1.

    In popcounts it is xi = -1/2: half the inputs per neuron and one S for all, which is less than counting
    the XNOR of every input.
    """
    inputs = layer.inputs
    weight = np.zeros((layer.mh, inputs), np.uint8)
    weight[:, ::2] = 1
    zeros = np.zeros(layer.mh, np.int64)
    return replace(
        layer,
        weight=weight,
        xi_num=zeros - 1,
        xi_frac=1,
        rails=1,
        threshold=None if layer.is_last else np.zeros((layer.mh, layer.levels), np.int64),
        offset=zeros if layer.is_last else None,
    )


def dense_network(network: Network) -> Network:
    """Return a network of the same shape whose weights are -1 and +1."""
    layers = tuple(layer if layer.pool else dense_twin(layer) for layer in network.layers)
    return Network(network.name, network.encoding, layers)
