"""Read an ONNX file that anybody may have written: its structure is checked before any pass sees it.

qonnx imports a node's domain as a Python module and its passes trust names, shapes and sizes; so all of these
are checked here, and whatever is wrong is named in one sentence.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sized
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from onnx import AttributeProto, ModelProto, NodeProto, TensorProto, defs

from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.finn_ops import CUSTOM, DOMAINS, KNOWN, SUPPORTED
from sbnn.hls.network import MAX_WEIGHTS

OLDEST_OPSET = 9
# onnx's shape inference divides by these without looking: a stride of 0 ends the process.
POSITIVE = ("strides", "dilations", "kernel_shape", "group")
LARGEST = 1 << 16
# Bytes per value of the element types that a parameter may have.
SIZES: dict[int, int] = {
    TensorProto.FLOAT: 4,
    TensorProto.INT64: 8,
    TensorProto.INT32: 4,
    TensorProto.INT8: 1,
    TensorProto.UINT8: 1,
    TensorProto.BOOL: 1,
}


def read_file(path: Path) -> ModelProto:
    """Return the graph of a .onnx file, with what it keeps in other files of its folder.

    Raises:
        LoweringError: not ONNX, or a graph that contradicts itself.
        OSError: the file cannot be read.
    """
    try:
        model: ModelProto = ModelProto.FromString(path.read_bytes())
    except DecodeError as error:
        raise LoweringError(f"{path}: not an ONNX file ({error})") from error
    if not model.graph.node:
        raise LoweringError(f"{path}: not an ONNX file, it has no nodes")
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            _load_external(tensor, path)
    check_graph(model)
    return model


def check_graph(model: ModelProto) -> None:
    """Raise `LoweringError` where a graph contradicts itself or holds an operator that nothing here knows."""
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] < OLDEST_OPSET:
        said = ", ".join(map(str, versions)) or "none"
        raise LoweringError(f"graph says opset {said}, needs one of at least {OLDEST_OPSET}")
    if model.graph.sparse_initializer:
        name = model.graph.sparse_initializer[0].values.name
        raise LoweringError(f"initializer {name}: is stored sparse, needs a plain tensor")
    for tensor in model.graph.initializer:
        check_tensor(tensor, f"initializer {tensor.name}")
    for index, node in enumerate(model.graph.node):
        _check_node(node, _name(node, index))
        if node.op_type not in CUSTOM:
            _check_schema(node, _name(node, index), versions[0])
    _check_names(model)
    _check_order(model)


def check_tensor(tensor: TensorProto, where: str) -> None:
    """Raise `LoweringError` where a stored tensor's shape, type and content do not belong together."""
    dims = tuple(tensor.dims)
    if any(n < 0 for n in dims) or math.prod(dims) > MAX_WEIGHTS:
        raise LoweringError(f"{where}: has the shape {dims}, at most {MAX_WEIGHTS} values are read")
    if tensor.data_type not in SIZES:
        known = TensorProto.DataType.values()
        kind = tensor.data_type
        named = TensorProto.DataType.Name(kind) if kind in known else f"type {kind}"
        raise LoweringError(f"{where}: holds {named}, needs FLOAT or integers")
    if tensor.data_location == TensorProto.EXTERNAL:
        raise LoweringError(f"{where}: lies in another file, only whole models in files have those")
    values = math.prod(dims)
    found = len(tensor.raw_data) // SIZES[tensor.data_type]
    if not tensor.raw_data:
        typed: dict[int, Sized] = {
            TensorProto.FLOAT: tensor.float_data,
            TensorProto.INT64: tensor.int64_data,
        }
        found = len(typed.get(tensor.data_type, tensor.int32_data))
    elif len(tensor.raw_data) % SIZES[tensor.data_type]:
        found = -1
    if found != values:
        stored = f"{found} values" if found >= 0 else f"{len(tensor.raw_data)} bytes"
        raise LoweringError(f"{where}: has the shape {dims} and {stored}, needs {values} values")


def _load_external(tensor: TensorProto, path: Path) -> None:
    """Fill a tensor from the file in the model's folder that it names."""
    where = f"initializer {tensor.name}"
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    folder = path.parent.resolve()
    source = (folder / location).resolve() if "\0" not in location else folder
    if not location or source.parent != folder:
        raise LoweringError(f"{where}: lies in {location!r}, needs a file beside {path.name}")
    if not source.is_file():
        raise LoweringError(f"{where}: lies in {location!r}, which does not exist")
    dims = tuple(tensor.dims)
    if any(n < 0 for n in dims) or math.prod(dims) > MAX_WEIGHTS:
        raise LoweringError(f"{where}: has the shape {dims}, at most {MAX_WEIGHTS} values are read")
    try:
        offset = int(entries.get("offset", "0"))
        size = int(entries.get("length", str(source.stat().st_size - offset)))
    except ValueError as error:
        raise LoweringError(f"{where}: offset or length is no number") from error
    needed = math.prod(dims) * SIZES.get(tensor.data_type, 0)
    if size != needed or offset < 0 or offset + size > source.stat().st_size:
        raise LoweringError(
            f"{where}: bytes {offset} to {offset + size} of {location!r}, which has "
            f"{source.stat().st_size}; needs {needed} of them"
        )
    tensor.raw_data = np.fromfile(source, np.uint8, size, offset=offset).tobytes()
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]


def _name(node: NodeProto, index: int) -> str:
    return node.name or f"{node.op_type}_{index}"


def _check_node(node: NodeProto, name: str) -> None:
    if node.domain not in ("", "ai.onnx", *DOMAINS):
        raise LoweringError(
            f"node {name}: {node.op_type} of the domain {node.domain!r} is not supported; supported are "
            f"ONNX and {', '.join(DOMAINS)}"
        )
    if node.op_type not in KNOWN:
        raise LoweringError(
            f"node {name}: {node.op_type} is not supported; supported are {', '.join(SUPPORTED)}"
        )
    least, most, outputs = KNOWN[node.op_type]
    if not (least <= len(node.input) <= most and 1 <= len(node.output) <= outputs):
        raise LoweringError(
            f"node {name}: {node.op_type} has {len(node.input)} inputs and {len(node.output)} outputs, needs "
            f"{least} to {most} and 1 to {outputs}"
        )
    if any(not tensor for tensor in node.input[:least]) or not node.output[0]:
        raise LoweringError(f"node {name}: {node.op_type} lacks an input or an output")
    if (node.op_type in CUSTOM) == (node.domain in ("", "ai.onnx")):
        raise LoweringError(
            f"node {name}: {node.op_type} is not in the domain {node.domain!r}, custom operators need one of "
            f"{', '.join(DOMAINS)} and others none"
        )
    counts = Counter(attribute.name for attribute in node.attribute)
    for attribute in node.attribute:
        if counts[attribute.name] > 1:
            raise LoweringError(f"node {name}: has the attribute {attribute.name!r} twice")
        if attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS):
            raise LoweringError(f"node {name}: holds a graph, supported is one chain of nodes")
        for text in (attribute.s, *attribute.strings):
            if not _is_text(text):
                raise LoweringError(
                    f"node {name}: the attribute {attribute.name!r} is no UTF-8 text"
                )
        if attribute.type == AttributeProto.TENSOR:
            check_tensor(attribute.t, f"node {name}")
        sizes = [*attribute.ints, attribute.i] if not attribute.ints else attribute.ints
        if attribute.name in POSITIVE and not all(1 <= n <= LARGEST for n in sizes):
            raise LoweringError(
                f"node {name}: {attribute.name} is {tuple(sizes)}, needs numbers from 1 to {LARGEST}"
            )


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _check_schema(node: NodeProto, name: str, version: int) -> None:
    """Refuse attributes that ONNX does not know for an operator, and the lack of those that it needs."""
    try:
        known: Mapping[str, Any] = defs.get_schema(node.op_type, version, "").attributes
    except defs.SchemaError as error:
        raise LoweringError(f"node {name}: opset {version} has no {node.op_type}") from error
    given = {attribute.name: attribute.type for attribute in node.attribute}
    for key, kind in given.items():
        if key not in known or int(known[key].type) != kind:
            raise LoweringError(
                f"node {name}: {node.op_type} has no attribute {key!r} of this type"
            )
    for key, attribute in known.items():
        if attribute.required and key not in given:
            raise LoweringError(f"node {name}: {node.op_type} lacks the attribute {key!r}")


def _check_names(model: ModelProto) -> None:
    """Refuse tensors that come from nowhere or from two places."""
    constants = [tensor.name for tensor in model.graph.initializer]
    inputs = [value.name for value in model.graph.input if value.name not in constants]
    outputs = [tensor for node in model.graph.node for tensor in node.output if tensor]
    twice = [name for name, count in Counter([*constants, *inputs, *outputs]).items() if count > 1]
    if twice:
        raise LoweringError(f"tensor {twice[0]!r} is defined twice")
    known = {*constants, *inputs, *outputs}
    for index, node in enumerate(model.graph.node):
        missing = [tensor for tensor in node.input if tensor and tensor not in known]
        if missing:
            raise LoweringError(
                f"node {_name(node, index)}: reads the tensor {missing[0]!r}, which nothing gives"
            )
    for value in model.graph.output:
        if value.name not in outputs:
            raise LoweringError(f"graph output {value.name!r} is given by no node")


def _check_order(model: ModelProto) -> None:
    """Refuse cycles; nodes may stand in any order."""
    made = {tensor for node in model.graph.node for tensor in node.output}
    waiting = list(enumerate(model.graph.node))
    while waiting:
        left = [(i, n) for i, n in waiting if any(tensor in made for tensor in n.input)]
        if len(left) == len(waiting):
            names = ", ".join(_name(node, index) for index, node in left[:4])
            raise LoweringError(f"nodes {names}: wait for each other, a cycle")
        made = {tensor for _, node in left for tensor in node.output}
        waiting = left
