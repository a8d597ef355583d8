"""One layer of the integer network.

Bits are {0,1} and stand for {-1,+1}. For an input vector x with sum S (its popcount), output j of a layer
with P[j] = sum of the connected inputs computes, all in integers (xi = xi_num / 2**xi_frac),

    A[j] = (P[j] << xi_frac) + xi_num[j] * S
    hidden layer:  y[j] = (A[j] >= threshold[j]) ^ invert[j]
    last layer:    score[j] = 2 * A[j] + offset[j]      class = argmax, ties to the lowest index

which is z = eta*(z' + xi*q) of Schiavone et al. 2023 (Eq. 4 and 5; Eq. 20 corrected), divided by the
positive eta and with BatchNorm and sign folded into `threshold` and `invert`. A convolution does this at
every position of its window; a max pool of bits is such a layer too, with one connection per tap and
threshold 1. Only the first layer may see more than bits: the 8-bit pixels themselves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sbnn.hls.maps import FeatureMap, Window
from sbnn.train.errors import UserError

MAX_XI_FRAC = 16

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class NetworkError(UserError):
    """The integer network, or the file that should hold one, is not valid."""


@dataclass(frozen=True, eq=False)
class SparseLayer:
    """A sparse binary layer: MH outputs over MW inputs, at one place or at every position of a window.

    Attributes:
        name: Verilog identifier, unique in the network.
        w01: (MH, MW) bool, the connections.
        xi_num: (MH,) int64, numerator of xi per output; all equal where xi is per layer.
        xi_frac: F, xi = xi_num / 2**F.
        rails: 1, or 2 when the layer sees its n input bits x followed by their complements ~x
            (MW = 2n); S is then n.
        window: of a convolution or a pool, None where the layer sees its whole input at once.
        value_bits: bits of each incoming value.
        pool: the layer is a max pool; its connections are no weights.
        threshold: (MH,) int64, hidden layers only.
        invert: (MH,) bool, hidden layers only: the BatchNorm scale was negative.
        offset: (MH,) int64, last layer only.
    """

    name: str
    w01: BoolArray
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
        return int(self.w01.shape[0])

    @property
    def mw(self) -> int:
        """Number of columns of w01 (both rails)."""
        return int(self.w01.shape[1])

    @property
    def inputs(self) -> int:
        """Number of input values that one output vector sees (one rail)."""
        return self.mw // self.rails

    @property
    def ones(self) -> int:
        """Number of connections."""
        return int(self.w01.sum())

    @property
    def in_bits(self) -> int:
        """Bits of one input vector."""
        return self.inputs * self.value_bits

    @property
    def peak(self) -> int:
        """The largest value of one input."""
        return (1 << self.value_bits) - 1

    @property
    def output(self) -> FeatureMap:
        """The map of outputs."""
        rows, columns = self.window.output if self.window is not None else (1, 1)
        return FeatureMap(rows, columns, self.mh)

    @property
    def is_last(self) -> bool:
        """Whether the layer gives scores rather than bits."""
        return self.offset is not None

    def reach(self) -> tuple[IntArray, IntArray]:
        """Return the smallest and largest A[j] over all inputs, each (MH,) int64.

        With one rail of bits, P ranges over 0..n and S over P..P+MW-n, so A is extreme in a corner
        of that parallelogram; values up to `peak` only stretch it. With two rails S is constant, and a
        row that holds both rails of an input always counts one of them.
        """
        if self.rails == 2:
            half = self.mw // 2
            both = (self.w01[:, :half] & self.w01[:, half:]).sum(1).astype(np.int64)
            either = (self.w01[:, :half] | self.w01[:, half:]).sum(1).astype(np.int64)
            shared = self.xi_num * half
            return (both << self.xi_frac) + shared, (either << self.xi_frac) + shared
        n = self.w01.sum(1).astype(np.int64) * self.peak
        corners = [
            (p << self.xi_frac) + self.xi_num * (p + rest)
            for p in (0 * n, n)
            for rest in (0 * n, self.mw * self.peak - n)
        ]
        return np.min(corners, axis=0), np.max(corners, axis=0)


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
                f"{where}: w01 has {layer.mw} columns, needs {seen.values * layer.rails}"
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
            f"{where}: w01 has {layer.mw} columns, needs "
            f"{window.taps * seen.channels * layer.rails}"
        )
    if layer.is_last and layer.output.positions != 1:
        raise NetworkError(
            f"{where}: gives scores at {layer.output.positions} positions, needs one"
        )


def check_layer(layer: SparseLayer, last: bool) -> None:
    """Raise `NetworkError` where a layer contradicts itself."""
    where = f"layer {layer.name}"
    if layer.w01.dtype != np.bool_ or layer.w01.ndim != 2:
        raise NetworkError(f"{where}: w01 is {layer.w01.dtype}, needs a 2-D bool array")
    if layer.rails not in (1, 2):
        raise NetworkError(f"{where}: {layer.rails} rails, needs 1 or 2")
    if layer.rails == 2 and layer.value_bits != 1:
        raise NetworkError(f"{where}: 2 rails of {layer.value_bits}-bit values, needs 1 rail")
    if not 0 <= layer.xi_frac <= MAX_XI_FRAC:
        raise NetworkError(f"{where}: xi_frac is {layer.xi_frac}, needs 0 to {MAX_XI_FRAC}")
    wanted = {"xi_num": np.int64} | (
        {"offset": np.int64} if last else {"threshold": np.int64, "invert": np.bool_}
    )
    for key in ("xi_num", "threshold", "invert", "offset"):
        value = getattr(layer, key)
        if (value is not None) != (key in wanted):
            state = "needs" if key in wanted else "cannot have"
            raise NetworkError(f"{where}: {state} {key}")
        if value is not None and (value.shape != (layer.mh,) or value.dtype != wanted[key]):
            raise NetworkError(
                f"{where}: {key} is {value.dtype} {value.shape}, needs {np.dtype(wanted[key])} "
                f"({layer.mh},)"
            )
    # 2**40 leaves the sums of reach() and the reference far inside int64 and inside float64's integers.
    if (
        max(
            np.abs(layer.xi_num).max() * layer.mw * layer.peak,
            *(
                np.abs(value).max()
                for value in (layer.threshold, layer.offset)
                if value is not None
            ),
        )
        > 1 << 40
    ):
        raise NetworkError(f"{where}: xi, threshold or offset is beyond 2**40")
