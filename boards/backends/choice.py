"""Choose the way to a bitstream: what the board allows, the user wants, and this machine has."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sbnn.boards.backends import openxc7, vivado, yosys
from sbnn.boards.backends.bitstream import Bitstream
from sbnn.boards.board import Board, BoardError

AUTO = "auto"


class Backend(Protocol):
    """What each module of this package offers."""

    NAME: str

    def missing(self, board: Board) -> str | None:
        """Return None where the tools are there, else one clause saying what is not."""

    def build(self, board: Board, folder: Path, seed: int) -> Bitstream:
        """Make the bitstream in a build folder."""


BACKENDS: Mapping[str, Backend] = {
    "vivado": vivado,
    "openxc7": openxc7,
    "yosys": yosys,
}
NAMES = (AUTO, *BACKENDS)


class NoBackendError(BoardError):
    """None of the board's backends has its tools here."""


@dataclass(frozen=True)
class Choice:
    """A usable backend.

    Attributes:
        backend: the module.
        reasons: one line on why it was taken, then one on each other way that is not open here.
    """

    backend: Backend
    reasons: tuple[str, ...]


def choose(board: Board, wanted: str = AUTO) -> Choice:
    """Return the backend to use; "auto" takes the first of the board's flows whose tools are here.

    Raises:
        BoardError: the backend is unknown, or does not build for the board.
        NoBackendError: tools are missing; says which, and how to get them.
    """
    if wanted not in NAMES:
        raise BoardError(f"BACKEND={wanted}: not known; there are: {' '.join(NAMES)}")
    if wanted != AUTO and wanted not in board.flows:
        raise BoardError(
            f"BACKEND={wanted}: does not build for {board.name}; it has: {' '.join(board.flows)}"
        )
    names = board.flows if wanted == AUTO else (wanted,)
    lacking = {name: BACKENDS[name].missing(board) for name in names}
    usable = [name for name in names if lacking[name] is None]
    closed = [f"{name}: {text}" for name, text in lacking.items() if text is not None]
    if not usable:
        raise NoBackendError(
            f"BACKEND={wanted}: no tools for {board.name} here; " + "; ".join(closed)
        )
    taken = usable[0]
    if wanted != AUTO:
        why = f"BACKEND={wanted}: as asked"
    elif taken == board.flows[0]:
        why = f"BACKEND=auto: {taken}, the first choice of {board.name}"
    else:
        why = f"BACKEND=auto: {taken}, the first of {' '.join(board.flows)} whose tools are here"
    return Choice(BACKENDS[taken], (why, *closed))
