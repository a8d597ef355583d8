"""What every backend builds for a board: the core, the shell around it and the pins."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sbnn.boards.board import Board
from sbnn.boards.shell import shell_files, top_name, top_text
from sbnn.boards.zynq import zynq_files
from sbnn.hls.manifest import Link, Manifest
from sbnn.train.files import write_atomic


@dataclass(frozen=True)
class Design:
    """The sources of a board's design in a build folder.

    Attributes:
        top: name of the top module.
        sources: Verilog files relative to the build folder, leaves first.
        constraints: constraint files relative to the build folder; empty where the top has no pins.
    """

    top: str
    sources: tuple[str, ...]
    constraints: tuple[str, ...]


def write_design(board: Board, manifest: Manifest, folder: Path, backend: str) -> Design:
    """Write the shell and the top beside the generated core.

    Args:
        board: the board.
        manifest: the core.
        folder: build folder with the core's Verilog.
        backend: "vivado", "openxc7" or "yosys".

    Raises:
        BoardError: the board's shell does not take the core.
    """
    if board.shell == "zynq":
        files = zynq_files(board, manifest, backend)
        top = PurePosixPath(list(files)[-1]).stem
    else:
        top = top_name(board)
        files = shell_files() | {f"shell/{top}.sv": top_text(board, manifest)}
    for name, text in files.items():
        write_atomic(folder / name, text)
    constraints = []
    # In Vivado's Zynq design the processing system drives everything; the LEDs stay dark.
    if not (board.shell == "zynq" and backend == "vivado"):
        pins = board.pins_file()
        constraints.append(f"shell/{pins.name}")
        write_atomic(folder / constraints[0], pins.read_bytes())
    return Design(top, (*manifest.sources, *files), tuple(constraints))


def link_of(board: Board, backend: str) -> Link:
    """Return how a host reaches the core in a bitstream of this backend."""
    if board.uart is not None and board.shell == "uart":
        return Link("uart", board.uart.baud, "", board.clock.mhz)
    return Link("zynq", 0, "axi_dma" if backend == "vivado" else "own", board.clock.mhz)
