"""Write a trained module as QONNX: weights as 1-bit Quant with a fractional zero point.

A weight (w01 + xi) * eta becomes Quant(bitwidth 1, unsigned, scale eta, zero point -xi), an
activation BipolarQuant. Brevitas' own handler refuses a zero point on 1 bit; ours takes it.
"""

import contextlib
import copy
import io
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from brevitas.export.onnx.qonnx.function import BrevitasQuantOp
from brevitas.export.onnx.qonnx.handler import BrevitasWeightQuantProxyHandler
from brevitas.export.onnx.qonnx.manager import QONNXManager
from onnx import ModelProto, TensorProto, checker
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from torch import Tensor, nn
from torch.onnx import symbolic_helper
from torch.onnx.utils import register_custom_op_symbolic, unregister_custom_op_symbolic

from sbnn.train.errors import UserError
from sbnn.train.quantizers import SparseBinaryWeightProxy

OPSET = 13  # what FINN's and qonnx's transformations are written against
QONNX_DOMAIN = "qonnx.custom_op.general"


class ExportError(UserError):
    """The module cannot be written as QONNX, or the graph computes something else."""


class SparseBinaryWeightHandler(BrevitasWeightQuantProxyHandler):  # type: ignore[misc]
    """Export a sparse binary weight as Quant, whatever its zero point; found by proxy type."""

    handled_layer = SparseBinaryWeightProxy

    def validate(self, bit_width: Tensor, zero_point: Tensor) -> None:
        """Accept a zero point on 1 bit, which the base class refuses."""

    def prepare_for_export(self, module: SparseBinaryWeightProxy) -> None:
        """Collect scale and zero point; never BipolarQuant, which the base class takes on 1 bit."""
        super().prepare_for_export(module)
        self.quant_op = BrevitasQuantOp


class SparseBinaryManager(QONNXManager):  # type: ignore[misc]
    """Brevitas' QONNX exporter with our weight handler first."""

    handlers = (SparseBinaryWeightHandler, *QONNXManager.handlers)


@contextlib.contextmanager
def _plain_padding() -> Iterator[None]:
    """Within this, a constant padding is one Pad node; torch writes a dozen to compute its sizes."""

    @symbolic_helper.parse_args("v", "is", "s", "f")
    def symbolic(graph: Any, x: Any, sizes: list[int], mode: str, value: float) -> Any:
        if mode != "constant":
            raise RuntimeError(f"padding of mode {mode}, needs constant")
        left, right, top, bottom = sizes
        pads = torch.tensor([0, 0, top, left, 0, 0, bottom, right])
        constants = (graph.op("Constant", value_t=item) for item in (pads, torch.tensor(value)))
        return graph.op("Pad", x, *constants, mode_s="constant")

    register_custom_op_symbolic("aten::pad", symbolic, OPSET)
    try:
        yield
    finally:
        unregister_custom_op_symbolic("aten::pad", OPSET)


def write_qonnx(
    module: nn.Module, shape: tuple[int, ...], properties: dict[str, str]
) -> ModelProto:
    """Return the QONNX graph of a trained module; equal modules give equal bytes.

    Args:
        module: in eval mode; takes (1, *shape) float pixels of 0 to 255, gives (1, classes) scores.
        shape: shape of one image.
        properties: become metadata_props of the file.

    Raises:
        ExportError: the exporter does not take the module.
    """
    frozen = _with_quantized_weights(module)
    stream = io.BytesIO()
    try:
        with warnings.catch_warnings(), _plain_padding():
            warnings.simplefilter("ignore")
            # TorchScript: MatMul and Flatten, which FINN likes; the newer exporter gives Gemm.
            model = SparseBinaryManager.export(
                frozen,
                args=torch.zeros(1, *shape),
                export_path=None,
                opset_version=OPSET,
                dynamo=False,
                input_names=["image"],
                output_names=["scores"],
            )
    except (RuntimeError, AssertionError) as error:
        reason = (str(error).splitlines() or ["no reason given"])[0]
        raise ExportError(f"module cannot be exported as QONNX ({reason})") from error
    finally:
        stream.close()
    model = _tidied(model)
    _annotate(model, properties)
    checker.check_model(model)
    return model


def _with_quantized_weights(module: nn.Module) -> nn.Module:
    """Return a copy whose stored weights are the quantized ones.

    Quant rounds what is stored; latent weights around a moving threshold would round to other w01.
    """
    frozen = copy.deepcopy(module).eval().cpu()
    for proxy in frozen.modules():
        if isinstance(proxy, SparseBinaryWeightProxy):
            for layer in proxy.tracked_module_list:
                with torch.no_grad():
                    value, eta, zero_point, _ = proxy.tensor_quant(layer.weight)
                    proxy.tensor_quant.freeze(eta, -zero_point)
                    layer.weight.data.copy_(value)
    return frozen


def _tidied(model: ModelProto) -> ModelProto:
    """Drop source paths, and give weight tensors no role as graph inputs."""
    for node in model.graph.node:
        node.ClearField("doc_string")
        if node.op_type in ("Quant", "BipolarQuant"):
            node.domain = QONNX_DOMAIN
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for opset in model.opset_import:
        if opset.domain not in ("", "ai.onnx"):
            opset.domain = QONNX_DOMAIN
    model.graph.name = "sbnn"
    model.producer_name, model.producer_version = "sbnn", ""
    return model


def _annotate(model: ModelProto, properties: dict[str, str]) -> None:
    """Say that the image is UINT8 (QONNX's way: the tensor stays float) and whose file this is."""
    if [value.type.tensor_type.elem_type for value in model.graph.input] != [TensorProto.FLOAT]:
        raise ExportError("module needs exactly one float input, the image")
    wrapped = ModelWrapper(model)
    wrapped.set_tensor_datatype(model.graph.input[0].name, DataType["UINT8"])
    for key, value in sorted(properties.items()):
        model.metadata_props.add(key=key, value=value)
