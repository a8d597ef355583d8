"""Protocol bytes, manifests and the driver's refusals; its dialogue is in test_boards_shell."""

import builtins
import os
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cores import stream_bits
from networks import random_network, tracked_network
from shells import core_on_board

from sbnn.boards.board import BoardError, load_board
from sbnn.boards.driver import Accelerator, DriverError, open_port, pack_images
from sbnn.boards.protocol import (
    INFER,
    PING,
    TX_DEPTH,
    Header,
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
from sbnn.hls.manifest import Manifest


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
    with pytest.raises(BoardError, match="do not fit the serial protocol"):
        max_images(replace(manifest, fields=("class", *("s",) * 2000)))


def test_rate_bound(manifest: Manifest) -> None:
    """3 Mbaud carry 300,000 bytes a second; 98 bytes an image and 16 a frame of 45 images."""
    mnist = replace(manifest, bits=784, shape=(28, 28), in_beats=13)
    assert frame_images(info_of(mnist)) == 45
    assert int(images_per_second(load_board("ulx3s"), mnist)) == int(45 * 300_000 / (45 * 98 + 16))
    with pytest.raises(BoardError, match=r"^boards/pynq-z2: has no serial port$"):
        images_per_second(load_board("pynq-z2"), mnist)
    with pytest.raises(BoardError, match=r"^boards/pynq-z2: has no serial port, the uart shell"):
        top_text(load_board("pynq-z2"), mnist)


def test_packing_equals_the_reference_encoding(manifest: Manifest) -> None:
    network = tracked_network("digits")
    images = np.random.default_rng(0).integers(0, 17, (30, 8, 8)).astype(np.uint8)
    bits = np.unpackbits(pack_images(manifest, images), axis=1, bitorder="little")
    assert (bits[:, : manifest.bits] == stream_bits(network, images)).all()


def test_odd_widths_are_padded_with_zeros(tmp_path: Path) -> None:
    seed = next(n for n in range(100) if random_network(n).encoding.bits % 8 == 3)
    odd = core_on_board(random_network(seed), tmp_path)[0]
    packed = pack_images(odd, np.full((1, *odd.shape), 255, np.uint8))
    assert packed.shape == (1, odd.image_bytes)
    assert packed[0, -1] == 0b111


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 8, 8), np.float32), "images are float32, digits takes uint8"),
        (np.zeros((2, 8, 8), bool), "images are bool, digits takes uint8"),
        (np.zeros((8, 8), np.uint8), "images have shape (8, 8), digits takes (N, 8, 8)"),
        (np.zeros((2, 64), np.uint8), "images have shape (2, 64), digits takes (N, 8, 8)"),
        (np.zeros((2, 28, 28), np.uint8), "images have shape (2, 28, 28), digits takes (N, 8, 8)"),
    ],
)
def test_images_that_do_not_fit(manifest: Manifest, images: Any, message: str) -> None:
    with pytest.raises(DriverError) as error:
        pack_images(manifest, images)
    assert str(error.value) == message


class Silence:
    """A line on which nobody answers."""

    def write(self, data: bytes) -> int:
        return len(data)

    def read(self, size: int) -> bytes:
        return b""


class Noise(Silence):
    """A line on which somebody talks without end, at another rate."""

    def read(self, size: int) -> bytes:
        return os.urandom(size)


def test_nobody_answers(manifest: Manifest) -> None:
    with pytest.raises(DriverError, match=r"^no answer from the board to INFO in 0.5 s$"):
        Accelerator(Silence(), manifest)


def test_noise_does_not_hang(manifest: Manifest) -> None:
    with pytest.raises(DriverError, match=r"^the board sends without end; is the baud"):
        Accelerator(Noise(), manifest)
    with pytest.raises(DriverError, match=r"^no answer to INFO among 4096 bytes from the board$"):
        Accelerator(Noise(), manifest, retries=0)


def test_port_that_is_not_there(manifest: Manifest, tmp_path: Path) -> None:
    with (
        pytest.raises(DriverError, match=r"^/dev/nothing: cannot be opened as a serial port"),
        open_port("/dev/nothing", tmp_path / "manifest.json"),
    ):
        pass


def test_pyserial_is_missing(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name == "serial":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with (
        pytest.raises(DriverError, match=r"^pyserial is not installed; pip install pyserial$"),
        open_port("/dev/nothing", tmp_path / "manifest.json"),
    ):
        pass
