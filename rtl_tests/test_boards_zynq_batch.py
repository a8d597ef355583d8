"""sbnn_batch by itself: TLAST, short images and counters in every cycle."""

import pytest
from simulate import run_cocotb, verilate

from sbnn.boards.zynq import shell_files
from sbnn.hls.stitch import rtl_source

IN_FLIGHT = 8


@pytest.mark.parametrize(("beats", "result_beats"), [(1, 3), (3, 1), (13, 3)])
def test_counters_are_exact(beats: int, result_beats: int) -> None:
    files = {
        "sbnn_fifo.sv": rtl_source("sbnn_fifo"),
        "sbnn_batch.sv": shell_files()["shell/sbnn_batch.sv"],
    }
    folder = verilate(files, "sbnn_batch", {"IMAGE_BEATS": beats, "IN_FLIGHT": IN_FLIGHT})
    for each in (0, 1):
        run_cocotb(
            folder,
            "sbnn_batch",
            "tb_zynq_batch",
            "counters",
            beats=beats,
            result_beats=result_beats,
            each=each,
            in_flight=IN_FLIGHT,
            cycles=6000,
        )
