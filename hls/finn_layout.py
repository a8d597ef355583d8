"""Which value of a map each element of an ONNX tensor is, and the windows of Conv and MaxPool nodes."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from sbnn.hls.finn_constants import LoweringError, read_constant
from sbnn.hls.layer import IntArray, WeightArray
from sbnn.hls.maps import FeatureMap, Window
from sbnn.hls.network import InputEncoding


@dataclass(frozen=True, eq=False)
class Layout:
    """The elements of a tensor in terms of a map.

    Attributes:
        seen: the map.
        order: shaped like the tensor without its batch axis: each element's index in the map's flat order
            (row, column, channel).
    """

    seen: FeatureMap
    order: IntArray

    @staticmethod
    def of_image(encoding: InputEncoding) -> "Layout":
        """Return the layout of images as they come, (height, width[, channels])."""
        return Layout(encoding.map, np.arange(encoding.values).reshape(encoding.shape))

    @staticmethod
    def of_vector(values: int) -> "Layout":
        """Return the layout of a MatMul's outputs."""
        return Layout(FeatureMap(1, 1, values), np.arange(values))

    @staticmethod
    def of_map(seen: FeatureMap) -> "Layout":
        """Return the layout of a Conv's outputs, (channels, height, width)."""
        return Layout(seen, _channels_first(seen))

    def moved(self, node: Any, shape: tuple[int, ...]) -> "Layout":
        """Return the layout behind a node that only moves values, whose output has `shape`."""
        if not shape or shape[0] != 1 or math.prod(shape) != self.order.size:
            raise LoweringError(
                f"node {node.name}: {node.op_type} gives the shape {shape}, needs the image axis first"
            )
        order = self.order
        if node.op_type == "Transpose":
            axes = range(order.ndim + 1)
            perm = next(
                (list(a.ints) for a in node.attribute if a.name == "perm"), list(axes)[::-1]
            )
            if perm[0] != 0:
                raise LoweringError(f"node {node.name}: Transpose moves the image axis")
            order = order.transpose([axis - 1 for axis in perm[1:]])
        return Layout(self.seen, order.reshape(shape[1:]))

    def inputs(self, node: Any) -> int:
        """Return what the second-last (MatMul) or second (Conv) axis of a product's weights has."""
        if node.op_type == "Conv":
            self.check_channels_first(node)
            return self.seen.channels
        if self.order.ndim != 1:
            raise LoweringError(
                f"node {node.name}: MatMul reads the shape {(1, *self.order.shape)}, needs (1, inputs)"
            )
        return self.order.size

    def check_channels_first(self, node: Any) -> None:
        """Raise `LoweringError` where a tensor is not (channels, height, width) of its map."""
        if not np.array_equal(self.order, _channels_first(self.seen)):
            seen = self.seen
            raise LoweringError(
                f"node {node.name}: {node.op_type} reads the shape {(1, *self.order.shape)} of a map of "
                f"{seen.height} x {seen.width} positions with {seen.channels} channels, needs channels "
                "first"
            )

    def columns(self, weight: WeightArray) -> IntArray:
        """Return which column, in the map's or the window's order, stands at each place of stored weights.

        Args:
            weight: (MH, inputs) of a MatMul or (MH, channels, rows, columns) of a Conv.
        """
        if weight.ndim == 2:
            return self.order
        rows, columns = weight.shape[2:]
        return _channels_first(FeatureMap(rows, columns, self.seen.channels)).reshape(-1)

    def channel_axis(self) -> int:
        """Return the channels' axis, counted from the end, where per-channel constants lie."""
        return -3 if self.order.ndim == 3 else -1


def _channels_first(seen: FeatureMap) -> IntArray:
    order = np.arange(seen.values).reshape(seen.height, seen.width, seen.channels)
    return order.transpose(2, 0, 1)


def read_window(
    model: Any, node: Any, pad: Any | None, layout: Layout, weight: WeightArray
) -> Window:
    """Return the window of a Conv, with the padding of the Pad in front of it."""
    padding = _pads(model, pad) if pad is not None else (0, 0, 0, 0)
    own = _ints(node, "pads", (0, 0, 0, 0))
    if any(own):
        raise LoweringError(
            f"node {node.name}: pads with 0, which no bit stands for; needs a Pad with the lowest value "
            "in front"
        )
    kernel = tuple(int(n) for n in weight.shape[2:])
    return _window(node, layout, (kernel[0], kernel[1]), padding)


def read_pool_window(node: Any, layout: Layout) -> Window:
    """Return the window of a MaxPool; what it pads with never wins, and neither does a bit 0."""
    layout.check_channels_first(node)
    kernel = _ints(node, "kernel_shape", ())
    if len(kernel) != 2:
        raise LoweringError(f"node {node.name}: kernel_shape {kernel}, needs (rows, columns)")
    top, left, bottom, right = _ints(node, "pads", (0, 0, 0, 0))
    if _ints(node, "ceil_mode", (0,)) != (0,):
        raise LoweringError(f"node {node.name}: ceil_mode is not supported")
    return _window(node, layout, (kernel[0], kernel[1]), (top, left, bottom, right))


def _window(
    node: Any, layout: Layout, kernel: tuple[int, int], padding: tuple[int, int, int, int]
) -> Window:
    if any(n != 1 for n in (*_ints(node, "dilations", (1, 1)), *_ints(node, "group", (1,)))):
        raise LoweringError(f"node {node.name}: dilations and groups are not supported, needs 1")
    auto = next((a.s.decode() for a in node.attribute if a.name == "auto_pad"), "NOTSET")
    if auto not in ("NOTSET", "VALID"):
        raise LoweringError(f"node {node.name}: auto_pad {auto} is not supported, needs NOTSET")
    stride = _ints(node, "strides", (1, 1))
    seen = layout.seen
    window = Window(seen.height, seen.width, kernel, (stride[0], stride[1]), padding)
    if min(window.output) < 1:
        raise LoweringError(
            f"node {node.name}: a kernel of {kernel} does not fit in {window.padded} positions"
        )
    return window


def _pads(model: Any, pad: Any) -> tuple[int, int, int, int]:
    """Return (top, left, bottom, right) of a Pad of a (1, channels, height, width) tensor."""
    if len(pad.input) > 1:
        given = tuple(int(n) for n in read_constant(model, pad, pad.input[1]).reshape(-1))
    else:
        given = _ints(pad, "pads", ())
    if len(given) != 8 or any(given[i] for i in (0, 1, 4, 5)) or min(given) < 0:
        raise LoweringError(
            f"node {pad.name}: pads {given}, needs rows and columns of (1, C, H, W)"
        )
    return given[2], given[3], given[6], given[7]


def _ints(node: Any, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
    for attribute in node.attribute:
        if attribute.name == name:
            return tuple(attribute.ints) or (attribute.i,)
    return default
