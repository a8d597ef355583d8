"""A convolution's kernels as a picture, and how many of them hold no 1 or exactly one."""

import numpy as np
from numpy.typing import NDArray

from sbnn.boards.page.markup import Node, element, number, svg
from sbnn.boards.page.png import AMBER, LEVELS, TEAL, data_uri, shades
from sbnn.boards.page.sparsity import ticks
from sbnn.hls.maps import Window
from sbnn.hls.network import BoolArray, SparseLayer
from sbnn.train.kernels import count_kernels

WIDTH, HEIGHT, MOST_SIDE = 784, 640, 14
# Beyond this a tile of a screen's dots is too small to see.
MOST = 2400
LEFT, TOP, BOTTOM = 48, 34, 10
GROUND = (128, 128, 128, 48)


def kernels(layer: SparseLayer, window: Window) -> BoolArray:
    """Return the connections as (outputs, input channels of all rails, rows, columns)."""
    tapped = layer.w01.reshape(layer.mh, layer.rails, window.taps, -1)
    found: BoolArray = np.moveaxis(tapped, 2, 3).reshape(layer.mh, -1, *window.kernel)
    return found


def are_visible(layer: SparseLayer, window: Window) -> bool:
    """Return whether the kernels can be shown as tiles of at least one dot a weight."""
    channels = layer.mw // window.taps
    return max(layer.mh, channels) * (max(window.kernel) + 1) <= MOST


def kernel_tiles(layer: SparseLayer, window: Window) -> Node:
    """Return a drawing of every kernel as a tile, input against output channels, the more across."""
    cells = _cells(layer, window)
    height, width = cells.shape
    side = max(1, min(MOST_SIDE, WIDTH // width, HEIGHT // height))
    w, h = side * width, side * height
    palette = [(0, 0, 0, 0), GROUND, shades(TEAL)[LEVELS], shades(AMBER)[LEVELS]]
    picture = element(
        "image",
        href=data_uri(cells, palette),
        x=LEFT,
        y=TOP,
        width=w,
        height=h,
        preserveAspectRatio="none",
        class_="pixels",
    )
    found = kernels(layer, window)
    across, down = axes(layer, window)
    counts = {"input": found.shape[1], "output": layer.mh}
    title = f"{across} channel across, {down} channel down"
    parts = [picture, element("text", title, x=LEFT, y=11, class_="tick")]
    tile = side * (window.kernel[1] + 1)
    for index in ticks(counts[across], w / 40):
        x = number(LEFT + tile * (index + 0.5) - side / 2)
        parts.append(element("text", f"{index:,}", x=x, y=TOP - 5, class_="tick middle"))
    tile = side * (window.kernel[0] + 1)
    for index in ticks(counts[down], h / 24):
        y = number(TOP + tile * (index + 0.5) - side / 2 + 4)
        parts.append(element("text", f"{index:,}", x=LEFT - 7, y=y, class_="tick end"))
    label = (
        f"Kernels of {layer.name}: {layer.mh} output channels by {found.shape[1]} input channels, "
        f"{layer.ones} ones as dots"
    )
    return svg(max(LEFT + w, 300), TOP + h + BOTTOM, *parts, label=label, class_="plot")


def axes(layer: SparseLayer, window: Window) -> tuple[str, str]:
    """Return which channels are side by side in the drawing, and which below each other."""
    wide = layer.mh > kernels(layer, window).shape[1]
    return ("output", "input") if wide else ("input", "output")


def kernel_figures(layer: SparseLayer, window: Window) -> list[tuple[str, str]]:
    """Return (name, value) of the shares of kernels with no 1 and with one 1, and what zeros save."""
    counts = count_kernels(kernels(layer, window), layer.output.positions)
    saved = 1 - counts.cpu_operations / counts.operations
    wired = 1 - counts.fpga_operations / counts.operations

    def share(count: int) -> str:
        return f"{count:,} of {counts.kernels:,} ({100 * count / counts.kernels:.1f} %)"

    return [
        ("kernels with no 1 (K_0)", share(counts.none)),
        ("kernels with one 1 (K_1)", share(counts.single)),
        ("operations saved (BOPs PR)", f"{100 * saved:.1f} %, wired {100 * wired:.1f} %"),
    ]


def _cells(layer: SparseLayer, window: Window) -> NDArray[np.uint8]:
    """Return the tiles as indices of a palette: 0 between tiles, 1 a zero, 2 a one, 3 an inverted one."""
    found = kernels(layer, window)
    inverted = np.zeros(layer.mh, np.bool_) if layer.invert is None else layer.invert
    values = 1 + found * (1 + inverted[:, None, None, None])
    framed = np.pad(values, ((0, 0), (0, 0), (0, 1), (0, 1)))
    if axes(layer, window)[0] == "output":
        framed = framed.swapaxes(0, 1)
    down, across, rows, columns = framed.shape
    table = framed.transpose(0, 2, 1, 3).reshape(down * rows, across * columns)
    return np.asarray(table[:-1, :-1], np.uint8)
