"""Build folders for the tests of the build page, and readers of the page that share nothing with it."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
from networks import pool_layer, random_layer, random_network
from numpy.typing import NDArray
from PIL import Image

from sbnn.boards.backends.bitstream import write_report
from sbnn.boards.board import load_board
from sbnn.boards.page import write_page
from sbnn.boards.reports import Timing
from sbnn.hls.design import Choices
from sbnn.hls.generate import generate
from sbnn.hls.manifest import load_manifest
from sbnn.hls.maps import Window
from sbnn.hls.network import InputEncoding, Network, SparseLayer
from sbnn.hls.proof import REPORT
from sbnn.hls.proof.prove import CoreProof, LayerProof, proof_report
from sbnn.hls.synth import make_report
from sbnn.train.files import digest

VOID = {"meta", "link", "wbr", "br", "img"}


def build_folder(folder: Path, network: Network, board: str = "ulx3s") -> Path:
    """Generate a core, without any report."""
    folder.mkdir(parents=True, exist_ok=True)
    network.save(folder.parent / "network.npz")
    levels = load_board(board).levels_per_stage
    generate(network, Choices(levels_per_stage=levels), board, folder)
    return folder


def small_network(seed: int = 3) -> Network:
    """Return a network with inverted neurons, xi in one layer and 8 x 6 images."""
    rng = np.random.default_rng(seed)
    layers = [
        random_layer(rng, "fc1", 48, 40, last=False),
        random_layer(rng, "fc2", 40, 7, last=True),
    ]
    return Network("small", InputEncoding((8, 6), 100), tuple(layers))


def add_synthesis(folder: Path, lut: int = 100) -> dict[str, Any]:
    """Write report/synth.json by the function that makes it, from made-up cells; return it."""
    manifest = load_manifest(folder / "manifest.json")
    family = load_board(manifest.board).family
    cell, flop = ("LUT4", "TRELLIS_FF") if family == "ecp5" else ("LUT6", "FDRE")
    cells = {
        f"\\{name}": {"num_cells_by_type": {cell: lut + 11 * i, flop: 70 + 13 * i}}
        for i, name in enumerate([*(layer.module for layer in manifest.layers), manifest.top])
    }
    report = make_report(manifest, cells, family)
    _write(folder / "report" / "synth.json", report)
    return report


def add_route(
    folder: Path, mhz: float = 61.27, bitfile: bool = True, backend: str = "", timed: bool = True
) -> dict[str, Any]:
    """Write report/route.json by the function that makes it, from made-up figures; return it."""
    manifest = load_manifest(folder / "manifest.json")
    board = load_board(manifest.board)
    if bitfile:
        (folder / "bitfile").mkdir(exist_ok=True)
        (folder / "bitfile" / f"{manifest.model}.bit").write_bytes(b"\xff\x00 not really one")
    return write_report(
        folder,
        board,
        manifest,
        backend=backend or board.flows[0],
        tools={"placer": "1.2", "router": "3.4"},
        seed=5,
        synthesis={"lut": 1511, "ff": 622, "bram": 2},
        routed={"lut": 1523, "ff": 633, "bram": 3, "dsp": 0},
        clocks={"clk": Timing(mhz, board.clock.mhz)},
        seconds={"synthesis": 12.5, "route": 34.5} if timed else {},
    )


def add_checks(folder: Path, **changes: Any) -> dict[str, Any]:
    """Write report/verification.json with one check, whose entries `changes` replaces; return it."""
    manifest = load_manifest(folder / "manifest.json")
    check = {
        "name": "core = reference",
        "what": "classes and scores of 200 tracked images",
        "vectors": 217,
        "vectors_digest": "0123456789abcdef" * 4,
        "result": "equal",
        "tool": "verilator 5.48",
        "seconds": 1.5,
    }
    report = {
        "format": "sbnn-verification-1",
        "network_digest": manifest.network_digest,
        "rtl_digest": manifest.rtl_digest,
        "checks": [check | changes],
    }
    _write(folder / "report" / "verification.json", report)
    return report


def add_proof(folder: Path, undecided: int = 0) -> dict[str, Any]:
    """Write report/proof.json by the function that makes it, from a made-up proof; return it."""
    manifest = load_manifest(folder / "manifest.json")
    layers = tuple(
        LayerProof(layer.name, layer.mh, layer.mh - undecided, (*range(undecided),), 38, 1, 2.5)
        for layer in manifest.layers
    )
    path = folder / REPORT
    path.parent.mkdir(exist_ok=True)
    path.write_text(proof_report(manifest, CoreProof(layers, 7)))
    return json.loads(path.read_text())


def add_model(folder: Path, trained: str, model: str = "digits") -> dict[str, Any]:
    """Write model.onnx, export.json and lower.json of the model beside the folder; return export.json."""
    onnx = b"a graph"
    (folder.parent / "model.onnx").write_bytes(onnx)
    export = {
        "sbnn.model": model,
        "sbnn.version": "0.1.0",
        "sbnn.trained_digest": trained,
        "qonnx_digest": digest(onnx),
        "compared": {
            "images": 1003,
            "images_from": "some test set",
            "layers": ["act1"],
            "hidden_bits": 40120,
            "max_score_difference": 0.0,
        },
    }
    _write(folder.parent / "export.json", export)
    lower = {
        "network_digest": load_manifest(folder / "manifest.json").network_digest,
        "score_unit": "1/2",
        "passes": ["original"],
        "proved": [{"layer": "fc1", "neurons": 40, "sums": 3210, "constant": 2}],
        "finn_float32_roundings": [],
        "compared": {"images": 207, "from": "a sample", "score_ties_parted_by_float32": 0},
    }
    _write(folder.parent / "lower.json", lower)
    return export


def whole_folder(folder: Path, network: Network | None = None, board: str = "ulx3s") -> Path:
    """Return a build folder with every report."""
    build_folder(folder, network or small_network(), board)
    add_synthesis(folder)
    add_route(folder)
    add_proof(folder)
    add_checks(folder)
    add_model(folder, "0" * 64)
    return folder


def wide_network() -> Network:
    """Return a random network of the tracked MNIST models' shape and number of ones."""
    rng = np.random.default_rng(1)
    layers = []
    for name, inputs, outputs, density in (
        ("fc1", 784, 256, 0.027),
        ("fc2", 256, 256, 0.077),
        ("fc3", 256, 10, 0.5),
    ):
        weight = (rng.random((outputs, inputs)) < density).astype(np.uint8)
        ones = weight.sum(1, dtype=np.int64)
        zeros = np.zeros(outputs, np.int64)
        if name == "fc3":
            layers.append(SparseLayer(name, weight, zeros, 0, offset=-ones))
        else:
            threshold = (ones // 2 + rng.integers(-3, 3, outputs))[:, None]
            invert = rng.random(outputs) < 0.5
            layers.append(SparseLayer(name, weight, zeros, 0, threshold=threshold, invert=invert))
    return Network("wide", InputEncoding((28, 28), 128), tuple(layers))


def window_network() -> Network:
    """Return a network of 8-bit pixels in three channels: padded windows, a pool, all of a map, scores."""
    rng = np.random.default_rng(2)
    encoding = InputEncoding((16, 12, 3), None)
    slides = Window(16, 12, (3, 3), (1, 1), (1, 1, 1, 1)), Window(8, 6, (3, 3))
    first = random_layer(rng, "conv1", 27, 24, False, slides[0], 8)
    pool = pool_layer("pool1", first.output, 2, np.zeros(24, bool))
    second = random_layer(rng, "conv2", 9 * 24, 40, False, slides[1])
    full = random_layer(rng, "fc3", second.output.values, 50, False)
    last = random_layer(rng, "fc4", 50, 10, last=True)
    return Network("windows", encoding, (first, pool, second, full, last))


def random_folder(folder: Path, seed: int) -> Path:
    """Return a build folder of a random network without reports."""
    return build_folder(folder, random_network(seed, largest=40))


class Page(HTMLParser):
    """A page as a reader sees it: elements with their attributes, all text, tables by caption."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.titles: list[str] = []
        self._open: list[str] = []
        self._caption = ""
        self.feed(self.source)
        assert not self._open, f"not closed: {self._open}"

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [found for name, found in self.elements if name == tag]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "caption":
            self._caption = ""
        if tag == "tr":
            self.tables.setdefault(self._caption, []).append([])
        if tag in ("td", "th"):
            self.tables[self._caption][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        if "title" in self._open:
            self.titles.append(data)
            return
        if "caption" in self._open:
            self._caption += data
        for cell in ("td", "th"):
            if cell in self._open:
                self.tables[self._caption][-1][-1] += data
        self.words.append(data)


def pictures(page: Page) -> list[NDArray[np.uint8]]:
    """Return the embedded PNG files of a page, each (height, width, 4), as another library reads them."""
    found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", page.source)
    return [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGBA")) for text in found
    ]


def _write(path: Path, table: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(table, indent=2))


def read(folder: Path, refusal: str | None = None) -> Page:
    """Write the page of a folder and read it."""
    return Page(write_page(folder, refusal))


def state(page: Page) -> tuple[str, str]:
    """Return the word of the headline and the sentence behind it."""
    pattern = r'<p class="state"><span class="badge [\w-]+">(.*?)</span><span>(.*?)</span>'
    found = re.search(pattern, page.source)
    assert found
    return found[1], found[2]
