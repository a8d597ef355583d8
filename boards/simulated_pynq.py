"""A PYNQ board without the board: the real pynq package on a device whose fabric is Verilated.

    with simulated_board(Path("build/sbnn95/pynq-z2/deploy")):
        with open_accelerator("build/sbnn95/pynq-z2/deploy") as accelerator:   # as on the board
            accelerator.run(images)

Overlay, MMIO, DMA, Clocks and allocate are pynq's own; only the device below them is ours: register
accesses go to the shell's AXI slave, buffers are the memory that its DMA reads and writes.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbnn.boards.board import load_board
from sbnn.boards.transports.transport import BuildFiles, DriverError, find_files
from sbnn.boards.verilated import BusError, VerilatedZynq, zynq_library

CORE, AXI_DMA = "sbnn_0", "axi_dma_0"
PAGE = 4096
# Where the CMA area of a 512 MiB board begins; 0 would hide a forgotten address.
FIRST_ADDRESS = 0x1600_0000
# The Zynq-7000's system registers (clocks), and what the boot loader leaves in them: 50 MHz * 20 from
# the IO PLL; FCLK0 to FCLK3 from it, divided by 20 and 1.
SLCR = 0xF800_0000
IO_PLL, FCLK = 0x108, (0x170, 0x180, 0x190, 0x1A0)


class RegisterWindow:
    """What a board's memory map of registers is: an array whose every element access is a bus access.

    Args:
        device: the device.
        base: physical address.
        length: bytes.
    """

    def __init__(self, device: "Fabric", base: int, length: int) -> None:
        self._device, self._base, self._words = device, base, length // 4

    def __getitem__(self, key: int | slice) -> Any:
        if isinstance(key, slice):
            words = range(self._words)[key]
            return np.array([self._device.read(self._base + 4 * n) for n in words], np.uint32)
        return np.uint32(self._device.read(self._base + 4 * range(self._words)[key]))

    def __setitem__(self, key: int | slice, value: Any) -> None:
        if isinstance(key, slice):
            words = range(self._words)[key]
            for n, word in zip(words, np.broadcast_to(value, len(words)), strict=True):
                self._device.write(self._base + 4 * n, int(word))
        else:
            self._device.write(self._base + 4 * range(self._words)[key], int(value))


class Fabric:
    """The physical address space of a simulated Zynq.

    Args:
        model: the Verilated shell and core.
        own_dma: whether the shell has its own DMA; otherwise axi_dma stands beside it.

    Attributes:
        model: the same.
        system: the processor's system registers; plain memory, since nothing here obeys them.
    """

    def __init__(self, model: VerilatedZynq, own_dma: bool) -> None:
        self.model = model
        self._own_dma = own_dma
        self._blocks: dict[str, tuple[int, int]] = {}
        self.system = np.zeros(PAGE // 4, np.uint32)
        self.system[IO_PLL // 4] = 20 << 12
        self.system[[at // 4 for at in FCLK]] = 1 << 20 | 20 << 8
        self._next = FIRST_ADDRESS

    def load(self, ip_dict: dict[str, Any]) -> None:
        """Put the blocks of a loaded overlay at their addresses."""
        known = {CORE} if self._own_dma else {CORE, AXI_DMA}
        self._blocks = {
            name: (block["phys_addr"], block["addr_range"])
            for name, block in ip_dict.items()
            if name in known
        }

    def read(self, address: int) -> int:
        """Read a word.

        Raises:
            BusError: nobody answers there.
        """
        name, offset = self._decode(address)
        return self.model.read(offset) if name == CORE else self.model.read_dma(offset)

    def write(self, address: int, value: int) -> None:
        """Write a word.

        Raises:
            BusError: nobody answers there.
        """
        name, offset = self._decode(address)
        if name == CORE:
            self.model.write(offset, value)
        else:
            self.model.write_dma(offset, value)

    def map_buffer(self, region: NDArray[np.uint8]) -> int:
        """Give a buffer's memory a physical address."""
        address = self._next
        self._next += -(-region.nbytes // PAGE) * PAGE + PAGE
        self.model.map_memory(address, region)
        return address

    def _decode(self, address: int) -> tuple[str, int]:
        for name, (base, size) in self._blocks.items():
            if base <= address < base + size:
                return name, address - base
        raise BusError(f"physical address {address:#x}: no block answers there")


def make_device(files: BuildFiles, fabric: Fabric) -> Any:
    """Return a pynq Device on a fabric; needs pynq."""
    from pynq.buffer import PynqBuffer
    from pynq.pl_server.device import Device
    from pynqmetadata.frontends import Metadata
    from pynqmetadata.views.runtime import RuntimeMetadataParser

    class Buffer(PynqBuffer):  # type: ignore[misc]
        """A buffer that the processor caches: the fabric sees what was flushed, no more."""

        device = None  # numpy 2 makes arrays of this class before pynq sets it

    class SimulatedDevice(Device):  # type: ignore[misc]
        """A Zynq-7000 whose fabric is simulated."""

        simulated = True

        def __init__(self) -> None:
            super().__init__("simulated")
            self.name = f"{files.manifest.board} (simulated)"
            self.arch = "armv7l"
            self.capabilities = {"MEMORY_MAPPED": True}
            self.bitfile_name = ""
            self.timestamp = ""
            self.mirrors: dict[int, tuple[int, NDArray[np.uint8]]] = {}

        def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
            handoff = Path(bitfile_name).with_suffix(".hwh")
            if not handoff.is_file():
                raise RuntimeError("Unable to find metadata for bitstream")
            return RuntimeMetadataParser(Metadata(input=str(handoff)))

        def set_bitfile_name(self, bitfile_name: str) -> None:
            super().set_bitfile_name(bitfile_name)
            fabric.load(self.ip_dict)

        def download(self, bitstream: Any, parser: Any = None) -> None:
            self.post_download(bitstream, parser, self.name)

        def gen_cache(self, bitstream: Any, parser: Any = None) -> None:
            """Write nothing: pynq would keep its state in its own package's folder."""

        def mmap(self, base: int, length: int) -> Any:
            if SLCR <= base < SLCR + PAGE:
                return fabric.system[(base - SLCR) // 4 :][: length // 4]
            return RegisterWindow(fabric, base, length)

        def allocate(self, shape: Any, dtype: Any, **_: Any) -> Any:
            size = int(np.prod(shape)) * np.dtype(dtype).itemsize
            cached, memory = (np.zeros(max(size, 8), np.uint8) for _ in range(2))
            address = fabric.map_buffer(memory)
            buffer = Buffer(
                shape, dtype, buffer=cached, device=self, device_address=address, coherent=False
            )
            buffer.freed = True  # numpy's memory, not the kernel's
            self.mirrors[buffer.virtual_address] = (size, memory)
            return buffer

        def flush(self, bo: Any, offset: int, pointer: int, size: int) -> None:
            cached, memory = self._views(pointer, size)
            memory[:] = cached

        def invalidate(self, bo: Any, offset: int, pointer: int, size: int) -> None:
            cached, memory = self._views(pointer, size)
            cached[:] = memory

        def _views(self, at: int, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
            """Return `size` bytes of a buffer as the processor and as the fabric sees them."""
            import ctypes

            for start, (length, memory) in self.mirrors.items():
                if start <= at and at + size <= start + length:
                    cached = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(at))
                    return cached, memory[at - start : at - start + size]
            raise RuntimeError(f"{size} bytes at {at:#x} are no part of a buffer")

    return SimulatedDevice()


@contextlib.contextmanager
def simulated_board(folder: Path, pauses: int = 0) -> Iterator[Fabric]:
    """Make pynq's active device a simulation of the board of a Zynq deploy folder.

    Args:
        folder: the deploy folder, or the build folder around it; the Verilog must be there.
        pauses: percent of the cycles in which the memory does not move a beat.

    Raises:
        DriverError: pynq or the Verilog is missing, or the folder is not for a Zynq.
        ToolError: Verilator or the compiler is missing or failed.
    """
    files = find_files(folder)
    link = files.manifest.link
    if link is None or link.kind != "zynq":
        raise DriverError(f"{folder}: no bitstream for a Zynq, so there is no board to simulate")
    processor = load_board(files.manifest.board).processor
    if processor is None or processor.kind != "zynq7":
        raise DriverError(
            f"{files.manifest.board}: the simulated board has the clocks of a Zynq-7000, no others"
        )
    try:
        from pynq import Clocks
        from pynq.pl_server.device import Device
    except ImportError as error:
        raise DriverError("pynq is not installed; the simulated board is made of it") from error
    own_dma = link.dma == "own"
    model = VerilatedZynq(zynq_library(files.rtl, files.manifest, own_dma), pauses=pauses)
    before = vars(Device).get("_active_device")
    try:
        fabric = Fabric(model, own_dma)
        device = make_device(files, fabric)
        Device.active_device = device
        _forget_clocks(Clocks, device)
        yield fabric
    finally:
        # pynq looks for devices only while it has none.
        if before is None and "_active_device" in vars(Device):
            del Device._active_device
        else:
            Device.active_device = before
        _forget_clocks(Clocks, before)
        model.close()


def _forget_clocks(clocks: Any, device: Any) -> None:
    """Let pynq's Clocks look at another device; it keeps the first one for ever."""
    if "_real_instance" in vars(clocks):
        del clocks._real_instance
    clocks.device = device
