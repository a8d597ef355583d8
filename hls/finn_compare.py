"""Compare what FINN's streamlining made of a graph with the exact integer layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qonnx.core.modelwrapper import ModelWrapper

from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.finn_source import SourceLayer
from sbnn.hls.layer import IntArray, SparseLayer
from sbnn.hls.thresholds import BITS, Affine, decisive, reachable

# FINN derives thresholds in float32: a few operations, each off by 2**-24 of the sum's range.
FLOAT32_SLACK = 2.0**-20
# Of thousands of sums, those next to a threshold: a threshold that is further off differs there, too.
NEIGHBOURS = 64


@dataclass(frozen=True)
class Rounding:
    """A sum at which FINN's float32 threshold decides otherwise than the exact one."""

    layer: str
    neuron: int
    total: int


def check_thresholds(model: ModelWrapper) -> None:
    """Refuse a threshold that float32 could not hold: FINN rounds a NaN again and again, without an end."""
    for node in model.get_nodes_by_op_type("MultiThreshold"):
        if np.isnan(model.get_initializer(node.input[1])).any():
            raise LoweringError(
                f"node {node.name}: a threshold overflows float32 in FINN's streamlining, needs scales and "
                "shifts nearer to 1"
            )


def compare_thresholds(
    model: ModelWrapper, sources: Sequence[SourceLayer], layers: Sequence[SparseLayer]
) -> tuple[Rounding, ...]:
    """Compare FINN's thresholds with the exact ones at every sum that an input can give.

    Returns:
        where the two differ by no more than float32 rounding; the exact one is kept there.

    Raises:
        LoweringError: they differ by more; names layer and neuron.
    """
    found: list[Rounding] = []
    weighted = [pair for pair in zip(sources, layers, strict=True) if not pair[0].pool]
    pairs = layer_pairs(model, [layer for _, layer in weighted])
    for (source, layer), (product, threshold) in zip(weighted, pairs, strict=True):
        wanted = integer_weights(layer)[:, source.columns]
        stored = model.get_initializer(product.input[1]).astype(np.float64)
        weights = stored.reshape(layer.mh, -1) if product.op_type == "Conv" else stored.T
        signs = np.where((weights == wanted).all(1), 1, -1)
        if not (weights == wanted * signs[:, None]).all():
            j = int(np.flatnonzero((weights != wanted * signs[:, None]).any(1))[0])
            raise LoweringError(
                f"layer {layer.name}: FINN's streamlining changed the weights of neuron {j}"
            )
        if threshold is None:
            continue
        limits = model.get_initializer(threshold.input[1]).astype(np.float64)
        limits = np.broadcast_to(limits.reshape(-1, layer.levels), (layer.mh, layer.levels))
        levels = BITS if layer.value_bits == 1 else _levels_at(model, product)
        for j in range(layer.mh):
            found += _compare_neuron(layer, j, wanted[j], int(signs[j]), limits[j], levels)
    return tuple(found)


def _levels_at(model: ModelWrapper, product: Any) -> Affine:
    """Return what a pixel or a level is where a product reads it, after FINN moved the scalars."""
    chain: list[Any] = []
    node = model.find_producer(product.input[0])
    while node is not None and node.op_type != "MultiThreshold":
        chain.append(node)
        node = model.find_producer(node.input[0])
    scale, shift = Fraction(1), Fraction(0)
    for node in reversed(chain):
        if node.op_type not in ("Add", "Mul"):
            continue
        constant = Fraction(float(np.reshape(model.get_initializer(node.input[1]), -1)[0]))
        scale, shift = (
            (scale * constant, shift * constant)
            if node.op_type == "Mul"
            else (scale, shift + constant)
        )
    return Affine(scale, shift)


def _compare_neuron(
    layer: SparseLayer,
    j: int,
    weights: IntArray,
    sign: int,
    limits: NDArray[np.float64],
    levels: Affine,
) -> list[Rounding]:
    if layer.threshold is None or layer.invert is None:
        raise LoweringError(f"layer {layer.name}: gives scores where FINN has a MultiThreshold")
    sums = totals = decisive(reachable(layer, j), layer.threshold[j], NEIGHBOURS)
    if layer.rails == 2:  # what the complements and S add whatever the values are
        complements = int(layer.weight[j, layer.inputs :].sum()) << layer.xi_frac
        totals = totals - layer.peak * (complements + int(layer.xi_num[j]) * layer.inputs)
    shift = float(levels.shift * int(weights.sum()))
    centred = sign * (float(levels.scale) * totals + shift)
    slack = 1 + FLOAT32_SLACK * max(float(np.abs(centred).max()), 1.0)
    ours = layer.threshold[j]
    differ: set[int] = set()
    # Level by level, a falling neuron's from the other end: it reaches its highest level first.
    for own, limit in zip(ours[::-1] if layer.invert[j] else ours, np.sort(limits), strict=True):
        exact = (sums >= own) ^ layer.invert[j]
        wrong = np.flatnonzero(exact != (centred >= limit))
        far = wrong[np.abs(centred[wrong] - limit) > slack]
        if far.size:
            raise LoweringError(
                f"layer {layer.name}: neuron {j}: FINN's threshold {limit:g} says {not exact[far[0]]} "
                f"at the sum {centred[far[0]]:g}, the stored BatchNorm says {bool(exact[far[0]])}"
            )
        differ.update(wrong.tolist())
    return [Rounding(layer.name, j, int(sums[i])) for i in sorted(differ)]


def layer_pairs(model: ModelWrapper, layers: Sequence[SparseLayer]) -> list[tuple[Any, Any | None]]:
    """Return (MatMul or Conv, MultiThreshold or None for the last) per layer of a streamlined graph.

    Args:
        model: the graph.
        layers: those with weights.
    """
    products = [node for node in model.graph.node if node.op_type in ("MatMul", "Conv")]
    if len(products) != len(layers):
        raise LoweringError(
            f"streamlined graph has {len(products)} products, needs {len(layers)}, one per layer"
        )
    pairs: list[tuple[Any, Any | None]] = []
    for layer, product in zip(layers, products, strict=True):
        follower = model.find_consumer(product.output[0])
        if layer.is_last:
            pairs.append((product, None))
        elif follower is None or follower.op_type != "MultiThreshold":
            found = "the output" if follower is None else f"{follower.op_type} {follower.name}"
            raise LoweringError(
                f"layer {layer.name}: FINN's streamlining left {found} after the {product.op_type}, needs a "
                "MultiThreshold"
            )
        else:
            pairs.append((product, follower))
    return pairs


def integer_weights(layer: SparseLayer) -> IntArray:
    """Return 2**F * weight + k, (MH, inputs) int64; of dual rails the weights of x less those of ~x."""
    scaled = layer.weight.astype(np.int64) << layer.xi_frac
    if layer.rails == 2:
        return scaled[:, : layer.inputs] - scaled[:, layer.inputs :]
    return scaled + layer.xi_num[:, None]
