"""What FINN alone makes of these graphs, what ours makes, and that a wrong threshold is noticed."""

import logging

import numpy as np
import pytest
from finn.transformation.fpgadataflow.convert_to_hw.quantized_matrix_vector_activation import (
    InferQuantizedMatrixVectorActivation,
)
from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
from finn.transformation.streamline import Streamline
from finn.transformation.streamline.round_thresholds import RoundAndClipThresholds
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.util.cleanup import cleanup_model
from qonnx_graphs import Graph, random_graph

from sbnn.export.execute import execute
from sbnn.hls import reference
from sbnn.hls.finn_compare import Rounding, check_thresholds, compare_thresholds
from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.finn_passes import StreamlineWholeMatrices
from sbnn.hls.lower import lower_with_report

PART = "xc7z020clg400-1"
IMAGES = np.random.default_rng(2).integers(0, 256, (300, 8, 8), np.uint8)


@pytest.fixture(autouse=True)
def quiet():
    logging.disable(logging.WARNING)
    yield
    logging.disable(logging.NOTSET)


def finn_alone(model):
    """FINN's own passes for a layer with quantised weights, in FINN's own order."""
    graph = cleanup_model(ModelWrapper(model))
    for step in (
        ConvertQONNXtoFINN(),
        Streamline(),
        RoundAndClipThresholds(),
        InferQuantizedMatrixVectorActivation(),
        SpecializeLayers(PART),
    ):
        graph = graph.transform(step)
    return graph


def carried_through(model):
    """Ours, compared with qonnx's execution of the original graph by ==."""
    lowered = lower_with_report(model, "net", images=IMAGES)
    wanted, found = execute(model, IMAGES), reference.run(lowered.network, IMAGES)
    assert all(np.array_equal(a, b) for a, b in zip(wanted.hidden, found.hidden, strict=True))
    assert np.array_equal(wanted.classes, found.classes)
    assert np.array_equal(wanted.scores, found.scores * float(lowered.score_unit))
    return lowered


@pytest.mark.parametrize("per_channel", [False, True])
def test_finn_alone_refuses_a_zero_point(per_channel):
    model = random_graph(1, frac=3, per_channel=per_channel)
    reason = "The truth value" if per_channel else "Only Quant nodes with zero-point == 0"
    with pytest.raises(ValueError, match=reason):
        finn_alone(model)
    lowered = carried_through(model)
    assert any(layer.xi_num.any() for layer in lowered.network.layers)


def test_finn_alone_densifies_xi_0():
    model = random_graph(1, density=0.1)
    finn = finn_alone(model).get_nodes_by_op_type("MVAU_hls")
    lowered = carried_through(model)
    ours = lowered.graph.get_nodes_by_op_type("SparsePopcountMVAU")
    assert len(finn) == len(ours) == 3
    for theirs, mine, layer in zip(finn, ours, lowered.network.layers, strict=True):
        counts = getCustomOp(theirs).get_op_and_param_counts()
        # FINN stores and multiplies every weight, and needs Vitis HLS for it; ours wires the ones.
        assert sum(v for k, v in counts.items() if k.startswith("op_")) == layer.w01.size
        assert sum(v for k, v in counts.items() if k.startswith("param_w")) == layer.w01.size
        mine = getCustomOp(mine).get_op_and_param_counts()["op_popcount_1b"]
        assert mine == layer.ones < 0.2 * layer.w01.size


def test_finn_alone_leaves_negative_scales_outside():
    """A 0/1 weight has no sign to flip: FINN keeps a Mul before the threshold, ours inverts."""
    model = random_graph(1)
    graph = (
        cleanup_model(ModelWrapper(model)).transform(ConvertQONNXtoFINN()).transform(Streamline())
    )
    left = [graph.find_consumer(n.output[0]).op_type for n in graph.get_nodes_by_op_type("MatMul")]
    assert left == ["Mul"] * 3
    assert carried_through(model).network.layers[0].invert.any()


def test_finn_alone_makes_dual_rails_float():
    model = random_graph(1, rails=2)
    graph = (
        cleanup_model(ModelWrapper(model)).transform(ConvertQONNXtoFINN()).transform(Streamline())
    )
    types = {graph.get_tensor_datatype(n.output[0]).name for n in graph.get_nodes_by_op_type("Neg")}
    assert types == {"FLOAT32"}
    assert [layer.rails for layer in carried_through(model).network.layers] == [2, 2, 2]


def streamlined(tmp_path, model):
    """Return FINN's graph with its own thresholds, what was read, and the exact layers."""
    lowered = lower_with_report(model, "net", tmp_path, IMAGES[:1])
    (path,) = (tmp_path / "intermediate_models").glob("*_round_and_clip_thresholds.onnx")
    return ModelWrapper(str(path)), lowered.source.layers, lowered.network.layers


@pytest.mark.parametrize("frac", [0, 3])
def test_streamlining_whole_matrices_is_finns(tmp_path, frac):
    """Ours asks the datatype once per matrix; the graph is FINN's, byte for byte, signs absorbed."""
    lower_with_report(random_graph(3, frac=frac), "random", tmp_path)
    (before,) = tmp_path.glob("intermediate_models/*_convert_qonnx_to_finn.onnx")
    ours, finns = ModelWrapper(str(before)), ModelWrapper(str(before))
    muls = len(ours.get_nodes_by_op_type("Mul"))
    ours, finns = ours.transform(StreamlineWholeMatrices()), finns.transform(Streamline())
    assert ours.model.SerializeToString(deterministic=True) == finns.model.SerializeToString(
        deterministic=True
    )
    assert len(ours.get_nodes_by_op_type("Mul")) < muls


def test_a_wrong_finn_threshold_is_refused(tmp_path):
    graph, sources, layers = streamlined(tmp_path, random_graph(5, frac=2))
    assert compare_thresholds(graph, sources, layers) == ()
    name = graph.get_nodes_by_op_type("MultiThreshold")[2].input[1]
    limits = graph.get_initializer(name).copy()
    lows, highs = layers[1].reach
    inside = (layers[1].threshold[:, 0] > lows) & (layers[1].threshold[:, 0] <= highs)
    neuron = int(np.flatnonzero(inside)[0])
    limits[neuron] += 40
    graph.set_initializer(name, limits)
    with pytest.raises(LoweringError) as error:
        compare_thresholds(graph, sources, layers)
    assert str(error.value).startswith(
        f"layer fc2: neuron {neuron}: FINN's threshold {limits[neuron, 0]:g} says False at the sum "
    )
    assert str(error.value).endswith(", the stored BatchNorm says True")


def test_changed_finn_weights_are_refused(tmp_path):
    graph, sources, layers = streamlined(tmp_path, random_graph(5, frac=2))
    name = graph.get_nodes_by_op_type("MatMul")[1].input[1]
    weights = graph.get_initializer(name).copy()
    weights[3, 7] += 1
    graph.set_initializer(name, weights)
    with pytest.raises(LoweringError) as error:
        compare_thresholds(graph, sources, layers)
    assert str(error.value) == "layer fc2: FINN's streamlining changed the weights of neuron 7"


def test_float32_rounding_keeps_the_exact_threshold():
    # z is -3, -1, 1 or 3, and 0.1f * 3 - 0.3f is -7e-9: off at 3. FINN divides 0.3f by 0.1f in
    # float32 and gets 3: on. The images here never reach 3.
    graph = Graph((1, 8))
    graph.binarise(128)
    graph.product("fc1", np.array([[1, 1, 1, 0, 0, 0, 0, 0]], bool))
    graph.then("Mul", "scale", 0.1)
    graph.then("Sub", "shift", 0.3)
    graph.then("BipolarQuant", "act1", 1.0)
    graph.product("fc2", np.ones((2, 1), bool))
    bits = np.arange(256)[:, None] >> np.arange(8) & 1
    images = (bits[bits[:, :3].sum(1) < 3] * 255).astype(np.uint8).reshape(-1, 1, 8)
    lowered = lower_with_report(graph.model(2), "net", images=images)
    assert lowered.roundings == (Rounding("fc1", 0, 3),)
    assert lowered.report()["finn_float32_roundings"] == [{"layer": "fc1", "neuron": 0, "sum": 3}]
    (layer, _) = lowered.network.layers
    assert (layer.threshold.tolist(), layer.invert.tolist()) == ([[4]], [False])


def test_a_threshold_that_overflowed_is_refused():
    """FINN's RoundAndClipThresholds runs until nothing changes; a NaN never equals itself."""
    graph = cleanup_model(ModelWrapper(random_graph(1)))
    for step in (ConvertQONNXtoFINN(), Streamline()):
        graph = graph.transform(step)
    check_thresholds(graph)
    node = graph.get_nodes_by_op_type("MultiThreshold")[1]
    limits = graph.get_initializer(node.input[1]).copy()
    limits.reshape(-1)[0] = np.nan
    graph.set_initializer(node.input[1], limits)
    with pytest.raises(LoweringError, match="a threshold overflows float32"):
        check_thresholds(graph)
