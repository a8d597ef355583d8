"""The manifest of a generated core: its geometry and its identity, for shells, drivers and reports.

numpy is not even needed here: this module runs on a board.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbnn.hls.facts import LayerFacts, SegmentFacts, layer_table, read_layer, read_segment
from sbnn.train.errors import UserError
from sbnn.train.files import digest

FORMAT = "sbnn-manifest-1"
ENCODINGS = {"bits": 1, "bytes": 8}  # bits per pixel
LINKS = ("uart", "zynq")


class ManifestError(UserError):
    """A manifest that is missing, broken, or contradicts itself."""


@dataclass(frozen=True)
class Link:
    """How a host reaches the core in a finished bitstream.

    Attributes:
        kind: one of `LINKS`.
        baud: bits per second of a serial line, 0 elsewhere.
        dma: "axi_dma" (AMD's) or "own" (the shell's) on Zynq, empty elsewhere.
        clock_mhz: clock of the core.
    """

    kind: str
    baud: int
    dma: str
    clock_mhz: float


@dataclass(frozen=True)
class Manifest:
    """The geometry and the identity of a generated core.

    Attributes:
        generator: name and version of what wrote it.
        model: name of the network.
        board: name of the board that it was generated for.
        top: name of the core's module.
        sources: Verilog files, relative to the manifest's folder, leaves first.
        shape: shape of one image.
        threshold: the smallest uint8 pixel that counts as 1; None: the pixel's value itself counts.
        encoding: one of `ENCODINGS`: "bits", each pixel >= threshold packed as one bit, or "bytes", the
            pixels as they are.
        bits: input bits of one image.
        in_beat_bits: width of s_axis_tdata.
        in_beats: input beats per image.
        out_beat_bits: width of m_axis_tdata.
        out_beats: output beats per image.
        field_bits: width of one field of the result.
        score_bits: width of one score inside the core.
        fields: names of the fields; the first is the class, scores may follow.
        classes: number of classes.
        levels_per_stage: levels of logic between registers.
        family: that the logic was chosen for, empty where for any.
        ii_cycles: cycles between images.
        latency_cycles: cycles from the first beat in to the first beat out, no stalls.
        layers: the generated layers in order.
        segments: the runs of layers between two queues.
        network_digest: SHA-256 of the integer network.
        rtl_digest: SHA-256 of the generated Verilog.
        link: how a host reaches it; None until it is part of a bitstream.
    """

    generator: str
    model: str
    board: str
    top: str
    sources: tuple[str, ...]
    shape: tuple[int, ...]
    threshold: int | None
    encoding: str
    bits: int
    in_beat_bits: int
    in_beats: int
    out_beat_bits: int
    out_beats: int
    field_bits: int
    score_bits: int
    fields: tuple[str, ...]
    classes: int
    levels_per_stage: int
    family: str
    ii_cycles: int
    latency_cycles: int
    layers: tuple[LayerFacts, ...]
    segments: tuple[SegmentFacts, ...]
    network_digest: str
    rtl_digest: str
    link: Link | None = None

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
        ManifestError: no such file, not a manifest, or one that contradicts itself.
    """
    if not path.is_file():
        raise ManifestError(f"{path}: no such file; make hls writes it")
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(table, dict) or table.get("format") != FORMAT:
            raise ManifestError(f"{path}: not a manifest of format {FORMAT}; make hls writes it")
        manifest = _manifest(table)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ManifestError(f"{path}: not JSON ({error})") from error
    except KeyError as error:
        raise ManifestError(f"{path}: {error.args[0]} is missing") from error
    except ManifestError:
        raise
    except (AttributeError, TypeError, ValueError) as error:
        raise ManifestError(f"{path}: not a manifest ({error})") from error
    _check(path, manifest)
    return manifest


_ORDER = {
    "bits": "row-major pixel i >= threshold",
    "bytes": "bit i % 8 of row-major pixel i // 8, channels innermost",
}


def manifest_text(manifest: Manifest) -> str:
    """Return the manifest as the text of manifest.json, with words for those who read it."""
    beat = manifest.in_beat_bits
    table: dict[str, Any] = {
        "format": FORMAT,
        "generator": manifest.generator,
        "model": manifest.model,
        "board": manifest.board,
        "top": manifest.top,
        "sources": list(manifest.sources),
        "ports": {
            "aclk": "clock",
            "aresetn": "synchronous reset, active low",
            "s_axis_tdata": beat,
            "s_axis_tlast": "optional: with the last beat of an image or of a batch",
            "m_axis_tdata": manifest.out_beat_bits,
            "m_axis_tlast": "with the last beat of each result",
        },
        "input": {
            "shape": list(manifest.shape),
            "threshold": manifest.threshold,
            "encoding": manifest.encoding,
            "bits": manifest.bits,
            "beat_bits": beat,
            "beats": manifest.in_beats,
            "bit_order": (
                f"bit i of the image ({_ORDER[manifest.encoding]}) is bit i % {beat} "
                f"of beat i // {beat}"
            ),
        },
        "output": {
            "beat_bits": manifest.out_beat_bits,
            "beats": manifest.out_beats,
            "field_bits": manifest.field_bits,
            "score_bits": manifest.score_bits,
            "fields": list(manifest.fields),
            "field_order": "lowest bits of the first beat first; scores in two's complement",
        },
        "classes": manifest.classes,
        "levels_per_stage": manifest.levels_per_stage,
        "family": manifest.family,
        "ii_cycles": manifest.ii_cycles,
        "latency_cycles": manifest.latency_cycles,
        "latency_meaning": "from the first input beat to the first output beat, no stalls",
        "layers": [layer_table(layer) for layer in manifest.layers],
        "segments": [dict(vars(segment)) for segment in manifest.segments],
        "network_digest": manifest.network_digest,
        "rtl_digest": manifest.rtl_digest,
    }
    if manifest.link is not None:
        table["build_id"] = manifest.build_id
        table["link"] = dict(vars(manifest.link))
    return json.dumps(table, indent=2) + "\n"


def _manifest(table: dict[str, Any]) -> Manifest:
    given, taken, link = table["input"], table["output"], table.get("link")
    return Manifest(
        generator=str(table["generator"]),
        model=str(table["model"]),
        board=str(table["board"]),
        top=str(table["top"]),
        sources=tuple(str(name) for name in table["sources"]),
        shape=tuple(int(n) for n in given["shape"]),
        threshold=None if given["threshold"] is None else int(given["threshold"]),
        encoding=str(given["encoding"]),
        bits=int(given["bits"]),
        in_beat_bits=int(given["beat_bits"]),
        in_beats=int(given["beats"]),
        out_beat_bits=int(taken["beat_bits"]),
        out_beats=int(taken["beats"]),
        field_bits=int(taken["field_bits"]),
        score_bits=int(taken["score_bits"]),
        fields=tuple(str(name) for name in taken["fields"]),
        classes=int(table["classes"]),
        levels_per_stage=int(table["levels_per_stage"]),
        family=str(table["family"]),
        ii_cycles=int(table["ii_cycles"]),
        latency_cycles=int(table["latency_cycles"]),
        layers=tuple(read_layer(entry) for entry in table["layers"]),
        segments=tuple(read_segment(entry) for entry in table["segments"]),
        network_digest=str(table["network_digest"]),
        rtl_digest=str(table["rtl_digest"]),
        link=None if link is None else _link(link),
    )


def verilog_digest(files: Mapping[str, str]) -> str:
    """Return the `rtl_digest` of {path in the build folder: text}, in the order of `sources`."""
    return digest("".join(f"{name}\0{text}\0" for name, text in files.items()).encode())


def check_verilog(folder: Path, manifest: Manifest) -> None:
    """Check that the core's files are those that its manifest was written for.

    Args:
        folder: with manifest.json and rtl/.
        manifest: of the core.

    Raises:
        ManifestError: a file is missing, or not what it was.
    """
    files = {}
    for name in manifest.sources:
        if not (folder / name).is_file():
            raise ManifestError(f"{folder / name}: no such file; make hls writes it")
        files[name] = (folder / name).read_text(encoding="utf-8")
    if verilog_digest(files) != manifest.rtl_digest:
        raise ManifestError(
            f"{folder}/rtl: its Verilog is not what manifest.json was written for; "
            "make hls writes both again"
        )


def _link(table: dict[str, Any]) -> Link:
    if table["kind"] not in LINKS:
        raise ValueError(f"link.kind is {table['kind']!r}, needs one of {' '.join(LINKS)}")
    kind, dma = str(table["kind"]), str(table["dma"])
    return Link(kind, int(table["baud"]), dma, float(table["clock_mhz"]))


def _check(path: Path, manifest: Manifest) -> None:
    """Raise `ManifestError` where the figures contradict each other."""
    for name in ("in_beat_bits", "out_beat_bits", "field_bits"):
        if getattr(manifest, name) < 8 or getattr(manifest, name) % 8:
            raise ManifestError(
                f"{path}: {name} is {getattr(manifest, name)}, needs a multiple of 8"
            )
    if manifest.encoding not in ENCODINGS:
        raise ManifestError(
            f"{path}: input.encoding is {manifest.encoding!r}, needs one of {' '.join(ENCODINGS)}"
        )
    size = math.prod(manifest.shape) * ENCODINGS[manifest.encoding]
    pairs = (
        ("input.bits", manifest.bits, size),
        ("input.beats", manifest.in_beats, -(-manifest.bits // manifest.in_beat_bits)),
        (
            "output.beats",
            manifest.out_beats,
            -(-manifest.result_bytes * 8 // manifest.out_beat_bits),
        ),
    )
    for name, found, needed in pairs:
        if found != needed:
            raise ManifestError(f"{path}: {name} is {found}, needs {needed}")
    if manifest.fields[:1] != ("class",) or len(manifest.fields) not in (1, manifest.classes + 1):
        raise ManifestError(
            f"{path}: output.fields is {' '.join(manifest.fields)}, needs class, "
            f"or class and {manifest.classes} scores"
        )
