"""What every backend hands back: the bitstream's file and the report that says what it takes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbnn.boards.board import Board
from sbnn.boards.protocol import images_per_second
from sbnn.boards.reports import Timing, shares
from sbnn.hls.manifest import Manifest
from sbnn.train.files import write_atomic

REPORT = "report/route.json"


@dataclass(frozen=True)
class Bitstream:
    """A finished bitstream and its report.

    Attributes:
        path: the bitstream's file.
        report: content of report/route.json.
    """

    path: Path
    report: dict[str, Any]

    def summary(self) -> str:
        """Return size, clock and rate in one line."""
        lut, ff, bram = (self.report["routed"][name] for name in ("lut", "ff", "bram"))
        clocks = ", ".join(
            f"{name} {clock['achieved_mhz']} MHz (needs {clock['needed_mhz']})"
            for name, clock in self.report["clocks"].items()
        )
        rates = self.report["images_per_second"]
        rate = (
            f"at most {rates['line']} images/s over the serial line"
            if "line" in rates
            else f"the core takes {rates['core']} images/s"
        )
        return (
            f"{lut['used']} LUT ({lut['percent']} %), {ff['used']} FF ({ff['percent']} %), "
            f"{bram['used']} block RAM; {clocks}; {rate}"
        )


def write_report(
    folder: Path,
    board: Board,
    manifest: Manifest,
    *,
    backend: str,
    tools: Mapping[str, str],
    seed: int,
    synthesis: Mapping[str, int],
    routed: dict[str, int],
    clocks: Mapping[str, Timing],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Write and return report/route.json, with the same keys for every backend.

    Args:
        folder: the build folder.
        board: the board.
        manifest: the core.
        backend: name of the backend.
        tools: {tool: version}.
        seed: of the placer.
        synthesis: {lut, ff, bram} after synthesis.
        routed: {lut, ff, bram, dsp} after routing.
        clocks: {name: what it reached}.
        seconds: {stage: duration of its last run}.
    """
    slowest = min(clock.achieved_mhz for clock in clocks.values())
    rates = {
        "core": int(board.clock.mhz * 1e6 / manifest.ii_cycles),
        "core_at_fmax": int(slowest * 1e6 / manifest.ii_cycles),
    }
    if board.uart is not None:
        rates = {"line": int(images_per_second(board.uart.baud, manifest))} | rates
    report: dict[str, Any] = {
        "model": manifest.model,
        "board": board.name,
        "build_id": manifest.build_id,
        "backend": backend,
        "tools": dict(tools),
        "seed": seed,
        "synthesis": dict(synthesis),
        "routed": shares(board, routed),
        "clocks": {
            name: {
                "achieved_mhz": round(clock.achieved_mhz, 2),
                "needed_mhz": round(clock.needed_mhz, 2),
                "met": clock.met,
            }
            for name, clock in clocks.items()
        },
        "images_per_second": rates,
        "seconds": dict(seconds),
        "network_digest": manifest.network_digest,
        "rtl_digest": manifest.rtl_digest,
    }
    write_atomic(folder / REPORT, json.dumps(report, indent=2) + "\n")
    return report
