"""The hand-written modules, each by itself in Verilator; parameters at and around their edges."""

import pytest
from simulate import run_cocotb, verilate

from sbnn.hls.stitch import rtl_source


def run(
    module: str,
    bench: str,
    parameters: dict[str, int],
    needs: tuple[str, ...] = (),
    file: str = "tb_modules",
) -> None:
    files = {f"{name}.sv": rtl_source(name) for name in (*needs, module)}
    folder = verilate(files, module, parameters)
    settings = {name.lower(): value for name, value in parameters.items()}
    for seed in (1, 2):
        run_cocotb(folder, module, file, bench, seed=seed, **settings)


@pytest.mark.parametrize(
    ("count", "width", "cycles"), [(1, 4, 2), (2, 3, 1), (7, 9, 2), (10, 10, 1), (16, 5, 1)]
)
def test_argmax(count, width, cycles):
    run("sbnn_argmax", "argmax", {"COUNT": count, "WIDTH": width, "CYCLES": cycles})


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


@pytest.mark.parametrize(
    ("beat", "positions", "channels"),
    [(64, 30, 1), (64, 35, 3), (32, 16, 2), (64, 6, 8), (16, 5, 5)],
)
def test_pixels(beat, positions, channels):
    parameters = {"BEAT": beat, "POSITIONS": positions, "CHANNELS": channels}
    run("sbnn_pixels", "pixels", parameters, file="tb_maps")


WINDOW = (
    *("BITS", "HEIGHT", "WIDTH", "KERNEL_H", "KERNEL_W", "STRIDE_H", "STRIDE_W"),
    *("PAD_TOP", "PAD_LEFT", "PAD_BOTTOM", "PAD_RIGHT"),
)


@pytest.mark.parametrize(
    "values",
    [
        (4, 6, 5, 3, 3, 1, 1, 0, 0, 0, 0),
        (3, 5, 7, 3, 3, 1, 1, 1, 1, 1, 1),
        (8, 6, 6, 2, 2, 2, 2, 0, 0, 0, 0),
        (2, 7, 7, 2, 3, 3, 2, 1, 0, 0, 2),
        (5, 4, 6, 1, 1, 1, 1, 0, 0, 0, 0),
        (5, 4, 6, 1, 1, 2, 3, 0, 0, 0, 0),
        (6, 5, 1, 4, 1, 1, 1, 2, 0, 1, 0),
        (6, 1, 5, 1, 4, 1, 2, 0, 3, 0, 0),
        (3, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1),
        (1, 3, 3, 4, 2, 1, 1, 0, 1, 1, 0),
    ],
    ids=str,
)
def test_window(values):
    run("sbnn_window", "window", dict(zip(WINDOW, values, strict=True)), file="tb_maps")
