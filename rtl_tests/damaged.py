"""Files that no network can be made of: each a valid one with a single thing wrong, seeded."""

import numpy as np
from damaged_graphs import (
    SEED,
    activation,
    base,
    clipped,
    coarse_pixels,
    conv_base,
    dynamic_weights,
    ends_with,
    ends_with_bits,
    finished,
    first_product,
    half_even_pool,
    padded,
    per_channel_pixels,
    pooled,
    pooled_pixels,
    residual,
    sums_only,
)
from onnx import ModelProto, TensorProto, helper, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper


def stored(change):
    """Change the base model's protobuf."""

    def build():
        model = base().model(3)
        change(model)
        return model

    return build


def node(model: ModelProto, name: str):
    return next(node for node in model.graph.node if node.name == name)


def constant(model: ModelProto, name: str):
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def put(name, value, dtype=np.float32):
    """Give an initializer another value."""

    def change(model):
        constant(model, name).CopyFrom(numpy_helper.from_array(np.asarray(value, dtype), name))

    return stored(change)


def spoil(name, value):
    """Put a value in the first place of an initializer."""

    def change(model):
        array = numpy_helper.to_array(constant(model, name)).copy()
        array.reshape(-1)[0] = value
        constant(model, name).CopyFrom(numpy_helper.from_array(array, name))

    return stored(change)


def declare(name, dims, keep=False):
    """Say another shape in an initializer's header."""

    def change(model):
        tensor = constant(model, name)
        tensor.dims[:] = dims
        if not keep:
            tensor.raw_data = b""

    return stored(change)


def rewire(name, index, tensor):
    return stored(lambda model: node(model, name).input.__setitem__(index, tensor))


def attribute(name, key, value):
    return stored(
        lambda model: node(model, name).attribute.append(helper.make_attribute(key, value))
    )


def external(**entries):
    def change(model):
        tensor = constant(model, "fc1.weight")
        tensor.raw_data = b""
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)

    return stored(change)


def cut(keep):
    def build():
        content = base().model(3).SerializeToString()
        return content[: keep if keep >= 0 else len(content) + keep]

    return build


def domains(name, domain, op=None):
    def change(model):
        node(model, name).domain = domain
        node(model, name).op_type = op or node(model, name).op_type

    return stored(change)


def opsets(*versions):
    def change(model):
        del model.opset_import[:]
        model.opset_import.extend([helper.make_opsetid(*version) for version in versions])

    return stored(change)


def with_subgraph(model):
    branch = helper.make_graph([], "branch", [], [])
    node(model, "bn1").attribute.append(helper.make_attribute("then_branch", branch))


def shape(*dims):
    def change(model):
        stored_dims = model.graph.input[0].type.tensor_type.shape.dim
        del stored_dims[:]
        for size in dims:
            if isinstance(size, str):
                stored_dims.add(dim_param=size)
            else:
                stored_dims.add(dim_value=size)

    return stored(change)


def datatype(name):
    def change(model):
        ModelWrapper(model).set_tensor_datatype("image", DataType[name])

    return stored(change)


def element(kind):
    def change(model):
        model.graph.input[0].type.tensor_type.elem_type = kind

    return stored(change)


RNG = np.random.default_rng(SEED)
FLOATS = RNG.normal(size=(16, 6))
HUGE = [1 << 20, 1 << 11]  # 2^31 floats, 8 GB
UNSIGNED = {"signed": 0, "narrow": 0, "rounding_mode": "ROUND"}
DAMAGED = {
    "no bytes": lambda: b"",
    "text": lambda: b"def not_onnx():\n    pass\n" * 20,
    "bytes of all values": lambda: bytes(range(256)),
    "zip archive": lambda: b"PK\x03\x04" + RNG.bytes(400),
    "zeros": lambda: bytes(1000),
    "random bytes": lambda: RNG.bytes(3000),
    "half of a file": cut(700),
    "one byte short": cut(-1),
    "no nodes": stored(lambda m: m.graph.ClearField("node")),
    "no input": stored(lambda m: m.graph.ClearField("input")),
    "no output": stored(lambda m: m.graph.ClearField("output")),
    "two inputs": stored(lambda m: m.graph.input.add(name="other")),
    "two outputs": stored(lambda m: m.graph.output.add(name="act1_out")),
    "output from nowhere": stored(lambda m: setattr(m.graph.output[0], "name", "nothing")),
    "missing weights": stored(lambda m: m.graph.initializer.remove(constant(m, "fc1.weight"))),
    "weights twice": stored(lambda m: m.graph.initializer.append(constant(m, "fc1.weight"))),
    "tensor given twice": stored(lambda m: node(m, "bn1").output.__setitem__(0, "act1_out")),
    "node gives the input": stored(lambda m: node(m, "flatten").output.__setitem__(0, "image")),
    "cycle": rewire("bn1", 0, "act1_out"),
    "node reads itself": rewire("bn1", 0, "bn1_out"),
    "input from nowhere": rewire("fc2_matmul", 0, "nothing"),
    "empty input": rewire("fc2_matmul", 0, ""),
    "empty output": stored(lambda m: node(m, "act1").output.__setitem__(0, "")),
    "sparse weights": stored(lambda m: m.graph.sparse_initializer.add()),
    "shape without data": declare("fc1.weight", [16, 6]),
    "2 GB declared": declare("fc1.weight", HUGE),
    "2^80 values declared": declare("fc1.weight", [1 << 40, 1 << 40]),
    "negative size": declare("fc1.weight", [-16, 6]),
    "shape of other data": declare("fc1.weight", [16, 7], keep=True),
    "double weights": put("fc1.weight", FLOATS, np.float64),
    "half weights": put("fc1.weight", FLOATS, np.float16),
    "unknown element type": stored(lambda m: setattr(constant(m, "fc1.weight"), "data_type", 99)),
    "odd bytes": stored(lambda m: setattr(constant(m, "fc1.weight"), "raw_data", b"123")),
    "outside the folder": external(location="../weights.bin"),
    "absolute path": external(location="/etc/passwd"),
    "file that is missing": external(location="weights.bin"),
    "no location": external(offset="0"),
    "location with a NUL": external(location="weights\0.bin"),
    "offset that is no number": external(location="net.onnx", offset="x"),
    "beyond the file's end": external(location="net.onnx", offset="0", length="99999999"),
    "opset 8": opsets(("", 8), ("qonnx.custom_op.general", 1)),
    "no opset": opsets(),
    "two opsets": opsets(("", 11), ("", 13)),
    "domain that is a module": domains("act1", "os"),
    "unknown custom operator": domains("act1", "qonnx.custom_op.general", "Trunc"),
    "Quant without a domain": domains("fc1_quant", ""),
    "Relu": ends_with("Relu"),
    "graph in an attribute": stored(with_subgraph),
    "attribute twice": attribute("bn1", "epsilon", 1e-3),
    "open height": shape(1, "height", 4),
    "size 0": shape(1, 0, 4),
    "four images": shape(4, 4, 4),
    "five axes": shape(1, 1, 1, 4, 4),
    "no axes": shape(),
    "integer input": element(TensorProto.INT64),
    "unknown input type": element(77),
    "signed pixels": datatype("INT8"),
    "float pixels": datatype("FLOAT32"),
    "NaN weight": spoil("fc1.weight", np.nan),
    "infinite scale": put("fc1.scale", np.inf),
    "NaN zero point": put("fc1.zero", np.nan),
    "scale 0": put("fc1.scale", 0.0),
    "NaN bits": put("fc1.bits", np.nan),
    "1.5 bits": put("fc1.bits", 1.5),
    "0 bits": put("fc1.bits", 0.0),
    "2^31 bits": put("fc1.bits", 2.0**31),
    "NaN mean": spoil("bn1.2", np.nan),
    "infinite shift": spoil("bn1.1", np.inf),
    "negative variance": spoil("bn1.3", -3.0),
    "five variances": put("bn1.3", np.ones(5)),
    "no variance": stored(lambda m: node(m, "bn1").input.pop()),
    "activation scale below 0": put("act1.0", -1.0),
    "activation scale 0": put("act1.0", 0.0),
    "activation scales": put("act1.0", np.ones(6)),
    "zero point off the grid": put("fc1.zero", -0.1),
    "no outputs": first_product(np.zeros((16, 0))),
    "no rows": first_product(np.zeros((0, 6))),
    "weights of three axes": first_product(np.ones((1, 16, 6))),
    "weights of another width": first_product(np.ones((15, 6))),
    "float weights": first_product(FLOATS),
    "8-bit weights": first_product(FLOATS, bits=8.0, scale=0.05),
    "3-bit weights off the grid": first_product(FLOATS * 2, bits=3.0, zero=0.3),
    "rounding mode": first_product(FLOATS, bits=2.0, mode="SIDEWAYS"),
    "ternary off the grid": first_product(FLOATS, bits=2.0, zero=0.3),
    "scales per input": first_product(FLOATS, bits=2.0, scale=np.ones((16, 1))),
    "5-bit activation": activation("Quant", 1.0, 0.0, 5.0, **UNSIGNED),
    "activation of scale 0": activation("Quant", 0.0, 0.0, 2.0, **UNSIGNED),
    "activation of two scales": activation("Quant", [1.0, 2.0], 0.0, 2.0, **UNSIGNED),
    "activation with a NaN": activation("Quant", 1.0, np.nan, 2.0, **UNSIGNED),
    "16 thresholds": activation("MultiThreshold", np.ones((6, 16)), out_dtype="UINT5"),
    "thresholds of 4 channels": activation("MultiThreshold", np.ones((4, 2)), out_dtype="UINT2"),
    "a threshold that is NaN": activation("MultiThreshold", [[0, np.nan]], out_dtype="UINT2"),
    "falling thresholds": activation("MultiThreshold", [[0, 1]], out_dtype="UINT2", out_scale=-1.0),
    "Clip inside a Quant": lambda: clipped().model(3),
    "Sigmoid activation": activation("Sigmoid"),
    "no activation": sums_only,
    "bits at the end": ends_with_bits,
    "two chains": residual,
    "weights from the image": dynamic_weights,
    "scores times -1": ends_with("Mul", -1.0),
    "scores times 0": ends_with("Mul", 0.0),
    "scales per class": ends_with("Mul", [1.0, 2.0, 3.0]),
    "BatchNorm of scores": ends_with("BatchNormalization", *np.ones((4, 3))),
    "Div by 0": ends_with("Div", 0.0),
    "NaN bias": ends_with("Add", [np.nan, 0.0, 1.0]),
    "squared scores": ends_with("Pow", 2.0),
    "softmax over images": ends_with("Softmax", axis=0),
    "smallest class": ends_with("ReduceMin", keepdims=1),
    "transposed batch": ends_with("Transpose", perm=[1, 0]),
    "Conv pads with 0": lambda: finished(conv_base(pads=(1, 1, 1, 1)), 128),
    "Conv with negative pads": lambda: finished(conv_base(pads=(-1, 0, 0, 0)), 60),
    "dilated Conv": lambda: finished(conv_base(dilations=[2, 2]), 32),
    "grouped Conv": lambda: finished(conv_base(group=2), 72),
    "stride 0": lambda: finished(conv_base(stride=(0, 1)), 72),
    "automatic pads": lambda: finished(conv_base(auto_pad="SAME_UPPER"), 128),
    "Pad with 0": lambda: padded(0.0),
    "reflected Pad": lambda: padded(mode=b"reflect"),
    "Pad of a mode that is no text": lambda: padded(mode=b"\xff\xfe"),
    "Pad by -1": lambda: padded(pads=(-1, 0, 0, 0)),
    "Pad by 2^30": lambda: padded(pads=(1 << 30, 0, 1 << 30, 0)),
    "pooled pixels": pooled_pixels,
    "ceiling of a pool": lambda: pooled(ceil_mode=1),
    "kernel beyond the map": lambda: pooled(kernel_shape=[20, 20]),
    "pool of three axes": lambda: pooled(kernel_shape=[2, 2, 2]),
    "pool of rounded bits": half_even_pool,
    "mean per channel": per_channel_pixels,
    "16 levels of pixels": coarse_pixels,
}


def content(name: str) -> bytes:
    """Return a damaged file."""
    made = DAMAGED[name]()
    return made if isinstance(made, bytes) else made.SerializeToString()
