"""A board on a serial port: requests and answers of boards/protocol.py."""

import contextlib
from collections import deque
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

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
from sbnn.boards.transports.transport import (
    BuildFiles,
    DriverError,
    Exchange,
    LinkError,
    check_build,
    unpack_results,
)
from sbnn.hls.manifest import Manifest

# Silence for so long means that no answer comes. It is five times what the shell needs to give up a
# broken request.
TIMEOUT_SECONDS = 5 * GAP_SECONDS
NAMES = {PING: "PING", INFO: "INFO", INFER: "INFER"}


class Line(Protocol):
    """The two ends of a serial line; a pyserial port is one."""

    def write(self, data: bytes, /) -> int | None:
        """Send all of `data`."""

    def read(self, size: int, /) -> bytes:
        """Return 1 to `size` bytes, or none after `TIMEOUT_SECONDS` of silence."""

    def close(self) -> None:
        """Give back the port."""


class UartTransport:
    """One core behind one serial line.

    Args:
        line: the line.
        manifest: what the bitstream was made from; the board must hold the same build.
        retries: how often a request that was lost or damaged on the line is sent again.

    Attributes:
        retried: how often one was, so far.
        info: what the bitstream says of itself.

    Raises:
        DriverError: no answer, or another build.
    """

    name = "uart"
    simulated = False
    clock_mhz: float | None = None

    def __init__(self, line: Line, manifest: Manifest, retries: int = 2) -> None:
        self._line = line
        self._tag = 0
        self._manifest = manifest
        self._retries = retries
        self.retried = 0
        self.info = self._start()

    def exchange(self, packed: NDArray[np.uint8]) -> Exchange:
        """Send (N, image_bytes) uint8 images and wait for their results.

        Two requests are always under way, so that the line never waits for the host. Damaged ones
        are repeated.

        Raises:
            DriverError: no answer, or damage after all retries.
        """
        size = frame_images(self.info)
        unit = self._manifest.result_bytes
        results = np.zeros((len(packed), unit), np.uint8)
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
                payload = self._receive(Header(INFER, tag, count, unit))
            except LinkError:
                failures += 1
                if failures > self._retries:
                    raise
                self.retried += 1
                waiting.extendleft(start for start, _ in reversed(under_way))
                under_way.clear()
                self.resync()
                continue
            under_way.popleft()
            results[start : start + count] = np.frombuffer(payload, np.uint8).reshape(-1, unit)
        return Exchange(unpack_results(self._manifest, results))

    def close(self) -> None:
        """Close the line."""
        self._line.close()

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
        while limit > 0 and (seen := self._line.read(256)):
            limit -= len(seen)
        if limit <= 0:
            raise DriverError("the board sends without end; is the baud rate right?")

    def _start(self) -> Info:
        """Find the shell, in whatever state it is, and check that it holds the right build."""
        for attempt in range(self._retries + 1):
            try:
                info = self.read_info()
                break
            except LinkError:
                if attempt == self._retries:
                    raise
                self.resync()
        check_build(self._manifest, info.build_id)
        needed = info_of(self._manifest)
        if info != needed:
            raise DriverError(f"the board says {info}, this driver needs {needed}")
        return info

    def _send(self, command: int, payload: bytes = b"", count: int = 0) -> int:
        self._tag = self._tag % 255 + 1  # 0 is the tag of answers to unreadable requests
        self._line.write(encode_request(command, self._tag, payload, count))
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
            more = self._line.read(size - len(received))
            if not more:
                raise LinkError(f"no answer from the board to {what} in {TIMEOUT_SECONDS:g} s")
            received += more
        return received


class SerialPort:
    """A pyserial port whose failures are `DriverError`s.

    Args:
        port: such as /dev/ttyUSB0.
        baud: bits per second.

    Raises:
        DriverError: pyserial or the port is missing.
    """

    def __init__(self, port: str, baud: int) -> None:
        try:
            import serial  # only a real port needs it
        except ImportError as error:
            raise DriverError("pyserial is not installed; pip install pyserial") from error
        self._name = port
        try:
            self._port: Any = serial.Serial(
                port, baud, timeout=TIMEOUT_SECONDS, write_timeout=10 * TIMEOUT_SECONDS
            )
        except OSError as error:  # serial.SerialException is one
            raise DriverError(f"{port}: cannot be opened as a serial port ({error})") from error
        # FTDI chips hold back a part-filled packet for 16 ms unless told otherwise; not every
        # system and not every port can be told.
        with contextlib.suppress(Exception):
            self._port.set_low_latency_mode(True)
        self._port.reset_input_buffer()

    def write(self, data: bytes) -> int:
        """Send all of `data`."""
        try:
            return int(self._port.write(data))
        except OSError as error:
            raise DriverError(f"{self._name}: the serial port failed ({error})") from error

    def read(self, size: int) -> bytes:
        """Return 1 to `size` bytes, or none after `TIMEOUT_SECONDS` of silence."""
        try:
            return bytes(self._port.read(size))
        except OSError as error:
            raise DriverError(f"{self._name}: the serial port failed ({error})") from error

    def close(self) -> None:
        """Give back the port."""
        self._port.close()


def open_transport(files: BuildFiles, port: str | None) -> UartTransport:
    """Open a serial port at the rate of the board's shell.

    Raises:
        DriverError: the bitstream has no serial port, none is named, pyserial or the port is
            missing, no answer, or another build.
    """
    manifest = files.manifest
    if manifest.link is None or manifest.link.kind != "uart":
        raise DriverError(
            f"{manifest.model} for {manifest.board}: the manifest names no serial port; "
            "make bitstream for a board with a uart shell writes one that does"
        )
    if port is None:
        raise DriverError("the uart transport needs port=, such as port='/dev/ttyUSB0'")
    line = SerialPort(port, manifest.link.baud)
    try:
        return UartTransport(line, manifest)
    except BaseException:
        line.close()
        raise
