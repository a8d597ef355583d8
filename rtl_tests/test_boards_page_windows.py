"""The build page of networks with windows: dataflow, segments in time, kernels as tiles and in numbers."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import random_conv_network
from pages import build_folder, pictures, read

from sbnn.boards.board import load_board
from sbnn.hls.design import Choices, make_design
from sbnn.train.kernels import count_kernels

ULX3S = load_board("ulx3s")


@pytest.mark.parametrize(("seed", "bits"), [*((seed, 1) for seed in range(6)), (3, 4), (11, 4)])
def test_dataflow_and_timing_of_windows(tmp_path: Path, seed: int, bits: int) -> None:
    network = random_conv_network(seed, bits=bits)
    folder = build_folder(tmp_path / network.name / "ulx3s", network)
    design = make_design(network, Choices(levels_per_stage=ULX3S.levels_per_stage))
    page = read(folder)
    drawings = re.findall(r'<svg [^>]*class="plot flow".*?</svg>', page.source)
    assert len(drawings) == 2
    for drawing in drawings:
        texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawing)
        widths = re.findall(r'<text[^>]*class="bits[^"]*">(\d+)(?: bits)?</text>', drawing)
        scores = network.classes * design.score_bits
        wires = [
            64,
            network.encoding.map.word_bits,
            *(seen.word_bits for seen in network.maps[1:-1]),
        ]
        kept = design.index_bits + scores
        assert [int(width) for width in widths] == [*wires, scores, kept, kept, 64]
        depths = [texts[i + 1] for i, text in enumerate(texts) if text in ("queue", "depth")]
        wanted = [str(segment.depth) for segment in design.segments]
        assert [depth for depth in depths if depth.isdigit()] == wanted
        for segment in design.segments:
            here = texts.index(segment.layer.name)
            seen = segment.seen
            assert texts[texts.index("of", here) + 1] == (
                f"{seen.height}×{seen.width}×{seen.channels}"
            )
            if segment.layer.window is not None:
                assert texts[texts.index("vectors", here) + 1] == str(segment.vectors)
    for i in range(3):
        for segment, (begin, end) in zip(design.segments, design.spans, strict=True):
            first, last = begin + i * design.ii_cycles, end - 1 + i * design.ii_cycles
            found = rf"image {i + 1}: {segment.layer.name}[\w, ]*, cycles {first} to {last}"
            assert any(re.fullmatch(found, title) for title in page.titles)


@pytest.mark.parametrize("seed", range(6))
def test_tiles_and_kernel_counts_are_the_connections(tmp_path: Path, seed: int) -> None:
    network = random_conv_network(seed)
    page = read(build_folder(tmp_path / network.name / "ulx3s", network))
    found = re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd>", page.source)
    drawn = pictures(page)
    layers = [layer for layer in network.layers if not layer.pool]
    assert len(drawn) == len(layers) + (layers[0].window is None)
    for layer, picture in zip(layers, drawn[-len(layers) :], strict=True):
        if layer.window is None:
            assert np.array_equal(picture[:, :, 3] > 0, layer.w01)
            continue
        rows, columns = layer.window.kernel
        tiles = layer.w01.reshape(layer.mh, layer.rails, rows, columns, -1)
        kernels = [
            tiles[output, rail, :, :, channel]
            for output in range(layer.mh)
            for rail in range(layer.rails)
            for channel in range(tiles.shape[-1])
        ]
        across = layer.mw // layer.window.taps
        for i, kernel in enumerate(kernels):
            y, x = divmod(i, across)
            if layer.mh > across:
                x, y = y, x
            top, left = y * (rows + 1), x * (columns + 1)
            shown = picture[top : top + rows, left : left + columns]
            assert np.array_equal(shown[:, :, 3] == 255, kernel)
        counts = count_kernels(torch.tensor(np.array(kernels)[:, None]), layer.output.positions)
        shares = counts.shares()
        saved = f"{100 * shares['bops_pr']:.1f} %, wired {100 * shares['bops_pr_fpga']:.1f} %"
        assert ("operations saved (BOPs PR)", saved) in found
        ones = [int(kernel.sum()) for kernel in kernels]
        for name, count in (("no 1 (K_0)", ones.count(0)), ("one 1 (K_1)", ones.count(1))):
            share = f"{100 * count / len(ones):.1f} %"
            assert (f"kernels with {name}", f"{count:,} of {len(ones):,} ({share})") in found
    weights = sum(layer.w01.size for layer in layers)
    assert f"ones of {weights:,} weights" in page.text
