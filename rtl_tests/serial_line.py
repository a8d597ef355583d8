"""The UART pins of a simulated shell as the link of the real driver."""

from fractions import Fraction
from pathlib import Path

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.queue import Queue
from cocotb.task import resume
from cocotb.triggers import FallingEdge, Timer, select
from stream import setting

from sbnn.boards.board import load_board
from sbnn.boards.driver import Results, pack_images
from sbnn.boards.protocol import (
    HEADER_BYTES,
    INFER,
    TRAILER_BYTES,
    decode_header,
    decode_rest,
    encode_request,
    info_of,
)
from sbnn.hls.manifest import Manifest, load_manifest

CLOCK_PS = 40_000


class Line:
    """The host's end of the serial line, and a `Link` for the driver.

    `damage` maps the number of a sent byte to what happens to it: "lose", "flip" (a data bit) or
    "stop" (the stop bit is low).
    """

    def __init__(self, dut, deviation: float = 0.0) -> None:
        bit = Fraction(setting("bit"))
        self.dut = dut
        self.bit_ps = round(float(bit) * CLOCK_PS * (1 + deviation))
        self.silence_ps = 5 * int(setting("gap")) * CLOCK_PS  # TIMEOUT_SECONDS is 5 GAP_SECONDS
        self.damage: dict[int, str] = {}
        self.sent = 0
        self.framing_errors = 0
        self._out: Queue[int] = Queue()
        self._in: Queue[int] = Queue()
        self.busy = False
        dut.uart_rx.value = 1
        cocotb.start_soon(self._sender())
        cocotb.start_soon(self._receiver())

    async def send(self, data: bytes) -> None:
        """Put bytes on the wire and wait until the last stop bit has passed."""
        self.post(data)
        while self._out.qsize() or self.busy:
            await Timer(self.bit_ps, unit="ps")

    def post(self, data: bytes) -> None:
        for byte in data:
            self._out.put_nowait(byte)

    async def receive(self, size: int) -> bytes:
        """Return 1 to `size` bytes, or none after the silence."""
        if not self._in.qsize():
            which, first = await select(self._in.get(), Timer(self.silence_ps, unit="ps"))
            if which == 1:
                return b""
            received = bytes([first])
        else:
            received = b""
        while self._in.qsize() and len(received) < size:
            received += bytes([self._in.get_nowait()])
        return received

    async def level(self, high: int, bits: float) -> None:
        """Hold the line by hand."""
        self.dut.uart_rx.value = high
        await Timer(round(bits * self.bit_ps), unit="ps")

    async def _sender(self) -> None:
        while True:
            byte = await self._out.get()
            self.busy = True
            fate = self.damage.get(self.sent)
            self.sent += 1
            if fate == "flip":
                byte ^= 1 << self.sent % 8
            if fate != "lose":
                for level in [0, *(byte >> n & 1 for n in range(8)), int(fate != "stop")]:
                    await self.level(level, 1)
                if fate == "stop":
                    await self.level(1, 1)
            self.busy = False

    async def _receiver(self) -> None:
        pin = self.dut.uart_tx
        while True:
            await FallingEdge(pin)
            await Timer(self.bit_ps * 3 // 2, unit="ps")
            byte = 0
            for n in range(8):
                byte |= int(pin.value) << n
                await Timer(self.bit_ps, unit="ps")
            if int(pin.value):
                self._in.put_nowait(byte)
            else:
                self.framing_errors += 1

    # The driver's side: blocking functions, called from a bridged thread.
    def write(self, data: bytes) -> int:
        resume(self._post)(data)
        return len(data)

    async def _post(self, data: bytes) -> None:
        self.post(data)

    def read(self, size: int) -> bytes:
        return resume(self.receive)(size)


class Bench:
    """A running board, its line, its manifest and images with the reference's answers."""

    def __init__(self, dut, line: Line, manifest: Manifest, vectors: dict[str, np.ndarray]) -> None:
        self.dut, self.line, self.manifest, self.vectors = dut, line, manifest, vectors
        self.info = info_of(manifest)
        self.tag = 0

    @property
    def images(self) -> np.ndarray:
        return self.vectors["images"]

    def payload(self, indices: list[int]) -> bytes:
        return pack_images(self.manifest, self.images[indices]).tobytes()

    def request(self, indices: list[int]) -> bytes:
        self.tag = self.tag % 255 + 1
        return encode_request(INFER, self.tag, self.payload(indices), len(indices))

    def wanted(self, indices: list[int]) -> bytes:
        """Return the payload that the answer must have."""
        fields = np.concatenate(
            [self.vectors["classes"][indices, None], self.vectors["scores"][indices]], axis=1
        )[:, : len(self.manifest.fields)]
        return fields.astype(f"<i{self.manifest.field_bits // 8}").tobytes()

    async def answer(self) -> tuple[int, int, int, bytes, int]:
        """Return command, tag, count, payload, status of the next answer; its CRCs must hold."""
        header = decode_header(await self.exactly(HEADER_BYTES))
        assert header is not None, "the answer's header is damaged"
        rest = decode_rest(await self.exactly(header.count * header.unit + TRAILER_BYTES))
        assert rest is not None, "the answer's CRC is wrong"
        return header.command, header.tag, header.count, *rest

    async def exactly(self, size: int) -> bytes:
        received = b""
        while len(received) < size:
            more = await self.line.receive(size - len(received))
            assert more, f"no answer: {len(received)} of {size} bytes came ({received.hex()})"
            received += more
        return received

    async def exchange(self, request: bytes) -> tuple[int, int, int, bytes, int]:
        await self.line.send(request)
        return await self.answer()

    async def check_alive(self, indices: list[int] | None = None) -> None:
        """The next request must be answered as if nothing had happened before."""
        indices = indices if indices is not None else [3, 0]
        command, tag, count, payload, status = await self.exchange(self.request(indices))
        assert (command, tag, count, status) == (INFER, self.tag, len(indices), 0)
        assert payload == self.wanted(indices), "results are wrong after recovery"
        assert not await self.line.receive(1), "bytes that nobody asked for"

    async def silence(self) -> None:
        while await self.line.receive(1024):
            pass


async def start(dut, deviation: float = 0.0) -> Bench:
    Clock(dut.clk, CLOCK_PS, unit="ps").start()
    manifest = load_manifest(Path(setting("manifest")))
    button = load_board(manifest.board).reset
    if button is not None:
        dut.reset_button.value = int(not button.active_high)
    with np.load(setting("vectors")) as archive:
        vectors = dict(archive)
    line = Line(dut, deviation)
    await Timer(40 * CLOCK_PS, unit="ps")
    return Bench(dut, line, manifest, vectors)


def compare(bench: Bench, results: Results, images: int) -> None:
    for n in range(images):
        have = [int(results.classes[n]), *results.scores[n].tolist()]
        need = [int(bench.vectors["classes"][n]), *bench.vectors["scores"][n].tolist()]
        assert have == need[: len(have)], f"image {n}: board {have}, reference {need}"
