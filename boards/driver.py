"""Drive a board over its serial port: numpy images in, classes and scores out.

    with open_port("/dev/ttyUSB0", Path("build/sbnn95/ulx3s/manifest.json")) as board:
        classes = board.infer(images)

numpy and, for a real port, pyserial are all that it needs.
"""

import contextlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sbnn.boards.board import load_board
from sbnn.boards.protocol import (
    FRAMES_IN_FLIGHT,
    GAP_SECONDS,
    HEADER_BYTES,
    INFER,
    INFO,
    PING,
    STATUS,
    TRAILER_BYTES,
    TX_DEPTH,
    Header,
    Info,
    decode_header,
    decode_rest,
    encode_request,
    frame_images,
    info_of,
    unpack_info,
)
from sbnn.hls.manifest import Manifest, load_manifest
from sbnn.train.errors import UserError

# Silence for so long means that no answer comes. It is five times what the shell needs to give up a
# broken request.
TIMEOUT_SECONDS = 5 * GAP_SECONDS
NAMES = {PING: "PING", INFO: "INFO", INFER: "INFER"}


class DriverError(UserError):
    """The board did not answer, answered something else, or was asked for what it cannot do."""


class LinkError(DriverError):
    """Bytes were lost or damaged: asking again may help."""


class Link(Protocol):
    """The two ends of a serial line; a pyserial port is one."""

    def write(self, data: bytes, /) -> int | None:
        """Send all of `data`."""

    def read(self, size: int, /) -> bytes:
        """Return 1 to `size` bytes, or none after `TIMEOUT_SECONDS` of silence."""


@dataclass(frozen=True, eq=False)
class Results:
    """What the board says of N images.

    Attributes:
        classes: (N,) int64.
        scores: (N, classes) int64; (N, 0) where the core does not send them.
    """

    classes: NDArray[np.int64]
    scores: NDArray[np.int64]


class Accelerator:
    """One core behind one serial line.

    Args:
        link: the line.
        manifest: what the bitstream was made from; the board must hold the same build.
        retries: how often a request that was lost or damaged on the line is sent again.

    Raises:
        DriverError: no answer, or another build.
    """

    def __init__(self, link: Link, manifest: Manifest, retries: int = 2) -> None:
        self._link = link
        self._tag = 0
        self.manifest = manifest
        self.retries = retries
        self.retried = 0
        self.info = self._start()

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the (N,) int64 classes of (N, *shape) uint8 images; see `run`."""
        return self.run(images).classes

    def run(self, images: NDArray[np.uint8]) -> Results:
        """Return classes and scores of (N, *shape) uint8 images.

        Two requests are always under way, so that the line never waits for the host. Damaged ones
        are repeated.

        Raises:
            DriverError: wrong dtype or shape, no answer, or damage after all retries.
        """
        packed = pack_images(self.manifest, images)
        size = frame_images(self.info)
        results = np.zeros((len(packed), len(self.manifest.fields)), np.int64)
        waiting = deque(range(0, len(packed), size))
        under_way: deque[tuple[int, int]] = deque()
        failures = 0
        while waiting or under_way:
            try:
                while waiting and len(under_way) < FRAMES_IN_FLIGHT:
                    start = waiting.popleft()
                    part = packed[start : start + size]
                    under_way.append((start, self._send(INFER, part.tobytes(), len(part))))
                start, tag = under_way[0]
                count = min(size, len(packed) - start)
                payload = self._receive(Header(INFER, tag, count, self.manifest.result_bytes))
            except LinkError:
                failures += 1
                if failures > self.retries:
                    raise
                self.retried += 1
                waiting.extendleft(start for start, _ in reversed(under_way))
                under_way.clear()
                self.resync()
                continue
            under_way.popleft()
            results[start : start + count] = self._decode(payload)
        return Results(results[:, 0], results[:, 1:])

    def ping(self) -> None:
        """Ask for a sign of life; `DriverError` when there is none."""
        self._receive(Header(PING, self._send(PING), 0, 0))

    def read_info(self) -> Info:
        """Return what the bitstream says of itself."""
        payload = self._receive(Header(INFO, self._send(INFO), 1, 32))
        return unpack_info(payload)

    def resync(self) -> None:
        """Wait until the line is silent, so that the shell has given up whatever was under way."""
        limit = 4 * TX_DEPTH
        while limit > 0 and (seen := self._link.read(256)):
            limit -= len(seen)
        if limit <= 0:
            raise DriverError("the board sends without end; is the baud rate right?")

    def _start(self) -> Info:
        """Find the shell, in whatever state it is, and check that it holds the right build."""
        for attempt in range(self.retries + 1):
            try:
                info = self.read_info()
                break
            except LinkError:
                if attempt == self.retries:
                    raise
                self.resync()
        needed = info_of(self.manifest)
        if info.build_id != needed.build_id:
            raise DriverError(
                f"the board holds build {info.build_id}, the manifest of {self.manifest.model} is "
                f"build {needed.build_id}; load its bitstream"
            )
        if info != needed:
            raise DriverError(f"the board says {info}, this driver needs {needed}")
        return info

    def _send(self, command: int, payload: bytes = b"", count: int = 0) -> int:
        self._tag = self._tag % 255 + 1  # 0 is the tag of answers to unreadable requests
        self._link.write(encode_request(command, self._tag, payload, count))
        return self._tag

    def _receive(self, expected: Header) -> bytes:
        """Return the payload of the answer to one request; older answers are passed over."""
        what = NAMES[expected.command]
        while True:
            header = self._header(what)
            rest = decode_rest(self._exactly(header.count * header.unit + TRAILER_BYTES, what))
            if rest is None:
                raise LinkError(f"the answer to {what} was damaged (CRC)")
            payload, status = rest
            if header.tag not in (0, expected.tag):
                continue
            if status:
                reason = STATUS.get(status, f"status {status}")
                raise LinkError(f"the board could not do {what}: {reason}")
            if header != expected:
                raise LinkError(f"the answer to {what} is {header}, needs {expected}")
            return payload

    def _header(self, what: str) -> Header:
        window = self._exactly(HEADER_BYTES, what)
        for _ in range(2 * TX_DEPTH):
            header = decode_header(window)
            # Longer than the send buffer is nothing that the shell would say.
            if header is not None and header.count * header.unit <= TX_DEPTH:
                return header
            window = window[1:] + self._exactly(1, what)
        raise LinkError(f"no answer to {what} among {2 * TX_DEPTH} bytes from the board")

    def _exactly(self, size: int, what: str) -> bytes:
        received = b""
        while len(received) < size:
            more = self._link.read(size - len(received))
            if not more:
                raise LinkError(f"no answer from the board to {what} in {TIMEOUT_SECONDS:g} s")
            received += more
        return received

    def _decode(self, payload: bytes) -> NDArray[np.int64]:
        """Return the (n, fields) int64 fields of n results."""
        fields = len(self.manifest.fields)
        words = np.frombuffer(payload, f"<i{self.manifest.field_bits // 8}").reshape(-1, fields)
        wrong = words[(words[:, 0] < 0) | (words[:, 0] >= self.manifest.classes), 0]
        if len(wrong):
            raise DriverError(
                f"the board answers class {wrong[0]}, {self.manifest.model} has "
                f"{self.manifest.classes} classes"
            )
        return words.astype(np.int64)


def pack_images(manifest: Manifest, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (N, image_bytes) uint8: pixel >= threshold, packed little end first.

    Raises:
        DriverError: wrong dtype or shape.
    """
    if images.dtype != np.uint8:
        raise DriverError(f"images are {images.dtype}, {manifest.model} takes uint8")
    if images.ndim != len(manifest.shape) + 1 or images.shape[1:] != manifest.shape:
        shape = ", ".join(map(str, manifest.shape))
        raise DriverError(f"images have shape {images.shape}, {manifest.model} takes (N, {shape})")
    bits = images.reshape(len(images), manifest.bits) >= manifest.threshold
    return np.packbits(bits, axis=1, bitorder="little")


@contextlib.contextmanager
def open_port(port: str, manifest_path: Path) -> Iterator[Accelerator]:
    """Open a serial port such as /dev/ttyUSB0 at the board's rate; close it in the end.

    Raises:
        DriverError: pyserial or the port is missing, no answer, or another build.
    """
    manifest = load_manifest(manifest_path)
    board = load_board(manifest.board)
    if board.uart is None:
        raise DriverError(f"boards/{board.name}: has no serial port")
    try:
        import serial  # only a real port needs it
    except ImportError as error:
        raise DriverError("pyserial is not installed; pip install pyserial") from error
    try:
        line = serial.Serial(
            port, board.uart.baud, timeout=TIMEOUT_SECONDS, write_timeout=10 * TIMEOUT_SECONDS
        )
    except (serial.SerialException, OSError) as error:
        raise DriverError(f"{port}: cannot be opened as a serial port ({error})") from error
    with line:
        # FTDI chips hold back a part-filled packet for 16 ms unless told otherwise; not every
        # system and not every port can be told.
        with contextlib.suppress(Exception):
            line.set_low_latency_mode(True)
        line.reset_input_buffer()
        try:
            yield Accelerator(line, manifest)
        except serial.SerialException as error:
            raise DriverError(f"{port}: the serial port failed ({error})") from error
