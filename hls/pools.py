"""Max pools of values of several bits: a tree of tables that keep the larger of two values.

A table of the bits of two values gives a bit of the larger one, as long as they fit; wider values are
compared from below, and what the comparison says chooses bit by bit.
"""

import operator
from collections.abc import Callable

from sbnn.hls.circuit import Circuit
from sbnn.hls.fabric import Fabric
from sbnn.hls.layer import SparseLayer

# The bits of a value as literals, the lowest first.
Value = tuple[int, ...]


def pool(circuit: Circuit, layer: SparseLayer, channel: int, fabric: Fabric) -> list[int]:
    """Build one channel of a pool; return the bits of its largest tap, or of its smallest one.

    Args:
        circuit: over the layer's input bits; gets the tables.
        layer: a max pool of values of several bits.
        channel: which one.
        fabric: of the target.
    """
    # The smallest is the complement of the largest complement.
    flip = int(layer.invert is not None and bool(layer.invert[channel]))
    bits = range(layer.value_bits)
    values = [
        tuple(2 * (index * layer.value_bits + bit) + flip for bit in bits)
        for index in range(channel, layer.inputs, layer.mh)
    ]
    while len(values) > 1:
        first, second, *rest = values
        values = [*rest, _larger(circuit, first, second, fabric, channel)]
    return [literal ^ flip for literal in values[0]]


def _larger(circuit: Circuit, a: Value, b: Value, fabric: Fabric, owner: int) -> Value:
    """Return the larger of two values."""
    if 2 * len(a) <= fabric.table_inputs:
        # A bit of the larger one follows from the bits from it on up.
        return tuple(
            _table(circuit, (a[bit:], b[bit:]), lambda x, y: bool(max(x, y) & 1), owner)
            for bit in range(len(a))
        )
    count = fabric.table_inputs // 2
    held = (
        _table(circuit, (a[:count], b[:count]), operator.ge, owner),
    )  # whether a reaches b so far
    step = (fabric.table_inputs - 1) // 2
    for start in range(count, len(a), step):
        # As the lowest bit of a, against a 1 of b, it decides where the bits above are equal.
        part = slice(start, start + step)
        held = (_table(circuit, (held + a[part], b[part]), lambda x, y: x > 2 * y, owner),)
    low = [
        _table(circuit, ((x, y), held), lambda pair, first: bool(pair >> (1 - first) & 1), owner)
        for x, y in zip(a[:-1], b[:-1], strict=True)
    ]
    return (*low, _table(circuit, (a[-1:], b[-1:]), lambda x, y: bool(x | y), owner))


def _table(
    circuit: Circuit, parts: tuple[Value, Value], rule: Callable[[int, int], bool], owner: int
) -> int:
    """Return the literal of a rule about two numbers."""
    first, second = parts
    entries = [[rule(x, y)] for y in range(1 << len(second)) for x in range(1 << len(first))]
    return 2 * circuit.table([*first, *second], entries, owner).first
