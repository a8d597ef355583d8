"""The overlay package of boards and networks of every kind; the whole one is test_boards_build.py's."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest
from networks import random_network

from sbnn.boards.board import BOARDS, BoardError, load_board
from sbnn.boards.closure import import_closure
from sbnn.boards.deploy import ENTRIES, write_deploy
from sbnn.hls.design import Choices
from sbnn.hls.generate import generate

ARTY = load_board("arty-a7-35t")


def uart_core(folder: Path) -> Path:
    build = folder / "random1" / ARTY.name
    network = random_network(1, largest=20)
    generate(network, Choices(levels_per_stage=ARTY.levels_per_stage), ARTY.name, build)
    network.save(build.parent / "network.npz")
    return build


def test_a_uart_board_gets_a_package_too(tmp_path: Path) -> None:
    """A network that nobody trained here: random images, without labels, still compared."""
    build = uart_core(tmp_path)
    (build / "made.bit").write_text("a bitstream")
    deploy = write_deploy(ARTY, build, "vivado", build / "made.bit")
    link = json.loads((deploy / "manifest.json").read_text())["link"]
    assert link == {"kind": "uart", "baud": 3000000, "dma": "", "clock_mhz": 100.0}
    assert (deploy / "made.bit").read_text() == "a bitstream"
    assert not list(deploy.glob("*.hwh"))
    assert "pyserial" in (deploy / "requirements.txt").read_text()
    with np.load(deploy / "images.npz") as images:
        assert (images["labels"] == -1).all()
        assert len(images["images"]) == 1000
    (build / "made.bit").unlink()
    with pytest.raises(BoardError, match=r"made\.bit: no such file; make bitstream BOARD=arty"):
        write_deploy(ARTY, build, "vivado", build / "made.bit")
    assert (deploy / "made.bit").is_file(), "a refusal leaves the old folder whole"


def test_a_package_of_another_network_is_refused(tmp_path: Path) -> None:
    build = uart_core(tmp_path)
    random_network(2, largest=20).save(build.parent / "network.npz")
    (build / "made.bit").write_text("a bitstream")
    with pytest.raises(BoardError) as error:
        write_deploy(ARTY, build, "vivado", build / "made.bit")
    assert str(error.value) == f"{build}: its core is of another network; run make hls again"


def test_the_package_has_what_its_notebooks_import() -> None:
    closure = import_closure(ENTRIES)
    modules = {name.removesuffix(".py").replace("/", ".") for name in closure.files}
    notebooks = sorted((BOARDS / "notebooks").glob("*.ipynb"))
    assert notebooks
    for path in notebooks:
        cells = json.loads(path.read_text())["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        nodes = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)]
        wanted = {node.module or "" for node in nodes if (node.module or "").startswith("sbnn.")}
        assert {name for name in wanted if name not in modules} <= {"sbnn.hls", "sbnn.boards"}
        assert "sbnn.boards.driver" in wanted
