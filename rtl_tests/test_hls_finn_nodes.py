"""SparsePopcountMVAU in FINN's own flow: partitioned, specialised, generated, simulated."""

import copy
import dataclasses
from pathlib import Path
from string import Template

import numpy as np
import pytest
from cores import stream_bits
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.custom_op.registry import getCustomOp
from qonnx_graphs import Graph, random_norm
from simulate import run_cocotb, verilate
from stream_words import image_beats

from sbnn.hls import reference

PART, CLOCK_NS = "xc7z020clg400-1", 5.0

_TOP = Template("""\
module $top (
  input wire aclk, input wire aresetn,
  input wire [$in_msb:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
  input wire s_axis_tlast,
  output wire [$out_msb:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready,
  output wire m_axis_tlast
);
  assign m_axis_tlast = 1'b1;
$body
endmodule
""")


def mixed_graph():
    """Widths that fill no byte; xi on 1/8 in layer 1, two rails in layer 2, xi = 0 in layer 3."""
    rng = np.random.default_rng(11)
    graph = Graph((5, 9))
    graph.binarise(100)
    graph.product("fc1", rng.random((21, 45)) < 0.2, xi=-0.375, eta=0.3)
    graph.then("BatchNormalization", "bn1", *random_norm(rng, 21))
    graph.then("BipolarQuant", "act1", 1.0)
    graph.dual_rail("fc2")
    graph.product("fc2", rng.random((13, 42)) < 0.3, xi=0.0, eta=0.5)
    graph.then("BatchNormalization", "bn2", *random_norm(rng, 13))
    graph.then("BipolarQuant", "act2", 1.0)
    graph.product("fc3", rng.random((3, 13)) < [[0.3], [0.5], [0.8]])
    graph.then("Add", "bias", [1.0, -3.0, 0.5])
    return graph.model(3)


@pytest.fixture(scope="module")
def lowered():
    from sbnn.hls.lower import lower_with_report

    images = np.random.default_rng(0).integers(0, 256, (60, 5, 9), np.uint8)
    return lower_with_report(mixed_graph(), "small", images=images), images


@pytest.fixture
def finn_build(tmp_path, monkeypatch):
    """FINN writes into $FINN_BUILD_DIR."""
    folder = tmp_path / "finn"
    folder.mkdir()
    monkeypatch.setenv("FINN_BUILD_DIR", str(folder))
    return folder


def dataflow_graph(lowered, folder):
    """Run FINN's CreateDataflowPartition, SpecializeLayers and PrepareIP; return our partition."""
    from finn.transformation.fpgadataflow.create_dataflow_partition import CreateDataflowPartition
    from finn.transformation.fpgadataflow.prepare_ip import PrepareIP
    from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers

    model = ModelWrapper(lowered.graph.model)
    parent = model.transform(CreateDataflowPartition(str(folder / "partitions")))
    (partition,) = parent.get_nodes_by_op_type("StreamingDataflowPartition")
    child = ModelWrapper(getCustomOp(partition).get_nodeattr("model"))
    child = child.transform(SpecializeLayers(PART))
    return child.transform(PrepareIP(PART, CLOCK_NS))


def test_execution_equals_reference(lowered):
    lowered, images = lowered
    answer = reference.run(lowered.network, images)
    graph = lowered.graph
    nodes = graph.get_nodes_by_op_type("SparsePopcountMVAU")
    for i, image in enumerate(images[:8]):
        inputs = {graph.graph.input[0].name: image[None].astype(np.float32)}
        tensors = execute_onnx(graph, inputs, return_full_exec_context=True)
        for node, bits in zip(nodes, answer.hidden, strict=False):
            assert (tensors[node.output[0]][0] > 0).tolist() == bits[i].tolist()
        assert tensors[nodes[-1].output[0]][0].tolist() == answer.scores[i].tolist()


def test_shapes_datatypes_and_widths(lowered):
    lowered, _ = lowered
    layer, last = lowered.network.layers[0], lowered.network.layers[-1]
    nodes = lowered.graph.get_nodes_by_op_type("SparsePopcountMVAU")
    first, scores = getCustomOp(nodes[0]), getCustomOp(nodes[-1])
    assert first.get_normal_input_shape() == (1, layer.inputs)
    assert first.get_folded_input_shape() == (1, 1, layer.inputs)
    assert first.get_normal_input_shape(1) == (layer.mw, layer.mh)
    assert first.get_folded_output_shape() == (1, 1, layer.mh)
    assert first.get_instream_width() == layer.inputs
    assert [first.get_instream_width(i) for i in range(1, 5)] == [0] * 4
    assert first.get_outstream_width() == layer.mh
    assert first.get_exp_cycles() == 1
    assert first.get_output_datatype() == DataType["BIPOLAR"]
    assert scores.get_output_datatype() == DataType["INT32"]
    assert scores.get_outstream_width() == 32 * last.mh
    assert scores.get_number_output_values() == 1
    counts = first.get_op_and_param_counts()
    assert counts == {"op_popcount_1b": layer.ones, "param_weight_1b": layer.w01.size}


def test_finn_flow_to_verilog(lowered, finn_build):
    lowered, _ = lowered
    graph = dataflow_graph(lowered, finn_build)
    assert {node.op_type for node in graph.graph.node} == {"SparsePopcountMVAU_rtl"}
    assert {node.domain for node in graph.graph.node} == {"finn.custom_op.fpgadataflow.rtl"}
    for node in graph.graph.node:
        instance = getCustomOp(node)
        files = instance.get_rtl_file_list(abspath=True)
        assert all(Path(name).is_file() for name in files)
        assert [Path(name).name for name in files] == instance.get_rtl_file_list()
        *adds, cell = instance.code_generation_ipi()
        assert adds == [f"add_files -norecurse {name}" for name in files]
        assert cell == f"create_bd_cell -type module -reference {node.name} {node.name}"
        assert files[-1].endswith(f"/{node.name}.v")


def test_folded_node_is_refused(lowered, finn_build):
    from sbnn.hls.finn_constants import LoweringError

    lowered, _ = lowered
    model = ModelWrapper(copy.deepcopy(lowered.graph.model))
    getCustomOp(model.get_nodes_by_op_type("SparsePopcountMVAU")[0]).set_nodeattr("SIMD", 5)
    folded = dataclasses.replace(lowered, graph=model)
    with pytest.raises(LoweringError) as error:
        dataflow_graph(folded, finn_build)
    assert str(error.value) == (
        "node SparsePopcountMVAU_rtl_0: SIMD=5 PE=21, a wired layer needs SIMD=45 PE=21"
    )


def test_rtlsim_is_refused(lowered, finn_build):
    from sbnn.hls.finn_constants import LoweringError

    lowered, _ = lowered
    graph = dataflow_graph(lowered, finn_build)
    node = getCustomOp(graph.graph.node[0])
    node.set_nodeattr("exec_mode", "rtlsim")
    with pytest.raises(LoweringError) as error:
        node.execute_node({}, graph.graph)
    assert str(error.value) == (
        "node SparsePopcountMVAU_rtl_0: exec_mode rtlsim is not supported, its Verilog is "
        "simulated with Verilator; use exec_mode ''"
    )


def stitch(graph, top):
    """Connect the nodes' Verilog as FINN's stitching would, by what the nodes say of themselves."""
    body, files, widths = [], {}, []
    edge = "s_axis"
    for i, node in enumerate(graph.graph.node):
        instance = getCustomOp(node)
        names = instance.get_verilog_top_module_intf_names()
        ((source, in_width),), ((sink, out_width),) = names["s_axis"], names["m_axis"]
        last = i == len(graph.graph.node) - 1
        following = "m_axis" if last else f"edge{i}"
        if not last:
            body += [f"  wire [{out_width - 1}:0] {following}_tdata;"]
            body += [f"  wire {following}_tvalid, {following}_tready;"]
        pins = [f".{names['clk'][0]}(aclk)", f".{names['rst'][0]}(aresetn)"]
        for port, wires in ((source, edge), (sink, following)):
            pins += [f".{port}_T{x.upper()}({wires}_t{x})" for x in ("data", "valid", "ready")]
        body += [f"  {instance.get_nodeattr('gen_top_module')} u{i} ({', '.join(pins)});"]
        for path in instance.get_rtl_file_list(abspath=True):
            files[Path(path).name] = Path(path).read_text()
        widths += [in_width, out_width]
        edge = following
    files[f"{top}.sv"] = _TOP.substitute(
        top=top, in_msb=widths[0] - 1, out_msb=widths[-1] - 1, body="\n".join(body)
    )
    return files, widths[0], widths[-1]


@pytest.mark.parametrize(("send", "receive"), [(100, 50), (60, 70)])
def test_verilog_equals_reference(lowered, finn_build, tmp_path, send, receive):
    lowered, images = lowered
    graph = dataflow_graph(lowered, finn_build)
    top = "finn_graph"
    files, in_width, out_width = stitch(graph, top)
    answer = reference.run(lowered.network, images)
    as_bytes = lambda words, width: np.array(  # noqa: E731
        [list(word.to_bytes(width // 8, "little")) for word in words], np.uint8
    )
    wanted = [int.from_bytes(row.astype("<i4").tobytes(), "little") for row in answer.scores]
    beats = image_beats(stream_bits(lowered.network, images), in_width)
    np.savez(
        tmp_path / "vectors.npz",
        beats=as_bytes(beats, in_width),
        wanted=as_bytes(wanted, out_width),
        images=len(images),
    )
    folder = verilate(files, top)
    run_cocotb(
        folder,
        top,
        "tb_core",
        "stream",
        vectors=tmp_path / "vectors.npz",
        send=send,
        receive=receive,
        seed=send,
    )
