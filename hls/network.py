"""The integer network: the one truth that reference, RTL, reports, driver and tests all read.

A chain of `SparseLayer`s (hls/layer.py has their arithmetic) behind an input encoding, in one file.
"""

import hashlib
import io
import json
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sbnn.hls.layer import (
    MAX_XI_FRAC,
    BoolArray,
    IntArray,
    NetworkError,
    SparseLayer,
    check_layer,
    check_place,
)
from sbnn.hls.maps import FeatureMap, Window
from sbnn.train.archive import check_archive
from sbnn.train.files import write_atomic

__all__ = [
    "MAX_XI_FRAC",
    "PIXEL_BITS",
    "BoolArray",
    "InputEncoding",
    "IntArray",
    "Network",
    "NetworkError",
    "SparseLayer",
    "load",
]

FORMAT = "sbnn-network-1"
# A header is checked before an array is read: the largest layer anyone has asked for is 1e8 weights.
MAX_WEIGHTS = 1 << 28
PIXEL_BITS = 8


@dataclass(frozen=True)
class InputEncoding:
    """How an image becomes input values, pixels in row-major order (height, width, channel).

    Attributes:
        shape: shape of one image, such as (28, 28) or (32, 32, 3).
        threshold: the smallest uint8 pixel that counts as the bit 1; None: the pixel itself is the value.
    """

    shape: tuple[int, ...]
    threshold: int | None

    @property
    def values(self) -> int:
        """Number of values of one image."""
        return math.prod(self.shape)

    @property
    def value_bits(self) -> int:
        """Bits of one value."""
        return 1 if self.threshold is not None else PIXEL_BITS

    @property
    def bits(self) -> int:
        """Bits of all values of one image."""
        return self.values * self.value_bits

    @property
    def map(self) -> FeatureMap:
        """The image as a map; a vector is one position."""
        if len(self.shape) == 1:
            return FeatureMap(1, 1, self.shape[0], self.value_bits)
        height, width, channels = (*self.shape, 1)[:3]
        return FeatureMap(height, width, channels, self.value_bits)


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
            for array in (layer.weight, layer.xi_num, layer.threshold, layer.invert, layer.offset):
                if array is not None:
                    array.setflags(write=False)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.layers[-1].mh

    @property
    def ones(self) -> int:
        """Number of connections in all layers, pools left out."""
        return sum(layer.ones for layer in self.layers if not layer.pool)

    @property
    def weights(self) -> int:
        """Number of weights in all layers (both rails counted)."""
        return sum(layer.weight.size for layer in self.layers if not layer.pool)

    @property
    def maps(self) -> tuple[FeatureMap, ...]:
        """The image's map and that of every layer's outputs."""
        return (self.encoding.map, *(layer.output for layer in self.layers))

    @property
    def takes_pixels(self) -> bool:
        """Whether images enter as bytes, pixel by pixel, and not as packed bits."""
        windows = any(layer.window is not None for layer in self.layers)
        return windows or self.encoding.threshold is None

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
        check_archive(path)
        with np.load(path, allow_pickle=False) as archive:
            header = json.loads(archive["header"].tobytes())
            if header.get("format") != FORMAT:
                raise NetworkError(f"{path}: format {header.get('format')!r}, need {FORMAT!r}")
            layers = tuple(_read_layer(path, archive, entry) for entry in header["layers"])
            threshold = header["input"]["threshold"]
            encoding = InputEncoding(
                tuple(int(n) for n in header["input"]["shape"]),
                None if threshold is None else int(threshold),
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
    weight = np.zeros((mh, mw), np.uint8)
    for bit, plane in enumerate(_planes(int(entry.get("weight_bits", 1)))):
        packed = archive[f"{name}.{plane}"]
        if packed.dtype != np.uint8 or packed.size != -(-mh * mw // 8):
            raise NetworkError(f"{path}: layer {name}: {plane} does not hold {mh} x {mw} bits")
        found = np.unpackbits(packed, count=mh * mw, bitorder="little").reshape(mh, mw)
        weight |= found << bit
    last = bool(entry["last"])
    pool, value_bits = bool(entry.get("pool", False)), int(entry.get("value_bits", 1))
    levels = None if last or (pool and value_bits > 1) else int(entry.get("levels", 1))
    return SparseLayer(
        name=name,
        weight=weight,
        xi_num=archive[f"{name}.xi_num"],
        xi_frac=int(entry["xi_frac"]),
        rails=int(entry["rails"]),
        window=_read_window(entry["window"]) if "window" in entry else None,
        value_bits=value_bits,
        pool=pool,
        threshold=None if levels is None else archive[f"{name}.threshold"].reshape(mh, levels),
        invert=None if last else archive[f"{name}.invert"],
        offset=archive[f"{name}.offset"] if last else None,
    )


def _read_window(entry: dict[str, Any]) -> Window:
    kernel, stride, padding = (
        tuple(map(int, entry[key])) for key in ("kernel", "stride", "padding")
    )
    if (len(kernel), len(stride), len(padding)) != (2, 2, 4):
        raise ValueError(f"window {entry}")
    return Window(
        int(entry["rows"]),
        int(entry["columns"]),
        (kernel[0], kernel[1]),
        (stride[0], stride[1]),
        (padding[0], padding[1], padding[2], padding[3]),
    )


def _header(network: Network) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": network.name,
        "input": {"shape": list(network.encoding.shape), "threshold": network.encoding.threshold},
        "layers": [_layer_header(layer) for layer in network.layers],
    }


def _layer_header(layer: SparseLayer) -> dict[str, Any]:
    """Return what is no array; what not every layer has is left out where it is not."""
    entry: dict[str, Any] = {
        "name": layer.name,
        "mh": layer.mh,
        "mw": layer.mw,
        "xi_frac": layer.xi_frac,
        "rails": layer.rails,
        "last": layer.is_last,
    }
    if layer.window is not None:
        entry["window"] = dict(vars(layer.window))
    if layer.value_bits != 1:
        entry["value_bits"] = layer.value_bits
    if layer.pool:
        entry["pool"] = True
    if layer.weight_bits != 1:
        entry["weight_bits"] = layer.weight_bits
    if layer.threshold is not None and layer.levels != 1:
        entry["levels"] = layer.levels
    return entry


def _planes(weight_bits: int) -> tuple[str, ...]:
    """Return the names of the weights' bits: w01, then w2, w4 and w8 where a weight is so large."""
    return ("w01", "w2", "w4", "w8")[:weight_bits]


def _arrays(network: Network) -> dict[str, NDArray[Any]]:
    """Return the arrays in file order; weights as planes of packed bits, little end first.

    One level is stored as (MH,), as it was before there were more.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for layer in network.layers:
        for bit, plane in enumerate(_planes(layer.weight_bits)):
            ones = layer.weight.reshape(-1) >> bit & 1
            arrays[f"{layer.name}.{plane}"] = np.packbits(ones, bitorder="little")
        for key in ("xi_num", "threshold", "invert", "offset"):
            value = getattr(layer, key)
            if value is not None:
                flat = value.reshape(-1) if value.size == layer.mh else value
                arrays[f"{layer.name}.{key}"] = np.ascontiguousarray(flat)
    return arrays


def _check(network: Network) -> None:
    """Raise `NetworkError` where a shape, a dtype or a name would break a reader further down."""
    encoding = network.encoding
    if not network.layers:
        raise NetworkError(f"network {network.name}: has no layers, needs at least one")
    threshold = encoding.threshold
    if any(n < 1 for n in encoding.shape) or not (threshold is None or 0 <= threshold <= 256):
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
    if len(encoding.shape) > 3:
        raise NetworkError(
            f"network {network.name}: images have {len(encoding.shape)} axes, needs at most 3"
        )
    seen = encoding.map
    for index, layer in enumerate(network.layers):
        check_layer(layer, last=index == len(network.layers) - 1)
        check_place(layer, seen)
        seen = layer.output
