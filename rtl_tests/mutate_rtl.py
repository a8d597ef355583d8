"""Systematic faults in SystemVerilog: each mutant is a text with one small change.

What a generator gets wrong (a connection dropped, bits swapped, a threshold or a fraction off by one, a
register missing, an inverter too many) for generated modules, and what a hand gets wrong (a relation, an
operator, a condition, a reset, a statement) for the others. Comments, ports and elaboration checks are left
alone.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

BIT = r"~?[a-z_]\w*\[\d+\]"
REGISTER = re.compile(r"always_ff @\(posedge aclk\) (\w+) <= (.*);$")
GROUP = re.compile(r"(?<=[({])((?:~?[\w']+(?:\[\d+\])?)(?:, ~?[\w']+(?:\[\d+\])?)+)(?=[)}])")
TABLE = re.compile(r"(localparam logic \[\d+:0\] T\d+ = (\d+)'h)([0-9a-f]+);")


@dataclass(frozen=True)
class Mutant:
    """One change of a file.

    Attributes:
        kind: what sort of fault it is.
        file: the file's name.
        line: number of the line, from 1.
        old: the line as it was.
        new: the line as it is.
        text: the whole file.
    """

    kind: str
    file: str
    line: int
    old: str
    new: str
    text: str


Change = tuple[str, str]  # kind, the line afterwards


def mutants(file: str, text: str, changes: Callable[[str], Iterator[Change]]) -> Iterator[Mutant]:
    """Yield every change of every line that holds logic."""
    lines = text.split("\n")
    inside = check = False
    for n, line in enumerate(lines):
        if line.startswith(");"):
            inside = True  # behind the ports
            continue
        check = check or "gen_check" in line
        code, _, comment = line.partition("//")
        if not inside or check or not code.strip() or "unused" in code:
            continue
        seen = {code.rstrip()}
        for kind, new in changes(code.rstrip()):
            if new not in seen:
                seen.add(new)
                changed = [*lines[:n], f"{new}  //{comment}" if comment else new, *lines[n + 1 :]]
                yield Mutant(kind, file, n + 1, code.strip(), new.strip(), "\n".join(changed))


def generated(line: str) -> Iterator[Change]:
    """Yield the faults of a line of a generated layer, or of the core around the layers."""
    for found in GROUP.finditer(line):
        bits = found[1].split(", ")
        for n, bit in enumerate(bits):
            if re.fullmatch(BIT, bit):
                yield "dropped connection", _at(line, found, [*bits[:n], "1'b0", *bits[n + 1 :]])
                inverted = bit[1:] if bit[0] == "~" else f"~{bit}"
                yield "inverted polarity", _at(line, found, [*bits[:n], inverted, *bits[n + 1 :]])
        for n in range(len(bits) - 1):
            if "[" in bits[n] + bits[n + 1] and "add(" not in line[: found.start()][-4:]:
                order = [*bits[:n], bits[n + 1], bits[n], *bits[n + 2 :]]
                yield "swapped bits", _at(line, found, order)
    if found := TABLE.search(line):
        for bit in {0, int(found[2]) // 2, int(found[2]) - 1}:
            value = int(found[3], 16) ^ 1 << bit
            yield "wrong table", f"{line[: found.start()]}{found[1]}{value:x};"
    for found in re.finditer(r"(\d+'s?d)(\d+)", line):
        for value in (int(found[2]) - 1, int(found[2]) + 1):
            if value >= 0:
                kind = "off by one" if "<<<" not in line or "+" in line else "constant"
                yield kind, _put(line, found, f"{found[1]}{value}")
    for found in re.finditer(r"(<<<|>>>) (\d+)", line):
        for value in (int(found[2]) - 1, int(found[2]) + 1):
            yield "wrong F", _put(line, found, f"{found[1]} {max(value, 0)}")
    yield from _relations(line, ((" < ", " >= "), (" >= ", " < "), (" >= ", " > ")))
    if found := re.search(r"assign y\[[\d:]+\] = (~?)(\w+\[\d+\]);", line):
        new = found[0].replace("= ~", "= ") if found[1] else found[0].replace("= ", "= ~")
        yield "inverted polarity", line.replace(found[0], new)
    yield from _registers(line)
    yield from _around(line)


def _around(line: str) -> Iterator[Change]:
    """Yield the faults of a line that connects modules."""
    for found in re.finditer(r"(?<=\.)([A-Z_]+)\((\d+)\)", line):
        for value in (int(found[2]) - 1, int(found[2]) + 1):
            yield "wrong parameter", _put(line, found, f"{found[1]}({max(value, 0)})")
    for found in re.finditer(r"(?<=kept)\[(\d+):(\d+)\]", line):
        for step in (-1, 1):
            low, high = int(found[2]) + step, int(found[1]) + step
            if low >= 0:
                yield "swapped bits", _put(line, found, f"[{high}:{low}]")
    for found in re.finditer(r"(?<=\.)(\w+)\((\w*(?:go|take|valid|ready|done|bad|cut)\w*)\)", line):
        yield "stuck handshake", _put(line, found, f"{found[1]}(1'b1)")
    yield from _relations(line, ((" && !", " && "), (" && ", " || "), (" || ", " && ")))
    if "$signed(kept" in line:
        yield "unsigned score", line.replace("$signed(", "(")


def hand_written(line: str) -> Iterator[Change]:
    """Yield the faults of a line of a hand-written module."""
    if re.search(r"^\s*(for|end|begin|\)|module)", line) and "if" not in line:
        return
    pairs = [("&&", "||"), ("||", "&&"), (" == ", " != "), (" != ", " == "), (" > ", " >= ")]
    pairs += [(" < ", " <= "), (" < ", " > "), (" > ", " < "), (" + ", " - "), (" - ", " + ")]
    pairs += [("<<", ">>"), (">>", "<<"), ("1'b0", "1'b1"), ("1'b1", "1'b0"), ("'0", "'1")]
    pairs += [("!", ""), ("$signed", ""), ("signed ", "")]
    if "localparam" not in line:
        yield from _relations(line, pairs)
        for found in re.finditer(r"(?<![\w'\[])(\d+)(?!\d*')\b(?!:)", line):
            for value in (int(found[1]) - 1, int(found[1]) + 1):
                if value >= 0:
                    yield "off by one", _put(line, found, str(value))
    elif found := re.search(r"= (.*);", line):
        # A counter with one bit more counts the same.
        for step in ("- 1",) if "_W =" in line else ("+ 1", "- 1"):
            yield "wrong size", f"{line[: found.start()]}= ({found[1]}) {step};"
    if found := re.search(r"^(\s*)(.*)\bif \((.*)\) (?=\w|$|begin)", line):
        head = line[: line.index("if (")]
        tail = line[line.index(found[3]) + len(found[3]) + 1 :]
        if "begin : gen" not in line:
            for condition in ("1'b0", "1'b1", f"!({found[3]})"):
                yield "wrong condition", f"{head}if ({condition}){tail}"
    if found := re.search(r"= (.*) \? (.*) : (.*);", line):
        yield "swapped arms", line.replace(found[0], f"= {found[1]} ? {found[3]} : {found[2]};")
    if re.fullmatch(r"\s*\w+(\[.*\])?\s*<= [^;]*;", line):
        yield "missing statement", re.match(r"\s*", line)[0] + ";"
    if (found := re.search(r"(\w+)_d\b", line)) and "<=" in line:
        yield "old state", line.replace(found[0], f"{found[1]}_q")
    yield from _registers(line)


def _registers(line: str) -> Iterator[Change]:
    if found := REGISTER.search(line):
        yield "missing register", f"{line[: found.start()]}assign {found[1]} = {found[2]};"


def _relations(line: str, pairs) -> Iterator[Change]:
    for old, new in pairs:
        at = line.find(old)
        while at >= 0:
            after = line[at + len(old) :]
            if not (old == "!" and after.startswith("=")):
                yield "wrong operator", f"{line[:at]}{new}{after}"
            at = line.find(old, at + len(old))


def _put(line: str, found: re.Match[str], new: str) -> str:
    return line[: found.start()] + new + line[found.end() :]


def _at(line: str, found: re.Match[str], bits: list[str]) -> str:
    return _put(line, found, ", ".join(bits))
