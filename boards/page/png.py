"""Pictures of arrays as PNG files inside the page: a palette with transparency, no library needed."""

import base64
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int, int]
# Middle tones, for paper and for a dark screen alike; page.css has the same two for drawings.
TEAL = (18, 132, 124)
AMBER = (192, 108, 20)
LEVELS = 16


def shades(colour: tuple[int, int, int]) -> list[Colour]:
    """Return a transparent entry and `LEVELS` ever denser ones of a colour, red green blue alpha."""
    return [(*colour, 0), *((*colour, 40 + 215 * i // (LEVELS - 1)) for i in range(LEVELS))]


def level(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return indices into `shades`: 0 for 0, else 1 to LEVELS in proportion to the largest value."""
    top = max(float(values.max(initial=0.0)), 1e-9)
    return np.asarray(np.ceil(values / top * LEVELS), np.uint8)


def data_uri(cells: NDArray[np.uint8], palette: Sequence[Colour]) -> str:
    """Return a PNG as a data: address.

    Args:
        cells: (height, width) indices into `palette`.
        palette: at most 256 colours.
    """
    height, width = cells.shape
    lines = np.hstack([np.zeros((height, 1), np.uint8), cells])
    parts = [
        b"\x89PNG\r\n\x1a\n",
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        _chunk(b"PLTE", bytes(value for colour in palette for value in colour[:3])),
        _chunk(b"tRNS", bytes(colour[3] for colour in palette)),
        _chunk(b"IDAT", zlib.compress(lines.tobytes(), 9)),
        _chunk(b"IEND", b""),
    ]
    return "data:image/png;base64," + base64.b64encode(b"".join(parts)).decode()


def _chunk(name: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )
