"""Lines of a generated module: wires, registers, and the heap that counts a row's literals."""

from collections.abc import Sequence

from sbnn.hls.compress import Schedule, count_width, schedule
from sbnn.hls.rows import Row


class Body:
    """Lines of a module and the count of what they cost."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.full_adders = 0
        self.tables: dict[int, int] = {}
        self.additions: dict[str, list[int]] = {}
        self.registers = 0

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

    def delay(self, name: str, width: int, cycles: int) -> str:
        """Return `name` some cycles later."""
        for cycle in range(cycles):
            name = self.register(f"{name}_d" if cycle == 0 else f"{name}d", width, name)
        return name


def literal(value: int, bits: int) -> str:
    """Return a signed SystemVerilog literal."""
    return f"-{bits}'sd{-value}" if value < 0 else f"{bits}'sd{value}"


def gather(row: Row, source: str, value_bits: int = 1, plane: int = 0) -> str:
    """Return the concatenation of one bit of each of a row's literals, the first literal lowest."""
    bits = [
        f"{'~' if off else ''}{source}[{index * value_bits + plane}]"
        for index, off in reversed(row.literals)
    ]
    return "{" + ", ".join(bits) + "}"


def row_schedule(row: Row, value_bits: int) -> Schedule:
    """Return the schedule of a row's heap: one column per bit plane of its values."""
    return schedule((len(row.literals),) * value_bits)


def emit_count(
    body: Body, prefix: str, row: Row, source: str, value_bits: int, levels_per_stage: int
) -> tuple[str, int, int]:
    """Emit the registered sum of a row's literals; return (name, width, stage)."""
    n = len(row.literals)
    width = count_width(n * ((1 << value_bits) - 1))
    if n == 0:
        return body.register(f"{prefix}_p", 1, "1'b0"), 1, 1
    columns, stage = emit_heap(body, prefix, row, source, value_bits, levels_per_stage)
    value = add(columns, width)
    body.addition("count", width)
    return body.register(f"{prefix}_p", width, value), width, stage + 1


def emit_heap(
    body: Body, prefix: str, row: Row, source: str, value_bits: int, levels_per_stage: int
) -> tuple[list[tuple[str, int]], int]:
    """Emit the levels of a heap; return ((vector, height) per column, registers passed)."""
    plan = row_schedule(row, value_bits)
    body.full_adders += plan.full_adders
    columns = [
        (body.wire(f"{prefix}_0c{c}", height, gather(row, source, value_bits, c)), height)
        for c, height in enumerate(plan.heights[0])
    ]
    stage = 0
    for level, adders in enumerate(plan.adders):
        parts: list[list[str]] = [[] for _ in plan.heights[level + 1]]
        for c, ((name, height), f) in enumerate(zip(columns, adders, strict=True)):
            if height > 3 * f:
                parts[c].append(f"{name}[{height - 1}:{3 * f}]")
            if f:
                a, b, d = (f"{name}[{(i + 1) * f - 1}:{i * f}]" for i in range(3))
                parts[c].append(body.wire(f"{name}s", f, f"{a} ^ {b} ^ {d}"))
                parts[c + 1].append(body.wire(f"{name}k", f, f"({a} & {b}) | ({d} & ({a} | {b}))"))
        last = (level + 1) % levels_per_stage == 0 or level + 1 == plan.levels
        declare = body.register if last else body.wire
        stage += last
        columns = [
            (declare(f"{prefix}_{level + 1}c{c}", height, "{" + ", ".join(parts[c]) + "}"), height)
            for c, height in enumerate(plan.heights[level + 1])
        ]
    return columns, stage


def add(columns: Sequence[tuple[str, int]], width: int) -> str:
    """Return the carry-propagate addition of columns of at most two bits."""
    rows = []
    for r in range(max(height for _, height in columns)):
        bits = [f"{name}[{r}]" if height > r else "1'b0" for name, height in columns]
        bits += ["1'b0"] * (width - len(bits))
        rows.append("{" + ", ".join(reversed(bits)) + "}")
    return " + ".join(rows)
