"""Our graph passes between FINN's own: sparse binary weights in, SparsePopcountMVAU out.

FINN folds a weight quantizer only where its zero point is 0. Ours goes first and leaves what FINN's
streamlining handles exactly, an integer MatMul and a scale:

    x @ ((w + k/2**F) * eta)  =  (x @ (2**F * w + k)) * (eta / 2**F)

After FINN's streamlining a hidden layer is MatMul -> MultiThreshold; that pair becomes ours.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any
from unittest.mock import patch

import numpy as np
from finn.transformation import streamline
from numpy.typing import NDArray
from onnx import helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.base import Transformation
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from sbnn.hls.finn_compare import integer_weights, layer_pairs
from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.finn_source import Source
from sbnn.hls.layer import IntArray, SparseLayer

DOMAIN = "finn.custom_op.fpgadataflow"


class StreamlineWholeMatrices(streamline.Streamline):  # type: ignore[misc]
    """FINN's Streamline, with its absorption of signs into weights done for a whole matrix at once.

    FINN asks its datatype about one weight after the other, 10 us each: of 6.3 s for sbnn95 that was 3.8 s,
    and a million ones at 95 % zeros would take minutes.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Run FINN's list of transformations, one of them replaced."""
        with patch.object(streamline, "Absorb1BitMulIntoMatMul", AbsorbSignsIntoMatMul):
            done: tuple[ModelWrapper, bool] = super().apply(model)
        return done


class AbsorbSignsIntoMatMul(Transformation):  # type: ignore[misc]
    """Take a Mul by -1/+1 behind a MatMul into its weights, where their datatype allows the products."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Change the graph in place; asks to be run again where it did."""
        changed = False
        for node in list(model.graph.node):
            if node.op_type != "MatMul" or model.is_fork_node(node):
                continue
            weights = model.get_initializer(node.input[1])
            mul = model.find_consumer(node.output[0])
            if weights is None or mul is None or mul.op_type != "Mul":
                continue
            signs = model.get_initializer(mul.input[1])
            if signs is None or model.get_tensor_datatype(mul.input[1]).bitwidth() != 1:
                continue
            datatype, products = model.get_tensor_datatype(node.input[1]), weights * signs
            if products.shape == weights.shape and all(map(datatype.allowed, np.unique(products))):
                model.set_initializer(node.input[1], products)
                node.output[0] = mul.output[0]
                model.graph.node.remove(mul)
                changed = True
        return model, changed


class ExtractSparseBinaryWeights(Transformation):  # type: ignore[misc]
    """Replace weight quantizers by integer weights and a Mul, and dual rails by one MatMul.

    (weight, xi, eta) stay in `source`; the graph computes the same values. Of a dual-rail layer
    x @ (2**F * (weights of x - weights of ~x)) is left: xi cancels between the rails.
    """

    def __init__(self, source: Source, layers: Sequence[SparseLayer]) -> None:
        super().__init__()
        self.pairs = list(zip(source.layers, layers, strict=True))

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Change the graph in place; never asks to be run again."""
        for node in model.get_nodes_by_op_type("BipolarQuant"):
            if not _has_initializer(
                model, node.input[0]
            ):  # its scale is part of the next layer's eta
                model.set_initializer(node.input[1], np.float32(1))
        for source, layer in self.pairs:
            if source.pool:
                continue
            node = model.get_node_from_name(source.node)
            quant = model.find_producer(node.input[1])
            concat = model.find_producer(node.input[0])
            if concat is not None and concat.op_type == "Concat":
                negation = next(
                    made
                    for made in map(model.find_producer, concat.input)
                    if made is not None and made.op_type in ("Neg", "Mul")
                )
                node.input[0] = next(i for i in negation.input if not _has_initializer(model, i))
                model.graph.node.remove(concat)
                model.graph.node.remove(negation)
            weights = integer_weights(layer)[:, source.columns]
            name = f"{layer.name}_weights"
            model.set_initializer(name, _as_stored(weights, layer).astype(np.float32))
            model.set_tensor_datatype(name, _weight_datatype(weights))
            node.input[1] = name
            eta = np.array([float(eta / (1 << layer.xi_frac)) for eta in source.eta], np.float32)
            if layer.is_last and source.levels.scale < 0:  # its weights read the complements
                eta = -eta
            scale = f"{layer.name}_eta"
            if layer.window is not None:
                eta = eta.reshape(-1, 1, 1)
            model.set_initializer(scale, eta.reshape(-1)[0] if (eta == eta[0]).all() else eta)
            summed = model.make_new_valueinfo_name()
            mul = helper.make_node("Mul", [summed, scale], [node.output[0]], name=scale)
            model.set_tensor_shape(summed, model.get_tensor_shape(node.output[0]))
            node.output[0] = summed
            index = list(model.graph.node).index(node)
            model.graph.node.insert(index + 1, mul)
            # The quantizer's output may have the name that the weights just got.
            if quant is not None and all(
                reader.name == node.name for reader in model.find_consumers(quant.output[0]) or ()
            ):
                model.graph.node.remove(quant)
        return model, False


class InferSparsePopcountMVAU(Transformation):  # type: ignore[misc]
    """Replace each MatMul -> MultiThreshold, and the last MatMul, by the node SparsePopcountMVAU.

    The thresholds are the exact ones of `layers`; `compare_thresholds` has checked FINN's.
    The last layer's node gives the integer scores, and one Mul by their unit follows it.
    """

    def __init__(self, layers: Sequence[SparseLayer], score_unit: Fraction) -> None:
        super().__init__()
        self.layers = layers
        self.score_unit = score_unit

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Change the graph in place; never asks to be run again."""
        weighted = [layer for layer in self.layers if not layer.pool]
        for layer, (product, threshold) in zip(weighted, layer_pairs(model, weighted), strict=True):
            self._replace(model, layer, product, threshold)
        model = model.transform(InferShapes())
        return model.transform(InferDataTypes()), False

    def _replace(
        self, model: ModelWrapper, layer: SparseLayer, product: Any, threshold: Any | None
    ) -> None:
        end = _chain_end(model, product) if threshold is None else threshold
        output, shape = end.output[0], list(model.get_tensor_shape(product.input[0]))
        old = [product]
        while old[-1] is not end:
            old.append(model.find_consumer(old[-1].output[0]))
        index = list(model.graph.node).index(product)
        for node in old:
            model.graph.node.remove(node)
        if threshold is None:
            datatype = DataType["INT32"]  # as FINN's own MVAU gives without activation
            if not all(datatype.allowed(bound) for bound in score_range(layer)):
                raise LoweringError(f"layer {layer.name}: scores need more than 32 bits")
            scores, unit = f"{layer.name}_scores", f"{layer.name}_score_unit"
            model.set_tensor_shape(scores, [*shape[:-1], layer.mh])
            model.set_initializer(unit, np.float32(float(self.score_unit)))
            mul = helper.make_node("Mul", [scores, unit], [output], name=unit)
            model.graph.node.insert(index, mul)
            output = scores
        else:
            datatype = value_datatype(layer.output.bits)
        node = helper.make_node(
            "SparsePopcountMVAU",
            [product.input[0], *_parameters(model, layer)],
            [output],
            name=layer.name,
            domain=DOMAIN,
            backend="fpgadataflow",
            layer=layer.name,
            MW=layer.mw,
            MH=layer.mh,
            SIMD=layer.inputs,
            PE=layer.mh,
            ones=layer.ones,
            rails=layer.rails,
            xi_frac=layer.xi_frac,
            noActivation=int(threshold is None),
            inputDataType=value_datatype(layer.value_bits).name,
            outputDataType=datatype.name,
            weightDataType=weight_datatype(layer).name,
            levels=max(layer.levels, 1),
            numInputVectors=shape[:-1],
        )
        model.graph.node.insert(index, node)
        model.set_tensor_datatype(output, datatype)


def value_datatype(bits: int) -> Any:
    """Return the datatype of values between layers: BIPOLAR of one bit, unsigned of more."""
    return DataType["BIPOLAR" if bits == 1 else f"UINT{bits}"]


def weight_datatype(layer: SparseLayer) -> Any:
    """Return the datatype of a layer's connections."""
    return DataType["BINARY" if layer.weight_bits == 1 else f"UINT{layer.weight_bits}"]


def score_range(layer: SparseLayer) -> tuple[int, int]:
    """Return the smallest and largest score that the last layer can give."""
    lows, highs = layer.reach
    offset = layer.offset if layer.offset is not None else np.zeros(layer.mh, np.int64)
    return int((2 * lows + offset).min()), int((2 * highs + offset).max())


def _as_stored(weights: IntArray, layer: SparseLayer) -> IntArray:
    """Return (MH, inputs) weights as a MatMul's (inputs, MH) or a Conv's (MH, channels, rows, columns)."""
    if layer.window is None:
        return weights.T
    return weights.reshape(layer.mh, -1, *layer.window.kernel)


def _parameters(model: ModelWrapper, layer: SparseLayer) -> list[str]:
    """Store a layer's arrays as initializers, weights as (MW, MH) like FINN; return their names."""
    arrays: dict[str, tuple[NDArray[Any], str]] = {
        "weight": (layer.weight.T.astype(np.float32), weight_datatype(layer).name),
        "xi_num": (layer.xi_num, "INT64"),
    }
    if layer.offset is not None:
        arrays["offset"] = (layer.offset, "INT64")
    if layer.threshold is not None and layer.invert is not None:
        arrays["threshold"] = (layer.threshold, "INT64")
        arrays["invert"] = (layer.invert.astype(np.float32), "BINARY")
    names = []
    for key, (array, datatype) in arrays.items():
        name = f"{layer.name}_{key}"
        model.set_initializer(name, np.ascontiguousarray(array))
        model.set_tensor_datatype(name, DataType[datatype])
        names.append(name)
    return names


def _chain_end(model: ModelWrapper, node: Any) -> Any:
    while (follower := model.find_consumer(node.output[0])) is not None:
        node = follower
    return node


def _has_initializer(model: ModelWrapper, tensor: str) -> bool:
    return model.get_initializer(tensor) is not None


def _weight_datatype(weights: IntArray) -> Any:
    if (np.abs(weights) == 1).all():
        return DataType["BIPOLAR"]
    # One below the largest magnitude, so that FINN may absorb a sign into any column.
    return DataType.get_smallest_possible(-int(np.abs(weights).max()) - 1)
