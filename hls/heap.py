"""Lines of a module: wires, registers, and the pipelined cells of a circuit."""

from collections.abc import Iterable, Sequence

from sbnn.hls.circuit import Cell, Circuit

# Registers stand in vectors of this many bits: one line to read, one machine word to simulate.
WORD = 64

ADD = """\
  // One full adder: {carry, sum}.
  function automatic logic [1:0] add(input logic a, input logic b, input logic c);
    add = {(a & b) | (c & (a | b)), a ^ b ^ c};
  endfunction"""


class Body:
    """Lines of a module and the count of what they cost."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.full_adders = 0
        self.tables: dict[int, int] = {}
        self.pairs: dict[int, int] = {}
        self.additions: dict[str, list[int]] = {}
        self.registers = 0
        self._constants: dict[tuple[int, int], str] = {}

    def comment(self, text: str) -> None:
        """Add a comment line."""
        self.lines.append(f"\n  // {text}")

    def wire(self, name: str, width: int, value: str, signed: str = "") -> str:
        """Declare a wire and return its name."""
        self.lines.append(f"  wire {signed}[{width - 1}:0] {name} = {value};")
        return name

    def register(self, name: str, width: int, value: str, signed: str = "") -> str:
        """Declare a register that takes `value` every cycle and return its name."""
        self.lines.append(f"  logic {signed}[{width - 1}:0] {name};")
        self.lines.append(f"  always_ff @(posedge aclk) {name} <= {value};")
        self.registers += width
        return name

    def addition(self, kind: str, width: int) -> None:
        """Count a carry-propagate addition of `width` bits; see `Cost.additions` for the kinds."""
        self.additions.setdefault(kind, []).append(width)

    def delay(self, name: str, width: int, cycles: int, signed: str = "") -> str:
        """Return `name` some cycles later."""
        for cycle in range(cycles):
            name = self.register(f"{name}_d" if cycle == 0 else f"{name}d", width, name, signed)
        return name

    def constant(self, width: int, value: int) -> str:
        """Return the name of a constant, the same for equal ones."""
        return self._constants.setdefault((width, value), f"T{len(self._constants)}")

    def declarations(self) -> list[str]:
        """Return the lines that stand before all others."""
        tables = [
            f"  localparam logic [{width - 1}:0] {name} = {width}'h{value:x};"
            for (width, value), name in self._constants.items()
        ]
        return [ADD, *tables]


def literal(value: int, bits: int) -> str:
    """Return a signed SystemVerilog literal."""
    return f"-{bits}'sd{-value}" if value < 0 else f"{bits}'sd{value}"


def stages(depth: int, levels_per_stage: int) -> int:
    """Return the registers from a circuit's inputs to its outputs, at least one.

    Args:
        depth: cells on the longest way between them.
        levels_per_stage: cells in a row between registers.
    """
    return max(1, -(-depth // levels_per_stage))


def emit_circuit(
    body: Body,
    circuit: Circuit,
    outputs: Iterable[int],
    source: str,
    levels_per_stage: int,
    prefix: str = "",
) -> tuple[dict[int, str], int]:
    """Emit a circuit with a register behind every few levels.

    Args:
        body: gets the lines.
        circuit: its cells.
        outputs: signals that are wanted behind the last register.
        source: name of the vector of input bits.
        levels_per_stage: levels between registers.
        prefix: of all names.

    Returns:
        {signal: its name behind the last register} and the registers passed, at least one.
    """
    wanted = sorted(set(outputs))
    count = stages(circuit.depth, levels_per_stage)
    # The stage in which each signal is read last; the registers before it hold it.
    last = dict.fromkeys(wanted, count)
    by_stage: list[list[Cell]] = [[] for _ in range(count)]
    for cell in circuit.cells:
        stage = (cell.level - 1) // levels_per_stage
        by_stage[stage].append(cell)
        for read in cell.inputs:
            last[read >> 1] = max(last.get(read >> 1, 0), stage)
    names = {signal: f"{source}[{signal}]" for signal in range(circuit.inputs)}
    number = 0
    for stage, cells in enumerate(by_stage):
        body.comment(f"Levels {stage * levels_per_stage + 1} to {(stage + 1) * levels_per_stage}.")
        for cell in cells:
            _emit_cell(body, cell, f"{prefix}{'a' if cell.table is None else 't'}{number}", names)
            number += 1
        held = sorted(signal for signal in names if last.get(signal, -1) > stage)
        values = [names[signal] for signal in held]
        names = {}
        for word in range(0, len(held), WORD):
            part = values[word : word + WORD]
            name = f"{prefix}q{stage + 1}_{word // WORD}"
            body.register(name, len(part), "{" + ", ".join(reversed(part)) + "}")
            names |= {signal: f"{name}[{i}]" for i, signal in enumerate(held[word : word + WORD])}
    return names, count


def _emit_cell(body: Body, cell: Cell, name: str, names: dict[int, str]) -> None:
    """Emit a cell and add its outputs to the names."""
    read = [f"{'~' if i & 1 else ''}{names[i >> 1]}" for i in cell.inputs]
    if cell.table is None:
        body.wire(name, 2, f"add({', '.join(read)})")
        body.full_adders += 1
    else:
        size = cell.outputs << len(read)
        table = body.constant(size, cell.table)
        index = ", ".join(reversed(read))
        at = f"{{{index}}}" if cell.outputs == 1 else f"{{{index}, 1'b0}} +: 2"
        body.wire(name, cell.outputs, f"{table}[{at}]")
        body.lines[-1] += f"  // y[{cell.owner}]"
        kind = body.tables if cell.outputs == 1 else body.pairs
        kind[len(read)] = kind.get(len(read), 0) + 1
    for i in range(cell.outputs):
        names[cell.first + i] = f"{name}[{i}]"


def add(columns: Sequence[Sequence[str]], width: int) -> str:
    """Return the carry-propagate addition of columns of bits."""
    rows = []
    for r in range(max(map(len, columns), default=0)):
        bits = [column[r] if len(column) > r else "1'b0" for column in columns]
        bits += ["1'b0"] * (width - len(bits))
        rows.append("{" + ", ".join(reversed(bits)) + "}")
    return " + ".join(rows) if rows else f"{width}'d0"
