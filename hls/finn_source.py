"""What a QONNX graph says, read exactly: the rationals of its stored floats, layer by layer.

A graph that this reader accepts is one chain:

    uint8 image -> [Sub, Mul] -> [BipolarQuant] -> layer -> ... -> layer -> [Add, Mul] -> scores

where a layer is a MatMul or a Conv with weights of few levels; a hidden one goes on through affine nodes into
a BipolarQuant, a Quant of 2 to 4 bits or a MultiThreshold, a Conv may have a Pad in front and a MaxPool
behind its activation. A Concat of bits and their negation makes a dual-rail layer. Nodes that only move
values (Flatten, Transpose ...) may stand between. Without the first BipolarQuant the first layer sees the
pixels' 8-bit values. Anything else is refused with the node's name, so that nothing is lowered by guess.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.layer import MAX_XI_FRAC, IntArray, WeightArray
from sbnn.hls.maps import Window
from sbnn.hls.network import InputEncoding
from sbnn.hls.thresholds import BITS, Affine, Cut, Stage

# Instances of a core beside its layers (hls/stitch.py).
SURROUNDINGS = ("argmax", "flow", "marks", "pack", "pixels", "unpack")


@dataclass(frozen=True, eq=False)
class SourceLayer:
    """One MatMul, Conv or MaxPool of the graph and what follows it, all exact.

    Attributes:
        name: Verilog identifier, from the weight tensor or the node.
        node: name of the MatMul, Conv or MaxPool node.
        weight: (MH, MW) uint8, columns in the order of `sbnn.hls.maps`; MW counts both rails.
        xi: MH rationals, minus the stored zero point.
        eta: MH positive rationals, the stored scale times the scale of the incoming bits.
        rails: 1 or 2, as in `SparseLayer`.
        stages: MH chains of what follows the sum.
        stage_nodes: names of the nodes behind `stages`, in order.
        columns: (inputs,) which column of `weight` (of one rail) the graph's weights have at each place.
        cuts: MH rows of the activation's cuts; none in the last layer, which the graph's output ends.
        activation: name of the activation's node.
        window: of a Conv or a MaxPool.
        pool: a MaxPool.
        levels: what the incoming values stand for; the scale of bits is part of eta.
        value_bits: bits per incoming value.
    """

    name: str
    node: str
    weight: WeightArray
    xi: tuple[Fraction, ...]
    eta: tuple[Fraction, ...]
    rails: int
    stages: tuple[tuple[Stage, ...], ...]
    stage_nodes: tuple[str, ...]
    columns: IntArray
    cuts: tuple[tuple[Cut, ...], ...] = ()
    activation: str = ""
    window: Window | None = None
    pool: bool = False
    levels: Affine = BITS
    value_bits: int = 1

    @property
    def is_last(self) -> bool:
        """Whether the layer gives the graph's output."""
        return not self.cuts and not self.pool

    def xi_frac(self) -> int:
        """Return the smallest F with every xi on the grid k/2**F."""
        for frac in range(MAX_XI_FRAC + 1):
            if all((xi * (1 << frac)).denominator == 1 for xi in self.xi):
                return frac
        worst = max(self.xi, key=lambda xi: xi.denominator)
        raise LoweringError(
            f"layer {self.name}: zero point {float(-worst)!r} of node {self.node} is not a "
            f"multiple of 2**-{MAX_XI_FRAC}, the finest grid for xi"
        )


@dataclass(frozen=True, eq=False)
class Source:
    """The whole graph: how pixels become bits, and the layers in order."""

    encoding: InputEncoding
    layers: tuple[SourceLayer, ...]


def layer_names(model: Any) -> tuple[str, ...]:
    """Return a Verilog identifier per MatMul, Gemm or Conv of a raw graph, in graph order.

    `fc1.weight` gives fc1, else the node `/body/fc1/MatMul` gives body_fc1; a name that is no
    identifier or is taken, by another layer or by what surrounds the layers, becomes layer1, layer2 ...
    """
    names: list[str] = []
    for node in _products(model):
        guess = _weight_name(model, node.input[1]) or _module_name(node.name)
        usable = guess.isascii() and guess.isidentifier() and guess not in (*names, *SURROUNDINGS)
        names.append(guess if usable else f"layer{len(names) + 1}")
    return tuple(names)


def with_input_layer(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names with one in front for the layer that quantizes pixels."""
    name = "quantize"
    while name in names:
        name += "_"
    return (name, *names)


def _products(model: Any) -> Iterator[Any]:
    return (node for node in model.graph.node if node.op_type in ("MatMul", "Gemm", "Conv"))


def _weight_name(model: Any, tensor: str) -> str:
    """Follow a weight back to its initializer and return the part before `.weight`, or ''."""
    for _ in model.graph.node:  # bounded: a broken file may hold a cycle
        producer = model.find_producer(tensor)
        if producer is None or not producer.input:
            break
        tensor = producer.input[0]
    stem, dot, last = tensor.rpartition(".")
    return stem.replace(".", "_") if dot and last == "weight" else ""


def _module_name(node: str) -> str:
    parts = node.strip("/").split("/")
    return "_".join(parts[:-1]) if len(parts) > 1 else ""
