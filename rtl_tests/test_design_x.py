"""Generated cores in four states: from an all-X power-up no valid output, TVALID or TREADY is ever X.

Icarus Verilog (Debian package iverilog) simulates; Verilator, which runs all other tests, has two states.
"""

import shutil
import subprocess
from pathlib import Path

import pytest
from cores import random_images, stream_bits
from networks import random_conv_network, random_network, tracked_network
from simulate import ROOT
from stream_words import image_beats, result_beats

from sbnn.hls import reference
from sbnn.hls.design import Choices, make_design
from sbnn.hls.network import Network
from sbnn.hls.stitch import rtl_files

pytestmark = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="iverilog is not installed (Debian package iverilog)"
)


def simulate(
    folder: Path, network: Network, images: int, fault: tuple[str, str] | None = None
) -> str:
    """Run tb_x on a network's core, with one text of its modules changed; return what it says."""
    choices = Choices(levels_per_stage=2, beat_bits=16 if network.takes_pixels else 64)
    design = make_design(network, choices)
    files = rtl_files(design)
    if fault is not None:
        (name,) = [name for name, text in files.items() if fault[0] in text]
        assert files[name].count(fault[0]) == 1
        files[name] = files[name].replace(*fault)
    for name, text in files.items():
        (folder / Path(name).name).write_text(text)
    shutil.copy(ROOT / "rtl_tests" / "tb_x.sv", folder)
    shown = random_images(network, images)
    answer = reference.run(network, shown)
    bits = stream_bits(network, shown)
    beats = image_beats(bits, choices.beat_bits)
    wanted = result_beats(answer.classes, answer.scores, design.field_bits, choices.out_beat_bits)
    for name, words in (("beats", beats), ("wanted", wanted)):
        (folder / f"{name}.hex").write_text("".join(f"{int(word):x}\n" for word in words))
    values = {
        "TOP": network.name,
        "IMAGES": images,
        "BEATS": len(beats),
        "WANTED": len(wanted),
        "IN_BITS": choices.beat_bits,
        "OUT_BITS": choices.out_beat_bits,
        "TAIL_BITS": bits.shape[1] - (len(beats) // images - 1) * choices.beat_bits,
        "LIMIT": 2000 + 50 * images * max(design.ii_cycles, len(beats) // images),
    }
    defines = [f"-D{name}={value}" for name, value in values.items()]
    sources = [Path(name).name for name in files]
    command = ["iverilog", "-g2012", *defines, "-s", "tb_x", "-o", "x.vvp", "tb_x.sv", *sources]
    for argv in (command, ["vvp", "-n", "x.vvp"]):
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"[-2000:]
    return done.stdout


def regress(make, kind, seed):
    return pytest.param(lambda: make(seed), id=f"{kind}{seed}", marks=pytest.mark.regress)


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(lambda: tracked_network("digits"), id="digits"),
        pytest.param(lambda: random_network(7, 24), id="xi"),
        pytest.param(lambda: random_network(13), id="xi-finer-than-its-sum"),
        pytest.param(lambda: random_conv_network(1, 5), id="conv-8-bit"),
        pytest.param(lambda: random_conv_network(6, 5), id="conv-bits"),
        *(regress(random_network, "random", n) for n in range(30) if n != 13),
        *(regress(random_conv_network, "conv", n) for n in range(30)),
    ],
)
def test_no_x_after_reset(tmp_path, network):
    said = simulate(tmp_path, network(), 40)
    assert said.startswith("PASS"), said


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        (("      inside_q <= '0;\n", ""), "m_axis_tvalid is X"),
        (("      count_q  <= '0;\n      go_q", "      go_q"), "s_axis_tready is X"),
        (("push(inside_q[LATENCY])", "push(inside_q[LATENCY-1])"), "m_axis_tdata is"),
    ],
)
def test_x_is_seen(tmp_path, fault, complaint):
    assert complaint in simulate(tmp_path, random_network(7, 24), 10, fault)
