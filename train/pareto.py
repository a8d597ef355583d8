"""What a study found, as JSON, and the figure of all studies: accuracy against LUT6.

Both are tracked; equal trials give equal bytes.
"""

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from sbnn.train.config import MODELS, TrainError
from sbnn.train.figure import STYLE, quieten, save, thousands
from sbnn.train.files import write_atomic

COLOURS = ("#0b6e99", "#b3541e", "#4d7c0f", "#7c3aed")
LOWEST = 0.93  # validation accuracy below which a trial is not drawn


def write_study(name: str, summary: str, trials: list[dict[str, Any]], folder: Path) -> str:
    """Write <folder>/<name>.json and <folder>/accuracy-lut6.svg; return one line about the study.

    Args:
        name: of the study.
        summary: one line.
        trials: finished trials as `sbnn.train.sweep` gives them.
        folder: holds the summaries of all studies, which the figure shows together.

    Raises:
        TrainError: no trial has finished.
    """
    if not trials:
        raise TrainError(f"sweep {name}: no trial has finished; run some with --trials N")
    ordered = sorted(trials, key=lambda trial: (trial["lut6"], -trial["validation"]))
    content = {"sweep": name, "summary": summary, "trials": ordered}
    write_atomic(folder / f"{name}.json", json.dumps(content, indent=1) + "\n")
    studies = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    draw(studies, trained_models(), folder / "accuracy-lut6.svg")
    front = [trial for trial in ordered if trial["front"]]
    return f"{name}: {len(ordered)} trials, on the front " + ", ".join(
        f"{trial['validation']:.2%} at {trial['lut6']} LUT6" for trial in front
    )


def trained_models() -> list[dict[str, Any]]:
    """Return name, test accuracy and LUT6 of every tracked MNIST model whose metrics have LUT6."""
    found = []
    for path in sorted(MODELS.glob("*/metrics.json")):
        metrics = json.loads(path.read_text())
        if metrics["dataset"] == "mnist" and "lut6" in metrics:
            found.append(
                {
                    "name": metrics["model"],
                    "test": metrics["accuracy"]["test"],
                    "lut6": metrics["lut6"]["total"],
                }
            )
    return found


def draw(studies: list[dict[str, Any]], models: list[dict[str, Any]], path: Path) -> None:
    """Draw every study's trials and front, and the trained models, as a deterministic SVG."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.4), layout="constrained")
        axes = figure.add_subplot()
        for study, colour in zip(studies, COLOURS, strict=False):
            _draw_study(axes, study, colour)
        for model in models:
            axes.plot(model["lut6"], 100 * model["test"], "*", color="#111827", markersize=9)
            axes.annotate(
                f"{model['name']} {100 * model['test']:.2f} %",
                (model["lut6"], 100 * model["test"]),
                xytext=(4, 5),
                textcoords="offset points",
                fontsize=8,
            )
        axes.set_xscale("log")
        axes.set_xticks([500, 1_000, 2_000, 4_000, 9_000, 18_000], minor=False)
        axes.xaxis.set_major_formatter(thousands)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("LUT6 of the whole core (training's formula)")
        axes.set_title(
            "MNIST accuracy, %: trials on held-out images, stars on test images",
            loc="left",
            fontsize=11,
        )
        axes.legend(loc="lower right", frameon=False, fontsize=8)
        quieten(axes)
        save(figure, path)


def _draw_study(axes: Axes, study: dict[str, Any], colour: str) -> None:
    trials = [trial for trial in study["trials"] if trial["validation"] >= LOWEST]
    axes.plot(
        [trial["lut6"] for trial in trials],
        [100 * trial["validation"] for trial in trials],
        ".",
        color=colour,
        alpha=0.35,
    )
    front = [trial for trial in trials if trial["front"]]
    axes.plot(
        [trial["lut6"] for trial in front],
        [100 * trial["validation"] for trial in front],
        color=colour,
        marker="o",
        markersize=4,
        linewidth=1.5,
        label=study["summary"],
    )
