"""Walk the one chain of nodes of a QONNX graph and read its layers; see finn_source for what is accepted."""

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from sbnn.hls.finn_constants import LoweringError, positive_scalar, read_constant, read_stages
from sbnn.hls.finn_layout import Layout, read_pool_window, read_window
from sbnn.hls.finn_levels import Activation, read_activation
from sbnn.hls.finn_ops import ACTIVATIONS, AFFINE, PRODUCTS, SHAPING, SUPPORTED
from sbnn.hls.finn_source import Source, SourceLayer
from sbnn.hls.finn_weights import read_weights
from sbnn.hls.maps import FeatureMap
from sbnn.hls.network import PIXEL_BITS, InputEncoding
from sbnn.hls.thresholds import BITS, Affine, Stage


@dataclass
class _Walk:
    """Where the reader stands on the chain.

    Attributes:
        model: the graph.
        tensor: the tensor that was reached.
        layout: what its elements are.
        levels: what its values stand for, apart from `scale`.
        scale: the positive scale of bits; part of the next layer's eta.
        value_bits: bits per value.
        pools: MaxPools so far.
    """

    model: Any
    tensor: str
    layout: Layout
    levels: Affine = BITS
    scale: Fraction = Fraction(1)
    value_bits: int = 1
    pools: int = 0

    def consumers(self) -> list[Any]:
        return [node for node in self.model.graph.node if self.tensor in node.input]

    def step(self, node: Any) -> None:
        self.tensor = node.output[0]

    def activate(self, node: Any, activation: Activation) -> None:
        """Step over an activation: values are the number of cuts that were reached."""
        self.levels, self.scale = activation.levels, activation.scale
        self.value_bits = activation.bits
        self.step(node)

    @property
    def kind(self) -> str:
        """What the values are, in a word."""
        return {1: "bits", PIXEL_BITS: "pixels"}.get(self.value_bits, "values")

    def shape(self) -> tuple[int, ...]:
        return tuple(int(n) for n in self.model.get_tensor_shape(self.tensor) or ())

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

    def move(self) -> None:
        """Step over nodes that only move values."""
        while [node.op_type in SHAPING for node in self.consumers()] == [True]:
            node = self.next()
            self.step(node)
            self.layout = self.layout.moved(node, self.shape())


def read(model: Any, names: tuple[str, ...]) -> Source:
    """Read a cleaned QONNX graph (a qonnx `ModelWrapper`, Gemm already turned into MatMul).

    Args:
        model: the graph, shapes inferred.
        names: layer names in the order of the products, see `layer_names`.

    Raises:
        LoweringError: the graph is not a chain as described in finn_source.
    """
    if len(model.graph.input) != 1 or len(model.graph.output) != 1:
        raise LoweringError(
            f"graph has {len(model.graph.input)} inputs and {len(model.graph.output)} outputs, "
            "needs one of each"
        )
    walk, encoding = _read_input(model)
    layers: list[SourceLayer] = []
    left = list(names)
    while not layers or not layers[-1].is_last:
        walk.move()
        if [node.op_type for node in walk.consumers()] == ["MaxPool"]:
            layers.append(_read_pool(walk))
            continue
        if not left:
            raise LoweringError(
                f"tensor {walk.tensor}: the graph ends with {walk.kind}, needs a MatMul that gives scores"
            )
        layers.append(_read_layer(walk, left.pop(0)))
    return Source(encoding, tuple(layers))


def _read_input(model: Any) -> tuple[_Walk, InputEncoding]:
    """Read up to the first bits, or up to the first product where pixels are taken as they are."""
    name = model.graph.input[0].name
    datatype = model.get_tensor_datatype(name).name
    shape = tuple(int(n) for n in model.get_tensor_shape(name) or ())
    if datatype != "UINT8":
        raise LoweringError(f"graph input {name} has the datatype {datatype}, needs UINT8 pixels")
    if len(shape) < 2 or shape[0] != 1 or any(n < 1 for n in shape):
        raise LoweringError(
            f"graph input {name} has the shape {shape}, needs (1, ...) with one image"
        )
    if len(shape) > 4:
        raise LoweringError(
            f"graph input {name} has the shape {shape}, needs at most (1, height, width, channels)"
        )
    encoding = InputEncoding(shape[1:], None)
    walk = _Walk(model, name, Layout.of_image(encoding), value_bits=PIXEL_BITS)
    values = [Fraction(pixel) for pixel in range(256)]
    walk.move()
    while (node := walk.next()) is not None and node.op_type in AFFINE[:-1]:
        (stage,) = read_stages(model, node, 1)
        values = [(value + stage.pre) * stage.scale + stage.post for value in values]
        walk.step(node)
        walk.move()
    if node is not None and node.op_type == "BipolarQuant":
        walk.scale, walk.value_bits = positive_scalar(model, node), 1
        walk.step(node)
        on = [value >= 0 for value in values]
        if on != sorted(on):
            raise LoweringError(f"node {node.name}: dark pixels give 1, needs 1 for bright pixels")
        return walk, replace(encoding, threshold=on.count(False))
    if node is None or node.op_type not in (*PRODUCTS, "Pad"):
        what = (
            "graph has no layer"
            if node is None
            else f"node {node.name}: {node.op_type} reads pixels"
        )
        raise LoweringError(f"{what}, needs a BipolarQuant, a MatMul or a Conv")
    walk.levels = Affine(values[1] - values[0], values[0])
    if walk.levels.scale == 0:
        raise LoweringError(f"node {node.name}: every pixel has the value {float(values[0])!r}")
    return walk, encoding


def _read_layer(walk: _Walk, name: str) -> SourceLayer:
    """Read one product and what follows it, up to its BipolarQuant or the graph's output."""
    model = walk.model
    pad = _read_pad(walk)
    if pad is not None:
        _check_pad(model, pad, walk)
    rails, swap = _read_rails(walk)
    _read_scaling(walk)
    node = _next_product(walk, pad)
    weights = read_weights(model, node, walk.layout.inputs(node) * rails)
    if swap:
        turned = np.roll(weights.weight, weights.weight.shape[1] // 2, axis=1)
        weights = replace(weights, weight=turned)
    if rails == 2 and (weights.rails == 2 or walk.value_bits != 1):
        raise LoweringError(
            f"node {node.name}: a Concat of {walk.kind} and their negation is read with "
            f"{'signed' if weights.rails == 2 else 'unsigned'} weights, needs bits and unsigned weights"
        )
    rails = max(rails, weights.rails)
    conv = node.op_type == "Conv"
    window = read_window(model, node, pad, walk.layout, weights.weight) if conv else None
    columns = walk.layout.columns(weights.weight)
    stored = weights.weight.reshape(len(weights.weight), rails, -1)
    weight = np.empty_like(stored)
    weight[:, :, columns] = stored
    layer = SourceLayer(
        name=name,
        node=node.name,
        weight=weight.reshape(len(weight), -1),
        xi=weights.xi,
        eta=tuple(value * walk.scale for value in weights.eta),
        rails=rails,
        stages=(),
        stage_nodes=(),
        columns=columns,
        window=window,
        levels=walk.levels,
        value_bits=walk.value_bits,
    )
    walk.step(node)
    if window is None:
        walk.layout = Layout.of_vector(len(weight))
    else:
        walk.layout = Layout.of_map(FeatureMap(*window.output, len(weight)))
    stages, stage_nodes = _read_behind(walk, name, len(weight))
    layer = replace(layer, stages=stages, stage_nodes=stage_nodes)
    node = walk.next()
    if node is not None:
        activation = read_activation(model, node, len(weight))
        walk.activate(node, activation)
        return replace(layer, cuts=activation.cuts, activation=node.name)
    if walk.layout.seen.positions != 1:
        raise LoweringError(
            f"node {layer.node}: gives scores at {walk.layout.seen.positions} positions, needs one"
        )
    return layer


def _read_scaling(walk: _Walk) -> None:
    """Read what scales and shifts values on their way to the product into what they stand for."""
    walk.move()
    while walk.value_bits < PIXEL_BITS and [n.op_type in AFFINE[:-1] for n in walk.consumers()] == [
        True
    ]:
        (node,) = walk.consumers()
        (stage,) = read_stages(walk.model, node, 1)
        pre, post = stage.pre / walk.scale, stage.post / walk.scale
        scale, shift = walk.levels.scale, walk.levels.shift
        walk.levels = Affine(scale * stage.scale, (shift + pre) * stage.scale + post)
        if walk.levels.scale == 0:
            raise LoweringError(f"node {node.name}: scales {walk.kind} by 0, needs another value")
        walk.step(node)
        walk.move()


def _next_product(walk: _Walk, pad: Any | None) -> Any:
    """Return the MatMul or Conv that reads the tensor."""
    node = walk.next()
    if node is None or node.op_type not in PRODUCTS or node.input[0] != walk.tensor:
        found = "the output" if node is None else f"{node.op_type} {node.name}"
        raise LoweringError(
            f"tensor {walk.tensor} holds {walk.kind} and feeds {found}, needs a MatMul or a Conv"
        )
    if node.op_type == "Conv" and len(node.input) > 2:
        raise LoweringError(f"node {node.name}: has a bias, needs an Add behind it")
    if node.op_type != "Conv" and pad is not None:
        raise LoweringError(f"node {pad.name}: Pad feeds {node.op_type}, needs a Conv")
    return node


def _read_behind(
    walk: _Walk, name: str, mh: int
) -> tuple[tuple[tuple[Stage, ...], ...], tuple[str, ...]]:
    """Read what stands between a product and its activation or the output: stages per output, nodes."""
    chains: list[list[Stage]] = [[] for _ in range(mh)]
    nodes: list[str] = []
    while (node := walk.next()) is not None and node.op_type not in ACTIVATIONS:
        if node.op_type in SHAPING and node.op_type != "Transpose":
            walk.step(node)
            walk.layout = walk.layout.moved(node, walk.shape())
            continue
        if node.op_type not in AFFINE:
            raise LoweringError(
                f"node {node.name}: {node.op_type} reads sums of layer {name}, needs "
                f"{', '.join(AFFINE)} or an activation ({', '.join(ACTIVATIONS)})"
            )
        axis = walk.layout.channel_axis()
        for chain, stage in zip(chains, read_stages(walk.model, node, mh, axis), strict=True):
            chain.append(stage)
        nodes.append(node.name)
        walk.step(node)
    return tuple(tuple(chain) for chain in chains), tuple(nodes)


def _read_pool(walk: _Walk) -> SourceLayer:
    """Read a MaxPool: the largest of a channel's values in each window."""
    (node,) = walk.consumers()
    if walk.value_bits == PIXEL_BITS:
        raise LoweringError(f"node {node.name}: MaxPool reads pixels, needs bits or values")
    window = read_pool_window(node, walk.layout)
    channels = walk.layout.seen.channels
    walk.pools += 1
    walk.step(node)
    walk.layout = Layout.of_map(FeatureMap(*window.output, channels))
    return SourceLayer(
        name=f"pool{walk.pools}",
        node=node.name,
        weight=np.tile(np.eye(channels, dtype=np.uint8), (1, window.taps)),
        xi=(Fraction(0),) * channels,
        eta=(Fraction(1),) * channels,
        rails=1,
        stages=((),) * channels,
        stage_nodes=(),
        columns=np.arange(0),
        window=window,
        pool=True,
        value_bits=walk.value_bits,
    )


def _read_pad(walk: _Walk) -> Any | None:
    """Step over a Pad; its window reads it later."""
    consumers = walk.consumers()
    if len(consumers) != 1 or consumers[0].op_type != "Pad":
        return None
    walk.next()
    walk.step(consumers[0])
    return consumers[0]


def _check_pad(model: Any, pad: Any, walk: _Walk) -> None:
    """Refuse a Pad whose value no padded input of ours stands for."""
    mode = next((a.s.decode() for a in pad.attribute if a.name == "mode"), "constant")
    given = len(pad.input) > 2 and pad.input[2]
    value = Fraction(0)
    if given:
        value = Fraction(float(np.reshape(read_constant(model, pad, pad.input[2]), -1)[0]))
    needed = walk.levels.shift * walk.scale
    if mode != "constant" or value != needed:
        (reader,) = walk.consumers()[:1] or (pad,)
        where = reader if pad.name == f"{reader.name}_pad" else pad  # a Conv's own padding
        raise LoweringError(
            f"node {where.name}: pads with {float(value)!r} ({mode}), needs {float(needed)!r} "
            "(constant), the lowest value of what it pads"
        )


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
