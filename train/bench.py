"""Accuracy of sbnn95's shape in quick mode: several sparsities, widths, learned xi, and dense.

Writes bench.json, accuracy.svg and variants/<label>.npz beside this file, all tracked;
`python -m sbnn.boards bench variants` turns the trained files into LUTs.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from sbnn.train.config import ModelConfig, Weights, load_config
from sbnn.train.data import load
from sbnn.train.figure import STYLE, quieten, save, thousands
from sbnn.train.files import digest, write_atomic
from sbnn.train.fit import fit
from sbnn.train.metrics import accuracy, sparsity_figures
from sbnn.train.trained import pack

HERE = Path(__file__).parent
RESULTS = HERE / "bench.json"
TRAINED = HERE / "variants"
SCRATCH = Path("build") / "bench"
LESSONS = Path("build") / "lessons"
DENSITIES = (0.10, 0.05, 0.03, 0.02, 0.01)
WIDTHS = (128, 512)
LEARNED, XI_FRAC = (0.05, 0.02), 6  # one xi per layer, learned, on the grid k/64
SPARSE_COLOUR, DENSE_COLOUR = "#0b6e99", "#b3541e"


def variants() -> list[tuple[str, ModelConfig]]:
    """Return (label, config) of sbnn95 in quick mode.

    "sparseNN": NN % zeros; "widthN": N neurons a layer and as many ones as at 95 % zeros; "xiNN": NN % zeros
    with a learned xi per layer; "dense": weights -1/+1.
    """
    base = load_config("sbnn95", quick=True)
    weights = sum(shape.inputs * shape.outputs for shape in base.layers)
    found = []

    def add(label: str, density: float, **changes: Any) -> None:
        sparsity = dataclasses.replace(base.sparsity, density=density)
        changed = dataclasses.replace(base, name=label, sparsity=sparsity, **changes)
        found.append((label, changed))

    for density in DENSITIES:
        add(f"sparse{100 * (1 - density):.0f}", density)
    for width in WIDTHS:
        hidden = (width,) * len(base.hidden)
        wide = dataclasses.replace(base, hidden=hidden)
        ones = base.sparsity.density * weights
        total = sum(shape.inputs * shape.outputs for shape in wide.layers)
        add(f"width{width}", round(ones / total, 5), hidden=hidden)
    for density in LEARNED:
        learned = Weights(domain="learned", xi_frac=XI_FRAC)
        add(f"xi{100 * (1 - density):.0f}", density, weights=learned)
    dense = dataclasses.replace(
        base,
        name="dense",
        weights=Weights(xi=-0.5, xi_frac=1),
        sparsity=dataclasses.replace(base.sparsity, method="none"),
    )
    return [*found, ("dense", dense)]


def read_bench() -> dict[str, dict[str, Any]]:
    """Return {label: point} of bench.json."""
    points = json.loads(RESULTS.read_text())["points"] if RESULTS.exists() else []
    return {point["label"]: point for point in points}


def bench(data: Path | None = None, again: bool = False) -> None:
    """Train what bench.json does not hold, draw accuracy.svg; about three minutes each.

    Args:
        data: folder of the data set.
        again: train also what it holds.
    """
    if again:
        for path in TRAINED.glob("*.npz"):
            path.unlink()
    for label, config in variants():
        recipe, points = digest(repr(config).encode())[:16], read_bench()
        if not _is_current(points.get(label, {}), recipe):
            points[label] = {"label": label, "recipe": recipe, **_train(config, data)}
            ordered = [points[name] for name, _ in variants() if name in points]
            content = {"model": "sbnn95", "mode": "quick", "points": ordered}
            write_atomic(RESULTS, json.dumps(content, indent=2) + "\n")
    draw(json.loads(RESULTS.read_text()), HERE / "accuracy.svg")


def trained_file(label: str) -> Path:
    """Return where the trained file of a variant lies."""
    return TRAINED / f"{label}.npz"


def _is_current(point: Mapping[str, Any], recipe: str) -> bool:
    """Return whether a point and the trained file beside it are of this recipe and of each other."""
    path = trained_file(point.get("label", ""))
    return (
        point.get("recipe") == recipe
        and path.is_file()
        and digest(path.read_bytes()) == point["file_digest"]
    )


def _train(config: ModelConfig, data: Path | None) -> dict[str, Any]:
    """Train one variant, keep its trained file and return its figures."""
    split = load(config, data)
    result = fit(config, split, SCRATCH / config.name, shared=LESSONS)
    content, _ = pack(result.module, config.name)
    write_atomic(trained_file(config.name), content)
    figures = sparsity_figures(config, result.module)
    return {
        "file_digest": digest(content),
        "zeros_share": figures["zeros_share"] if config.name != "dense" else None,
        "ones": figures["ones"],
        "weights": figures["weights"],
        "target_hit": figures.get("target_hit"),
        "validation": round(accuracy(result.module, split.val_x, split.val_y), 6),
        "test": round(accuracy(result.module, split.test_x, split.test_y), 6),
        "epochs": config.training.epochs,
        "seed": config.training.seed,
        "seconds": round(result.seconds, 1),
    }


def draw(content: dict[str, Any], path: Path) -> None:
    """Draw test accuracy against ones as a deterministic SVG."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.0), layout="constrained")
        axes = figure.add_subplot()
        sparse = [p for p in content["points"] if p["label"].startswith("sparse")]
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
        low, high = (f(100 * point["test"] for point in [*sparse, dense]) for f in (min, max))
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
