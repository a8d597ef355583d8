"""The adders that bring a heap down to two numbers, and widths."""

import pytest

from sbnn.hls.compress import count_width, signed_width, to_two_rows


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 15, 16, 63, 64, 100, 784])
@pytest.mark.parametrize("bits", [1, 8])
def test_adders_leave_two_rows_of_the_same_sum(n, bits):
    heights = [n] * bits + [0] * 12
    for column, count in enumerate(to_two_rows([n] * bits)):
        heights[column] -= 2 * count
        heights[column + 1] += count
    assert all(0 <= height <= 2 for height in heights)
    assert sum(height << column for column, height in enumerate(heights)) == n * ((1 << bits) - 1)


def test_nothing_to_add():
    assert sum(to_two_rows([])) == sum(to_two_rows([0])) == sum(to_two_rows([2, 2])) == 0


def test_widths():
    assert [count_width(n) for n in (0, 1, 2, 3, 4, 255, 256)] == [1, 1, 2, 2, 3, 8, 9]
    assert signed_width([0]) == 1 and signed_width([-1]) == 1
    assert signed_width([-8, 7]) == 4 and signed_width([-9]) == 5 and signed_width([8]) == 5
