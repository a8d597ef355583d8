"""What every transport takes and gives, and the errors of the driver."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sbnn.hls.manifest import Manifest, load_manifest
from sbnn.train.errors import UserError


class DriverError(UserError):
    """The accelerator did not answer, answered something else, or was asked for what it cannot do."""


class LinkError(DriverError):
    """Bytes were lost or damaged: asking again may help."""


@dataclass(frozen=True, eq=False)
class Exchange:
    """What came back for N images.

    Attributes:
        fields: (N, F) int64, the class first, then the scores if the core sends them.
        cycles: clock cycles from the first beat in to the last beat out, None where nobody counts them.
        latencies: (N,) int64 cycles of each image from its first beat in to its last beat out, None
            where nobody sees single images.
    """

    fields: NDArray[np.int64]
    cycles: int | None = None
    latencies: NDArray[np.int64] | None = None


class Transport(Protocol):
    """One way to the core.

    Attributes:
        name: as `open_accelerator` takes it.
        simulated: whether seconds say nothing about hardware.
        clock_mhz: clock of the hardware, None where there is no hardware or it cannot be read.
    """

    name: str
    simulated: bool
    clock_mhz: float | None

    def exchange(self, packed: NDArray[np.uint8]) -> Exchange:
        """Send (N, image_bytes) uint8 images and wait for their results."""

    def close(self) -> None:
        """Give back what was opened."""


@dataclass(frozen=True)
class BuildFiles:
    """Where the files of a deploy folder or a build folder are; only the manifest surely exists.

    Attributes:
        manifest: what the core was generated as, and how a host reaches it.
        network: the integer network.
        bitfile: the bitstream.
        rtl: the folder to which the manifest's Verilog names are relative.
        images: test images with their expected results.
        report: folder of the reports.
    """

    manifest: Manifest
    network: Path
    bitfile: Path
    rtl: Path
    images: Path
    report: Path


def find_files(folder: Path) -> BuildFiles:
    """Return the files of a deploy folder, or of build/<model>/<board> with or without one.

    Raises:
        ManifestError: neither holds a manifest, or it is broken.
    """
    folder = folder.resolve()
    manifest = load_manifest(folder / "manifest.json")
    deploy = folder / "deploy"
    if manifest.link is None and (deploy / "manifest.json").is_file():
        deployed = load_manifest(deploy / "manifest.json")
        if deployed.build_id == manifest.build_id:  # else it is left over from an older core
            return find_files(deploy)
    bitfile = f"{manifest.model}.bit"
    if manifest.link is not None:
        return BuildFiles(
            manifest,
            network=folder / "network.npz",
            bitfile=folder / bitfile,
            rtl=folder.parent,
            images=folder / "images.npz",
            report=folder / "report",
        )
    return BuildFiles(
        manifest,
        network=folder.parent / "network.npz",
        bitfile=folder / "bitfile" / bitfile,
        rtl=folder,
        images=folder / "images.npz",
        report=folder / "report",
    )


def pad_images(packed: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return (N, image_bytes) uint8 images as (N, size) rows, filled with zeros."""
    padded = np.zeros((len(packed), size), np.uint8)
    padded[:, : packed.shape[1]] = packed
    return padded


def unpack_results(manifest: Manifest, rows: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the (N, F) int64 fields of (N, result_bytes or more) uint8 results."""
    fields = np.ascontiguousarray(rows[:, : manifest.result_bytes])
    return fields.view(f"<i{manifest.field_bits // 8}").astype(np.int64)


def check_build(manifest: Manifest, build_id: str) -> None:
    """Raise `DriverError` when the hardware holds another build than the manifest names."""
    if build_id != manifest.build_id:
        raise DriverError(
            f"the board holds build {build_id}, the manifest of {manifest.model} is build "
            f"{manifest.build_id}; load its bitstream"
        )
