"""The project folder of every Xilinx board, as Tcl reads it, and what does not get one."""

import os
import subprocess
from pathlib import Path

import pytest
from fake_tools import put_vivado
from networks import random_network

from sbnn.boards.board import BoardError, board_names, load_board
from sbnn.boards.vivado_project import write_project
from sbnn.hls.design import Choices
from sbnn.hls.generate import generate
from sbnn.hls.manifest import Manifest, load_manifest

NETWORK = random_network(1, largest=20)
XILINX = [name for name in board_names() if "vivado" in load_board(name).flows]


def core(name: str, folder: Path) -> Manifest:
    generate(NETWORK, Choices(levels_per_stage=2), name, folder)
    return load_manifest(folder / "manifest.json")


def test_there_are_both_kinds() -> None:
    assert {load_board(name).shell for name in XILINX} == {"zynq", "uart"}
    processors = [load_board(name).processor for name in XILINX]
    assert {found.kind for found in processors if found is not None} == {"zynq7", "zynqmp"}


@pytest.mark.parametrize("name", XILINX)
def test_every_board_goes_through(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_vivado(tmp_path / "bin", monkeypatch)
    board, manifest = load_board(name), core(name, tmp_path)
    project = write_project(board, manifest, tmp_path)
    elsewhere = project.rename(tmp_path / "else where [1]")
    done = subprocess.run(
        ["vivado", "-mode", "batch", "-source", str(elsewhere / "build.tcl")],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    made = {path.suffix for path in (elsewhere / "out").iterdir()}
    assert made == {".bit", ".txt", ".rpt"} | ({".hwh"} if board.shell == "zynq" else set())
    assert board.part in (elsewhere / "out" / f"{NETWORK.name}.bit").read_text()
    assert manifest.build_id in (elsewhere / "out" / "result.txt").read_text()


def test_equal_inputs_equal_bytes(tmp_path: Path) -> None:
    board = load_board("pynq-z2")
    folders = [tmp_path / "one", tmp_path / "two"]
    contents = []
    for folder in folders:
        project = write_project(board, core("pynq-z2", folder), folder)
        files = sorted(path for path in project.rglob("*") if path.is_file())
        contents.append({path.relative_to(folder): path.read_bytes() for path in files})
    assert contents[0] == contents[1]
    texts = b"".join(contents[0].values())
    assert str(tmp_path).encode() not in texts


def test_other_makers(tmp_path: Path) -> None:
    with pytest.raises(BoardError) as error:
        write_project(load_board("ulx3s"), core("ulx3s", tmp_path), tmp_path)
    assert str(error.value) == ("ulx3s: Vivado does not build for LFE5U-85F-6BG381C; flows: yosys")
    assert not (tmp_path / "vivado").exists()
