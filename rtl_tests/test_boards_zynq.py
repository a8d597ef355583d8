"""The Zynq shell around a real core in Verilator, over its buses."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from networks import tracked_network
from zynq_bench import ZynqBench, digits_bench, model_bench, two_beats_bench, word_pool


@pytest.fixture(scope="module")
def axi3() -> Iterator[ZynqBench]:
    with digits_bench("axi3") as bench:
        yield bench


@pytest.fixture(scope="module")
def two_beats() -> Iterator[ZynqBench]:
    with two_beats_bench("axi3") as bench:
        yield bench


@pytest.fixture(scope="module")
def lite() -> Iterator[ZynqBench]:
    with two_beats_bench("lite") as bench:
        yield bench


def test_fifo_windows(axi3: ZynqBench, lite: ZynqBench) -> None:
    axi3.run("tb_zynq", "windows", stalls=0.4)
    lite.run("tb_zynq", "windows", stalls=0)


def test_full_queues(two_beats: ZynqBench) -> None:
    two_beats.run("tb_zynq", "full_queue")


@pytest.mark.parametrize("test", ["batches", "short_images", "resets"])
def test_external_stream(lite: ZynqBench, test: str) -> None:
    lite.run("tb_zynq_stream", test, stalls=0.4)


def test_cycles_of_a_batch_that_nothing_stalls(lite: ZynqBench) -> None:
    lite.run("tb_zynq_stream", "cycles")


@pytest.mark.parametrize("test", ["batches", "failures", "resets"])
def test_dma(axi3: ZynqBench, two_beats: ZynqBench, test: str) -> None:
    for bench in (axi3, two_beats):
        bench.run("tb_zynq_dma", test, memory=0.5, seed=2)


def test_dma_refuses(axi3: ZynqBench) -> None:
    axi3.run("tb_zynq_dma", "refusals", seed=2)


def test_dma_throughput(axi3: ZynqBench, two_beats: ZynqBench) -> None:
    axi3.run("tb_zynq_dma", "throughput", margin=1.02, memory_latency=60)
    two_beats.run("tb_zynq_dma", "throughput", margin=1.02, memory_latency=60)


def random_transactions(kind: str, count: int, folder: Path, **settings: object) -> None:
    pool = word_pool(tracked_network("digits"), 8, folder)
    with digits_bench(kind) as bench:
        longest = 256 if kind == "axi4" else 16
        bench.run(
            "tb_zynq_axi",
            "random_transactions",
            transactions=count,
            longest=longest,
            pool=pool,
            **settings,
        )


def test_10000_random_transactions(tmp_path: Path) -> None:
    random_transactions("axi3", 10000, tmp_path, rare=1)


def test_random_transactions_of_axi4(tmp_path: Path) -> None:
    """Bursts of up to 256 beats."""
    random_transactions("axi4", 1000, tmp_path)


@pytest.mark.regress
@pytest.mark.parametrize("kind", ["axi3", "axi4"])
@pytest.mark.parametrize("stalls", [0, 0.2, 0.45])
@pytest.mark.parametrize("seed", [11, 12])
def test_many_random_transactions(tmp_path: Path, kind: str, stalls: float, seed: int) -> None:
    random_transactions(kind, 10000, tmp_path, stalls=stalls, seed=seed)


@pytest.mark.regress
@pytest.mark.parametrize("memory", [0, 0.3, 0.6])
@pytest.mark.parametrize("test", ["batches", "failures", "resets"])
def test_many_dma_batches(axi3: ZynqBench, two_beats: ZynqBench, test: str, memory: float) -> None:
    for bench in (axi3, two_beats):
        bench.run("tb_zynq_dma", test, memory=memory, seed=31, rounds=120)


@pytest.mark.regress
def test_dma_with_mnist_images() -> None:
    """13 beats an image, which no burst of 16 fits."""
    with model_bench("tfc-sbnn95", "axi3", 200) as bench:
        bench.run("tb_zynq_dma", "batches", memory=0.3, rounds=30)
        bench.run("tb_zynq_dma", "resets", memory=0.3, rounds=30)
        bench.run("tb_zynq_dma", "failures", memory=0.3, rounds=30)
        bench.run("tb_zynq_dma", "throughput", margin=1.01, memory_latency=60, images=2000)
