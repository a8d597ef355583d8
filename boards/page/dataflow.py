"""The dataflow as a picture: what a core is made of, how wide its wires are, what each stage takes."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sbnn.boards.page.facts import Facts
from sbnn.boards.page.markup import Node, element, number, svg
from sbnn.boards.page.reports import Synthesis
from sbnn.boards.protocol import RX_DEPTH, TX_DEPTH
from sbnn.hls.network import SparseLayer

Rows = tuple[tuple[str, str], ...]

BOX, GAP, TALL = 94, 33, 146
PORT, EDGE = 34, 6
NARROW = 358
SHELLS = {"uart": "UART", "zynq": "Zynq"}


@dataclass(frozen=True)
class Stage:
    """A box of the picture.

    Attributes:
        name: what it is called in the Verilog.
        kind: what it does, in a few words.
        rows: (quantity, value) pairs.
        out_bits: width of what it hands on.
        share: of the core's LUTs, 0 to 1; None where it is not counted by itself.
        sparse: whether it is a layer of the network.
    """

    name: str
    kind: str
    rows: tuple[tuple[str, str], ...]
    out_bits: int
    share: float | None
    sparse: bool


def stages(facts: Facts) -> tuple[Stage, ...]:
    """Return the core's stages in the order of the data."""
    manifest = facts.manifest
    scores = manifest.classes * manifest.score_bits
    index = max(1, (manifest.classes - 1).bit_length())
    kept = index + (scores if len(manifest.fields) > 1 else 0)
    word = len(manifest.fields) * manifest.field_bits

    return (
        _entry(facts),
        *_layers(facts),
        plain(
            "argmax",
            "largest score",
            index + scores,
            ("classes", f"{manifest.classes}"),
            ("latency", f"{facts.argmax_cycles}"),
            ("II", "1"),
        ),
        plain(
            "queue",
            "result FIFO",
            kept,
            ("depth", f"{manifest.segments[-1].queue_depth}"),
            ("latency", f"{facts.queue_cycles}"),
            ("II", "1"),
        ),
        plain(
            "pack",
            "bits to beats",
            manifest.out_beat_bits,
            ("word", f"{word}"),
            ("beats", f"{manifest.out_beats}"),
            ("II", f"{manifest.out_beats}"),
        ),
    )


def plain(name: str, kind: str, out_bits: int, *rows: tuple[str, str]) -> Stage:
    """Return a stage that is no layer."""
    return Stage(name, kind, rows, out_bits, None, sparse=False)


def _entry(facts: Facts) -> Stage:
    """Return what makes an image of the beats."""
    manifest, seen = facts.manifest, facts.network.encoding.map
    beats = ("beats", f"{manifest.in_beats}")
    if facts.takes_pixels:
        rows = [beats, ("pixels", f"{seen.positions:,}"), ("channels", f"{seen.channels}")]
        if manifest.threshold is not None:
            rows.append(("bit 1", f"\u2265 {manifest.threshold}"))
        return plain("pixels", "from beats", seen.word_bits, *rows)
    rows = [beats, ("latency", f"{manifest.in_beats}"), ("II", f"{manifest.in_beats}")]
    return plain("unpack", "beats to bits", manifest.bits, *rows)


def _layers(facts: Facts) -> list[Stage]:
    synthesis, last = facts.synthesis, facts.manifest.layers[-1]
    found = []
    for layer, seen in zip(facts.manifest.layers, facts.network.layers, strict=True):
        if isinstance(synthesis, Synthesis):
            cells = synthesis.layers[layer.name]
            lut, total = cells.lut, synthesis.total.lut
            counts = (("LUT", f"{lut:,}"), ("FF", f"{cells.ff:,}"))
        else:
            lut, total = facts.estimate[layer.name], sum(facts.estimate.values())
            counts = (("LUT", f"~{lut:,}"), ("FF", "not run"))
        bits = layer.mh * (facts.manifest.score_bits if layer is last else layer.output_bits)
        latency = ("latency", f"{layer.latency_cycles}")
        before, after = _around(facts, seen)
        if seen.pool:
            rows = (*before[:1], *before[2:-1], counts[0], latency, *after)
        else:
            rows = (*before[:-1], ("ones", f"{layer.ones:,}"), *counts, latency, before[-1], *after)
        kind = "scores" if layer is last else "popcounts"
        if seen.window is not None:
            kind = f"{times(seen.window.kernel)} {'max pool' if seen.pool else 'window'}"
        share = lut / max(total, 1)
        found.append(Stage(layer.name, kind, rows, bits, share, sparse=not seen.pool))
    return found


def times(sizes: Iterable[int]) -> str:
    """Return sizes as text, such as 28 x 28 x 1 without its spaces."""
    return "\u00d7".join(map(str, sizes))


def _around(facts: Facts, layer: SparseLayer) -> tuple[Rows, Rows]:
    """Return what makes the vectors of a layer, with its interval last, and the queue behind it."""
    interval = ("II", "1")
    if not facts.takes_pixels:
        return (interval,), ()
    segment = next(found for found in facts.manifest.segments if layer.name in found.layers)
    queue: Rows = ()
    if layer.name == segment.layers[-1] and segment is not facts.manifest.segments[-1]:
        queue = (("queue", f"{segment.queue_depth}"),)
    if layer.name != segment.layers[0]:
        return (interval,), queue
    height, width, channels, _ = segment.map
    seen = ("of", times((height, width, channels)))
    window = layer.window
    if window is None:  # the whole map, collected position by position
        return (seen, ("II", f"{height * width}")), queue
    across = set(window.stride)
    stride = times(window.stride) if len(across) > 1 else f"{window.stride[0]}"
    interval = ("II", f"{math.prod(window.padded)}")
    return (seen, ("stride", stride), ("vectors", f"{segment.vectors}"), interval), queue


def dataflow(facts: Facts) -> tuple[Node, Node]:
    """Return the picture for a wide page and the one for a narrow page."""
    parts = stages(facts)
    label = (
        f"Dataflow of {facts.manifest.model} on {facts.board.title}: "
        + ", ".join(stage.name for stage in parts)
        + ", inside its shell"
    )
    return _wide(facts, parts, label), _narrow(facts, parts, label)


def shell_ends(facts: Facts) -> tuple[str, str]:
    """Return what the shell has at the core's input and at its output."""
    if facts.board.uart is not None and facts.board.shell == "uart":
        return f"UART, FIFO {RX_DEPTH:,} bytes", f"UART, FIFO {TX_DEPTH:,} bytes"
    beats = "?" if facts.shell_beats is None else f"{facts.shell_beats}"
    return f"DMA, FIFO {beats} beats", f"DMA, FIFO {beats} beats"


def streams_line(facts: Facts) -> str:
    """Return what the stages beside the layers take, which yosys counts together."""
    parts = "unpack, argmax, queue and pack"
    if facts.takes_pixels:
        parts = "pixels, windows, argmax, queues and pack"
    if isinstance(facts.synthesis, Synthesis):
        cells = facts.synthesis.streams
        return f"{parts} together: {cells.lut:,} LUT, {cells.ff:,} FF"
    return f"{parts} together: {facts.estimate['streams']:,} LUT (estimate)"


def _wide(facts: Facts, parts: Sequence[Stage], label: str) -> Node:
    top = 66
    middle = top + TALL / 2
    tall = max(_height(stage) for stage in parts)
    width = 2 * (EDGE + PORT) + len(parts) * (BOX + GAP) + GAP
    core_left = EDGE + PORT + GAP - 7
    core_width = len(parts) * (BOX + GAP) - GAP + 14
    nodes = [
        element("rect", x=1, y=1, width=width - 2, height=top + tall + 50, rx=8, class_="shell"),
        element(
            "text",
            f"{facts.board.title}, {SHELLS[facts.board.shell]} shell",
            x=14,
            y=22,
            class_="strong",
        ),
        element(
            "rect",
            x=number(core_left),
            y=top - 30,
            width=number(core_width),
            height=tall + 66,
            rx=6,
            class_="core",
        ),
        element(
            "text", f"core {facts.manifest.top}", x=core_left + 10, y=top - 13, class_="strong"
        ),
        element("text", streams_line(facts), x=core_left + 10, y=top + tall + 24, class_="tick"),
        element(
            "text",
            "numbers on the wires: bits",
            x=number(core_left + core_width - 10),
            y=top + tall + 24,
            class_="tick end",
        ),
    ]
    before, after = shell_ends(facts)
    nodes += _port(EDGE, top, before)
    x = float(EDGE + PORT)
    bits = facts.manifest.in_beat_bits
    for stage in parts:
        nodes += _wire(x, middle, GAP, bits)
        x += GAP
        nodes += _box(stage, x, top)
        x, bits = x + BOX, stage.out_bits
    nodes += _wire(x, middle, GAP, bits)
    nodes += _port(x + GAP, top, after)
    return svg(width, top + tall + 52, *nodes, label=label, class_="plot flow")


def _port(x: float, top: float, text: str) -> list[Node]:
    middle = x + PORT / 2
    turned = f"rotate(-90 {number(middle)} {number(top + TALL / 2)})"
    return [
        element("rect", x=number(x), y=top, width=PORT, height=TALL, rx=4, class_="box"),
        element(
            "text",
            text,
            x=number(middle),
            y=number(top + TALL / 2 + 4),
            transform=turned,
            class_="tick middle",
        ),
    ]


def _wire(x: float, y: float, length: float, bits: int) -> list[Node]:
    """Return an arrow to the right; it grows with the logarithm of its width."""
    thick = 1 + min(bits.bit_length(), 12) / 2.5
    end = x + length
    return [
        element(
            "path",
            d=f"M{number(x + 1)} {number(y)}H{number(end - 6)}",
            class_="wire",
            stroke_width=number(thick),
        ),
        element(
            "path",
            d=f"M{number(end - 8)} {number(y - 5)}l7 5l-7 5z",
            class_="tip",
        ),
        element("text", f"{bits}", x=number(x + length / 2), y=number(y - 9), class_="bits middle"),
    ]


def _height(stage: Stage) -> int:
    return max(TALL, 71 + 15 * len(stage.rows))


def _box(stage: Stage, x: float, top: float) -> list[Node]:
    class_ = "box sparse" if stage.sparse else "box"
    tall = _height(stage)
    nodes = [
        element("rect", x=number(x), y=top, width=BOX, height=tall, rx=5, class_=class_),
        element("text", stage.name, x=number(x + 8), y=top + 20, class_="name"),
        element("text", stage.kind, x=number(x + 8), y=top + 36, class_="tick"),
    ]
    for i, (name, value) in enumerate(stage.rows):
        y = top + 58 + 15 * i
        nodes.append(element("text", name, x=number(x + 8), y=y, class_="tick"))
        nodes.append(element("text", value, x=number(x + BOX - 8), y=y, class_="value end"))
    if stage.share is not None:
        nodes += _gauge(stage.share, x + 8, top + tall - 12, BOX - 16)
    return nodes


def _gauge(share: float, x: float, y: float, width: float) -> list[Node]:
    hint = element("title", f"{share:.0%} of the core's LUTs")
    return [
        element("rect", x=number(x), y=number(y), width=number(width), height=5, class_="track"),
        element(
            "rect",
            hint,
            x=number(x),
            y=number(y),
            width=number(width * share),
            height=5,
            class_="teal",
        ),
    ]


def _narrow(facts: Facts, parts: Sequence[Stage], label: str) -> Node:
    before, after = shell_ends(facts)
    left, width = 14, NARROW - 28
    nodes: list[Node] = [
        element(
            "text",
            f"{facts.board.title}, {SHELLS[facts.board.shell]} shell",
            x=left,
            y=24,
            class_="strong",
        ),
    ]
    y = 36.0
    nodes += _bar(before, left, y, width)
    y += 28
    bits = facts.manifest.in_beat_bits
    for stage in parts:
        nodes += _drop(NARROW / 2, y, bits)
        y += 30
        nodes += _flat_box(stage, left, y, width)
        y, bits = y + _flat_height(stage), stage.out_bits
    nodes += _drop(NARROW / 2, y, bits)
    nodes += _bar(after, left, y + 30, width)
    y += 58
    cells = streams_line(facts).split(": ")
    nodes.append(element("text", f"{cells[0]}:", x=left, y=number(y + 22), class_="tick"))
    nodes.append(element("text", cells[1], x=left, y=number(y + 37), class_="tick"))
    frame = element("rect", x=1, y=1, width=NARROW - 2, height=number(y + 48), rx=8, class_="shell")
    return svg(NARROW, y + 50, frame, *nodes, label=label, class_="plot flow")


def _bar(text: str, x: float, y: float, width: float) -> list[Node]:
    return [
        element("rect", x=number(x), y=number(y), width=width, height=28, rx=4, class_="box"),
        element("text", text, x=number(x + width / 2), y=number(y + 18), class_="tick middle"),
    ]


def _drop(x: float, y: float, bits: int) -> list[Node]:
    thick = 1 + min(bits.bit_length(), 12) / 2.5
    return [
        element(
            "path",
            d=f"M{number(x)} {number(y + 1)}V{number(y + 23)}",
            class_="wire",
            stroke_width=number(thick),
        ),
        element("path", d=f"M{number(x - 5)} {number(y + 21)}l5 7l5 -7z", class_="tip"),
        element("text", f"{bits} bits", x=number(x + 12), y=number(y + 18), class_="bits"),
    ]


def _flat_lines(stage: Stage) -> int:
    """Return the lines of figures of a box of two columns."""
    return max(3, -(-len(stage.rows) // 2))


def _flat_height(stage: Stage) -> int:
    return 18 + 16 * _flat_lines(stage)


def _flat_box(stage: Stage, x: float, y: float, width: float) -> list[Node]:
    class_ = "box sparse" if stage.sparse else "box"
    tall = _flat_height(stage)
    nodes = [
        element("rect", x=number(x), y=number(y), width=width, height=tall, rx=5, class_=class_),
        element("text", stage.name, x=number(x + 10), y=number(y + 21), class_="name"),
        element("text", stage.kind, x=number(x + 10), y=number(y + 37), class_="tick"),
    ]
    for i, (name, value) in enumerate(stage.rows):
        column, row = divmod(i, _flat_lines(stage))
        right = x + 200 + 108 * column
        line = number(y + 19 + 16 * row)
        nodes.append(element("text", name, x=number(right - 84), y=line, class_="tick"))
        nodes.append(element("text", value, x=number(right), y=line, class_="value end"))
    if stage.share is not None:
        nodes += _gauge(stage.share, x + 10, y + 53, 90)
    return nodes
