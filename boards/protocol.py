"""The serial protocol: the bytes of requests and answers, for the driver, the shell and the tests.

    request   "SB" command tag count[2] unit[2] crc[4]  {count * unit payload bytes, crc[4]}
    answer    "sb" command+128 tag count[2] unit[2] crc[4]  count * unit payload, status, crc[4]

Numbers are little end first, CRCs are CRC-32 (zlib.crc32). boards/README.md says why.
"""

import struct
import zlib
from dataclasses import dataclass

from sbnn.hls.manifest import Manifest
from sbnn.train.errors import UserError

VERSION = 1
PING, INFO, INFER = 1, 2, 3
STATUS = {
    0: "done",
    1: "the request's header was damaged",
    2: "the command is not known",
    3: "count or unit is not what the core takes",
    4: "the payload was damaged (CRC)",
    5: "a byte was lost or damaged on the line",
    6: "the request broke off",
    7: "the core's results do not have the expected length",
}
HEADER_BYTES = 12
TRAILER_BYTES = 5
INFO_BYTES = 32

# The send buffer holds the answers to all outstanding requests: the only flow control there is.
TX_DEPTH = 2048
RX_DEPTH = 512
# Above the pauses of a loaded host between two USB packets, below what a person notices.
GAP_SECONDS = 0.1
FRAMES_IN_FLIGHT = 2


class ProtocolError(UserError):
    """A core whose images or results do not fit the protocol."""


@dataclass(frozen=True)
class Header:
    """The first 12 bytes of a request or an answer; `command` without the answer's high bit."""

    command: int
    tag: int
    count: int
    unit: int


@dataclass(frozen=True)
class Info:
    """What a bitstream says of itself.

    Attributes:
        version: of the protocol.
        image_bytes: payload bytes of one image.
        result_bytes: payload bytes of one result.
        field_bits: width of a field of the result.
        classes: number of classes.
        max_images: images that may be outstanding, in one frame or in several.
        build_id: 16 hexadecimal digits, `Manifest.build_id` of the core in the bitstream.
    """

    version: int
    image_bytes: int
    result_bytes: int
    field_bits: int
    classes: int
    max_images: int
    build_id: str


def max_images(manifest: Manifest) -> int:
    """Return how many images may be outstanding so that their answers fit the send buffer.

    Raises:
        ProtocolError: not one result fits.
    """
    room = TX_DEPTH - FRAMES_IN_FLIGHT * (HEADER_BYTES + TRAILER_BYTES)
    images = min(room // manifest.result_bytes, 0xFFFF)
    if images < 1 or manifest.image_bytes > 0xFFFF:
        raise ProtocolError(
            f"{manifest.model}: images of {manifest.image_bytes} bytes and results of "
            f"{manifest.result_bytes} do not fit the serial protocol (65535 and {room} bytes)"
        )
    return images


def info_of(manifest: Manifest) -> Info:
    """Return what the shell around this core will answer to INFO."""
    return Info(
        version=VERSION,
        image_bytes=manifest.image_bytes,
        result_bytes=manifest.result_bytes,
        field_bits=manifest.field_bits,
        classes=manifest.classes,
        max_images=max_images(manifest),
        build_id=manifest.build_id,
    )


def images_per_second(baud: int, manifest: Manifest) -> float:
    """Return the bound that the line sets: 10 bits a byte, full frames, both directions at once."""
    images = frame_images(info_of(manifest))
    sent = images * manifest.image_bytes + HEADER_BYTES + 4
    received = images * manifest.result_bytes + HEADER_BYTES + TRAILER_BYTES
    return images * baud / 10 / max(sent, received)


def frame_images(info: Info) -> int:
    """Return how many images the driver puts in a frame, so that two frames can be in flight."""
    return max(1, info.max_images // FRAMES_IN_FLIGHT)


def encode_request(command: int, tag: int, payload: bytes = b"", count: int = 0) -> bytes:
    """Return the bytes of a request with `count` units in `payload`."""
    unit = len(payload) // count if count else 0
    head = struct.pack("<2sBBHH", b"SB", command, tag, count, unit)
    return _with_crc(head) + (_with_crc(payload) if count else b"")


def decode_header(frame: bytes) -> Header | None:
    """Return the header of an answer, or None where these 12 bytes are not one."""
    if len(frame) != HEADER_BYTES or frame[:2] != b"sb" or not _crc_holds(frame):
        return None
    _, command, tag, count, unit = struct.unpack("<2sBBHH", frame[:8])
    return Header(command & 0x7F, tag, count, unit)


def decode_rest(rest: bytes) -> tuple[bytes, int] | None:
    """Return payload and status of what follows an answer's header, None where the CRC is wrong."""
    return (rest[:-TRAILER_BYTES], rest[-TRAILER_BYTES]) if _crc_holds(rest) else None


def pack_info(info: Info) -> bytes:
    """Return the 32 payload bytes of an INFO answer."""
    head = struct.pack(
        "<HHHHHH",
        info.version,
        info.image_bytes,
        info.result_bytes,
        info.field_bits,
        info.classes,
        info.max_images,
    )
    return (head + bytes.fromhex(info.build_id)).ljust(INFO_BYTES, b"\0")


def unpack_info(payload: bytes) -> Info:
    """Return what `pack_info` packed."""
    version, image_bytes, result_bytes, field_bits, classes, images = struct.unpack_from(
        "<HHHHHH", payload
    )
    build_id = payload[12:20].hex()
    return Info(version, image_bytes, result_bytes, field_bits, classes, images, build_id)


def _with_crc(message: bytes) -> bytes:
    return message + struct.pack("<I", zlib.crc32(message))


def _crc_holds(message: bytes) -> bool:
    return struct.pack("<I", zlib.crc32(message[:-4])) == message[-4:]
