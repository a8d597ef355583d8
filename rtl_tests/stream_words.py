"""Images and results as AXI-Stream beats, for pytest and for cocotb."""

import numpy as np
from numpy.typing import NDArray


def image_beats(bits: np.ndarray, beat_bits: int) -> list[int]:
    """Return the beats of (B, N) bool images, bit i of an image in bit i % beat_bits of a beat."""
    count, width = bits.shape
    beats = -(-width // beat_bits)
    padded = np.zeros((count, beats * beat_bits), bool)
    padded[:, :width] = bits
    packed = np.packbits(padded.reshape(count * beats, beat_bits), axis=1, bitorder="little")
    return [int.from_bytes(row.tobytes(), "little") for row in packed]


def result_beats(
    classes: np.ndarray, scores: np.ndarray | None, field_bits: int, beat_bits: int
) -> list[int]:
    """Return the beats that the core must send: field 0 the class, then the scores."""
    beats = []
    for i, winner in enumerate(classes.tolist()):
        fields = [winner, *(scores[i].tolist() if scores is not None else [])]
        word = sum(
            (value & (1 << field_bits) - 1) << n * field_bits for n, value in enumerate(fields)
        )
        count = -(-len(fields) * field_bits // beat_bits)
        beats += [word >> n * beat_bits & (1 << beat_bits) - 1 for n in range(count)]
    return beats


def words(beats: list[int], beat_bits: int) -> NDArray[np.uint8]:
    """Return beats as rows of little-endian bytes, for a file."""
    size = beat_bits // 8
    return np.frombuffer(
        b"".join(beat.to_bytes(size, "little") for beat in beats), np.uint8
    ).reshape(-1, size)
