"""Full adders and truth tables of a layer, each behind the levels of what it reads.

A signal is a number: the layer's input bits first, then whatever a cell gives. A literal is 2 * signal +
complemented. Cells that would be equal are one cell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sbnn.hls.sharing import Columns, Request, share


@dataclass(frozen=True)
class Cell:
    """A full adder or a truth table.

    Attributes:
        inputs: literals; in a table's index the first is the lowest bit.
        table: outputs of each index, `outputs` bits each, the first index lowest; None for a full adder,
            which gives sum and carry.
        outputs: number of signals it gives.
        first: the first of these.
        level: cells on the longest way from the inputs to its outputs.
        owner: the row that asked for it first; None for full adders, which are anybody's.
    """

    inputs: tuple[int, ...]
    table: int | None
    outputs: int
    first: int
    level: int
    owner: int | None


class Circuit:
    """Cells over input bits, in an order in which each reads only what is before it."""

    def __init__(self, inputs: int) -> None:
        self.inputs = inputs
        self.cells: list[Cell] = []
        self._levels = [0] * inputs
        self._known: dict[tuple[tuple[int, ...], int | None], Cell] = {}

    def level(self, literal: int) -> int:
        """Return how many cells are on the longest way to a literal."""
        return self._levels[literal >> 1]

    @property
    def depth(self) -> int:
        """Cells on the longest way there is."""
        return max(self._levels, default=0)

    def add(self, inputs: tuple[int, int, int]) -> Cell:
        """Return the full adder of three literals."""
        return self._cell(inputs, None, 2, None)

    def table(self, inputs: Sequence[int], entries: Sequence[Sequence[bool]], owner: int) -> Cell:
        """Return the truth table of some literals.

        Args:
            inputs: literals, the lowest bit of the index first.
            entries: per index the outputs.
            owner: the row that asks.
        """
        width = len(entries[0])
        bits = (bit << (i * width + o) for i, e in enumerate(entries) for o, bit in enumerate(e))
        return self._cell(tuple(inputs), sum(bits), width, owner)

    def _cell(
        self, inputs: tuple[int, ...], table: int | None, outputs: int, owner: int | None
    ) -> Cell:
        key = (inputs, table)
        if key not in self._known:
            level = 1 + max(self.level(literal) for literal in inputs)
            cell = Cell(inputs, table, outputs, len(self._levels), level, owner)
            self._levels += [level] * outputs
            self.cells.append(cell)
            self._known[key] = cell
        return self._known[key]


def shared_adders(requests: Sequence[Request], inputs: int) -> tuple[Circuit, tuple[Columns, ...]]:
    """Return a circuit of shared full adders, and per request the literals that are left."""
    shared = share(requests, inputs)
    circuit = Circuit(inputs)
    for level in shared.levels:
        for triple in level:
            circuit.add(triple)
    return circuit, shared.columns
