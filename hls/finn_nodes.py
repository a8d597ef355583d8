"""SparsePopcountMVAU as a FINN layer, registered with FINN from outside by FINN's own decorators.

Importing this module is all that FINN needs: afterwards `SpecializeLayers` turns the node into
`SparsePopcountMVAU_rtl` and `PrepareIP` writes its Verilog. Import it before a model is loaded.

Inputs: x (..., inputs) BIPOLAR; w01 (MW, MH) BINARY; xi_num (MH,) int64; then threshold (MH,) int64 and
invert (MH,) BINARY, or with noActivation=1 offset (MH,) int64. What they mean: `sbnn.hls.network`.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
from finn.custom_op.fpgadataflow import register_custom_op as register_hw
from finn.custom_op.fpgadataflow.hwcustomop import HWCustomOp
from finn.custom_op.fpgadataflow.rtl import register_custom_op as register_rtl
from finn.custom_op.fpgadataflow.rtlbackend import RTLBackend
from numpy.typing import NDArray
from qonnx.core.datatype import DataType

from sbnn.hls import reference
from sbnn.hls.finn_source import LoweringError
from sbnn.hls.network import SparseLayer


def layer_of(node: Any, arrays: dict[str, NDArray[Any]]) -> SparseLayer:
    """Return the integer layer that a SparsePopcountMVAU node and its initializers describe.

    Args:
        node: the instance, from qonnx's `getCustomOp`.
        arrays: initializers by tensor name.
    """
    names = list(node.onnx_node.input)
    values = [np.asarray(arrays[name]) for name in names[1:]]
    last = bool(node.get_nodeattr("noActivation"))
    return SparseLayer(
        name=str(node.get_nodeattr("layer")),
        w01=np.ascontiguousarray(values[0].T > 0),
        xi_num=values[1].astype(np.int64),
        xi_frac=int(node.get_nodeattr("xi_frac")),
        rails=int(node.get_nodeattr("rails")),
        threshold=None if last else values[2].astype(np.int64),
        invert=None if last else values[3] > 0,
        offset=values[2].astype(np.int64) if last else None,
    )


@register_hw
class SparsePopcountMVAU(HWCustomOp):  # type: ignore[misc]
    """A sparse binary layer as popcounts; executes by the bit-exact reference."""

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return FINN's attribute table with ours: (type, required, default)."""
        return {
            "layer": ("s", True, ""),  # name in the integer network
            "MW": ("i", True, 0),  # rows of the stored w01; with two rails twice the inputs
            "MH": ("i", True, 0),
            "SIMD": ("i", True, 0),  # wired: all inputs at once
            "PE": ("i", True, 0),  # wired: all outputs at once
            "rails": ("i", False, 1),
            "xi_frac": ("i", True, 0),
            "noActivation": ("i", False, 0),
            "numInputVectors": ("ints", False, [1]),
            "inputDataType": ("s", True, ""),
            "outputDataType": ("s", True, ""),
            **super().get_nodeattr_types(),
        }

    def get_input_datatype(self, ind: int = 0) -> Any:
        """Return the datatype of x, or of a parameter."""
        if ind == 0:
            return DataType[self.get_nodeattr("inputDataType")]
        binary = ind == 1 or (ind == 4)
        return DataType["BINARY" if binary else "INT64"]

    def get_output_datatype(self, ind: int = 0) -> Any:
        """Return BIPOLAR, or the integer type of the scores."""
        return DataType[self.get_nodeattr("outputDataType")]

    def get_normal_input_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return (..., inputs) of x, or the shape of a parameter."""
        rows, outputs = self.get_nodeattr("MW"), self.get_nodeattr("MH")
        if ind == 0:
            return (*self.get_nodeattr("numInputVectors"), rows // self.get_nodeattr("rails"))
        return (rows, outputs) if ind == 1 else (outputs,)

    def get_normal_output_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return (..., MH)."""
        return (*self.get_nodeattr("numInputVectors"), self.get_nodeattr("MH"))

    def get_folded_input_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return (..., inputs / SIMD, SIMD) of x."""
        if ind > 0:
            return self.get_normal_input_shape(ind)
        *vectors, inputs = self.get_normal_input_shape()
        simd = self.get_nodeattr("SIMD")
        return (*vectors, inputs // simd, simd)

    def get_folded_output_shape(self, ind: int = 0) -> tuple[int, ...]:
        """Return (..., MH / PE, PE)."""
        *vectors, outputs = self.get_normal_output_shape()
        return (*vectors, outputs // self.get_nodeattr("PE"), self.get_nodeattr("PE"))

    def get_instream_width(self, ind: int = 0) -> int:
        """Return the bits of x per beat; 0 for parameters, which are wires in the logic."""
        return int(self.get_nodeattr("SIMD")) if ind == 0 else 0

    def get_outstream_width(self, ind: int = 0) -> int:
        """Return the bits of the output per beat."""
        return int(self.get_output_datatype().bitwidth() * self.get_nodeattr("PE"))

    def get_exp_cycles(self) -> int:
        """Return the cycles between two frames: one per vector, since the layer is wired."""
        return math.prod(self.get_nodeattr("numInputVectors"))

    def get_op_and_param_counts(self) -> dict[str, int]:
        """Return FINN's counts; a dense layer of this shape would do MW * MH operations."""
        vectors = math.prod(self.get_nodeattr("numInputVectors"))
        rows, outputs = self.get_nodeattr("MW"), self.get_nodeattr("MH")
        return {"op_popcount_1b": vectors * rows * outputs, "param_weight_1b": rows * outputs}

    def infer_node_datatype(self, model: Any) -> None:
        """Annotate the output tensor."""
        found = model.get_tensor_datatype(self.onnx_node.input[0])
        if found != self.get_input_datatype():
            raise LoweringError(
                f"node {self.onnx_node.name}: input is {found.name}, needs "
                f"{self.get_input_datatype().name}"
            )
        model.set_tensor_datatype(self.onnx_node.output[0], self.get_output_datatype())

    def execute_node(self, context: dict[str, NDArray[Any]], graph: Any) -> None:
        """Run the reference arithmetic on x and write +-1, or scores, as float32."""
        layer = layer_of(self, context)
        bits = context[self.onnx_node.input[0]] > 0
        flat = bits.reshape(-1, layer.inputs)
        if layer.is_last:
            result = reference.score(layer, flat)
        else:
            result = 2 * reference.activate(layer, flat).astype(np.int64) - 1
        shaped = result.reshape(*bits.shape[:-1], layer.mh)
        context[self.onnx_node.output[0]] = shaped.astype(np.float32)


@register_rtl
class SparsePopcountMVAU_rtl(SparsePopcountMVAU, RTLBackend):  # type: ignore[misc]  # noqa: N801
    """The same layer as generated SystemVerilog."""

    def get_nodeattr_types(self) -> dict[str, Any]:
        """Return the layer's attributes and those of FINN's RTL backend."""
        return {
            **SparsePopcountMVAU.get_nodeattr_types(self),
            **RTLBackend.get_nodeattr_types(self),
        }

    def execute_node(self, context: dict[str, NDArray[Any]], graph: Any) -> None:
        """Run the reference arithmetic; FINN's rtlsim mode needs Vivado's xsim and is refused."""
        if self.get_nodeattr("exec_mode") == "rtlsim":
            raise LoweringError(
                f"node {self.onnx_node.name}: exec_mode rtlsim is not supported, its Verilog is "
                "simulated with Verilator; use exec_mode ''"
            )
        SparsePopcountMVAU.execute_node(self, context, graph)

    def generate_hdl(self, model: Any, fpgapart: str, clk: float) -> None:
        """Write the layer's Verilog into code_gen_dir_ipgen; one vector per beat."""
        from sbnn.hls.stitch import layer_stream

        simd, pe = self.get_nodeattr("SIMD"), self.get_nodeattr("PE")
        layer = layer_of(
            self, {name: model.get_initializer(name) for name in self.onnx_node.input[1:]}
        )
        if (simd, pe) != (layer.inputs, layer.mh):
            raise LoweringError(
                f"node {self.onnx_node.name}: SIMD={simd} PE={pe}, a wired layer needs "
                f"SIMD={layer.inputs} PE={layer.mh}"
            )
        top, folder = self.get_verilog_top_module_name(), self.get_nodeattr("code_gen_dir_ipgen")
        files = layer_stream(layer, top)
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        (Path(folder) / "sources.f").write_text("".join(f"{name}\n" for name in files))
        self.set_nodeattr("gen_top_module", top)
        self.set_nodeattr("ipgen_path", folder)
        self.set_nodeattr("ip_path", folder)

    def get_rtl_file_list(self, abspath: bool = False) -> list[str]:
        """Return the generated files in compile order."""
        folder = Path(self.get_nodeattr("code_gen_dir_ipgen"))
        names = (folder / "sources.f").read_text().split()
        return [str(folder / name) for name in names] if abspath else names

    def code_generation_ipi(self) -> list[str]:
        """Return the Tcl that adds the layer to a Vivado block design."""
        top = self.get_nodeattr("gen_top_module")
        return [
            *(f"add_files -norecurse {name}" for name in self.get_rtl_file_list(abspath=True)),
            f"create_bd_cell -type module -reference {top} {self.onnx_node.name}",
        ]
