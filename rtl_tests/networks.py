"""Networks for tests: seeded random ones, and the tracked models through export and lowering."""

import functools
import hashlib
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
from simulate import ROOT, built

from sbnn.hls.maps import FeatureMap, Window
from sbnn.hls.network import InputEncoding, Network, SparseLayer, load

CACHE = ROOT / "build" / "test-networks"


def random_layer(
    rng: np.random.Generator,
    name: str,
    inputs: int,
    outputs: int,
    last: bool,
    window: Window | None = None,
    value_bits: int = 1,
    bits: int = 1,
) -> SparseLayer:
    """Return a layer with random ones, xi (often 0, sometimes per output), rails and thresholds.

    Thresholds sit around the middle of each neuron's reach, on it and beyond it, so that ties, constant
    neurons and both polarities all happen. Where `bits` is more than 1, weights and outputs have up to so
    many bits.
    """
    rails = int(rng.choice([1, 1, 1, 2])) if value_bits == 1 or bits > 1 else 1
    shape = {"rails": rails, "window": window, "value_bits": value_bits}
    density = rng.choice([0.0, 0.02, 0.1, 0.3, 0.6, 1.0], p=[0.02, 0.28, 0.3, 0.2, 0.15, 0.05])
    weight = (rng.random((outputs, inputs * rails)) < density).astype(np.uint8)
    levels = 1
    if bits > 1:
        weight *= rng.integers(1, 1 << rng.integers(1, bits + 1), weight.shape).astype(np.uint8)
        levels = int(rng.integers(1, 1 << rng.integers(1, bits + 1)))
    frac = int(rng.integers(0, 6))
    kind = rng.choice(["zero", "layer", "channel"], p=[0.5, 0.3, 0.2])
    limit = 1 << frac
    xi_num = np.zeros(outputs, np.int64)
    if kind == "layer":
        xi_num[:] = rng.integers(-limit, limit + 1)
    elif kind == "channel" and not last:
        xi_num = rng.integers(-limit, limit + 1, outputs)
    if last:
        offset = rng.integers(-40, 41, outputs)
        return SparseLayer(name, weight, xi_num, frac, **shape, offset=offset)
    low, high = SparseLayer(name, weight, xi_num, frac, **shape).reach
    spread = np.maximum((high - low) // 4, 1)
    threshold = (low + high) // 2 + rng.integers(-spread, spread + 1, (levels, outputs))
    edge = rng.random((levels, outputs))
    threshold = np.where(edge < 0.04, low, np.where(edge < 0.08, high, threshold))
    threshold = np.sort(np.where(edge > 0.97, high + 1, threshold), axis=0)
    return SparseLayer(
        name,
        weight,
        xi_num,
        frac,
        **shape,
        threshold=threshold.T,
        invert=rng.random(outputs) < 0.5,
    )


def random_network(seed: int, largest: int = 90, bits: int = 1) -> Network:
    """Return a network of 1 to 4 layers of 1 to `largest` neurons."""
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, largest + 1, int(rng.integers(2, 6))).tolist()
    widths[-1] = int(rng.integers(1, 13))
    layers: list[SparseLayer] = []
    for i, (a, b) in enumerate(itertools.pairwise(widths)):
        seen = layers[-1].output.bits if layers else 1
        last = i == len(widths) - 2
        layers.append(random_layer(rng, f"fc{i + 1}", a, b, last, value_bits=seen, bits=bits))
    encoding = InputEncoding((widths[0],), int(rng.integers(1, 256)))
    return Network(f"random{seed}", encoding, tuple(layers))


def random_window(rng: np.random.Generator, seen: FeatureMap) -> Window:
    """Return a window that fits a map: kernels of 1 to 4, strides of 1 to 3, padding on any side."""
    while True:
        window = Window(
            seen.height,
            seen.width,
            tuple(rng.integers(1, 5, 2).tolist()),
            tuple(rng.choice([1, 1, 1, 2, 3], 2).tolist()),
            tuple(rng.choice([0, 0, 1, 2], 4).tolist()),
        )
        if min(window.output) >= 1 and all(
            pad < kernel for pad, kernel in zip(window.padding, window.kernel * 2, strict=True)
        ):
            return window


def pool_layer(name: str, seen: FeatureMap, size: int, every: np.ndarray) -> SparseLayer:
    """Return a max pool over size x size; where `every` is set a channel takes the minimum."""
    window = Window(seen.height, seen.width, (size, size), (size, size))
    channels = seen.channels
    return SparseLayer(
        name,
        np.tile(np.eye(channels, dtype=np.uint8), (1, size * size)),
        np.zeros(channels, np.int64),
        0,
        window=window,
        value_bits=seen.bits,
        pool=True,
        threshold=np.where(every, size * size, 1).astype(np.int64)[:, None]
        if seen.bits == 1
        else None,
        invert=np.zeros(channels, bool) if seen.bits == 1 else every,
    )


def random_conv_network(seed: int, largest: int = 9, bits: int = 1) -> Network:
    """Return 1 to 3 windows (padded, strided, pooled) and 1 or 2 full layers, on bits or on pixels."""
    rng = np.random.default_rng(seed + 10_000)
    shape = tuple(rng.integers(2, largest + 1, 2).tolist())
    channels = int(rng.choice([1, 1, 2, 3]))
    if channels > 1 or rng.random() < 0.5:
        shape = (*shape, channels)
    threshold = None if rng.random() < 0.4 else int(rng.integers(1, 256))
    encoding = InputEncoding(shape, threshold)
    layers, seen = [], encoding.map
    for n in range(int(rng.integers(1, 4))):
        window, outputs = random_window(rng, seen), int(rng.integers(1, 9))
        inputs = window.taps * seen.channels
        layers.append(
            random_layer(rng, f"conv{n}", inputs, outputs, False, window, seen.bits, bits)
        )
        seen = layers[-1].output
        if min(seen.height, seen.width) >= 2 and rng.random() < 0.5:
            layers.append(pool_layer(f"pool{n}", seen, 2, rng.random(outputs) < 0.3))
            seen = layers[-1].output
    if rng.random() < 0.5:
        outputs = int(rng.integers(1, 12))
        layers.append(random_layer(rng, "fc1", seen.values, outputs, False, None, seen.bits, bits))
        seen = layers[-1].output
    outputs = int(rng.integers(1, 8))
    layers.append(random_layer(rng, "fc2", seen.values, outputs, True, None, seen.bits, bits))
    return Network(f"conv{seed}", encoding, tuple(layers))


@functools.cache
def tracked_network(model: str) -> Network:
    """Return a tracked model's integer network, made by the same two commands that make runs."""
    sources = [
        ROOT / "train" / "models" / model / "trained.npz",
        *sorted((ROOT / "export").glob("*.py")),
        *sorted((ROOT / "hls").glob("*.py")),
        *sorted((ROOT / "train").glob("*.py")),
    ]
    key = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:20]
    folder = CACHE / f"{model}-{key}"
    with built(folder) as missing:
        if missing:
            command(
                [sys.executable, "-m", "sbnn.export", model, "--out", str(folder / "model.onnx")]
            )
            command(
                [
                    sys.executable,
                    "-m",
                    "sbnn.hls",
                    "lower",
                    str(folder / "model.onnx"),
                    "--name",
                    model,
                    "--out",
                    str(folder),
                ]
            )
    return load(folder / "network.npz")


def command(argv: list[str], cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command that must succeed."""
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr[-3000:]}"
    return done
