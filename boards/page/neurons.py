"""Pictures and figures of a layer's neurons: ones per neuron, thresholds, xi."""

from collections import Counter

import numpy as np

from sbnn.boards.page.facts import Facts
from sbnn.boards.page.kernels import kernel_figures
from sbnn.boards.page.markup import Node, element, number, plural, svg
from sbnn.boards.page.sparsity import ticks
from sbnn.hls.maps import Window
from sbnn.hls.network import SparseLayer
from sbnn.hls.rows import inputs_read

W, H = 352, 190
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 14, 38
BINS = 36
BESIDE = 2.5


def histogram(layer: SparseLayer) -> Node:
    """Return a drawing of how many neurons have how many ones, inverted ones stacked on top."""
    ones = layer.w01.sum(1)
    inverted = np.zeros(layer.mh, np.bool_) if layer.invert is None else layer.invert
    low, high = int(ones.min()), int(ones.max())
    size = -(-(high - low + 1) // BINS)
    count = (high - low) // size + 1
    place = (ones - low) // size
    plain = np.bincount(place[~inverted], minlength=count).tolist()
    other = np.bincount(place[inverted], minlength=count).tolist()
    most = max(a + b for a, b in zip(plain, other, strict=True))
    width, height = W - LEFT - RIGHT, H - TOP - BOTTOM
    step = width / count
    bars = []
    for i, (a, b) in enumerate(zip(plain, other, strict=True)):
        first, last = low + i * size, low + (i + 1) * size - 1
        span = f"{first}" if first == last else f"{first} to {last}"
        base = float(TOP + height)
        for n, class_, kind in ((a, "teal", "neuron"), (b, "amber", "inverted neuron")):
            if n:
                base -= height * n / most
                hint = element("title", f"{plural(n, kind)}, each with {span} ones")
                bars.append(
                    element(
                        "rect",
                        hint,
                        x=number(LEFT + i * step + min(0.75, step / 8)),
                        y=number(base),
                        width=number(step - min(1.5, step / 4)),
                        height=number(height * n / most),
                        class_=class_,
                    )
                )
    axes = _axes(
        "ones per neuron", "neurons", (low, low + count * size), (0, most), centred=size == 1
    )
    label = f"Ones per neuron of {layer.name}: {low} to {high}, histogram of {layer.mh} neurons"
    return svg(W, H, *bars, *axes, label=label, class_="plot")


def counts_bits(layer: SparseLayer) -> bool:
    """Return whether a neuron's sum is how many of its ones are on."""
    return not layer.xi_num.any() and layer.value_bits == layer.weight_bits == 1


def thresholds(layer: SparseLayer) -> Node | None:
    """Return a drawing of each hidden neuron's thresholds against its ones, None for the last layer."""
    if layer.threshold is None or layer.invert is None:
        return None
    scale = 1 << layer.xi_frac
    ones = layer.w01.sum(1).tolist()
    bubbles = Counter(
        (n, level, inverted)
        for n, levels, inverted in zip(
            ones, layer.threshold.tolist(), layer.invert.tolist(), strict=True
        )
        for level in levels
    )
    xs = (0, max(*ones, 1))
    ys = (min(0, int(layer.threshold.min())) / scale, max(1.0, int(layer.threshold.max()) / scale))
    width, height = W - LEFT - RIGHT, H - TOP - BOTTOM

    def at(n: float, t: float) -> tuple[float, float]:
        return LEFT + width * n / xs[1], TOP + height * (ys[1] - t) / (ys[1] - ys[0])

    parts = []
    if counts_bits(layer):
        end = min(xs[1], ys[1])
        (x0, y0), (x1, y1) = at(0, 0), at(end, end)
        line = f"M{number(x0)} {number(y0)}L{number(x1)} {number(y1)}"
        parts.append(element("path", element("title", "all ones needed"), d=line, class_="guide"))
    for (n, t, is_inverted), count in sorted(bubbles.items()):
        x, y = at(n, t / scale)
        if (n, t, not is_inverted) in bubbles:
            x += BESIDE if is_inverted else -BESIDE
        unit = "" if scale == 1 else f"/{scale}"
        kind = "inverted neuron" if is_inverted else "neuron"
        hint = element(
            "title", f"{plural(count, kind)} with {plural(n, 'one')}, threshold {t}{unit}"
        )
        radius = number(min(1.4 + 0.9 * count**0.5, 8))
        class_ = "amber dot" if is_inverted else "teal dot"
        parts.append(element("circle", hint, cx=number(x), cy=number(y), r=radius, class_=class_))
    axes = _axes("ones per neuron", "threshold", xs, ys)
    label = f"Threshold against ones of each neuron of {layer.name}"
    return svg(W, H, *axes, *parts, label=label, class_="plot")


def figures(facts: Facts, index: int) -> list[tuple[str, str]]:
    """Return (name, value) of what is to be known of a layer."""
    layer, resolved, made = (
        facts.network.layers[index],
        facts.rows[index],
        facts.manifest.layers[index],
    )
    ones = layer.w01.sum(1)
    used = int(inputs_read(layer).sum())
    found = [("neurons" if layer.window is None else "output channels", f"{layer.mh:,}")]
    if layer.window is not None:
        found += _slide(layer.window)
    latency = ("latency", plural(made.latency_cycles, "cycle"))
    if layer.pool:
        return [*found, latency]
    found += [
        ("inputs read", f"{used:,} of {layer.inputs:,}{', two rails' * (layer.rails == 2)}"),
        (
            "ones",
            f"{layer.ones:,} of {layer.w01.size:,} ({100 * layer.ones / layer.w01.size:.1f} %)",
        ),
        (
            "ones per neuron",
            f"{ones.min()} to {ones.max()}, median {_short(float(np.median(ones)))}",
        ),
        ("xi", _xi(layer)),
    ]
    for name, bits in (("weights", layer.weight_bits), ("outputs", layer.output.bits)):
        if bits > 1:
            found.append((name, f"{bits} bits"))
    if layer.threshold is not None and layer.invert is not None:
        scale = 1 << layer.xi_frac
        low, middle, high = (
            _short(float(value) / scale) for value in np.quantile(layer.threshold, (0, 0.5, 1))
        )
        found += [
            ("thresholds", f"{low} to {high}, median {middle}"),
            ("inverted neurons", f"{int(layer.invert.sum()):,}"),
            ("constant neurons", f"{len(resolved.constants):,}"),
            ("neurons nobody reads", f"{sum(row is None for row in resolved.rows):,}"),
        ]
    if layer.offset is not None:
        found.append(("offsets", f"{layer.offset.min()} to {layer.offset.max()}, one per class"))
    tables = sum(made.cost.tables.values()) + 2 * sum(made.cost.pairs.values())
    found += [
        ("outputs of truth tables", f"{tables:,}"),
        ("full adders", f"{made.cost.full_adders:,}"),
        latency,
    ]
    return found + (kernel_figures(layer, layer.window) if layer.window is not None else [])


def _slide(window: Window) -> list[tuple[str, str]]:
    """Return how a window slides over its map."""
    rows, columns = window.output
    top, left, bottom, right = window.padding
    pads = f"{top}" if len(set(window.padding)) == 1 else f"{top} {left} {bottom} {right}"
    return [
        ("window", f"{_times(window.kernel)}, stride {_times(window.stride)}"),
        ("padding", "none" if pads == "0" else pads),
        ("map", f"{_times((window.rows, window.columns))} to {_times((rows, columns))}"),
    ]


def _times(pair: tuple[int, int]) -> str:
    return f"{pair[0]} x {pair[1]}"


def _xi(layer: SparseLayer) -> str:
    values = np.unique(layer.xi_num)
    scale = 1 << layer.xi_frac
    if len(values) == 1:
        k = int(values[0])
        return "0" if k == 0 else f"{k}/{scale} = {_short(k / scale)}"
    low, high = _short(int(values[0]) / scale), _short(int(values[-1]) / scale)
    return f"{low} to {high}, {len(values)} values"


def _short(value: float) -> str:
    return f"{value:.4g}"


def _axes(
    across: str, up: str, xs: tuple[float, float], ys: tuple[float, float], centred: bool = False
) -> list[Node]:
    """Return the two axes of a plot with round ticks; `centred` puts them in the middle of unit bars."""
    width, height = W - LEFT - RIGHT, H - TOP - BOTTOM
    base = TOP + height
    parts = [element("path", d=f"M{LEFT} {TOP}V{base}H{W - RIGHT}", class_="frame")]
    for value in _round_values(*xs, most=7):
        x = LEFT + width * (value - xs[0] + 0.5 * centred) / (xs[1] - xs[0])
        if x <= W - RIGHT + 1:
            parts.append(element("path", d=f"M{number(x)} {base}v4", class_="rule"))
            parts.append(
                element("text", f"{value:,}", x=number(x), y=base + 16, class_="tick middle")
            )
    for value in _round_values(*ys, most=4):
        y = base - height * (value - ys[0]) / (ys[1] - ys[0])
        parts.append(element("path", d=f"M{LEFT} {number(y)}h-4", class_="rule"))
        # A larger number would run over the axis' name.
        short = f"{value / 1000:g}k" if abs(value) >= 1000 else f"{value}"
        parts.append(element("text", short, x=LEFT - 7, y=number(y + 4), class_="tick end"))
    middle = LEFT + width / 2
    parts.append(element("text", across, x=number(middle), y=base + 32, class_="tick middle"))
    turned = f"rotate(-90 11 {number(TOP + height / 2)})"
    parts.append(
        element(
            "text",
            up,
            x=11,
            y=number(TOP + height / 2),
            transform=turned,
            class_="tick middle",
        )
    )
    return parts


def _round_values(low: float, high: float, most: int) -> list[int]:
    step = ([*ticks(max(1, int(high - low)) + 1, most), max(1, int(high - low))])[1]
    first = -(-int(np.ceil(low)) // step) * step
    return list(range(first, int(np.floor(high)) + 1, step))
