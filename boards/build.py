"""Make a bitstream of a generated core: choose a backend, verify, build, package, show."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from sbnn.boards.backends import vivado
from sbnn.boards.backends.bitstream import REPORT, Bitstream
from sbnn.boards.backends.choice import AUTO, NoBackendError, choose
from sbnn.boards.backends.fit import check_estimate, core_counts
from sbnn.boards.board import Board, BoardError
from sbnn.boards.deploy import write_deploy
from sbnn.boards.page import write_page
from sbnn.boards.verify import REPORT as VERIFICATION
from sbnn.boards.verify import is_verified, verify
from sbnn.boards.vivado_project import COMMAND, write_project
from sbnn.hls.manifest import Manifest, load_manifest
from sbnn.train.errors import UserError

SEED = 1


def make_bitstream(
    board: Board,
    folder: Path,
    seed: int = SEED,
    backend: str = AUTO,
    say: Callable[[str], None] = lambda line: None,
) -> Bitstream:
    """Make the bitstream of the core in a build folder, its deploy folder and its page.

    Where no backend's tools are here, writes what a machine with Vivado needs and says so.

    Args:
        board: the board.
        folder: build/<model>/<board>, with manifest.json and the core's Verilog.
        seed: of the placer.
        backend: "auto" or the name of one.
        say: takes the lines that tell which backend was chosen and why.

    Raises:
        BoardError: no core, no backend, or the design does not fit, differs or misses its clock.
        ToolError: a tool is missing or failed.
    """
    manifest = read_core(board, folder)
    try:
        choice = choose(board, backend)
    except NoBackendError as error:
        if vivado.NAME not in board.flows or backend not in (AUTO, vivado.NAME):
            raise
        say(str(error))
        choice = None
    try:
        if choice is None:
            _leave_to_vivado(board, manifest, folder, say)
        for line in choice.reasons:
            say(line)
        check_estimate(board, manifest)
        _verify_once(folder, say)
        made = choice.backend.build(board, folder, seed)
    except UserError as error:
        # The page of a refused build says why; a page that cannot be made must not hide that.
        with contextlib.suppress(UserError):
            write_page(folder, str(error))
        raise
    write_page(folder)
    write_deploy(board, folder, made.report["backend"], made.path)
    return made


def _leave_to_vivado(
    board: Board, manifest: Manifest, folder: Path, say: Callable[[str], None]
) -> NoReturn:
    """Check what can be checked here, write the project folder and say where to take it."""
    core_counts(board, manifest, folder)
    _verify_once(folder, say)
    project = write_project(board, manifest, folder)
    others = [name for name in board.flows if name != vivado.NAME]
    raise BoardError(
        f"{board.name}: {' and '.join(['Vivado', *others])} "
        f"{'are' if others else 'is'} not on this machine, so take {project} to one with Vivado, "
        f"run `{COMMAND}` in it, bring its out/ back and run "
        f"make deploy BOARD={board.name} MODEL={manifest.model}"
    )


def _verify_once(folder: Path, say: Callable[[str], None]) -> None:
    """Compare the core with the reference, unless these very bytes have been found equal before."""
    if is_verified(folder):
        say(f"verified before: {VERIFICATION}")
        return
    for check in verify(folder):
        say(f"verified: {check.vectors} {check.name} equal")


def make_project(board: Board, folder: Path) -> Path:
    """Write and return build/<model>/<board>/vivado/.

    Raises:
        BoardError: no core, or Vivado does not build for the board.
    """
    return write_project(board, read_core(board, folder), folder)


def make_deploy(board: Board, folder: Path) -> Path:
    """Write and return the deploy folder of a bitstream that was made here, or by Vivado elsewhere.

    Raises:
        BoardError: there is no bitstream of this core.
    """
    manifest = read_core(board, folder)
    report = _report(folder / REPORT)
    current = report.get("build_id") == manifest.build_id
    brought = (folder / "vivado" / "out" / "result.txt").is_file()
    if brought and not (current and report["backend"] != vivado.NAME):
        seconds = report["seconds"] if current else {}
        report = vivado.collect(board, manifest, folder, SEED, seconds).report
    elif not current:
        raise BoardError(
            f"{folder}: no bitstream of build {manifest.build_id}; "
            f"make bitstream BOARD={board.name} MODEL={manifest.model} makes it"
        )
    found = sorted(folder.glob(f"bitfile/{manifest.model}.bi[tn]")) + sorted(
        folder.glob(f"bitfile/{manifest.model}.fs")
    )
    if not found:
        raise BoardError(
            f"{folder}/bitfile: no bitstream; make bitstream BOARD={board.name} makes it"
        )
    _verify_once(folder, lambda line: None)
    return write_deploy(board, folder, str(report["backend"]), found[0])


def read_core(board: Board, folder: Path) -> Manifest:
    """Return the manifest of the core in a build folder.

    Raises:
        BoardError: it was generated for another board.
        ManifestError: there is none.
    """
    manifest = load_manifest(folder / "manifest.json")
    if manifest.board != board.name:
        raise BoardError(
            f"{folder}/manifest.json: was generated for {manifest.board}, needs {board.name}"
        )
    return manifest


def _report(path: Path) -> dict[str, Any]:
    """Return a report, empty where there is none that can be read."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}
