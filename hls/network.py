"""The integer network: the one truth that reference, RTL, reports, driver and tests all read.

Bits are {0,1} and stand for {-1,+1}. For an input vector x with popcount S, output j of a layer with
P[j] = popcount(x & w01[j]) computes, all in integers (xi = xi_num / 2**xi_frac),

    A[j] = (P[j] << xi_frac) + xi_num[j] * S
    hidden layer:  y[j] = (A[j] >= threshold[j]) ^ invert[j]
    last layer:    score[j] = 2 * A[j] + offset[j]      class = argmax, ties to the lowest index

which is z = eta*(z' + xi*q) of Schiavone et al. 2023 (Eq. 4 and 5; Eq. 20 corrected), divided by the
positive eta and with BatchNorm and sign folded into `threshold` and `invert`.
"""

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbnn.train.errors import UserError
from sbnn.train.files import write_atomic

FORMAT = "sbnn-network-1"
# A header is checked before an array is read: the largest layer anyone has asked for is 1e8 weights.
MAX_WEIGHTS = 1 << 28
MAX_XI_FRAC = 16

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class NetworkError(UserError):
    """The integer network, or the file that should hold one, is not valid."""


@dataclass(frozen=True)
class InputEncoding:
    """How an image becomes the input bits: bit i = (pixel i >= threshold), pixels in row-major order.

    Attributes:
        shape: shape of one image, such as (28, 28).
        threshold: the smallest uint8 pixel that counts as 1.
    """

    shape: tuple[int, ...]
    threshold: int

    @property
    def bits(self) -> int:
        """Number of input bits of one image."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, eq=False)
class SparseLayer:
    """A sparse binary layer: MH outputs over MW inputs.

    Attributes:
        name: Verilog identifier, unique in the network.
        w01: (MH, MW) bool, the connections.
        xi_num: (MH,) int64, numerator of xi per output; all equal where xi is per layer.
        xi_frac: F, xi = xi_num / 2**F.
        rails: 1, or 2 when the layer sees its n input bits x followed by their complements ~x
            (MW = 2n); S is then n.
        threshold: (MH,) int64, hidden layers only.
        invert: (MH,) bool, hidden layers only: the BatchNorm scale was negative.
        offset: (MH,) int64, last layer only.
    """

    name: str
    w01: BoolArray
    xi_num: IntArray
    xi_frac: int
    rails: int = 1
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
        """Number of input bits that arrive (one rail)."""
        return self.mw // self.rails

    @property
    def ones(self) -> int:
        """Number of connections."""
        return int(self.w01.sum())

    @property
    def is_last(self) -> bool:
        """Whether the layer gives scores rather than bits."""
        return self.offset is not None

    def reach(self) -> tuple[IntArray, IntArray]:
        """Return the smallest and largest A[j] over all inputs, each (MH,) int64.

        With one rail, P ranges over 0..n and S over P..P+MW-n, so A is extreme in a corner of that
        parallelogram. With two rails S is constant, and a row that holds both rails of an input always
        counts one of them.
        """
        if self.rails == 2:
            half = self.mw // 2
            both = (self.w01[:, :half] & self.w01[:, half:]).sum(1).astype(np.int64)
            either = (self.w01[:, :half] | self.w01[:, half:]).sum(1).astype(np.int64)
            shared = self.xi_num * half
            return (both << self.xi_frac) + shared, (either << self.xi_frac) + shared
        n = self.w01.sum(1).astype(np.int64)
        corners = [
            (p << self.xi_frac) + self.xi_num * (p + rest)
            for p in (0 * n, n)
            for rest in (0 * n, self.mw - n)
        ]
        return np.min(corners, axis=0), np.max(corners, axis=0)


@dataclass(frozen=True, eq=False)
class Network:
    """A whole integer network, immutable.

    Attributes:
        name: the model's name, a Verilog identifier.
        encoding: how images become input bits.
        layers: hidden layers, then the one with scores.
    """

    name: str
    encoding: InputEncoding
    layers: tuple[SparseLayer, ...]

    def __post_init__(self) -> None:
        _check(self)
        for layer in self.layers:
            for array in (layer.w01, layer.xi_num, layer.threshold, layer.invert, layer.offset):
                if array is not None:
                    array.setflags(write=False)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.layers[-1].mh

    @property
    def ones(self) -> int:
        """Number of connections in all layers."""
        return sum(layer.ones for layer in self.layers)

    @property
    def weights(self) -> int:
        """Number of weights in all layers (both rails counted)."""
        return sum(layer.w01.size for layer in self.layers)

    def digest(self) -> str:
        """Return the SHA-256 over everything that the network computes, independent of its file."""
        total = hashlib.sha256(json.dumps(_header(self), sort_keys=True).encode())
        for key, array in _arrays(self).items():
            total.update(key.encode())
            total.update(array.tobytes())
        return total.hexdigest()

    def save(self, path: Path) -> None:
        """Write one deterministic file: an uncompressed-header npz without pickles."""
        header = json.dumps({**_header(self), "digest": self.digest()}, sort_keys=True).encode()
        stream = io.BytesIO()
        entries: dict[str, Any] = {"header": np.frombuffer(header, np.uint8), **_arrays(self)}
        np.savez_compressed(stream, **entries)
        write_atomic(path, stream.getvalue())


def load(path: Path) -> Network:
    """Read and check the file that `Network.save` wrote; a damaged one raises `NetworkError`."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            header = json.loads(archive["header"].tobytes())
            if header.get("format") != FORMAT:
                raise NetworkError(f"{path}: format {header.get('format')!r}, need {FORMAT!r}")
            layers = tuple(_read_layer(path, archive, entry) for entry in header["layers"])
            encoding = InputEncoding(
                tuple(int(n) for n in header["input"]["shape"]), int(header["input"]["threshold"])
            )
            network = Network(str(header["name"]), encoding, layers)
    except (zipfile.BadZipFile, KeyError, TypeError, EOFError) as error:
        raise NetworkError(f"{path}: not a network file ({error})") from error
    except NetworkError:
        raise
    except ValueError as error:
        raise NetworkError(f"{path}: not a network file ({error})") from error
    if network.digest() != header["digest"]:
        raise NetworkError(
            f"{path}: content has digest {network.digest()[:12]}, header says {header['digest'][:12]}"
        )
    return network


def _read_layer(path: Path, archive: Any, entry: dict[str, Any]) -> SparseLayer:
    name, mh, mw = str(entry["name"]), int(entry["mh"]), int(entry["mw"])
    if not 0 < mh * mw <= MAX_WEIGHTS or mh < 1:
        raise NetworkError(f"{path}: layer {name}: {mh} x {mw} weights, at most {MAX_WEIGHTS}")
    packed = archive[f"{name}.w01"]
    if packed.dtype != np.uint8 or packed.size != -(-mh * mw // 8):
        raise NetworkError(f"{path}: layer {name}: w01 does not hold {mh} x {mw} bits")
    w01 = np.unpackbits(packed, count=mh * mw, bitorder="little").reshape(mh, mw).astype(bool)
    last = bool(entry["last"])
    return SparseLayer(
        name=name,
        w01=w01,
        xi_num=archive[f"{name}.xi_num"],
        xi_frac=int(entry["xi_frac"]),
        rails=int(entry["rails"]),
        threshold=None if last else archive[f"{name}.threshold"],
        invert=None if last else archive[f"{name}.invert"],
        offset=archive[f"{name}.offset"] if last else None,
    )


def _header(network: Network) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": network.name,
        "input": {"shape": list(network.encoding.shape), "threshold": network.encoding.threshold},
        "layers": [
            {
                "name": layer.name,
                "mh": layer.mh,
                "mw": layer.mw,
                "xi_frac": layer.xi_frac,
                "rails": layer.rails,
                "last": layer.is_last,
            }
            for layer in network.layers
        ],
    }


def _arrays(network: Network) -> dict[str, NDArray[Any]]:
    """Return the arrays in file order; w01 as packed bits, little end first."""
    arrays: dict[str, NDArray[Any]] = {}
    for layer in network.layers:
        arrays[f"{layer.name}.w01"] = np.packbits(layer.w01.reshape(-1), bitorder="little")
        for key in ("xi_num", "threshold", "invert", "offset"):
            value = getattr(layer, key)
            if value is not None:
                arrays[f"{layer.name}.{key}"] = np.ascontiguousarray(value)
    return arrays


def _check(network: Network) -> None:
    """Raise `NetworkError` where a shape, a dtype or a name would break a reader further down."""
    encoding = network.encoding
    if not network.layers:
        raise NetworkError(f"network {network.name}: has no layers, needs at least one")
    if any(n < 1 for n in encoding.shape) or not 0 <= encoding.threshold <= 256:
        raise NetworkError(
            f"network {network.name}: input shape {encoding.shape} with threshold "
            f"{encoding.threshold}, needs positive sizes and a threshold of 0 to 256"
        )
    names = [network.name, *(layer.name for layer in network.layers)]
    for name in names:
        if not (name.isascii() and name.isidentifier()):
            raise NetworkError(f"name {name!r}: needs letters, digits and _, no digit first")
    if len({layer.name for layer in network.layers}) != len(network.layers):
        raise NetworkError(f"network {network.name}: layer names {names[1:]} are not unique")
    width = encoding.bits
    for index, layer in enumerate(network.layers):
        _check_layer(layer, width, last=index == len(network.layers) - 1)
        width = layer.mh


def _check_layer(layer: SparseLayer, width: int, last: bool) -> None:
    where = f"layer {layer.name}"
    if layer.w01.dtype != np.bool_ or layer.w01.ndim != 2:
        raise NetworkError(f"{where}: w01 is {layer.w01.dtype}, needs a 2-D bool array")
    if layer.rails not in (1, 2):
        raise NetworkError(f"{where}: {layer.rails} rails, needs 1 or 2")
    if layer.inputs != width or layer.mw % layer.rails:
        raise NetworkError(f"{where}: w01 has {layer.mw} columns, needs {width * layer.rails}")
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
            np.abs(layer.xi_num).max() * layer.mw,
            *(
                np.abs(value).max()
                for value in (layer.threshold, layer.offset)
                if value is not None
            ),
        )
        > 1 << 40
    ):
        raise NetworkError(f"{where}: xi, threshold or offset is beyond 2**40")
