"""Refuse a core that does not fit its board before hours of place and route, with the numbers."""

import json
from pathlib import Path

from sbnn.boards.board import Board, BoardError
from sbnn.boards.reports import check_fit
from sbnn.hls.estimate import estimate_layers
from sbnn.hls.manifest import Manifest
from sbnn.hls.synth import synthesise

# The estimates are within this of yosys' counts; what is over by more needs no synthesis to be refused.
ESTIMATE_ERROR = 0.1


def check_estimate(board: Board, manifest: Manifest) -> None:
    """Raise `BoardError` where the estimate says that synthesis would be in vain."""
    estimate = sum(estimate_layers(manifest, board.family).values())
    if estimate > (1 + ESTIMATE_ERROR) * board.budget.lut:
        raise BoardError(
            f"{manifest.model} does not fit {board.name} ({board.part}): it needs about {estimate} "
            f"LUT of {board.budget.lut} (estimate); take a sparser or smaller model, or a larger board"
        )


def core_counts(board: Board, manifest: Manifest, folder: Path) -> dict[str, int]:
    """Return {lut, ff, bram} of the core from report/synth.json, written now if it is not there.

    Raises:
        BoardError: the core alone exceeds the board's budget.
        ToolError: yosys is missing or failed.
    """
    path = folder / "report" / "synth.json"
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        known = (report["rtl_digest"], report["family"]) == (manifest.rtl_digest, board.family)
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        check_estimate(board, manifest)
        report = synthesise(folder, manifest, board.family)
    counts = {name: int(report["total"][name]) for name in ("lut", "ff", "bram")}
    check_fit(board, manifest.model, counts)
    return counts
