"""Convolutions from QONNX to the integer network: == at every bit, the FINN graph too, and refusals."""

import numpy as np
import pytest
from cores import check_core, core_of
from qonnx.core.onnx_exec import execute_onnx
from qonnx_graphs import Graph, random_conv_graph, random_norm
from summary import count

from sbnn.export.execute import execute
from sbnn.hls import reference
from sbnn.hls.design import Choices
from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.lower import lower, lower_with_report


def images_for(model, count, seed=5):
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim][1:]
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)


@pytest.mark.parametrize("seed", range(5))
def test_random_conv_graphs(seed):
    """`lower` compares every bit with qonnx; here the scores, and the last graph's own execution."""
    model = random_conv_graph(seed)
    images = images_for(model, 40)
    lowered = lower_with_report(model, "net", images=images)
    wanted, found = execute(model, images), reference.run(lowered.network, images)
    assert np.array_equal(wanted.scores, found.scores * float(lowered.score_unit))
    assert np.array_equal(wanted.classes, found.classes)
    graph = lowered.graph
    assert not graph.get_nodes_by_op_type("Conv")
    name = graph.graph.input[0].name
    for image, scores in zip(images[:4], wanted.scores, strict=False):
        made = execute_onnx(graph, {name: image[None].astype(np.float32)})
        assert np.array_equal(made[graph.graph.output[0].name][0], scores)


def test_the_seeds_cover_what_they_should():
    """Bits and pixels, padding on single sides, strides, pools, xi, one and more channels."""
    networks = [
        lower(model, "net", images=images_for(model, 2))
        for model in (random_conv_graph(seed) for seed in range(6))
    ]
    layers = [layer for network in networks for layer in network.layers if layer.window]
    assert {network.encoding.threshold is None for network in networks} == {True, False}
    assert any(layer.pool for layer in layers) and any(layer.xi_num.any() for layer in layers)
    assert any(len(set(layer.window.padding)) > 1 for layer in layers)
    assert any(max(layer.window.stride) > 1 for layer in layers if not layer.pool)
    assert {network.encoding.map.channels for network in networks} >= {1, 3}


@pytest.mark.parametrize(
    "seed", [10, *(pytest.param(n, marks=pytest.mark.regress) for n in range(100, 120))]
)
def test_from_qonnx_to_rtl(seed):
    model = random_conv_graph(seed)
    images = images_for(model, 24)
    network = lower(model, f"graph{seed}", images=images)
    design, folder = core_of(network, Choices())
    check_core(design, folder, images, send=80, receive=60, seed=seed)
    count("networks")


def start(**conv):
    """An 8 x 8 image, a convolution, its activation; keyword arguments go to the Conv."""
    rng = np.random.default_rng(1)
    graph = Graph((8, 8))
    graph.channels_first()
    graph.binarise(flatten=False)
    graph.conv("conv1", rng.random((4, 1, 3, 3)) < 0.4, **conv)
    graph.then("BatchNormalization", "bn1", *random_norm(rng, 4), epsilon=1e-5)
    graph.then("BipolarQuant", "act1", 1.0)
    return graph


def finish(graph, inputs):
    graph.then("Flatten", "to_vector", axis=1)
    graph.product("fc1", np.random.default_rng(2).random((3, inputs)) < 0.3)
    return graph


def padded(value):
    graph = Graph((8, 8))
    graph.channels_first()
    graph.binarise(flatten=False)
    graph.pad("pad1", (1, 1, 1, 1), value)
    graph.conv("conv1", np.ones((2, 1, 3, 3), bool))
    graph.then("BipolarQuant", "act1", 1.0)
    return finish(graph, 128)


def pooled(**attributes):
    graph = start()
    graph.then("MaxPool", "pool1", kernel_shape=[2, 2], strides=[2, 2], **attributes)
    return finish(graph, 36)


def pooled_pixels():
    graph = Graph((8, 8))
    graph.channels_first()
    graph.then("MaxPool", "pool1", kernel_shape=[2, 2], strides=[2, 2])
    return finish(graph, 16)


def grouped():
    graph = start()
    graph.conv("conv2", np.ones((4, 1, 1, 1), bool), group=4)
    graph.then("BipolarQuant", "act2", 1.0)
    return finish(graph, 144)


def ends_in_a_map():
    graph = start()
    graph.conv("conv2", np.ones((3, 4, 1, 1), bool))
    return graph


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (
            lambda: finish(start(pads=(1, 1, 1, 1)), 256),
            (
                "node conv1_conv: pads with 0.0 (constant), needs -1.0 (constant), the lowest value of "
                "what it pads"
            ),
        ),
        (
            lambda: finish(start(dilations=[2, 2]), 64),
            "node conv1_conv: dilations and groups are not supported, needs 1",
        ),
        (
            grouped,
            "node conv2_conv: weights have the shape (4, 1, 1, 1), needs (outputs, 4, rows, columns)",
        ),
        (
            lambda: padded(0.0),
            "node pad1: pads with 0.0 (constant), needs -1.0 (constant), the lowest value of what it pads",
        ),
        (lambda: pooled(ceil_mode=1), "node pool1: ceil_mode is not supported"),
        (
            pooled_pixels,
            "node pool1: MaxPool reads pixels, needs a BipolarQuant, a MatMul or a Conv",
        ),
        (ends_in_a_map, "node conv2_conv: gives scores at 36 positions, needs one"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals(build, sentence):
    with pytest.raises(LoweringError) as caught:
        lower(build().model(3), "net", images=np.zeros((1, 8, 8), np.uint8))
    assert str(caught.value) == sentence
