"""Neurons whose BatchNorm scale is 0: constant, and beyond what FINN divides thresholds by."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation

from sbnn.hls.finn_edit import index_of
from sbnn.hls.finn_source import Source, SourceLayer


class GuardConstantNeurons(Transformation):  # type: ignore[misc]
    """Rewrite a neuron with a zero scale as one whose bias is beyond reach.

    FINN divides thresholds by the scale and takes its sign as BIPOLAR, so a zero gives NaN there.
    The neuron gets the scale 1 and an Add of +-B before its BipolarQuant; it stays constant. Of an activation
    of several levels only the scale changes here, its limits will lie beyond reach (`finn_limits`).
    """

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Change the graph in place; never asks to be run again."""
        for layer in self.source.layers:
            dead = dead_neurons(layer)
            if layer.is_last or not dead.any():
                continue
            for name in layer.stage_nodes:
                node = model.get_node_from_name(name)
                if node.op_type in ("BatchNormalization", "Mul"):
                    value = model.get_initializer(node.input[1])
                    model.set_initializer(node.input[1], np.where(value == 0, np.float32(1), value))
            if len(layer.cuts[0]) == 1:
                _add_bias(model, layer, dead)
        return model, False


def _add_bias(model: ModelWrapper, layer: SourceLayer, dead: NDArray[np.bool_]) -> None:
    bias = np.zeros(len(layer.weight), np.float32)
    for j in np.flatnonzero(dead):
        bias[j] = math.copysign(
            bound(layer, int(j)), 1 if constant_value(layer, int(j)) >= 0 else -1
        )
    activation: Any = model.find_consumer(model.get_node_from_name(layer.stage_nodes[-1]).output[0])
    tensor, constant = model.make_new_valueinfo_name(), f"{layer.name}_constant_neurons"
    model.set_tensor_shape(tensor, model.get_tensor_shape(activation.input[0]))
    model.set_initializer(constant, bias)
    add = helper.make_node("Add", [activation.input[0], constant], [tensor], name=constant)
    activation.input[0] = tensor
    model.graph.node.insert(index_of(model, activation), add)


def dead_neurons(layer: SourceLayer) -> NDArray[np.bool_]:
    """Return (MH,) bool, whether a scale of 0 stands between a neuron's sum and its activation."""
    return np.array([any(stage.scale == 0 for stage in chain) for chain in layer.stages])


def constant_value(layer: SourceLayer, j: int) -> Fraction:
    """Return what a dead neuron's activation reads; only what follows the last zero counts."""
    value = Fraction(0)
    for stage in layer.stages[j]:
        value = (value + stage.pre) * stage.scale
        root = math.sqrt(stage.variance)
        value = (value if root == 1 else Fraction(float(value) / root)) + stage.post
    return value


def bound(layer: SourceLayer, j: int) -> float:
    """Return a power of two beyond everything neuron j can reach with its zero scales set to 1."""
    peak = (1 << layer.value_bits) - 1
    largest = float(
        max(abs(layer.levels.shift), abs(layer.levels.scale * peak + layer.levels.shift))
    )
    weight = int(layer.weight[j].max(initial=1)) + abs(layer.xi[j])
    reach = float(layer.eta[j] * layer.weight.shape[1] * weight) * largest
    for stage in layer.stages[j]:
        scale = abs(float(stage.scale)) or 1.0
        reach = (reach + abs(float(stage.pre))) * scale / math.sqrt(stage.variance)
        reach += abs(float(stage.post))
    return 4 * 2.0 ** math.ceil(math.log2(reach + 1))
