"""Passes for convolutions around FINN's own lowering of Conv to Im2Col and MatMul."""

from typing import Any

import numpy as np
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.base import Transformation
from qonnx.transformation.general import SortGraph

DEFAULTS: dict[str, dict[str, Any]] = {
    "Conv": {"group": 1, "dilations": [1, 1], "pads": [0, 0, 0, 0], "strides": [1, 1]},
    "MaxPool": {"pads": [0, 0, 0, 0], "strides": [1, 1], "ceil_mode": 0},
}


class CompleteWindowAttributes(Transformation):  # type: ignore[misc]
    """Write out the attributes of Conv and MaxPool that ONNX lets a writer leave out; qonnx reads them."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Change the graph in place; never asks to be run again."""
        for node in model.graph.node:
            if node.op_type not in DEFAULTS:
                continue
            needed = dict(DEFAULTS[node.op_type])
            if node.op_type == "Conv":
                needed["kernel_shape"] = list(model.get_tensor_shape(node.input[1])[2:])
            given = {attribute.name for attribute in node.attribute}
            for name in sorted(needed.keys() - given):
                node.attribute.append(helper.make_attribute(name, needed[name]))
        return model, False


class PadPixelsBeforeScaling(Transformation):  # type: ignore[misc]
    """Move a Pad in front of the Sub and Mul that scale pixels, where it pads with the pixel 0.

    The reader has checked that it pads with what pixel 0 becomes, so nothing changes; behind the scaling
    FINN would move the scalars past the Pad and leave its value as it was.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Change the graph in place; never asks to be run again."""
        for pad in model.get_nodes_by_op_type("Pad"):
            first = pad
            while (before := model.find_producer(first.input[0])) is not None and (
                before.op_type in ("Add", "Sub", "Mul", "Div")
            ):
                first = before
            if first is pad:
                continue
            self._move(model, pad, first)
        return model, False

    def _move(self, model: ModelWrapper, pad: Any, first: Any) -> None:
        shape = model.get_tensor_shape(pad.output[0])
        last = model.find_producer(pad.input[0])
        source, target = first.input[0], pad.output[0]
        model.graph.node.remove(pad)
        last.output[0] = target
        moved = f"{pad.name}_pixels"
        pad.input[0], pad.output[0], first.input[0] = source, moved, moved
        value = f"{pad.name}_zero"
        model.set_initializer(value, np.float32(0))
        if len(pad.input) > 2:
            pad.input[2] = value
        else:
            pad.input.append(value)
        model.graph.node.insert(list(model.graph.node).index(first), pad)
        node = first
        model.set_tensor_shape(moved, shape)
        while node is not None and node.output[0] != target:
            model.set_tensor_shape(node.output[0], shape)
            node = model.find_consumer(node.output[0])
        model.set_tensor_shape(target, shape)


class SetChannelsFirst(Transformation):  # type: ignore[misc]
    """Tell FINN's thresholds where the channels are; without layout annotations it assumes them last."""

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Change the graph in place; never asks to be run again."""
        for node in model.get_nodes_by_op_type("MultiThreshold"):
            if len(model.get_tensor_shape(node.input[0])) == 4:
                getCustomOp(node).set_nodeattr("data_layout", "NCHW")
        return model, False


class FeedMapsAsTheyAre(Transformation):  # type: ignore[misc]
    """Let SparsePopcountMVAU nodes read what they count: raw pixels, and maps with channels last.

    Behind FINN's lowering a fully connected layer reads a map that was transposed to channels first and
    flattened; the columns of w01 are in the order of the map itself, so the Transpose goes. The layer that
    reads pixels has what Sub and Mul did to them in its thresholds, so those go.
    """

    def apply(self, model: ModelWrapper) -> tuple[ModelWrapper, bool]:
        """Change the graph in place; never asks to be run again."""
        for node in model.get_nodes_by_op_type("SparsePopcountMVAU"):
            flatten = model.find_producer(node.input[0])
            if flatten is not None and flatten.op_type in ("Flatten", "Reshape"):
                self._drop_transpose(model, flatten)
        first = next(iter(model.get_nodes_by_op_type("SparsePopcountMVAU")))
        if any(a.name == "inputDataType" and a.s == b"UINT8" for a in first.attribute):
            self._drop_scaling(model, first)
        return model.transform(SortGraph()), False

    def _drop_transpose(self, model: ModelWrapper, flatten: Any) -> None:
        transpose = model.find_producer(flatten.input[0])
        if transpose is not None and transpose.op_type == "Transpose":
            flatten.input[0] = transpose.input[0]
            model.graph.node.remove(transpose)

    def _drop_scaling(self, model: ModelWrapper, first: Any) -> None:
        node = model.find_producer(first.input[0])
        while node is not None:
            before = model.find_producer(node.input[0])
            if node.op_type in ("Add", "Mul"):
                for consumer in model.find_consumers(node.output[0]):
                    consumer.input[0] = node.input[0]
                model.graph.node.remove(node)
            node = before
