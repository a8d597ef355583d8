"""Run a QONNX graph with qonnx's own executor, whole batches at a time."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.custom_op.general.intquant import min_int
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.change_batchsize import ChangeBatchSize
from qonnx.util.cleanup import cleanup_model
from tqdm import tqdm

# One batch of 784 -> 256 float32 activations is then a few MB; larger ones were not faster. All maps
# of 100 images of the largest convolutional model are 60 MB.
BATCH, MAP_BATCH = 500, 100
ACTIVATIONS = ("BipolarQuant", "Quant", "MultiThreshold")
PRODUCTS = ("Conv", "MatMul", "Gemm")


@dataclass(frozen=True, eq=False)
class Execution:
    """What qonnx computed of B images.

    Attributes:
        scores: (B, classes) float32, the graph's output.
        hidden: one uint8 array per hidden activation and MaxPool, in graph order: which of its levels a
            value is, 0 for the lowest. (B, MH), or (B, C, H, W) before the Flatten.
        nodes: the names of those nodes.
    """

    scores: NDArray[np.float32]
    hidden: tuple[NDArray[np.uint8], ...]
    nodes: tuple[str, ...]

    @property
    def classes(self) -> NDArray[np.int64]:
        """(B,) int64; ties go to the lowest index."""
        return np.asarray(self.scores.argmax(1), np.int64)


def execute(model: ModelProto, images: NDArray[np.uint8]) -> Execution:
    """Run (B, *shape) uint8 images through a QONNX graph that takes (1, *shape)."""
    maps = any(node.op_type == "Conv" for node in model.graph.node)
    size = MAP_BATCH if maps else BATCH
    batches = [images[start : start + size] for start in range(0, len(images), size)]
    graphs = {count: _for_batch(model, count) for count in {len(batch) for batch in batches}}
    parts = [
        _execute_batch(graphs[len(batch)], batch)
        for batch in tqdm(batches, desc="qonnx", unit="batch", disable=None)
    ]
    return Execution(
        np.concatenate([part.scores for part in parts]),
        tuple(np.concatenate(bits) for bits in zip(*(part.hidden for part in parts), strict=True)),
        parts[0].nodes,
    )


def hidden_activations(model: ModelWrapper) -> list[tuple[str, str]]:
    """Return (node name, output tensor) of activations behind the first product, and of their MaxPools."""
    found, seen_product = [], False
    for node in model.graph.node:
        seen_product |= node.op_type in PRODUCTS
        is_weight = model.get_initializer(node.input[0]) is not None if node.input else True
        if node.op_type not in (*ACTIVATIONS, "MaxPool") or not seen_product or is_weight:
            continue
        if _activation_of(model, node.output[0]) is not None:  # else a pool of sums
            found.append((node.name, node.output[0]))
    return found


def _for_batch(model: ModelProto, count: int) -> ModelWrapper:
    copy = ModelProto()
    copy.CopyFrom(model)
    return cleanup_model(ModelWrapper(copy).transform(ChangeBatchSize(count)))


def _execute_batch(graph: ModelWrapper, images: NDArray[np.uint8]) -> Execution:
    tensors = execute_onnx(
        graph,
        {graph.graph.input[0].name: images.astype(np.float32)},
        return_full_exec_context=True,
    )
    hidden = hidden_activations(graph)
    return Execution(
        np.asarray(tensors[graph.graph.output[0].name], np.float32),
        tuple(levels(graph, tensor, tensors[tensor]) for _, tensor in hidden),
        tuple(name for name, _ in hidden),
    )


def _activation_of(graph: ModelWrapper, tensor: str) -> Any:
    """Return the activation that made a tensor, pools and moves in between; None where a product did."""
    node = graph.find_producer(tensor)
    while node is not None and node.op_type not in ACTIVATIONS:
        node = None if node.op_type in PRODUCTS else graph.find_producer(node.input[0])
    return node


def levels(graph: ModelWrapper, tensor: str, values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return which level of the activation that made a tensor each of its values is, from 0 on."""
    node = _activation_of(graph, tensor)
    if node.op_type == "BipolarQuant":
        found = values > 0
    elif node.op_type == "MultiThreshold":
        activation = getCustomOp(node)
        scale, lowest = activation.get_nodeattr("out_scale"), activation.get_nodeattr("out_bias")
        found = np.rint((values - lowest) / scale)
    else:
        scale, zero, bits = (graph.get_initializer(name) for name in node.input[1:4])
        quant = getCustomOp(node)
        signed, narrow = bool(quant.get_nodeattr("signed")), bool(quant.get_nodeattr("narrow"))
        found = np.rint(values / scale + zero - min_int(signed, narrow, int(bits)))
        found = found > 0 if bits == 1 else found  # a signed bit is -1 or +1
    return np.asarray(found, np.uint8)
