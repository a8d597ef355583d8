"""A generated core in a board's serial shell, ready to simulate over its pins."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from simulate import CACHE, run_cocotb, verilate

from sbnn.boards.board import Board, load_board
from sbnn.boards.shell import shell_files, top_name, top_text
from sbnn.hls import reference
from sbnn.hls.design import Choices, make_design, make_manifest
from sbnn.hls.manifest import Manifest, load_manifest, manifest_text
from sbnn.hls.network import Network
from sbnn.hls.stitch import rtl_files

BOARD = load_board("ulx3s")
# A bit of four clocks makes the simulation fast; test_real_divider has the board's own 25/3.
FAST_BIT = Fraction(4)
FAST_GAP = 2000


def core_on_board(
    network: Network, folder: Path, board: Board = BOARD
) -> tuple[Manifest, dict[str, str]]:
    """Write the manifest of a network's core into `folder`; return it and the core's files."""
    design = make_design(network, Choices(levels_per_stage=board.levels_per_stage))
    files = rtl_files(design)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "manifest.json"
    path.write_text(manifest_text(make_manifest(design, board.name, files)))
    return load_manifest(path), files


@contextmanager
def shell_bench(
    network: Network,
    images: NDArray[np.uint8],
    bit: Fraction = FAST_BIT,
    gap: int = FAST_GAP,
    board: Board = BOARD,
    change: Callable[[dict[str, str]], dict[str, str]] = lambda files: files,
) -> Iterator["ShellBench"]:
    """Build the board's top module around a network, with images and the reference's answers.

    `change` makes of the sources, {name: text}, those that are simulated.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as temporary:
        folder = Path(temporary)
        manifest, files = core_on_board(network, folder, board)
        top = {f"{top_name(board)}.sv": top_text(board, manifest, bit, gap)}
        answer = reference.run(network, images)
        np.savez(
            folder / "vectors.npz", images=images, classes=answer.classes, scores=answer.scores
        )
        simulator = verilate(change(files | shell_files() | top), top_name(board))
        yield ShellBench(simulator, folder, bit, gap, top_name(board))


class ShellBench:
    """A built simulator and what `tb_shell` needs to know."""

    def __init__(self, simulator: Path, folder: Path, bit: Fraction, gap: int, top: str) -> None:
        self.simulator, self.folder, self.bit, self.gap, self.top = simulator, folder, bit, gap, top

    def run(self, test: str, **settings: object) -> None:
        """Run one cocotb test of tb_shell."""
        run_cocotb(
            self.simulator,
            self.top,
            "tb_shell",
            test,
            vectors=self.folder / "vectors.npz",
            manifest=self.folder / "manifest.json",
            bit=self.bit,
            gap=self.gap,
            **settings,
        )
