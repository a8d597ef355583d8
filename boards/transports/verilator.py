"""The generated core itself, simulated cycle by cycle on this computer."""

import numpy as np
from numpy.typing import NDArray

from sbnn.boards.transports.transport import BuildFiles, Exchange, pad_images, unpack_results
from sbnn.boards.verilated import VerilatedCore, core_library
from sbnn.hls.manifest import Manifest


class VerilatorTransport:
    """A Verilated core: every result and every cycle is the hardware's, the seconds are not."""

    name = "verilator"
    simulated = True
    clock_mhz: float | None = None

    def __init__(self, manifest: Manifest, core: VerilatedCore) -> None:
        self._manifest = manifest
        self._core = core

    def exchange(self, packed: NDArray[np.uint8]) -> Exchange:
        """Send (N, image_bytes) uint8 images back to back, each as soon as the core takes it."""
        manifest = self._manifest
        run = self._core.run(pad_images(packed, manifest.in_beats * manifest.in_beat_bits // 8))
        return Exchange(
            unpack_results(manifest, run.results),
            cycles=run.cycles,
            latencies=run.last_out - run.first_in + 1,
        )

    def close(self) -> None:
        """Free the model."""
        self._core.close()


def open_transport(files: BuildFiles) -> VerilatorTransport:
    """Compile the core, or take the compiled one of the same content.

    Raises:
        DriverError: the Verilog is not there.
        ToolError: Verilator or the compiler is missing or failed.
    """
    library = core_library(files.rtl, files.manifest)
    return VerilatorTransport(files.manifest, VerilatedCore(library, files.manifest))
