"""The hand-written modules, each by itself in Verilator; parameters at and around their edges."""

import pytest
from simulate import run_cocotb, verilate

from sbnn.hls.stitch import rtl_source


def run(module: str, bench: str, parameters: dict[str, int], needs: tuple[str, ...] = ()) -> None:
    files = {f"{name}.sv": rtl_source(name) for name in (*needs, module)}
    folder = verilate(files, module, parameters)
    settings = {name.lower(): value for name, value in parameters.items()}
    for seed in (1, 2):
        run_cocotb(folder, module, "tb_modules", bench, seed=seed, **settings)


@pytest.mark.parametrize(("count", "width"), [(1, 4), (2, 3), (7, 9), (10, 10), (16, 5)])
def test_argmax(count, width):
    run("sbnn_argmax", "argmax", {"COUNT": count, "WIDTH": width})


@pytest.mark.parametrize(("bits", "beat"), [(784, 64), (64, 64), (5, 8), (17, 8)])
def test_unpack(bits, beat):
    run("sbnn_unpack", "unpack", {"BITS": bits, "BEAT": beat})


@pytest.mark.parametrize(("latency", "width", "depth"), [(1, 8, 2), (9, 12, 4), (9, 12, 16)])
def test_flow(latency, width, depth):
    run("sbnn_flow", "flow", {"LATENCY": latency, "WIDTH": width, "DEPTH": depth}, ("sbnn_fifo",))


@pytest.mark.parametrize("depth", [2, 8])
def test_fifo(depth):
    run("sbnn_fifo", "fifo", {"WIDTH": 9, "DEPTH": depth})


@pytest.mark.parametrize(("bits", "beat"), [(176, 64), (16, 64), (64, 64), (20, 8)])
def test_pack(bits, beat):
    run("sbnn_pack", "pack", {"BITS": bits, "BEAT": beat})
