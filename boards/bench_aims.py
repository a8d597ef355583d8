"""The aims that the benchmark decides, each with what was measured."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sbnn.boards.bench_models import CONVOLUTIONAL
from sbnn.boards.bench_tables import DASH, layer_sizes, models_of, sum_of
from sbnn.boards.table import markdown
from sbnn.hls.fit import largest_errors
from sbnn.hls.measure import read_rows

# (aim, what was measured, whether that meets it; None: not measured)
Aim = tuple[str, str, bool | None]

MOST_SITES_PER_ONE = 0.85
LEAST_BELOW_DENSE = {"unshared": 10, "shared": 7}
BASELINES = {"plus": "`+` trees", "da4ml": "da4ml"}
LEAST_MHZ = {"xc7": (250, "7-series -1 by the delay model"), "ecp5": (150, "ECP5 by nextpnr")}
ACCURACY = {4_000: 98.0, 9_000: 98.4}  # {LUT6: percent}
LARGEST_ERROR = 0.1
# Seconds and MB at 17,000 ones; from 100,000 ones to a million time may grow so much more than ones.
MOST_SECONDS, MOST_MB, MOST_GROWTH = 10, 1024, 1.2


def aims_table(
    results: Mapping[str, Any],
    layers: Mapping[str, Any],
    scale: Mapping[str, Any],
    clocks: Mapping[str, Any],
    ours: Sequence[tuple[str, int, float]],
) -> str:
    """Return every aim, what was measured, and whether it is met.

    Args:
        results: results.json.
        layers: layer_results.json.
        scale: scale_results.json.
        clocks: clock_results.json.
        ours: (model, LUT6 sites, accuracy in %) of the synthesised models and variants.
    """
    aims = [
        _sites_per_one(results["models"]),
        *_against_others(layers),
        *_clocks(clocks),
        *_accuracy(ours),
        _estimate(),
        *_tool_time(scale),
    ]
    said = {None: DASH, True: "yes", False: "no"}
    rows = [(aim, measured, said[met]) for aim, measured, met in aims]
    return markdown([("aim", "measured", "met"), *rows])


def _sites_per_one(models: Mapping[str, Any]) -> Aim:
    aim = f"sbnn95, whole core: at most {MOST_SITES_PER_ONE} LUT6 sites per one"
    synthesis = models.get("sbnn95", {}).get("synthesis")
    if not synthesis:
        return aim, DASH, None
    value = synthesis["xc7"]["total"]["sites"] / models["sbnn95"]["ones"]
    return aim, f"{value:.2f}", value <= MOST_SITES_PER_ONE


def _against_others(results: Mapping[str, Any]) -> Iterator[Aim]:
    for model, layers in models_of(results).items():
        found = [layer_sizes(results, f"{model}/{name}", "xc7") for name in layers]
        mine = sum_of([sizes["ours"] for sizes in found])
        for kind, least in LEAST_BELOW_DENSE.items():
            aim = f"{model}: at least {least}x below dense, {kind}"
            dense = sum_of([sizes[kind] for sizes in found])
            if mine and dense:
                yield aim, f"{dense / mine:.1f}x", dense / mine >= least
            else:
                yield aim, DASH, None
        for kind, name in BASELINES.items():
            pairs = [(sizes["ours"], sizes[kind]) for sizes in found]
            known = [(a, b) for a, b in pairs if a is not None and b is not None]
            below = sum(a < b for a, b in known)
            met = below == len(pairs) if len(known) == len(pairs) else None
            text = f"{below} of {len(known)} measured layers"
            yield f"{model}: below {name} on every layer", text, met


def _clocks(clocks: Mapping[str, Any]) -> Iterator[Aim]:
    for family, (least, how) in LEAST_MHZ.items():
        reached = {model: found["mhz"] for model, found in clocks[family].items()}
        text = ", ".join(f"{model} {mhz:.0f}" for model, mhz in reached.items()) or DASH
        met = min(reached.values()) >= least if reached else None
        yield f"{least} MHz on {how}", text, met


def _accuracy(ours: Sequence[tuple[str, int, float]]) -> Iterator[Aim]:
    for most, wanted in ACCURACY.items():
        fit = [(accuracy, name, lut) for name, lut, accuracy in ours if lut <= most]
        fast = [found for found in fit if found[1] not in CONVOLUTIONAL]
        for kind, found in (("", fit), (", an image a cycle", fast)):
            aim = f"{wanted:g} % on MNIST in {most:,} LUT6{kind}"
            if not found:
                yield aim, DASH, None
                continue
            accuracy, name, lut = max(found)
            yield aim, f"{accuracy:.2f} % ({name}, {lut:,})", accuracy >= wanted


def _estimate() -> Aim:
    errors = largest_errors(read_rows())
    text = ", ".join(f"{family} {100 * error:.1f} %" for family, error in errors.items())
    aim = f"estimated LUTs within {100 * LARGEST_ERROR:.0f} % on every measured layer"
    return aim, text, max(errors.values()) <= LARGEST_ERROR


def _tool_time(scale: Mapping[str, Any]) -> Iterator[Aim]:
    points, steps = scale["points"], ("lower", "generate")

    def seconds(ones: str) -> float:
        """Return what a network takes without the loading of packages."""
        point, loading = points[ones], scale["loading"]
        return float(sum(point[step]["seconds"] - loading[step]["seconds"] for step in steps))

    if "17000" in points:
        loading = sum(scale["loading"][step]["seconds"] for step in steps)
        own, peak = seconds("17000"), max(points["17000"][step]["peak_mb"] for step in steps)
        text = f"{own:.1f} s and {loading:.1f} s of loading packages, {peak:,} MB"
        met = own < MOST_SECONDS and peak < MOST_MB
        yield f"QONNX to RTL, 17,000 ones: under {MOST_SECONDS} s, 1 GB", text, met
    if {"100000", "1000000"} <= points.keys():
        few, many = seconds("100000"), seconds("1000000")
        more = points["1000000"]["ones"] / points["100000"]["ones"]
        text = f"{few:.0f} and {many:.0f} s, {many / few:.1f}x for {more:.1f}x the ones"
        met = many / few <= MOST_GROWTH * more
        yield "QONNX to RTL, linear from 100,000 ones to a million", text, met
