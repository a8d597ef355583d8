"""The Zynq shell around a real core in Verilator, over its buses."""

from collections.abc import Iterator

import pytest
from networks import tracked_network
from zynq_bench import ZynqBench, zynq_bench

from sbnn.train.config import load_config
from sbnn.train.data import sample_images


@pytest.fixture(scope="module")
def axi3() -> Iterator[ZynqBench]:
    images = sample_images(load_config("digits"))[0]
    with zynq_bench(tracked_network("digits"), images, "axi3") as bench:
        yield bench


@pytest.fixture(scope="module")
def lite() -> Iterator[ZynqBench]:
    images = sample_images(load_config("digits"))[0]
    with zynq_bench(tracked_network("digits"), images, "lite") as bench:
        yield bench


@pytest.mark.parametrize("stalls", [0, 0.4])
def test_fifo_windows(axi3: ZynqBench, lite: ZynqBench, stalls: float) -> None:
    axi3.run("tb_zynq", "windows", stalls=stalls)
    lite.run("tb_zynq", "windows", stalls=stalls)


@pytest.mark.parametrize("stalls", [0, 0.4])
def test_external_stream(lite: ZynqBench, stalls: float) -> None:
    lite.run("tb_zynq", "stream", stalls=stalls)
