"""What QONNX reading refuses: the exact sentence of each refusal."""

from pathlib import Path

import numpy as np
import pytest
from damaged_graphs import clipped
from qonnx_graphs import Graph, random_norm

from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.finn_tail import KEPT
from sbnn.hls.lower import lower

IMAGES = np.random.default_rng(1).integers(0, 256, (200, 8, 8), np.uint8)


def chain(**first):
    """Two layers up to the scores; keyword arguments go to the first product."""
    rng = np.random.default_rng(12)
    graph = Graph((4, 4))
    graph.binarise()
    graph.product("fc1", rng.random((6, 16)) < 0.4, **first)
    graph.then("BatchNormalization", "bn1", *random_norm(rng, 6))
    graph.then("BipolarQuant", "act1", 1.0)
    graph.product("fc2", rng.random((3, 6)) < 0.4)
    return graph


def ends_with(op, name, *constants, **attributes):
    graph = chain()
    graph.then(op, name, *constants, **attributes)
    return graph


def float_weights():
    graph = Graph((4, 4))
    graph.binarise()
    weight = graph.constant("fc1.weight", np.arange(48).reshape(16, 3) * 0.3)
    graph.last = graph.node("MatMul", [graph.last, weight], "fc1_matmul")
    return graph


def no_bits():
    graph = Graph((4, 4))
    graph.then("Flatten", "flatten", axis=1)
    graph.product("fc1", np.ones((3, 16), bool))
    return graph


def always_one():
    graph = Graph((4, 4))
    graph.then("Flatten", "flatten", axis=1)
    graph.then("BipolarQuant", "input_bits", 1.0)
    graph.product("fc1", np.ones((3, 16), bool))
    return graph


def no_activation():
    graph = Graph((4, 4))
    graph.binarise()
    graph.product("fc1", np.ones((6, 16), bool))
    graph.product("fc2", np.ones((3, 6), bool))
    return graph


def unquantized():
    graph = no_activation()
    product = graph.nodes[-1]
    product.input[0] = graph.node("Relu", [product.input[0]], "relu")
    graph.nodes.insert(-1, graph.nodes.pop())
    return graph


def ends_with_bits():
    graph = chain()
    graph.then("BipolarQuant", "act2", 1.0)
    return graph


def residual():
    graph = Graph((4, 4))
    graph.binarise()
    negated = graph.node("Neg", [graph.last], "neg")
    graph.last = graph.node("Add", [graph.last, negated], "residual")
    graph.product("fc1", np.ones((3, 16), bool))
    return graph


def foreign_concat():
    graph = Graph((4, 4))
    graph.binarise()
    other = graph.node("Abs", [graph.last], "abs")
    graph.last = graph.node("Concat", [graph.last, other], "rails", axis=1)
    graph.product("fc1", np.ones((3, 32), bool))
    return graph


def wrong_width():
    graph = Graph((4, 4))
    graph.binarise()
    graph.product("fc1", np.ones((3, 15), bool))
    return graph


def convolution():
    graph = Graph((4, 4, 4))
    graph.then("Transpose", "turn", perm=[0, 2, 3, 1])
    graph.then("Sub", "centre", 127.5)
    graph.then("BipolarQuant", "input_bits", 1.0)
    weight = graph.constant("conv.weight", np.ones((2, 1, 2, 2)))
    graph.last = graph.node("Conv", [graph.last, weight], "conv")
    graph.then("Flatten", "flatten", axis=1)
    graph.product("fc1", np.ones((3, 18), bool))
    return graph


REFUSED = [
    (
        lambda: ends_with("Relu", "relu"),
        (
            "node relu: Relu behind the scores may change which one is largest; supported there are "
            f"{', '.join(KEPT)} that cannot"
        ),
    ),
    (
        convolution,
        (
            "node conv: Conv reads the shape (1, 4, 4, 4) of a map of 4 x 4 positions with 4 channels, needs "
            "channels first"
        ),
    ),
    (
        float_weights,
        (
            "node fc1_matmul: float weights take 16 values in output 0, supported are two values per "
            "output, or multiples of one step up to 15"
        ),
    ),
    (lambda: chain(bits=1.5), "node fc1_quant: has 1.5 bits, needs a whole number from 1 to 32"),
    (lambda: chain(eta=0.0), "node fc1_quant: scale is 0, needs another value"),
    (lambda: chain(eta=np.inf), "node fc1_quant: a weight is not finite"),
    (
        lambda: chain(xi=0.1),
        (
            "layer fc1: zero point -0.10000000149011612 of node fc1_matmul is not a multiple of "
            "2**-16, the finest grid for xi"
        ),
    ),
    (
        lambda: ends_with("Mul", "temperature", [1.0, 2.0, 1.0]),
        (
            "node temperature: scores are scaled by 1.0 to 2.0, needs one positive scale for all "
            "classes"
        ),
    ),
    (
        lambda: ends_with("BatchNormalization", "bn2", *np.ones((4, 3))),
        (
            "node bn2: BatchNormalization of scores is not supported, their scale must be one "
            "exact number; fold it into a bias"
        ),
    ),
    (no_bits, "node fc1_matmul: gives scores of pixels, needs a hidden layer before"),
    (
        always_one,
        (
            "node input_bits: its bits are the same for every pixel, needs one threshold between dark and "
            "bright"
        ),
    ),
    (
        no_activation,
        (
            "node fc2_matmul: MatMul reads sums of layer fc1, needs Add, Sub, Mul, Div, "
            "BatchNormalization or an activation (BipolarQuant, Quant, MultiThreshold)"
        ),
    ),
    (
        unquantized,
        (
            "node relu: Relu reads sums of layer fc1, needs Add, Sub, Mul, Div, BatchNormalization or an "
            "activation (BipolarQuant, Quant, MultiThreshold)"
        ),
    ),
    (
        clipped,
        "node clip: Clip from 0 to 1.4 cuts levels of Quant act1 off, needs a Quant of that range",
    ),
    (
        ends_with_bits,
        "tensor act2_out: the graph ends with bits, needs a MatMul that gives scores",
    ),
    (
        residual,
        "tensor input_bits_out is read by Neg neg, Add residual; supported is one chain of nodes",
    ),
    (foreign_concat, "node rails: Concat is supported for bits and their negation only"),
    (wrong_width, "node fc1_matmul: MatMul does not fit its inputs of the shapes (1, 16), (15, 3)"),
]


@pytest.mark.parametrize(("build", "sentence"), REFUSED, ids=[s for _, s in REFUSED])
def test_refusal(build, sentence, tmp_path):
    with pytest.raises(LoweringError) as error:
        lower(build().model(3), "net", images=IMAGES[:1, :4, :4])
    assert str(error.value) == sentence


def test_refuses_inputs_that_are_no_pixels():
    with pytest.raises(LoweringError) as error:
        lower(chain().model(3, datatype="INT8"), "net")
    assert str(error.value) == (
        "graph input image has the datatype INT8, needs UINT8 pixels; say --divide 255 where it takes "
        "pixel / 255, --divide 1 where it takes pixels"
    )
    model = chain().model(3)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 4
    with pytest.raises(LoweringError) as error:
        lower(model, "net")
    assert (
        str(error.value)
        == "graph input image has the shape (4, 4, 4), needs (1, ...) with one image"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it has no nodes"),
        (b"def not_onnx():\n    pass\n", "Error parsing message with type 'onnx.ModelProto'"),
        (bytes(range(256)), "Error parsing message with type 'onnx.ModelProto'"),
    ],
)
def test_refuses_files_that_are_no_onnx(tmp_path, content, reason):
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(LoweringError) as error:
        lower(path, "net", tmp_path)
    text = f", {reason}" if reason.startswith("it") else f" ({reason})"
    assert str(error.value) == f"{path}: not an ONNX file{text}"
    assert list(tmp_path.iterdir()) == [path], "nothing is written"


def test_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        lower(Path(tmp_path / "none.onnx"), "net")
