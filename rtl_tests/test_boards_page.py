"""The build page against the reports it shows: figures, pictures, states, and what is not there."""

import hashlib
import json
import re
from dataclasses import replace
from importlib.resources import files as package_files
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from pages import (
    Page,
    add_model,
    add_proof,
    add_route,
    add_synthesis,
    build_folder,
    pictures,
    random_folder,
    read,
    small_network,
    state,
    whole_folder,
    wide_network,
)

from sbnn.boards.board import board_names, load_board
from sbnn.boards.page import write_index, write_page
from sbnn.boards.page.facts import read_facts
from sbnn.boards.page.sparsity import sparsity_map
from sbnn.boards.protocol import images_per_second
from sbnn.hls.design import Choices, make_design
from sbnn.hls.estimate import estimate_layers
from sbnn.hls.generate import generate
from sbnn.hls.manifest import load_manifest
from sbnn.hls.network import Network, SparseLayer, load
from sbnn.hls.rows import resolve

REPORTS = (
    *("report/synth.json", "report/route.json", "report/verification.json"),
    "report/proof.json",
)
ULX3S = load_board("ulx3s")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return whole_folder(tmp_path / "small" / "ulx3s")


def test_budget_is_what_the_reports_say(folder: Path) -> None:
    synthesis = json.loads((folder / "report/synth.json").read_text())
    route = json.loads((folder / "report/route.json").read_text())
    estimate = sum(estimate_layers(load_manifest(folder / "manifest.json"), "ecp5").values())
    rows = read(folder).tables[f"Use of {ULX3S.part} ({ULX3S.title})"]

    def line(source: str, count: int, budget: int) -> list[str]:
        return [source, f"{count:,}", f"{100 * count / budget:.1f} %", ""]

    wanted = [["step", "count", "share", "of the budget"]]
    for kind, name in (("lut", "LUT"), ("ff", "Flip-flops"), ("bram", "Block RAM")):
        budget = getattr(ULX3S.budget, kind)
        wanted.append([f"{name}, budget {budget:,}"])
        if kind == "lut":
            wanted.append(line("estimate, core", estimate, budget))
        wanted.append(line("synthesis, core", synthesis["total"][kind], budget))
        wanted.append(line("synthesis, core and shell", route["synthesis"][kind], budget))
        wanted.append(line("routed", route["routed"][kind]["used"], budget))
    assert rows == wanted


def test_stages_are_what_the_reports_say(folder: Path) -> None:
    report = json.loads((folder / "report/synth.json").read_text())
    (rows,) = (t for name, t in read(folder).tables.items() if name.startswith("The core by stage"))
    parts = {**report["layers"], "streams": report["streams"], "core": report["total"]}
    assert [row[0] for row in rows[1:]] == list(parts)
    for row in rows[1:]:
        part = parts[row[0]]
        assert row[2:4] == [f"{part['lut_estimate']:,}", f"{part['lut']:,}"]
        assert row[5:7] == [f"{part['ff']:,}", f"{part['bram']:,}"]


def test_timing_is_what_the_reports_say(folder: Path) -> None:
    manifest = load_manifest(folder / "manifest.json")
    route = json.loads((folder / "report/route.json").read_text())
    tables = read(folder).tables
    clock = route["clocks"]["clk"]
    assert tables["Clocks after routing with yosys, seed 5"][1:] == [
        ["clk", f"{clock['achieved_mhz']:.2f}", "25.00", "+36.27", "met"]
    ]
    latency = tables["From the first input beat to the first result beat"]
    assert [row[1:] for row in latency[1:]] == [
        [f"{manifest.latency_cycles / mhz:.3f} µs", f"{manifest.ii_cycles / mhz:.3f} µs"]
        for mhz in (25.0, clock["achieved_mhz"])
    ]
    line = int(images_per_second(ULX3S.uart.baud, manifest))
    assert [row[1] for row in tables["Throughput"][1:]] == [
        f"{route['images_per_second'][key]:,}" for key in ("core", "core_at_fmax", "line")
    ]
    assert route["images_per_second"]["line"] == line
    times = tables["How long the tools took, last real run of each"]
    assert times[1:] == [["synthesis", "12.5"], ["route", "34.5"], ["together", "47.0"]]


def test_evidence_is_what_the_reports_say(folder: Path) -> None:
    rows = read(folder).tables["From torch to the bitstream, each step against the one before it"]
    assert [row[1:] for row in rows[1:]] == [
        ["equal", "1,003"],
        ["equal", "207"],
        ["proved", "3,210"],
        ["proved", ""],
        ["equal", "217"],
        ["met", ""],
    ]
    assert rows[5][0].startswith("core = reference") and "verilator 5.48" in rows[5][0]
    assert "SHA-256 0123456789ab" in rows[5][0]


@pytest.mark.parametrize(
    ("undecided", "result"), [(0, "proved"), (3, "proved for 41 of 47")], ids=["whole", "in part"]
)
def test_proof_is_what_its_report_says(folder: Path, undecided: int, result: str) -> None:
    made = add_proof(folder, undecided)
    assert sum(layer["read"] for layer in made["layers"]) == 47
    write_page(folder)
    rows = read(folder).tables["From torch to the bitstream, each step against the one before it"]
    assert rows[4][1:] == [result, ""]
    assert "of up to 38 ones" in rows[4][0] and "7 modules wired in order" in rows[4][0]
    assert "report/proof.json" in rows[4][0]
    made["rtl_digest"] = "0" * 64
    (folder / "report" / "proof.json").write_text(json.dumps(made))
    write_page(folder)
    rows = read(folder).tables["From torch to the bitstream, each step against the one before it"]
    assert rows[4][1:] == ["not run", ""] and "is of other Verilog" in rows[4][0]


def test_argmax_takes_the_cycles_that_were_generated(tmp_path: Path) -> None:
    """Two a level where layers have one level between registers."""
    folder = tmp_path / "small" / "ulx3s"
    folder.mkdir(parents=True)
    network = small_network()
    network.save(folder.parent / "network.npz")
    for levels, cycles in ((1, 6), (2, 3)):
        generate(network, Choices(levels_per_stage=levels), "ulx3s", folder)
        spans = {name: length for name, _, length in read_facts(folder).spans}
        assert (spans["argmax"], spans["queue"]) == (cycles, 1)


def test_files_and_digests_are_real(folder: Path) -> None:
    page = read(folder)
    rows = page.tables["Paths are from the build folder"]
    listed = {row[0]: row[1:] for row in rows[1:]}
    for name, (size, digest) in listed.items():
        content = (folder / name).read_bytes()
        assert (size, digest) == (f"{len(content):,}", hashlib.sha256(content).hexdigest())
    manifest = load_manifest(folder / "manifest.json")
    wanted = {"manifest.json", "bitfile/small.bit", "../network.npz", "../model.onnx"}
    assert wanted | set(manifest.sources) | set(REPORTS) <= set(listed)
    assert [manifest.build_id, manifest.network_digest, manifest.rtl_digest] == [
        row[1] for row in page.tables["What this build is"][1:4]
    ]


def test_accuracy_is_training_s_own(folder: Path) -> None:
    source = package_files("sbnn.train") / "models" / "digits" / "metrics.json"
    metrics = json.loads(source.read_text())
    page = read(folder)
    assert "train/models/digits/metrics.json is of another trained file" in page.text.replace(
        "/ ", "/"
    )
    add_model(folder, metrics["trained_digest"])
    assert f"{100 * metrics['accuracy']['test']:.2f} %" in read(folder).words
    add_model(folder, metrics["trained_digest"], model="../digits")
    assert "unknown" in read(folder).words


def test_dataflow_is_the_generated_core(folder: Path) -> None:
    network = load(folder.parent / "network.npz")
    design = make_design(network, Choices(levels_per_stage=ULX3S.levels_per_stage))
    page = read(folder)
    drawings = re.findall(r'<svg [^>]*class="plot flow".*?</svg>', page.source)
    assert len(drawings) == 2
    for drawing in drawings:
        texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawing)
        widths = re.findall(r'<text[^>]*class="bits[^"]*">(\d+)(?: bits)?</text>', drawing)
        scores = network.classes * design.score_bits
        wires = [64, network.encoding.bits, *(layer.mh for layer in network.layers[:-1])]
        kept = design.index_bits + scores
        assert [int(width) for width in widths] == [*wires, scores, kept, kept, 64]
        depth = texts[texts.index("depth") + 1]
        assert depth == str(design.segments[-1].depth)
        latencies = [int(texts[i + 1]) for i, text in enumerate(texts) if text == "latency"]
        assert sum(latencies) == design.latency_cycles
        for layer, rtl in zip(network.layers, design.layers, strict=True):
            here = texts.index(layer.name)
            assert texts[texts.index("ones", here) + 1] == f"{layer.ones:,}"
            assert texts[texts.index("latency", here) + 1] == str(rtl.latency_cycles)


def test_the_maps_are_the_matrices(tmp_path: Path) -> None:
    network = small_network()
    page = read(build_folder(tmp_path / "small" / "ulx3s", network))
    receptive, first, second = pictures(page)
    for layer, map_ in zip(network.layers, (first, second), strict=True):
        assert np.array_equal(map_[:, :, 3] > 0, layer.w01)
        if layer.invert is not None:
            ones = layer.w01 & layer.invert[:, None]
            colours = {tuple(colour) for colour in map_[ones].tolist()}
            others = {tuple(colour) for colour in map_[layer.w01 & ~layer.invert[:, None]].tolist()}
            assert len(colours) == len(others) == 1 and colours != others
    counts = network.layers[0].w01.sum(0).reshape(network.layers[0].rails, 8, 6).sum(0)
    alpha = receptive[:, :, 3].astype(int)
    assert np.array_equal(alpha > 0, counts > 0)
    order = np.argsort(counts, axis=None)
    assert (np.diff(alpha.reshape(-1)[order]) >= 0).all()


def test_histograms_and_thresholds_count_every_neuron(tmp_path: Path) -> None:
    network = small_network()
    page = read(build_folder(tmp_path / "small" / "ulx3s", network))

    def count(pattern: str) -> int:
        found = (re.fullmatch(pattern, title) for title in page.titles)
        return sum(int(match[1]) for match in found if match)

    hidden, last = network.layers
    assert hidden.invert is not None and hidden.invert.any()
    assert count(r"(\d+) (?:inverted )?neurons?, each with .* ones") == hidden.mh + last.mh
    assert count(r"(\d+) inverted neurons?, each with .* ones") == int(hidden.invert.sum())
    assert count(r"(\d+) (?:inverted )?neurons? with \d+ ones?, threshold .*") == hidden.mh


def test_layer_figures(tmp_path: Path) -> None:
    network = small_network()
    page = read(build_folder(tmp_path / "small" / "ulx3s", network))
    found = re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", page.source)
    for layer, rows in zip(network.layers, resolve(network), strict=True):
        ones = layer.w01.sum(1)
        assert (
            "ones per neuron",
            f"{ones.min()} to {ones.max()}, median {np.median(ones):g}",
        ) in found
        if layer.invert is not None:
            assert ("inverted neurons", str(layer.invert.sum())) in found
            assert ("constant neurons", str(len(rows.constants))) in found


def test_equal_inputs_give_equal_bytes(tmp_path: Path) -> None:
    first = whole_folder(tmp_path / "one" / "ulx3s")
    second = whole_folder(tmp_path / "quite" / "another place" / "ulx3s")
    text = write_page(first).read_bytes()
    assert text == write_page(first).read_bytes() == write_page(second).read_bytes()
    assert str(tmp_path).encode() not in text


def test_the_page_needs_nothing_else(folder: Path) -> None:
    page = read(folder)
    assert "script" not in {tag for tag, _ in page.elements}
    for _, attributes in page.elements:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in ("href", "src"):
                assert value and (value.startswith(("#", "data:")))
    assert "url(" not in page.source and "@import" not in page.source
    assert (
        re.findall(r"https?://[^\"]*", page.source.replace("http://www.w3.org/2000/svg", "")) == []
    )


def test_a_page_of_the_tracked_models_size_is_small(tmp_path: Path) -> None:
    path = write_page(build_folder(tmp_path / "wide" / "ulx3s", wide_network()))
    assert 100_000 < path.stat().st_size < 500_000


def test_a_layer_beyond_a_screen_is_averaged(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    w01 = rng.random((2100, 3301)) < 0.01
    w01[:1050] = False
    zeros = np.zeros(2100, np.int64)
    layer = SparseLayer("big", w01.astype(np.uint8), zeros, 0, offset=zeros)
    text = ElementTree.tostring(sparsity_map(layer), "unicode")
    assert len(text) < 1_500_000
    (size,) = re.findall(r'<svg [^>]*width="(\d+)"', text)
    assert int(size) < 1800


@pytest.mark.parametrize("seed", range(12))
def test_any_network_has_a_page(tmp_path: Path, seed: int) -> None:
    folder = random_folder(tmp_path / "random" / "ulx3s", seed)
    network: Network = load(folder.parent / "network.npz")
    page = read(folder)
    assert "nan" not in page.source.lower().split("<main>")[1].replace("nanosecond", "")
    assert len(pictures(page)) == len(network.layers) + 1
    for layer in network.layers:
        assert f"{layer.ones:,} of {layer.w01.size:,}" in page.text


def test_the_index_lists_every_build(tmp_path: Path) -> None:
    build = tmp_path / "build"
    made = whole_folder(build / "a&b" / "ulx3s")
    build_folder(build / "a&b" / "pynq-z2", small_network(), "pynq-z2")
    broken = whole_folder(build / "gone" / "ulx3s")
    (broken / "report/route.json").write_text("{}")
    write_page(made)
    path = write_index(build)
    assert path == build / "index.html"
    page = Page(path)
    (rows,) = page.tables.values()
    route = json.loads((made / "report/route.json").read_text())
    lut, clock = route["routed"]["lut"]["used"], route["clocks"]["clk"]["achieved_mhz"]
    assert [row[:2] for row in rows[1:3]] == [
        ["a&b on pynq-z2", "not run"],
        ["a&b on ulx3s", "bitstream made"],
    ]
    assert rows[1][6:8] == ["estimate", "not run"]
    assert rows[2][4] == f"{lut:,}" and rows[2][6:8] == ["routed", f"{clock:.2f}"]
    assert rows[3][:2] == ["gone on ulx3s", "gone/ulx3s/report/route.json: build_id is missing"]
    (link,) = page.attributes("a")
    assert link["href"] == "a%26b/ulx3s/report/index.html"
    assert path.read_bytes() == write_index(build).read_bytes()


def test_an_index_of_nothing(tmp_path: Path) -> None:
    assert "There is no build here yet" in Page(write_index(tmp_path)).text


def test_a_zynq_bitstream_of_either_flow(tmp_path: Path) -> None:
    folder = build_folder(tmp_path / "small" / "pynq-z2", small_network(), "pynq-z2")
    add_synthesis(folder)
    add_route(folder, mhz=123.0, backend="vivado", timed=False)
    page = read(folder)
    board = load_board("pynq-z2")
    steps = [row[0] for row in page.tables[f"Use of {board.part} ({board.title})"]]
    assert "synthesis, core and shell" not in steps and steps.count("routed") == 3
    assert "Tool times were not recorded" in page.text
    assert state(page)[0] == "bitstream made"
    assert "scp -r deploy" in page.text and "ttyUSB" not in page.text
    add_route(folder, mhz=123.0, backend="openxc7")
    page = read(folder)
    steps = [row[0] for row in page.tables[f"Use of {board.part} ({board.title})"]]
    assert steps.count("synthesis, core and shell") == 3
    assert "optimistic, so 1.15 times the board's clock is asked for" in page.text


@pytest.mark.parametrize(("board", "suffix"), [("icebreaker", ".bin"), ("tang-nano-20k", ".fs")])
def test_bitstreams_of_other_families(tmp_path: Path, board: str, suffix: str) -> None:
    folder = build_folder(tmp_path / "small" / board, small_network(), board)
    add_route(folder, bitfile=False)
    (folder / "bitfile").mkdir()
    (folder / "bitfile" / f"small{suffix}").write_bytes(b"bits")
    page = read(folder)
    assert state(page) == (
        "bitstream made",
        f"bitfile/small{suffix} was made by the yosys backend.",
    )
    assert load_board(board).program.replace("{bit}", f"bitfile/small{suffix}") in page.text


@pytest.mark.parametrize("board", board_names())
def test_every_board_has_a_page(tmp_path: Path, board: str) -> None:
    page = read(whole_folder(tmp_path / "small" / board, board=board))
    assert state(page)[0] in ("bitstream made", "refused")
    assert load_board(board).title in page.text


def test_a_dense_network_is_called_dense(tmp_path: Path) -> None:
    network = small_network()
    assert "% zeros)" in read(build_folder(tmp_path / "small" / "ulx3s", network)).text
    layers = tuple(
        replace(
            layer,
            rails=1,
            weight=layer.weight[:, : layer.inputs],
            xi_frac=1,
            xi_num=0 * layer.xi_num - 1,
        )
        for layer in network.layers
    )
    folder = build_folder(tmp_path / "dense" / "ulx3s", replace(network, layers=layers))
    assert "(dense, -1 and +1)" in read(folder).text
