"""The bitstream flow: report readers on recorded reports, refusals, the cache, a real bitstream."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from networks import random_network

from sbnn.boards.board import BoardError, load_board
from sbnn.boards.build import make_bitstream
from sbnn.hls.design import Choices
from sbnn.hls.generate import generate
from sbnn.hls.manifest import ManifestError
from sbnn.hls.network import Network

ULX3S = load_board("ulx3s")
SMALL = random_network(1, largest=20)


def core(network: Network, board: str, folder: Path) -> Path:
    levels = load_board(board).levels_per_stage
    generate(network, Choices(levels_per_stage=levels), board, folder)
    return folder


def test_core_of_another_board(tmp_path: Path) -> None:
    core(SMALL, "pynq-z2", tmp_path)
    with pytest.raises(BoardError) as error:
        make_bitstream(ULX3S, tmp_path)
    assert str(error.value) == (f"{tmp_path}/manifest.json: was generated for pynq-z2, needs ulx3s")


def test_no_core(tmp_path: Path) -> None:
    with pytest.raises(ManifestError) as error:
        make_bitstream(ULX3S, tmp_path)
    assert str(error.value) == f"{tmp_path}/manifest.json: no such file; make hls writes it"


def test_pynq_z2_stops_after_synthesis(tmp_path: Path) -> None:
    """The command's whole output: all that can be made is, and one sentence says the rest."""
    core(SMALL, "pynq-z2", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "sbnn.boards", "bitstream", "--board", "pynq-z2", "--build", "."],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    total = json.loads((tmp_path / "report" / "synth.json").read_text())["total"]
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "sbnn.boards: pynq-z2: . has the Verilog and its xc7 synthesis report "
        f"({total['lut']} LUT, {total['ff']} FF), but a bitstream needs Vivado or openXC7, and "
        "their flows come with the next release\n"
    )
