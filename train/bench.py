"""Accuracy against ones: sbnn95's shape trained in quick mode at several sparsities and dense.

Writes bench.json and accuracy.svg beside this file; both are tracked.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from sbnn.train.config import ModelConfig, Weights, load_config
from sbnn.train.data import load
from sbnn.train.figure import STYLE, quieten, save, thousands
from sbnn.train.files import write_atomic
from sbnn.train.fit import fit
from sbnn.train.metrics import accuracy, sparsity_figures

HERE = Path(__file__).parent
BUILD = Path("build")
DENSITIES = (0.10, 0.05, 0.03, 0.02, 0.01)
SPARSE_COLOUR, DENSE_COLOUR = "#0b6e99", "#b3541e"


def variants() -> list[tuple[str, ModelConfig]]:
    """Return (label, config): sbnn95 in quick mode at each of `DENSITIES`, then dense -1/+1."""
    base = load_config("sbnn95", quick=True)
    found = []
    for density in DENSITIES:
        sparsity = dataclasses.replace(base.sparsity, density=density)
        name = f"sparse{100 * (1 - density):.0f}"
        found.append((name, dataclasses.replace(base, name=name, sparsity=sparsity)))
    dense = dataclasses.replace(
        base,
        name="dense",
        weights=Weights(xi=-0.5, xi_frac=1),
        sparsity=dataclasses.replace(base.sparsity, method="none"),
    )
    return [*found, ("dense", dense)]


def bench(data: Path | None = None) -> None:
    """Train every variant, write bench.json and draw accuracy.svg; about three minutes each."""
    points = []
    for label, config in variants():
        split = load(config, data)
        result = fit(config, split, BUILD / "bench" / label, shared=BUILD / "lessons")
        figures = sparsity_figures(config, result.module)
        points.append(
            {
                "label": label,
                "zeros_share": figures["zeros_share"] if label != "dense" else None,
                "ones": figures["ones"],
                "weights": figures["weights"],
                "target_hit": figures.get("target_hit"),
                "validation": round(accuracy(result.module, split.val_x, split.val_y), 6),
                "test": round(accuracy(result.module, split.test_x, split.test_y), 6),
                "epochs": config.training.epochs,
                "seed": config.training.seed,
                "seconds": round(result.seconds, 1),
            }
        )
    content = {"model": "sbnn95", "mode": "quick", "points": points}
    write_atomic(HERE / "bench.json", json.dumps(content, indent=2) + "\n")
    draw(content, HERE / "accuracy.svg")


def draw(content: dict[str, Any], path: Path) -> None:
    """Draw test accuracy against ones as a deterministic SVG."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.0), layout="constrained")
        axes = figure.add_subplot()
        sparse = [p for p in content["points"] if p["label"] != "dense"]
        sparse.sort(key=lambda point: point["ones"])
        axes.plot(
            [p["ones"] for p in sparse],
            [100 * p["test"] for p in sparse],
            color=SPARSE_COLOUR,
            marker="o",
            linewidth=2,
        )
        for point in sparse:
            axes.annotate(
                f"{100 * point['zeros_share']:.0f} % zeros\n{100 * point['test']:.2f} %",
                (point["ones"], 100 * point["test"]),
                xytext=(-3, 4),
                textcoords="offset points",
                ha="right",
                color=SPARSE_COLOUR,
            )
        dense = next(p for p in content["points"] if p["label"] == "dense")
        axes.plot(dense["weights"], 100 * dense["test"], "s", color=DENSE_COLOUR, markersize=8)
        axes.annotate(
            f"dense -1/+1\n{100 * dense['test']:.2f} %",
            (dense["weights"], 100 * dense["test"]),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
            color=DENSE_COLOUR,
        )
        axes.set_xscale("log")
        low = min(point["test"] for point in content["points"]) * 100
        high = max(point["test"] for point in content["points"]) * 100
        axes.set_ylim(low - 0.4, high + 0.9)
        axes.set_xlim(sparse[0]["ones"] * 0.5, dense["weights"] * 1.5)
        axes.set_xticks([3_000, 10_000, 30_000, 100_000, 300_000], minor=False)
        axes.xaxis.set_major_formatter(thousands)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("weights that need hardware: ones (sparse) or all weights (dense)")
        axes.set_title(
            "MNIST test accuracy, %, 784-256-256-256-10 in quick mode",
            loc="left",
            fontsize=11,
        )
        quieten(axes)
        save(figure, path)
