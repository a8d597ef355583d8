"""Make a bitstream of a generated core: check the folder, choose the backend, run it."""

import json
from pathlib import Path
from typing import NoReturn

from sbnn.boards.backends import yosys
from sbnn.boards.backends.bitstream import Bitstream
from sbnn.boards.board import Board, BoardError
from sbnn.boards.reports import check_fit
from sbnn.hls.manifest import Manifest, load_manifest
from sbnn.hls.synth import synthesise

SEED = 1


def make_bitstream(board: Board, folder: Path, seed: int = SEED) -> Bitstream:
    """Make bitfile/<model>.bit in a build folder that holds a generated core.

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
    if yosys.NAME not in board.flows:
        _stop_after_synthesis(board, manifest, folder)
    return yosys.build(board, folder, seed)


def _stop_after_synthesis(board: Board, manifest: Manifest, folder: Path) -> NoReturn:
    """Synthesise the core of a board that has no flow here yet, and say what is missing."""
    path = folder / "report" / "synth.json"
    report = json.loads(path.read_text()) if path.is_file() else {}
    if (report.get("rtl_digest"), report.get("family")) != (manifest.rtl_digest, board.family):
        report = synthesise(folder, manifest, board.family)
    counts = {name: int(report["total"][name]) for name in ("lut", "ff", "bram")}
    check_fit(board, manifest.model, counts)
    raise BoardError(
        f"{board.name}: {folder} has the Verilog and its {board.family} synthesis report "
        f"({counts['lut']} LUT, {counts['ff']} FF), but a bitstream needs Vivado or openXC7, and "
        "their flows come with the next release"
    )
