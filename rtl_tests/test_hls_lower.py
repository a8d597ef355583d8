"""QONNX to integers: bit-exact on random graphs."""

import dataclasses
import hashlib

import numpy as np
import pytest
from mutants import few_bits
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes
from qonnx_graphs import Graph, random_conv_graph, random_graph, random_norm

from sbnn.export.execute import execute
from sbnn.hls import network as networks
from sbnn.hls import reference
from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.lower import compare, lower, lower_with_report

IMAGES = np.random.default_rng(1).integers(0, 256, (200, 8, 8), np.uint8)


def assert_equal(network, model, images):
    """Every hidden bit, every class and every score of qonnx's execution of the original graph."""
    wanted, found = execute(model, images), reference.run(network, images)
    assert len(wanted.hidden) == len(found.hidden)
    for layer, graph_bits, bits in zip(network.layers, wanted.hidden, found.hidden, strict=False):
        assert np.array_equal(graph_bits, bits), layer.name
    assert np.array_equal(wanted.classes, found.classes)
    return wanted, found


KINDS = {
    "xi = 0": {},
    "xi": {"frac": 6},
    "xi, dense half": {"frac": 3, "density": 0.5},
    "per channel": {"frac": 4, "per_channel": True},
    "dual rail": {"rails": 2},
    "dual rail with xi": {"rails": 2, "frac": 2, "per_channel": True},
    "dense bipolar": {"dense": True},
    "nearly empty": {"density": 0.02, "frac": 5},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [0, 1])
def test_random_graph_is_exact(kind, seed):
    model = random_graph(seed, **KINDS[kind])
    lowered = lower_with_report(model, "net", images=IMAGES[:1])
    wanted, found = assert_equal(lowered.network, model, IMAGES)
    # Everything behind the last MatMul is dyadic: its scores are exact in float32.
    unit = float(lowered.score_unit)
    assert np.array_equal(wanted.scores, (found.scores * unit).astype(np.float32))
    changing = [bits.any(0) & ~bits.all(0) for bits in found.hidden]
    assert min(bits.mean() for bits in changing) > 0.3, "the test needs neurons that change"
    assert lowered.roundings == ()
    for layer in lowered.network.layers[:-1]:
        assert layer.invert.any(), "the graph has negative BatchNorm scales"
        assert not layer.invert.all()


def test_xi_takes_the_smallest_grid():
    network = lower(random_graph(3, frac=4), "net", images=IMAGES[:1])
    for layer in network.layers:
        assert layer.xi_frac == 0 or (layer.xi_num % 2).any()
    assert all((layer.xi_num == layer.xi_num[0]).all() for layer in network.layers)
    bipolar = lower(random_graph(3, dense=True), "net", images=IMAGES[:1])
    assert [(layer.xi_frac, set(layer.xi_num.tolist())) for layer in bipolar.layers] == [
        (1, {-1}),
        (1, {-1}),
        (2, {-2}),  # the bias is in halves of the weight scale 2
    ]


def one_neuron_each(scale, post, mean=0.0, var=1.0):
    """Eight inputs, a hidden neuron per given BatchNorm, all with the same row of four ones."""
    count = len(scale)
    graph = Graph((1, 8))
    graph.binarise(128)
    row = np.array([[1, 1, 1, 1, 0, 0, 0, 0]] * count, bool)
    graph.product("fc1", row, xi=0.25, eta=0.5)
    full = [np.broadcast_to(np.float32(value), count) for value in (scale, post, mean, var)]
    graph.then("BatchNormalization", "bn1", *full, epsilon=0.0)
    graph.then("BipolarQuant", "act1", 1.0)
    graph.product("fc2", np.eye(count, dtype=bool))
    return graph.model(count)


def every_image():
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    return (bits * 255).astype(np.uint8).reshape(256, 1, 8)


def test_constant_neurons_and_zero_scales_over_every_input():
    #             falls  zero scale, bias +  0   -   never  always  never(neg) always(neg)
    scale = [-1.0, 0.0, 0.0, 0.0, 1.0, 1.0, -1.0, -1.0]
    post = [0.1, 0.5, 0.0, -0.5, -9.0, 9.0, -9.0, 9.0]
    model = one_neuron_each(scale, post)
    lowered = lower_with_report(model, "net", images=every_image())
    _, found = assert_equal(lowered.network, model, every_image())
    constant = found.hidden[0].all(0) | ~found.hidden[0].any(0)
    assert constant.tolist() == [False] + [True] * 7
    assert found.hidden[0][0].tolist()[1:] == [True, True, False, False, True, False, True]
    assert lowered.proofs[0].constant == 7


def test_a_sum_on_the_threshold_is_plus_one():
    # eta and xi are dyadic, so z - mean is exactly 0 for some images, whatever the variance.
    model = one_neuron_each([1.0, -1.0, 2.0, -3.0], [0.0] * 4, mean=0.5, var=[1.0, 1.0, 0.3, 7.0])
    network = lower(model, "net", images=every_image())
    _, found = assert_equal(network, model, every_image())
    on_edge = found.hidden[0][:, 0] & found.hidden[0][:, 1]
    assert on_edge.any()
    assert np.array_equal(found.hidden[0][:, 2] & found.hidden[0][:, 3], on_edge)


def test_affine_nodes_of_every_kind():
    rng = np.random.default_rng(4)
    graph = Graph((4, 4))
    graph.then("Div", "to_unit", 255.0)
    graph.then("Sub", "to_centre", 0.5)
    graph.then("BipolarQuant", "input_bits", 0.5)  # bits of +-1/2: part of the next eta
    graph.then("Flatten", "flatten", axis=1)
    graph.product("fc1", rng.random((7, 16)) < 0.4, xi=-0.125, eta=rng.uniform(0.1, 1, 7))
    graph.then("Mul", "signs", np.where(rng.random(7) < 0.5, -1.5, 2.0) * (np.arange(7) != 3))
    graph.then("Add", "shift", rng.normal(size=7))
    first = graph.constant("constant_first", rng.normal(size=7))
    graph.last = graph.node("Sub", [first, graph.last], "subtract_from")
    graph.then("Div", "shrink", 3.0)
    graph.then("BipolarQuant", "act1", 1.0)
    graph.product("fc2", rng.random((3, 7)) < 0.5)
    graph.then("Sub", "bias", [0.25, -1.5, 2.0])
    model = graph.model(3)
    images = np.random.default_rng(5).integers(0, 256, (300, 4, 4), np.uint8)
    network = lower(model, "net", images=images)
    assert_equal(network, model, images)
    assert network.encoding.threshold == 128
    assert network.layers[-1].xi_frac == 2, "the bias needs quarters"


def test_foreign_gemm_and_reshape():
    """What the newer exporter writes: Gemm with a transposed weight, Reshape, no node names."""
    rng = np.random.default_rng(6)
    graph = Graph((4, 4))
    graph.last = graph.node("Reshape", ["image", "shape"], "reshape")
    graph.then("Sub", "centre", 99.5)
    graph.then("BipolarQuant", "input_bits", 1.0)
    for name, mh, mw, bias in (("a", 9, 16, True), ("b", 4, 9, False)):
        weight = (rng.random((mh, mw)) < 0.4) * 1.0 - 0.25
        parts = {"weight": weight, "scale": np.ones((1, 1)), "zero": [[0.25]], "bits": 1.0}
        inputs = [graph.constant(f"{name}.{key}", value) for key, value in parts.items()]
        quant = graph.node("Quant", inputs, f"{name}q", signed=0, narrow=0, rounding_mode="ROUND")
        operands = [graph.last, quant]
        if bias:
            operands.append(graph.constant(f"{name}.bias", rng.integers(-4, 5, mh) / 4))
        graph.last = graph.node("Gemm", operands, f"{name}gemm", transB=1)
        if bias:
            graph.then("BipolarQuant", "act", 1.0)
    model = graph.model(4)
    shape = model.graph.initializer.add(name="shape", data_type=7, dims=[2])
    shape.int64_data.extend([1, 16])
    for node in model.graph.node:
        node.name = ""
    images = np.random.default_rng(7).integers(0, 256, (300, 4, 4), np.uint8)
    network = lower(model, "net", images=images)
    assert [layer.name for layer in network.layers] == ["a", "b"]
    assert_equal(network, model, images)


def test_layers_that_share_their_weights():
    rng = np.random.default_rng(13)
    graph = Graph((4, 4))
    graph.binarise()
    graph.product("fc1", rng.random((16, 16)) < 0.3, xi=0.25)
    graph.then("BatchNormalization", "bn1", *random_norm(rng, 16))
    graph.then("BipolarQuant", "act1", 1.0)
    shared = next(node for node in graph.nodes if node.op_type == "Quant").output[0]
    graph.last = graph.node("MatMul", [graph.last, shared], "again")
    graph.then("BatchNormalization", "bn2", *random_norm(rng, 16))
    graph.then("BipolarQuant", "act2", 1.0)
    graph.product("fc3", rng.random((3, 16)) < 0.3)
    model = graph.model(3)
    images = np.random.default_rng(14).integers(0, 256, (300, 4, 4), np.uint8)
    network = lower(model, "net", images=images)
    assert_equal(network, model, images)
    assert [layer.name for layer in network.layers] == ["fc1", "layer2", "fc3"]
    assert np.array_equal(network.layers[0].w01, network.layers[1].w01)


def test_every_graph_is_saved_and_the_same_twice(tmp_path):
    digests = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        stale = folder / "intermediate_models" / "99_old.onnx"
        stale.parent.mkdir(parents=True)
        stale.write_bytes(b"old")
        lowered = lower_with_report(random_graph(8, frac=3), "net", folder, IMAGES[:1])
        paths = sorted((folder / "intermediate_models").iterdir())
        assert [path.name for path in paths] == [
            f"{i:02d}_{name}.onnx" for i, name in enumerate(lowered.passes)
        ]
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    "model", [random_graph(9, frac=3), random_conv_graph(2), random_conv_graph(4), few_bits()]
)
def test_every_saved_graph_computes_the_same(tmp_path, model):
    shape = [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim][1:]
    images = np.random.default_rng(4).integers(0, 256, (5, *shape), np.uint8)
    lowered = lower_with_report(model, "net", tmp_path, images[:1])
    wanted = execute(model, images).scores
    for path in sorted((tmp_path / "intermediate_models").iterdir()):
        graph = ModelWrapper(str(path)).transform(InferShapes())
        name, out = graph.graph.input[0].name, graph.graph.output[0].name
        for image, scores in zip(images, wanted, strict=True):
            result = execute_onnx(graph, {name: image[None].astype(np.float32)})[out]
            assert np.array_equal(result[0], scores), path.name
    assert lowered.passes[-1] == "infer_sparse_popcount_mvau"


def test_network_file_and_report(tmp_path):
    lowered = lower_with_report(random_graph(10), "my-net", images=IMAGES)
    lowered.network.save(tmp_path / "network.npz")
    again = networks.load(tmp_path / "network.npz")
    assert again.digest() == lowered.network.digest() == lowered.report()["network_digest"]
    assert again.name == "my_net"
    report = lowered.report()
    assert report["compared"] == {
        "images": 200,
        "from": "the caller",
        "score_ties_parted_by_float32": 0,
    }
    assert [entry["layer"] for entry in report["proved"]] == ["fc1", "fc2"]
    random_pixels = lower_with_report(random_graph(10), "my-net")
    assert random_pixels.images_from == "random pixels, seed 2023"


@pytest.mark.parametrize("what", ["threshold", "invert", "offset", "weight"])
def test_comparison_notices_one_changed_number(what):
    model = random_graph(11, frac=2)
    network = lower(model, "net", images=IMAGES[:1])
    index = 2 if what == "offset" else 0
    layer = network.layers[index]
    value = getattr(layer, what).copy()
    answer = reference.run(network, IMAGES)
    if what == "offset":
        value[:] = [1000, 0, 0, 0, 0]
        neuron = None
    else:
        changing = answer.hidden[0].any(0) & ~answer.hidden[0].all(0)
        neuron = int(np.flatnonzero(changing)[0])
        value[neuron] = {"threshold": 10**6, "invert": ~value[neuron], "weight": 0}[what]
    layers = list(network.layers)
    layers[index] = dataclasses.replace(layer, **{what: value})
    broken = dataclasses.replace(network, layers=tuple(layers))
    with pytest.raises(LoweringError) as error:
        compare(broken, model, IMAGES)
    wanted = "layer fc3: image " if neuron is None else f"layer fc1: neuron {neuron} is "
    assert str(error.value).startswith(wanted)


@pytest.mark.parametrize("name", ["digits", "digits-xi", "digits-bnn"])
def test_trained_digits_model(name):
    from sbnn.export.qonnx import write_qonnx
    from sbnn.train.data import load
    from sbnn.train.trained import load_trained

    config, module = load_trained(name)
    model = write_qonnx(module, config.input.shape, {})
    lowered = lower_with_report(model, name)
    assert lowered.images_from == f"the tracked sample of {name}"
    split = load(config)
    _, found = assert_equal(lowered.network, model, split.test_x)
    assert (found.classes == split.test_y).mean() > 0.9
    assert [layer.name for layer in lowered.network.layers] == ["fc1", "fc2", "fc3"]


def test_trained_sbnn95():
    from sbnn.export.qonnx import write_qonnx
    from sbnn.train.data import sample_images
    from sbnn.train.trained import load_trained

    config, module = load_trained("sbnn95")
    model = write_qonnx(module, config.input.shape, {})
    network = lower(model, "sbnn95")
    images, labels = sample_images(config)
    _, found = assert_equal(network, model, images)
    assert (found.classes == labels).mean() > 0.95
