"""Other people's networks: each of the zoo equals its own file's execution, bit by bit."""

import numpy as np
import pytest
import zoo
from cores import check_core, core_of
from onnx import ModelProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from summary import count

from sbnn.hls import reference
from sbnn.hls.design import Choices
from sbnn.hls.lower import lower_with_report

FAST = {
    "tfc-1w1a",
    "ternary-softmax",
    "argmax",
    "per-channel-logsoftmax",
    "conv-padded",
    "conv-pixels",
}
FAST |= {"conv-only", "tfc-2w2a", "signed-levels"}


def real_images(count):
    from sbnn.train.config import load_config
    from sbnn.train.data import sample_images

    return sample_images(load_config("digits"))[0][:count]


def zoo_images(random=8, real=24):
    pixels = np.random.default_rng(3).integers(0, 256, (random, 8, 8), np.uint8)
    return np.concatenate([pixels, real_images(real)])


def lowered(name, images):
    model = zoo.export(name)
    return model, lower_with_report(model, name, images=images[:8], divisor=255)


def run_as_stored(model: ModelProto, images: np.ndarray, divisor: int) -> tuple[np.ndarray, dict]:
    """Run (B, 8, 8) uint8 images through a stored graph as its author does, one after the other.

    Returns:
        the (B, ...) outputs, and {tensor: (B, ...)} of every quantizer's output, as levels from 0 on.
    """
    graph = ModelWrapper(model, make_deepcopy=True).transform(InferShapes())
    constants = {tensor.name for tensor in model.graph.initializer}
    name = next(v.name for v in model.graph.input if v.name not in constants)
    watched = [n for n in model.graph.node if n.op_type in ("BipolarQuant", "Quant")]
    outputs, levels = [], {node.output[0]: [] for node in watched}
    for image in images:
        given = {name: (image[None, None] / np.float32(divisor)).astype(np.float32)}
        tensors = execute_onnx(graph, given, return_full_exec_context=True)
        outputs.append(tensors[model.graph.output[0].name][0])
        for node in watched:
            levels[node.output[0]].append(levels_of(node, tensors))
    return np.array(outputs), {tensor: np.concatenate(found) for tensor, found in levels.items()}


def levels_of(node, tensors):
    """Return which level each value of a quantizer's output is."""
    values, (scale, *more) = (
        tensors[node.output[0]],
        [tensors[name] for name in node.input[1:]],
    )
    if node.op_type == "BipolarQuant":
        return (values > 0).astype(np.uint8)
    signed = next(a.i for a in node.attribute if a.name == "signed")
    narrow = next(a.i for a in node.attribute if a.name == "narrow")
    lowest = (narrow - 2 ** (more[1] - 1)) if signed else 0
    return np.rint(values / scale + more[0] - lowest)


def check_entry(name):
    """Hidden values, classes and, where they are exact, scores against the stored file's own execution."""
    images = zoo_images()
    model, result = lowered(name, images)
    outputs, levels = run_as_stored(model, images, 255)
    found = reference.run(result.network, images)
    activations = [bits for bits in levels.values() if len(bits) == len(images)][
        -len(found.hidden) :
    ]
    hidden = list(zip(result.network.layers, found.hidden, strict=False))
    weighted = [index for index, (layer, _) in enumerate(hidden) if not layer.pool]
    for wanted, index in zip(activations[-len(weighted) :], weighted, strict=True):
        layer, values = hidden[index]
        if wanted.size != values.size:  # the graph pools in front of its activation
            values = hidden[index + 1][1]
        wanted = wanted.transpose(0, 2, 3, 1) if wanted.ndim == 4 else wanted
        assert np.array_equal(wanted.reshape(values.shape), values)
        count("hidden values", values.size)
        assert (values.min(0) < values.max(0)).mean() > 0.2, "the test needs neurons that change"
        assert len(np.unique(values)) > (layer.levels + 1) / 2, "the test needs most levels"
    flat = outputs.reshape(len(images), -1)
    classes = flat.argmax(1) if flat.shape[1] > 1 else flat[:, 0].astype(np.int64)
    assert np.array_equal(found.classes, classes)
    assert len(np.unique(found.scores, axis=0)) > 1, "the test needs scores that change"
    count("exports")
    return result


@pytest.mark.parametrize("name", sorted(FAST))
def test_zoo(name):
    check_entry(name)


@pytest.mark.regress
@pytest.mark.parametrize("name", sorted(set(zoo.ZOO) - FAST))
def test_zoo_more(name):
    check_entry(name)


def test_the_forms_that_layers_take():
    """Signed weights become two rails, dense ones xi = -1/2, pixels stay 8 bits wide."""
    images = zoo_images(4, 4)
    result = lowered("mlp-4w4a", images)[1]
    assert [layer.rails for layer in result.network.layers] == [2, 2, 2]
    assert all(choice.other_luts > choice.luts for choice in result.forms)
    layers = lowered("tfc-1w1a", images)[1].network.layers
    assert [(layer.rails, layer.xi_frac, layer.xi_num[0]) for layer in layers] == [(1, 1, -1)] * 3
    network = lowered("conv-pixels", images)[1].network
    assert network.encoding.threshold is None
    assert network.encoding.shape == (8, 8)


@pytest.mark.parametrize("name", ["ternary-softmax", "conv-padded", "conv-2w2a"])
def test_zoo_in_verilator(name):
    images = zoo_images(6, 10)
    _, result = lowered(name, images)
    design, folder = core_of(result.network, Choices())
    check_core(design, folder, images, send=80, receive=60, seed=1)


@pytest.mark.regress
@pytest.mark.parametrize(
    "name",
    [
        *("tfc-1w1a", "conv-pixels", "conv-bias", "per-channel-logsoftmax", "mlp-1w2a", "mlp-4w4a"),
        *(
            "tfc-2w2a",
            "signed-levels",
            "few-bits-of-pixels",
            "conv-4w4a-per-channel",
            "pooled-sums",
        ),
    ],
)
def test_zoo_in_verilator_more(name):
    test_zoo_in_verilator(name)
