"""Activations of several levels in front of FINN: MultiThreshold, and their scale at the next product."""

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from onnx import helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from sbnn.hls.finn_edit import add_constant, chain, index_of, insert_behind
from sbnn.hls.finn_guard import bound, constant_value, dead_neurons
from sbnn.hls.finn_levels import read_activation
from sbnn.hls.finn_ops import AFFINE, PRODUCTS, QONNX_DOMAIN
from sbnn.hls.finn_source import Source, SourceLayer
from sbnn.hls.thresholds import Affine

# A strict cut lies above its value by more than the 2**-24 that float32 loses in each of FINN's steps.
ABOVE = Fraction(1, 1 << 20)


def write_thresholds(model: ModelWrapper, source: Source) -> bool:
    """Write activations of several levels as MultiThreshold, and what the levels stand for at the product.

    Pads and pools then see the number of thresholds that were reached, from 0 on.
    """
    changed = False
    for layer in source.layers:
        if layer.is_last or layer.pool or len(layer.cuts[0]) == 1:
            continue
        node = model.get_node_from_name(layer.activation)
        levels = read_activation(model, node, len(layer.cuts)).levels
        limits = add_constant(model, f"{layer.name}_limits", _float32_limits(layer))
        kind = DataType.get_smallest_possible(len(layer.cuts[0])).name
        made = helper.make_node(
            "MultiThreshold",
            [node.input[0], limits],
            [node.output[0]],
            node.name,
            domain=QONNX_DOMAIN,
            out_dtype=kind,
        )
        model.graph.node.insert(index_of(model, node), made)
        model.graph.node.remove(node)
        _scale_at_product(model, node.output[0], levels, layer.name)
        changed = True
    return changed


def _scale_at_product(model: ModelWrapper, tensor: str, levels: Affine, name: str) -> None:
    """Multiply and add right in front of the product that reads a tensor, and pad with level 0."""
    for node in chain(model, tensor):
        if node.op_type in (*AFFINE, *PRODUCTS):
            break
        if node.op_type == "Pad":
            zero = add_constant(model, f"{node.name}_level", 0.0)
            if len(node.input) > 2:
                node.input[2] = zero
            else:
                node.input.append(zero)
        tensor = node.output[0]
    shape = model.get_tensor_shape(tensor)
    for op, value in (("Mul", levels.scale), ("Add", levels.shift)):
        if value != (op == "Mul"):
            constant = add_constant(model, f"{name}_level_{op.lower()}", float(value))
            insert_behind(model, tensor, op, [constant], shape)


def _float32_limits(layer: SourceLayer) -> NDArray[np.float32]:
    """Return cuts as MultiThreshold takes them, (1 or MH, L) float32: each from a value on.

    A strict cut lies above its value by more than float32 loses on the way to an integer threshold. A neuron
    whose scale is 0, which has become 1, reaches the same cuts by limits beyond its reach.
    """
    dead = {j: constant_value(layer, j) for j in np.flatnonzero(dead_neurons(layer)).tolist()}
    one = len(set(layer.cuts)) == 1 and not dead
    rows = []
    for j, cuts in enumerate(layer.cuts[:1] if one else layer.cuts):
        above = max(abs(cut.at) for cut in cuts) * ABOVE
        row = [float(cut.at + (above if cut.strict else 0)) for cut in cuts]
        if j in dead:
            value, far = dead[j], bound(layer, j)
            reached = [value > cut.at or (value == cut.at and not cut.strict) for cut in cuts]
            row = [-far if there else far for there in reached]
        rows.append(row)
    return np.asarray(rows, np.float32)
