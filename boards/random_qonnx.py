"""Random sparse networks as QONNX, as large as one wants, to measure the tools themselves."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

DOMAIN = "qonnx.custom_op.general"
PIXELS, CLASSES = 784, 10


def width_for(ones: int, density: float) -> int:
    """Return W so that 784-W-W-W-10 at a density has about this many ones."""
    linear = PIXELS + CLASSES  # 2 W^2 + linear W = ones / density
    return max(1, round((math.sqrt(linear**2 + 8 * ones / density) - linear) / 4))


def random_qonnx(widths: Sequence[int], density: float, seed: int = 0) -> ModelProto:
    """Return a chain of MatMul, BatchNormalization and BipolarQuant with {0, 1} weights.

    Args:
        widths: pixels, then the neurons of every layer.
        density: share of ones.
        seed: of all random numbers.
    """
    rng = np.random.default_rng(seed)
    chain = _Chain()
    chain.add("Flatten", "flatten", axis=1)
    chain.add("Sub", "centre", 127.5)
    chain.add("BipolarQuant", "input_bits", 1.0)
    for i, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        w01 = rng.random((inputs, outputs)) < density
        chain.add("MatMul", f"fc{i}", chain.weights(f"fc{i}_quant", w01))
        if i < len(widths) - 2:
            gamma = rng.uniform(0.2, 2.0, outputs) * rng.choice([-1, 1], outputs)
            shift = rng.normal(size=outputs) / 4
            # z is a sum of -1 and +1: its variance is the number of its terms.
            norm = (gamma, shift, np.zeros(outputs), w01.sum(0) + 1.0)
            chain.add("BatchNormalization", f"bn{i}", *norm, epsilon=1e-5)
            chain.add("BipolarQuant", f"bits{i}", 1.0)
    graph = helper.make_graph(
        chain.nodes,
        "graph",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, widths[0]])],
        [helper.make_tensor_value_info(chain.last, TensorProto.FLOAT, [1, widths[-1]])],
        initializer=chain.constants,
    )
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid(DOMAIN, 1)]
    wrapped = ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=8))
    wrapped.set_tensor_datatype("image", DataType["UINT8"])
    made: ModelProto = wrapped.model
    return made


class _Chain:
    """Nodes one after the other, and their constants."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self.last = "image"

    def add(self, op: str, name: str, *others: Any, **attributes: Any) -> None:
        """Add a node behind the last one; what is no tensor's name becomes a constant."""
        inputs = [self.last]
        for i, other in enumerate(others):
            inputs.append(other if isinstance(other, str) else self._constant(f"{name}.{i}", other))
        self.last = self._node(op, inputs, name, **attributes)

    def weights(self, name: str, w01: np.ndarray) -> str:
        """Add {0, 1} weights behind a quantizer of one bit; return its output."""
        inputs = [self._constant(f"{name}.{i}", v) for i, v in enumerate((w01, 1.0, 0.0, 1.0))]
        return self._node("Quant", inputs, name, signed=0, narrow=0, rounding_mode="ROUND")

    def _constant(self, name: str, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value, np.float32), name))
        return name

    def _node(self, op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        domain = DOMAIN if op in ("Quant", "BipolarQuant") else ""
        out = f"{name}_out"
        self.nodes.append(helper.make_node(op, inputs, [out], name, domain=domain, **attributes))
        return out
