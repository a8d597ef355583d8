"""The bit-exact reference in numpy: no hardware, no simulation."""

import numpy as np
from numpy.typing import NDArray

from sbnn.boards.transports.transport import BuildFiles, DriverError, Exchange
from sbnn.hls.manifest import Manifest
from sbnn.hls.network import Network, load
from sbnn.hls.reference import BATCH, run_bits


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
        bits = np.unpackbits(packed, axis=1, count=self._manifest.bits, bitorder="little")
        fields = np.zeros((len(packed), len(self._manifest.fields)), np.int64)
        for start in range(0, len(packed), BATCH):
            answer = run_bits(self._network, bits[start : start + BATCH].astype(bool))
            everything = np.concatenate([answer.classes[:, None], answer.scores], axis=1)
            fields[start : start + BATCH] = everything[:, : fields.shape[1]]
        return Exchange(fields)

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
