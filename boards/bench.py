"""Measure the READMEs' figures again with the project's own commands, and write their tables.

In parts, each by itself or all: `python -m sbnn.boards bench --help`.
"""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from sbnn.boards import bench_clock, bench_layers
from sbnn.boards.backends.bitstream import REPORT
from sbnn.boards.backends.yosys import KITS
from sbnn.boards.bench_clock import clock_table, measure_clocks, read_clock_results
from sbnn.boards.bench_figure import FIGURE, draw, our_points, read_published
from sbnn.boards.bench_kept import read_kept
from sbnn.boards.bench_scale import measure_scale, read_scale_results
from sbnn.boards.bench_tables import aims_table, folded_table, layer_table, scale_table, speed_table
from sbnn.boards.bench_variants import (
    measure_variants,
    read_variant_results,
    variant_points,
    variant_table,
)
from sbnn.boards.board import load_board
from sbnn.boards.table import bitstream_table
from sbnn.hls import reference
from sbnn.hls.estimate import estimate_layers
from sbnn.hls.manifest import load_manifest
from sbnn.hls.network import Network, load
from sbnn.hls.synth import FAMILIES
from sbnn.hls.tools import ToolError
from sbnn.train.config import MODELS
from sbnn.train.files import write_atomic

ROOT = Path(__file__).resolve().parent.parent
BOARDS = Path(__file__).resolve().parent
RESULTS = BOARDS / "results.json"
# In the README's order. bnn is the dense network of the same shape: its 167,000 ones are ten times what
# yosys's WebAssembly build and the ECP5-85F hold, so only its accuracy and its estimate are given.
MEASURED = ("sbnn95", "sbnn98", "sbnn95-dual", "tfc-sbnn95")
ESTIMATED = ("bnn",)
CONVOLUTIONAL = ("lenet-sbnn95", "lenet-lut4k", "fashion-sbnn95")
ROWS = (*MEASURED, *CONVOLUTIONAL, *ESTIMATED)
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


def bench(parts: Sequence[str] = ()) -> None:
    """Run parts of the benchmark, all of them by default; results are kept one by one.

    Args:
        parts: names in `PARTS`.

    Raises:
        ToolError: a part is not known, or one of its commands failed.
    """
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise ToolError(f"bench {unknown[0]}: not known; there are: {', '.join(PARTS)}")
    for part in parts or PARTS:
        PARTS[part]()


def bench_models() -> None:
    """Run the line for every model of the main table, to LUTs, clock and latency."""
    results = read_results()
    for model in tqdm(ROWS, desc="models", unit="model"):
        results["models"][model] = _measure(model)
        _write_results(results)


def bench_boards() -> None:
    """Make a bitstream for every board that needs nothing but pip; where nothing changed it takes seconds."""
    results = read_results()
    for board, model in tqdm(BITSTREAMS.items(), desc="boards", unit="board"):
        results["boards"][board] = _measure_bitstream(model, board)
        _write_results(results)


def bench_baselines() -> None:
    """Synthesise what a user would otherwise pick, layer by layer; needs the models' networks only."""
    networks = _networks(bench_layers.MODELS)
    jobs = (*bench_layers.dense_jobs(networks), *bench_layers.sparse_jobs(networks))
    bench_layers.measure(jobs, ROOT / "build")


def bench_clocks() -> None:
    """Generate cores for a target clock, and time them."""
    measure_clocks(_networks(bench_clock.MODELS), ROOT / "build")


def _networks(models: Sequence[str]) -> dict[str, Network]:
    """Return the integer networks of tracked models, made where they are not there."""
    networks = {}
    for model in models:
        path = ROOT / "build" / model / "network.npz"
        _make(str(path.relative_to(ROOT)), model, BITSTREAM_BOARD)
        networks[model] = load(path)
    return networks


def bench_our_layers() -> None:
    """Synthesise our own layers the same way."""
    for model in bench_layers.MODELS:
        for board in SYNTHESIS_BOARDS:
            _make("hls", model, board)
    bench_layers.measure(bench_layers.our_jobs(ROOT / "build", bench_layers.MODELS), ROOT / "build")


def bench_scale() -> None:
    """Measure tool time and memory, from a thousand ones to a million."""
    (ROOT / "build").mkdir(exist_ok=True)
    measure_scale(ROOT / "build")


def bench_variants() -> None:
    """Turn the networks of `python -m sbnn.train bench` into cores and count them."""
    measure_variants(ROOT)


def write_tables() -> None:
    """Write the tables of both READMEs and the figure from what has been measured; measures nothing."""
    for readme, named in tables().items():
        text = readme.read_text()
        for name, table in named.items():
            text = with_table(text, table, name)
        write_atomic(readme, text)
    draw_accuracy(FIGURE)


def draw_accuracy(path: Path) -> None:
    """Draw the figure of accuracy against LUTs from what has been measured."""
    ours = our_points(read_results()["models"], metrics())
    draw(ours, variant_points(read_variant_results()), read_published(), path)


def tables() -> dict[Path, dict[str, str]]:
    """Return {README: {name of its marks: table}} from the results as they are."""
    results, layers, scale = read_results(), bench_layers.read_layer_results(), read_scale_results()
    clocks = read_clock_results()
    ours = our_points(results["models"], metrics())
    return {
        ROOT / "README.md": {
            "results": results_table(results["models"], metrics(), (*MEASURED, *ESTIMATED)),
            "convolutions": results_table(results["models"], metrics(), CONVOLUTIONAL),
        },
        BOARDS / "BENCHMARKS.md": {
            "results": bitstream_table(results["boards"]),
            "layers, LUT6": layer_table(layers, "xc7"),
            "layers, LUT4": layer_table(layers, "ecp5"),
            "speed": speed_table(layers, "xc7"),
            "folded": folded_table(layers, read_published()),
            "scale": scale_table(scale, results["boards"]),
            "clocks": clock_table(clocks),
            "variants": variant_table(read_variant_results()),
            "aims": aims_table(layers, scale, clocks, ours),
        },
    }


PARTS = {
    "models": bench_models,
    "bitstreams": bench_boards,
    "baselines": bench_baselines,
    "layers": bench_our_layers,
    "clocks": bench_clocks,
    "scale": bench_scale,
    "variants": bench_variants,
    "tables": write_tables,
}


def read_results() -> dict[str, Any]:
    """Return results.json: `models`, the main README's figures, and `boards`, the bitstreams made."""
    return {"models": {}, "boards": {}} | read_kept(RESULTS)


def _write_results(results: Mapping[str, Any]) -> None:
    order = {"models": ROWS, "boards": tuple(BITSTREAMS)}
    table = {
        part: {name: results[part][name] for name in names if name in results[part]}
        for part, names in order.items()
    }
    write_atomic(RESULTS, json.dumps(table, indent=2) + "\n")


def _measure_bitstream(model: str, board: str) -> dict[str, Any]:
    """Return the figures of one bitstream from the report of the run that made it."""
    _make("bitstream", model, board)
    folder = ROOT / "build" / model / board
    report = _read(folder / REPORT)
    bitfile = folder / "bitfile" / f"{report['model']}{KITS[load_board(board).family].suffix}"
    keys = ("tools", "seed", "synthesis", "routed", "clocks", "images_per_second", "seconds")
    return {
        "model": model,
        **{key: report[key] for key in (*keys, "rtl_digest")},
        "bitstream_bytes": bitfile.stat().st_size,
    }


def _measure(model: str) -> dict[str, Any]:
    """Return one model's figures from the reports that its make targets write."""
    measured = model not in ESTIMATED
    figures: dict[str, Any] = {"synthesis": {}, "estimate": {}}
    for board in SYNTHESIS_BOARDS:
        _make("synth" if measured else "hls", model, board)
        folder = ROOT / "build" / model / board
        manifest = load_manifest(folder / "manifest.json")
        family = load_board(board).family
        unit = FAMILIES[family].unit
        figures["estimate"][unit] = sum(estimate_layers(manifest, family, unit).values())
        figures |= {
            "network_digest": manifest.network_digest,
            "ones": sum(layer.ones for layer in manifest.layers if not layer.pool),
        }
        if measured:
            report = _read(folder / "report" / "synth.json")
            figures["synthesis"][family] = {
                key: report[key] for key in ("tool", "rtl_digest", "layers", "streams", "total")
            }
    if measured:
        _make("bitstream", model, BITSTREAM_BOARD)
        folder = ROOT / "build" / model / BITSTREAM_BOARD
        manifest = load_manifest(folder / "manifest.json")
        route = _read(folder / "report" / "route.json")
        figures["bitstream"] = {
            "board": BITSTREAM_BOARD,
            "latency_cycles": manifest.latency_cycles,
            "ii_cycles": manifest.ii_cycles,
            **{key: route[key] for key in ("routed", "clocks", "images_per_second", "seconds")},
        }
    figures["reference_seconds_per_10000_images"] = _time_reference(model)
    return figures


def _make(target: str, model: str, board: str) -> None:
    """Run a make target with this Python's environment."""
    command = ["make", target, f"MODEL={model}", f"BOARD={board}", f"VENV={sys.prefix}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ToolError(f"{' '.join(command[:4])} failed: {reason}")


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _time_reference(model: str) -> float:
    """Return the seconds that the reference takes for 10,000 images."""
    network = load(ROOT / "build" / model / "network.npz")
    images = np.random.default_rng(0).integers(0, 256, (10000, *network.encoding.shape), np.uint8)
    start = time.perf_counter()
    reference.run(network, images)
    return round(time.perf_counter() - start, 2)


def metrics() -> dict[str, Any]:
    """Return {model: metrics.json} of the models in the table."""
    return {name: _read(MODELS / name / "metrics.json") for name in ROWS}


def results_table(
    results: Mapping[str, Any], trained: Mapping[str, Any], names: Sequence[str]
) -> str:
    """Return one of the README's tables of results.

    Args:
        results: {model: figures}, of results.json.
        trained: {model: metrics.json}.
        names: the models of the table.
    """
    rows = [
        (
            "| model | test accuracy | zeros | ones | LUT4 (ECP5) | LUT6 sites (7-series) | sites/one "
            "| Fmax on ULX3S | latency | images/s, core at Fmax |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in names:
        if name not in results:
            continue
        figures, sparsity = results[name], trained[name]["sparsity"]
        synthesis = figures["synthesis"]
        lut4, sites = (f"{figures['estimate'][unit]:,} (estimate)" for unit in ("lut", "sites"))
        per_one = "-"
        if synthesis:
            lut4 = f"{synthesis['ecp5']['total']['lut']:,}"
            count = synthesis["xc7"]["total"]["sites"]
            sites, per_one = f"{count:,}", f"{count / sparsity['ones']:.2f}"
        fmax = latency = rate = "-"
        if "bitstream" in figures:
            made = figures["bitstream"]
            mhz = min(clock["achieved_mhz"] for clock in made["clocks"].values())
            fmax, latency = f"{mhz:.0f} MHz", f"{made['latency_cycles']} cycles"
            rate = f"{made['images_per_second']['core_at_fmax']:,}"
        dense = sparsity["method"] == "none"
        zeros = "dense -1/+1" if dense else f"{100 * sparsity['zeros_share']:.1f} %"
        rows.append(
            f"| {name} | {accuracy_text(trained[name])} | {zeros} "
            f"| {sparsity['ones']:,} | {lut4} | {sites} | {per_one} | {fmax} | {latency} | {rate} |"
        )
    return "\n".join(rows)


def accuracy_text(trained: Mapping[str, Any]) -> str:
    """Return a model's test accuracy, with the mean and spread of its seeds where there are several."""
    text = f"{100 * trained['accuracy']['test']:.2f} %"
    if len(trained["runs"]) > 1:
        test = trained["over_seeds"]["test"]
        text += (
            f" ({len(trained['runs'])} seeds: {100 * test['mean']:.2f} ± {100 * test['std']:.2f})"
        )
    return text


def with_table(readme: str, table: str, name: str) -> str:
    """Return a README's text with one of its tables replaced.

    Args:
        readme: the text.
        table: the new table.
        name: what the marks around it call it.

    Raises:
        ToolError: the marks are missing.
    """
    begin, end = marks(name)
    if begin not in readme or end not in readme:
        raise ToolError(f"table {name}: the lines {begin} and {end} are missing")
    head, rest = readme.split(begin, 1)
    return f"{head}{begin}\n{table}\n{end}{rest.split(end, 1)[1]}"


def marks(name: str) -> tuple[str, str]:
    """Return the lines before and after a table."""
    return f"<!-- {name}: made by `make bench` -->", f"<!-- end of {name} -->"
