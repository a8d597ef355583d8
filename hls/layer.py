"""One layer of the integer network.

Values are unsigned; a bit stands for -1 or +1. For an input vector x with sum S, output j of a layer with
P[j] = sum of weight[j, i] * x[i] computes, all in integers (xi = xi_num / 2**xi_frac),

    A[j] = (P[j] << xi_frac) + xi_num[j] * S
    hidden layer:  y[j] = sum over its levels l of (A[j] >= threshold[j, l]) ^ invert[j]
    last layer:    score[j] = 2 * A[j] + offset[j]      class = argmax, ties to the lowest index

which is z = eta*(z' + xi*q) of Schiavone et al. 2023 (Eq. 4 and 5; Eq. 20 corrected), divided by the
positive eta and with BatchNorm and activation folded into `threshold` and `invert`. One level gives a bit.
Weights of 0 and 1 are the paper's; a weight of several bits is a sum of such planes, and a negative one is
a weight of the input's complement (`rails`). A convolution does this at every position of its window; a
max pool of bits is such a layer too, with one connection per tap and threshold 1. A max pool of values of
several bits has no sum: it gives the largest of a channel's taps, or the smallest where `invert` is set.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sbnn.hls.maps import FeatureMap, Window
from sbnn.train.errors import UserError

MAX_XI_FRAC = 16
MAX_WEIGHT = 15
MAX_LEVELS = 15

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
WeightArray = NDArray[np.uint8]


class NetworkError(UserError):
    """The integer network, or the file that should hold one, is not valid."""


@dataclass(frozen=True, eq=False)
class SparseLayer:
    """A sparse layer: MH outputs over MW inputs, at one place or at every position of a window.

    Attributes:
        name: Verilog identifier, unique in the network.
        weight: (MH, MW) uint8, 0 to `MAX_WEIGHT`; 0 is no connection.
        xi_num: (MH,) int64, numerator of xi per output; all equal where xi is per layer.
        xi_frac: F, xi = xi_num / 2**F.
        rails: 1, or 2 when the layer sees its n inputs x followed by their complements peak - x
            (MW = 2n); S is then n * peak.
        window: of a convolution or a pool, None where the layer sees its whole input at once.
        value_bits: bits of each incoming value.
        pool: the layer is a max pool; its connections are no weights.
        threshold: (MH, L) int64, L = 1 to `MAX_LEVELS` levels that ascend in each row; hidden layers
            only, and no pools of several bits.
        invert: (MH,) bool, hidden layers only: the BatchNorm scale was negative.
        offset: (MH,) int64, last layer only.
    """

    name: str
    weight: WeightArray
    xi_num: IntArray
    xi_frac: int
    rails: int = 1
    window: Window | None = None
    value_bits: int = 1
    pool: bool = False
    threshold: IntArray | None = None
    invert: BoolArray | None = None
    offset: IntArray | None = None

    @property
    def mh(self) -> int:
        """Number of outputs."""
        return int(self.weight.shape[0])

    @property
    def mw(self) -> int:
        """Number of columns of the weights (both rails)."""
        return int(self.weight.shape[1])

    @property
    def w01(self) -> BoolArray:
        """The connections, (MH, MW) bool."""
        return np.asarray(self.weight > 0)

    @property
    def weight_bits(self) -> int:
        """Bits of the largest weight, at least 1."""
        return max(1, int(self.weight.max(initial=0)).bit_length())

    @property
    def inputs(self) -> int:
        """Number of input values that one output vector sees (one rail)."""
        return self.mw // self.rails

    @property
    def ones(self) -> int:
        """Number of connections."""
        return int(np.count_nonzero(self.weight))

    @property
    def in_bits(self) -> int:
        """Bits of one input vector."""
        return self.inputs * self.value_bits

    @property
    def peak(self) -> int:
        """The largest value of one input."""
        return (1 << self.value_bits) - 1

    @property
    def is_wide_pool(self) -> bool:
        """Whether the layer is a max pool of values of several bits, which counts nothing."""
        return self.pool and self.value_bits > 1

    @property
    def levels(self) -> int:
        """The largest value of one output: thresholds per neuron, 0 in the last layer."""
        if self.is_wide_pool:
            return self.peak
        return 0 if self.threshold is None else int(self.threshold.shape[1])

    @property
    def output(self) -> FeatureMap:
        """The map of outputs."""
        rows, columns = self.window.output if self.window is not None else (1, 1)
        return FeatureMap(rows, columns, self.mh, max(1, self.levels.bit_length()))

    @property
    def is_last(self) -> bool:
        """Whether the layer gives scores rather than bits."""
        return self.offset is not None

    @cached_property  # asked once per neuron: without, 120 of 203 s at a million ones
    def reach(self) -> tuple[IntArray, IntArray]:
        """The smallest and largest A[j] over all inputs, each (MH,) int64.

        Every input is free to be 0 or `peak`, so each adds its own extreme: of its coefficient
        (weight << F) + xi_num with one rail, of its two weights with two, where S is constant.
        """
        if self.rails == 2:
            plain, complemented = self.weight[:, : self.inputs], self.weight[:, self.inputs :]
            shared = self.xi_num * self.inputs * self.peak
            least = np.minimum(plain, complemented).sum(1, dtype=np.int64) * self.peak
            most = np.maximum(plain, complemented).sum(1, dtype=np.int64) * self.peak
            return (least << self.xi_frac) + shared, (most << self.xi_frac) + shared
        low, high = np.zeros((2, self.mh), np.int64)
        for value in range(int(self.weight.max(initial=0)) + 1):
            step = (value << self.xi_frac) + self.xi_num
            times = (self.weight == value).sum(1, dtype=np.int64) * self.peak
            low += np.minimum(step, 0) * times
            high += np.maximum(step, 0) * times
        return low, high


def check_place(layer: SparseLayer, seen: FeatureMap) -> None:
    """Raise `NetworkError` where a layer does not fit the map before it."""
    where = f"layer {layer.name}"
    if layer.value_bits != seen.bits:
        raise NetworkError(
            f"{where}: takes {layer.value_bits}-bit values, gets {seen.bits}-bit ones"
        )
    window = layer.window
    if window is None:
        if layer.mw != seen.values * layer.rails:
            raise NetworkError(
                f"{where}: weight has {layer.mw} columns, needs {seen.values * layer.rails}"
            )
        return
    if (window.rows, window.columns) != (seen.height, seen.width):
        raise NetworkError(
            f"{where}: window over {window.rows} x {window.columns} positions, gets "
            f"{seen.height} x {seen.width}"
        )
    if min(*window.kernel, *window.stride) < 1 or min(window.padding) < 0:
        raise NetworkError(f"{where}: kernel and stride need at least 1, padding at least 0")
    if min(window.output) < 1:
        raise NetworkError(
            f"{where}: a kernel of {window.kernel} does not fit in {window.padded} positions"
        )
    if layer.mw != window.taps * seen.channels * layer.rails:
        raise NetworkError(
            f"{where}: weight has {layer.mw} columns, needs "
            f"{window.taps * seen.channels * layer.rails}"
        )
    if layer.is_last and layer.output.positions != 1:
        raise NetworkError(
            f"{where}: gives scores at {layer.output.positions} positions, needs one"
        )


def check_layer(layer: SparseLayer, last: bool) -> None:
    """Raise `NetworkError` where a layer contradicts itself."""
    where = f"layer {layer.name}"
    if layer.weight.dtype != np.uint8 or layer.weight.ndim != 2:
        raise NetworkError(f"{where}: weight is {layer.weight.dtype}, needs a 2-D uint8 array")
    if layer.weight.max(initial=0) > MAX_WEIGHT:
        raise NetworkError(f"{where}: a weight is {layer.weight.max()}, needs at most {MAX_WEIGHT}")
    if layer.rails not in (1, 2):
        raise NetworkError(f"{where}: {layer.rails} rails, needs 1 or 2")
    if not 0 <= layer.xi_frac <= MAX_XI_FRAC:
        raise NetworkError(f"{where}: xi_frac is {layer.xi_frac}, needs 0 to {MAX_XI_FRAC}")
    levels = layer.threshold.shape[1:] if layer.threshold is not None else ()
    wanted = {"xi_num": (np.int64, ())} | (
        {"offset": (np.int64, ())}
        if last
        else {"invert": (np.bool_, ())}
        if layer.is_wide_pool
        else {"threshold": (np.int64, levels or (1,)), "invert": (np.bool_, ())}
    )
    for key in ("xi_num", "threshold", "invert", "offset"):
        value = getattr(layer, key)
        if (value is not None) != (key in wanted):
            state = "needs" if key in wanted else "cannot have"
            raise NetworkError(f"{where}: {state} {key}")
        if value is None:
            continue
        dtype, more = wanted[key]
        if value.shape != (layer.mh, *more) or value.dtype != dtype:
            raise NetworkError(
                f"{where}: {key} is {value.dtype} {value.shape}, needs {np.dtype(dtype)} "
                f"{(layer.mh, *more)}"
            )
    if layer.threshold is not None:
        _check_levels(where, layer.threshold)
    if layer.is_wide_pool:
        _check_wide_pool(where, layer)
    # 2**40 leaves the sums of reach and the reference far inside int64 and inside float64's integers.
    shared = np.abs(layer.xi_num).max() * layer.mw * layer.peak
    others = [array for array in (layer.threshold, layer.offset) if array is not None]
    if max([shared, *(np.abs(array).max() for array in others)]) > 1 << 40:
        raise NetworkError(f"{where}: xi, threshold or offset is beyond 2**40")


def _check_levels(where: str, threshold: IntArray) -> None:
    if threshold.ndim != 2 or not 1 <= threshold.shape[1] <= MAX_LEVELS:
        raise NetworkError(
            f"{where}: threshold has shape {threshold.shape}, needs 1 to {MAX_LEVELS} levels an output"
        )
    falling = np.flatnonzero((np.diff(threshold, axis=1) < 0).any(axis=1))
    if falling.size:
        raise NetworkError(
            f"{where}: the levels of output {falling[0]} are {threshold[falling[0]].tolist()}, "
            "need to ascend"
        )


def _check_wide_pool(where: str, layer: SparseLayer) -> None:
    taps = layer.inputs // layer.mh
    if (
        layer.rails != 1
        or layer.xi_num.any()
        or not np.array_equal(layer.weight, np.tile(np.eye(layer.mh), (1, taps)))
    ):
        raise NetworkError(
            f"{where}: pools {layer.value_bits}-bit values, needs weight 1 for each tap of its own "
            "channel and nothing else"
        )
