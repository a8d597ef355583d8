"""Networks for tests: seeded random ones, and the tracked models through export and lowering."""

import functools
import hashlib
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
from simulate import ROOT, built

from sbnn.hls.network import InputEncoding, Network, SparseLayer, load

CACHE = ROOT / "build" / "test-networks"


def random_layer(
    rng: np.random.Generator, name: str, inputs: int, outputs: int, last: bool
) -> SparseLayer:
    """Return a layer with random ones, xi (often 0, sometimes per output), rails and thresholds.

    Thresholds sit around the middle of each neuron's reach, on it and beyond it, so that ties, constant
    neurons and both polarities all happen.
    """
    rails = int(rng.choice([1, 1, 1, 2]))
    density = rng.choice([0.0, 0.02, 0.1, 0.3, 0.6, 1.0], p=[0.02, 0.28, 0.3, 0.2, 0.15, 0.05])
    w01 = rng.random((outputs, inputs * rails)) < density
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
        return SparseLayer(name, w01, xi_num, frac, rails, offset=offset)
    low, high = SparseLayer(name, w01, xi_num, frac, rails).reach()
    spread = np.maximum((high - low) // 4, 1)
    threshold = (low + high) // 2 + rng.integers(-spread, spread + 1)
    edge = rng.random(outputs)
    threshold = np.where(edge < 0.04, low, np.where(edge < 0.08, high, threshold))
    threshold = np.where(edge > 0.97, high + 1, threshold)
    return SparseLayer(
        name, w01, xi_num, frac, rails, threshold=threshold, invert=rng.random(outputs) < 0.5
    )


def random_network(seed: int, largest: int = 90) -> Network:
    """Return a network of 1 to 4 layers of 1 to `largest` neurons."""
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, largest + 1, int(rng.integers(2, 6))).tolist()
    widths[-1] = int(rng.integers(1, 13))
    layers = tuple(
        random_layer(rng, f"fc{i + 1}", a, b, last=i == len(widths) - 2)
        for i, (a, b) in enumerate(itertools.pairwise(widths))
    )
    return Network(f"random{seed}", InputEncoding((widths[0],), int(rng.integers(1, 256))), layers)


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
