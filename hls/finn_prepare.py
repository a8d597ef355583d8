"""The passes in front of the reader: any exporter's graph in the words of ours, with qonnx only.

`prepare` needs neither torch nor FINN; `sbnn.hls.lower` and `sbnn.hls.check` share it.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from onnx import ModelProto, helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.fold_constants import FoldConstants
from qonnx.transformation.general import (
    GiveUniqueParameterTensors,
    RemoveStaticGraphInputs,
    RemoveUnusedTensors,
    SortGraph,
)
from qonnx.transformation.infer_shapes import InferShapes

from sbnn.hls.finn_clips import absorb_clips
from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.finn_file import check_graph
from sbnn.hls.finn_foreign import (
    fold_parameter_quantizers,
    put_constants_second,
    raise_opset,
    split_products,
)
from sbnn.hls.finn_input import adapt_input, take_pixels
from sbnn.hls.finn_ops import PRODUCTS, QONNX_DOMAIN, QUANTIZERS
from sbnn.hls.finn_pools import pool_behind_activations
from sbnn.hls.finn_signs import remove_identities, scale_at_products, write_signs
from sbnn.hls.finn_source import layer_names, with_input_layer
from sbnn.hls.finn_tail import drop_tail
from sbnn.hls.network import MAX_WEIGHTS


class Run(Protocol):
    """Runs one named pass; a recorder saves the graph behind it."""

    def __call__(
        self, name: str, graph: Any, change: Callable[[Any], ModelWrapper]
    ) -> ModelWrapper:
        """Return the changed graph."""


def prepare(
    run: Run, source: ModelProto, divisor: int | None
) -> tuple[ModelWrapper, tuple[str, ...], ModelProto]:
    """Return the graph that the reader takes, its layers' names, and the graph as it takes images.

    Args:
        run: runs the passes.
        source: the graph as it was stored.
        divisor: see `adapt_input`.

    Raises:
        LoweringError: names the node that cannot be read.
    """
    check_graph(source)
    model = run("original", source, _wrap)
    names = layer_names(model)
    model = run("raise_opset", model, edited(raise_opset))
    model = run("adapt_input", model, edited(lambda graph: adapt_input(graph, divisor)))
    model = run("infer_shapes", model, _infer_shapes)
    model = run("give_unique_parameter_tensors", model, transformed(GiveUniqueParameterTensors()))
    folding = FoldConstants(exclude_op_types=list(QUANTIZERS))
    model = run("fold_constants", model, transformed(folding))
    _check_shapes(model)
    original = ModelProto()
    original.CopyFrom(model.model)
    model = run("fold_parameter_quantizers", model, edited(fold_parameter_quantizers))
    model = run("remove_unused_tensors", model, transformed(RemoveUnusedTensors()))
    model = run("remove_static_graph_inputs", model, transformed(RemoveStaticGraphInputs()))
    model = run("split_products", model, edited(split_products))
    model = run("put_constants_second", model, edited(put_constants_second))
    model = run("remove_identities", model, edited(remove_identities))
    model = run("take_pixels", model, edited(take_pixels))
    if sum(node.op_type in PRODUCTS for node in model.graph.node) > len(names):
        names = with_input_layer(names)
    model = run("pool_behind_activations", model, edited(pool_behind_activations))
    model = run("absorb_clips", model, edited(absorb_clips))
    model = run("write_signs", model, edited(write_signs))
    model = run("scale_at_products", model, edited(scale_at_products))
    model = run("drop_tail", model, edited(drop_tail))
    return model, names, original


def with_node_names(model: ModelWrapper) -> ModelWrapper:
    """Name the nodes that have no name of their own; the others keep the one their author knows."""
    taken: set[str] = set()
    for index, node in enumerate(model.graph.node):
        if not node.name or node.name in taken:
            node.name = f"{node.op_type}_{index}"
        taken.add(node.name)
    return model


def transformed(transformation: Any) -> Callable[[ModelWrapper], ModelWrapper]:
    """Return the change that a transformation makes, node names kept."""
    return lambda model: with_node_names(model.transform(transformation))


def edited(change: Callable[[ModelWrapper], bool]) -> Callable[[ModelWrapper], ModelWrapper]:
    """Return the change that an edit in place makes, shapes inferred again where it changed something."""

    def run(model: ModelWrapper) -> ModelWrapper:
        if not change(model):
            return model
        del model.graph.value_info[:]
        fresh = with_node_names(ModelWrapper(model.model))
        return _infer_shapes(fresh.transform(SortGraph(), make_deepcopy=False, cleanup=False))

    return run


def _infer_shapes(model: ModelWrapper) -> ModelWrapper:
    """Infer every shape, and refuse sizes that nothing of ours could hold."""
    model = with_node_names(model.transform(InferShapes()))
    for node in model.graph.node:
        for tensor in node.output:
            shape = model.get_tensor_shape(tensor) if tensor else None
            if shape and (min(shape) < 0 or float(np.prod(shape, dtype=float)) > MAX_WEIGHTS):
                raise LoweringError(f"node {node.name}: gives the shape {tuple(shape)}, too large")
    return model


def _check_shapes(model: ModelWrapper) -> None:
    """Refuse a graph in which the shape of some tensor does not follow from the image's."""
    for node in model.graph.node:
        if not model.get_tensor_shape(node.output[0]):
            shapes = [tuple(model.get_tensor_shape(name) or ()) for name in node.input if name]
            raise LoweringError(
                f"node {node.name}: {node.op_type} does not fit its inputs of the shapes "
                f"{', '.join(map(str, shapes))}"
            )


def _wrap(source: ModelProto) -> ModelWrapper:
    """Copy a raw graph; give custom operators qonnx's domain, as qonnx-cleanup does."""
    copy = ModelProto()
    copy.CopyFrom(source)
    for node in copy.graph.node:
        if node.op_type == "IntQuant":
            node.op_type = "Quant"
        custom = node.op_type in (*QUANTIZERS, "MultiThreshold")
        node.domain = QONNX_DOMAIN if custom else ""
    version = next(entry.version for entry in copy.opset_import if entry.domain in ("", "ai.onnx"))
    del copy.opset_import[:]
    copy.opset_import.extend(
        [helper.make_opsetid("", version), helper.make_opsetid(QONNX_DOMAIN, 1)]
    )
    del copy.graph.value_info[:]  # shapes are inferred: what a file says of them may be wrong
    for value in copy.graph.output:
        value.type.tensor_type.ClearField("shape")
    return with_node_names(ModelWrapper(copy))
