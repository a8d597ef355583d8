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

    def binarise(self, threshold=128, flatten=True):
        if flatten:
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

    def channels_first(self):
        """(1, height, width[, channels]) pixels become (1, channels, height, width)."""
        if len(self.shape) == 2:
            self.nodes.append(
                helper.make_node("Reshape", [self.last, "to_map"], ["map_out"], "map")
            )
            shape = np.array([1, 1, *self.shape], np.int64)
            self.constants.append(numpy_helper.from_array(shape, "to_map"))
            self.last = "map_out"
        else:
            self.then("Transpose", "map", perm=[0, 3, 1, 2])

    def pad(self, name, padding, value=-1.0):
        """Pad rows and columns by (top, left, bottom, right)."""
        top, left, bottom, right = padding
        pads = np.array([0, 0, top, left, 0, 0, bottom, right], np.int64)
        self.constants.append(numpy_helper.from_array(pads, f"{name}.pads"))
        inputs = [self.last, f"{name}.pads", self.constant(f"{name}.value", value)]
        self.last = self.node("Pad", inputs, name, mode="constant")

    def conv(self, name, w01, xi=0.0, eta=1.0, stride=(1, 1), pads=(0, 0, 0, 0), **attributes):
        """Conv by (w01 + xi) * eta, w01 (MH, channels, rows, columns); xi, eta scalars or (MH,)."""
        xi, eta = (np.asarray(value, np.float32) for value in (xi, eta))
        if xi.ndim:
            xi = xi.reshape(-1, 1, 1, 1)
        if eta.ndim:
            eta = eta.reshape(-1, 1, 1, 1)
        weight = ((w01 + xi) * eta).astype(np.float32)
        parts = {"weight": weight, "scale": eta, "zero": -xi, "bits": 1.0}
        inputs = [self.constant(f"{name}.{key}", value) for key, value in parts.items()]
        quant = self.node(
            "Quant", inputs, f"{name}_quant", signed=0, narrow=0, rounding_mode="ROUND"
        )
        self.last = self.node(
            "Conv",
            [self.last, quant],
            f"{name}_conv",
            kernel_shape=list(w01.shape[2:]),
            strides=list(stride),
            pads=list(pads),
            **attributes,
        )

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


def random_conv_graph(seed, shape=None, frac=None, pixels=None) -> ModelProto:
    """A seeded convolutional network: pads, strides, pools, xi on a grid, bits or 8-bit pixels."""
    rng = np.random.default_rng(seed)
    if shape is None:
        shape = tuple(rng.integers(5, 11, 2).tolist())
        shape = shape if rng.random() < 0.5 else (*shape, int(rng.integers(1, 4)))
    frac = int(rng.choice([0, 0, 3])) if frac is None else frac
    pixels = bool(rng.random() < 0.4) if pixels is None else pixels
    graph = Graph(shape)
    graph.channels_first()
    if pixels:
        graph.then("Sub", "centre", 128.0)
        graph.then("Mul", "unit", 2.0**-7)
    else:
        graph.binarise(int(rng.integers(64, 192)), flatten=False)
    (height, width), channels = shape[:2], (*shape, 1)[2]
    for n in range(1, int(rng.integers(2, 4))):
        kernel, stride = rng.integers(1, 4, 2), rng.choice([1, 1, 2], 2)
        padding = rng.choice([0, 1], 4) * (kernel.repeat(2)[[0, 2, 1, 3]] > 1)
        rows, columns = height + padding[0] + padding[2], width + padding[1] + padding[3]
        if rows < kernel[0] or columns < kernel[1]:
            break
        if padding.any():
            graph.pad(f"pad{n}", padding.tolist())
        outputs = int(rng.integers(2, 9))
        w01 = rng.random((outputs, channels, *kernel)) < 0.35
        xi = rng.integers(-(1 << frac) + 1, 1 << frac) / (1 << frac) if frac else 0.0
        eta = rng.uniform(0.05, 0.7)
        graph.conv(f"conv{n}", w01, xi, eta, stride.tolist())
        height, width = (rows - kernel[0]) // stride[0] + 1, (columns - kernel[1]) // stride[1] + 1
        spread = np.sqrt(((w01 + xi) ** 2).sum((1, 2, 3)) + 1) * eta * (0.6 if pixels else 1)
        graph.then("BatchNormalization", f"bn{n}", *random_norm(rng, outputs, spread), epsilon=1e-5)
        graph.then("BipolarQuant", f"act{n}", 1.0)
        channels, pixels = outputs, False
        if min(height, width) >= 2 and rng.random() < 0.6:
            graph.then("MaxPool", f"pool{n}", kernel_shape=[2, 2], strides=[2, 2])
            height, width = height // 2, width // 2
    graph.then("Flatten", "to_vector", axis=1)
    sizes = [
        int(height * width * channels),
        *rng.integers(4, 12, int(rng.integers(0, 2))).tolist(),
        4,
    ]
    for i, (mw, mh) in enumerate(itertools.pairwise(sizes), 1):
        last = i == len(sizes) - 1
        w01 = rng.random((mh, mw)) < 0.3
        eta = 1.0 if last else 0.25
        graph.product(f"fc{i}", w01, 0.0, eta)
        if last:
            graph.then("Add", "bias", rng.integers(-6, 7, mh) / 2)
            graph.then("Mul", "temperature", 0.125)
        else:
            spread = np.sqrt(w01.sum(1) + 1) * eta
            graph.then("BatchNormalization", f"bnf{i}", *random_norm(rng, mh, spread), epsilon=1e-5)
            graph.then("BipolarQuant", f"actf{i}", 1.0)
    return graph.model(4)
