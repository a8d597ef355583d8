"""What each neuron really counts: rails resolved, constants folded, dead neurons found.

Hardware sees a neuron as `Row`: a few literals to count and a base that is always there. Everything that
is known before any image arrives goes into the base, so that no gate is spent on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sbnn.hls.network import BoolArray, Network, SparseLayer


@dataclass(frozen=True)
class Row:
    """P of one neuron: base + the sum of its literals.

    Attributes:
        literals: (input index, complemented) pairs, each input at most once.
        base: what is there in every image.
    """

    literals: tuple[tuple[int, bool], ...]
    base: int

    def columns(self, value_bits: int) -> tuple[tuple[int, ...], ...]:
        """Return the literals per bit of the values, each 2 * bit of the vector + complemented."""
        return tuple(
            tuple(2 * (index * value_bits + bit) + off for index, off in self.literals)
            for bit in range(value_bits)
        )


@dataclass(frozen=True, eq=False)
class LayerRows:
    """A layer as its hardware sees it.

    Attributes:
        layer: the layer of the integer network.
        rows: one per output; None where nothing reads the output.
        total: S as a row, for layers where some xi is not 0.
        constants: {output index: bit} of the outputs that no image changes.
    """

    layer: SparseLayer
    rows: tuple[Row | None, ...]
    total: Row | None
    constants: dict[int, bool]

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
    constants: dict[int, bool] = {}
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


def inputs_known(
    layer: SparseLayer, constants: Mapping[int, bool], channels: int
) -> dict[int, bool]:
    """Return {input of a vector: value} for the constant channels of a layer's input map.

    A channel that is always 0 stays so where the window meets padding; one that is always 1 does not.
    """
    taps = layer.inputs // channels
    inside = layer.window.always_inside() if layer.window is not None else (True,) * taps
    return {
        tap * channels + channel: value
        for tap in range(taps)
        for channel, value in constants.items()
        if inside[tap] or not value
    }


def resolve_layer(layer: SparseLayer, known: Mapping[int, bool], read: BoolArray) -> LayerRows:
    """Return the rows of one layer.

    Args:
        layer: the layer.
        known: inputs with a constant value.
        read: (MH,) bool, outputs that the next layer reads.
    """
    rows = [make_row(np.flatnonzero(layer.w01[j]), layer, known) for j in range(layer.mh)]
    # Two rails: one of x and ~x is always on, so S is a constant.
    every = Row((), layer.inputs)
    total = every if layer.rails == 2 else make_row(np.arange(layer.mw), layer, known)
    return LayerRows(
        layer,
        tuple(row if wanted else None for row, wanted in zip(rows, read.tolist(), strict=True)),
        total if layer.xi_num.any() else None,
        _constants(layer, rows, total),
    )


def make_row(columns: np.ndarray, layer: SparseLayer, known: Mapping[int, bool]) -> Row:
    """Return the row that counts the given columns of w01."""
    seen: dict[int, bool] = {}
    base = 0
    for column in columns.tolist():
        index, complemented = column % layer.inputs, column >= layer.inputs
        if index in known:
            base += known[index] ^ complemented
        elif index in seen:  # x and ~x of one input: one of the two is always on
            del seen[index]
            base += 1
        else:
            seen[index] = complemented
    return Row(tuple(seen.items()), base)


def _constants(layer: SparseLayer, rows: Sequence[Row], total: Row) -> dict[int, bool]:
    """Return the outputs that are the same in every image, given all rows of the layer and S."""
    if layer.threshold is None or layer.invert is None:
        return {}
    constants = {}
    for j, row in enumerate(rows):
        n, k = len(row.literals) * layer.peak, int(layer.xi_num[j])
        # With one rail S counts what P counts and the other literals; with two it is total.base alone.
        counted, rest = (n, len(total.literals) * layer.peak - n) if layer.rails == 1 else (0, 0)
        reach = [
            ((row.base + p) << layer.xi_frac) + k * (total.base + min(p, counted) + others)
            for p in (0, n)
            for others in (0, rest)
        ]
        low, high = min(reach) >= layer.threshold[j], max(reach) >= layer.threshold[j]
        if low == high:
            constants[j] = bool(low ^ layer.invert[j])
    return constants
