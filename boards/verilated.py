"""Verilated hardware behind ctypes: the generated core, and the Zynq designs around it."""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sbnn.boards.transports.transport import DriverError
from sbnn.hls.manifest import Manifest
from sbnn.hls.tools import run_tool
from sbnn.hls.verilate import (
    built,
    cache_folder,
    compile_objects,
    content_key,
    runtime,
    verilate,
)

CPP = Path(__file__).resolve().parent / "cpp"
LIBRARY = "model.so"
# Unknown and uninitialised bits cost time at every cycle; resets are tested with cocotb.
FAST = ("-O3", "--x-assign", "fast", "--x-initial", "fast", "--no-assert")


@dataclass(frozen=True, eq=False)
class CoreRun:
    """What a Verilated core answers to N images.

    Attributes:
        results: (N, out_beats * bytes of a beat) uint8.
        first_in: (N,) int64 cycle in which each image's first beat went in.
        first_out: (N,) int64 cycle in which its first beat of result came out.
        last_out: (N,) int64 cycle in which its last beat of result came out.
    """

    results: NDArray[np.uint8]
    first_in: NDArray[np.int64]
    first_out: NDArray[np.int64]
    last_out: NDArray[np.int64]

    @property
    def cycles(self) -> int:
        """Clock cycles from the first beat in to the last beat out; 0 without images."""
        return int(self.last_out[-1] - self.first_in[0] + 1) if len(self.results) else 0


class VerilatedCore:
    """A generated core, simulated cycle by cycle in C++; images may follow each other at once.

    Args:
        library: what `core_library` returned.
        manifest: the core.
    """

    def __init__(self, library: Path, manifest: Manifest) -> None:
        self._manifest = manifest
        self._c = load_library(library)
        self._handle = ctypes.c_void_p(self._c.sbnn_open())

    def run(self, images: NDArray[np.uint8]) -> CoreRun:
        """Send (N, in_beats * bytes of a beat) uint8 images through the core.

        Raises:
            DriverError: the core stops answering, or its TLAST is wrong.
        """
        manifest = self._manifest
        count, beats, width = len(images), manifest.in_beats, manifest.in_beat_bits // 8
        out_width = manifest.out_beat_bits // 8
        if images.dtype != np.uint8 or images.shape != (count, beats * width):
            raise DriverError(
                f"images are {images.dtype} {images.shape}, {manifest.top} takes uint8 "
                f"(N, {beats * width})"
            )
        images = np.ascontiguousarray(images)
        results = np.zeros((count, manifest.out_beats * out_width), np.uint8)
        marks = np.zeros((count, 3), np.int64)
        answer = self._c.sbnn_run(
            self._handle,
            pointer(images),
            ctypes.c_int64(count),
            ctypes.c_int64(beats),
            ctypes.c_int64(width),
            pointer(results),
            ctypes.c_int64(manifest.out_beats),
            ctypes.c_int64(out_width),
            pointer(marks),
        )
        if answer < 0:
            reason = {-1: "stops answering", -2: "sets TLAST on the wrong beat"}[answer]
            raise DriverError(f"the simulated core of {manifest.model} {reason}")
        return CoreRun(results, first_in=marks[:, 0], first_out=marks[:, 1], last_out=marks[:, 2])

    def close(self) -> None:
        """Free the model; it cannot be used afterwards."""
        if self._handle:
            self._c.sbnn_close(self._handle)
            self._handle = ctypes.c_void_p()


class VerilatedZynq:
    """The Zynq shell around a core: its registers, and the memory that its DMA sees.

    The design's clock runs only during a register access and for `gap` cycles after it.

    Args:
        library: what `zynq_library` returned.
        gap: cycles between two accesses of a processor.
        pauses: percent of the cycles in which the memory does not move a beat.
    """

    def __init__(self, library: Path, gap: int = 20, pauses: int = 0) -> None:
        self._c = load_library(library)
        self._handle = ctypes.c_void_p(self._c.sbnn_open())
        self._gap = ctypes.c_int64(gap)
        self._c.sbnn_pauses(self._handle, ctypes.c_int64(pauses))

    def read(self, offset: int) -> int:
        """Read a register of the shell.

        Raises:
            BusError: no answer, or an error response.
        """
        return _checked(self._c.sbnn_read(self._handle, offset, self._gap), f"read of {offset:#x}")

    def write(self, offset: int, value: int) -> None:
        """Write a register of the shell.

        Raises:
            BusError: no answer, or an error response.
        """
        answer = self._c.sbnn_write(self._handle, offset, ctypes.c_uint32(value), self._gap)
        _checked(answer, f"write of {offset:#x}")

    def read_dma(self, offset: int) -> int:
        """Read a register of the axi_dma."""
        return int(self._c.sbnn_dma_read(self._handle, offset, self._gap))

    def write_dma(self, offset: int, value: int) -> None:
        """Write a register of the axi_dma."""
        self._c.sbnn_dma_write(self._handle, offset, ctypes.c_uint32(value), self._gap)

    def map_memory(self, address: int, region: NDArray[np.uint8]) -> None:
        """Let the design see `region` at a physical address, until it is unmapped."""
        self._memory(address, region.nbytes, pointer(region))

    def unmap_memory(self, address: int) -> None:
        """Take a region away again."""
        self._memory(address, 0, ctypes.c_void_p())

    def clock(self, cycles: int = 0) -> int:
        """Run the clock on; return the cycles since the start."""
        return int(self._c.sbnn_clock(self._handle, ctypes.c_int64(cycles)))

    def faults(self) -> int:
        """Return how often the design broke AXI3's rules on its memory port."""
        return int(self._c.sbnn_faults(self._handle))

    def close(self) -> None:
        """Free the model; it cannot be used afterwards."""
        if self._handle:
            self._c.sbnn_close(self._handle)
            self._handle = ctypes.c_void_p()

    def _memory(self, address: int, size: int, at: ctypes.c_void_p) -> None:
        self._c.sbnn_memory(self._handle, ctypes.c_uint64(address), ctypes.c_uint64(size), at)


class BusError(DriverError):
    """An access that would end the process on a board."""


def _checked(answer: int, what: str) -> int:
    if answer < 0:
        reason = {-1: "was not answered", -2: "was answered with an error"}[answer]
        raise BusError(f"the {what} {reason}")
    return int(answer)


def core_library(folder: Path, manifest: Manifest) -> Path:
    """Return the shared library of the core whose Verilog lies in `folder`, built if it is not there.

    Raises:
        DriverError: a Verilog file is missing.
        ToolError: Verilator or the compiler is missing or failed.
    """
    return build_library(read_sources(folder, manifest), manifest.top, "core.cpp")


def zynq_library(folder: Path, manifest: Manifest, own_dma: bool) -> Path:
    """Return the shared library of the core in its Zynq shell, built if it is not there.

    Args:
        folder: where the core's Verilog lies.
        manifest: the core.
        own_dma: whether the shell has its own DMA; otherwise the model adds AMD's axi_dma.

    Raises:
        DriverError: a Verilog file is missing.
        BoardError: the core's beats are not 64 bits wide.
        ToolError: Verilator or the compiler is missing or failed.
    """
    from sbnn.boards import zynq  # reads board.toml files, which the core alone does not need

    if own_dma:
        top, name, text = zynq.OPEN, f"{zynq.OPEN}.sv", zynq.open_text(manifest)
    else:
        top, name, text = zynq.ACCELERATOR, f"{zynq.ACCELERATOR}.v", zynq.accelerator_text(manifest)
    files = read_sources(folder, manifest) | zynq.shell_files() | {name: text}
    return build_library(files, top, "zynq.cpp")


def read_sources(folder: Path, manifest: Manifest) -> dict[str, str]:
    """Return {name: text} of the core's Verilog, in order.

    Raises:
        DriverError: a file is missing.
    """
    files = {}
    for name in manifest.sources:
        if not (folder / name).is_file():
            raise DriverError(
                f"{folder / name}: no such file; a simulation needs the Verilog of "
                f"build/{manifest.model}/{manifest.board}"
            )
        files[name] = (folder / name).read_text(encoding="utf-8")
    return files


def build_library(
    files: Mapping[str, str], top: str, driver: str, options: Sequence[str] = ()
) -> Path:
    """Return the shared library of a design and of one C++ file of `CPP`, once per content.

    Args:
        files: {name: SystemVerilog}.
        top: the design's top module.
        driver: the C++ file that drives it.
        options: more for the C++ compiler.

    Raises:
        ToolError: Verilator or the compiler is missing or failed.
    """
    code = {path.name: path.read_text(encoding="utf-8") for path in sorted(CPP.iterdir())}
    key = content_key(sorted(files.items()), top, driver, tuple(options), code, FAST)
    folder = cache_folder() / f"{top}-{key}"
    with built(folder) as missing:
        if missing:
            sources = [*verilate(folder, files, top, FAST), CPP / driver]
            objects = compile_objects(folder, sources, [f"-I{CPP}", *options])
            objects += runtime("verilated.cpp", "verilated_threads.cpp")
            command = ["g++", "-shared", "-pthread", *map(str, objects), "-o", LIBRARY]
            run_tool(command, folder, folder / "link.log")
    return folder / LIBRARY


def load_library(path: Path) -> ctypes.CDLL:
    """Return a library with the types of its functions set."""
    library = ctypes.CDLL(str(path))
    library.sbnn_open.restype = ctypes.c_void_p
    for name in (
        "sbnn_run",
        "sbnn_read",
        "sbnn_write",
        "sbnn_clock",
        "sbnn_faults",
        "sbnn_dma_read",
    ):
        if hasattr(library, name):
            getattr(library, name).restype = ctypes.c_int64
    return library


def pointer(array: NDArray[np.generic]) -> ctypes.c_void_p:
    """Return the address of a contiguous array."""
    return ctypes.c_void_p(array.ctypes.data)
