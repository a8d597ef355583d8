"""The figure of accuracy against LUTs: our models from results.json, others as their authors publish them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from sbnn.boards.bench_models import CONVOLUTIONAL
from sbnn.train.config import load_config
from sbnn.train.figure import STYLE, quieten, save, thousands

HERE = Path(__file__).resolve().parent
FIGURE = HERE / "accuracy_lut.svg"
PUBLISHED = HERE / "published_results.json"
OURS, THEIRS, OTHERS = "#0b6e99", "#b3541e", "#4d7c0f"
# Which way a label goes from its point: right, above-right, left, below-right, in points.
WAYS = (
    ((8, 0), "left", "center"),
    ((5, 6), "left", "bottom"),
    ((-8, 0), "right", "center"),
    ((5, -6), "left", "top"),
    ((-5, 6), "right", "bottom"),
    ((-5, -6), "right", "top"),
)


def read_published() -> list[dict[str, Any]]:
    """Return the published points: name, accuracy, lut, source, and bram where there is some."""
    found: list[dict[str, Any]] = json.loads(PUBLISHED.read_text())
    return found


def our_points(
    models: Mapping[str, Any], metrics: Mapping[str, Any]
) -> list[tuple[str, int, float]]:
    """Return (model, LUT6 of its whole core, test accuracy in %) of the synthesised MNIST models.

    Args:
        models: `models` of results.json.
        metrics: {model: metrics.json}.
    """
    points = []
    for name, figures in models.items():
        if "xc7" in figures["synthesis"] and load_config(name).input.dataset == "mnist":
            total = figures["synthesis"]["xc7"]["total"]
            lut = total.get("sites", total["lut"])
            points.append((name, lut, 100 * metrics[name]["accuracy"]["test"]))
    return points


def draw(
    ours: Sequence[tuple[str, int, float]],
    variants: Sequence[tuple[str, int, float]],
    published: Sequence[Mapping[str, Any]],
    path: Path,
) -> None:
    """Draw all points as a deterministic SVG; the variants of one width as a line.

    Args:
        ours: (model, LUT6, accuracy in %).
        variants: the same of quickly trained ones; labels of one shape begin with "sparse".
        published: see `read_published`.
        path: of the figure.
    """
    theirs = [(point["name"], point["lut"], 100 * point["accuracy"]) for point in published]
    sparse = [point for point in variants if point[0].startswith("sparse")]
    others = [point for point in variants if point not in sparse]
    slow = [point for point in ours if point[0] in CONVOLUTIONAL]
    fast = [point for point in ours if point not in slow]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.4), layout="constrained", facecolor="white")
        axes = figure.add_subplot()
        axes.set_xscale("log")
        for points, colour, marker, fill, label in (
            (theirs, THEIRS, "s", "none", "published by their authors, not measured here"),
            (sparse, OURS, ".-", OURS, "sbnn95's shape, 90 to 99 % zeros, quick training"),
            (others, OTHERS, "^", "none", "the same, other widths, learned xi"),
            (fast, OURS, "o", OURS, "this generator, whole core, yosys"),
            (slow, OURS, "o", "none", "the same, convolutions: an image in 784 cycles or more"),
        ):
            axes.plot(
                [lut for _, lut, _ in points],
                [accuracy for *_, accuracy in points],
                marker,
                color=colour,
                markerfacecolor=fill,
                markersize=7,
                label=label,
            )
        everything = [*ours, *variants, *theirs]
        axes.set_xlim(min(p[1] for p in everything) / 1.6, max(p[1] for p in everything) * 2.2)
        low, high = (f(p[2] for p in everything) for f in (min, max))
        axes.set_ylim(low - 0.35, high + 0.45)
        axes.set_xticks([1_000, 3_000, 10_000, 30_000, 100_000])
        axes.xaxis.set_major_formatter(thousands)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("LUT6 (block memories of others not counted)")
        axes.set_title("MNIST test accuracy, %, against LUTs", loc="left", fontsize=11)
        figure.legend(loc="outside lower left", frameon=False, fontsize=9, ncol=2)
        quieten(axes)
        named = ((ours, OURS), (others, OTHERS), (theirs, THEIRS))
        _label(figure, axes, [(point, colour) for points, colour in named for point in points])
        save(figure, path)


def _label(figure: Any, axes: Any, points: Sequence[tuple[tuple[str, int, float], str]]) -> None:
    """Name every point, each label on the first side where it meets no point and no other label."""
    figure.draw_without_rendering()
    taken = []
    for (_, lut, accuracy), _ in points:
        x, y = axes.transData.transform((lut, accuracy))
        taken.append(mpl.transforms.Bbox.from_extents(x - 5, y - 5, x + 5, y + 5))
    for (name, lut, accuracy), colour in points:
        for offset, across, along in WAYS:
            text = axes.annotate(
                name,
                (lut, accuracy),
                xytext=offset,
                textcoords="offset points",
                ha=across,
                va=along,
                color=colour,
                fontsize=9,
            )
            box = text.get_window_extent()
            inside = axes.get_window_extent()
            if inside.x0 <= box.x0 and box.x1 <= inside.x1 and not box.count_overlaps(taken):
                break
            if offset != WAYS[-1][0]:
                text.remove()
        taken.append(box)
