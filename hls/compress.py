"""The compressor heap: how many full adders stand in which column of which level.

A heap is a list of bits per column (bit weight 2**column). A level takes three bits of a column into a full
adder, which leaves one there and one in the next; after a few levels no column holds more than two bits, and
one short carry-propagate addition ends it. The schedule depends on the column heights only, so all neurons
with equally many ones share it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Schedule:
    """Levels of full adders.

    Attributes:
        heights: heights[level][column], bits before each level; the last entry is what is left.
        adders: adders[level][column], full adders of each level.
    """

    heights: tuple[tuple[int, ...], ...]
    adders: tuple[tuple[int, ...], ...]

    @property
    def levels(self) -> int:
        """Number of full-adder levels."""
        return len(self.adders)

    @property
    def full_adders(self) -> int:
        """Number of full adders in all levels."""
        return sum(map(sum, self.adders))


@cache
def schedule(heights: tuple[int, ...]) -> Schedule:
    """Return the schedule that reduces columns of the given heights to at most two bits each.

    Every level takes all the triples there are (Wallace): each full adder removes exactly one bit whatever
    the order, so Dadda's delayed form saves no gate, only registers between levels, and needs half adders.
    """
    columns = list(heights)
    before, adders = [tuple(columns)], []
    while max(columns, default=0) > 2:
        level = [height // 3 for height in columns]
        carries = [0, *level]
        columns = [*columns, 0] if level[-1] else columns
        columns = [
            height
            - 2 * (level[c] if c < len(level) else 0)
            + (carries[c] if c < len(carries) else 0)
            for c, height in enumerate(columns)
        ]
        adders.append(tuple(level))
        before.append(tuple(columns))
    return Schedule(tuple(before), tuple(adders))


def count_width(largest: int) -> int:
    """Return the bits of an unsigned number up to `largest`."""
    return max(1, largest.bit_length())


def signed_width(values: Sequence[int]) -> int:
    """Return the bits of a two's complement number that holds all of `values`."""
    return max((value if value >= 0 else ~value).bit_length() + 1 for value in values)
