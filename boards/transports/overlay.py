"""The registers of a Zynq bitstream through the pynq package; both PYNQ transports start here."""

import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbnn.boards.registers import ERRORS, ID_VALUE, OFFSET, VERSION_VALUE, mask
from sbnn.boards.transports.transport import BuildFiles, DriverError, check_build
from sbnn.hls.manifest import Manifest

IP = "sbnn_0"
BEAT_BYTES = 8
FIFO, STREAM = 0, 1


class Shell:
    """The accelerator's registers in a loaded overlay.

    Args:
        overlay: a loaded pynq.Overlay.
        manifest: what the bitstream was made from; the hardware must hold the same build.
        timeout: seconds without any progress after which waiting ends.

    Attributes:
        overlay: the same.
        simulated: whether the device of pynq is a simulation.
        clock_mhz: clock of the hardware as its registers say, None in a simulation.

    Raises:
        DriverError: no accelerator in the overlay, another build, or a clock beyond what it was timed for.
    """

    def __init__(self, overlay: Any, manifest: Manifest, timeout: float) -> None:
        self.overlay = overlay
        self.manifest = manifest
        self.timeout = timeout
        if IP not in overlay.ip_dict:
            there = " ".join(overlay.ip_dict) or "nothing"
            raise DriverError(f"{overlay.bitfile_name}: has no {IP}, only {there}")
        self._mmio = self.mmio(IP)
        self.simulated = bool(getattr(overlay.device, "simulated", False))
        clock_mhz = _fclk0_mhz()
        self.clock_mhz = None if self.simulated else clock_mhz
        self._check_clock(clock_mhz)
        self._check()

    def mmio(self, name: str) -> Any:
        """Return the register window of a block of the overlay, as a pynq.MMIO."""
        from pynq import MMIO

        block = self.overlay.ip_dict[name]
        return MMIO(block["phys_addr"], block["addr_range"], device=self.overlay.device)

    def read(self, name: str) -> int:
        """Return a register by its name."""
        return int(self._mmio.read(OFFSET[name]))

    def write(self, name: str, value: int) -> None:
        """Write a register by its name."""
        self._mmio.write(OFFSET[name], value)

    def push(self, words: NDArray[np.uint32]) -> None:
        """Append words to the image queue, at most half a window of them."""
        # Every second word of the window, so that numpy moves word by word: its copy of a dense
        # block is a memcpy, which may write some bytes twice, and a queue counts every write.
        first = OFFSET["FIFO_IN"] // 4
        self._mmio.array[first : first + 2 * len(words) : 2] = words

    def pop(self, count: int) -> NDArray[np.uint32]:
        """Take words from the result queue, at most half a window of them."""
        first = OFFSET["FIFO_OUT"] // 4
        return np.array(self._mmio.array[first : first + 2 * count : 2], np.uint32)

    def start(self, source: int) -> None:
        """Drop whatever is inside, clear counters and errors, and choose where images come from.

        Raises:
            DriverError: the reset does not end.
        """
        command = mask("CONTROL", "RESET") | mask("CONTROL", "CLEAR")
        self.write("CONTROL", command | source * _lowest(mask("CONTROL", "SOURCE")))
        busy = mask("STATUS", "IN_RESET")
        self.wait(lambda: self.read("STATUS") & busy == 0, "the reset", "")
        self.write("ERRORS", 0xFFFFFFFF)

    def wait(self, done: Callable[[], bool], what: str, counts: str) -> None:
        """Return when `done`.

        Args:
            done: asked again and again.
            what: for the message.
            counts: a register whose changes are progress; none where it is empty.

        Raises:
            DriverError: `timeout` seconds passed without any.
        """
        seen, since = -1, time.monotonic()
        while not done():
            now = self.read(counts) if counts else 0
            if now != seen:
                seen, since = now, time.monotonic()
            elif time.monotonic() - since > self.timeout:
                raise DriverError(
                    f"{what} of {self.manifest.model} did not finish: nothing moved for "
                    f"{self.timeout:g} s{self.state()}"
                )

    def cycles(self) -> int:
        """Return the clock cycles since `start`."""
        low = self.read("CYCLES_LO")  # latches the other half
        return self.read("CYCLES_HI") << 32 | low

    def check_errors(self, what: str) -> None:
        """Raise `DriverError` when the shell has seen an error."""
        errors = self.read("ERRORS")
        if errors:
            raise DriverError(f"{what} of {self.manifest.model} failed{self.state()}")

    def state(self) -> str:
        """Return what the counters and the error flags say, as the end of a message."""
        errors = self.read("ERRORS")
        names = " ".join(field.name for field in ERRORS if errors & field.mask) or "none"
        return (
            f" ({self.read('IMAGES_IN')} images in, {self.read('IMAGES_OUT')} out, errors: {names})"
        )

    def _check_clock(self, clock_mhz: float) -> None:
        """Refuse a clock that timing was not met for: results would be wrong now and then."""
        link = self.manifest.link
        # The dividers of the processor reach a frequency to a few parts in a thousand.
        if link is not None and clock_mhz > 1.005 * link.clock_mhz:
            raise DriverError(
                f"the processor clocks the core at {clock_mhz:g} MHz, the bitstream was timed for "
                f"{link.clock_mhz:g} MHz; set pynq.Clocks.fclk0_mhz to that"
            )

    def _check(self) -> None:
        manifest = self.manifest
        found = self.read("ID")
        if found != ID_VALUE:
            raise DriverError(
                f"{IP} answers {found:#010x} as its ID, an sbnn shell says {ID_VALUE:#010x}; "
                "load the bitstream"
            )
        version = self.read("VERSION")
        if version >> 16 != VERSION_VALUE >> 16:
            raise DriverError(
                f"{IP} has registers of version {version >> 16}, this driver needs "
                f"{VERSION_VALUE >> 16}"
            )
        check_build(manifest, f"{self.read('BUILD_HI') << 32 | self.read('BUILD_LO'):016x}")
        beats = (self.read("IMAGE_BEATS"), self.read("RESULT_BEATS"))
        if beats != (manifest.in_beats, manifest.out_beats):
            raise DriverError(
                f"{IP} takes {beats[0]} beats and gives {beats[1]}, the manifest of "
                f"{manifest.model} says {manifest.in_beats} and {manifest.out_beats}"
            )


def open_shell(files: BuildFiles, timeout: float, download: bool) -> Shell:
    """Load the bitstream through pynq and find the accelerator in it.

    Raises:
        DriverError: pynq or the board is missing, a file is missing, or another build is loaded.
    """
    manifest = files.manifest
    if manifest.link is None or manifest.link.kind != "zynq":
        raise DriverError(
            f"{manifest.model} for {manifest.board}: the manifest names no Zynq; make bitstream for "
            "a board with a zynq shell writes one that does"
        )
    if (manifest.in_beat_bits, manifest.out_beat_bits) != (8 * BEAT_BYTES, 8 * BEAT_BYTES):
        raise DriverError(
            f"{manifest.model}: has beats of {manifest.in_beat_bits} and {manifest.out_beat_bits} "
            f"bits, the Zynq shell moves {8 * BEAT_BYTES}"
        )
    for path in (files.bitfile, files.bitfile.with_suffix(".hwh")):
        if not path.is_file():
            raise DriverError(
                f"{path}: no such file; make bitstream BOARD={manifest.board} writes it"
            )
    return Shell(_load(files.bitfile, download), manifest, timeout)


def _load(bitfile: Path, download: bool) -> Any:
    try:
        import pynq  # only a board has it
    except ImportError as error:
        raise DriverError(
            "pynq is not installed; this transport runs on a PYNQ board (its image has it)"
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pynq also warns of what the next line says
            device = pynq.Device.active_device
    except RuntimeError as error:
        raise DriverError(
            "pynq finds no device; run this on the board, as root, with XRT's environment "
            "(source /etc/profile.d/xrt_setup.sh)"
        ) from error
    try:
        return pynq.Overlay(str(bitfile), download=download, device=device)
    except Exception as error:  # pynq's parser stumbles over a broken .hwh in any way
        reason = str(error) or type(error).__name__
        raise DriverError(f"{bitfile}: pynq cannot load it ({reason})") from error


def _fclk0_mhz() -> float:
    from pynq import Clocks

    return float(Clocks.fclk0_mhz)


def _lowest(bits: int) -> int:
    return bits & -bits
