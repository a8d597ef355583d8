"""The main tables' figures: every model through the line, and a bitstream for every board.

Every row of results.json has a key of all it depends on (the Verilog of core and shell, the pins, the tools
and their commands), so that a second run measures only what changed.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sbnn.boards.backends.bitstream import REPORT
from sbnn.boards.backends.yosys import KITS, bitstream_key
from sbnn.boards.bench_kept import keep_row, measure_each, read_kept
from sbnn.boards.board import load_board
from sbnn.boards.build import SEED
from sbnn.hls.estimate import estimate_layers
from sbnn.hls.manifest import Manifest, load_manifest
from sbnn.hls.synth import FAMILIES, synthesis_key
from sbnn.hls.tools import ToolError
from sbnn.train.config import MODELS
from sbnn.train.files import digest

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
RESULTS = Path(__file__).resolve().parent / "results.json"
# In the README's order. bnn is the dense network of the same shape: its 167,000 ones are ten times what
# yosys's WebAssembly build and the ECP5-85F hold, so only its accuracy and its estimate are given.
MEASURED = ("sbnn95", "sbnn98", "sbnn95-dual", "lut4k", "tfc-sbnn95")
ESTIMATED = ("bnn",)
CONVOLUTIONAL = ("lenet-sbnn95", "lenet-lut4k", "fashion-sbnn95")
ROWS = (*MEASURED, *CONVOLUTIONAL, *ESTIMATED)
# nextpnr finds no way for lut4k on an ECP5: 12,270 connections between 5,564 LUT4 of its hidden layers, where
# those of sbnn95 have 15,436 between 16,224. Its LUTs are counted, its bitstream is not made.
UNROUTED = ("lut4k",)
BITSTREAM_BOARD = "ulx3s"
# For each board that needs nothing but pip the largest tracked model that fits; on the ulx3s, which has room
# for all of them, the one that the README is about.
BITSTREAMS = {
    "colorlight-i5": "sbnn98",
    "colorlight-i9": "sbnn95-dual",
    "icebreaker": "digits",
    "tang-nano-20k": "sbnn98",
    "ulx3s": "sbnn95",
}
SYNTHESIS_BOARDS = ("ulx3s", "pynq-z2")
# What of a row the key stands for; the rest is read from the sources at every run.
KEPT = ("synthesis", "bitstream")


def read_results() -> dict[str, Any]:
    """Return results.json: `models`, the main README's figures, and `boards`, the bitstreams made."""
    return {"models": {}, "boards": {}} | read_kept(RESULTS)


def metrics() -> dict[str, Any]:
    """Return {model: metrics.json} of the models of the main tables."""
    return {name: _read(MODELS / name / "metrics.json") for name in ROWS}


def measure_models(jobs: int) -> None:
    """Run the line for every model whose row's key has changed, to LUTs, clock and latency.

    Args:
        jobs: models at once.

    Raises:
        ToolError: a make target failed.
    """
    _measure_rows("models", ROWS, _measure_model, jobs)


def measure_bitstreams(jobs: int) -> None:
    """Make the bitstream of every board whose row's key has changed; arguments as `measure_models`."""
    _measure_rows("boards", tuple(BITSTREAMS), _measure_bitstream, jobs)


def model_key(build: Path, model: str) -> str:
    """Return what a model's row depends on, as 16 hexadecimal digits.

    Args:
        build: the folder of build/<model>/<board>, with the cores of `SYNTHESIS_BOARDS`.
        model: its name.
    """
    keys = [bitstream_key(load_board(BITSTREAM_BOARD), build / model / BITSTREAM_BOARD, SEED)]
    for board in SYNTHESIS_BOARDS:
        manifest = load_manifest(build / model / board / "manifest.json")
        keys.append(synthesis_key(manifest, [FAMILIES[load_board(board).family].command]))
    return digest(" ".join(keys).encode())[:16]


def board_key(build: Path, board: str) -> str:
    """Return what a board's row depends on; arguments as `model_key`."""
    return bitstream_key(load_board(board), build / BITSTREAMS[board] / board, SEED)[:16]


def make_target(target: str, model: str, board: str) -> None:
    """Run a make target with this Python's environment.

    Raises:
        ToolError: it failed; quotes its last line.
    """
    command = ["make", target, f"MODEL={model}", f"BOARD={board}", f"VENV={sys.prefix}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ToolError(f"{' '.join(command[:4])} failed: {reason}")


def _measure_rows(
    part: str,
    names: Sequence[str],
    measure: Callable[[str, Mapping[str, Any]], dict[str, Any]],
    jobs: int,
) -> None:
    """Measure the rows of a part of results.json."""
    known = read_results()[part]

    def keep(name: str, found: dict[str, Any]) -> None:
        keep_row(RESULTS, (part, name), found, names)

    # From the last: convolutions take longest, and none of them should be alone at the end.
    measure_each(names[::-1], lambda name: measure(name, known.get(name, {})), keep, jobs, part)


def _measure_model(model: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return one model's figures: of `known` what its key stands for, or from the reports of make targets."""
    cores = {}
    for board in SYNTHESIS_BOARDS:
        make_target("hls", model, board)
        cores[load_board(board).family] = load_manifest(BUILD / model / board / "manifest.json")
    first = next(iter(cores.values()))
    about = {
        "network_digest": first.network_digest,
        "ones": sum(layer.ones for layer in first.layers if not layer.pool),
        "estimate": {
            FAMILIES[family].unit: sum(
                estimate_layers(core, family, FAMILIES[family].unit).values()
            )
            for family, core in cores.items()
        },
    }
    if model in ESTIMATED:
        return {**about, "synthesis": {}}
    key = model_key(BUILD, model)
    same = known.get("key") == key
    row = {
        "key": key,
        **about,
        **({name: known[name] for name in KEPT if name in known} if same else _run_the_line(model)),
    }
    for family, report in row["synthesis"].items():
        _estimate_again(report, cores[family], family)
    return row


def _run_the_line(model: str) -> dict[str, Any]:
    """Return what takes minutes: counts by yosys for both families, and the bitstream where one is routed."""
    synthesis = {}
    for board in SYNTHESIS_BOARDS:
        make_target("synth", model, board)
        report = _read(BUILD / model / board / "report" / "synth.json")
        names = ("tool", "rtl_digest", "layers", "streams", "total")
        synthesis[report["family"]] = {name: report[name] for name in names}
    if model in UNROUTED:
        return {"synthesis": synthesis}
    make_target("bitstream", model, BITSTREAM_BOARD)
    folder = BUILD / model / BITSTREAM_BOARD
    manifest, route = load_manifest(folder / "manifest.json"), _read(folder / REPORT)
    made = {
        "board": BITSTREAM_BOARD,
        "latency_cycles": manifest.latency_cycles,
        "ii_cycles": manifest.ii_cycles,
        **{name: route[name] for name in ("routed", "clocks", "images_per_second", "seconds")},
    }
    return {"synthesis": synthesis, "bitstream": made}


def _estimate_again(report: dict[str, Any], manifest: Manifest, family: str) -> None:
    """Write today's estimates beside the counts of a synthesis: weights change without the Verilog."""
    estimates = estimate_layers(manifest, family)
    report["total"]["lut_estimate"] = sum(estimates.values())
    for name, counts in {**report["layers"], "streams": report["streams"]}.items():
        counts["lut_estimate"] = estimates[name]


def _measure_bitstream(board: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of one board's bitstream: `known` where its key is the same."""
    model = BITSTREAMS[board]
    make_target("hls", model, board)
    key = board_key(BUILD, board)
    if known.get("key") == key:
        return dict(known)
    make_target("bitstream", model, board)
    folder = BUILD / model / board
    report = _read(folder / REPORT)
    bitfile = folder / "bitfile" / f"{report['model']}{KITS[load_board(board).family].suffix}"
    names = ("tools", "seed", "synthesis", "routed", "clocks", "images_per_second", "seconds")
    return {
        "key": key,
        "model": model,
        **{name: report[name] for name in (*names, "rtl_digest")},
        "bitstream_bytes": bitfile.stat().st_size,
    }


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content
