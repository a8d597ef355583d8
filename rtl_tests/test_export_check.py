"""The check on export: it names the layer that differs, and then nothing is written."""

import json
import sys

import numpy as np
import pytest
import torch
from onnx import numpy_helper

from sbnn.export import __main__ as command
from sbnn.export import check as checks
from sbnn.export import qonnx
from sbnn.export.check import check, check_images
from sbnn.export.qonnx import ExportError, write_qonnx
from sbnn.train.config import load_config, model_names
from sbnn.train.data import load
from sbnn.train.errors import run_command
from sbnn.train.trained import load_trained, save_trained, trained_digest


@pytest.fixture(scope="module")
def digits():
    torch.set_num_threads(1)
    config, module = load_trained("digits")
    return config, module, load(config).test_x


def broken(config, module, tensor, change):
    """Return the module's graph with one constant changed."""
    model = write_qonnx(module, config.input.shape, {})
    (stored,) = [t for t in model.graph.initializer if t.name == tensor]
    value = numpy_helper.to_array(stored).copy()
    change(value)
    stored.CopyFrom(numpy_helper.from_array(value, tensor))
    return model


def negate_one(value):
    value[5] = -value[5]


def favour_three(value):
    value[3] += 100


@pytest.mark.parametrize(
    ("tensor", "change", "start"),
    [
        ("bn1.weight", negate_one, "layer act1: "),
        ("bn2.weight", negate_one, "layer act2: "),
        ("scores.fixed_bias", favour_three, "layer scores: "),
    ],
)
def test_difference_names_the_layer(digits, tensor, change, start):
    config, module, images = digits
    model = broken(config, module, tensor, change)
    with pytest.raises(ExportError) as error:
        check(model, module, images, "digits")
    assert str(error.value).startswith(start)
    if start != "layer scores: ":
        # bn is centred, so a negated scale turns every bit of that one neuron.
        assert str(error.value) == (
            f"{start}360 of 23040 bits differ between QONNX and torch, first neuron 5 of image 0"
        )


def test_missing_activation_is_noticed(digits):
    config, module, images = digits
    other = load_trained("digits")[1]
    hidden_bits = other.hidden_bits
    other.hidden_bits = lambda pixels: {"act1": hidden_bits(pixels)["act1"]}
    model = write_qonnx(module, config.input.shape, {})
    with pytest.raises(ExportError) as error:
        check(model, other, images, "digits")
    assert str(error.value) == "QONNX graph has 2 hidden activations, the module 1"


def test_failing_check_writes_nothing(digits, tmp_path, monkeypatch, capsys):
    config, module, _ = digits
    model = broken(config, module, "bn2.weight", negate_one)
    monkeypatch.setattr(qonnx, "write_qonnx", lambda *_: model)
    monkeypatch.setattr(
        sys, "argv", ["export", "digits", "--out", str(tmp_path / "m" / "model.onnx")]
    )
    with pytest.raises(ExportError, match="layer act2"):
        command.main()
    assert list(tmp_path.iterdir()) == []


def test_report(tmp_path, monkeypatch, capsys):
    out = tmp_path / "digits" / "model.onnx"
    monkeypatch.setattr(sys, "argv", ["export", "digits", "--out", str(out)])
    command.main()
    assert capsys.readouterr().out == (
        f"{out}: QONNX equals torch on 1000 images (digits, its 360 test images first), "
        "128000 hidden bits\n"
    )
    report = json.loads((out.parent / "export.json").read_text())
    assert report["sbnn.model"] == "digits"
    assert report["sbnn.trained_digest"] == trained_digest("digits")
    assert report["compared"] == {
        "images": 1000,
        "images_from": "digits, its 360 test images first",
        "layers": ["act1", "act2"],
        "hidden_bits": 128000,
        "max_score_difference": 0.0,
    }


def test_another_trained_file(tmp_path, monkeypatch, capsys):
    _, module = load_trained("digits-conv")
    module.scores.fixed_bias[0] += 1
    wanted = save_trained(module, "digits-conv", tmp_path)
    out, trained = tmp_path / "model.onnx", tmp_path / "trained.npz"
    arguments = ["export", "digits-conv", "--trained", str(trained), "--out", str(out)]
    monkeypatch.setattr(sys, "argv", arguments)
    command.main()
    report = json.loads((tmp_path / "export.json").read_text())
    assert report["sbnn.trained_digest"] == wanted != trained_digest("digits-conv")
    assert report["compared"]["layers"] == ["act1", "pool1", "act2", "act3"]


def test_unknown_model_is_one_line(tmp_path, monkeypatch, capsys):
    arguments = ["export", "nothing", "--out", str(tmp_path / "model.onnx")]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as end:
        run_command("sbnn.export", command.main)
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        "sbnn.export: MODEL=nothing: no train/models/nothing/config.toml; there are: "
        f"{' '.join(model_names())}\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_images_without_a_data_set(monkeypatch):
    monkeypatch.setattr(checks, "find", lambda *_: None)
    images, source = check_images(load_config("sbnn95"))
    assert (images.shape, images.dtype, source) == (
        (200, 28, 28),
        np.uint8,
        "the tracked sample of mnist",
    )
