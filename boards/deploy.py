"""Write the overlay package: the one folder that is copied to a board, or to the host of a UART board."""

import io
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files as package_files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from sbnn.boards.backends.design import link_of
from sbnn.boards.board import Board, BoardError
from sbnn.boards.closure import import_closure
from sbnn.hls.manifest import Manifest, load_manifest, manifest_text
from sbnn.hls.network import Network, load
from sbnn.hls.reference import run
from sbnn.train.config import TrainError, load_config, model_of
from sbnn.train.data import find, sample_images
from sbnn.train.data import load as load_data
from sbnn.train.files import digest

FOLDER = "deploy"
ENTRIES = ("sbnn.boards.driver", "sbnn.boards.validate")
REPORTS = ("synth.json", "route.json", "verification.json")
# A model that was not trained here has no data set: random images still prove bit-exactness.
UNKNOWN_IMAGES, UNKNOWN_LABEL = 1000, -1

_VALIDATE = '''\
"""Compare the accelerator with the expected results in images.npz: exit status 0, 1 or 2."""
from sbnn.boards.validate import main

main()
'''

_README = Template("""\
# $model on $title

Build $build_id, made by the $backend backend. This folder is all that is needed$where.

$steps
| file | what it is |
|---|---|
$rows| manifest.json | geometry, build id, link, SHA-256 of every file here |
| network.npz | the integer network; the driver's `reference` transport runs it |
| images.npz | $images test images, labels, and the classes and scores that must come out |
| sbnn/ | the driver: numpy$needs and the standard library |
| validate.py | runs all images, compares with ==; exit status 0 equal, 1 different, 2 not run |
| notebooks/ | quick start, validation and performance, a look inside |
| report/ | synthesis, routing and verification of this build |

    from sbnn.boards.driver import open_accelerator
    with open_accelerator("."$port) as accelerator:
        classes = accelerator.infer(images)   # (N, $shape) uint8 -> (N,) int64

The driver reads the build id back from the hardware and refuses another one.
""")

_ZYNQ_STEPS = Template("""\
1. Copy the folder to the board: `scp -r deploy xilinx@pynq:jupyter_notebooks/$model`
2. Open http://pynq:9090 and the first notebook in `$model/notebooks`; or run `python3 validate.py` in a
   terminal of Jupyter, which runs as root.
""")

_UART_STEPS = Template("""\
1. Load the bitstream: `$program`
2. `pip install -r requirements.txt`, then `python3 validate.py --port /dev/ttyUSB0`.
""")


def write_deploy(board: Board, folder: Path, backend: str, bitfile: Path) -> Path:
    """Write build/<model>/<board>/deploy/ whole, in place of an older one; equal inputs, equal bytes.

    Args:
        board: the board.
        folder: the build folder, with manifest.json, report/, and network.npz above it.
        backend: name of the backend that made the bitstream.
        bitfile: the bitstream; on Zynq its .hwh lies beside it.

    Raises:
        BoardError: a product is missing.
    """
    manifest = load_manifest(folder / "manifest.json")
    manifest = replace(manifest, link=link_of(board, backend))
    trained = folder.resolve().parent / "network.npz"
    network = load(trained)
    if network.digest() != manifest.network_digest:
        raise BoardError(f"{folder}: its core is of another network; run make hls again")
    files = _products(board, folder, bitfile)
    files["network.npz"] = trained.read_bytes()
    files["images.npz"], count = _images(manifest, network)
    closure = import_closure(ENTRIES)
    files |= {name: path.read_bytes() for name, path in closure.files.items()}
    files["validate.py"] = _VALIDATE.encode()
    notebooks = package_files("sbnn.boards") / "notebooks"
    for entry in sorted(notebooks.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".ipynb"):
            files[f"notebooks/{entry.name}"] = entry.read_bytes()
    files["requirements.txt"] = _requirements(board).encode()
    files["README.md"] = _readme(board, manifest, backend, bitfile, count).encode()
    files["manifest.json"] = _manifest(manifest, backend, files).encode()
    return _write_whole(folder / FOLDER, files)


def _products(board: Board, folder: Path, bitfile: Path) -> dict[str, bytes]:
    """Return bitstream, handoff and reports."""
    products = [bitfile, *([bitfile.with_suffix(".hwh")] if board.shell == "zynq" else [])]
    for path in products:
        if not path.is_file():
            raise BoardError(f"{path}: no such file; make bitstream BOARD={board.name} writes it")
    files = {path.name: path.read_bytes() for path in products}
    for name in REPORTS:
        if (folder / "report" / name).is_file():
            files[f"report/{name}"] = (folder / "report" / name).read_bytes()
    return files


def _images(manifest: Manifest, network: Network) -> tuple[bytes, int]:
    """Return images.npz with what the reference makes of each image, and how many there are."""
    model = model_of(manifest.model)
    if model is not None:
        config = load_config(model)
        if config.input.dataset == "digits" or find(config.input.dataset) is not None:
            split = load_data(config)
            images, labels = split.test_x, split.test_y
        else:
            try:
                images, labels = sample_images(config)
            except TrainError as error:
                raise BoardError(f"{manifest.model}: no test images to deploy ({error})") from error
    else:
        random = np.random.default_rng(int(manifest.network_digest[:8], 16))
        images = random.integers(0, 256, (UNKNOWN_IMAGES, *manifest.shape), np.uint8)
        labels = np.full(len(images), UNKNOWN_LABEL, np.int64)
    expected = run(network, images)
    stream = io.BytesIO()
    np.savez_compressed(
        stream, images=images, labels=labels, classes=expected.classes, scores=expected.scores
    )
    return stream.getvalue(), len(images)


def _manifest(manifest: Manifest, backend: str, files: Mapping[str, bytes]) -> str:
    """Return the manifest with its link, the backend and the digests of all other files."""
    table: dict[str, Any] = json.loads(manifest_text(manifest))
    table["backend"] = backend
    table["files"] = {name: digest(files[name]) for name in sorted(files)}
    return json.dumps(table, indent=2) + "\n"


def _requirements(board: Board) -> str:
    if board.processor is not None and board.shell == "zynq":
        # pynq 4 has dropped the 32-bit processors of the Zynq-7000.
        bound = ",<4" if board.processor.kind == "zynq7" else ""
        return f"# A PYNQ image has all of this.\nnumpy>=1.21\npynq>=3.0{bound}\nmatplotlib\n"
    return "numpy>=1.21\npyserial>=3.4\n# For the notebooks:\nmatplotlib\njupyterlab\n"


def _readme(board: Board, manifest: Manifest, backend: str, bitfile: Path, images: int) -> str:
    zynq = board.shell == "zynq"
    rows = f"| {bitfile.name} | the bitstream |\n"
    rows += f"| {bitfile.stem}.hwh | its hardware handoff, for PYNQ |\n" if zynq else ""
    steps = _ZYNQ_STEPS if zynq else _UART_STEPS
    return _README.substitute(
        model=manifest.model,
        title=board.title,
        build_id=manifest.build_id,
        backend=backend,
        where=" on the board" if zynq else " on the host that the board hangs on",
        steps=steps.substitute(
            model=manifest.model, program=board.program.format(bit=bitfile.name)
        ),
        rows=rows,
        images=f"{images:,}",
        needs=", pynq" if zynq else ", pyserial",
        port="" if zynq else ', port="/dev/ttyUSB0"',
        shape=", ".join(map(str, manifest.shape)),
    )


def _write_whole(target: Path, files: Mapping[str, bytes]) -> Path:
    """Write a folder beside its place and rename it, so that nobody ever sees half of one."""
    if target.is_dir() and _content(target) == dict(files):
        return target
    for left in target.parent.glob(f".{target.name}.*"):  # by a run that was killed
        shutil.rmtree(left)
    fresh = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        for name, content in files.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_bytes(content)
        fresh.chmod(0o755)
        old = fresh.with_name(f"{fresh.name}.old")
        if target.exists():
            target.rename(old)
        fresh.rename(target)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    shutil.rmtree(old, ignore_errors=True)
    return target


def _content(folder: Path) -> dict[str, bytes]:
    return {
        Path(place, name).relative_to(folder).as_posix(): Path(place, name).read_bytes()
        for place, _, names in os.walk(folder)
        for name in names
    }
