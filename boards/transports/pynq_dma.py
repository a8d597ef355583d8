"""A Zynq whose images and results lie in memory: AMD's axi_dma, or the shell's own DMA."""

import time
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sbnn.boards.registers import mask
from sbnn.boards.transports.overlay import BEAT_BYTES, STREAM, Shell, open_shell
from sbnn.boards.transports.transport import (
    BuildFiles,
    DriverError,
    Exchange,
    pad_images,
    unpack_results,
)

AXI_DMA = "axi_dma_0"
# Of each buffer: far below the length that axi_dma counts (2**26) and what Linux keeps for DMA.
BUFFER_BYTES = 4 << 20
# Of axi_dma: its two control registers, each followed by its status register, and their bits.
CONTROL = {"to the core": 0x00, "from the core": 0x30}
RUN, RESET, HALTED = 1, 4, 1
ERRORS = {
    0x10: "more or fewer bytes than it was asked for",
    0x20: "memory answered with an error",
    0x40: "no memory at the address",
}


class Engine(Protocol):
    """What moves a batch between memory and the core."""

    def reset(self) -> None:
        """Give up whatever is under way."""

    def move(self, source: Any, target: Any, images: int) -> None:
        """Send `source`, fill `target`, both buffers of pynq, and wait until it is done."""


class AxiDma:
    """AMD's axi_dma with polling instead of interrupts.

    Args:
        shell: the accelerator beside it.

    Raises:
        DriverError: there is none in the overlay, or it does not come out of reset.
    """

    def __init__(self, shell: Shell) -> None:
        if AXI_DMA not in shell.overlay.ip_dict:
            raise DriverError(
                f"{shell.overlay.bitfile_name}: has neither {AXI_DMA} nor a shell with its own DMA; "
                "use the pynq-fifo transport"
            )
        self._shell = shell
        self._mmio = shell.mmio(AXI_DMA)
        self.reset()
        self._dma = getattr(shell.overlay, AXI_DMA)  # its constructor waits for a running DMA

    def reset(self) -> None:
        """Reset and start both channels, whatever a process that is gone left under way."""
        self._mmio.write(CONTROL["to the core"], RESET)  # of both
        for name, control in CONTROL.items():
            self._until(name, control, RESET, 0)
            self._mmio.write(control, RUN)
            self._until(name, control + 4, HALTED, 0)

    def move(self, source: Any, target: Any, images: int) -> None:
        """Send and receive one batch; pynq's own wait would wait for ever.

        Raises:
            DriverError: nothing moves any more, an error, or another number of bytes.
        """
        what = f"the DMA of {images} images"
        send, receive = self._dma.sendchannel, self._dma.recvchannel
        send.start()  # after a reset, pynq has to know that the next transfer is the first
        receive.start()
        receive.transfer(target)
        send.transfer(source)
        self._shell.wait(
            lambda: bool(send.error or receive.error or (send.idle and receive.idle)),
            what,
            "IMAGES_OUT",
        )
        for name, channel in (("to", send), ("from", receive)):
            if channel.error:
                status = self._mmio.read(CONTROL[f"{name} the core"] + 4)
                reasons = " and ".join(text for bit, text in ERRORS.items() if status & bit)
                raise DriverError(
                    f"{what} failed {name} the core: {reasons or hex(status)}{self._shell.state()}"
                )
            channel.wait()  # at once; it also takes the caches' old lines away
        if receive.transferred != target.nbytes:
            raise DriverError(
                f"{what} gave {receive.transferred} bytes, needs {target.nbytes}"
                f"{self._shell.state()}"
            )

    def _until(self, name: str, offset: int, bits: int, value: int) -> None:
        deadline = time.monotonic() + self._shell.timeout
        while self._mmio.read(offset) & bits != value:
            if time.monotonic() > deadline:
                raise DriverError(
                    f"{AXI_DMA}: the channel {name} does not come out of reset in "
                    f"{self._shell.timeout:g} s; is its clock running?"
                )


class OwnDma:
    """The DMA in the shell.

    Args:
        shell: the registers.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def reset(self) -> None:
        """Do nothing more: the shell's reset reaches its DMA."""

    def move(self, source: Any, target: Any, images: int) -> None:
        """Send and receive one batch.

        Raises:
            DriverError: nothing moves any more, or an error.
        """
        shell = self._shell
        what = f"the DMA of {images} images"
        source.flush()
        target.flush()  # a line of old data that is written back later would cover results
        for name, value in (
            ("DMA_SRC", source.physical_address),
            ("DMA_DST", target.physical_address),
            ("DMA_IMAGES", images),
            ("DMA_START", 1),
        ):
            shell.write(name, value)
        shell.check_errors(what)
        running, failed = mask("DMA_STATUS", "RUNNING"), mask("DMA_STATUS", "ERROR")
        shell.wait(lambda: shell.read("DMA_STATUS") & running == 0, what, "IMAGES_OUT")
        if shell.read("DMA_STATUS") & failed:
            raise DriverError(f"{what} failed{shell.state()}")
        target.invalidate()


class PynqDmaTransport:
    """One core between two buffers in memory.

    Args:
        shell: the registers.
        engine: what moves the data.
    """

    name = "pynq-dma"

    def __init__(self, shell: Shell, engine: Engine) -> None:
        from pynq import allocate

        self._shell = shell
        self._engine = engine
        self.simulated = shell.simulated
        self.clock_mhz = shell.clock_mhz
        manifest = shell.manifest
        widths = (manifest.in_beats * BEAT_BYTES, manifest.out_beats * BEAT_BYTES)
        self._most = max(1, BUFFER_BYTES // max(widths))
        device = shell.overlay.device
        self._source, self._target = (
            allocate((self._most, width), np.uint8, target=device) for width in widths
        )

    def exchange(self, packed: NDArray[np.uint8]) -> Exchange:
        """Send (N, image_bytes) uint8 images, a full buffer at a time, and wait for their results.

        Raises:
            DriverError: nothing moves any more, or an error.
        """
        manifest = self._shell.manifest
        images = pad_images(packed, manifest.in_beats * BEAT_BYTES)
        fields = np.zeros((len(packed), len(manifest.fields)), np.int64)
        cycles = 0
        for start in range(0, len(images), self._most):
            part = images[start : start + self._most]
            source, target = self._source[: len(part)], self._target[: len(part)]
            source[:] = part
            self._shell.start(STREAM)
            try:
                self._engine.move(source, target, len(part))
                self._shell.check_errors(f"the DMA of {len(part)} images")
            except DriverError:
                self._give_up()
                raise
            cycles += self._shell.read("BATCH_CYCLES")
            rows = np.asarray(target)
            fields[start : start + len(part)] = unpack_results(manifest, rows)
        return Exchange(fields, cycles)

    def close(self) -> None:
        """Stop whatever runs before the buffers are given back."""
        self._give_up()

    def _give_up(self) -> None:
        self._engine.reset()
        self._shell.start(STREAM)


def open_transport(files: BuildFiles, timeout: float, download: bool) -> PynqDmaTransport:
    """Load the bitstream, and find out which DMA it has.

    Raises:
        DriverError: pynq, the board or a file is missing, another build is loaded, or no DMA in it.
    """
    shell = open_shell(files, timeout, download)
    shell.start(STREAM)
    own = shell.read("FEATURES") & mask("FEATURES", "OWN_DMA")
    return PynqDmaTransport(shell, OwnDma(shell) if own else AxiDma(shell))
