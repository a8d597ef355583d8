"""Read what yosys and nextpnr report, and judge it by the board: plain data in, plain data out."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbnn.boards.board import Board, BoardError
from sbnn.hls.synth import FAMILIES

# Names in nextpnr's utilisation reports. A cell of iCE40 holds a LUT and a flip-flop and counts once.
ROUTED = {
    "ecp5": {"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "bram": "DP16KD", "dsp": "MULT18X18D"},
    "ice40": {"lut": "ICESTORM_LC", "bram": "ICESTORM_RAM", "dsp": "ICESTORM_DSP"},
    "gowin": {"lut": "LUT4", "ff": "DFF", "bram": "BSRAM", "dsp": "MULT18X18"},
}
# A router that has not got on for so many rounds, and that is so far from an end, never gets there.
PATIENCE, MANY_WIRES = 5, 1_000


@dataclass(frozen=True)
class Timing:
    """What a clock reached after routing, and what it must reach."""

    achieved_mhz: float
    needed_mhz: float

    @property
    def met(self) -> bool:
        """Whether the clock is fast enough."""
        return self.achieved_mhz >= self.needed_mhz


def read_synthesis(path: Path, family: str) -> dict[str, int]:
    """Return {lut, ff, bram} of a flattened netlist from yosys' `stat -json`.

    Raises:
        BoardError: not such a report.
    """
    kind = FAMILIES[family]
    try:
        cells = _json(path)["design"]["num_cells_by_type"]
        counts = {str(name): int(number) for name, number in cells.items()}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BoardError(f"{path}: not a yosys statistic ({error!r})") from error

    def of(pattern: str) -> int:
        return sum(number for name, number in counts.items() if re.fullmatch(pattern, name))

    return {
        "lut": sum(size * of(pattern) for pattern, size in kind.lut.items()),
        "ff": of(kind.ff),
        "bram": of(kind.bram),
    }


def logic_cells(path: Path, family: str) -> int:
    """Return the cells that a flattened netlist takes where a cell holds one LUT and one flip-flop.

    nextpnr joins the two where `Family.joins` allows it; every other flip-flop takes a cell for itself.

    Args:
        path: what yosys' write_json wrote.
        family: key of `FAMILIES`, one whose `joins` is not empty.

    Raises:
        BoardError: not such a netlist.
    """
    kind = FAMILIES[family]
    try:
        modules = _json(path)["modules"].values()
        top = next(module for module in modules if "top" in module["attributes"])
        users = Counter(bit for port in top["ports"].values() for bit in port["bits"])
        feeds: set[object] = set()  # bits that a LUT drives
        inputs: list[object] = []  # the data bit of each flip-flop
        cells = 0
        for cell in top["cells"].values():
            luts = sum(n for name, n in kind.lut.items() if re.fullmatch(name, cell["type"]))
            cells += luts
            for port, bits in cell["connections"].items():
                if cell["port_directions"].get(port) != "output":
                    users.update(bits)
                elif luts == 1:
                    feeds.update(bits)
            if re.fullmatch(kind.ff, cell["type"]):
                inputs.append(cell["connections"]["D"][0])
    except (KeyError, TypeError, AttributeError, IndexError, StopIteration) as error:
        raise BoardError(f"{path}: not a netlist of yosys ({error!r})") from error
    alone = [bit for bit in inputs if bit not in feeds or (kind.joins == "own" and users[bit] > 1)]
    return cells + len(alone)


def read_route(path: Path, family: str) -> tuple[dict[str, int], dict[str, Timing]]:
    """Return {lut, ff, bram, dsp} and the timing per clock from nextpnr's JSON report.

    Where nextpnr counts cells, as on iCE40, there is no "ff". A design's only clock is "clk", as in
    every top of this project; nextpnr calls it after some net behind the pin.

    Raises:
        BoardError: not such a report, or one without a clock.
    """
    table = _json(path)
    try:
        used = {
            name: int(table["utilization"][cell]["used"]) for name, cell in ROUTED[family].items()
        }
        clocks = {
            net: Timing(float(found["achieved"]), float(found["constraint"]))
            for net, found in table["fmax"].items()
        }
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BoardError(f"{path}: not a nextpnr report ({error!r})") from error
    if not clocks:
        raise BoardError(f"{path}: nextpnr found no clock")
    return used, {"clk": next(iter(clocks.values()))} if len(clocks) == 1 else clocks


def check_fit(board: Board, model: str, used: dict[str, int]) -> None:
    """Raise `BoardError` with the numbers where a synthesised design exceeds the board's budget."""
    over = [
        f"{count} {name.upper()} of {getattr(board.budget, name)}"
        for name, count in used.items()
        if count > getattr(board.budget, name)
    ]
    if over:
        raise BoardError(
            f"{model} does not fit {board.name} ({board.part}): it needs {', '.join(over)}; "
            "take a sparser or smaller model, or a larger board"
        )


def check_timing(board: Board, model: str, seed: int, clocks: dict[str, Timing]) -> None:
    """Raise `BoardError` with the numbers where a clock is too slow."""
    for name, clock in clocks.items():
        if not clock.met:
            raise BoardError(
                f"{model} misses the timing of {board.name}: {name} reaches "
                f"{clock.achieved_mhz:.1f} MHz with seed {seed}, needs {clock.needed_mhz:.1f} MHz; "
                f"try another seed, or a levels_per_stage below {board.levels_per_stage}"
            )


def congestion(log: str) -> str | None:
    """Return why nextpnr's router2 will find no way, None while it may.

    Of a design that fits, ever fewer wires have two users, if at the end by ones. lut4k on an ECP5 has more
    after 12 rounds (5,897) than after 7 (5,771), and each takes longer than the one before.

    Args:
        log: nextpnr's log so far.
    """
    rounds = [int(found) for found in re.findall(r"iter=\d+ wires=\d+ overused=(\d+)", log)]
    if len(rounds) <= PATIENCE or rounds[-1] < max(MANY_WIRES, rounds[-1 - PATIENCE]):
        return None
    return (
        f"after {len(rounds)} rounds of routing {rounds[-1]:,} wires have more than one user, no fewer than "
        f"{PATIENCE} rounds before; so many connections between so few LUTs need another device or fewer ones"
    )


def shares(board: Board, used: dict[str, int]) -> dict[str, dict[str, float]]:
    """Return used, budget and percent of each kind of resource."""
    table = {}
    for name, count in used.items():
        budget = int(getattr(board.budget, name))
        percent = round(100 * count / budget, 1) if budget else 0.0
        table[name] = {"used": count, "budget": budget, "percent": percent}
    return table


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BoardError(f"{path}: not JSON ({error})") from error
