"""Exact forms of a layer's weights, and the choice of the cheaper one.

Weights of -1 and +1 are connections of 0 and 1 with xi = -1/2, which takes half the inputs per neuron and one
S for all; or they are weights of the inputs and, where negative, of their complements (XNOR), which takes all
inputs and no S. The same holds for signed weights of several bits. Both are exact; counts decide.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from sbnn.hls.counts import count_layer
from sbnn.hls.estimate import estimate_cost
from sbnn.hls.fabric import fabric_of
from sbnn.hls.finn_fold import hidden_layer, last_layer, numerators
from sbnn.hls.finn_source import Source, SourceLayer
from sbnn.hls.finn_weights import multiples
from sbnn.hls.layer import MAX_XI_FRAC, IntArray

# A network is lowered once for all families; LUT4s are what most of them have.
FAMILY, LEVELS = "ecp5", 2
# A form with more than three times the connections has never been cheaper, and counting a dense one of a
# million inputs takes seconds.
MOST = 3
# Estimates of layers are off by up to 11 %: about there the form that was read stays.
GAIN = 0.88


@dataclass(frozen=True)
class FormChoice:
    """A layer that could be built in two ways.

    Attributes:
        layer: its name.
        rails: of the form that was taken.
        luts: its estimate, from counts.
        other_luts: that of the other form.
    """

    layer: str
    rails: int
    luts: int
    other_luts: int


def choose_forms(source: Source) -> tuple[Source, tuple[FormChoice, ...]]:
    """Return a graph's layers, each in the cheaper of its exact forms, and what was compared."""
    layers, choices = [], []
    for layer in source.layers:
        other = None if layer.pool else other_form(layer)
        if other is None:
            layers.append(layer)
            continue
        own, others = luts(layer), luts(other)
        if others < GAIN * own:
            layer, own, others = other, others, own
        layers.append(layer)
        choices.append(FormChoice(layer.name, layer.rails, own, others))
    return replace(source, layers=tuple(layers)), tuple(choices)


def luts(layer: SourceLayer) -> int:
    """Estimate a layer from its counts."""
    made = last_layer(layer).layer if layer.is_last else hidden_layer(layer)
    return estimate_cost(count_layer(made, LEVELS, fabric_of(FAMILY)).cost, FAMILY)


def other_form(layer: SourceLayer) -> SourceLayer | None:
    """Return signed weights as a rail and xi, or a rail and xi as signed weights; None where neither goes."""
    signed, unit = _signed(layer)
    lowest = int(signed.min())
    if layer.rails == 2 and lowest == 0:
        return None
    found = multiples(signed - lowest if layer.rails == 2 else signed)
    if found is None:
        return None
    weight, step = found
    eta = tuple(eta * int(n) / unit for eta, n in zip(layer.eta, step, strict=True))
    if layer.rails == 2:
        xi = tuple(Fraction(lowest, int(n)) for n in step)
        made = replace(layer, weight=weight.astype(np.uint8), xi=xi, eta=eta, rails=1)
        fits = all((1 << MAX_XI_FRAC) % value.denominator == 0 for value in xi)
    else:
        weight = np.concatenate([np.maximum(weight, 0), np.maximum(-weight, 0)], axis=1)
        zeros = (Fraction(0),) * len(weight)
        made = replace(layer, weight=weight.astype(np.uint8), xi=zeros, eta=eta, rails=2)
        fits = any(layer.xi)
    few = np.count_nonzero(made.weight) <= MOST * np.count_nonzero(layer.weight)
    return made if fits and few else None


def _signed(layer: SourceLayer) -> tuple[IntArray, int]:
    """Return (MH, inputs) int64 weights, xi included, in units of 1 / the second result."""
    weight = layer.weight.astype(np.int64)
    if layer.rails == 2:
        inputs = weight.shape[1] // 2
        return weight[:, :inputs] - weight[:, inputs:], 1
    frac = layer.xi_frac()
    return (weight << frac) + numerators(layer.xi, frac)[:, None], 1 << frac
