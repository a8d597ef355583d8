"""All that a build folder says of itself, read and checked once: the page's only input."""

import re
from dataclasses import dataclass
from importlib.resources import files as package_files
from itertools import accumulate
from pathlib import Path

from sbnn.boards.board import Board, BoardError, load_board
from sbnn.boards.page.reports import (
    Accuracy,
    Check,
    Export,
    Lowering,
    NotRun,
    Proof,
    Route,
    Synthesis,
    read_accuracy,
    read_checks,
    read_export,
    read_lowering,
    read_proof,
    read_route,
    read_synthesis,
)
from sbnn.hls.estimate import estimate_layers
from sbnn.hls.facts import SegmentFacts
from sbnn.hls.manifest import Manifest, load_manifest
from sbnn.hls.network import Network, load
from sbnn.hls.proof import REPORT as PROOF
from sbnn.hls.rows import LayerRows, resolve
from sbnn.train.files import digest

# Beside these the folder holds logs, stages and copies: large, and of no use to a reader of the page.
LISTED = ("manifest.json", "bitfile/*", "report/*.json", "report/*.rpt", "rtl/*", "shell/*")
# Of a bitstream: as the loaders of the families want it.
SUFFIXES = (".bit", ".bin", ".fs")
ABOVE = ("network.npz", "model.onnx", "export.json", "lower.json")


@dataclass(frozen=True)
class File:
    """A file of the build: its path from the build folder, bytes, SHA-256."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True, eq=False)
class Facts:
    """A build folder as plain data.

    Attributes:
        board: the board.
        manifest: the generated core.
        network: the integer network that it was generated from.
        rows: what each neuron of each layer counts.
        estimate: {layer: LUT}, with `streams` for the rest of the core.
        shell_beats: beats that a queue of the Zynq shell holds; None for other shells.
        synthesis: yosys's counts of the core.
        route: the routed design.
        checks: what the bitstream flow verified.
        export: the comparison of QONNX with torch.
        lowering: the comparison of the integer network with QONNX.
        proof: of the layers' Verilog, for all inputs.
        accuracy: of the trained file.
        bitfile: the bitstream's path from the build folder; None where there is none.
        files: what the folder holds.
    """

    board: Board
    manifest: Manifest
    network: Network
    rows: tuple[LayerRows, ...]
    estimate: dict[str, int]
    shell_beats: int | None
    synthesis: Synthesis | NotRun
    route: Route | NotRun
    checks: tuple[Check, ...] | NotRun
    export: Export | NotRun
    lowering: Lowering | NotRun
    proof: Proof | NotRun
    accuracy: Accuracy | NotRun
    bitfile: str | None
    files: tuple[File, ...]

    @property
    def takes_pixels(self) -> bool:
        """Whether images enter pixel by pixel, so that a core is a chain of windows and queues."""
        return self.manifest.encoding == "bytes"

    @property
    def argmax_cycles(self) -> int:
        """Cycles from the scores to the class."""
        last = self.manifest.segments[-1]
        latency = {layer.name: layer.latency_cycles for layer in self.manifest.layers}
        return last.cycles - sum(latency[name] for name in last.layers)

    @property
    def queue_cycles(self) -> int:
        """Cycles that a result spends in the last queue."""
        last = self.manifest.segments[-1]  # of one vector an image
        return self.manifest.latency_cycles - (last.begin + 1 + last.cycles)

    @property
    def spans(self) -> tuple[tuple[str, int, int], ...]:
        """(stage, first cycle, cycles) of an image, in order, cycle 0 being that of its first beat.

        Where pixels enter, a stage is a segment, from its first vector to its last result.
        """
        manifest, segments = self.manifest, self.manifest.segments
        result = ("result out", manifest.latency_cycles, manifest.out_beats)
        if self.takes_pixels:
            fed = segments[0].end - segments[0].cycles
            spans = [(_names(found), found.begin, found.end - found.begin) for found in segments]
            return (("image in", 0, fed), *spans, result)
        stages = [
            ("image in", manifest.in_beats),
            *((layer.name, layer.latency_cycles) for layer in manifest.layers),
            ("argmax", self.argmax_cycles),
            ("queue", self.queue_cycles),
        ]
        begins = accumulate((cycles for _, cycles in stages), initial=0)
        found = [(name, begin, n) for (name, n), begin in zip(stages, begins, strict=False)]
        return (*found, result)


def read_facts(folder: Path) -> Facts:
    """Read build/<model>/<board> and, beside it, the model's own files.

    Raises:
        UserError: no manifest, network or board, or a file that is none or contradicts another. What
            was not run or belongs to another build is no error: it is a `NotRun`.
    """
    manifest = load_manifest(folder / "manifest.json")
    board = load_board(manifest.board)
    network = _network(folder, manifest)
    export = read_export(folder.parent / "export.json", folder.parent / "model.onnx")
    facts = Facts(
        board=board,
        manifest=manifest,
        network=network,
        rows=resolve(network),
        estimate=estimate_layers(manifest, board.family),
        shell_beats=_shell_beats(board),
        synthesis=read_synthesis(folder / "report" / "synth.json", manifest, board),
        route=read_route(folder / "report" / "route.json", manifest),
        checks=read_checks(folder / "report" / "verification.json", manifest),
        export=export,
        lowering=read_lowering(folder.parent / "lower.json", manifest),
        proof=read_proof(folder / PROOF, manifest),
        accuracy=read_accuracy(export),
        bitfile=_bitfile(folder, manifest),
        files=_files(folder),
    )
    if facts.queue_cycles < 0:
        raise BoardError(
            f"{folder / 'manifest.json'}: latency_cycles is {manifest.latency_cycles}, "
            "less than its stages take together"
        )
    return facts


def _network(folder: Path, manifest: Manifest) -> Network:
    path = folder.parent / "network.npz"
    if not path.is_file():
        raise BoardError(f"{path}: no such file; make hls writes it")
    network = load(path)
    if network.digest() != manifest.network_digest:
        raise BoardError(
            f"{folder / 'manifest.json'}: was generated from network {manifest.network_digest[:12]}, "
            f"but {path} is {network.digest()[:12]}; make hls generates it again"
        )
    found = [(layer.name, layer.mh, layer.mw, layer.ones) for layer in manifest.layers]
    wanted = [(layer.name, layer.mh, layer.mw, layer.ones) for layer in network.layers]
    if found != wanted:
        raise BoardError(f"{folder / 'manifest.json'}: layers are {found}, needs {wanted}")
    return network


def _names(segment: SegmentFacts) -> str:
    first, *rest = segment.layers
    return f"{first} to {rest[-1]}" if len(rest) > 1 else ", ".join(segment.layers)


def _shell_beats(board: Board) -> int | None:
    if board.shell != "zynq":
        return None
    shell = package_files("sbnn.boards") / "shells" / "zynq" / "sbnn_zynq_shell.sv"
    found = re.search(r"parameter QUEUE_BITS = (\d+)", shell.read_text(encoding="utf-8"))
    return 1 << int(found[1]) if found else None


def _bitfile(folder: Path, manifest: Manifest) -> str | None:
    names = (f"bitfile/{manifest.model}{suffix}" for suffix in SUFFIXES)
    return next((name for name in names if (folder / name).is_file()), None)


def _files(folder: Path) -> tuple[File, ...]:
    paths = [path for entry in LISTED for path in sorted(folder.glob(entry)) if path.is_file()]
    named = [(path.relative_to(folder).as_posix(), path) for path in paths]
    above = [folder.parent / name for name in ABOVE]
    named += [(f"../{path.name}", path) for path in above if path.is_file()]
    return tuple(
        File(name, path.stat().st_size, digest(path.read_bytes()))
        for name, path in named
        if not path.name.startswith(".")
    )
