"""Protocol bytes and what the serial transport refuses; its dialogue is in test_boards_shell."""

import builtins
import os
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from networks import tracked_network
from shells import core_on_board

from sbnn.boards.board import BoardError, load_board
from sbnn.boards.driver import DriverError, open_accelerator
from sbnn.boards.protocol import (
    INFER,
    PING,
    TX_DEPTH,
    Header,
    ProtocolError,
    decode_header,
    decode_rest,
    encode_request,
    frame_images,
    images_per_second,
    info_of,
    max_images,
    pack_info,
    unpack_info,
)
from sbnn.boards.shell import top_text
from sbnn.boards.transports.uart import UartTransport
from sbnn.hls.manifest import Link, Manifest, manifest_text


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return core_on_board(tracked_network("digits"), tmp_path)[0]


def test_a_request_byte_by_byte() -> None:
    header = b"SB\x03\x07\x02\x00\x03\x00"
    wanted = header + zlib.crc32(header).to_bytes(4, "little")
    wanted += b"abcdef" + zlib.crc32(b"abcdef").to_bytes(4, "little")
    assert encode_request(INFER, 7, b"abcdef", 2) == wanted
    assert encode_request(PING, 1) == b"SB\x01\x01\0\0\0\0" + bytes.fromhex("09b5239b")


def test_answers_are_decoded_only_whole() -> None:
    header = b"sb\x83\x07\x01\x00\x02\x00"
    header += zlib.crc32(header).to_bytes(4, "little")
    assert decode_header(header) == Header(INFER, 7, 1, 2)
    for n in range(len(header)):
        damaged = bytearray(header)
        damaged[n] ^= 4
        assert decode_header(bytes(damaged)) is None
    rest = b"xy\0" + zlib.crc32(b"xy\0").to_bytes(4, "little")
    assert decode_rest(rest) == (b"xy", 0)
    assert decode_rest(b"xz\0" + rest[3:]) is None


def test_info_survives_the_line(manifest: Manifest) -> None:
    info = info_of(manifest)
    assert unpack_info(pack_info(info)) == info
    assert len(pack_info(info)) == 32


def test_outstanding_answers_fit_the_send_buffer(manifest: Manifest) -> None:
    for classes in (2, 10, 100, 500):
        wide = replace(
            manifest, classes=classes, fields=("class", *(f"score{i}" for i in range(classes)))
        )
        info = info_of(wide)
        frames = 2 * frame_images(info)
        assert frames * wide.result_bytes + 2 * 17 <= TX_DEPTH or frames == 2
        assert info.max_images * wide.result_bytes + 2 * 17 <= TX_DEPTH
    with pytest.raises(ProtocolError, match="do not fit the serial protocol"):
        max_images(replace(manifest, fields=("class", *("s",) * 2000)))


def test_rate_bound(manifest: Manifest) -> None:
    """3 Mbaud carry 300,000 bytes a second; 98 bytes an image and 16 a frame of 45 images."""
    mnist = replace(manifest, bits=784, shape=(28, 28), in_beats=13)
    assert frame_images(info_of(mnist)) == 45
    assert int(images_per_second(3_000_000, mnist)) == int(45 * 300_000 / (45 * 98 + 16))
    with pytest.raises(BoardError, match=r"^boards/pynq-z2: has no serial port, the uart shell"):
        top_text(load_board("pynq-z2"), mnist)


class Silence:
    """A line on which nobody answers."""

    def write(self, data: bytes) -> int:
        return len(data)

    def read(self, size: int) -> bytes:
        return b""

    def close(self) -> None:
        pass


class Noise(Silence):
    """A line on which somebody talks without end, at another rate."""

    def read(self, size: int) -> bytes:
        return os.urandom(size)


def test_nobody_answers(manifest: Manifest) -> None:
    with pytest.raises(DriverError, match=r"^no answer from the board to INFO in 0.5 s$"):
        UartTransport(Silence(), manifest)


def test_noise_does_not_hang(manifest: Manifest) -> None:
    with pytest.raises(DriverError, match=r"^the board sends without end; is the baud"):
        UartTransport(Noise(), manifest)
    with pytest.raises(DriverError, match=r"^no answer to INFO among 4096 bytes from the board$"):
        UartTransport(Noise(), manifest, retries=0)


@pytest.fixture
def deployed(manifest: Manifest, tmp_path: Path) -> Path:
    """Return a folder whose manifest says that the core is behind a serial port."""
    link = Link(kind="uart", baud=3_000_000, dma="", clock_mhz=25.0)
    (tmp_path / "manifest.json").write_text(manifest_text(replace(manifest, link=link)))
    return tmp_path


def test_ports_that_cannot_be_used(deployed: Path, manifest: Manifest) -> None:
    with pytest.raises(DriverError, match=r"^/dev/nothing: cannot be opened as a serial port"):
        open_accelerator(deployed, port="/dev/nothing")
    with pytest.raises(DriverError, match=r"^the uart transport needs port=, such as port='/dev/"):
        open_accelerator(deployed)
    (deployed / "manifest.json").write_text(manifest_text(manifest))
    with pytest.raises(DriverError, match=r"^digits for ulx3s: the manifest names no serial port;"):
        open_accelerator(deployed, "uart", port="/dev/nothing")


def test_pyserial_is_missing(deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "serial":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DriverError, match=r"^pyserial is not installed; pip install pyserial$"):
        open_accelerator(deployed, port="/dev/nothing")
