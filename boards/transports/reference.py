"""The bit-exact reference in numpy: no hardware, no simulation."""

import numpy as np
from numpy.typing import NDArray

from sbnn.boards.transports.transport import BuildFiles, DriverError, Exchange
from sbnn.hls import reference
from sbnn.hls.manifest import Manifest
from sbnn.hls.network import Network, load


class ReferenceTransport:
    """The integer network itself, behind the interface of a board."""

    name = "reference"
    simulated = True
    clock_mhz: float | None = None

    def __init__(self, manifest: Manifest, network: Network) -> None:
        self._manifest = manifest
        self._network = network

    def exchange(self, packed: NDArray[np.uint8]) -> Exchange:
        """Compute the results of (N, image_bytes) uint8 images."""
        network, manifest = self._network, self._manifest
        if manifest.encoding == "bytes":
            images = packed.reshape(len(packed), *manifest.shape)
        else:  # 0 and 255 stand on both sides of any threshold
            bits = np.unpackbits(packed, axis=1, count=manifest.bits, bitorder="little")
            images = (255 * bits).reshape(len(packed), *manifest.shape)
        answer = reference.run(network, images)
        fields = np.concatenate([answer.classes[:, None], answer.scores], axis=1)
        return Exchange(fields[:, : len(manifest.fields)])

    def close(self) -> None:
        """Do nothing: nothing was opened."""


def open_transport(files: BuildFiles) -> ReferenceTransport:
    """Read the network.

    Raises:
        DriverError: it is not there, or is another one than the core's.
    """
    manifest = files.manifest
    network = read_network(files)
    return ReferenceTransport(manifest, network)


def read_network(files: BuildFiles) -> Network:
    """Return the integer network that the core was generated from.

    Raises:
        DriverError: it is not there, or is another one.
    """
    if not files.network.is_file():
        raise DriverError(f"{files.network}: no such file; make hls writes it")
    network = load(files.network)
    if network.digest() != files.manifest.network_digest:
        raise DriverError(
            f"{files.network}: has digest {network.digest()[:12]}, the core of "
            f"{files.manifest.model} was made from {files.manifest.network_digest[:12]}"
        )
    return network
