"""A MaxPool in front of an activation: behind it, where that gives the same."""

from typing import Any

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper

from sbnn.hls.finn_constants import LoweringError, read_constant
from sbnn.hls.finn_edit import put_in_order
from sbnn.hls.finn_ops import ACTIVATIONS, AFFINE, CLIPS, PRODUCTS


def pool_behind_activations(model: ModelWrapper) -> bool:
    """Move each MaxPool of sums behind the activation: the largest sum of a window has the largest value.

    Raises:
        LoweringError: a scale between the two is negative, so that the largest sum has the smallest value.
    """
    changed = False
    for pool in model.get_nodes_by_op_type("MaxPool"):
        behind = _to_activation(model, pool)
        if not behind or not _reads_sums(model, pool):
            continue
        for node in behind:
            if node.op_type in AFFINE and not _rises(model, node):
                raise LoweringError(
                    f"node {pool.name}: MaxPool in front of {node.op_type} {node.name} with a negative scale "
                    "is not supported, needs the MaxPool behind the activation"
                )
        tensor, output = pool.input[0], behind[-1].output[0]
        inside = pool.output[0]
        behind[0].input[0] = tensor
        behind[-1].output[0], pool.input[0], pool.output[0] = inside, inside, output
        put_in_order(model, [*behind, pool])
        changed = True
    return changed


def _to_activation(model: ModelWrapper, pool: Any) -> list[Any]:
    """Return the nodes behind a pool up to the first activation; none where something else stands there."""
    found: list[Any] = []
    tensor = pool.output[0]
    while True:
        readers = [node for node in model.graph.node if tensor in node.input]
        if len(readers) != 1 or readers[0].input[0] != tensor:
            return []
        found.append(readers[0])
        if readers[0].op_type in ACTIVATIONS:
            return found
        if readers[0].op_type not in (*AFFINE, *CLIPS):
            return []
        tensor = readers[0].output[0]


def _reads_sums(model: ModelWrapper, pool: Any) -> bool:
    """Whether a pool sees a product's sums, scaled or not, and no activation's values."""
    node = model.find_producer(pool.input[0])
    while node is not None and node.op_type in (*AFFINE, *CLIPS, "MaxPool"):
        node = model.find_producer(node.input[0])
    return node is not None and node.op_type in PRODUCTS


def _rises(model: ModelWrapper, node: Any) -> bool:
    """Whether an affine node keeps the order of what it reads, in every channel."""
    if node.op_type in ("Add", "Sub"):
        return True
    factor = np.asarray(read_constant(model, node, node.input[1]))
    return bool((factor >= 0).all())
