"""AMD's way to a bitstream: Vivado in batch mode on the folder that `make vivado-project` writes."""

import json
import math
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sbnn.boards.backends.bitstream import REPORT, Bitstream, write_report
from sbnn.boards.backends.fit import core_counts
from sbnn.boards.board import Board, BoardError
from sbnn.boards.reports import Timing
from sbnn.boards.vivado_project import remove_products, write_project
from sbnn.hls.manifest import Manifest, load_manifest
from sbnn.train.files import digest, write_atomic

NAME = "vivado"
LOG = "report/vivado.log"
NOTE = "stages/vivado.json"
REPORTS = ("utilization.rpt", "utilization_hierarchical.rpt", "timing.rpt", "power.rpt")
ARGUMENTS = ("-mode", "batch", "-nojournal", "-nolog", "-notrace", "-source", "build.tcl")
# Rows of report_utilization on 7-series and on UltraScale+.
ROWS = {
    "lut": ("Slice LUTs", "CLB LUTs"),
    "ff": ("Slice Registers", "CLB Registers"),
    "bram": ("Block RAM Tile",),
    "dsp": ("DSPs",),
}
_STEP = re.compile(r"SBNN step (\d+)/(\d+): (.*)")


def missing(board: Board) -> str | None:
    """Return None where Vivado is on PATH, else what was not found and its cure."""
    if shutil.which("vivado") is not None:
        return None
    return (
        "vivado is not on PATH; install AMD's Vivado 2019.1 or newer with the device family of "
        f"{board.part} and source its settings64.sh"
    )


def build(board: Board, folder: Path, seed: int) -> Bitstream:
    """Make bitfile/<model>.bit, on Zynq with its .hwh, in a build folder that holds a generated core.

    Vivado is not run again for a project folder whose every byte it has built already.

    Args:
        board: the board.
        folder: build/<model>/<board>, with manifest.json and the core's Verilog.
        seed: goes into the report only; Vivado has none.

    Raises:
        BoardError: the design does not fit, or Vivado failed; Vivado's errors stand in it whole.
    """
    manifest = load_manifest(folder / "manifest.json")
    project = write_project(board, manifest, folder)
    core_counts(board, manifest, folder)
    key = _key(project)
    seconds = _remembered(folder, key)
    if seconds is None:
        for name in (
            NOTE,
            REPORT,
            *(f"bitfile/{manifest.model}.{kind}" for kind in ("bit", "hwh")),
        ):
            (folder / name).unlink(missing_ok=True)
        remove_products(project)
        began = time.monotonic()
        try:
            _run(board, project, folder / LOG)
        except BoardError:
            _try_report(board, manifest, folder, seed)
            raise
        seconds = {"vivado": round(time.monotonic() - began, 1)}
    made = collect(board, manifest, folder, seed, seconds)
    note = {"key": key, "seconds": seconds, "outputs": _outputs(project)}
    write_atomic(folder / NOTE, json.dumps(note, indent=2) + "\n")
    return made


def collect(
    board: Board, manifest: Manifest, folder: Path, seed: int, seconds: Mapping[str, float]
) -> Bitstream:
    """Take bitstream, handoff and reports out of vivado/out, wherever Vivado has run.

    Raises:
        BoardError: a product is missing, or is of another build.
    """
    out = folder / "vivado" / "out"
    report = _report(board, manifest, folder, seed, seconds)
    kinds = ("bit", "hwh") if board.shell == "zynq" else ("bit",)
    for kind in kinds:
        if not (out / f"{manifest.model}.{kind}").is_file():
            raise BoardError(f"{out}: no {manifest.model}.{kind}; Vivado has not finished there")
    for kind in kinds:
        name = f"{manifest.model}.{kind}"
        write_atomic(folder / "bitfile" / name, (out / name).read_bytes())
    for name in REPORTS:
        if (out / name).is_file():
            write_atomic(folder / "report" / f"vivado_{name}", (out / name).read_bytes())
    return Bitstream(folder / "bitfile" / f"{manifest.model}.bit", report)


def read_utilization(path: Path) -> dict[str, int]:
    """Return {lut, ff, bram, dsp} from Vivado's report_utilization.

    Half a block RAM counts as a whole one.

    Raises:
        BoardError: not such a report.
    """
    if not path.is_file():
        raise BoardError(f"{path}: no such report")
    rows: dict[str, int] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) > 1 and re.fullmatch(r"\d+(\.\d+)?", cells[1]):
            rows.setdefault(cells[0].rstrip("*"), math.ceil(float(cells[1])))
    found = {}
    for name, titles in ROWS.items():
        used = [rows[title] for title in titles if title in rows]
        if not used:
            raise BoardError(f"{path}: not a report_utilization, {titles[0]} is missing")
        found[name] = used[0]
    return found


def read_result(path: Path) -> dict[str, str]:
    """Return the names and values of out/result.txt.

    Raises:
        BoardError: no such file, or an entry is missing.
    """
    if not path.is_file():
        raise BoardError(f"{path}: no such file; Vivado has not finished there")
    table = dict(line.split(" ", 1) for line in path.read_text().splitlines() if " " in line)
    needed = ("build_id", "part", "vivado", "clock_mhz", "setup_slack_ns", "hold_slack_ns")
    for name in needed:
        if name not in table:
            raise BoardError(f"{path}: {name} is missing")
    return table


def _report(
    board: Board, manifest: Manifest, folder: Path, seed: int, seconds: Mapping[str, float]
) -> dict[str, Any]:
    """Write and return report/route.json from vivado/out."""
    out = folder / "vivado" / "out"
    result = read_result(out / "result.txt")
    for name, needed in (("build_id", manifest.build_id), ("part", board.part)):
        if result[name] != needed:
            raise BoardError(f"{out}/result.txt: {name} is {result[name]}, needs {needed}")
    try:
        period = 1000 / float(result["clock_mhz"])
        achieved = 1000 / (period - float(result["setup_slack_ns"]))
    except (ValueError, ZeroDivisionError) as error:
        raise BoardError(f"{out}/result.txt: not Vivado's result ({error})") from error
    return write_report(
        folder,
        board,
        manifest,
        backend=NAME,
        tools={"vivado": result["vivado"]},
        seed=seed,
        synthesis=core_counts(board, manifest, folder),
        routed=read_utilization(out / "utilization.rpt"),
        clocks={"clk": Timing(achieved, board.clock.mhz)},
        seconds=seconds,
    )


def _try_report(board: Board, manifest: Manifest, folder: Path, seed: int) -> None:
    """Leave the figures of a run that was refused for its timing; others have none."""
    if (folder / "vivado" / "out" / "result.txt").is_file():
        _report(board, manifest, folder, seed, {})


def _run(board: Board, project: Path, log: Path) -> None:
    """Run Vivado with its steps and its latest line on display and its output in `log`."""
    command = [shutil.which("vivado") or "vivado", *ARGUMENTS]
    log.parent.mkdir(parents=True, exist_ok=True)
    errors: list[str] = []
    last = ""
    with (
        log.open("w", encoding="utf-8") as stream,
        tqdm(total=1, bar_format="vivado: {desc} [{n}/{total}, {elapsed}] {postfix}") as bar,
        subprocess.Popen(
            command,
            cwd=project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        try:
            for line in process.stdout or ():
                stream.write(line)
                stream.flush()
                text = line.strip()
                last = text or last
                if text.startswith(("ERROR:", "SBNN failed:")):
                    errors.append(text)
                _show(bar, text)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        whole = "\n".join(dict.fromkeys(errors)) or last or "no output"
        raise BoardError(
            f"vivado failed on {board.name} (exit status {process.returncode}); "
            f"its log is {log}; its errors:\n{whole}"
        )


def _show(bar: "tqdm[None]", text: str) -> None:
    """Move the bar at a step of build.tcl; show Vivado's latest line beside it on a terminal."""
    step = _STEP.fullmatch(text)
    if step is not None:
        number, total, title = step.groups()
        bar.total, bar.n = int(total), int(number) - 1
        bar.set_description_str(title)
    elif text.startswith("SBNN done:"):
        bar.n = bar.total
        bar.set_description_str("done")
    elif text and sys.stderr.isatty():
        bar.set_postfix_str(text[:60])


def _key(project: Path) -> str:
    """Return what a run depends on: every file of the project folder, and which Vivado."""
    names = sorted(
        path
        for path in project.rglob("*")
        if path.is_file() and path.relative_to(project).parts[0] not in ("out", "project", ".Xil")
    )
    inputs = {path.relative_to(project).as_posix(): digest(path.read_bytes()) for path in names}
    tool = str(Path(shutil.which("vivado") or "vivado").resolve())
    return digest(json.dumps([tool, *ARGUMENTS, inputs], sort_keys=True).encode())


def _outputs(project: Path) -> dict[str, str]:
    out = sorted((project / "out").glob("*"))
    return {path.name: digest(path.read_bytes()) for path in out if path.is_file()}


def _remembered(folder: Path, key: str) -> dict[str, float] | None:
    """Return the seconds of the last run where it need not be repeated."""
    try:
        note = json.loads((folder / NOTE).read_text())
        same = note["key"] == key and note["outputs"] == _outputs(folder / "vivado")
        return (
            {str(name): float(count) for name, count in note["seconds"].items()} if same else None
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
