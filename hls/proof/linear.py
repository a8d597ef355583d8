"""What an adder tree adds up, read off its gates by rewriting: for sums too wide for a BDD.

Sum and carry of a full adder over nets a, b, c satisfy s + 2 * q = a + b + c. A word of outputs begins as
the sum of 2^i * y_i; each sum bit is replaced by its inputs - 2 * its carry, which takes the carry away
where it counts twice as much, until inputs of the layer are all that is left. Modulo 2^width nothing else is
needed (algebraic rewriting; Ciesielski et al., "Understanding Algebraic Rewriting for Arithmetic Circuit
Verification: A Bit-Flow Model", IEEE TCAD 39(6), 2020). Adders are found by their truth tables over two or
three nets, so each step is an identity whatever the gates were meant to be: a tree that is not one is left
with a rest.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import product

from sbnn.hls.proof.gates import REGISTER, Gates, Net, in_order

CUTS = 16  # of a net that are looked at, those of three nets first
TABLES = {"$_NOT_": 0b01, "$_AND_": 0b1000, "$_OR_": 0b1110, "$_XOR_": 0b0110, "$_XNOR_": 0b1001}
Cut = tuple[tuple[Net, ...], int]  # nets, and the table of a net over them, the first net lowest


class NotLinearError(Exception):
    """A net is left that no adder explains."""


def weighted_sum(
    gates: Gates, word: Sequence[Net], known: Mapping[int, bool]
) -> tuple[dict[int, int], int]:
    """Return ({input bit: weight}, constant) of a word, modulo 2^len(word).

    Args:
        gates: of a layer; registers count as wires.
        word: nets of the output, the lowest first.
        known: the input bits that are the same in every image.

    Raises:
        NotLinearError: the word is no sum of its inputs, or its adders have gates of another kind.
    """
    modulus = 1 << len(word)
    nets = in_order(gates, word)
    place = {net: n for n, net in enumerate(nets)}
    inputs = {net: i for i, net in enumerate(gates.x)}
    fixed = {net: int(known[i]) for net, i in inputs.items() if i in known}
    cuts, adders = _adders(gates, nets, fixed | {"0": 0, "1": 1})
    found: dict[Net, int] = {}
    constant = 0

    def add(net: Net, weight: int) -> None:
        nonlocal constant
        # The net itself, or what it is a wire, an inverter or a register of.
        leaves, table = cuts[net][0]
        start = table & 1
        constant += weight * start
        if not leaves:
            return
        net, weight = leaves[0], weight * ((table >> 1) - start)
        total = (found.pop(net, 0) + weight) % modulus
        if total:
            found[net] = total

    for i, net in enumerate(word):
        add(net, 1 << i)
    while True:
        for net in sorted(found.keys() - inputs.keys(), key=place.__getitem__, reverse=True):
            weight = found[net]
            step = next(_steps(net, weight, modulus, found, cuts, adders), None)
            if step is not None:
                break
        else:
            break
        leaves, (start, *ends), carry = step
        constant += weight * start
        add(net, -weight)
        if carry is not None:
            add(carry, -2 * weight)
        for leaf, end in zip(leaves, ends, strict=True):
            add(leaf, weight * end)
    if rest := found.keys() - inputs.keys():
        raise NotLinearError(f"{len(rest)} nets are left, {min(map(str, rest))} is one")
    return {inputs[net]: weight for net, weight in found.items()}, constant % modulus


def _steps(
    net: Net,
    weight: int,
    modulus: int,
    found: Mapping[Net, int],
    cuts: Mapping[Net, Sequence[Cut]],
    adders: Mapping[tuple[Net, ...], Mapping[Net, int]],
) -> Iterator[tuple[tuple[Net, ...], tuple[int, ...], Net | None]]:
    """Yield (nets, e of `_affine`, carry) of ways to take a net apart: a sum bit of those nets."""
    top = 2 * weight % modulus == 0  # a carry would count 2^width
    for leaves, table in cuts[net]:
        if len(leaves) < 2:
            continue
        if top and (ends := _affine(table, 0, len(leaves), True)):
            yield leaves, ends, None
        for carry, carried in adders[leaves].items():
            if found.get(carry) == 2 * weight % modulus and (
                ends := _affine(table, carried, len(leaves), False)
            ):
                yield leaves, ends, carry


@cache
def _affine(table: int, carried: int, leaves: int, parity: bool) -> tuple[int, ...] | None:
    """Return (e0, e1, ...) with sum + 2 * carry = e0 + e1 * leaf1 + ..., modulo 2 if `parity`, or None."""

    def value(row: int) -> int:
        return (table >> row & 1) + 2 * (carried >> row & 1)

    start = value(0)
    ends = [value(1 << n) - start for n in range(leaves)]
    for row in range(1 << leaves):
        wanted = start + sum(end for n, end in enumerate(ends) if row >> n & 1)
        if (wanted - value(row)) % 2 if parity else wanted != value(row):
            return None
    return (start, *ends)


def _adders(
    gates: Gates, nets: Sequence[Net], fixed: Mapping[Net, int]
) -> tuple[dict[Net, list[Cut]], dict[tuple[Net, ...], dict[Net, int]]]:
    """Return the cuts of each net, and {nets: {net: its table over them}}."""
    cuts: dict[Net, list[Cut]] = {}
    adders: dict[tuple[Net, ...], dict[Net, int]] = {}
    for net in nets:
        if net in fixed:
            cuts[net] = [((), fixed[net])]
        elif net not in gates.cells:
            cuts[net] = [((net,), 0b10)]
        elif gates.cells[net][0] == REGISTER:
            cuts[net] = cuts[gates.cells[net][1][0]]
        else:
            cuts[net] = _cuts_of(net, *gates.cells[net], cuts)
            for leaves, table in cuts[net]:
                if len(leaves) > 1:
                    adders.setdefault(leaves, {})[net] = table
    return cuts, adders


def _cuts_of(
    net: Net, kind: str, sources: tuple[Net, ...], cuts: Mapping[Net, Sequence[Cut]]
) -> list[Cut]:
    found: dict[tuple[Net, ...], int] = {}
    for parts in product(*(cuts[source] for source in sources)):
        leaves = tuple(sorted({leaf for some, _ in parts for leaf in some}, key=str))
        if len(leaves) > 3:
            continue
        table = 0
        for row in range(1 << len(leaves)):
            on = {leaf for n, leaf in enumerate(leaves) if row >> n & 1}
            bits = [
                part >> sum((leaf in on) << n for n, leaf in enumerate(some)) & 1
                for some, part in parts
            ]
            table |= _gate(kind, bits) << row
        leaves, table = _read(leaves, table)
        found[leaves] = table
    for leaves, table in found.items():
        if len(leaves) < 2:  # a constant, a wire or an inverter: not a net of its own
            return [(leaves, table)]
    wide_first = sorted(found.items(), key=lambda cut: -len(cut[0]))
    return [((net,), 0b10), *wide_first[:CUTS]]


def _read(leaves: tuple[Net, ...], table: int) -> Cut:
    """Return a cut without the nets that its table does not depend on."""
    for n in range(len(leaves)):
        low = [row for row in range(1 << len(leaves)) if not row >> n & 1]
        if all((table >> row ^ table >> (row | 1 << n)) & 1 == 0 for row in low):
            rest = sum((table >> row & 1) << m for m, row in enumerate(low))
            return _read(leaves[:n] + leaves[n + 1 :], rest)
    return leaves, table


def _gate(kind: str, bits: Sequence[int]) -> int:
    if kind == "$_MUX_":
        return bits[1] if bits[2] else bits[0]
    return TABLES[kind] >> sum(bit << n for n, bit in enumerate(bits)) & 1
