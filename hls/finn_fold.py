"""A QONNX graph in integers: xi becomes k/2**F, BatchNorm a threshold, a bias an offset."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.finn_source import Source, SourceLayer
from sbnn.hls.network import MAX_XI_FRAC, PIXEL_BITS, IntArray, NetworkError, SparseLayer
from sbnn.hls.thresholds import Affine, Proof, fold, prove, value_at_zero

LARGEST = 1 << 40  # as `check_layer` holds


@dataclass(frozen=True, eq=False)
class Scores:
    """The last layer, and what its scores are.

    Attributes:
        layer: the layer.
        unit: what one unit of a score is worth in the graph's output.
        exact: unit * score is the graph's output; else the scores stand in its order only.
    """

    layer: SparseLayer
    unit: Fraction
    exact: bool


def integer_layers(source: Source) -> tuple[tuple[SparseLayer, ...], Scores]:
    """Return the layers of the integer network, and what its scores are.

    Raises:
        LoweringError: xi is off the grid, or scores have no common scale.
    """
    scores = last_layer(source.layers[-1])
    hidden = (_pool(layer) if layer.pool else hidden_layer(layer) for layer in source.layers[:-1])
    return (*hidden, scores.layer), scores


def prove_layers(source: Source, layers: Sequence[SparseLayer]) -> tuple[Proof, ...]:
    """Compare every hidden neuron with its exact rule at every sum that any input can give."""
    return tuple(
        prove(layer, exact.eta, exact.stages, exact.levels, exact.cuts)
        for exact, layer in zip(source.layers[:-1], layers[:-1], strict=True)
        if not exact.pool
    )


def hidden_layer(layer: SourceLayer) -> SparseLayer:
    """Return a hidden layer with its thresholds."""
    frac = layer.xi_frac()
    bare = SparseLayer(
        layer.name,
        layer.weight,
        numerators(layer.xi, frac),
        frac,
        layer.rails,
        window=layer.window,
        value_bits=layer.value_bits,
    )
    try:
        threshold, invert = fold(bare, layer.eta, layer.stages, layer.levels, layer.cuts)
    except NetworkError as error:
        raise LoweringError(f"layer {layer.name}: {error}") from error
    return replace(bare, threshold=threshold, invert=invert)


def _pool(layer: SourceLayer) -> SparseLayer:
    """Return a max pool: of bits, on where at least one of a channel's taps is."""
    channels = len(layer.weight)
    return SparseLayer(
        layer.name,
        layer.weight,
        np.zeros(channels, np.int64),
        0,
        window=layer.window,
        value_bits=layer.value_bits,
        pool=True,
        threshold=np.ones((channels, 1), np.int64) if layer.value_bits == 1 else None,
        invert=np.zeros(channels, bool),
    )


def last_layer(source: SourceLayer) -> Scores:
    """Return the layer with its offset, and the unit: graph output = unit * (2*A + offset).

    With values v that stand for scale*v + shift an output is u*(2*(P + xi*S) + 2*b/scale + d/u), b what it
    gives at A = 0 (`value_at_zero`) and u = eta * (what follows scales by) * scale/2. The offset is 2**F
    times what stands behind 2*(P + xi*S), with the smallest F that makes it and xi integers; where there is
    none, numbers in the same order.
    """
    if source.value_bits == PIXEL_BITS:
        raise LoweringError(
            f"node {source.node}: gives scores of pixels, needs a hidden layer before"
        )
    layer = _rising(source)
    node = layer.stage_nodes[-1] if layer.stage_nodes else layer.node
    units, rests = [], []
    for j, chain in enumerate(layer.stages):
        scale, shift = layer.eta[j] * layer.levels.scale / 2, Fraction(0)
        for stage in chain:
            if stage.variance != 1:
                raise LoweringError(
                    f"node {layer.stage_nodes[chain.index(stage)]}: BatchNormalization of scores "
                    "is not supported, their scale must be one exact number; fold it into a bias"
                )
            scale, shift = scale * stage.scale, (shift + stage.pre) * stage.scale + stage.post
        units.append(scale)
        rests.append(shift)
    if len(set(units)) > 1 or units[0] <= 0:
        raise LoweringError(
            f"node {node}: scores are scaled by {float(min(units))!r} to {float(max(units))!r}, "
            "needs one positive scale for all classes"
        )
    peak = (1 << layer.value_bits) - 1
    offsets = [
        rest / units[0]
        + 2 * value_at_zero(weight, xi, layer.rails, peak, layer.levels) / layer.levels.scale
        for rest, weight, xi in zip(rests, layer.weight, layer.xi, strict=True)
    ]
    frac = _common_frac(offsets, layer.xi_frac())
    exact = frac is not None
    if frac is None:
        frac, offsets = _in_order(offsets, layer.xi_frac())
    made = SparseLayer(
        name=layer.name,
        weight=layer.weight,
        xi_num=numerators(layer.xi, frac),
        xi_frac=frac,
        rails=layer.rails,
        window=layer.window,
        value_bits=layer.value_bits,
        offset=numerators(offsets, frac),
    )
    return Scores(made, units[0] / (1 << frac), exact)


def _rising(layer: SourceLayer) -> SourceLayer:
    """Return a last layer whose values stand for rising ones: a score cannot be inverted as a bit can.

    Weights of falling values x are weights of -x, the other rail.
    """
    if layer.levels.scale > 0:
        return layer
    levels = Affine(-layer.levels.scale, -layer.levels.shift)
    if layer.rails == 2:
        half = layer.weight.shape[1] // 2
        return replace(layer, weight=np.roll(layer.weight, half, axis=1), levels=levels)
    if not any(layer.xi):
        weight = np.concatenate([np.zeros_like(layer.weight), layer.weight], axis=1)
        return replace(layer, weight=weight, rails=2, levels=levels)
    # -(w + xi) = (top - w) - (top + xi)
    top = layer.weight.max()
    xi = tuple(-int(top) - value for value in layer.xi)
    return replace(layer, weight=top - layer.weight, xi=xi, levels=levels)


def _common_frac(offsets: Sequence[Fraction], least: int) -> int | None:
    """Return the smallest F, from `least` on, with every offset a multiple of 2**-F."""
    for frac in range(least, MAX_XI_FRAC + 1):
        if all((offset * (1 << frac)).denominator == 1 for offset in offsets):
            return frac
    return None


def _in_order(offsets: Sequence[Fraction], frac: int) -> tuple[int, list[Fraction]]:
    """Return a finer grid and offsets on it that leave every comparison of two scores as it is.

    Scores differ by their offsets and by even numbers of 2**-F. So what is left of an offset beyond those
    even numbers only decides among equals: its rank among the others says as much.
    """
    step = Fraction(2, 1 << frac)
    wholes = [offset // step for offset in offsets]
    rests = [offset % step for offset in offsets]
    ranks = {rest: rank for rank, rest in enumerate(sorted(set(rests)))}
    finer = max(len(ranks) - 1, 0).bit_length()
    if frac + finer > MAX_XI_FRAC:
        raise LoweringError(
            f"scores need a grid of 2**-{frac + finer}, finest is 2**-{MAX_XI_FRAC}"
        )
    return frac + finer, [
        whole * step + ranks[rest] * step / (1 << finer)
        for whole, rest in zip(wholes, rests, strict=True)
    ]


def numerators(values: Sequence[Fraction], frac: int) -> IntArray:
    """Return values as int64 multiples of 2**-frac.

    Raises:
        LoweringError: a value is beyond what a layer may hold.
    """
    if any(abs(value) * (1 << frac) > LARGEST for value in values):
        raise LoweringError(
            f"a zero point of weights or an offset of scores is beyond 2**40 steps of 2**-{frac}, needs "
            "scales and shifts nearer to 1"
        )
    return np.array([int(value * (1 << frac)) for value in values], np.int64)
