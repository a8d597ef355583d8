"""Measure the READMEs' figures again with the project's own commands, and write their tables.

In parts, each by itself or all: `python -m sbnn.boards bench --help`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from sbnn.boards import (
    bench_clock,
    bench_layers,
    bench_models,
    bench_scale,
    bench_variants,
)
from sbnn.boards.bench_aims import aims_table
from sbnn.boards.bench_figure import FIGURE, draw, our_points, read_published
from sbnn.boards.bench_kept import forget
from sbnn.boards.bench_models import (
    BITSTREAM_BOARD,
    BUILD,
    CONVOLUTIONAL,
    ESTIMATED,
    MEASURED,
    ROOT,
    SYNTHESIS_BOARDS,
    make_target,
    metrics,
    read_results,
)
from sbnn.boards.bench_tables import folded_table, layer_table, scale_table, speed_table
from sbnn.boards.sweep_figure import draw_studies
from sbnn.boards.table import bitstream_table
from sbnn.hls.network import Network, load
from sbnn.hls.tools import ToolError
from sbnn.train.files import write_atomic

BOARDS = Path(__file__).resolve().parent


def bench(parts: Sequence[str] = (), jobs: int = 1, again: bool = False) -> None:
    """Run parts of the benchmark, all of them by default; results are kept one by one.

    Args:
        parts: names, see `python -m sbnn.boards bench --help`.
        jobs: rows at once; tool times are measured one by one.
        again: measure also what has not changed.

    Raises:
        ToolError: a part is not known, or one of its commands failed.
    """
    known: dict[str, Callable[[], None]] = {
        "models": partial(bench_models.measure_models, jobs),
        "bitstreams": partial(bench_models.measure_bitstreams, jobs),
        "baselines": partial(bench_baselines, jobs),
        "layers": partial(bench_our_layers, jobs),
        "clocks": partial(bench_clocks, jobs),
        "scale": measure_tools,
        "variants": partial(measure_trained, jobs),
        "tables": write_tables,
    }
    unknown = [part for part in parts if part not in known]
    if unknown:
        raise ToolError(f"bench {unknown[0]}: not known; there are: {', '.join(known)}")
    chosen = [part for part in known if part in parts or not parts]
    if again:
        for path in {KEPT[part] for part in chosen if part in KEPT}:
            forget(path)
    for part in chosen:
        known[part]()


def bench_baselines(at_once: int = 1) -> None:
    """Synthesise what a user would otherwise pick, layer by layer; needs the models' networks only."""
    networks = _networks(bench_layers.MODELS)
    jobs = (*bench_layers.dense_jobs(networks), *bench_layers.sparse_jobs(networks))
    bench_layers.measure(jobs, _scratch(), at_once)


def bench_clocks(jobs: int = 1) -> None:
    """Generate cores for a target clock, and time them."""
    bench_clock.measure_clocks(_networks(bench_clock.MODELS), _scratch(), jobs)


def _scratch() -> Path:
    BUILD.mkdir(exist_ok=True)
    return BUILD


def _networks(models: Sequence[str]) -> dict[str, Network]:
    """Return the integer networks of tracked models, made where they are not there."""
    networks = {}
    for model in models:
        path = BUILD / model / "network.npz"
        make_target(str(path.relative_to(ROOT)), model, BITSTREAM_BOARD)
        networks[model] = load(path)
    return networks


def bench_our_layers(at_once: int = 1) -> None:
    """Synthesise our own layers the same way."""
    for model in bench_layers.MODELS:
        for board in SYNTHESIS_BOARDS:
            make_target("hls", model, board)
    ours = bench_layers.our_jobs(BUILD, bench_layers.MODELS)
    bench_layers.measure(ours, _scratch(), at_once)


def measure_tools() -> None:
    """Measure tool time and memory, from a thousand ones to a million."""
    bench_scale.measure_scale(_scratch())


def measure_trained(jobs: int = 1) -> None:
    """Turn the networks of `python -m sbnn.train bench` into cores and count them."""
    bench_variants.measure_variants(_scratch(), jobs)


def write_tables() -> None:
    """Write the tables of both READMEs and the figures from what has been measured; measures nothing."""
    for readme, named in tables().items():
        text = readme.read_text()
        for name, table in named.items():
            text = with_table(text, table, name)
        write_atomic(readme, text)
    draw_accuracy(FIGURE)
    draw_studies()


def draw_accuracy(path: Path) -> None:
    """Draw the figure of accuracy against LUTs from what has been measured."""
    ours = our_points(read_results()["models"], metrics())
    draw(
        ours,
        bench_variants.variant_points(bench_variants.read_variant_results()),
        read_published(),
        path,
    )


def tables() -> dict[Path, dict[str, str]]:
    """Return {README: {name of its marks: table}} from the results as they are."""
    results, layers = read_results(), bench_layers.read_layer_results()
    scale = bench_scale.read_scale_results()
    clocks = bench_clock.read_clock_results()
    variants = bench_variants.read_variant_results()
    ours = (
        *our_points(results["models"], metrics()),
        *bench_variants.variant_points(variants),
    )
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
            "clocks": bench_clock.clock_table(clocks),
            "variants": bench_variants.variant_table(variants),
            "aims": aims_table(results, layers, scale, clocks, ours),
        },
    }


# Where a part keeps what it measured.
KEPT = {
    "models": bench_models.RESULTS,
    "bitstreams": bench_models.RESULTS,
    "baselines": bench_layers.RESULTS,
    "layers": bench_layers.RESULTS,
    "clocks": bench_clock.RESULTS,
    "scale": bench_scale.RESULTS,
    "variants": bench_variants.RESULTS,
}


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
