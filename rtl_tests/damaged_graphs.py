"""Graphs that are nearly a network: what `damaged` makes its files of."""

import numpy as np
from qonnx_graphs import Graph, random_norm

SEED = 6


def base() -> Graph:
    """A 4 x 4 image, fc1, its activation act1, fc2, its bias."""
    rng = np.random.default_rng(SEED)
    graph = Graph((4, 4))
    graph.binarise()
    graph.product("fc1", rng.random((6, 16)) < 0.4)
    graph.then("BatchNormalization", "bn1", *random_norm(rng, 6), epsilon=1e-5)
    graph.then("BipolarQuant", "act1", 1.0)
    graph.product("fc2", rng.random((3, 6)) < 0.4)
    graph.then("Add", "bias", [1.0, 2.0, 3.0])
    return graph


def conv_base(**options) -> Graph:
    """An 8 x 8 image, conv1, act1, fc1; options go to the Conv."""
    rng = np.random.default_rng(SEED)
    graph = Graph((8, 8))
    graph.channels_first()
    graph.binarise(flatten=False)
    graph.conv("conv1", rng.random((2, 1, 3, 3)) < 0.4, **options)
    graph.then("BipolarQuant", "act1", 1.0)
    return graph


def finished(graph, inputs=72):
    graph.then("Flatten", "to_vector", axis=1)
    graph.product("fc1", np.random.default_rng(SEED).random((3, inputs)) < 0.3)
    return graph.model(3)


def ends_with(op, *constants, **attributes):
    def build():
        graph = base()
        graph.then(op, "tail", *constants, **attributes)
        return graph.model(3)

    return build


def activation(op, *constants, **attributes):
    """Another activation in the place of act1."""

    def build():
        rng = np.random.default_rng(SEED)
        graph = Graph((4, 4))
        graph.binarise()
        graph.product("fc1", rng.random((6, 16)) < 0.4)
        graph.then(op, "act1", *constants, **attributes)
        graph.nodes[-1].domain = "qonnx.custom_op.general" if "Quant" in op or "Multi" in op else ""
        graph.product("fc2", rng.random((3, 6)) < 0.4)
        return graph.model(3)

    return build


def clipped(most=1.4):
    """A Clip in front of a Quant of 2 bits, its upper limit between two levels."""
    rng = np.random.default_rng(SEED)
    graph = Graph((4, 4))
    graph.binarise()
    graph.product("fc1", rng.random((6, 16)) < 0.4)
    graph.then("Clip", "clip", 0.0, most)
    constants = [graph.constant(f"act1.{i}", value) for i, value in enumerate((1.0, 0.0, 2.0))]
    inputs = [graph.last, *constants]
    graph.last = graph.node("Quant", inputs, "act1", signed=0, narrow=0, rounding_mode="ROUND")
    graph.product("fc2", rng.random((3, 6)) < 0.4)
    return graph


def first_product(weight, bits=None, **options):
    """Other weights in the place of fc1's: float, or of a Quant of `bits`."""

    def build():
        graph = Graph((4, 4))
        graph.binarise()
        name = graph.constant("fc1.weight", weight)
        if bits is not None:
            parts = {
                "scale": options.get("scale", 1.0),
                "zero": options.get("zero", 0.0),
                "bits": bits,
            }
            inputs = [name, *(graph.constant(f"fc1.{key}", value) for key, value in parts.items())]
            mode = options.get("mode", "ROUND")
            name = graph.node("Quant", inputs, "fc1_quant", signed=1, narrow=1, rounding_mode=mode)
        graph.last = graph.node("MatMul", [graph.last, name], "fc1_matmul")
        graph.then("BipolarQuant", "act1", 1.0)
        graph.product("fc2", np.ones((3, np.shape(weight)[-1]), bool))
        return graph.model(3)

    return build


def residual():
    graph = Graph((4, 4))
    graph.binarise()
    other = graph.node("Neg", [graph.last], "neg")
    graph.last = graph.node("Add", [graph.last, other], "residual")
    graph.product("fc1", np.ones((3, 16), bool))
    return graph.model(3)


def dynamic_weights():
    graph = base()
    graph.last = graph.node("MatMul", [graph.last, graph.last], "square")
    return graph.model(3)


def sums_only():
    graph = Graph((4, 4))
    graph.binarise()
    graph.product("fc1", np.ones((6, 16), bool))
    graph.product("fc2", np.ones((3, 6), bool))
    return graph.model(3)


def ends_with_bits():
    graph = base()
    graph.then("BipolarQuant", "act2", 1.0)
    return graph.model(3)


def pooled_pixels():
    graph = Graph((8, 8))
    graph.channels_first()
    graph.then("MaxPool", "pool1", kernel_shape=[2, 2], strides=[2, 2])
    return finished(graph, 16)


def pooled(**attributes):
    graph = conv_base()
    graph.then("MaxPool", "pool1", **{"kernel_shape": [2, 2], "strides": [2, 2], **attributes})
    return finished(graph, 18)


def padded(value=-1.0, pads=(1, 1, 1, 1), mode=b"constant"):
    graph = Graph((8, 8))
    graph.channels_first()
    graph.binarise(flatten=False)
    graph.pad("pad1", pads, value)
    graph.nodes[-1].attribute[0].s = mode
    graph.conv("conv1", np.ones((2, 1, 3, 3), bool))
    graph.then("BipolarQuant", "act1", 1.0)
    return finished(graph, 128)


def half_even_pool():
    graph = conv_base()
    graph.nodes.pop()
    graph.last = "conv1_conv_out"
    inputs = [graph.last, *(graph.constant(f"q.{i}", v) for i, v in enumerate((1.0, 0.0, 1.0)))]
    graph.last = graph.node("Quant", inputs, "act2", signed=0, narrow=0, rounding_mode="ROUND")
    graph.then("MaxPool", "pool1", kernel_shape=[2, 2], strides=[2, 2])
    return finished(graph, 18)


def per_channel_pixels():
    graph = Graph((8, 8, 3))
    graph.channels_first()
    graph.then("Sub", "centre", np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1, 1))
    graph.conv("conv1", np.ones((2, 3, 3, 3), bool))
    graph.then("BipolarQuant", "act1", 1.0)
    return finished(graph)


def coarse_pixels():
    graph = Graph((4, 4))
    graph.then("Flatten", "flatten", axis=1)
    inputs = [graph.last, *(graph.constant(f"q.{i}", v) for i, v in enumerate((10.0, 0.0, 4.0)))]
    graph.last = graph.node("Quant", inputs, "coarse", signed=0, narrow=0, rounding_mode="ROUND")
    graph.product("fc1", np.ones((6, 16), bool))
    graph.then("BipolarQuant", "act1", 1.0)
    graph.product("fc2", np.ones((3, 6), bool))
    return graph.model(3)
