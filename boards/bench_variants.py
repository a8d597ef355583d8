"""Accuracy against LUTs of one shape: the networks of `python -m sbnn.train bench`, each through the line.

One recipe at several sparsities and widths, with and without a learned xi; whole cores for 7-series, streams
and argmax included. A core whose RTL has not changed is not synthesised again.
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sbnn.boards.bench_kept import keep_row, measure_each, read_kept
from sbnn.boards.board import load_board
from sbnn.boards.table import markdown
from sbnn.boards.trained import choices_of, network_of
from sbnn.hls.generate import generate
from sbnn.hls.network import Network
from sbnn.hls.synth import FAMILIES, synthesis_key, synthesise
from sbnn.hls.tools import ToolError
from sbnn.train.bench import read_bench, trained_file, variants

RESULTS = Path(__file__).resolve().parent / "variant_results.json"
BOARD = "pynq-z2"


def read_variant_results() -> dict[str, Any]:
    """Return variant_results.json: {label: counts of the whole core}."""
    return read_kept(RESULTS)


def measure_variants(scratch: Path, jobs: int = 1) -> None:
    """Measure every trained variant whose core is not the one in variant_results.json.

    Args:
        scratch: an existing folder for what the tools write.
        jobs: networks at once.

    Raises:
        ToolError: a trained file is missing, or yosys failed.
    """
    from sbnn.train.trained import read_trained  # Brevitas takes seconds to import

    sparse = {label: config for label, config in variants() if label != "dense"}
    known = read_variant_results()
    for path in map(trained_file, sparse):
        if not path.exists():
            raise ToolError(f"{path}: no such file; python -m sbnn.train bench writes it")
    # Not by the threads below: torch exports one network at a time, and two fail.
    networks = {
        label: network_of(read_trained(config, trained_file(label)), config)
        for label, config in tqdm(sparse.items(), desc="networks", leave=False)
    }

    def measure(label: str) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(dir=scratch) as folder:
            return _measure(networks[label], Path(folder), known.get(label, {}))

    def keep(label: str, found: dict[str, Any]) -> None:
        keep_row(RESULTS, (label,), found, list(sparse))

    measure_each(list(sparse), measure, keep, jobs, "variants")


def _measure(network: Network, folder: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of one network, `known` itself where its core is the same."""
    board = load_board(BOARD)
    manifest = generate(network, choices_of(board), BOARD, folder)
    key = synthesis_key(manifest, [FAMILIES[board.family].command])[:16]
    if known.get("key") == key:
        return dict(known)
    tqdm.write(f"{network.name}: {network.ones:,} ones", file=sys.stderr)
    total = synthesise(folder, manifest, board.family)["total"]
    return {
        "key": key,
        "ones": network.ones,
        **{name: total[name] for name in ("sites", "lut", "ff")},
        "latency_cycles": manifest.latency_cycles,
        "xi": [round(float(layer.xi_num[0]) / 2**layer.xi_frac, 4) for layer in network.layers],
    }


def variant_points(results: Mapping[str, Any]) -> list[tuple[str, int, float]]:
    """Return (label, LUT6 sites of the whole core, test accuracy in %) of each variant."""
    trained = read_bench()
    return [
        (label, found["sites"], 100 * trained[label]["test"]) for label, found in results.items()
    ]


def variant_table(results: Mapping[str, Any]) -> str:
    """Return one row per variant: what was trained, how well it does and what it takes."""
    trained = read_bench()
    head = ("network", "zeros", "xi of its layers", "held-out images", "test images")
    rows: list[tuple[str, ...]] = [(*head, "ones", "LUT6 sites", "per one", "FF", "latency")]
    for label, config in variants():
        if label not in results:
            continue
        found, point = results[label], trained[label]
        shape = "-".join(map(str, (784, *config.hidden, 10)))
        rows.append(
            (
                f"{label}: {shape}",
                f"{100 * point['zeros_share']:.1f} %",
                ", ".join(f"{xi:g}" for xi in found["xi"]) if any(found["xi"]) else "0",
                f"{100 * point['validation']:.2f} %",
                f"{100 * point['test']:.2f} %",
                f"{found['ones']:,}",
                f"{found['sites']:,}",
                f"{found['sites'] / found['ones']:.2f}",
                f"{found['ff']:,}",
                f"{found['latency_cycles']}",
            )
        )
    return markdown(rows)
