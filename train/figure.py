"""What all figures have in common: quiet axes, and SVG files of equal bytes for equal figures."""

import io
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sbnn.train.files import write_atomic

QUIET = "#6b7280"
# A fixed salt and no date: equal figures give equal bytes. For matplotlib's rc_context.
STYLE = {"svg.hashsalt": "sbnn", "svg.fonttype": "none", "font.family": "sans-serif"}


def thousands(value: float, _: float) -> str:
    """Return a tick's label, thousands apart."""
    return f"{value:,.0f}"


def quieten(axes: Axes) -> None:
    """Leave a grid of horizontal lines and the lower axis."""
    axes.grid(axis="y", color="#e5e7eb")
    axes.set_axisbelow(True)
    axes.tick_params(colors=QUIET)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(QUIET)


def save(figure: Figure, path: Path) -> None:
    """Write a figure that was drawn with `STYLE` as SVG, whole or not at all."""
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None})
    write_atomic(path, stream.getvalue())
