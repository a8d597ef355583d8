"""Refuse a core that does not fit its board before hours of place and route, with the numbers."""

import json
from pathlib import Path

from sbnn.boards.board import Board, BoardError
from sbnn.boards.reports import check_fit
from sbnn.hls.estimate import estimate_layers
from sbnn.hls.manifest import Manifest
from sbnn.hls.synth import FAMILIES, synthesise

# The estimates are within this of yosys' counts; what is over by more needs no synthesis to be refused.
ESTIMATE_ERROR = 0.1
# Layers that a refusal names.
LARGEST = 3


def estimate_parts(board: Board, manifest: Manifest) -> dict[str, int]:
    """Return {layer or "streams": LUTs of the budget}: sites where two LUTs share one."""
    return estimate_layers(manifest, board.family, FAMILIES[board.family].unit)


def check_estimate(board: Board, manifest: Manifest) -> None:
    """Raise `BoardError` and name the largest layers where the estimate makes synthesis vain."""
    parts = estimate_parts(board, manifest)
    estimate = sum(parts.values())
    if estimate > (1 + ESTIMATE_ERROR) * board.budget.lut:
        largest = sorted(parts, key=lambda name: -parts[name])[:LARGEST]
        named = ", ".join(f"{name} {parts[name]}" for name in largest)
        raise BoardError(
            f"{manifest.model} does not fit {board.name} ({board.part}): it needs about {estimate} "
            f"LUT of {board.budget.lut} (estimate: {named}{', ...' if len(parts) > LARGEST else ''}); "
            "take a sparser or smaller model, or a larger board"
        )


def budget_table(board: Board, manifest: Manifest) -> str:
    """Return which layer takes how much of a board's LUTs, by the estimate, as text."""
    parts = estimate_parts(board, manifest)
    rows = [*parts.items(), ("total", sum(parts.values()))]
    lines = [f"{manifest.model} on {board.name}, which has {board.budget.lut:,} LUTs; estimated:"]
    for name, count in rows:
        share = 100 * count / board.budget.lut
        over = "  exceeds the board" if count > board.budget.lut else ""
        lines.append(f"{name:<12} {count:>9,} {share:>7.1f} %{over}")
    return "\n".join(lines) + "\n"


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
    total = report["total"]
    counts = {name: int(total[name]) for name in ("lut", "ff", "bram")}
    counts["lut"] = int(total.get("sites", total["lut"]))
    check_fit(board, manifest.model, counts)
    return counts
