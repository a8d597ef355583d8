"""Pictures of where a layer's ones are: the whole matrix with its margins, and the image it sees."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from sbnn.boards.page.markup import Node, element, number, svg
from sbnn.boards.page.png import AMBER, LEVELS, TEAL, data_uri, level, shades
from sbnn.hls.maps import FeatureMap
from sbnn.hls.network import BoolArray, SparseLayer

# A layer of 784 inputs fills the width of the page; larger ones are averaged over blocks.
WIDTH, HEIGHT = 784, 512
MOST_COLUMNS, MOST_ROWS = 1568, 1024
LEFT, TOP, RIGHT, BOTTOM = 48, 44, 84, 40
PROFILE = 32
MOST_ROW = 14  # a layer of ten classes need not be as tall as one of 256 neurons
PLANE = 224


def sparsity_map(layer: SparseLayer) -> Node:
    """Return a drawing of w01, one row per neuron, with the ones per input above and per neuron right."""
    columns, rows = -(-layer.mw // MOST_COLUMNS), -(-layer.mh // MOST_ROWS)
    shares = _blocks(layer.w01.astype(np.float64), rows, columns)
    inverted = _inverted(layer)[::rows]
    cells = level(shares)
    cells[inverted] += np.where(cells[inverted] > 0, LEVELS, 0).astype(np.uint8)
    height, width = cells.shape
    w = max(1, WIDTH // width) * width
    h = max(1, min(MOST_ROW, HEIGHT // height)) * height
    picture = element(
        "image",
        href=data_uri(cells, [*shades(TEAL), *shades(AMBER)[1:]]),
        x=LEFT,
        y=TOP,
        width=w,
        height=h,
        preserveAspectRatio="none",
        class_="pixels",
    )
    frame = element("rect", x=LEFT - 0.5, y=TOP - 0.5, width=w + 1, height=h + 1, class_="frame")
    parts = [picture, frame, *_margins(layer, w, h), *_ticks(layer, w, h)]
    if layer.rails == 2:
        x = number(LEFT + w / 2)
        parts.append(element("path", d=f"M{x} {TOP}v{h}", class_="rule"))
    label = (
        f"Sparsity map of {layer.name}: {layer.mh} neurons by {layer.mw} inputs, "
        f"{layer.ones} ones as dots"
    )
    return svg(LEFT + w + RIGHT, TOP + h + BOTTOM, *parts, label=label, class_="plot")


def receptive_image(layer: SparseLayer, seen: FeatureMap) -> Node:
    """Return a drawing of the ones per pixel, a plane per channel, all neurons and rails together.

    Args:
        layer: a layer that sees its whole input at once.
        seen: the map of its input.
    """
    planes = receptive_counts(layer, seen)
    count, rows, columns = planes.shape
    tall = np.hstack(list(planes))
    side = max(1, PLANE // max(rows, columns))
    w, h = columns * count * side, rows * side
    picture = element(
        "image",
        href=data_uri(level(tall), shades(TEAL)),
        x=1,
        y=1,
        width=w,
        height=h,
        preserveAspectRatio="none",
        class_="pixels",
    )
    frame = element("rect", x=0.5, y=0.5, width=w + 1, height=h + 1, class_="frame")
    most = int(planes.max())
    key = element("text", f"none: 0 ones, full: {most:,}", x=1, y=h + 18, class_="tick")
    label = f"Ones per pixel of {layer.name} as an image of {rows} by {columns}, at most {most}"
    return svg(max(w + 2, 170), h + 26, picture, frame, key, label=label, class_="plot")


def receptive_counts(layer: SparseLayer, seen: FeatureMap) -> NDArray[np.float64]:
    """Return the ones per pixel, (channels, rows, columns)."""
    ones = layer.w01.sum(0).reshape(layer.rails, layer.inputs).sum(0).astype(np.float64)
    shape = (seen.height, seen.width, seen.channels)
    if seen.positions == 1:  # a vector: its values side by side
        shape = (1, seen.channels, 1)
    planes: NDArray[np.float64] = np.moveaxis(ones.reshape(shape), 2, 0)
    return planes


def _inverted(layer: SparseLayer) -> BoolArray:
    return np.zeros(layer.mh, np.bool_) if layer.invert is None else layer.invert


def _blocks(values: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.float64]:
    """Return the means over blocks of rows x columns entries; the last of each may be smaller."""
    for axis, size in ((0, rows), (1, columns)):
        if size > 1:
            starts = np.arange(0, values.shape[axis], size)
            sizes = np.diff(np.append(starts, values.shape[axis]))
            sums = np.add.reduceat(values, starts, axis=axis)
            values = np.asarray(sums / (sizes[:, None] if axis == 0 else sizes), np.float64)
    return values


def _margins(layer: SparseLayer, w: int, h: int) -> list[Node]:
    """Return the profiles above (ones per input) and to the right (ones per neuron)."""
    per_input = layer.w01.sum(0)
    per_neuron = layer.w01.sum(1)
    step, most = w / layer.mw, max(1, int(per_input.max()))
    tops = (f"V{number(TOP - 4 - PROFILE * n / most)}h{number(step)}" for n in per_input.tolist())
    above = element("path", d=f"M{LEFT} {TOP - 4}{''.join(tops)}V{TOP - 4}z", class_="teal")
    thick, longest = h / layer.mh, max(1, int(per_neuron.max()))
    bars = []
    for rows, class_ in ((~_inverted(layer), "teal"), (_inverted(layer), "amber")):
        path = "".join(
            f"M{LEFT + w + 5} {number(TOP + j * thick)}h{number(60 * int(per_neuron[j]) / longest)}"
            f"v{number(thick)}H{LEFT + w + 5}z"
            for j in np.flatnonzero(rows).tolist()
        )
        bars.append(element("path", d=path, class_=class_) if path else None)
    marks = [
        element("text", f"{most:,}", x=LEFT - 4, y=TOP - PROFILE + 4, class_="tick end"),
        element("text", f"{longest:,}", x=LEFT + w + 65, y=TOP - 6, class_="tick end"),
    ]
    return [above, *(bar for bar in bars if bar is not None), *marks]


def _ticks(layer: SparseLayer, w: int, h: int) -> Iterable[Node]:
    for index in ticks(layer.mw, w / 70):
        x = number(LEFT + index * w / layer.mw)
        yield element("path", d=f"M{x} {TOP + h}v4", class_="rule")
        yield element("text", f"{index:,}", x=x, y=TOP + h + 16, class_="tick middle")
    for index in ticks(layer.mh, h / 40):
        y = TOP + index * h / layer.mh
        yield element("path", d=f"M{LEFT} {number(y)}h-4", class_="rule")
        yield element("text", f"{index:,}", x=LEFT - 7, y=number(y + 4), class_="tick end")
    yield element("text", "input", x=LEFT + w / 2, y=TOP + h + 32, class_="tick middle")
    yield element("text", "ones per neuron", x=LEFT + w + 80, y=TOP + h + 32, class_="tick end")


def ticks(count: int, most: float) -> list[int]:
    """Return round indices below `count`, at most about `most` of them."""
    steps = (m * 10**e for e in range(9) for m in (1, 2, 5))
    step = next((step for step in steps if count / step <= max(most, 1)), count)
    return list(range(0, count, step))
