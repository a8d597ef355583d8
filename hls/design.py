"""The design: an integer network, the choices that make it hardware, and what follows from them."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from functools import cached_property
from importlib.metadata import version

from sbnn.hls.cycles import Pace, measure
from sbnn.hls.fabric import fabric_of
from sbnn.hls.facts import LayerFacts, SegmentFacts
from sbnn.hls.manifest import Manifest, verilog_digest
from sbnn.hls.network import PIXEL_BITS, Network, NetworkError
from sbnn.hls.rows import LayerRows, resolve
from sbnn.hls.segments import Segment, make_segments
from sbnn.hls.wired import LayerRtl, emit_layer


@dataclass(frozen=True)
class Choices:
    """What a user or a board chooses.

    Attributes:
        levels_per_stage: levels of adders and tables between registers: fewer registers, lower clock.
        family: of the target; chooses the logic (`fabric`), empty for any.
        beat_bits: width of s_axis_tdata.
        out_beat_bits: width of m_axis_tdata.
        scores: send the scores behind the class.
    """

    levels_per_stage: int = 2
    family: str = ""
    beat_bits: int = 64
    out_beat_bits: int = 64
    scores: bool = True


@dataclass(frozen=True, eq=False)
class Design:
    """A network with its choices and its generated layers."""

    network: Network
    choices: Choices
    rows: tuple[LayerRows, ...]
    layers: tuple[LayerRtl, ...]

    @property
    def beats(self) -> int:
        """Input beats per image."""
        return -(-self.stream_bits // self.choices.beat_bits)

    @property
    def stream_bits(self) -> int:
        """Bits of one image on the input stream: one per pixel, or a byte where pixels come as they are."""
        return self.network.encoding.values * (PIXEL_BITS if self.network.takes_pixels else 1)

    @property
    def score_bits(self) -> int:
        """Width of one score inside the core."""
        return self.layers[-1].score_bits

    @property
    def field_bits(self) -> int:
        """Width of one field of the result word."""
        return 16 if self.score_bits <= 16 else 32 if self.score_bits <= 32 else 64

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields of the result word, lowest first."""
        names = [f"score{i}" for i in range(self.network.classes)] if self.choices.scores else []
        return ("class", *names)

    @property
    def result_bits(self) -> int:
        """Width of the result word."""
        return len(self.fields) * self.field_bits

    @property
    def out_beats(self) -> int:
        """Output beats per image."""
        return -(-self.result_bits // self.choices.out_beat_bits)

    @property
    def index_bits(self) -> int:
        """Width of the class index inside the core."""
        return max(1, (self.network.classes - 1).bit_length())

    @property
    def argmax_level_cycles(self) -> int:
        """Cycles per level of `sbnn_argmax`: two where layers have one level between registers."""
        return 2 if self.choices.levels_per_stage == 1 else 1

    @property
    def argmax_cycles(self) -> int:
        """Cycles from the scores to the class."""
        return self.argmax_level_cycles * (self.network.classes - 1).bit_length()

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """The runs of layers between two queues."""
        latencies = [layer.latency_cycles for layer in self.layers]
        return make_segments(
            self.network, latencies, self.argmax_cycles, self.beats, self.out_beats
        )

    @property
    def latency_cycles(self) -> int:
        """Cycles from the first input beat to the first output beat, nothing waiting."""
        if self.network.takes_pixels:
            return self.pace.latency_cycles
        return self.beats - 1 + 1 + self.segments[-1].cycles + 1

    @property
    def ii_cycles(self) -> int:
        """Cycles between images.

        With packed bits the wider of the two streams (the core itself takes one image a cycle), with
        pixels what the slowest segment needs.
        """
        if self.network.takes_pixels:
            return self.pace.ii_cycles
        return max(self.beats, self.out_beats)

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """Per segment the cycles at which an image's first vector is complete and its last result queued."""
        if self.network.takes_pixels:
            return self.pace.spans
        return ((self.beats - 1, self.beats - 1 + self.segments[-1].cycles + 1),)

    @cached_property
    def pace(self) -> Pace:
        """What the cycle model says of a network that takes pixels."""
        beat_bytes = self.choices.beat_bits // 8
        return measure(self.segments, self.network.encoding.map, beat_bytes, self.out_beats)


def make_design(network: Network, choices: Choices) -> Design:
    """Generate every layer of a network.

    Raises:
        NetworkError: a choice is out of range.
    """
    if choices.levels_per_stage < 1:
        raise NetworkError(
            f"levels_per_stage is {choices.levels_per_stage}, needs at least 1 level between registers"
        )
    for name in ("beat_bits", "out_beat_bits"):
        if not 8 <= getattr(choices, name) <= 4096 or getattr(choices, name) % 8:
            raise NetworkError(
                f"{name} is {getattr(choices, name)}, needs a multiple of 8 from 8 to 4096"
            )
    rows = resolve(network)
    layers = tuple(
        emit_layer(
            resolved,
            f"{network.name}_{resolved.layer.name}",
            choices.levels_per_stage,
            fabric_of(choices.family),
        )
        for resolved in rows
    )
    return Design(network, choices, rows, layers)


def make_manifest(design: Design, board: str, files: Mapping[str, str]) -> Manifest:
    """Return what anyone needs to drive the generated core, and what it was made from.

    Args:
        design: the design.
        board: the board it was generated for.
        files: {path in the build folder: text} of the RTL, in the order in which tools should read it.
    """
    network, choices = design.network, design.choices
    return Manifest(
        generator=f"sbnn {version('sbnn')}",
        model=network.name,
        board=board,
        top=network.name,
        sources=tuple(files),
        shape=network.encoding.shape,
        threshold=network.encoding.threshold,
        encoding="bytes" if network.takes_pixels else "bits",
        bits=design.stream_bits,
        in_beat_bits=choices.beat_bits,
        in_beats=design.beats,
        out_beat_bits=choices.out_beat_bits,
        out_beats=design.out_beats,
        field_bits=design.field_bits,
        score_bits=design.score_bits,
        fields=design.fields,
        classes=network.classes,
        levels_per_stage=choices.levels_per_stage,
        family=choices.family,
        ii_cycles=design.ii_cycles,
        latency_cycles=design.latency_cycles,
        layers=tuple(
            LayerFacts(
                name=resolved.layer.name,
                module=layer.module,
                mh=resolved.layer.mh,
                mw=resolved.layer.mw,
                ones=resolved.layer.ones,
                pool=resolved.layer.pool,
                value_bits=resolved.layer.value_bits,
                weight_bits=resolved.layer.weight_bits,
                output_bits=resolved.layer.output.bits,
                xi_frac=resolved.layer.xi_frac,
                latency_cycles=layer.latency_cycles,
                cost=layer.cost,
            )
            for resolved, layer in zip(design.rows, design.layers, strict=True)
        ),
        segments=tuple(
            SegmentFacts(
                layers=tuple(layer.name for layer in network.layers[segment.start : segment.stop]),
                map=astuple(segment.seen),
                window=segment.layer.window.kernel if segment.layer.window is not None else (),
                padding=segment.layer.window.padding if segment.layer.window is not None else (),
                vectors=segment.vectors,
                cycles=segment.cycles,
                queue_depth=segment.depth,
                begin=begin,
                end=end,
            )
            for segment, (begin, end) in zip(design.segments, design.spans, strict=True)
        ),
        network_digest=network.digest(),
        rtl_digest=verilog_digest(files),
    )
