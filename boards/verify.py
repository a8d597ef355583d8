"""Verify a generated core before it becomes a bitstream: the Verilated RTL equals the reference.

The report says of which bytes it speaks: the digests of network and Verilog, of every file, of the images,
and of the set of checks. It counts only while all of them are what they were.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbnn.boards.board import BoardError
from sbnn.boards.driver import open_accelerator
from sbnn.boards.transports.reference import read_network
from sbnn.boards.transports.transport import BuildFiles, find_files
from sbnn.hls import reference
from sbnn.hls.manifest import Manifest, check_verilog
from sbnn.hls.proof import REPORT as PROOF
from sbnn.train.config import TrainError, load_config, model_of
from sbnn.train.data import sample_images
from sbnn.train.files import digest, write_atomic

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
        vectors_digest: SHA-256 of the images.
        result: "equal".
        tool: what ran the hardware's side.
        seconds: how long it took.
    """

    name: str
    what: str
    vectors: int
    vectors_digest: str
    result: str
    tool: str
    seconds: float


def verify(folder: Path) -> tuple[Check, ...]:
    """Compare the core of build/<model>/<board> with the reference; write report/verification.json.

    Real images where the model has tracked ones, and random ones that reach what those do not.

    Raises:
        BoardError: an image's class or scores differ; the report of an older core is removed.
        DriverError: a file is missing.
        ManifestError: the Verilog is not the manifest's.
        ToolError: Verilator or the compiler is missing or failed.
    """
    path = folder / REPORT
    files = find_files(folder)
    path.unlink(missing_ok=True)  # what follows may fail, and nothing must say that it has not
    check_verilog(files.rtl, files.manifest)
    vectors = _vectors(files)
    checks = tuple(_compare(folder, files, name, what, images) for name, what, images in vectors)
    write_atomic(path, _report(folder, files, checks, _set_of_checks(vectors)))
    return checks


def is_verified(folder: Path) -> bool:
    """Return whether the report is of these very bytes of Verilog and network, and of today's checks.

    Raises:
        ManifestError: there is no manifest, it is broken, or the Verilog is not what it says.
    """
    files = find_files(folder)
    check_verilog(files.rtl, files.manifest)
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        said = [report[key] for key in ("format", "network_digest", "rtl_digest", "checks_digest")]
        equal = all(check["result"] == "equal" for check in report["checks"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
    manifest = files.manifest
    needed = [FORMAT, manifest.network_digest, manifest.rtl_digest]
    return equal and said == [*needed, _set_of_checks(_vectors(files))]


def _tool() -> str:
    return f"Verilator {version('verilator')}"


def _set_of_checks(vectors: Sequence[tuple[str, str, NDArray[np.uint8]]]) -> str:
    """Return a digest that differs wherever another comparison, image or simulator would be used."""
    content = [(name, what, digest(images.tobytes())) for name, what, images in vectors]
    return digest(json.dumps([FORMAT, _tool(), content]).encode())


def _vectors(files: BuildFiles) -> Sequence[tuple[str, str, NDArray[np.uint8]]]:
    """Return (name, what it is, images) of each check."""
    manifest = files.manifest
    random = np.random.default_rng(int(manifest.network_digest[:8], 16))
    # A density per image: uniform pixels alone would all have about the same number of ones.
    density = random.random((RANDOM_IMAGES, *[1] * len(manifest.shape)))
    drawn = random.random((RANDOM_IMAGES, *manifest.shape)) < density
    least = manifest.threshold
    if least is None:
        values = np.where(drawn, random.integers(1, 256, drawn.shape), 0)
    else:  # half of the pixels have the values on both sides of the threshold
        near = random.random(drawn.shape) < 0.5
        values = np.where(drawn, np.where(near, least, 255), np.where(near, least - 1, 0))
    made = [("random images", "random images of all densities", values.clip(0, 255))]
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
        vectors_digest=digest(images.tobytes()),
        result="equal",
        tool=_tool(),
        seconds=round(time.perf_counter() - started, 1),
    )


def _report(folder: Path, files: BuildFiles, checks: Sequence[Check], set_of_checks: str) -> str:
    manifest = files.manifest
    sources = {name: digest((files.rtl / name).read_bytes()) for name in manifest.sources}
    table = {
        "format": FORMAT,
        "model": manifest.model,
        "board": manifest.board,
        "network_digest": manifest.network_digest,
        "rtl_digest": manifest.rtl_digest,
        "files": sources,
        "checks_digest": set_of_checks,
        "checks": [asdict(check) for check in checks],
        "proofs": _proofs(folder, manifest),
        "tools": {
            "generator": manifest.generator,
            **{name: version(name) for name in ("verilator", "numpy")},
        },
    }
    return json.dumps(table, indent=2) + "\n"


# Reports of proofs: where, of what, what they proved, and what their rows count.
PROOFS = (
    (
        "../lower.json",
        ("network_digest",),
        "integer threshold = BatchNorm at every reachable sum, in exact arithmetic",
        ("proved", "neurons", "sums"),
    ),
    (
        PROOF,
        ("network_digest", "rtl_digest"),
        "Verilog of each layer and their wiring = integer network, for all inputs",
        ("layers", "read", "proven"),
    ),
)


def _proofs(folder: Path, manifest: Manifest) -> list[dict[str, Any]]:
    """Return what lowering proved of this network, and `make prove` of this Verilog."""
    found = []
    for name, digests, what, (rows, *counts) in PROOFS:
        path = folder.resolve() / name
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
            if all(report[key] == getattr(manifest, key) for key in digests):
                sums = {key: sum(int(row[key]) for row in report[rows]) for key in counts}
                found.append({"what": what, **sums, "report": path.name})
        except (OSError, ValueError, KeyError, TypeError):
            pass  # a network that was not lowered or proven here
    return found
