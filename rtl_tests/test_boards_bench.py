"""The READMEs' tables are what the tracked results say, and what makes them counts right."""

import sys

import pytest

from sbnn.boards.__main__ import BENCH_PARTS
from sbnn.boards.backends import yosys
from sbnn.boards.bench import (
    BITSTREAMS,
    PARTS,
    bench,
    draw_accuracy,
    marks,
    metrics,
    read_results,
    tables,
    with_table,
)
from sbnn.boards.bench_figure import FIGURE, read_published
from sbnn.boards.board import board_names, load_board
from sbnn.boards.spent import spend
from sbnn.hls.tools import ToolError


def test_readmes_show_the_tracked_results():
    for readme, named in tables().items():
        text = readme.read_text()
        for name, table in named.items():
            assert with_table(text, table, name) == text, (readme, name)


def test_the_figure_shows_the_tracked_results(tmp_path):
    draw_accuracy(tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == FIGURE.read_bytes()
    text = FIGURE.read_text()
    for point in read_published():
        assert point["name"] in text
        assert point["source"]


def test_parts_are_listed_and_known():
    assert list(BENCH_PARTS) == list(PARTS)
    with pytest.raises(ToolError) as caught:
        bench(["tables", "everything"])
    assert str(caught.value) == f"bench everything: not known; there are: {', '.join(PARTS)}"


def test_a_child_is_charged_for_what_it_takes(tmp_path):
    idle = spend([sys.executable, "-c", "pass"], tmp_path, tmp_path / "log")
    code = "x = b'1' * (300 << 20); sum(range(8_000_000)); print('done')"
    busy = spend([sys.executable, "-c", code], tmp_path, tmp_path / "log")
    assert busy.seconds > idle.seconds > 0
    assert idle.peak_mb + 250 < busy.peak_mb < idle.peak_mb + 400
    assert (tmp_path / "log").read_text() == "done\n"
    with pytest.raises(ToolError) as caught:
        spend([sys.executable, "-c", "raise SystemExit('no')"], tmp_path, tmp_path / "log")
    assert str(caught.value).endswith(f"failed (no); its log is {tmp_path}/log")


def test_readme_of_the_boards_shows_the_tracked_bitstreams():
    """Boards that need nothing but pip, each within its budget and fast enough."""
    results = read_results()["boards"]
    assert len(results) >= 3
    assert list(results) == [name for name in BITSTREAMS if name in results]
    assert sorted(BITSTREAMS) == [n for n in board_names() if yosys.NAME in load_board(n).flows]
    for name, made in results.items():
        board = load_board(name)
        assert made["model"] == BITSTREAMS[name]
        clock = made["clocks"]["clk"]
        assert clock["achieved_mhz"] >= clock["needed_mhz"] == board.clock.mhz
        for kind, used in made["routed"].items():
            assert used["used"] <= used["budget"] == getattr(board.budget, kind)


def test_results_are_of_the_tracked_trained_files():
    """The ones of each result are those of its model's metrics, and so of its trained file."""
    results, trained = read_results()["models"], metrics()
    for name, figures in results.items():
        assert figures["ones"] == trained[name]["sparsity"]["ones"], name
        for family in figures["synthesis"].values():
            layers = [layer for layer in family["layers"].values() if not layer["pool"]]
            assert sum(layer["ones"] for layer in layers) == figures["ones"]


def test_estimates_are_within_15_percent_of_synthesis():
    for name, figures in read_results()["models"].items():
        for family, report in figures["synthesis"].items():
            for layer, counts in report["layers"].items():
                ratio = counts["lut_estimate"] / counts["lut"]
                assert abs(ratio - 1) < 0.15, (name, family, layer, ratio)


def test_a_readme_without_its_marks_is_refused():
    begin, end = marks("layers, LUT6")
    with pytest.raises(ToolError) as caught:
        with_table("no marks", "table", "layers, LUT6")
    assert str(caught.value) == f"table layers, LUT6: the lines {begin} and {end} are missing"
    made = with_table(f"a\n{begin}\nold\n{end}\nb", "new", "layers, LUT6")
    assert made == f"a\n{begin}\nnew\n{end}\nb"
