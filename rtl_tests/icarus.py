"""Run a core in Icarus Verilog: four states, all profiles of stalls, resets (tb_stream.sv).

A small core compiles and runs in a tenth of a second, where Verilator and a C++ compiler take two, so that
thousands of networks and mutants can be tried.
"""

import resource
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from cores import random_images, stream_bits
from numpy.typing import NDArray
from simulate import ROOT
from stream_words import image_beats, result_beats
from summary import count

from sbnn.hls import reference
from sbnn.hls.design import Design
from sbnn.hls.stitch import rtl_files

needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="iverilog is not installed (Debian package iverilog)"
)
PROFILES = 12
SECONDS = 600  # of the processor


@dataclass(frozen=True, eq=False)
class Stream:
    """What goes through a core and what must come out.

    Attributes:
        design: of the core.
        images: in the order in which they are sent.
        beats: the words of the input.
        wanted: the words of the output, by the reference.
        tail_bits: bits of an image's last beat that say something.
    """

    design: Design
    images: NDArray[np.uint8]
    beats: list[int]
    wanted: list[int]
    tail_bits: int


def stream_of(design: Design, images: NDArray[np.uint8]) -> Stream:
    """Return the words of some images and of the reference's answers."""
    network, choices = design.network, design.choices
    answer = reference.run(network, images)
    bits = stream_bits(network, images)
    beats = image_beats(bits, choices.beat_bits)
    scores = answer.scores if choices.scores else None
    wanted = result_beats(answer.classes, scores, design.field_bits, choices.out_beat_bits)
    tail = bits.shape[1] - (len(beats) // len(images) - 1) * choices.beat_bits
    return Stream(design, images, beats, wanted, tail)


def every_pair(count: int) -> list[int]:
    """Return an order in which each of `count` images follows each other one, and itself, once.

    What one image leaves behind then meets every other one.
    """
    order, left = [0], {(a, b) for a in range(count) for b in range(count)}
    while left:  # to prefer the highest makes a de Bruijn sequence (Martin 1934)
        follower = max(b for b in range(count) if (order[-1], b) in left)
        left.remove((order[-1], follower))
        order.append(follower)
    return order


def paired_images(design: Design, kinds: int = 6, seed: int = 0) -> NDArray[np.uint8]:
    """Return random images, all-off and all-on among them, in the order of `every_pair`."""
    return random_images(design.network, kinds, seed)[every_pair(kinds)]


def simulate(
    stream: Stream,
    files: Mapping[str, str] | None = None,
    profiles: int = PROFILES,
    resets: int = 0,
    seconds: int = SECONDS,
) -> str:
    """Send a stream through a core; return "PASS ..." or what was wrong first.

    Args:
        stream: of the core.
        files: {name: Verilog} in place of what the design generates: a netlist, or a mutant.
        profiles: how many of the profiles of stalls.
        resets: how many resets in mid-stream.
        seconds: of the processor, after which a simulation that goes round in circles is ended.
    """
    design, images = stream.design, len(stream.images)
    network, choices = design.network, design.choices
    pixels = network.takes_pixels
    slowest = max(design.ii_cycles, len(stream.beats) // images, design.out_beats)
    values = {
        "TOP": network.name,
        "IMAGES": images,
        "BEATS": len(stream.beats),
        "WANTED": len(stream.wanted),
        "IN_BITS": choices.beat_bits,
        "OUT_BITS": choices.out_beat_bits,
        "TAIL_BITS": stream.tail_bits,
        "SPAN": design.latency_cycles + 2 * slowest + 10,
        "LIMIT": 2000 + 4 * design.latency_cycles + 50 * images * slowest,
        "SETTLE": design.pace.idle_cycles if pixels else 0,
        "WARM": design.pace.warm_images if pixels else 0,
        "INTERVAL": design.ii_cycles,
        "LATENCY": design.latency_cycles,
        "PROFILES": profiles,
        "RESETS": resets,
    }
    files = rtl_files(design) if files is None else files
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in files.items():
            (folder / Path(path).name).write_text(text)
        shutil.copy(ROOT / "rtl_tests" / "tb_stream.sv", folder)
        for hex_name, words in (("beats", stream.beats), ("wanted", stream.wanted)):
            (folder / f"{hex_name}.hex").write_text("".join(f"{word:x}\n" for word in words))
        said = _run(folder, values, [Path(path).name for path in files], seconds)
    if said.startswith("PASS"):
        count("images", images * profiles)
        if resets:
            count("resets", resets)
    return said


def _run(folder: Path, values: Mapping[str, object], sources: list[str], seconds: int) -> str:
    defines = [f"-D{name}={value}" for name, value in values.items()]
    sources = [name for name in sources if not name.endswith(".vh")]
    build = ["iverilog", "-g2012", "-I.", *defines, "-s", "tb_stream", "-o", "x.vvp"]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))

    for argv in ([*build, "tb_stream.sv", *sources], ["vvp", "-n", "x.vvp"]):
        done = subprocess.run(
            argv, cwd=folder, capture_output=True, text=True, check=False, preexec_fn=limit
        )
        if done.returncode:
            return f"{argv[0]} ended with {done.returncode}: {done.stdout}{done.stderr}"[:2000]
    return done.stdout
