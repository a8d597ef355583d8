"""Static timing of a synthesised netlist by the delay model of its family, before any placement.

Arrival times go through the cells in topological order, from flip-flops and memories to flip-flops and
memories; ports are left out. It is an estimate: real nets are longer in large devices and shorter under
pressure. hls/README.md compares it with nextpnr's own figures.
"""

import json
import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path as FilePath
from typing import Any

from sbnn.hls.delay import Delays, delays_of
from sbnn.train.errors import UserError

Modules = Mapping[str, Any]

FLOP = r"FD[RSCP]E|TRELLIS_FF|SB_DFF\w*|DFF\w*|SRL16E|SRLC32E"
# Read without a clock, written with one.
LUT_MEMORY = r"RAM\d+\w*|TRELLIS_DPR16X4|RAM16SDP[124]"
BLOCK_MEMORY = r"RAMB\w+|DP16KD|PDPW16KD|SB_RAM40\w*|S?DPX?9?B|SPX?9?"
CARRY = r"CARRY[48]|CCU2C|ALU|SB_CARRY"
IGNORED = r"\$scopeinfo|\w*I?O?BUFG?|VCC|GND|VHI|VLO|GSR"
# How yosys marks the modules of its cell libraries.
LIBRARY = {"blackbox", "whitebox"}
ADDRESSES = r"(ADDR|RAD|A|DPRA|RADDR)\w*"


class TimingError(UserError):
    """A netlist that cannot be timed."""


@dataclass(frozen=True)
class Path:
    """The slowest path between two clocked cells.

    Attributes:
        nanoseconds: from clock to clock, setup included.
        levels: LUTs on it.
        start: the cell that it leaves.
        end: the cell that it reaches.
    """

    nanoseconds: float
    levels: int
    start: str
    end: str

    @property
    def mhz(self) -> float:
        """The clock that it allows."""
        return 1000 / self.nanoseconds


@dataclass(frozen=True)
class _Cell:
    name: str
    kind: str
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[int, ...]


def read_netlist(path: FilePath) -> tuple[Modules, str]:
    """Return the modules of a file of yosys's `write_json`, and the name of the top.

    Raises:
        TimingError: no such file, or not such a netlist.
    """
    try:
        modules: Modules = json.loads(path.read_text(encoding="utf-8"))["modules"]
        top = next(name for name, module in modules.items() if "top" in module["attributes"])
    except (OSError, ValueError, KeyError, TypeError, StopIteration) as error:
        raise TimingError(f"{path}: not a netlist of yosys ({error!r})") from error
    return modules, top


def slowest_path(modules: Modules, top: str, family: str) -> Path:
    """Return the slowest path of a netlist; arguments and errors as of `slowest_paths`."""
    paths = slowest_paths(modules, top, family)
    return max(paths.values(), key=lambda path: path.nanoseconds)


def slowest_paths(modules: Modules, top: str, family: str) -> dict[str, Path]:
    """Return the slowest path into each instance of the top, "" for the top's own cells.

    Args:
        modules: of yosys's `write_json`, one per module that kept its boundary.
        top: the module to begin with.
        family: key of `sbnn.hls.delay.DELAYS`.

    Raises:
        TimingError: a loop, or no two clocked cells.
    """
    delays = delays_of(family)
    cells = list(_flatten(modules, top))
    readers = Counter(net for cell in cells for _, net in cell.inputs)
    # {net: (arrival, LUTs, start)} at the driver's output.
    arrival: dict[int, tuple[float, int, str]] = {}
    waits: dict[int, list[int]] = defaultdict(list)
    pending: list[int] = []
    driven = {net for cell in cells if not _is_start(cell) for net in cell.outputs}
    for index, cell in enumerate(cells):
        if re.fullmatch(FLOP, cell.kind):
            arrival |= dict.fromkeys(cell.outputs, (delays.clock_to_q, 0, cell.name))
        elif re.fullmatch(BLOCK_MEMORY, cell.kind):
            arrival |= dict.fromkeys(cell.outputs, (delays.memory, 0, cell.name))
        through = [net for _, net in _through(cell) if net in driven]
        pending.append(len(through))
        for net in through:
            waits[net].append(index)
    ready = deque(
        index for index, cell in enumerate(cells) if not pending[index] and not _is_start(cell)
    )
    done = 0
    while ready:
        cell = cells[ready.popleft()]
        done += 1
        late = max(
            (
                _after(arrival[net], delays, readers[net], port, cell.kind)
                for port, net in _through(cell)
                if net in arrival
            ),
            default=None,
        )
        for net in cell.outputs:
            if late is not None:
                arrival[net] = late
            for index in waits[net]:
                pending[index] -= 1
                if not pending[index]:
                    ready.append(index)
    if done < sum(not _is_start(cell) for cell in cells):
        raise TimingError(f"{top}: a loop of logic, or a cell that is not known")
    worst = _worst(cells, arrival, readers, delays)
    if not worst:
        raise TimingError(f"{top}: no path between two clocked cells")
    return worst


def _flatten(modules: Modules, top: str) -> Iterator[_Cell]:
    """Yield the cells of a module and of those inside it, with nets numbered throughout."""
    numbers = count()

    def walk(module: str, prefix: str, ports: Mapping[int, int]) -> Iterator[_Cell]:
        nets = dict(ports)

        def net(bit: int) -> int:
            if bit not in nets:
                nets[bit] = next(numbers)
            return nets[bit]

        for name, cell in modules[module]["cells"].items():
            kind, pins = str(cell["type"]), cell["connections"]
            if re.fullmatch(IGNORED, kind):
                continue
            if kind in modules and not LIBRARY & modules[kind]["attributes"].keys():
                inside = {
                    inner: net(outer)
                    for port, bits in pins.items()
                    for inner, outer in zip(modules[kind]["ports"][port]["bits"], bits, strict=True)
                    if not isinstance(inner, str) and not isinstance(outer, str)
                }
                yield from walk(kind, f"{prefix}{name}.", inside)
                continue
            found: dict[str, list[tuple[str, int]]] = {"input": [], "output": []}
            for port, bits in pins.items():
                found[cell["port_directions"][port]] += [
                    (port, net(bit)) for bit in bits if not isinstance(bit, str)
                ]
            outputs = tuple(bit for _, bit in found["output"])
            yield _Cell(f"{prefix}{name}", kind, tuple(found["input"]), outputs)

    yield from walk(top, "", {})


def _is_start(cell: _Cell) -> bool:
    return re.fullmatch(f"{FLOP}|{BLOCK_MEMORY}", cell.kind) is not None


def _through(cell: _Cell) -> list[tuple[str, int]]:
    """Return the pins from which a change reaches the cell's outputs without a clock."""
    if _is_start(cell):
        return []
    if re.fullmatch(LUT_MEMORY, cell.kind):
        return [pin for pin in cell.inputs if re.fullmatch(ADDRESSES, pin[0])]
    return list(cell.inputs)


def _after(
    before: tuple[float, int, str], delays: Delays, readers: int, port: str, kind: str
) -> tuple[float, int, str]:
    """Return the arrival behind a cell for the arrival before one of its pins."""
    time, levels, start = before
    if re.fullmatch(CARRY, kind):
        if port in ("CI", "CIN"):  # from the cell below, over no net
            return time + delays.ripple, levels, start
        return time + delays.net(readers) + delays.carry, levels, start
    return time + delays.net(readers) + delays.lut, levels + 1, start


def _worst(
    cells: Sequence[_Cell],
    arrival: Mapping[int, tuple[float, int, str]],
    readers: Mapping[int, int],
    delays: Delays,
) -> dict[str, Path]:
    """Return the path that arrives last at the clocked cells of each instance of the top."""
    logic = {net for cell in cells if not _is_start(cell) for net in cell.outputs}
    worst: dict[str, Path] = {}
    for cell in cells:
        for port, net in set(cell.inputs) - set(_through(cell)):
            if net not in arrival:
                continue
            time, levels, start = arrival[net]
            # A LUT that feeds nothing but a flip-flop stands beside it.
            beside = port == "D" and readers[net] == 1 and net in logic
            path = time + delays.setup + (0 if beside else delays.net(readers[net]))
            part = cell.name.rpartition(".")[0].split(".")[0]
            if part not in worst or path > worst[part].nanoseconds:
                worst[part] = Path(path, levels, start, cell.name)
    return worst
