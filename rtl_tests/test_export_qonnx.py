"""The QONNX writer: what stands in the file, equal bytes, and that qonnx's own tools take it."""

import dataclasses
import os
import re
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from brevitas.export.onnx.qonnx.handler import BrevitasWeightQuantProxyHandler
from brevitas.export.onnx.qonnx.manager import QONNXManager
from onnx import numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from sbnn.export.check import check
from sbnn.export.execute import execute
from sbnn.export.qonnx import ExportError, write_qonnx
from sbnn.hls import reference
from sbnn.hls.lower import lower_with_report
from sbnn.hls.tools import find_tool
from sbnn.train.config import Convolution, Input, Sparsity, Weights, load_config
from sbnn.train.finalise import finalise
from sbnn.train.model import build
from sbnn.train.quantizers import SparseBinaryWeightProxy
from sbnn.train.trained import load_trained

IMAGES = np.random.default_rng(3).integers(0, 17, (300, 8, 8), np.uint8)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def random_module(seed, **changes):
    """An untrained digits network of the given weight domain, with random BatchNorm and bias."""
    torch.manual_seed(seed)
    config = dataclasses.replace(load_config("digits"), **changes)
    module = build(config).eval()
    for layer in module.weighted():
        torch.nn.init.normal_(layer.weight, mean=-0.1, std=0.1)
    for quantizer in module.quantizers():
        if quantizer.domain == "learned":
            torch.nn.init.uniform_(quantizer.tau, 0.3, 0.6)
            torch.nn.init.uniform_(quantizer.phi, -0.2, 0.9)  # xi on both sides of 0
    for norm in module.batchnorms():
        torch.nn.init.uniform_(norm.weight, -2, 2)
        torch.nn.init.normal_(norm.bias, std=0.3)
        torch.nn.init.normal_(norm.running_mean, std=1.5)
        torch.nn.init.uniform_(norm.running_var, 4, 20)
    frac = module.quantizers()[-1].xi_frac
    bias = torch.randint(-20, 21, (config.input.classes,)) / 2.0**frac
    module.scores.freeze(torch.tensor(0.125), bias)
    return config, module


DOMAINS = {
    "xi 0": {},
    "xi fixed": {"weights": Weights(xi=-0.125, xi_frac=3)},
    "dense": {"weights": Weights(xi=-0.5, xi_frac=1)},
    "learned": {"weights": Weights(domain="learned", xi_frac=6)},
    "closed form": {"weights": Weights(domain="closed-form", xi_frac=8)},
    "dual rail": {"rails": 2, "weights": Weights(xi_frac=2)},
    "dual rail learned": {"rails": 2, "weights": Weights(domain="learned", xi_frac=4)},
}


@pytest.mark.parametrize("domain", DOMAINS)
def test_torch_qonnx_and_integers_are_one(domain):
    config, module = random_module(5, **DOMAINS[domain])
    model = write_qonnx(module, config.input.shape, {})
    result = check(model, module, IMAGES, "random")
    assert (result.images, result.hidden_bits) == (300, 300 * 128)
    network = lower_with_report(model, "net", images=IMAGES).network
    answer = reference.run(network, IMAGES)
    with torch.no_grad():
        pixels = torch.from_numpy(IMAGES.astype(np.float32))
        hidden = [bits.numpy() > 0 for bits in module.hidden_bits(pixels).values()]
        classes = module(pixels).numpy().argmax(1)
    for layer, bits, wanted in zip(network.layers, answer.hidden, hidden, strict=False):
        assert np.array_equal(bits, wanted), layer.name
        assert 0.05 < bits.mean() < 0.95
    assert np.array_equal(answer.classes, classes)
    assert len(set(classes.tolist())) > 2


CONVOLUTIONS = (
    Convolution(6, kernel=3, padding=1),
    Convolution(8, kernel=2, stride=2, pool=2),
    Convolution(5, kernel=3, stride=2, padding=2),
)
CONVOLUTIONAL = {
    "convolutions": CONVOLUTIONS,
    "hidden": (20,),
    "sparsity": Sparsity(density=0.3),
}
GEOMETRIES = {
    "bits": {},
    "colour": {"input": Input("digits", (8, 8, 3), 8)},
    "grey": {"input": Input("digits", (8, 8))},
    "grey learned": {"input": Input("digits", (8, 8, 3)), "weights": Weights("learned", xi_frac=5)},
    "per channel": {"weights": Weights("learned", xi_frac=4, per_channel=True)},
    "closed form": {"weights": Weights("closed-form", xi_frac=6)},
    "no hidden": {"hidden": ()},
    "two rails": {"rails": 2},
}


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_convolutions_equal_torch(geometry):
    changes = {**CONVOLUTIONAL, **GEOMETRIES[geometry]}
    config, module = random_module(8, **changes)
    last = module.quantizers()[-1]
    last.freeze(*last.levels(module.weighted()[-1].weight))
    finalise(module)
    shape = config.input.shape
    images = np.random.default_rng(4).integers(0, 256, (120, *shape), np.uint8)
    images[:60] //= 16  # as dark as digits are
    model = write_qonnx(module, shape, {})
    result = check(model, module, images, "random")
    names = ("act1", "act2", "pool2", "act3", "act4")
    assert result.layers == names[: len(config.layers)]
    bits = 6 * 64 + 8 * 16 + 8 * 4 + 5 * 4 + sum(config.hidden)
    assert (result.images, result.hidden_bits) == (120, 120 * bits)
    assert result.max_score_difference == 0.0  # float32 sums are exact
    if config.rails == 2:  # the padding of -1 is +1 on the other rail, so Pad stands before Concat
        layers = lower_with_report(model, "net", images=images).network.layers
        assert [layer.rails for layer in layers if not layer.pool] == [2] * len(config.layers)


def test_nodes_of_a_convolutional_graph():
    """The chain that README.md promises; lowering reads exactly this."""
    config, module = random_module(8, **CONVOLUTIONAL)
    graph = write_qonnx(module, config.input.shape, {}).graph
    data = {"image"}
    chain = []
    for node in graph.node:
        if data & set(node.input):
            data |= set(node.output)
            chain.append(node.op_type)
    sign = ["BatchNormalization", "BipolarQuant"]
    assert chain == [
        *("Unsqueeze", "Sub", "BipolarQuant"),
        *("Pad", "Conv", *sign),
        *("Conv", *sign, "MaxPool"),
        *("Pad", "Conv", *sign),
        *("Flatten", "MatMul", *sign),
        *("MatMul", "Add", "Mul"),
    ]
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    pads = [node for node in graph.node if node.op_type == "Pad"]
    assert [constants[node.input[1]].tolist() for node in pads] == [
        [0, 0, 1, 1, 0, 0, 1, 1],
        [0, 0, 2, 2, 0, 0, 2, 2],
    ]
    assert [constants[node.input[2]].tolist() for node in pads] == [-1.0, -1.0]
    grey = dataclasses.replace(config, input=Input("digits", (8, 8, 3)))
    torch.manual_seed(0)
    kinds = [n.op_type for n in write_qonnx(build(grey).eval(), (8, 8, 3), {}).graph.node]
    assert kinds[:3] == ["Transpose", "Sub", "Mul"]


def test_a_wrong_bit_in_a_map_is_named():
    config, module = random_module(8, **CONVOLUTIONAL)
    model = write_qonnx(module, config.input.shape, {})
    (stored,) = [t for t in model.graph.initializer if t.name == "bn2.weight"]
    value = numpy_helper.to_array(stored).copy()
    value[3] = -value[3]
    stored.CopyFrom(numpy_helper.from_array(value, "bn2.weight"))
    with pytest.raises(ExportError) as error:
        check(model, module, IMAGES, "random")
    assert re.fullmatch(
        r"layer act2: \d+ of 38400 bits differ between QONNX and torch, "
        r"first channel 3 at row \d, column \d of image 0",
        str(error.value),
    )


def test_per_channel_hidden_layers():
    config, module = random_module(
        6, weights=Weights(domain="learned", xi_frac=5, per_channel=True)
    )
    last = module.quantizers()[-1]
    last.freeze(*last.levels(module.weighted()[-1].weight))
    model = write_qonnx(module, config.input.shape, {})
    assert check(model, module, IMAGES, "random").images == 300
    network = lower_with_report(model, "net", images=IMAGES).network
    assert len(set(network.layers[0].xi_num.tolist())) > 5
    wanted = execute(model, IMAGES)
    answer = reference.run(network, IMAGES)
    assert all(np.array_equal(a, b) for a, b in zip(wanted.hidden, answer.hidden, strict=True))
    assert np.array_equal(wanted.classes, answer.classes)


def test_what_stands_in_the_file():
    config, module = load_trained("digits-xi")
    properties = {"sbnn.model": "digits-xi", "sbnn.version": "1.2.3", "sbnn.trained_digest": "ab"}
    model = write_qonnx(module, config.input.shape, properties)
    assert {entry.key: entry.value for entry in model.metadata_props} == properties
    graph = ModelWrapper(model)
    assert [value.name for value in model.graph.input] == ["image"]
    assert graph.get_tensor_datatype("image").name == "UINT8"
    assert graph.get_tensor_shape("image") == [1, 8, 8]
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    quants = [node for node in model.graph.node if node.op_type == "Quant"]
    linears = zip(quants, module.weighted(), module.quantizers(), strict=True)
    for node, layer, quantizer in linears:
        weight, scale, zero_point, bits = (constants[name] for name in node.input)
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        eta, xi = quantizer.levels(layer.weight)
        assert (scale, zero_point, bits) == (eta.item(), -xi.item(), 1)
        assert attributes["signed"] == 0
        assert node.domain == "qonnx.custom_op.general"
        assert np.array_equal(weight, layer.quant_weight().value.detach().numpy())
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("BipolarQuant") == 3
    assert {"MatMul", "Flatten"} <= set(kinds)
    assert not {"Gemm", "Reshape", "Constant"} & set(kinds)


def test_quant_executes_to_the_weight_itself():
    config, module = load_trained("digits-xi")
    graph = ModelWrapper(write_qonnx(module, config.input.shape, {})).transform(InferShapes())
    tensors = execute_onnx(
        graph, {"image": IMAGES[:1].astype(np.float32)}, return_full_exec_context=True
    )
    quants = graph.get_nodes_by_op_type("Quant")
    for node, layer, quantizer in zip(quants, module.weighted(), module.quantizers(), strict=True):
        eta, xi = quantizer.levels(layer.weight)
        w01 = (layer.weight > 0).float()
        assert np.array_equal(tensors[node.output[0]], ((w01 + xi) * eta).detach().numpy())


def test_stock_brevitas_refuses_the_zero_point():
    class StockHandler(BrevitasWeightQuantProxyHandler):
        handled_layer = SparseBinaryWeightProxy

    class StockManager(QONNXManager):
        handlers = (StockHandler, *QONNXManager.handlers)

    _, module = load_trained("digits-xi")
    with pytest.raises(AssertionError, match="Zero-point not supported for binary quant"):
        StockManager.export(module, args=torch.zeros(1, 8, 8), opset_version=13, dynamo=False)


def test_export_leaves_the_module_alone():
    config, module = random_module(7, weights=Weights(domain="closed-form", xi_frac=8))
    before = {key: value.clone() for key, value in module.state_dict().items()}
    write_qonnx(module, config.input.shape, {})
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert module.quantizers()[0].domain == "closed-form"


def test_a_module_that_torch_cannot_trace_is_refused():
    class Branching(torch.nn.Module):
        def forward(self, x):
            raise RuntimeError("no\nsecond line")

    with pytest.raises(ExportError) as error:
        write_qonnx(Branching(), (8, 8), {})
    assert str(error.value) == "module cannot be exported as QONNX (no)"


def command(*arguments, hash_seed="0"):
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        [sys.executable, "-m", "sbnn.export", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )


def tool(name, *arguments):
    """Run one of qonnx's own commands."""
    done = subprocess.run(
        [find_tool(name), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_command_and_qonnx_tools(tmp_path):
    digests = []
    for seed in ("1", "2"):
        out = tmp_path / seed / "model.onnx"
        done = command("digits", "--out", str(out), hash_seed=seed)
        assert (done.returncode, done.stderr) == (0, "")
        digests.append((out.read_bytes(), (out.parent / "export.json").read_bytes()))
    assert digests[0] == digests[1]
    clean = tmp_path / "clean.onnx"
    tool("qonnx-cleanup", str(out), f"--out-file={clean}")
    np.save(tmp_path / "in.npy", IMAGES[:3].astype(np.float32))
    tool("qonnx-exec", str(clean), str(tmp_path / "in.npy"), f"--output-prefix={tmp_path}/out_")
    results = [np.load(path) for path in sorted(tmp_path.glob("out_*.npy"))]
    wanted = execute(onnx.load(out), IMAGES[:3]).scores
    assert np.array_equal(np.concatenate(results), wanted)
