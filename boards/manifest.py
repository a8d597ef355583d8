"""Read the manifest.json of a generated core: what the shell and the driver need to know of it."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbnn.boards.board import BoardError
from sbnn.train.files import digest

FORMAT = "sbnn-manifest-1"


@dataclass(frozen=True)
class Manifest:
    """The geometry and the identity of a generated core.

    Attributes:
        model: name of the network.
        board: name of the board that it was generated for.
        top: name of the core's module.
        sources: Verilog files, relative to the manifest's folder, leaves first.
        shape: shape of one image.
        threshold: the smallest uint8 pixel that counts as 1.
        bits: input bits of one image.
        in_beat_bits: width of s_axis_tdata.
        in_beats: input beats per image.
        out_beat_bits: width of m_axis_tdata.
        out_beats: output beats per image.
        field_bits: width of one field of the result.
        fields: names of the fields; the first is the class, scores may follow.
        classes: number of classes.
        ii_cycles: cycles between images.
        latency_cycles: cycles from the first beat in to the first beat out.
        network_digest: SHA-256 of the integer network.
        rtl_digest: SHA-256 of the generated Verilog.
    """

    model: str
    board: str
    top: str
    sources: tuple[str, ...]
    shape: tuple[int, ...]
    threshold: int
    bits: int
    in_beat_bits: int
    in_beats: int
    out_beat_bits: int
    out_beats: int
    field_bits: int
    fields: tuple[str, ...]
    classes: int
    ii_cycles: int
    latency_cycles: int
    network_digest: str
    rtl_digest: str

    @property
    def image_bytes(self) -> int:
        """Bytes of one image on the line, bits packed, little end first."""
        return -(-self.bits // 8)

    @property
    def result_bytes(self) -> int:
        """Bytes of one result on the line: the fields without the padding of the last beat."""
        return len(self.fields) * self.field_bits // 8

    @property
    def build_id(self) -> str:
        """16 hexadecimal digits that differ wherever network, Verilog or board differ."""
        return digest(f"{self.network_digest} {self.rtl_digest} {self.board}".encode())[:16]


def load_manifest(path: Path) -> Manifest:
    """Read and check a manifest.json.

    Raises:
        BoardError: no such file, not a manifest, or one that contradicts itself.
    """
    if not path.is_file():
        raise BoardError(f"{path}: no such file; make hls writes it")
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        manifest = _manifest(table)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BoardError(f"{path}: not JSON ({error})") from error
    except KeyError as error:
        raise BoardError(f"{path}: {error.args[0]} is missing") from error
    except (TypeError, ValueError) as error:
        raise BoardError(f"{path}: not a manifest ({error})") from error
    if table["format"] != FORMAT:
        raise BoardError(f"{path}: format is {table['format']!r}, needs {FORMAT!r}")
    _check(path, manifest)
    return manifest


def _manifest(table: dict[str, Any]) -> Manifest:
    given, taken = table["input"], table["output"]
    return Manifest(
        model=str(table["model"]),
        board=str(table["board"]),
        top=str(table["top"]),
        sources=tuple(str(name) for name in table["sources"]),
        shape=tuple(int(n) for n in given["shape"]),
        threshold=int(given["threshold"]),
        bits=int(given["bits"]),
        in_beat_bits=int(given["beat_bits"]),
        in_beats=int(given["beats"]),
        out_beat_bits=int(taken["beat_bits"]),
        out_beats=int(taken["beats"]),
        field_bits=int(taken["field_bits"]),
        fields=tuple(str(name) for name in taken["fields"]),
        classes=int(table["classes"]),
        ii_cycles=int(table["ii_cycles"]),
        latency_cycles=int(table["latency_cycles"]),
        network_digest=str(table["network_digest"]),
        rtl_digest=str(table["rtl_digest"]),
    )


def _check(path: Path, manifest: Manifest) -> None:
    """Raise `BoardError` where the figures contradict each other."""
    for name in ("in_beat_bits", "out_beat_bits", "field_bits"):
        if getattr(manifest, name) < 8 or getattr(manifest, name) % 8:
            raise BoardError(f"{path}: {name} is {getattr(manifest, name)}, needs a multiple of 8")
    pairs = (
        ("input.bits", manifest.bits, math.prod(manifest.shape)),
        ("input.beats", manifest.in_beats, -(-manifest.bits // manifest.in_beat_bits)),
        (
            "output.beats",
            manifest.out_beats,
            -(-manifest.result_bytes * 8 // manifest.out_beat_bits),
        ),
    )
    for name, found, needed in pairs:
        if found != needed:
            raise BoardError(f"{path}: {name} is {found}, needs {needed}")
    if manifest.fields[:1] != ("class",) or len(manifest.fields) not in (1, manifest.classes + 1):
        raise BoardError(
            f"{path}: output.fields is {' '.join(manifest.fields)}, needs class, "
            f"or class and {manifest.classes} scores"
        )
