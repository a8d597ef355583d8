"""A Zynq over register accesses alone: images into a queue, results out of another."""

import numpy as np
from numpy.typing import NDArray

from sbnn.boards.registers import OFFSET, WINDOW_BYTES
from sbnn.boards.transports.overlay import BEAT_BYTES, FIFO, Shell, open_shell
from sbnn.boards.transports.transport import BuildFiles, Exchange, pad_images, unpack_results

# Every second word of a queue's window is used: see Shell.push.
WINDOW = (WINDOW_BYTES - OFFSET["FIFO_OUT"]) // 8


class PynqFifoTransport:
    """One core behind its shell's queues.

    Args:
        shell: the registers.
    """

    name = "pynq-fifo"

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.simulated = shell.simulated
        self.clock_mhz = shell.clock_mhz

    def exchange(self, packed: NDArray[np.uint8]) -> Exchange:
        """Send (N, image_bytes) uint8 images and wait for their results.

        Raises:
            DriverError: nothing moves any more, or the shell has seen an error.
        """
        shell, manifest = self._shell, self._shell.manifest
        images = pad_images(packed, manifest.in_beats * BEAT_BYTES).view(np.uint32).reshape(-1)
        results = np.zeros(len(packed) * manifest.out_beats * BEAT_BYTES // 4, np.uint32)
        sent = taken = 0

        def move() -> bool:
            """Move what there is space for; return whether everything has come back."""
            nonlocal sent, taken
            if sent < len(images):
                words = images[sent : sent + min(WINDOW, shell.read("FIFO_IN_SPACE"))]
                shell.push(words)
                sent += len(words)
            count = min(WINDOW, shell.read("FIFO_OUT_LEVEL"), len(results) - taken)
            if count:
                results[taken : taken + count] = shell.pop(count)
                taken += count
            return taken == len(results)

        shell.start(FIFO)
        shell.wait(move, f"{len(packed)} images", "IMAGES_OUT")
        # The queues run empty between two accesses, so that only the clock itself counts the whole
        # batch; in a simulation it says how fast a made-up processor is.
        cycles = None if self.simulated else shell.cycles()
        shell.check_errors(f"{len(packed)} images")
        rows = results.view(np.uint8).reshape(len(packed), manifest.out_beats * BEAT_BYTES)
        return Exchange(unpack_results(manifest, rows), cycles)

    def close(self) -> None:
        """Leave the shell without anything inside."""
        self._shell.start(FIFO)


def open_transport(files: BuildFiles, timeout: float, download: bool) -> PynqFifoTransport:
    """Load the bitstream.

    Raises:
        DriverError: pynq, the board or a file is missing, or another build is loaded.
    """
    return PynqFifoTransport(open_shell(files, timeout, download))
