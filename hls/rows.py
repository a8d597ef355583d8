"""What each neuron really counts: rails resolved, constants folded, dead neurons found.

Hardware sees a neuron as `Row`: a few literals to count and a base that is always there. Everything that
is known before any image arrives goes into the base, so that no gate is spent on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sbnn.hls.layer import BoolArray, IntArray, SparseLayer, WeightArray
from sbnn.hls.network import Network


@dataclass(frozen=True)
class Row:
    """P of one neuron: base + the sum of its literals, each shifted.

    Attributes:
        literals: (input index, complemented, shift) of what counts value << shift, of an input's value or of
            its complement peak - value; each input at most once per shift.
        base: what is there in every image.
    """

    literals: tuple[tuple[int, bool, int], ...]
    base: int

    def columns(self, value_bits: int) -> tuple[tuple[int, ...], ...]:
        """Return the literals per column of weight 2**c, each 2 * bit of the vector + complemented."""
        shifts = max((shift for _, _, shift in self.literals), default=0)
        return tuple(
            tuple(
                2 * (index * value_bits + column - shift) + off
                for index, off, shift in self.literals
                if 0 <= column - shift < value_bits
            )
            for column in range(value_bits + shifts)
        )

    def largest(self, peak: int) -> int:
        """Return the sum of all literals at once, of values up to `peak`."""
        return sum(peak << shift for _, _, shift in self.literals)


@dataclass(frozen=True, eq=False)
class LayerRows:
    """A layer as its hardware sees it.

    Attributes:
        layer: the layer of the integer network.
        rows: one per output; None where nothing reads the output.
        total: S as a row, for layers where some xi is not 0.
        reach: smallest and largest A that each output can have, given what is constant before it.
        constants: {output index: value} of the outputs that no image changes.
    """

    layer: SparseLayer
    rows: tuple[Row | None, ...]
    total: Row | None
    reach: tuple[IntArray, IntArray]
    constants: dict[int, int]

    @property
    def literals(self) -> int:
        """Number of literals that the hardware counts for all P (S not included)."""
        return sum(len(row.literals) for row in self.rows if row is not None)

    @property
    def live(self) -> list[tuple[int, Row]]:
        """(output, row) of what something reads and images change."""
        return [
            (j, row)
            for j, row in enumerate(self.rows)
            if row is not None and j not in self.constants
        ]


def resolve(network: Network) -> tuple[LayerRows, ...]:
    """Return the rows of every layer, constants of one layer folded into the next."""
    resolved = []
    constants: dict[int, int] = {}
    for index, (layer, seen) in enumerate(zip(network.layers, network.maps, strict=False)):
        last = index == len(network.layers) - 1
        read: BoolArray = np.ones(layer.mh, bool)
        if not last:  # a channel lives if some position of it does
            later = inputs_read(network.layers[index + 1])
            read = np.asarray(later.reshape(-1, layer.mh).any(axis=0))
        known = inputs_known(layer, constants, seen.channels)
        resolved.append(resolve_layer(layer, known, read))
        constants = resolved[-1].constants
    return tuple(resolved)


def inputs_read(layer: SparseLayer) -> BoolArray:
    """Return which values of a vector the layer reads, (inputs,) bool.

    S reads every input, so with one rail and a xi that is not 0 none is dead.
    """
    columns = np.asarray(layer.w01.any(axis=0)).reshape(layer.rails, -1).any(axis=0)
    return np.asarray(columns | (layer.rails == 1 and bool(layer.xi_num.any())))


def inputs_known(layer: SparseLayer, constants: Mapping[int, int], channels: int) -> dict[int, int]:
    """Return {input of a vector: value} for the constant channels of a layer's input map.

    A channel that is always 0 stays so where the window meets padding; one that is always 1 or more does not.
    """
    taps = layer.inputs // channels
    inside = layer.window.always_inside() if layer.window is not None else (True,) * taps
    return {
        tap * channels + channel: value
        for tap in range(taps)
        for channel, value in constants.items()
        if inside[tap] or not value
    }


def resolve_layer(layer: SparseLayer, known: Mapping[int, int], read: BoolArray) -> LayerRows:
    """Return the rows of one layer.

    Args:
        layer: the layer.
        known: inputs with a constant value.
        read: (MH,) bool, outputs that the next layer reads.
    """
    rows = tuple(
        make_row(weights, layer, known) if wanted else None
        for weights, wanted in zip(layer.weight, read.tolist(), strict=True)
    )
    # Two rails: x and its complement always add up to peak, so S is a constant.
    every = Row((), layer.inputs * layer.peak)
    total = every if layer.rails == 2 else make_row(np.ones(layer.mw, np.uint8), layer, known)
    reach = reach_of(layer, known)
    return LayerRows(
        layer, rows, total if layer.xi_num.any() else None, reach, _constants(layer, known, reach)
    )


def make_row(weights: WeightArray, layer: SparseLayer, known: Mapping[int, int]) -> Row:
    """Return the row that counts the inputs with the given weights, (MW,) of one output."""
    plain, complemented = np.zeros((2, layer.inputs), np.int64)
    plain += weights[: layer.inputs]
    if layer.rails == 2:
        complemented += weights[layer.inputs :]
    fixed, values = list(known), np.array(list(known.values()), np.int64)
    base = int((plain[fixed] * values + complemented[fixed] * (layer.peak - values)).sum())
    plain[fixed] = complemented[fixed] = 0
    # x and its complement in one sum: as often as both are there, they are peak together.
    both = np.minimum(plain, complemented)
    base += int(both.sum()) * layer.peak
    literals = []
    for counted, off in ((plain - both, False), (complemented - both, True)):
        for index in np.flatnonzero(counted).tolist():
            for shift, negative in digits(int(counted[index])):
                literals.append((index, off ^ negative, shift))
                base -= layer.peak << shift if negative else 0
    return Row(tuple(literals), base)


def digits(coefficient: int) -> tuple[tuple[int, bool], ...]:
    """Return a positive coefficient as a sum of (shift, negative) powers of two, lowest first.

    Canonical signed digits where they are fewer than the ones of the binary number: 7 is 8 - 1, and -x counts
    as the complement of x less a constant.
    """
    binary = tuple((n, False) for n in range(coefficient.bit_length()) if coefficient >> n & 1)
    signed = []
    rest, shift = coefficient, 0
    while rest:
        if rest & 1:
            negative = rest & 3 == 3
            signed.append((shift, negative))
            rest += 1 if negative else -1
        rest, shift = rest >> 1, shift + 1
    return tuple(signed) if len(signed) < len(binary) else binary


def reach_of(layer: SparseLayer, known: Mapping[int, int]) -> tuple[IntArray, IntArray]:
    """Return the smallest and largest A of each output, (MH,) int64, where some inputs are known."""
    if not known:
        return layer.reach
    free = np.ones(layer.inputs, bool)
    free[list(known)] = False
    values = np.zeros(layer.inputs, np.int64)
    values[list(known)] = list(known.values())
    seen = values
    if layer.rails == 2:
        free, seen = np.tile(free, 2), np.concatenate([values, layer.peak - values])
    seen = np.where(free, 0, seen)
    low, high = replace(layer, weight=layer.weight[:, free]).reach
    fixed = (layer.weight.astype(np.int64) @ seen << layer.xi_frac) + layer.xi_num * seen.sum()
    return low + fixed, high + fixed


def _constants(
    layer: SparseLayer, known: Mapping[int, int], reach: tuple[IntArray, IntArray]
) -> dict[int, int]:
    """Return the outputs that are the same in every image."""
    if layer.is_wide_pool:
        return _pooled_constants(layer, known)
    if layer.threshold is None or layer.invert is None:
        return {}
    lowest, highest = ((ends[:, None] >= layer.threshold).sum(1) for ends in reach)
    same = np.flatnonzero(lowest == highest)
    values = np.where(layer.invert, layer.levels - lowest, lowest)
    return {int(j): int(values[j]) for j in same}


def _pooled_constants(layer: SparseLayer, known: Mapping[int, int]) -> dict[int, int]:
    """Return the channels of which every tap has one known value."""
    constants = {}
    for channel in range(layer.mh):
        taps = {known.get(index) for index in range(channel, layer.inputs, layer.mh)}
        if len(taps) == 1 and None not in taps:
            constants[channel] = known[channel]
    return constants
