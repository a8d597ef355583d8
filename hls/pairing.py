"""Count the LUT6 sites of a 7-series netlist: two small LUTs share one site.

A LUT6 of 7-series and UltraScale+ has two outputs: O6, and O5 of the lower half. Two functions whose inputs
are at most 5 in all therefore take one site (LUT6_2). yosys counts them as two LUTs; Vivado's placer and
nextpnr pair them, so the sites are what fills a device. Which LUTs go together is a matching in the graph of
compatible pairs: greedy on shared inputs first, then alternating paths (a lone LUT takes another's partner).
The largest matching (networkx, in minutes) saves 0 to 3 % more sites on the layers of digits, digits-xi and
tfc-sbnn95; a placer does not find it either.

Not counted, since it depends on the placement: pairs across modules, and LUTs that stay alone because their
flip-flops belong to other slices.
"""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

SHARED_INPUTS = 5

# Sites of cells that are no plain LUTs: a shift register or a memory takes whole LUT6s of a SLICEM.
SITES = {
    r"LUT6_2": 1,
    r"SRL16E|SRLC16E|SRLC32E": 1,
    r"RAM(32|64)X1S": 1,
    r"RAM(32|64)X1D|RAM128X1S": 2,
    r"RAM32M|RAM64M|RAM128X1D|RAM256X1S": 4,
    r"RAM32M16|RAM64M8|RAM256X1D|RAM512X1S": 8,
}


def count_sites(module: Mapping[str, Any]) -> int:
    """Return the LUT6 sites of one module of yosys's `write_json`, cells of its own only."""
    cells: Mapping[str, Any] = module["cells"]
    luts: dict[str, frozenset[int]] = {}
    driver: dict[int, str] = {}
    sites = 0
    for name, cell in cells.items():
        kind = str(cell["type"])
        if re.fullmatch(r"LUT[1-6]|INV", kind):
            luts[name] = _inputs(cell)
            driver[cell["connections"]["O"][0]] = name
        elif kind == "LUT6_2":
            driver[cell["connections"]["O6"][0]] = name
        sites += sum(size for pattern, size in SITES.items() if re.fullmatch(pattern, kind))
    bound, alone, through = _carries(cells, luts, driver)
    sites += through + len(bound)
    free = {name: nets for name, nets in luts.items() if name not in bound and name not in alone}
    return sites + len(free) - len(match(list(free.values())))


def _inputs(cell: Mapping[str, Any]) -> frozenset[int]:
    """Return the nets that a LUT reads; constants take no pin."""
    return frozenset(
        bit
        for port, bits in cell["connections"].items()
        if cell["port_directions"][port] == "input"
        for bit in bits
        if not isinstance(bit, str)
    )


def _carries(
    cells: Mapping[str, Any], luts: Mapping[str, frozenset[int]], driver: Mapping[int, str]
) -> tuple[set[str], set[str], int]:
    """Return what carry chains and wide multiplexers do to the LUTs around them.

    S of a carry and the data of a MUXF7 come from O6 of one site and from nowhere else. Such a LUT shares its
    site only with the one that drives DI of the same bit, since the sum leaves by the slice's other output.

    Returns:
        LUTs that have a site by the carry; LUTs that ride in one of those sites; and the sites that route
        through, because no LUT drives them, or because the one that does stands in another carry.
    """
    bound: set[str] = set()
    alone: set[str] = set()
    through = 0
    for cell in cells.values():
        kind, pins = str(cell["type"]), cell["connections"]
        if kind == "MUXF7":
            for pin in ("I0", "I1"):
                through += pins[pin][0] not in driver
        if kind not in ("CARRY4", "CARRY8"):
            continue
        used = [
            index
            for port in ("O", "CO")
            for index, bit in enumerate(pins.get(port, ()))
            if not isinstance(bit, str)
        ]
        for index in range(max(used, default=-1) + 1):
            name = driver.get(pins["S"][index])
            if name is None or name in bound:
                through += 1
                continue
            if name not in luts:
                continue  # a LUT6_2, counted already
            bound.add(name)
            rider = driver.get(pins["DI"][index])
            if rider is None or rider not in luts or rider in bound:
                continue
            if len(luts[name] | luts[rider]) <= SHARED_INPUTS:
                alone.add(rider)
    return bound, alone - bound, through


def match(luts: Sequence[frozenset[int]]) -> list[tuple[int, int]]:
    """Return disjoint pairs of LUTs that read at most `SHARED_INPUTS` nets together.

    Args:
        luts: the nets that each reads.
    """
    small = [i for i, nets in enumerate(luts) if len(nets) <= SHARED_INPUTS]
    readers: dict[int, list[int]] = defaultdict(list)
    for i in small:
        for net in luts[i]:
            readers[net].append(i)

    @cache
    def neighbours(i: int) -> tuple[int, ...]:
        """Return the LUTs that share an input with LUT i and fit beside it, most shared inputs first."""
        shared = Counter(other for net in luts[i] for other in readers[net] if other != i)
        fit = [
            other
            for other, count in shared.items()
            if len(luts[i]) + len(luts[other]) - count <= SHARED_INPUTS
        ]
        return tuple(sorted(fit, key=lambda other: (-shared[other], -len(luts[other]), other)))

    partner: dict[int, int] = {}
    # The widest first: they have the fewest to choose from.
    for i in sorted(small, key=lambda i: (-len(luts[i]), i)):
        if i not in partner:
            found = next((other for other in neighbours(i) if other not in partner), None)
            if found is not None:
                partner[i], partner[found] = found, i
    paired = -1
    while paired < len(partner):
        paired = len(partner)
        seen: set[int] = set()
        for i in small:
            if i not in partner:
                _augment(i, luts, small, partner, neighbours, seen)
    return sorted((i, other) for i, other in partner.items() if i < other)


def _augment(
    start: int,
    luts: Sequence[frozenset[int]],
    small: Sequence[int],
    partner: dict[int, int],
    neighbours: Callable[[int], tuple[int, ...]],
    seen: set[int],
) -> None:
    """Match LUT `start` along an alternating path: it takes another's partner, who finds a new one.

    LUTs that share no input also fit where they are narrow enough; only those still alone are tried.

    Args:
        start: the LUT that is alone.
        luts: the nets that each LUT reads.
        small: the LUTs that can share.
        partner: both ways; changed here.
        neighbours: the LUTs that share an input and fit.
        seen: LUTs that earlier searches of the same round have given up.
    """
    free = [i for i in small if i not in partner and i != start]
    came: dict[
        int, tuple[int, int]
    ] = {}  # {LUT that lost its partner: (who took the partner, partner)}
    seen.add(start)
    queue = deque([start])
    while queue:
        at = queue.popleft()
        strangers = (i for i in free if len(luts[i]) + len(luts[at]) <= SHARED_INPUTS)
        end = next(
            (i for i in (*neighbours(at), *strangers) if i not in partner and i != start), None
        )
        if end is not None:
            while True:
                partner[at], partner[end] = end, at
                if at == start:
                    return
                at, end = came[at]
        for other in neighbours(at):
            left = partner.get(other)
            if left is not None and left not in seen and other not in seen:
                seen |= {left, other}
                came[left] = (at, other)
                queue.append(left)
