"""The README's table is what the tracked reports say."""

import pytest

from sbnn.boards.backends import yosys
from sbnn.boards.bench import (
    BEGIN,
    BITSTREAMS,
    BOARDS,
    END,
    ESTIMATED,
    MEASURED,
    ROOT,
    metrics,
    read_results,
    results_table,
    with_table,
)
from sbnn.boards.board import board_names, load_board
from sbnn.boards.table import bitstream_table
from sbnn.hls.tools import ToolError

README = ROOT / "README.md"


def test_readme_shows_the_tracked_results():
    results = read_results()["models"]
    assert list(results) == [*MEASURED, *ESTIMATED]
    text = README.read_text()
    assert with_table(text, results_table(results, metrics())) == text


def test_readme_of_the_boards_shows_the_tracked_bitstreams():
    """One of every board that needs nothing but pip, within its budget and fast enough."""
    results = read_results()["boards"]
    assert list(results) == list(BITSTREAMS)
    assert sorted(results) == [n for n in board_names() if yosys.NAME in load_board(n).flows]
    text = (BOARDS / "README.md").read_text()
    assert with_table(text, bitstream_table(results)) == text
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
            assert sum(layer["ones"] for layer in family["layers"].values()) == figures["ones"]


def test_estimates_are_within_15_percent_of_synthesis():
    for name, figures in read_results()["models"].items():
        for family, report in figures["synthesis"].items():
            for layer, counts in report["layers"].items():
                ratio = counts["lut_estimate"] / counts["lut"]
                assert abs(ratio - 1) < 0.15, (name, family, layer, ratio)


def test_a_readme_without_its_marks_is_refused():
    with pytest.raises(ToolError) as caught:
        with_table("no marks", "table")
    assert str(caught.value) == f"README.md: the lines {BEGIN} and {END} are missing"
