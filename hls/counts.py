"""What a wired layer is made of, from its counts alone: no module is written.

Equal to what `sbnn.hls.wired` counts while it writes one, but for neurons that nothing reads and for inputs
that never change, which cost less there. A layer of a million connections takes milliseconds.
"""

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np

from sbnn.hls.compress import count_width, schedule, signed_width
from sbnn.hls.design import Choices, Design
from sbnn.hls.layer import SparseLayer
from sbnn.hls.network import Network
from sbnn.hls.rows import LayerRows
from sbnn.hls.wired import TABLE_LITERALS, Cost, LayerRtl


def literals(layer: SparseLayer) -> list[int]:
    """Return how many literals each output counts; an input and its complement together are a constant."""
    ones = layer.w01.sum(1)
    if layer.rails == 2:
        half = layer.mw // 2
        ones = ones - 2 * (layer.w01[:, :half] & layer.w01[:, half:]).sum(1)
    return [int(n) for n in ones]


def count_design(network: Network, choices: Choices) -> Design:
    """Return a design whose layers have costs and latencies but no text; estimates and cycles hold."""
    layers = tuple(count_layer(layer, choices.levels_per_stage) for layer in network.layers)
    rows = tuple(LayerRows(layer, (), None, {}) for layer in network.layers)
    return Design(network, choices, rows, layers)


def count_layer(layer: SparseLayer, levels_per_stage: int) -> LayerRtl:
    """Return what `emit_layer` returns of a layer, without its text and its registers."""
    peak, last, shared = layer.peak, layer.is_last, bool(layer.xi_num.any())
    counts = literals(layer)
    low, high = _shared_range(layer)
    size = _score_bits(layer) if last else 0
    adders, tables = 0, Counter[int]()
    additions: defaultdict[str, list[int]] = defaultdict(list)
    meet = 0
    for n in counts:
        if not last and not shared and layer.value_bits == 1 and n <= TABLE_LITERALS:
            tables[n] += 1
            meet = max(meet, 1)
            continue
        plan = schedule((n,) * layer.value_bits)
        adders += plan.full_adders
        meet = max(meet, -(-plan.levels // levels_per_stage) + 1)
        if last or shared:
            additions["count"] += [count_width(n * peak)] if n else []
        else:
            additions["threshold"].append(count_width(n * peak))
        if shared and not last:
            additions["shared"].append(signed_width([low, high + n * peak]))
        if last:
            additions["score"].append(size)
            additions["offset"] += [size] if shared else []
    if shared:
        counted = layer.inputs if layer.rails == 1 else 0
        plan = schedule((counted,) * layer.value_bits)
        adders += plan.full_adders
        additions["count"] += [count_width(counted * peak)] if counted else []
        meet = max(meet, -(-plan.levels // levels_per_stage) + (2 if last else 3))
        _count_shared(layer, additions)
    widths = {kind: tuple(found) for kind, found in additions.items() if found}
    cost = Cost(adders, dict(tables), widths, 0)
    return LayerRtl(layer.name, "", meet + (shared or last), size, cost)


def _score_bits(layer: SparseLayer) -> int:
    low, high = layer.reach()
    offset = layer.offset if layer.offset is not None else low
    ends = [*(2 * low + offset).tolist(), *(2 * high + offset).tolist()]
    return signed_width([int(end) for end in ends])


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
        additions["product"] += [signed_width(ends)] * abs(k).bit_count()
        if layer.threshold is None:
            continue
        fractions = {int(t) % (1 << layer.xi_frac) for t in layer.threshold[layer.xi_num == k]}
        wide = signed_width([ends[0] >> layer.xi_frac, (ends[1] >> layer.xi_frac) + 1])
        additions["carry"] += [wide + layer.xi_frac] * len(fractions)


def dense_twin(layer: SparseLayer) -> SparseLayer:
    """Return a layer of the same shape with weights of -1 and +1, half of them +1.

    In popcounts it is xi = -1/2: half the inputs per neuron and one S for all, which is less than counting
    the XNOR of every input.
    """
    inputs = layer.inputs
    w01 = np.zeros((layer.mh, inputs), bool)
    w01[:, ::2] = True
    zeros = np.zeros(layer.mh, np.int64)
    return replace(
        layer,
        w01=w01,
        xi_num=zeros - 1,
        xi_frac=1,
        rails=1,
        threshold=None if layer.is_last else zeros,
        offset=zeros if layer.is_last else None,
    )


def dense_network(network: Network) -> Network:
    """Return a network of the same shape whose weights are -1 and +1."""
    layers = tuple(layer if layer.pool else dense_twin(layer) for layer in network.layers)
    return Network(network.name, network.encoding, layers)
