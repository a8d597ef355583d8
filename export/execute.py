"""Run a QONNX graph with qonnx's own executor, whole batches at a time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.change_batchsize import ChangeBatchSize
from qonnx.util.cleanup import cleanup_model
from tqdm import tqdm

# One batch of 784 -> 256 float32 activations is then a few MB; larger ones were not faster. All maps
# of 100 images of the largest convolutional model are 60 MB.
BATCH, MAP_BATCH = 500, 100


@dataclass(frozen=True, eq=False)
class Execution:
    """What qonnx computed of B images.

    Attributes:
        scores: (B, classes) float32, the graph's output.
        hidden: one bool array per hidden BipolarQuant and MaxPool, in graph order; +1 is True.
            (B, MH), or (B, C, H, W) before the Flatten.
        nodes: the names of those nodes.
    """

    scores: NDArray[np.float32]
    hidden: tuple[NDArray[np.bool_], ...]
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
    """Return (node name, output tensor) of each BipolarQuant and MaxPool behind the first product."""
    found, seen_product = [], False
    for node in model.graph.node:
        seen_product |= node.op_type in ("Conv", "MatMul", "Gemm")
        is_weight = model.get_initializer(node.input[0]) is not None if node.input else True
        if node.op_type in ("BipolarQuant", "MaxPool") and seen_product and not is_weight:
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
        tuple(tensors[tensor] > 0 for _, tensor in hidden),
        tuple(name for name, _ in hidden),
    )
