"""What a study found, as JSON, and the figure of all studies: accuracy against LUTs.

Both are tracked; equal trials give equal bytes.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from sbnn.boards.bench_figure import our_points
from sbnn.boards.bench_models import metrics, read_results
from sbnn.train.errors import UserError
from sbnn.train.figure import STYLE, quieten, save, thousands
from sbnn.train.files import write_atomic

COLOURS = ("#0b6e99", "#b3541e", "#4d7c0f", "#7c3aed")
SWEEPS = Path(__file__).resolve().parent / "sweeps"
FIGURE = "accuracy-luts.svg"
MEASURED = "pynq-z2"  # the board on which `make bench` counts the tracked models' sites
LOWEST = 0.93  # validation accuracy below which a trial is not drawn


class SweepError(UserError):
    """A study that cannot be run or drawn."""


def write_study(
    name: str, summary: str, board: str, trials: list[dict[str, Any]], folder: Path
) -> str:
    """Write <folder>/<name>.json and <folder>/accuracy-luts.svg; return one line about the study.

    Args:
        name: of the study.
        summary: one line.
        board: whose LUTs were counted.
        trials: finished trials as `sbnn.boards.sweep` gives them.
        folder: holds the summaries of all studies, which the figure shows together.

    Raises:
        SweepError: no trial has finished.
    """
    if not trials:
        raise SweepError(f"sweep {name}: no trial has finished; run some with --trials N")
    ordered = sorted(trials, key=lambda trial: (trial["luts"], -trial["validation"]))
    content = {"sweep": name, "summary": summary, "board": board, "trials": ordered}
    write_atomic(folder / f"{name}.json", json.dumps(content, indent=1) + "\n")
    draw_studies(folder)
    front = [trial for trial in ordered if trial["front"]]
    return f"{name}: {len(ordered)} trials, on the front " + ", ".join(
        f"{trial['validation']:.2%} at {trial['luts']:,} LUTs" for trial in front
    )


def draw_studies(folder: Path = SWEEPS) -> None:
    """Draw the figure of a folder's studies, beside today's measured models."""
    draw(tracked_studies(folder), our_points(read_results()["models"], metrics()), folder / FIGURE)


def tracked_studies(folder: Path) -> list[dict[str, Any]]:
    """Return the summaries of a folder whose LUTs are those of the measured models: 7-series sites."""
    found = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    return [content for content in found if content["board"] == MEASURED]


def draw(
    studies: list[dict[str, Any]], models: Sequence[tuple[str, int, float]], path: Path
) -> None:
    """Draw every study's trials and front, and the models, as a deterministic SVG.

    Args:
        studies: see `tracked_studies`.
        models: (name, LUT6 sites of the whole core as measured, test accuracy in %).
        path: of the figure.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.2, 4.4), layout="constrained")
        axes = figure.add_subplot()
        for study, colour in zip(studies, COLOURS, strict=False):
            _draw_study(axes, study, colour)
        for name, sites, test in models:
            axes.plot(sites, test, "*", color="#111827", markersize=9)
            axes.annotate(
                f"{name} {test:.2f} %",
                (sites, test),
                xytext=(4, 5),
                textcoords="offset points",
                fontsize=8,
            )
        axes.set_xscale("log")
        axes.set_xticks([500, 1_000, 2_000, 4_000, 9_000, 18_000], minor=False)
        axes.xaxis.set_major_formatter(thousands)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xlabel("LUT6 sites of the whole core: trials estimated, stars by yosys")
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
        [trial["luts"] for trial in trials],
        [100 * trial["validation"] for trial in trials],
        ".",
        color=colour,
        alpha=0.35,
    )
    front = [trial for trial in trials if trial["front"]]
    axes.plot(
        [trial["luts"] for trial in front],
        [100 * trial["validation"] for trial in front],
        color=colour,
        marker="o",
        markersize=4,
        linewidth=1.5,
        label=study["summary"],
    )
