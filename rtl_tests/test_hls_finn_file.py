"""Files that cannot become a network are refused in one sentence, and nothing is left behind."""

import subprocess
import sys

import damaged
import numpy as np
import pytest
from onnx import TensorProto, numpy_helper

from sbnn.hls.check import check
from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.lower import lower_with_report
from sbnn.train.errors import UserError


@pytest.mark.parametrize("name", damaged.DAMAGED)
def test_refused_in_one_sentence(name, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(damaged.content(name))
    with pytest.raises(UserError) as error:
        lower_with_report(path, "net", tmp_path / "out")
    sentence = str(error.value)
    assert len(sentence.splitlines()) == 1
    assert sentence.startswith(
        ("node ", "nodes ", "tensor ", "graph ", "initializer ", "layer ", str(path))
    ), sentence
    assert "failed on this graph" not in sentence
    assert sorted(tmp_path.iterdir()) == [path], "nothing is written"


def test_there_are_enough():
    assert len(damaged.DAMAGED) >= 100
    assert len({damaged.content(name) for name in damaged.DAMAGED}) == len(damaged.DAMAGED)


@pytest.mark.parametrize("step", ["lower", "check"])
def test_exit_status(step, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(damaged.content("cycle"))
    options = ["--name", "net", "--out", str(tmp_path / "out")] if step == "lower" else []
    run = [sys.executable, "-m", "sbnn.hls", step, str(path), *options]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr == "sbnn.hls: nodes bn1, act1, fc2_matmul, bias: wait for each other, a cycle\n"
    )
    assert sorted(tmp_path.iterdir()) == [path]


def test_weights_beside_the_model(tmp_path):
    """The newer exporter may put large tensors into a file of their own."""
    model = damaged.base().model(3)
    tensor = damaged.constant(model, "fc1.weight")
    array = numpy_helper.to_array(tensor)
    (tmp_path / "net.onnx.data").write_bytes(b"12345678" + array.tobytes())
    tensor.raw_data = b""
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {
        "location": "net.onnx.data",
        "offset": "8",
        "length": str(array.nbytes),
    }.items():
        tensor.external_data.add(key=key, value=value)
    path, whole = tmp_path / "net.onnx", tmp_path / "whole.onnx"
    path.write_bytes(model.SerializeToString())
    whole.write_bytes(damaged.base().model(3).SerializeToString())
    assert check(path, "xc7", 2).network.digest() == check(whole, "xc7", 2).network.digest()
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "net.onnx").write_bytes(model.SerializeToString())
    (inside / "net.onnx.data").symlink_to(tmp_path / "net.onnx.data")
    with pytest.raises(LoweringError, match=r"needs a file beside net\.onnx"):
        check(inside / "net.onnx", "xc7", 2)


def test_an_open_batch_size_is_one_image():
    model = damaged.base().model(3)
    dim = model.graph.input[0].type.tensor_type.shape.dim[0]
    dim.Clear()
    dim.dim_param = "batch"
    images = np.zeros((1, 4, 4), np.uint8)
    assert lower_with_report(model, "net", images=images).network.encoding.shape == (4, 4)
