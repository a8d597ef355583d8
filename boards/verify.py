"""Verify a generated core before it becomes a bitstream: the Verilated RTL equals the reference."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sbnn.boards.board import BoardError
from sbnn.boards.driver import open_accelerator
from sbnn.boards.transports.reference import read_network
from sbnn.boards.transports.transport import BuildFiles, find_files
from sbnn.hls import reference
from sbnn.train.config import TrainError, load_config, model_of
from sbnn.train.data import sample_images
from sbnn.train.files import write_atomic

FORMAT = "sbnn-verification-1"
REPORT = "report/verification.json"
RANDOM_IMAGES = 1000


@dataclass(frozen=True)
class Check:
    """One comparison that came out equal; there is no other result.

    Attributes:
        name: short.
        what: what was compared with what.
        vectors: how many images.
        result: "equal".
        tool: what ran the hardware's side.
        seconds: how long it took.
    """

    name: str
    what: str
    vectors: int
    result: str
    tool: str
    seconds: float


def verify(folder: Path) -> tuple[Check, ...]:
    """Compare the core of build/<model>/<board> with the reference; write report/verification.json.

    Real images where the model has tracked ones, and random ones that reach what those do not.

    Raises:
        BoardError: an image's class or scores differ; the report of an older core is removed.
        DriverError: a file is missing.
        ToolError: Verilator or the compiler is missing or failed.
    """
    path = folder / REPORT
    files = find_files(folder)
    manifest = files.manifest
    path.unlink(missing_ok=True)  # what follows may fail, and nothing must say that it has not
    checks = tuple(
        _compare(folder, files, name, what, images) for name, what, images in _vectors(files)
    )
    write_atomic(path, _report(manifest.network_digest, manifest.rtl_digest, checks))
    return checks


def _vectors(files: BuildFiles) -> Sequence[tuple[str, str, NDArray[np.uint8]]]:
    """Return (name, what it is, images) of each check."""
    manifest = files.manifest
    random = np.random.default_rng(int(manifest.network_digest[:8], 16))
    # A density per image: uniform pixels alone would all have about the same number of ones.
    density = random.random((RANDOM_IMAGES, *[1] * len(manifest.shape)))
    drawn = random.random((RANDOM_IMAGES, *manifest.shape)) < density
    lit = 255 if manifest.threshold is not None else random.integers(1, 256, drawn.shape)
    made = [("random images", "random images of all densities", np.where(drawn, lit, 0))]
    model = model_of(manifest.model)
    if model is not None:
        config = load_config(model)
        try:
            images = sample_images(config)[0]
            made.insert(0, ("real images", f"test images of {config.input.dataset}", images))
        except TrainError:
            pass  # a data set without tracked images
    return [(name, what, images.astype(np.uint8)) for name, what, images in made]


def _compare(
    folder: Path, files: BuildFiles, name: str, what: str, images: NDArray[np.uint8]
) -> Check:
    started = time.perf_counter()
    answer = reference.run(read_network(files), images)
    with open_accelerator(folder, "verilator") as accelerator:
        results = accelerator.run(images)
    wrong = results.classes != answer.classes
    scored = results.scores.shape[1] > 0
    if scored:
        wrong |= (results.scores != answer.scores).any(1)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        raise BoardError(
            f"{folder}: the RTL differs from the reference on {int(wrong.sum())} of {len(images)} "
            f"{what}, first on image {first} (RTL {results.classes[first]} "
            f"{results.scores[first].tolist()}, reference {answer.classes[first]} "
            f"{answer.scores[first].tolist()}); no bitstream is made"
        )
    compared = "class and every score" if scored else "class"
    return Check(
        name=name,
        what=f"Verilated RTL = reference, {compared} of {what}",
        vectors=len(images),
        result="equal",
        tool=f"Verilator {version('verilator')}",
        seconds=round(time.perf_counter() - started, 1),
    )


def _report(network_digest: str, rtl_digest: str, checks: Sequence[Check]) -> str:
    table = {
        "format": FORMAT,
        "network_digest": network_digest,
        "rtl_digest": rtl_digest,
        "checks": [asdict(check) for check in checks],
    }
    return json.dumps(table, indent=2) + "\n"
