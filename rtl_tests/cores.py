"""Run a generated core against the reference in Verilator."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from simulate import CACHE, FEW_CYCLES, run_cocotb, verilate
from stream_words import image_beats, result_beats, words
from summary import count

from sbnn.hls import reference
from sbnn.hls.design import Choices, Design, make_design
from sbnn.hls.network import Network
from sbnn.hls.stitch import rtl_files


def core_of(
    network: Network, choices: Choices, compile_options: Sequence[str] = FEW_CYCLES
) -> tuple[Design, Path]:
    """Return a network's design and the folder of its simulator."""
    design = make_design(network, choices)
    return design, verilate(rtl_files(design), network.name, compile_options=compile_options)


def check_core(
    design: Design,
    folder: Path,
    images: NDArray[np.uint8],
    test: str = "stream",
    **settings: object,
) -> None:
    """Send images through the core in `folder` and compare every class and score with the reference."""
    network, choices = design.network, design.choices
    answer = reference.run(network, images)
    beats = image_beats(stream_bits(network, images), choices.beat_bits)
    wanted = result_beats(
        answer.classes,
        answer.scores if choices.scores else None,
        design.field_bits,
        choices.out_beat_bits,
    )
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(suffix=".npz", dir=CACHE) as vectors:
        np.savez(
            vectors,
            beats=words(beats, choices.beat_bits),
            wanted=words(wanted, choices.out_beat_bits),
            images=len(images),
        )
        vectors.flush()
        run_cocotb(
            folder,
            network.name,
            "tb_core",
            test,
            vectors=vectors.name,
            latency=design.latency_cycles,
            # Windows step through leading padding before any image comes, and queues fill at first.
            settle=design.pace.idle_cycles if network.takes_pixels else 0,
            warm=design.pace.warm_images if network.takes_pixels else 0,
            ii=design.ii_cycles,
            **settings,
        )
    count("images", len(images))
    if "resets" in settings:
        count("resets", int(str(settings["resets"])))


def stream_bits(network: Network, images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return what the core's input stream carries, (B, bits): bits, or the bytes of the pixels."""
    if network.takes_pixels:
        flat = images.reshape(len(images), -1)
        return np.unpackbits(flat, axis=1, bitorder="little").astype(bool)
    return reference.encode(network, images).reshape(len(images), -1).astype(bool)


def random_images(network: Network, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return images for a network: random density per image, all-off and all-on first.

    Where pixels are compared with a threshold, half of them are the two values beside it.
    """
    rng = np.random.default_rng(seed)
    shape = (count, *network.encoding.shape)
    if network.encoding.threshold is None:
        images = rng.integers(0, 256, shape, np.uint8)
        images[0], images[1 % count] = 0, 255
        return images
    density = rng.random((count, *[1] * len(network.encoding.shape)))
    on, near = rng.random(shape) < density, rng.random(shape) < 0.5
    least = network.encoding.threshold
    images = np.where(on, np.where(near, least, 255), np.where(near, least - 1, 0))
    images = images.clip(0, 255).astype(np.uint8)
    images[0], images[1 % count] = 0, 255
    return images
