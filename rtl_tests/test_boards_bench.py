"""The READMEs' tables are what the tracked results say, and what makes them counts right."""

import json
import sys
import time

import pytest
from networks import tracked_network

from sbnn.boards import bench_clock, bench_layers, bench_models, bench_variants
from sbnn.boards.__main__ import BENCH_PARTS
from sbnn.boards.backends import yosys
from sbnn.boards.bench import bench, draw_accuracy, marks, tables, with_table
from sbnn.boards.bench_figure import FIGURE, read_published
from sbnn.boards.bench_kept import forget
from sbnn.boards.bench_models import (
    BITSTREAMS,
    ESTIMATED,
    ROWS,
    SYNTHESIS_BOARDS,
    board_key,
    metrics,
    model_key,
    read_results,
)
from sbnn.boards.board import board_names, load_board
from sbnn.boards.spent import spend
from sbnn.boards.trained import choices_of
from sbnn.hls.generate import generate
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
    with pytest.raises(ToolError) as caught:
        bench(["tables", "everything"])
    assert str(caught.value) == f"bench everything: not known; there are: {', '.join(BENCH_PARTS)}"


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


def _make(build, model, board):
    """Generate what `make hls` generates."""
    choices = choices_of(load_board(board))
    generate(tracked_network(model), choices, board, build / model / board)


def test_the_smallest_bitstream_is_of_todays_sources(tmp_path):
    """Its key is that of this Verilog, shell, pins and tools, and of nothing else."""
    _make(tmp_path, "digits", "icebreaker")
    assert board_key(tmp_path, "icebreaker") == read_results()["boards"]["icebreaker"]["key"]


@pytest.mark.regress
def test_tracked_figures_are_of_todays_sources(tmp_path, monkeypatch):
    """Nothing that `make bench` would measure again, tool times apart, which any edit changes."""
    places = {(model, board) for model in ROWS for board in SYNTHESIS_BOARDS}
    for model, board in places | {(model, board) for board, model in BITSTREAMS.items()}:
        _make(tmp_path, model, board)
    results = read_results()
    stale = [
        board
        for board in BITSTREAMS
        if not _is(results["boards"], board, board_key(tmp_path, board))
    ]
    measured = [model for model in ROWS if model not in ESTIMATED]
    stale += [
        model for model in measured if not _is(results["models"], model, model_key(tmp_path, model))
    ]
    networks = {model: tracked_network(model) for model in bench_layers.MODELS}
    for job in (
        *bench_layers.our_jobs(tmp_path, bench_layers.MODELS),
        *bench_layers.dense_jobs(networks),
        *bench_layers.sparse_jobs(networks),
    ):
        found = bench_layers.read_layer_results()
        for name in job.place:
            found = found.get(name, {})
        stale += [" ".join(job.place)] if found.get("key") != job.key else []
    assert not stale

    def synthesise(folder, manifest, family):
        raise AssertionError(f"{manifest.model} on {family} is measured again")

    for module in (bench_clock, bench_variants):
        monkeypatch.setattr(module, "synthesise", synthesise)
        monkeypatch.setattr(module, "keep_row", lambda *_: None)
    bench_clock.measure_clocks(networks, tmp_path)
    bench_variants.measure_variants(tmp_path, 2)


def _is(rows, name, key):
    return rows.get(name, {}).get("key") == key


def test_rows_are_kept_one_by_one(tmp_path, monkeypatch):
    """Two at once, in the tables' order; one that fails loses none of the others, and stops the rest."""
    monkeypatch.setattr(bench_models, "RESULTS", tmp_path / "results.json")
    (tmp_path / "results.json").write_text('{"models": {"b": {"key": "1"}}, "boards": {"x": {}}}')

    def measure(name, known):
        if name == "e":
            raise ToolError("e does not fit")
        if name < "e" and name not in "ab":
            time.sleep(0.5)  # time to hear of it
        return {**known, "measured": name}

    for names in ("ab", "abcdefgh"):
        if len(names) == 2:
            bench_models._measure_rows("models", names, measure, 2)
        else:
            with pytest.raises(ToolError, match="e does not fit"):
                bench_models._measure_rows("models", names, measure, 1)
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["boards"] == {"x": {}}
    assert list(found["models"]) == ["a", "b", "d", "f", "g", "h"]
    assert found["models"]["b"] == {"key": "1", "measured": "b"}


def test_what_is_forgotten_keeps_its_figures(tmp_path):
    path = tmp_path / "kept.json"
    path.write_text('{"a": {"key": "1", "lut": 5, "inner": {"key": "2"}}, "list": [1]}')
    forget(path)
    wanted = {"a": {"key": "", "lut": 5, "inner": {"key": ""}}, "list": [1]}
    assert json.loads(path.read_text()) == wanted


def test_a_readme_without_its_marks_is_refused():
    begin, end = marks("layers, LUT6")
    with pytest.raises(ToolError) as caught:
        with_table("no marks", "table", "layers, LUT6")
    assert str(caught.value) == f"table layers, LUT6: the lines {begin} and {end} are missing"
    made = with_table(f"a\n{begin}\nold\n{end}\nb", "new", "layers, LUT6")
    assert made == f"a\n{begin}\nnew\n{end}\nb"
