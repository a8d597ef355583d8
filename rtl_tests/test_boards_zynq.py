"""The Zynq shell around a real core in Verilator, over its buses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cores import random_images
from networks import random_network, tracked_network
from zynq_bench import ZynqBench, word_pool, zynq_bench

from sbnn.train.config import load_config
from sbnn.train.data import sample_images


def digits_bench(kind: str):
    images = sample_images(load_config("digits"))[0]
    return zynq_bench(tracked_network("digits"), images, kind)


@pytest.fixture(scope="module")
def axi3() -> Iterator[ZynqBench]:
    with digits_bench("axi3") as bench:
        yield bench


@pytest.fixture(scope="module")
def lite() -> Iterator[ZynqBench]:
    with digits_bench("lite") as bench:
        yield bench


@pytest.fixture(scope="module")
def two_beats() -> Iterator[ZynqBench]:
    """Images of 82 bits: only where an image has more than one beat can one be short."""
    network = random_network(46)
    assert network.encoding.bits == 82
    with zynq_bench(network, random_images(network, 60, seed=1), "axi3") as bench:
        yield bench


@pytest.mark.parametrize("stalls", [0, 0.4])
def test_fifo_windows(axi3: ZynqBench, lite: ZynqBench, stalls: float) -> None:
    axi3.run("tb_zynq", "windows", stalls=stalls)
    lite.run("tb_zynq", "windows", stalls=stalls)


@pytest.mark.parametrize("stalls", [0, 0.4])
def test_external_stream(lite: ZynqBench, stalls: float) -> None:
    lite.run("tb_zynq", "stream", stalls=stalls)


@pytest.mark.parametrize("memory", [0, 0.5])
@pytest.mark.parametrize("test", ["batches", "failures", "resets", "refusals"])
def test_dma(axi3: ZynqBench, two_beats: ZynqBench, test: str, memory: float) -> None:
    for bench in (axi3, two_beats):
        bench.run("tb_zynq_dma", test, memory=memory, seed=2)


def test_dma_throughput(axi3: ZynqBench, two_beats: ZynqBench) -> None:
    axi3.run("tb_zynq_dma", "throughput", margin=1.05, latency=60)
    two_beats.run("tb_zynq_dma", "throughput", margin=1.05, latency=60)


def test_10000_random_transactions(axi3: ZynqBench, tmp_path: Path) -> None:
    pool = word_pool(tracked_network("digits"), 8, tmp_path)
    axi3.run("tb_zynq_axi", "random_transactions", transactions=10000, longest=16, pool=pool)
