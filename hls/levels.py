"""Neurons that give more than a bit: how many of their levels a sum reaches, as a binary number.

The levels form a thermometer: u_1 >= u_2 >= ... >= u_L. Their number in binary needs no adder: bit k of it is
the parity of u at the multiples of 2**k. Two ways to the levels are compared, in cells of the fabric:

* apart: one threshold per level (`ends`), all on the same columns, so that they share full adders;
* joint: one set of full adders, then half adders from below until one table takes all that is left and gives
  the output's bits at once; where a binary number wider than a table is left, one comparison per level.

Few levels, or levels close to one end of the sum, are cheaper apart; many levels joint.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest

from sbnn.hls.circuit import Circuit
from sbnn.hls.compress import to_two_rows
from sbnn.hls.ends import Plan, decide, plan, table_plan
from sbnn.hls.fabric import Fabric
from sbnn.hls.sharing import Columns, Request, canonical, distinct

# Synthesis merges the tables at the end of one set of adders better than those of each level: 8 neurons of 20
# inputs of 2 bits and 3 levels take 144 LUT6 sites joint and 159 apart, of 3 bits and 7 levels 484 and 618;
# on ECP5 341 and 371, 1,071 and 1,322 LUT4.
APART = 0.88

# A level, or a bit of the output: a literal, or what it is in every image.
Bit = int | bool
# A literal and the column in which it counts.
Term = tuple[int, int]


@dataclass(frozen=True)
class Levels:
    """What one neuron asks of the sum of its literals.

    Attributes:
        needs: the sums from which its levels are reached, ascending; those that images decide.
        always: levels below them that every image reaches.
        never: levels above them that no image reaches.
        invert: whether a level counts while it is not reached.
    """

    needs: tuple[int, ...]
    always: int = 0
    never: int = 0
    invert: bool = False

    @property
    def largest(self) -> int:
        """The largest output there could be."""
        return self.always + len(self.needs) + self.never

    @property
    def bits(self) -> int:
        """Bits of the output."""
        return self.largest.bit_length()

    @property
    def decided(self) -> list[int]:
        """The distinct sums that need a decision."""
        return sorted(set(self.needs))

    def value(self, total: int) -> int:
        """Return the output at a sum."""
        reached = self.always + sum(total >= need for need in self.needs)
        return self.largest - reached if self.invert else reached

    def thermometer(self, reached: Mapping[int, int]) -> list[Bit]:
        """Return the levels as bits of which the first n are 1 where the output is n.

        Args:
            reached: {need: literal of (sum >= need) ^ invert}.
        """
        below: list[Bit] = [not self.invert] * self.always
        above: list[Bit] = [self.invert] * self.never
        bits = [*below, *(reached[need] for need in self.needs), *above]
        return bits[::-1] if self.invert else bits


def ask(
    thresholds: Sequence[int], frac: int, reach: tuple[int, int], base: int, invert: bool
) -> Levels:
    """Return what a neuron without xi asks of the sum of its literals.

    Args:
        thresholds: of A = (base + sum) << frac, ascending.
        frac: F of the layer.
        reach: smallest and largest A that an input can give.
        base: what is there in every image.
        invert: of the neuron.
    """
    low, high = reach
    return Levels(
        tuple(-(-t >> frac) - base for t in thresholds if low < t <= high),
        always=sum(t <= low for t in thresholds),
        never=sum(t > high for t in thresholds),
        invert=invert,
    )


@dataclass(frozen=True)
class LevelPlan:
    """How a row's bits become its levels.

    Attributes:
        cost: in cells of the fabric, before rows share.
        apart: a plan per decided level; empty where one set of adders serves all.
        adders: full adders per column of that set.
    """

    cost: float
    apart: tuple[Plan, ...]
    adders: tuple[int, ...]

    def requests(self, columns: Columns) -> list[Request]:
        """Return what to add of the row's columns."""
        wanted = [level.adders for level in self.apart] or [self.adders]
        return [Request(columns, adders) for adders in wanted]


@cache
def plan_levels(heights: tuple[int, ...], levels: Levels, fabric: Fabric) -> LevelPlan:
    """Return the cheaper plan.

    Args:
        heights: bits per column of the sum.
        levels: of the neuron, at least one to be decided.
        fabric: of the target.
    """
    apart = tuple(plan(heights, (), need, fabric) for need in levels.decided)
    if len(apart) == 1:
        return LevelPlan(apart[0].cost + _parities(levels, fabric), apart, ())
    # The levels' adders take the same bits, so those that several want are made once.
    shared = sum(max(counts) for counts in zip_longest(*(p.adders for p in apart), fillvalue=0))
    tables = sum(made.cost - fabric.adder * sum(made.adders) for made in apart)
    cost = fabric.adder * shared + tables + _parities(levels, fabric)
    joint = _joint(heights, levels, fabric)
    return LevelPlan(cost, apart, ()) if cost < APART * joint.cost else joint


def build_levels(
    circuit: Circuit,
    left: Sequence[Columns],
    made: LevelPlan,
    levels: Levels,
    fabric: Fabric,
    owner: int,
) -> list[Bit]:
    """Build what follows a row's full adders; return the bits of its output, the lowest first.

    Args:
        circuit: gets the tables.
        left: per request of the plan the literals that its adders leave.
        made: the plan.
        levels: what the neuron asks.
        fabric: of the target.
        owner: the row.
    """
    if made.apart:
        reached = {
            need: decide(circuit, columns, end.carries, need, levels.invert, fabric, owner)
            for need, end, columns in zip(levels.decided, made.apart, left, strict=True)
        }
        return _binary(circuit, levels.thermometer(reached), fabric, owner)
    terms = _ripple(circuit, left[0], fabric, owner)
    if len(terms) <= fabric.table_inputs:
        return _tables(circuit, terms, levels, owner)
    reached = {
        need: _compare(circuit, terms, need, levels.invert, fabric, owner)
        for need in levels.decided
    }
    return _binary(circuit, levels.thermometer(reached), fabric, owner)


def _joint(heights: tuple[int, ...], levels: Levels, fabric: Fabric) -> LevelPlan:
    """Return the plan with one set of adders, its end built to be counted."""
    made = table_plan(heights, (), fabric)
    adders = made.adders if made.cost < float("inf") else to_two_rows(heights)
    left = [*heights, *[0] * (len(adders) + 1 - len(heights))]
    for c, count in enumerate(adders):
        left[c] -= 2 * count
        left[c + 1] += count
    circuit = Circuit(sum(left))
    build_levels(circuit, [distinct(left)], LevelPlan(0, (), adders), levels, fabric, 0)
    cost = fabric.adder * sum(adders)
    for cell in circuit.cells:
        cost += fabric.adder if cell.table is None else fabric.cells(len(cell.inputs), cell.outputs)
    return LevelPlan(cost, (), adders)


def _ripple(
    circuit: Circuit, columns: Sequence[Sequence[int]], fabric: Fabric, owner: int
) -> list[Term]:
    """Add columns of at most two bits from below until one table takes all, or one bit is left in each."""
    heap = [list(column) for column in columns]
    for c in range(len(heap)):
        if sum(map(len, heap)) <= fabric.table_inputs:
            break
        if len(heap[c]) < 2:
            continue
        if c + 1 == len(heap):
            heap.append([])
        if len(heap[c]) == 3:
            first, second, third = heap[c]
            triple, flipped = canonical((first, second, third))
            out = 2 * circuit.add(triple).first + flipped
        else:
            entries = [[a != b, a and b] for b in (False, True) for a in (False, True)]
            out = 2 * circuit.table(heap[c], entries, owner).first
        heap[c] = [out]
        heap[c + 1].append(out + 2)
    return [(literal, c) for c, column in enumerate(heap) for literal in column]


def _tables(circuit: Circuit, terms: Sequence[Term], levels: Levels, owner: int) -> list[Bit]:
    """Return the output's bits, each a table of all terms."""
    totals = [0]
    for _, column in terms:
        totals += [total + (1 << column) for total in totals]
    values = [levels.value(total) for total in totals]
    bits: list[Bit] = []
    for bit in range(levels.bits):
        entries = [[bool(value >> bit & 1)] for value in values]
        same = all(entry == entries[0] for entry in entries)
        inputs = [literal for literal, _ in terms]
        bits.append(entries[0][0] if same else 2 * circuit.table(inputs, entries, owner).first)
    return bits


def _compare(
    circuit: Circuit, terms: Sequence[Term], need: int, invert: bool, fabric: Fabric, owner: int
) -> int:
    """Return the literal of (binary number >= need) ^ invert, as many bits at once as a table takes."""
    held: int | None = None  # whether the bits so far reach those of `need`; None: always
    zeros = (need & -need).bit_length() - 1
    bits = [term for term in terms if term[1] >= zeros]
    while bits:
        room = fabric.table_inputs - (held is not None)
        part, bits = bits[:room], bits[room:]
        low = part[0][1]
        high = bits[0][1] if bits else max(part[-1][1] + 1, need.bit_length())
        wanted = need >> low & (1 << (high - low)) - 1
        if held is None and not wanted:
            continue
        totals = [0]
        for _, column in part:
            totals += [total + (1 << (column - low)) for total in totals]
        inputs = [literal for literal, _ in part]
        entries = [total >= wanted for total in totals]
        if held is not None:  # above the bit of `held`, which decides where these are equal
            inputs, entries = (
                [held, *inputs],
                [e for t in totals for e in (t > wanted, t >= wanted)],
            )
        flip = invert and not bits
        if entries == [False, True]:
            held = inputs[0] ^ flip
            continue
        held = 2 * circuit.table(inputs, [[entry ^ flip] for entry in entries], owner).first
    if held is None:
        raise ValueError(f"a sum always reaches {need}")
    return held


def _binary(circuit: Circuit, thermometer: Sequence[Bit], fabric: Fabric, owner: int) -> list[Bit]:
    """Return how many bits of a thermometer are 1: bit k is the parity of those at multiples of 2**k."""
    return [
        _parity(circuit, thermometer[(1 << bit) - 1 :: 1 << bit], fabric, owner)
        for bit in range(len(thermometer).bit_length())
    ]


def _parity(circuit: Circuit, bits: Sequence[Bit], fabric: Fabric, owner: int) -> Bit:
    """Return whether an odd number of bits is 1."""
    odd: set[int] = set()
    flip = False
    for bit in bits:
        if isinstance(bit, bool):
            flip ^= bit
        else:
            odd ^= {bit & ~1}
            flip ^= bool(bit & 1)
    terms = sorted(odd)
    while len(terms) > 1:
        terms.sort(key=circuit.level)
        part = terms[: fabric.table_inputs]
        entries = [[bool(index.bit_count() & 1)] for index in range(1 << len(part))]
        terms[: len(part)] = [2 * circuit.table(part, entries, owner).first]
    return terms[0] + flip if terms else flip


def _parities(levels: Levels, fabric: Fabric) -> int:
    """Return how many tables make a binary number of the levels."""
    circuit = Circuit(len(levels.decided))
    reached = {need: 2 * n for n, need in enumerate(levels.decided)}
    _binary(circuit, levels.thermometer(reached), fabric, 0)
    return len(circuit.cells)
