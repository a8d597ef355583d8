"""A generated core in the Zynq shell, ready to simulate over its buses."""

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
from cores import random_images, stream_bits
from networks import random_network, tracked_network
from numpy.typing import NDArray
from simulate import CACHE, run_cocotb, verilate
from stream_words import image_beats, result_beats

from sbnn.boards.board import load_board
from sbnn.boards.zynq import ACCELERATOR, OPEN, accelerator_text, open_text, shell_files
from sbnn.hls import reference
from sbnn.hls.design import Choices, make_design, make_manifest
from sbnn.hls.manifest import Manifest
from sbnn.hls.network import Network
from sbnn.hls.stitch import rtl_files
from sbnn.train.config import load_config
from sbnn.train.data import sample_images

BOARD = load_board("pynq-z2")
# cocotbext-axi has AXI4 only, whose LEN has 8 bits; the top's AXI3 LEN has 4.
_WIDE_PORTS = {
    f"{direction} wire  [3:0] {bus}_{channel}len": f"{direction} wire  [7:0] {bus}_{channel}len"
    for direction, bus in (("input ", "s_axi"), ("output", "m_axi"))
    for channel in ("aw", "ar")
}


def core_in_zynq(network: Network) -> tuple[Manifest, dict[str, str]]:
    """Return the manifest of a network's core for the PYNQ-Z2, and the core's files."""
    design = make_design(network, Choices(levels_per_stage=BOARD.levels_per_stage))
    files = rtl_files(design)
    return make_manifest(design, BOARD.name, files), files


def open_for_cocotb(manifest: Manifest, axi4: bool) -> str:
    """Return `sbnn_zynq_open` with LEN ports of 8 bits; with `axi4` the slave uses all of them."""
    text = open_text(manifest)
    for narrow, wide in _WIDE_PORTS.items():
        assert text.count(narrow) == 1, narrow
        text = text.replace(narrow, wide)
    for channel in ("aw", "ar"):
        master = f".m_axi_{channel}len(m_axi_{channel}len)"
        assert text.count(master) == 1
        text = text.replace(master, f".m_axi_{channel}len(m_axi_{channel}len[3:0])")
        if not axi4:
            slave = f".s_axi_{channel}len(s_axi_{channel}len)"
            assert text.count(slave) == 1
            text = text.replace(slave, f".s_axi_{channel}len(s_axi_{channel}len[3:0])")
    high = "".join(f"  assign m_axi_{channel}len[7:4] = 4'd0;\n" for channel in ("aw", "ar"))
    text = text.replace("\nendmodule", f"\n{high}endmodule")
    return text.replace(".LEN_BITS(4)", ".LEN_BITS(8)") if axi4 else text


@contextmanager
def zynq_bench(
    network: Network, images: NDArray[np.uint8], kind: str = "axi3"
) -> Iterator["ZynqBench"]:
    """Build a top of the Zynq shell around a network, with images and the reference's answers.

    Args:
        network: the network.
        images: (N, *shape) uint8.
        kind: "axi3" or "axi4" (`sbnn_zynq_open`, and how long the slave's bursts may be), or "lite"
            (`sbnn_accelerator`).
    """
    manifest, files = core_in_zynq(network)
    files = files | shell_files()
    if kind == "lite":
        top, files = ACCELERATOR, files | {f"{ACCELERATOR}.v": accelerator_text(manifest)}
    else:
        text = open_for_cocotb(manifest, axi4=kind == "axi4")
        top, files = OPEN, files | {f"{OPEN}.sv": text}
    answer = reference.run(network, images)
    beats = image_beats(stream_bits(network, images), 64)
    wanted = result_beats(answer.classes, answer.scores, manifest.field_bits, 64)
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        vectors = Path(folder) / "vectors.npz"
        np.savez(
            vectors,
            beats=np.array(beats, np.uint64).reshape(len(images), -1),
            wanted=np.array(wanted, np.uint64).reshape(len(images), -1),
        )
        yield ZynqBench(verilate(files, top), top, vectors, manifest)


def digits_bench(kind: str) -> AbstractContextManager["ZynqBench"]:
    """Return the bench of the digits model with its real images: one beat in, three out."""
    return model_bench("digits", kind)


def model_bench(
    model: str, kind: str, images: int | None = None
) -> AbstractContextManager["ZynqBench"]:
    """Return the bench of a tracked model with its sample images."""
    sample = sample_images(load_config(model))[0]
    return zynq_bench(tracked_network(model), sample[:images], kind)


def two_beats_bench(kind: str) -> AbstractContextManager["ZynqBench"]:
    """Return the bench of a network of 82 inputs: only where an image has two beats can one be short."""
    network = random_network(46)
    assert network.encoding.bits == 82
    return zynq_bench(network, random_images(network, 60, seed=1), kind)


def word_pool(network: Network, words: int, folder: Path) -> Path:
    """Write words of which any two are an image whose result has no word that is 0.

    A reader can then tell a result from the 0 of an empty queue. Answers go into the same file, as
    (words, words, result words).
    """
    assert network.encoding.bits == 64
    rng = np.random.default_rng(1)
    manifest, _ = core_in_zynq(network)
    pool: list[int] = []
    while len(pool) < words:
        found = [*pool, int(rng.integers(1 << 32))]
        pairs = np.array([(a, b) for a in found for b in found], np.uint32)
        bits = np.unpackbits(pairs.view(np.uint8), axis=1, bitorder="little")
        images = np.where(bits, 255, 0).astype(np.uint8).reshape(-1, *network.encoding.shape)
        answer = reference.run(network, images)
        beats = result_beats(answer.classes, answer.scores, manifest.field_bits, 64)
        answers = np.array(beats, np.uint64).view(np.uint32).reshape(len(pairs), -1)
        if answers.all():
            pool = found
    path = folder / "pool.npz"
    np.savez(path, pool=np.array(pool), answers=answers.reshape(words, words, -1))
    return path


class ZynqBench:
    """A built simulator and what the cocotb benches need to know."""

    def __init__(self, simulator: Path, top: str, vectors: Path, manifest: Manifest) -> None:
        self.simulator, self.top, self.vectors, self.manifest = simulator, top, vectors, manifest

    def run(self, module: str, test: str, **settings: object) -> None:
        """Run one cocotb test of a bench."""
        run_cocotb(
            self.simulator,
            self.top,
            module,
            test,
            vectors=self.vectors,
            build_id=self.manifest.build_id,
            latency=self.manifest.latency_cycles,
            ii=self.manifest.ii_cycles,
            **settings,
        )
