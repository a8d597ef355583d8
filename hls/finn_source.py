"""What a QONNX graph says, read exactly: the rationals of its stored floats, layer by layer.

A graph that this reader accepts is one chain:

    uint8 image -> [Flatten, Sub] -> BipolarQuant -> layer -> ... -> layer -> [Add, Mul] -> scores

where a layer is a MatMul with two-level weights; a hidden one goes on through affine nodes into a
BipolarQuant. In front of a MatMul a Concat of the bits and their negation makes a dual-rail layer.
Anything else is refused with the node's name, so that nothing is lowered by guess.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbnn.hls.network import MAX_XI_FRAC, BoolArray, InputEncoding
from sbnn.hls.thresholds import Stage
from sbnn.train.errors import UserError

AFFINE = ("Add", "Sub", "Mul", "Div", "BatchNormalization")
SHAPING = ("Flatten", "Reshape", "Identity")
EPSILON = float(np.float32(1e-5))  # ONNX's default, as the float32 it is
SUPPORTED = (*SHAPING, *AFFINE, "BipolarQuant", "Quant", "MatMul", "Gemm", "Concat", "Neg")


class LoweringError(UserError):
    """The graph cannot become an integer network; names the node and what is supported."""


@dataclass(frozen=True, eq=False)
class SourceLayer:
    """One MatMul of the graph with its two-level weights and what follows it, all exact.

    Attributes:
        name: Verilog identifier, from the weight tensor or the node.
        node: name of the MatMul node.
        w01: (MH, MW) bool; MW counts both rails.
        xi: MH rationals, minus the stored zero point.
        eta: MH positive rationals, the stored scale times the scale of the incoming bits.
        rails: 1 or 2, as in `SparseLayer`.
        stages: MH chains of what follows the sum.
        stage_nodes: names of the nodes behind `stages`, in order.
        is_last: whether the graph's output, not a BipolarQuant, ends the layer.
    """

    name: str
    node: str
    w01: BoolArray
    xi: tuple[Fraction, ...]
    eta: tuple[Fraction, ...]
    rails: int
    stages: tuple[tuple[Stage, ...], ...]
    stage_nodes: tuple[str, ...]
    is_last: bool

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


@dataclass
class _Walk:
    """Where the reader stands on the chain."""

    model: Any
    tensor: str
    passed: set[str] = field(default_factory=set)

    def consumers(self) -> list[Any]:
        return [node for node in self.model.graph.node if self.tensor in node.input]

    def step(self, node: Any) -> None:
        self.passed.add(node.name)
        self.tensor = node.output[0]

    def next(self) -> Any | None:
        """Return the one node that reads the tensor, None at the graph's output."""
        consumers = self.consumers()
        is_output = self.tensor in {output.name for output in self.model.graph.output}
        if is_output and not consumers:
            return None
        if len(consumers) != 1 or is_output:
            names = ", ".join(f"{node.op_type} {node.name}" for node in consumers) or "nothing"
            raise LoweringError(
                f"tensor {self.tensor} is read by {names}; supported is one chain of nodes"
            )
        node = consumers[0]
        if node.op_type not in SUPPORTED:
            raise LoweringError(
                f"node {node.name}: {node.op_type} is not supported; supported are "
                f"{', '.join(SUPPORTED)}"
            )
        return node


def read(model: Any, names: tuple[str, ...]) -> Source:
    """Read a cleaned QONNX graph (a qonnx `ModelWrapper`, Gemm already turned into MatMul).

    Args:
        model: the graph, shapes inferred.
        names: layer names in the order of the MatMuls, see `layer_names`.

    Raises:
        LoweringError: the graph is not a chain as described above.
    """
    if len(model.graph.input) != 1 or len(model.graph.output) != 1:
        raise LoweringError(
            f"graph has {len(model.graph.input)} inputs and {len(model.graph.output)} outputs, "
            "needs one of each"
        )
    walk = _Walk(model, model.graph.input[0].name)
    encoding, bit_scale = _read_input(walk)
    layers: list[SourceLayer] = []
    while not layers or not layers[-1].is_last:
        if len(layers) == len(names):
            raise LoweringError(
                f"tensor {walk.tensor}: the graph ends with bits, needs a MatMul that gives scores"
            )
        layer, bit_scale = _read_layer(walk, names[len(layers)], bit_scale)
        layers.append(layer)
    return Source(encoding, tuple(layers))


def layer_names(model: Any) -> tuple[str, ...]:
    """Return a Verilog identifier per MatMul or Gemm of a raw graph, in graph order.

    `fc1.weight` gives fc1, else the node `/body/fc1/MatMul` gives body_fc1; a name that is no
    identifier or is taken becomes layer1, layer2 ...
    """
    names: list[str] = []
    for node in _products(model):
        guess = _weight_name(model, node.input[1]) or _module_name(node.name)
        usable = guess.isascii() and guess.isidentifier() and guess not in names
        names.append(guess if usable else f"layer{len(names) + 1}")
    return tuple(names)


def _products(model: Any) -> Iterator[Any]:
    return (node for node in model.graph.node if node.op_type in ("MatMul", "Gemm"))


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


def _read_input(walk: _Walk) -> tuple[InputEncoding, Fraction]:
    """Read up to the first BipolarQuant; return the pixel threshold and the bits' scale."""
    model, name = walk.model, walk.tensor
    datatype = model.get_tensor_datatype(name).name
    shape = tuple(int(n) for n in model.get_tensor_shape(name) or ())
    if datatype != "UINT8":
        raise LoweringError(f"graph input {name} has the datatype {datatype}, needs UINT8 pixels")
    if len(shape) < 2 or shape[0] != 1 or any(n < 1 for n in shape):
        raise LoweringError(
            f"graph input {name} has the shape {shape}, needs (1, ...) with one image"
        )
    values = [Fraction(pixel) for pixel in range(256)]
    while (node := walk.next()) is not None:
        if node.op_type == "BipolarQuant":
            break
        if node.op_type in AFFINE and node.op_type != "BatchNormalization":
            (stage,) = _stages(model, node, 1)
            values = [(value + stage.pre) * stage.scale + stage.post for value in values]
        elif node.op_type not in SHAPING:
            raise LoweringError(
                f"node {node.name}: {node.op_type} reads pixels, needs bits from a BipolarQuant"
            )
        walk.step(node)
    if node is None:
        raise LoweringError("graph has no BipolarQuant that turns pixels into bits")
    scale = _positive_scalar(model, node)
    walk.step(node)
    on = [value >= 0 for value in values]
    if on != sorted(on):
        raise LoweringError(f"node {node.name}: dark pixels give 1, needs 1 for bright pixels")
    return InputEncoding(shape[1:], on.count(False)), scale


def _read_layer(walk: _Walk, name: str, bit_scale: Fraction) -> tuple[SourceLayer, Fraction]:
    """Read one MatMul and what follows it, up to its BipolarQuant or the graph's output."""
    model = walk.model
    rails, swap = _read_rails(walk)
    node = walk.next()
    while node is not None and node.op_type in SHAPING:
        walk.step(node)
        node = walk.next()
    if node is None or node.op_type != "MatMul" or node.input[0] != walk.tensor:
        found = "the output" if node is None else f"{node.op_type} {node.name}"
        raise LoweringError(f"tensor {walk.tensor} holds bits and feeds {found}, needs a MatMul")
    width = int(model.get_tensor_shape(walk.tensor)[-1])
    w01, xi, eta = _read_weights(model, node, width)
    if swap:
        w01 = np.roll(w01, width // 2, axis=1)
    matmul = node.name
    walk.step(node)
    chains: list[list[Stage]] = [[] for _ in range(len(w01))]
    nodes: list[str] = []
    scale = Fraction(1)
    while (node := walk.next()) is not None and node.op_type != "BipolarQuant":
        if node.op_type not in AFFINE:
            raise LoweringError(
                f"node {node.name}: {node.op_type} reads sums of layer {name}, needs "
                f"{', '.join(AFFINE)} or BipolarQuant"
            )
        for chain, stage in zip(chains, _stages(model, node, len(w01)), strict=True):
            chain.append(stage)
        nodes.append(node.name)
        walk.step(node)
    if node is not None:
        scale = _positive_scalar(model, node)
        walk.step(node)
    layer = SourceLayer(
        name=name,
        node=matmul,
        w01=w01,
        xi=xi,
        eta=tuple(value * bit_scale for value in eta),
        rails=rails,
        stages=tuple(tuple(chain) for chain in chains),
        stage_nodes=tuple(nodes),
        is_last=node is None,
    )
    return layer, scale


def _read_rails(walk: _Walk) -> tuple[int, bool]:
    """Step over a Concat of the bits and their negation; return rails, whether -x is first."""
    consumers = walk.consumers()
    if len(consumers) != 2:
        return 1, False
    concat = next((node for node in consumers if node.op_type == "Concat"), None)
    negation = next((node for node in consumers if node is not concat), None)
    if concat is None or negation is None or len(concat.input) != 2:
        return 1, False  # next() refuses the branch and names its nodes
    if not _negates(walk.model, negation, walk.tensor) or set(concat.input) != {
        walk.tensor,
        negation.output[0],
    }:
        raise LoweringError(
            f"node {concat.name}: Concat is supported for bits and their negation only"
        )
    swap = concat.input[0] != walk.tensor
    walk.step(negation)
    walk.step(concat)
    return 2, swap


def _negates(model: Any, node: Any, tensor: str) -> bool:
    if node.op_type == "Neg":
        return True
    other = [name for name in node.input if name != tensor]
    constant = model.get_initializer(other[0]) if node.op_type == "Mul" and other else None
    return constant is not None and constant.size == 1 and float(constant.reshape(-1)[0]) == -1


def _read_weights(
    model: Any, node: Any, width: int
) -> tuple[BoolArray, tuple[Fraction, ...], tuple[Fraction, ...]]:
    """Return (w01 (MH, MW) bool, xi, eta) of a MatMul's weights, one rational per output."""
    quant = model.find_producer(node.input[1])
    if quant is None or quant.op_type not in ("Quant", "BipolarQuant"):
        what = "float weights" if quant is None else f"weights from {quant.op_type} {quant.name}"
        raise LoweringError(
            f"node {node.name}: has {what}, needs a Quant of 1 bit or a BipolarQuant"
        )
    constants = [model.get_initializer(name) for name in quant.input]
    if any(constant is None for constant in constants):
        raise LoweringError(f"node {quant.name}: its inputs are not all constants")
    latent, scale = constants[0], constants[1]
    if latent.ndim != 2 or latent.shape[0] != width:
        raise LoweringError(
            f"node {node.name}: weights have the shape {latent.shape}, needs ({width}, outputs)"
        )
    mh = latent.shape[1]
    eta = _per_output(scale, mh, quant.name, "scale")
    if min(eta) <= 0:
        raise LoweringError(f"node {quant.name}: scale {float(min(eta))!r} is not positive")
    if quant.op_type == "BipolarQuant":
        half = Fraction(1, 2)
        return latent.T >= 0, (-half,) * mh, tuple(2 * value for value in eta)
    attributes = {attribute.name: attribute for attribute in quant.attribute}
    bits = float(np.max(constants[3]))
    if bits != 1 or attributes["signed"].i != 0:
        kind = "signed" if attributes["signed"].i else "unsigned"
        raise LoweringError(
            f"node {quant.name}: weights are {bits:g} bit {kind}, needs 1 bit unsigned"
        )
    xi = tuple(-value for value in _per_output(constants[2], mh, quant.name, "zero point"))
    # qonnx's own arithmetic: int_quant in float32, then the clip to [0, 1].
    levels = np.rint(latent / scale + constants[2])
    return (np.clip(levels, 0, 1) > 0).T, xi, eta


def _stages(model: Any, node: Any, outputs: int) -> tuple[Stage, ...]:
    """Return an affine node as one exact stage per output."""
    if node.op_type == "BatchNormalization":
        gamma, beta, mean, var = (
            _per_output(_constant(model, node, name), outputs, node.name, "parameter")
            for name in node.input[1:5]
        )
        epsilon = next((a.f for a in node.attribute if a.name == "epsilon"), EPSILON)
        return tuple(
            Stage(scale=g, pre=-m, variance=v + Fraction(epsilon), post=b)
            for g, b, m, v in zip(gamma, beta, mean, var, strict=True)
        )
    values = _per_output(_constant(model, node, node.input[1]), outputs, node.name, "constant")
    if node.op_type == "Div" and 0 in values:
        raise LoweringError(f"node {node.name}: Div by 0")
    return tuple(_affine(node.op_type, value) for value in values)


def _affine(operation: str, c: Fraction) -> Stage:
    if operation == "Add":
        return Stage(post=c)
    if operation == "Sub":
        return Stage(pre=-c)
    return Stage(scale=c if operation == "Mul" else 1 / c)


def _constant(model: Any, node: Any, tensor: str) -> NDArray[np.float32]:
    value = model.get_initializer(tensor)
    if value is None:
        raise LoweringError(f"node {node.name}: {node.op_type} needs a constant operand")
    return np.asarray(value)


def _per_output(
    value: NDArray[np.float32], outputs: int, node: str, what: str
) -> tuple[Fraction, ...]:
    """Return one exact rational per output of a scalar, or of an array by its last axis."""
    flat = np.asarray(value).reshape(-1)
    if not np.isfinite(flat).all():
        raise LoweringError(f"node {node}: {what} is not finite")
    if flat.size not in (1, outputs) or (flat.size > 1 and np.shape(value)[-1] != outputs):
        raise LoweringError(
            f"node {node}: {what} has the shape {np.shape(value)}, needs one value or {outputs}"
        )
    rationals = [Fraction(float(x)) for x in flat]
    return tuple(rationals * outputs if flat.size == 1 else rationals)


def _positive_scalar(model: Any, node: Any) -> Fraction:
    """Return the scale of an activation's BipolarQuant."""
    (scale,) = _per_output(_constant(model, node, node.input[1]), 1, node.name, "scale")
    if scale <= 0:
        raise LoweringError(f"node {node.name}: scale {float(scale)!r} is not positive")
    return scale
