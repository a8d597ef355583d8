"""QONNX graphs written node by node, without torch or Brevitas: the second, independent writer."""

import itertools
from dataclasses import dataclass, field

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

DOMAIN = "qonnx.custom_op.general"


@dataclass
class Graph:
    """A chain of nodes from one image to scores; each call adds a node."""

    shape: tuple[int, ...]
    nodes: list = field(default_factory=list)
    constants: list = field(default_factory=list)
    last: str = "image"

    def constant(self, name, value):
        array = np.asarray(value, np.float32)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def node(self, op, inputs, name, **attributes):
        domain = DOMAIN if op in ("Quant", "BipolarQuant") else ""
        made = helper.make_node(op, inputs, [f"{name}_out"], name, domain=domain, **attributes)
        self.nodes.append(made)
        return f"{name}_out"

    def then(self, op, name, *constants, **attributes):
        extra = [self.constant(f"{name}.{i}", value) for i, value in enumerate(constants)]
        self.last = self.node(op, [self.last, *extra], name, **attributes)

    def binarise(self, threshold=128):
        self.then("Flatten", "flatten", axis=1)
        self.then("Sub", "centre", threshold - 0.5)
        self.then("BipolarQuant", "input_bits", 1.0)

    def dual_rail(self, name, swap=False):
        negated = self.node("Neg", [self.last], f"{name}_neg")
        rails = [negated, self.last] if swap else [self.last, negated]
        self.last = self.node("Concat", rails, f"{name}_rails", axis=1)

    def product(self, name, w01, xi=0.0, eta=1.0, bits=1.0, signed=0):
        """MatMul by (w01 + xi) * eta, w01 (MH, MW); xi, eta scalars or (MH,)."""
        xi, eta = np.asarray(xi, np.float32), np.asarray(eta, np.float32)
        weight = ((w01.T + xi) * eta).astype(np.float32)
        parts = {"weight": weight, "scale": eta, "zero": -xi, "bits": bits}
        inputs = [self.constant(f"{name}.{key}", value) for key, value in parts.items()]
        quant = self.node(
            "Quant", inputs, f"{name}_quant", signed=signed, narrow=0, rounding_mode="ROUND"
        )
        self.last = self.node("MatMul", [self.last, quant], f"{name}_matmul")

    def bipolar_product(self, name, w01, scale=1.0):
        weight = np.where(w01.T, 0.7, -0.3)
        inputs = [self.constant(f"{name}.weight", weight), self.constant(f"{name}.scale", scale)]
        quant = self.node("BipolarQuant", inputs, f"{name}_quant")
        self.last = self.node("MatMul", [self.last, quant], f"{name}_matmul")

    def model(self, classes, datatype="UINT8") -> ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "graph",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, *self.shape])],
            [helper.make_tensor_value_info(self.last, TensorProto.FLOAT, [1, classes])],
            initializer=self.constants,
        )
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(DOMAIN, 1)]
        wrapped = ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=8))
        wrapped.set_tensor_datatype("image", DataType[datatype])
        return wrapped.model


def random_norm(rng, n, spread=1.0, negative=0.4):
    """BatchNormalization parameters (gamma, beta, mean, var), some scales negative.

    spread: standard deviation of what is normalised, so that neurons do change.
    """
    gamma = rng.uniform(0.2, 2.0, n) * np.where(rng.random(n) < negative, -1, 1)
    var = spread**2 * rng.uniform(0.3, 4.0, n)
    return gamma, rng.normal(size=n) / 4, spread * rng.normal(size=n) / 2, var


def random_graph(
    seed, widths=(64, 24, 16, 5), density=0.2, frac=0, per_channel=False, rails=1, dense=False
) -> ModelProto:
    """A seeded network: xi = 0 (frac 0) or on the grid k/2**frac, per layer or channel."""
    rng = np.random.default_rng(seed)
    graph = Graph((8, widths[0] // 8))
    graph.binarise(int(rng.integers(64, 192)))
    for i, (mw, mh) in enumerate(itertools.pairwise(widths)):
        name, last = f"fc{i + 1}", i == len(widths) - 2
        size = mh if per_channel and not last else ()
        xi = rng.integers(-(1 << frac) + 1, 1 << frac, size) / (1 << frac) if frac else 0.0
        eta = 1.0 if last else rng.uniform(0.05, 0.7, size)
        if rails == 2:
            graph.dual_rail(name, swap=bool(i % 2))
        w01 = rng.random((mh, mw * rails)) < density
        w01[0] = False  # an empty row
        spread = np.sqrt(((w01 + np.reshape(xi, (-1, 1))) ** 2).sum(1) + 1) * eta
        if dense:
            spread = 0.3 * np.sqrt(mw)
            graph.bipolar_product(name, w01, 1.0 if last else 0.3)
        else:
            graph.product(name, w01, xi, eta)
        if last:
            graph.then("Add", "bias", rng.integers(-6, 7, mh) / 2)
            graph.then("Mul", "temperature", 0.125)
        else:
            graph.then(
                "BatchNormalization", f"bn{i + 1}", *random_norm(rng, mh, spread), epsilon=1e-5
            )
            graph.then("BipolarQuant", f"act{i + 1}", 1.0)
    return graph.model(widths[-1])
