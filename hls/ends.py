"""Plan a threshold: how far full adders go, and which tables decide the rest.

`sum of weighted bits >= Q` needs no sum. From the lowest column up, with Q in units of the column's weight,

    v + H >= Q   is   floor((v + t) / 2) + H / 2 >= ceil(Q / 2),   t = Q mod 2

where v is what the column and the carry digit before it hold and H is what stands above. So a column passes
one digit on, clipped to the values that still matter (below Q - max H all fail, from Q on all pass), of at
most four values in two bits: a carry table. The rest ends in one of two ways: a table, as soon as few enough
bits are left; or, where Q or its distance from the largest sum is below 4, a tree of saturating digits, which
needs no adder at all (an OR where Q is 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from sbnn.hls.circuit import Circuit
from sbnn.hls.fabric import Fabric

DIGIT_VALUES = 4


@dataclass(frozen=True)
class Plan:
    """How a row's bits become one.

    Attributes:
        cost: in cells of the fabric, before sharing.
        adders: full adders per column.
        carries: columns that a carry table takes, from the lowest.
    """

    cost: float
    adders: tuple[int, ...]
    carries: int


def digit_weights(values: int) -> tuple[int, ...]:
    """Return the weights of the bits of a digit of so many values: unary up to three, else binary.

    Unary digits of three values merge with smaller tables: "any" needs no "both".
    """
    return ((), (1,), (1, 1), (1, 2))[values - 1]


def clip(largest: int, rest: int, need: int) -> tuple[int, int]:
    """Return the lowest and the highest value that matter of a part up to `largest`.

    Args:
        largest: of the part.
        rest: largest value of all that is added to it.
        need: the threshold of both together.
    """
    return min(max(0, need - rest - 1), largest), min(largest, need)


@cache
def plan(heights: tuple[int, ...], digit: tuple[int, ...], need: int, fabric: Fabric) -> Plan:
    """Return the cheapest plan.

    Args:
        heights: bits per column, the first of weight 1.
        digit: weights of the digit that comes from below.
        need: the sum that makes the output 1, from 1 to the largest sum.
        fabric: of the target.
    """
    plans = [table_plan(heights, digit, fabric)]
    most = sum(height << c for c, height in enumerate(heights)) + sum(digit)
    if saturates(most, need):
        plans.append(_tree(sum(heights) + len(digit), most, need, fabric))
    elif len(heights) > 1 or heights[0] > 2:
        plans += _carry(heights, digit, need, most, fabric)
    return min(plans, key=lambda found: (found.cost, found.carries))


def saturates(most: int, need: int) -> bool:
    """Return whether every part of a sum up to `most` has at most four values that matter."""
    return min(need, most - need + 1) < DIGIT_VALUES


def table_plan(heights: tuple[int, ...], digit: tuple[int, ...], fabric: Fabric) -> Plan:
    """Return full adders, lowest column first, until one table takes all that is left.

    The cost is infinite where no full adders get there.
    """
    columns, adders = list(heights), []
    excess = sum(heights) + len(digit) - fabric.table_inputs
    for c in range(64):
        if c == len(columns):
            break
        count = min(max(excess, 0), max(columns[c] - 1, 0) // 2)
        adders.append(count)
        excess -= count
        if count:
            columns += [0] * (c + 2 - len(columns))
            columns[c + 1] += count
    cost = fabric.adder * sum(adders) + 1 if excess <= 0 else float("inf")
    return Plan(cost, tuple(adders), 0)


def _tree(bits: int, most: int, need: int, fabric: Fabric) -> Plan:
    """Tables that merge digits, no adders."""
    wires = len(digit_weights(min(need, most - need + 1) + 1))
    merged = fabric.table_inputs if wires == 1 else fabric.pair_inputs or fabric.table_inputs
    tables = -(-max(bits - fabric.table_inputs, 0) // (merged - wires))
    return Plan(tables * fabric.cells(merged, wires) + 1, (), 0)


def _carry(
    heights: tuple[int, ...], digit: tuple[int, ...], need: int, most: int, fabric: Fabric
) -> list[Plan]:
    """A carry table behind the full adders of the lowest column, then the best plan for the rest."""
    plans = []
    height, above = heights[0], (*heights[1:], 0)
    room = (fabric.pair_inputs or fabric.table_inputs) - len(digit)
    fewest = max(-(-(height - room) // 2), 0)
    for count in range(fewest, min(fewest + 4, max(height - 1, 0) // 2 + 1)):
        left = height - 2 * count
        rest = (most - sum(digit) - left) // 2
        low, high = carried(sum(digit) + left, rest, need)
        if high - low >= DIGIT_VALUES:
            continue
        passed = digit_weights(high - low + 1)
        columns = (above[0] + count, *above[1:])
        if not columns[-1]:
            columns = columns[:-1]
        after = plan(columns, passed, -(-need // 2) - low, fabric)
        cost = fabric.adder * count + fabric.cells(len(digit) + left, len(passed)) + after.cost
        plans.append(Plan(cost, (count, *after.adders), after.carries + 1))
    return plans


def carried(largest: int, rest: int, need: int) -> tuple[int, int]:
    """Return the range of the digit that a column hands on, clipped.

    Args:
        largest: sum of the column and the digit before it.
        rest: largest sum of the columns above, in the next column's weight.
        need: the threshold in this column's weight.
    """
    return clip((largest + need % 2) // 2, rest, -(-need // 2))


def decide(
    circuit: Circuit,
    columns: Sequence[Sequence[int]],
    carries: int,
    need: int,
    invert: bool,
    fabric: Fabric,
    owner: int,
) -> int:
    """Build what follows a row's full adders; return the literal of (sum >= need) ^ invert.

    Args:
        circuit: gets the tables.
        columns: literals per column once all adders are made.
        carries: of the row's plan.
        need: the threshold, from 1 to the largest sum.
        invert: whether the output is complemented.
        fabric: of the target.
        owner: the row.
    """
    columns = [*columns, *[()] * (carries - len(columns))]
    digit: list[tuple[int, int]] = []
    for c in range(carries):
        terms = [*digit, *((literal, 1) for literal in columns[c])]
        rest = sum(len(column) << i for i, column in enumerate(columns[c + 1 :]))
        low, high = carried(sum(weight for _, weight in terms), rest, need)
        digit = _digit(circuit, terms, need % 2, 1, low, high, owner)
        need = -(-need // 2) - low
    terms = [*digit]
    for i, column in enumerate(columns[carries:]):
        terms += [(literal, 1 << i) for literal in column]
    while len(terms) > fabric.table_inputs:
        need = _merge(circuit, terms, need, fabric, owner)
    if len(terms) == 1:
        return terms[0][0] ^ invert
    entries = [[(value >= need) ^ invert] for value in _sums(terms)]
    return 2 * circuit.table([literal for literal, _ in terms], entries, owner).first


def _merge(
    circuit: Circuit, terms: list[tuple[int, int]], need: int, fabric: Fabric, owner: int
) -> int:
    """Replace the earliest terms by a saturating digit of their sum; return the threshold that is left."""
    terms.sort(key=lambda term: circuit.level(term[0]))
    most = sum(weight for _, weight in terms)
    for count in (fabric.table_inputs, fabric.pair_inputs or fabric.table_inputs):
        largest = sum(weight for _, weight in terms[:count])
        low, high = clip(largest, most - largest, need)
        wires = len(digit_weights(high - low + 1))
        if wires == 1:
            break
    # The last merge leaves as many as the final table takes.
    count = min(count, len(terms) - fabric.table_inputs + wires)
    largest = sum(weight for _, weight in terms[:count])
    low, high = clip(largest, most - largest, need)
    terms[:count] = _digit(circuit, terms[:count], 0, 0, low, high, owner)
    return need - low


def _digit(
    circuit: Circuit,
    terms: Sequence[tuple[int, int]],
    constant: int,
    shift: int,
    low: int,
    high: int,
    owner: int,
) -> list[tuple[int, int]]:
    """Return (literal, weight) of the bits of `sum of terms + constant >> shift`, clipped, less `low`."""
    weights = digit_weights(high - low + 1)
    if not weights:
        return []
    values = [min(max((value + constant) >> shift, low), high) - low for value in _sums(terms)]
    if weights == (1, 2):
        entries = [[bool(value & 1), value > 1] for value in values]
    else:
        entries = [[value > i for i in range(len(weights))] for value in values]
    if len(terms) == 1:  # one bit, and both of its values matter
        return [(terms[0][0], weights[0])]
    cell = circuit.table([literal for literal, _ in terms], entries, owner)
    return [(2 * (cell.first + i), weight) for i, weight in enumerate(weights)]


def _sums(terms: Sequence[tuple[int, int]]) -> list[int]:
    """Return the weighted sum of each combination of bits, the first term lowest in the index."""
    sums = [0]
    for _, weight in terms:
        sums += [value + weight for value in sums]
    return sums
