"""Random networks through a core; one that fails is made small and written out.

`python rtl_tests/shrink.py build/failures/<case>` runs a case that was written out again.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from icarus import paired_images, simulate, stream_of
from simulate import ROOT
from summary import count

from sbnn.hls.design import Choices, Design, make_design
from sbnn.hls.network import InputEncoding, Network, SparseLayer, load
from sbnn.hls.stitch import rtl_files

CASES = ROOT / "build" / "failures"
Files = Callable[[Design], Mapping[str, str]]


def random_choices(seed: int) -> Choices:
    """Return different choices for different seeds: depths, families, widths that divide nothing."""
    rng = np.random.default_rng([seed, 2])
    return Choices(
        levels_per_stage=int(rng.choice([1, 2, 3, 4, 9])),
        family=str(rng.choice(["", "xc7", "ecp5"])),
        beat_bits=int(rng.choice([8, 24, 40, 64, 128])),
        out_beat_bits=int(rng.choice([8, 24, 64, 512])),
        scores=bool(rng.random() < 0.8),
    )


def verdict(network: Network, choices: Choices, seed: int, files: Files = rtl_files) -> str:
    """Return "PASS ..." or what is wrong with a network's core, the generator's own fall included.

    Four images in the order of all pairs, without stalls and with some, then three resets.
    """
    try:
        design = make_design(network, choices)
        stream = stream_of(design, paired_images(design, 4, seed))
        return simulate(stream, files(design), profiles=2, resets=3)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def with_outputs(layer: SparseLayer, rows: np.ndarray) -> SparseLayer:
    """Return a layer with some of its outputs."""
    arrays = {key: value for key, value in vars(layer).items() if isinstance(value, np.ndarray)}
    return replace(layer, **{key: value[rows] for key, value in arrays.items()})


def with_inputs(layer: SparseLayer, seen: int, kept: np.ndarray) -> SparseLayer:
    """Return a layer that sees some of the `seen` channels before it, at every tap and rail."""
    columns = layer.weight.reshape(layer.mh, -1, seen)[:, :, kept]
    return replace(layer, weight=np.ascontiguousarray(columns.reshape(layer.mh, -1)))


def smaller(network: Network) -> Iterator[Network]:
    """Yield networks with something left out, the largest steps first."""
    layers, encoding = network.layers, network.encoding
    for n in range(len(layers) - 1, 0, -1):
        if layers[n].window is None and layers[n].value_bits == 1:
            front = InputEncoding((layers[n].inputs,), 128)
            yield replace(network, encoding=front, layers=layers[n:])
    for n, layer in enumerate(layers):
        after = layers[n + 1] if n + 1 < len(layers) else None
        if after is not None and after.pool:
            continue  # its channels are the next layer's too
        for kept in _parts(layer.mh):
            changed = [with_outputs(layer, kept)]
            if layer.pool:
                changed = [with_inputs(changed[0], layer.mh, kept)]
            if after is not None:
                changed.append(with_inputs(after, layer.mh, kept))
            before = layers[:n]
            if layer.pool:
                before = (*layers[: n - 1], with_outputs(layers[n - 1], kept))
            yield replace(network, layers=(*before, *changed, *layers[n + len(changed) :]))
    first = layers[0]
    if first.window is None and len(encoding.shape) == 1:
        for kept in _parts(encoding.values):
            part = InputEncoding((int(kept.sum()),), encoding.threshold)
            fewer = with_inputs(first, encoding.values, kept)
            yield replace(network, encoding=part, layers=(fewer, *layers[1:]))
    for n, layer in enumerate(layers):
        places = np.argwhere(layer.weight)
        for kept in _parts(len(places)) if not layer.pool else ():
            weight = layer.weight.copy()
            weight[tuple(places[~kept].T)] = 0
            fewer = replace(layer, weight=weight)
            yield replace(network, layers=(*layers[:n], fewer, *layers[n + 1 :]))
        if layer.xi_num.any():
            plain = replace(layer, xi_num=np.zeros_like(layer.xi_num))
            yield replace(network, layers=(*layers[:n], plain, *layers[n + 1 :]))


def _parts(count: int) -> Iterator[np.ndarray]:
    """Yield which of `count` things stay: without each half, each quarter, ... each single one."""
    size = count // 2
    while size:
        for begin in range(0, count, size):
            kept = np.ones(count, bool)
            kept[begin : begin + size] = False
            if kept.any():
                yield kept
        size //= 2


def shrink(network: Network, fails: Callable[[Network], bool], tries: int = 1000) -> Network:
    """Return a network that still fails and of which nothing more can be left out, or nearly so."""
    tried = 0
    while tried < tries:
        for candidate in smaller(network):
            tried += 1
            if fails(candidate):
                network = candidate
                break
        else:
            break
    return network


def write_case(network: Network, choices: Choices, seed: int, said: str) -> Path:
    """Write what failed to build/failures/ and return its folder."""
    folder = CASES / f"{network.name}-{network.digest()[:8]}"
    network.save(folder / "network.npz")
    case = {"seed": seed, "choices": asdict(choices), "said": said}
    (folder / "case.json").write_text(json.dumps(case, indent=2) + "\n")
    return folder


def check(network: Network, choices: Choices, seed: int, files: Files = rtl_files) -> None:
    """Run a network; where it fails, shrink it, write it out, and say how to run it again."""
    said = verdict(network, choices, seed, files)
    if said.startswith("PASS"):
        count("networks")
        return
    small = shrink(network, lambda some: not verdict(some, choices, seed, files).startswith("PASS"))
    folder = write_case(small, choices, seed, verdict(small, choices, seed, files))
    raise AssertionError(
        f"{network.name} (seed {seed}): {said.strip()[:300]}\nshrunk to {small.ones} ones: "
        f"python rtl_tests/shrink.py {folder.relative_to(ROOT)}"
    )


def again(folder: Path) -> str:
    """Run a case that was written out."""
    case = json.loads((folder / "case.json").read_text())
    return verdict(load(folder / "network.npz"), Choices(**case["choices"]), case["seed"])


if __name__ == "__main__":
    said = again(Path(sys.argv[1]))
    print(said)
    sys.exit(not said.startswith("PASS"))
