"""What stands behind the scores: dropped where it cannot change which one is largest."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from qonnx.core.modelwrapper import ModelWrapper

from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.finn_ops import AFFINE, PRODUCTS, SHAPING

RISING = ("Softmax", "LogSoftmax", "Exp", "Log", "Sigmoid", "Tanh", "Softplus", "Identity", "Cast")
KEPT = (*AFFINE[:-1], *RISING, *SHAPING, "Pow", "Sqrt", "Reduce...", "ArgMax", "TopK")


@dataclass(frozen=True)
class _Seen:
    """What is known of a tensor behind the scores.

    Attributes:
        ranked: its values stand in the order of the scores.
        common: it is one value for all classes.
        sign: 1 above 0, 0 at least 0, -1 unknown.
        chosen: it names the class.
    """

    ranked: bool = False
    common: bool = False
    sign: int = -1
    chosen: bool = False


def drop_tail(model: ModelWrapper) -> bool:
    """Cut a graph behind its scores where the rest keeps their order; return whether anything was cut.

    A tail of scalings and biases only is kept: the reader takes it as it is.

    Raises:
        LoweringError: something behind the scores may change the class; names the node.
    """
    products = [node for node in model.graph.node if node.op_type in PRODUCTS]
    if not products:
        return False
    tensor = _last_affine(model, products[-1].output[0])
    outputs = [value.name for value in model.graph.output]
    behind = _behind(model, tensor)
    if not behind:
        return False
    if any(node.op_type in ("BipolarQuant", "Quant", "MaxPool", "Pad") for node in behind):
        return False  # the reader says what it misses
    seen = {tensor: _Seen(ranked=True)}
    for node in behind:
        for index, output in enumerate(node.output):
            seen[output] = _judge(model, node, index, seen)
    for name in outputs:
        found = seen.get(name, _Seen())
        if not (found.ranked or found.chosen):
            node = next(n for n in behind if name in n.output) if name in seen else behind[0]
            guilty = next((n for n in behind if not any(_known(seen[o]) for o in n.output)), node)
            raise LoweringError(
                f"node {guilty.name}: {guilty.op_type} behind the scores may change which one is largest; "
                f"supported there are {', '.join(KEPT)} that cannot"
            )
    for node in behind:
        model.graph.node.remove(node)
    shape = model.get_tensor_shape(tensor)
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(tensor, TensorProto.FLOAT, shape))
    for value in list(model.graph.value_info):
        if value.name == tensor:
            model.graph.value_info.remove(value)
    return True


def _known(found: _Seen) -> bool:
    return found.ranked or found.common or found.chosen or found.sign >= 0


def _last_affine(model: ModelWrapper, tensor: str) -> str:
    """Follow scalings, biases and reshapings behind the last product, as the reader will."""
    outputs = {value.name for value in model.graph.output}
    while tensor not in outputs:
        consumers = [node for node in model.graph.node if tensor in node.input]
        if len(consumers) != 1 or consumers[0].op_type not in (*AFFINE, *SHAPING):
            break
        node = consumers[0]
        others = [name for name in node.input if name != tensor]
        if any(model.get_initializer(name) is None for name in others):
            break
        tensor = node.output[0]
    return tensor


def _behind(model: ModelWrapper, tensor: str) -> list[Any]:
    """Return the nodes that depend on a tensor, in graph order."""
    reached, found = {tensor}, []
    for node in model.graph.node:
        if reached & set(node.input):
            found.append(node)
            reached.update(node.output)
    return found


def _judge(model: ModelWrapper, node: Any, index: int, seen: dict[str, _Seen]) -> _Seen:
    """Return what is known of output `index` of a node."""
    operands = [seen.get(name) or _constant(model, name) for name in node.input if name]
    first, op = operands[0], node.op_type
    one = int(np.prod(model.get_tensor_shape(node.output[index]) or (0,))) == 1
    sign = _power(model, node, first) if op == "Pow" else _sign(op, operands)
    if op in ("ArgMax", "TopK"):
        attributes = {a.name: a.i for a in node.attribute}
        largest = attributes.get("largest", 1) and attributes.get("sorted", 1)
        last = len(model.get_tensor_shape(node.input[0]) or ()) - 1
        axis = attributes.get("axis", 0 if op == "ArgMax" else -1) in (-1, last)
        fits = first.ranked and largest and axis and not attributes.get("select_last_index", 0)
        return _Seen(chosen=bool(fits))
    if one:
        return _Seen(common=True, sign=sign)
    if op in RISING:
        fits = first.ranked and (op not in ("Softmax", "LogSoftmax") or _over_classes(model, node))
        return _Seen(ranked=fits, sign=sign)
    if op in SHAPING:
        return _Seen(first.ranked, first.common, sign, first.chosen)
    if op in ("Add", "Sub", "Mul", "Div"):
        second = operands[1]
        if op in ("Add", "Mul") and second.ranked:
            first, second = second, first
        above = op in ("Add", "Sub") or second.sign == 1
        return _Seen(ranked=first.ranked and second.common and above, sign=sign)
    return _Seen(sign=sign)


def _sign(op: str, operands: list[_Seen]) -> int:
    """Return 1 where a result is above 0 whatever the scores are, 0 where it is at least 0, else -1."""
    signs = [operand.sign for operand in operands]
    if op in ("Exp", "Softmax", "Sigmoid", "Softplus"):
        return 1
    if op == "Abs":
        return 0
    if op in (
        "Sqrt",
        "Identity",
        "Cast",
        *SHAPING,
        "ReduceMean",
        "ReduceSum",
        "ReduceMax",
        "ReduceMin",
    ):
        return signs[0]
    if op == "Add":
        return max(signs) if min(signs) >= 0 else -1
    if op in ("Mul", "Div"):
        return min(signs)
    return -1


def _power(model: ModelWrapper, node: Any, base: _Seen) -> int:
    exponent = model.get_initializer(node.input[1])
    if exponent is None or exponent.size != 1:
        return -1
    return max(base.sign, 0) if float(exponent.reshape(-1)[0]) % 2 == 0 else base.sign


def _constant(model: ModelWrapper, name: str) -> _Seen:
    value = model.get_initializer(name)
    if value is None:
        return _Seen()
    if not np.isfinite(value).all():
        return _Seen()
    equal = value.size > 0 and bool((value == value.reshape(-1)[0]).all())
    sign = 1 if (value > 0).all() else 0 if (value >= 0).all() else -1
    return _Seen(common=equal, sign=sign)


def _over_classes(model: ModelWrapper, node: Any) -> bool:
    """Whether a softmax runs over the one axis that has more than one value."""
    shape = tuple(model.get_tensor_shape(node.input[0]) or ())
    axis = next((a.i for a in node.attribute if a.name == "axis"), -1)
    # Up to opset 12 an axis stands for itself and all behind it; the other axes hold one value.
    return -len(shape) <= axis < len(shape) and shape[axis] == int(np.prod(shape))
