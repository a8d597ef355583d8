"""A QONNX graph in integers: xi becomes k/2**F, BatchNorm a threshold, a bias an offset."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.finn_source import Source, SourceLayer
from sbnn.hls.network import MAX_XI_FRAC, NetworkError, SparseLayer
from sbnn.hls.thresholds import Proof, fold, prove


def integer_layers(source: Source) -> tuple[tuple[SparseLayer, ...], Fraction]:
    """Return the layers of the integer network, and what one unit of its scores is worth.

    Raises:
        LoweringError: xi is off the grid, or a score is no multiple of the others' unit.
    """
    last, unit = _last_layer(source.layers[-1])
    hidden = (_pool(layer) if layer.pool else _hidden_layer(layer) for layer in source.layers[:-1])
    return (*hidden, last), unit


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
        layer.w01,
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
        layer.w01,
        np.zeros(channels, np.int64),
        0,
        window=layer.window,
        pool=True,
        threshold=np.ones(channels, np.int64),
        invert=np.zeros(channels, bool),
    )


def _last_layer(layer: SourceLayer) -> tuple[SparseLayer, Fraction]:
    """Return the layer with its offset, and the unit: graph output = unit * (2*A + offset).

    In units of u = eta * (what follows scales by) an output is 2*(P + xi*S) - n - xi*MW + d/u, so
    the offset is 2**F * (d/u - n - xi*MW), with the smallest F that makes it and xi integers.
    """
    if layer.value_bits != 1:
        raise LoweringError(
            f"node {layer.node}: gives scores of pixels, needs a hidden layer of bits before"
        )
    units, rests = [], []
    for j, chain in enumerate(layer.stages):
        scale, shift = layer.eta[j], Fraction(0)
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
        node = layer.stage_nodes[-1] if layer.stage_nodes else layer.node
        raise LoweringError(
            f"node {node}: scores are scaled by {float(min(units))!r} to {float(max(units))!r}, "
            "needs one positive scale for all classes"
        )
    ones, mw = layer.w01.sum(1), layer.w01.shape[1]
    offsets = [rest / units[0] - int(ones[j]) - layer.xi[j] * mw for j, rest in enumerate(rests)]
    for frac in range(layer.xi_frac(), MAX_XI_FRAC + 1):
        if all((offset * (1 << frac)).denominator == 1 for offset in offsets):
            break
    else:
        j = max(range(len(offsets)), key=lambda index: offsets[index].denominator)
        node = layer.stage_nodes[-1] if layer.stage_nodes else layer.node
        raise LoweringError(
            f"node {node}: the bias of class {j} is {float(rests[j] / units[0])!r} weight scales, "
            f"needs a multiple of 2**-{MAX_XI_FRAC}"
        )
    made = SparseLayer(
        name=layer.name,
        w01=layer.w01,
        xi_num=_numerators(layer.xi, frac),
        xi_frac=frac,
        rails=layer.rails,
        window=layer.window,
        offset=_numerators(offsets, frac),
    )
    return made, units[0] / (1 << frac)


def _numerators(values: Sequence[Fraction], frac: int) -> np.ndarray:
    return np.array([int(value * (1 << frac)) for value in values], np.int64)
