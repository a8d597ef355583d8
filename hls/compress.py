"""Widths of numbers, and the full adders that bring a heap of bits down to two numbers."""

from collections.abc import Sequence


def to_two_rows(heights: Sequence[int]) -> tuple[int, ...]:
    """Return the full adders per column that leave at most two bits in each.

    A full adder turns three bits of a column into one there and one in the next.
    """
    adders, arriving = [], 0
    for c in range(64):
        height = (heights[c] if c < len(heights) else 0) + arriving
        if not height and c >= len(heights):
            break
        arriving = max(height - 1, 0) // 2
        adders.append(arriving)
    return tuple(adders)


def count_width(largest: int) -> int:
    """Return the bits of an unsigned number up to `largest`."""
    return max(1, largest.bit_length())


def signed_width(values: Sequence[int]) -> int:
    """Return the bits of a two's complement number that holds all of `values`."""
    return max((value if value >= 0 else ~value).bit_length() + 1 for value in values)
