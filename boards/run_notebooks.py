"""Run the notebooks of a deploy folder without a browser; keep the executed copies and their pictures."""

import argparse
import base64
import importlib
import sys
import tempfile
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sbnn.boards.driver import TRANSPORTS, DriverError
from sbnn.boards.transports.transport import find_files
from sbnn.train.errors import run_command

NAMES = ("1_quick_start", "2_validation_and_performance", "3_look_inside")
# What a run on the simulated board has before everything else, so that its copy says so.
_SIMULATE = """\
# Added by sbnn.boards.run_notebooks: no board here. pynq is the real package, its device is Verilated.
from pathlib import Path

from sbnn.boards.simulated_pynq import simulated_board

_board = simulated_board(Path(FOLDER))
_board.__enter__()"""


@dataclass(frozen=True)
class Executed:
    """A notebook that ran without an error.

    Attributes:
        path: its executed copy.
        pictures: its figures as .png files, in order.
        text: what its cells printed.
    """

    path: Path
    pictures: tuple[Path, ...]
    text: str


def run_notebook(
    name: str,
    folder: Path,
    out: Path,
    transport: str = "auto",
    simulated: bool = False,
    images: int | None = None,
    port: str | None = None,
) -> Executed:
    """Execute one notebook and write its copy and its figures into `out`.

    Args:
        name: one of `NAMES`.
        folder: the deploy folder.
        out: where the results go.
        transport: as `open_accelerator` takes it.
        simulated: whether a simulated PYNQ board is put under it.
        images: at most so many test images; None: all.
        port: serial port of the uart transport.

    Raises:
        DriverError: a cell failed; the executed copy up to it is kept.
    """
    # By name: neither has types, and both take a second that --help need not wait for.
    papermill: Any = importlib.import_module("papermill")
    nbformat: Any = importlib.import_module("nbformat")
    source = package_files("sbnn.boards") / "notebooks" / f"{name}.ipynb"
    notebook: Any = nbformat.reads(source.read_text(encoding="utf-8"), as_version=4)
    if simulated:
        tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
        after = next(n for n, found in enumerate(tags) if "parameters" in found) + 1
        notebook.cells.insert(after, nbformat.v4.new_code_cell(_SIMULATE))
    out.mkdir(parents=True, exist_ok=True)
    target = out / f"{name}.ipynb"
    values = {
        "FOLDER": str(folder.resolve()),
        "TRANSPORT": transport,
        "IMAGES": images,
        "PORT": port,
    }
    with tempfile.NamedTemporaryFile("w", suffix=".ipynb", encoding="utf-8") as prepared:
        prepared.write(nbformat.writes(notebook))
        prepared.flush()
        try:
            papermill.execute_notebook(
                prepared.name, target, values, kernel_name="python3", progress_bar=False, cwd=out
            )
        except papermill.PapermillExecutionError as error:
            raise DriverError(
                f"{name}: cell {error.cell_index} failed ({error.ename}: {error.evalue}); {target} "
                "has what came before"
            ) from error
    return _collect(target)


def _collect(path: Path) -> Executed:
    """Write the figures of an executed notebook beside it."""
    nbformat: Any = importlib.import_module("nbformat")
    pictures: list[Path] = []
    text: list[str] = []
    for old in path.parent.glob(f"{path.stem}_*.png"):
        old.unlink()
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            text.append(output.get("text", ""))
            picture = output.get("data", {}).get("image/png")
            if picture:
                pictures.append(path.with_name(f"{path.stem}_{len(pictures) + 1}.png"))
                pictures[-1].write_bytes(base64.b64decode(picture))
    return Executed(path, tuple(pictures), "".join(text))


def main() -> None:
    """Read the arguments and execute the notebooks."""
    parser = argparse.ArgumentParser(
        prog="python -m sbnn.boards.run_notebooks", description=__doc__
    )
    parser.add_argument("folder", type=Path, help="deploy folder, or the build folder around it")
    parser.add_argument("--transport", default="auto", choices=["auto", *TRANSPORTS])
    parser.add_argument("--simulated", action="store_true", help="put a simulated PYNQ under it")
    parser.add_argument("--images", type=int, help="at most so many test images")
    parser.add_argument("--port", help="serial port of the uart transport")
    parser.add_argument(
        "--out", type=Path, help="default: notebooks/<transport> of the build folder"
    )
    options = parser.parse_args()
    files = find_files(options.folder)
    kind = "simulated-" if options.simulated else ""
    out = options.out or files.rtl / "notebooks" / f"{kind}{options.transport}"
    for name in tqdm(NAMES, desc="notebooks", file=sys.stderr):
        executed = run_notebook(
            name,
            options.folder,
            out,
            options.transport,
            options.simulated,
            options.images,
            options.port,
        )
        sys.stdout.write(f"{executed.path}: {len(executed.pictures)} pictures\n")


if __name__ == "__main__":
    run_command("sbnn.boards.run_notebooks", main)
