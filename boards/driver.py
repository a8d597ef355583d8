"""Drive the accelerator: numpy images in, classes and scores out, over any transport.

    with open_accelerator("build/sbnn95/pynq-z2/deploy") as accelerator:
        classes = accelerator.infer(images)        # (N, 28, 28) uint8 -> (N,) int64
        results = accelerator.run(images)          # .classes, .scores

Runs on the board: Python 3.10 or newer with numpy 1.21 or newer, and pynq or pyserial where the
transport needs it.
"""

import importlib
import math
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from sbnn.boards.transports.transport import (
    BuildFiles,
    DriverError,
    LinkError,
    Transport,
    find_files,
)
from sbnn.hls.manifest import Manifest

__all__ = [
    "TRANSPORTS",
    "Accelerator",
    "DriverError",
    "LinkError",
    "Results",
    "Timing",
    "open_accelerator",
    "pack_images",
]

TRANSPORTS = ("reference", "verilator", "uart", "pynq-dma", "pynq-fifo")
# Silence for so long, not a computation of so long, means that nothing comes any more.
TIMEOUT_SECONDS = 2.0


@dataclass(frozen=True, eq=False)
class Results:
    """What the core says of N images.

    Attributes:
        classes: (N,) int64.
        scores: (N, classes) int64; (N, 0) where the core does not send them.
    """

    classes: NDArray[np.int64]
    scores: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Timing:
    """How long the last run took.

    Attributes:
        images: N.
        seconds: on this computer's clock, packing and unpacking included.
        cycles: the core's clock cycles from the first beat in to the last beat out, None where
            nobody counts them.
        latencies: (N,) int64 cycles of each image, None where nobody sees single images.
    """

    images: int
    seconds: float
    cycles: int | None
    latencies: NDArray[np.int64] | None


class Accelerator:
    """One core behind one transport; a context manager that closes it.

    Args:
        manifest: what the core was generated as.
        transport: the way to it.

    Attributes:
        manifest: the same.
        link: the transport.
        timing: of the last `run`, None before it.
    """

    def __init__(self, manifest: Manifest, transport: Transport) -> None:
        self.manifest = manifest
        self.link = transport
        self.timing: Timing | None = None

    @property
    def transport(self) -> str:
        """Name of the transport."""
        return self.link.name

    @property
    def simulated(self) -> bool:
        """Whether there is no hardware, so that seconds say nothing about it."""
        return self.link.simulated

    @property
    def clock_mhz(self) -> float | None:
        """Clock of the hardware as read from it, None without hardware."""
        return self.link.clock_mhz

    def describe(self) -> str:
        """Return model, board, transport and build in one line, for the head of every figure."""
        kind = "simulated" if self.simulated else "hardware"
        if self.transport == "reference":
            kind = "numpy, no hardware"
        return (
            f"{self.manifest.model} for {self.manifest.board}, transport {self.transport} ({kind}), "
            f"build {self.manifest.build_id}"
        )

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the (N,) int64 classes of (N, *shape) uint8 images; see `run`."""
        return self.run(images).classes

    def run(self, images: NDArray[np.uint8]) -> Results:
        """Return classes and scores of (N, *shape) uint8 images; `timing` says how long it took.

        Raises:
            DriverError: wrong dtype or shape, no answer in time, or an impossible one.
        """
        started = time.perf_counter()
        exchange = self.link.exchange(pack_images(self.manifest, images))
        seconds = time.perf_counter() - started
        fields = exchange.fields
        wrong = fields[(fields[:, 0] < 0) | (fields[:, 0] >= self.manifest.classes), 0]
        if len(wrong):
            raise DriverError(
                f"the board answers class {wrong[0]}, {self.manifest.model} has "
                f"{self.manifest.classes} classes"
            )
        self.timing = Timing(len(images), seconds, exchange.cycles, exchange.latencies)
        return Results(fields[:, 0], fields[:, 1:])

    def close(self) -> None:
        """Give back the transport."""
        self.link.close()

    def __enter__(self) -> "Accelerator":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_accelerator(
    folder: str | Path,
    transport: str = "auto",
    port: str | None = None,
    timeout: float = TIMEOUT_SECONDS,
    download: bool = True,
) -> Accelerator:
    """Open the accelerator of a deploy folder, or of build/<model>/<board>.

    Args:
        folder: the folder.
        transport: one of `TRANSPORTS`, or "auto": the one of the board that the bitstream is for.
        port: serial port of the uart transport, such as /dev/ttyUSB0.
        timeout: seconds without any progress after which a pynq transport gives up.
        download: load the bitstream first (pynq transports); False when it is loaded already.

    Raises:
        DriverError: the transport is unknown or cannot work here, nobody answers, or the hardware
            holds another build than the manifest names.
        ManifestError: no manifest in the folder, or a broken one.
    """
    files = find_files(Path(folder))
    name = _automatic(files) if transport == "auto" else transport
    return Accelerator(files.manifest, _open(name, files, port, timeout, download))


def _automatic(files: BuildFiles) -> str:
    link = files.manifest.link
    if link is None:
        raise DriverError(
            f"{files.manifest.model}: no bitstream for {files.manifest.board} here, so name a "
            "transport: reference or verilator"
        )
    return "uart" if link.kind == "uart" else "pynq-dma"


def _open(
    name: str, files: BuildFiles, port: str | None, timeout: float, download: bool
) -> Transport:
    """Open one transport; only its own module is imported."""
    if name == "reference":
        from sbnn.boards.transports import reference

        return reference.open_transport(files)
    if name == "verilator":
        return _open_verilator(files)
    if name == "uart":
        from sbnn.boards.transports import uart

        return uart.open_transport(files, port)
    if name == "pynq-dma":
        from sbnn.boards.transports import pynq_dma

        return pynq_dma.open_transport(files, timeout, download)
    if name == "pynq-fifo":
        from sbnn.boards.transports import pynq_fifo

        return pynq_fifo.open_transport(files, timeout, download)
    raise DriverError(f"transport is {name!r}, needs auto or one of {' '.join(TRANSPORTS)}")


def _open_verilator(files: BuildFiles) -> Transport:
    """Open the simulated core.

    Its modules are named in a string, so that a deploy folder, which holds all that this module imports,
    comes without a simulator that no board can use.
    """
    try:
        module = importlib.import_module("sbnn.boards.transports.verilator")
    except ModuleNotFoundError as error:
        raise DriverError(
            f"the verilator transport is not in this copy of the driver ({error.name}); use it from "
            "a checkout of sbnn"
        ) from error
    transport: Transport = module.open_transport(files)
    return transport


def pack_images(manifest: Manifest, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (N, image_bytes) uint8: pixel >= threshold, packed little end first, or the pixels themselves.

    Raises:
        DriverError: wrong dtype or shape.
    """
    if not isinstance(images, np.ndarray):
        raise DriverError(
            f"images are {type(images).__name__}, {manifest.model} takes a numpy array of uint8"
        )
    if images.dtype != np.uint8:
        raise DriverError(f"images are {images.dtype}, {manifest.model} takes uint8")
    if images.ndim != len(manifest.shape) + 1 or images.shape[1:] != manifest.shape:
        shape = ", ".join(map(str, manifest.shape))
        raise DriverError(f"images have shape {images.shape}, {manifest.model} takes (N, {shape})")
    flat = images.reshape(len(images), math.prod(manifest.shape))
    if manifest.encoding == "bytes":
        return np.ascontiguousarray(flat)
    bits = flat >= (manifest.threshold or 0)
    return np.packbits(bits, axis=1, bitorder="little")
