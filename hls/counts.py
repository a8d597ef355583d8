"""What a wired layer is made of, from its counts alone: no module is written.

Equal to what `sbnn.hls.wired` counts while it writes one, but for what neurons share, for neurons that
nothing reads and for inputs that never change, which all cost less there. A layer of a million connections
takes seconds.
"""

from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache

import numpy as np

from sbnn.hls.circuit import Circuit, shared_adders
from sbnn.hls.compress import count_width, signed_width, to_two_rows
from sbnn.hls.design import Choices, Design
from sbnn.hls.ends import decide, plan
from sbnn.hls.fabric import Fabric, fabric_of
from sbnn.hls.heap import stages
from sbnn.hls.layer import SparseLayer
from sbnn.hls.network import Network
from sbnn.hls.rows import LayerRows
from sbnn.hls.sharing import Columns, Request
from sbnn.hls.sums import score_width
from sbnn.hls.wired import Cost, LayerRtl


def literals(layer: SparseLayer) -> list[int]:
    """Return how many literals each output counts; an input and its complement together are a constant."""
    ones = layer.w01.sum(1)
    if layer.rails == 2:
        half = layer.mw // 2
        ones = ones - 2 * (layer.w01[:, :half] & layer.w01[:, half:]).sum(1)
    return [int(n) for n in ones]


def count_design(network: Network, choices: Choices) -> Design:
    """Return a design whose layers have costs and latencies but no text; estimates and cycles hold."""
    fabric = fabric_of(choices.family)
    layers = tuple(count_layer(layer, choices.levels_per_stage, fabric) for layer in network.layers)
    rows = tuple(LayerRows(layer, (), None, layer.reach(), {}) for layer in network.layers)
    return Design(network, choices, rows, layers)


def count_layer(layer: SparseLayer, levels_per_stage: int, fabric: Fabric) -> LayerRtl:
    """Return what `emit_layer` returns of a layer, without its text and its registers."""
    if layer.is_last or layer.xi_num.any():
        return _count_sums(layer, levels_per_stage)
    adders, tables, depth = 0, Counter[int](), 0
    kinds = Counter(zip(literals(layer), _needs(layer), strict=True))
    for (count, need), times in kinds.items():
        if not 1 <= need <= count * layer.peak:
            continue  # constant
        circuit = _neuron((count,) * layer.value_bits, need, fabric)
        for cell in circuit.cells:
            adders += times * (cell.table is None)
            if cell.table is not None:
                tables[len(cell.inputs)] += times * cell.outputs
        depth = max(depth, circuit.depth)
    cost = Cost(adders, dict(tables), {}, 0)
    return LayerRtl(layer.name, "", stages(depth, levels_per_stage), 0, cost)


def _needs(layer: SparseLayer) -> list[int]:
    """Return the count of literals from which each output without xi passes its threshold."""
    low, _ = layer.reach()
    if layer.threshold is None:
        return [0] * layer.mh
    return [-(-int(t) >> layer.xi_frac) for t in layer.threshold[:, 0] - low]


@cache
def _neuron(heights: tuple[int, ...], need: int, fabric: Fabric) -> Circuit:
    """Return the cells of a neuron that shares none."""
    made = plan(heights, (), need, fabric)
    circuit, left = _alone(heights, made.adders)
    decide(circuit, left, made.carries, need, False, fabric, 0)
    return circuit


def _alone(heights: tuple[int, ...], adders: tuple[int, ...]) -> tuple[Circuit, Columns]:
    bits = iter(range(sum(heights)))
    columns = tuple(tuple(2 * next(bits) for _ in range(height)) for height in heights)
    circuit, (left,) = shared_adders([Request(columns, adders)], sum(heights))
    return circuit, left


@cache
def _count(heights: tuple[int, ...]) -> tuple[int, int]:
    """Return the full adders and the levels of a popcount."""
    circuit, _ = _alone(heights, to_two_rows(heights))
    return len(circuit.cells), circuit.depth


def _count_sums(layer: SparseLayer, levels_per_stage: int) -> LayerRtl:
    """Return what scores, or neurons with xi, are made of."""
    peak, last, shared = layer.peak, layer.is_last, bool(layer.xi_num.any())
    low, high = _shared_range(layer)
    size = score_width(layer) if last else 0
    adders, meet = 0, 1
    additions: defaultdict[str, list[int]] = defaultdict(list)
    for n in literals(layer):
        count, depth = _count((n,) * layer.value_bits)
        adders += count
        meet = max(meet, stages(depth, levels_per_stage) + 1)
        additions["count"].append(count_width(n * peak))
        if last:
            additions["score"].append(size)
            additions["offset"] += [size] if shared else []
        else:
            additions["shared"].append(signed_width([low, high + n * peak]))
    if shared:
        counted = layer.inputs if layer.rails == 1 else 0
        count, depth = _count((counted,) * layer.value_bits)
        adders += count
        additions["count"].append(count_width(counted * peak))
        if counted:
            meet = max(meet, stages(depth, levels_per_stage) + (2 if last else 3))
        _count_shared(layer, additions)
    widths = {kind: tuple(found) for kind, found in additions.items() if found}
    return LayerRtl(layer.name, "", meet + 1, size, Cost(adders, {}, widths, 0))


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
        threshold=None if layer.is_last else zeros[:, None],
        offset=zeros if layer.is_last else None,
    )


def dense_network(network: Network) -> Network:
    """Return a network of the same shape whose weights are -1 and +1."""
    layers = tuple(layer if layer.pool else dense_twin(layer) for layer in network.layers)
    return Network(network.name, network.encoding, layers)
