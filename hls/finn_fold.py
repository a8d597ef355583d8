"""A QONNX graph in integers: xi becomes k/2**F, BatchNorm a threshold, a bias an offset."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.finn_source import Source, SourceLayer
from sbnn.hls.network import MAX_XI_FRAC, NetworkError, SparseLayer
from sbnn.hls.thresholds import Levels, Proof, fold, prove


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
    scores = _last_layer(source.layers[-1])
    hidden = (_pool(layer) if layer.pool else _hidden_layer(layer) for layer in source.layers[:-1])
    return (*hidden, scores.layer), scores


def prove_layers(source: Source, layers: Sequence[SparseLayer]) -> tuple[Proof, ...]:
    """Compare every hidden neuron with its exact rule at every sum that any input can give."""
    return tuple(
        prove(layer, exact.eta, exact.stages, exact.levels)
        for exact, layer in zip(source.layers[:-1], layers[:-1], strict=True)
        if not exact.pool
    )


def _hidden_layer(layer: SourceLayer) -> SparseLayer:
    frac = layer.xi_frac()
    bare = SparseLayer(
        layer.name,
        layer.w01.astype(np.uint8),
        _numerators(layer.xi, frac),
        frac,
        layer.rails,
        window=layer.window,
        value_bits=layer.value_bits,
    )
    try:
        threshold, invert = fold(bare, layer.eta, layer.stages, layer.levels)
    except NetworkError as error:
        raise LoweringError(f"layer {layer.name}: {error}") from error
    return replace(bare, threshold=threshold, invert=invert)


def _pool(layer: SourceLayer) -> SparseLayer:
    """Return a max pool of bits: on where at least one of a channel's taps is."""
    channels = len(layer.w01)
    return SparseLayer(
        layer.name,
        layer.w01.astype(np.uint8),
        np.zeros(channels, np.int64),
        0,
        window=layer.window,
        pool=True,
        threshold=np.ones((channels, 1), np.int64),
        invert=np.zeros(channels, bool),
    )


def _last_layer(source: SourceLayer) -> Scores:
    """Return the layer with its offset, and the unit: graph output = unit * (2*A + offset).

    With bits that stand for scale*v + shift an output is u*(2*(P + xi*S) + 2*shift/scale*(n + xi*MW) + d/u),
    u = eta * (what follows scales by) * scale/2. The offset is 2**F times what stands behind 2*(P + xi*S),
    with the smallest F that makes it and xi integers; where there is none, numbers in the same order.
    """
    if source.value_bits != 1:
        raise LoweringError(
            f"node {source.node}: gives scores of pixels, needs a hidden layer of bits before"
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
    ones, mw = layer.w01.sum(1), layer.w01.shape[1]
    centre = 2 * layer.levels.shift / layer.levels.scale
    offsets = [
        rest / units[0] + centre * (int(ones[j]) + layer.xi[j] * mw) for j, rest in enumerate(rests)
    ]
    frac = _common_frac(offsets, layer.xi_frac())
    exact = frac is not None
    if frac is None:
        frac, offsets = _in_order(offsets, layer.xi_frac())
    made = SparseLayer(
        name=layer.name,
        weight=layer.w01.astype(np.uint8),
        xi_num=_numerators(layer.xi, frac),
        xi_frac=frac,
        rails=layer.rails,
        window=layer.window,
        offset=_numerators(offsets, frac),
    )
    return Scores(made, units[0] / (1 << frac), exact)


def _rising(layer: SourceLayer) -> SourceLayer:
    """Return a last layer whose bits stand for rising values: a score cannot be inverted as a bit can.

    Connections to falling bits are connections to their complements, the other rail.
    """
    if layer.levels.scale > 0:
        return layer
    levels = Levels(-layer.levels.scale, layer.levels.scale + layer.levels.shift)
    half = layer.w01.shape[1] // layer.rails
    if layer.rails == 2:
        return replace(layer, w01=np.roll(layer.w01, half, axis=1), levels=levels)
    if not any(layer.xi):
        w01 = np.concatenate([np.zeros_like(layer.w01), layer.w01], axis=1)
        return replace(layer, w01=w01, rails=2, levels=levels)
    # (w01 + xi) * -x = ((1 - w01) - (1 + xi)) * x: shift stays that of the bits themselves.
    levels = Levels(-layer.levels.scale, -layer.levels.shift)
    xi = tuple(-1 - value for value in layer.xi)
    return replace(layer, w01=~layer.w01, xi=xi, levels=levels)


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


def _numerators(values: Sequence[Fraction], frac: int) -> np.ndarray:
    return np.array([int(value * (1 << frac)) for value in values], np.int64)
