"""The heap's schedule keeps the sum and ends in two rows."""

import pytest

from sbnn.hls.compress import count_width, schedule, signed_width


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 15, 16, 63, 64, 100, 784])
def test_schedule_keeps_the_weight_of_all_bits(n):
    plan = schedule((n,))
    for heights in plan.heights:
        assert sum(height << column for column, height in enumerate(heights)) == n
    assert max(plan.heights[-1]) <= 2
    assert len(plan.heights[-1]) <= count_width(n)
    # A full adder turns three bits into two: as many of them as bits have gone.
    assert plan.full_adders == n - sum(plan.heights[-1])


def test_widths():
    assert [count_width(n) for n in (0, 1, 2, 3, 4, 255, 256)] == [1, 1, 2, 2, 3, 8, 9]
    assert signed_width([0]) == 1 and signed_width([-1]) == 1
    assert signed_width([-8, 7]) == 4 and signed_width([-9]) == 5 and signed_width([8]) == 5
