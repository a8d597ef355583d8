"""Validate an accelerator: all test images of a deploy folder, compared with ==; exit status 0, 1 or 2."""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sbnn.boards.driver import (
    TIMEOUT_SECONDS,
    TRANSPORTS,
    Accelerator,
    DriverError,
    Timing,
    open_accelerator,
)
from sbnn.boards.transports.reference import read_network
from sbnn.boards.transports.transport import find_files
from sbnn.hls import reference
from sbnn.train.errors import run_command

NO_LABEL = -1


@dataclass(frozen=True, eq=False)
class TestImages:
    """Test images and what must come out.

    Attributes:
        images: (N, *shape) uint8.
        labels: (N,) int64; `NO_LABEL` where nobody knows.
        classes: (N,) int64 expected classes.
        scores: (N, classes) int64 expected scores.
    """

    __test__ = False  # no pytest class

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: NDArray[np.int64]
    scores: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Validation:
    """What a validation found.

    Attributes:
        accelerator: the accelerator in one line.
        timing: of the run.
        images: how many were compared.
        differing: numbers of the images whose class or scores differ from the expected ones.
        stale: numbers of the images whose expected results differ from the reference's.
        accuracy: share of right classes, None without labels.
        scored: whether the core sends scores, so that they were compared too.
    """

    accelerator: str
    timing: Timing
    images: int
    differing: NDArray[np.int64]
    stale: NDArray[np.int64]
    accuracy: float | None
    scored: bool

    @property
    def equal(self) -> bool:
        """Whether everything is equal."""
        return not len(self.differing) and not len(self.stale)


def read_images(path: Path) -> TestImages:
    """Read images.npz.

    Raises:
        DriverError: it is not there, or not what a deploy folder has.
    """
    if not path.is_file():
        raise DriverError(f"{path}: no such file; make bitstream writes it with the deploy folder")
    try:
        with np.load(path, allow_pickle=False) as archive:
            data = TestImages(*(archive[k] for k in ("images", "labels", "classes", "scores")))
    except (KeyError, ValueError, OSError) as error:
        raise DriverError(f"{path}: not a file of test images ({error})") from error
    lengths = {len(array) for array in (data.images, data.labels, data.classes, data.scores)}
    if len(lengths) != 1 or not len(data.images):
        raise DriverError(f"{path}: arrays of {sorted(lengths)} entries, needs one number above 0")
    return data


def validate(accelerator: Accelerator, folder: Path, most: int | None = None) -> Validation:
    """Run the test images of a deploy folder and compare class and scores of each.

    Args:
        accelerator: opened for this folder.
        folder: the deploy folder.
        most: at most so many images; None: all.

    Raises:
        DriverError: files are missing, or the accelerator fails.
    """
    files = find_files(folder)
    data = read_images(files.images)
    chosen = slice(None, most)
    answer = reference.run(read_network(files), data.images[chosen])
    expected = data.classes[chosen], data.scores[chosen]
    stale = (answer.classes != expected[0]) | (answer.scores != expected[1]).any(1)
    results = accelerator.run(data.images[chosen])
    differing = results.classes != expected[0]
    scored = results.scores.shape[1] > 0
    if scored:
        differing |= (results.scores != expected[1]).any(1)
    labels = data.labels[chosen]
    timing = accelerator.timing
    if timing is None:
        raise DriverError("the accelerator has run nothing")
    return Validation(
        accelerator.describe(),
        timing,
        len(labels),
        np.flatnonzero(differing),
        np.flatnonzero(stale),
        None if (labels == NO_LABEL).any() else float((results.classes == labels).mean()),
        scored,
    )


def report(found: Validation, simulated: bool) -> str:
    """Return the short table that `main` prints."""
    compared = "class and scores" if found.scored else "class only (this core sends no scores)"
    accuracy = "no labels" if found.accuracy is None else f"{100 * found.accuracy:.2f} %"
    seconds = f"{found.timing.seconds:.3f} s on this computer"
    if simulated:
        seconds += " (no hardware: says nothing about a board's speed)"
    else:
        seconds += f", {found.images / found.timing.seconds:,.0f} images/s"
    cycles = "not counted" if found.timing.cycles is None else f"{found.timing.cycles:,}"
    rows = [
        ("accelerator", found.accelerator),
        ("images", f"{found.images:,}, compared: {compared}"),
        ("accelerator = expected", _verdict(found.differing)),
        ("reference = expected", _verdict(found.stale)),
        ("accuracy", accuracy),
        ("time", seconds),
        ("clock cycles", cycles),
        ("result", "EQUAL" if found.equal else "DIFFERENT"),
    ]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:{width}}  {text}" for name, text in rows)


def _verdict(numbers: NDArray[np.int64]) -> str:
    if not len(numbers):
        return "yes, every one"
    first = " ".join(map(str, numbers[:5]))
    return f"NO: {len(numbers):,} differ, first {first}"


def main() -> None:
    """Read the arguments, validate, and exit with 0 (equal), 1 (different) or 2 (not run)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=_beside(), help="the deploy folder")
    parser.add_argument("--transport", default="auto", choices=["auto", *TRANSPORTS])
    parser.add_argument("--port", help="serial port of the uart transport")
    parser.add_argument("--timeout", type=float, default=TIMEOUT_SECONDS, help="seconds")
    parser.add_argument("--images", type=int, help="at most so many; all without it")
    options = parser.parse_args()

    def command() -> None:
        with open_accelerator(
            options.folder, options.transport, port=options.port, timeout=options.timeout
        ) as accelerator:
            found = validate(accelerator, options.folder, options.images)
        sys.stdout.write(report(found, accelerator.simulated) + "\n")
        sys.exit(0 if found.equal else 1)

    run_command("validate", command)


def _beside() -> Path:
    """Return the folder of the script that runs, else the current one."""
    script = Path(sys.argv[0]).resolve().parent
    return script if (script / "manifest.json").is_file() else Path()


if __name__ == "__main__":
    main()
