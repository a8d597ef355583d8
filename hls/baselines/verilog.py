"""Lines of a baseline's module: wires, registers, full adders, and the thresholds or scores at the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sbnn.hls.layer import BoolArray, NetworkError, SparseLayer


@dataclass(frozen=True)
class Baseline:
    """One layer, built another way.

    Attributes:
        module: its top module: aclk, x, y as a wired layer has; a folded one has start and done too.
        files: {file name: text}, leaves first.
        latency_cycles: from x to y.
        cycles_per_vector: 1 where a vector may enter every cycle.
    """

    module: str
    files: Mapping[str, str]
    latency_cycles: int
    cycles_per_vector: int = 1


@dataclass(frozen=True)
class Count:
    """What a neuron of a sparse layer counts.

    Attributes:
        literals: (input, complemented) pairs, each input at most once.
        base: the pairs of an input and its complement, always one.
    """

    literals: tuple[tuple[int, bool], ...]
    base: int


def counts_of(layer: SparseLayer, read: BoolArray) -> tuple[Count | None, ...]:
    """Return what each neuron counts; None where nothing reads its output, (MH,) `read`."""
    found: list[Count | None] = []
    for row, wanted in zip(layer.w01, read.tolist(), strict=True):
        if not wanted:
            found.append(None)
            continue
        plain = set(np.flatnonzero(row[: layer.inputs]).tolist())
        complements = set(np.flatnonzero(row[layer.inputs :]).tolist())
        single = sorted(plain ^ complements)
        literals = tuple((index, index in complements) for index in single)
        found.append(Count(literals, len(plain & complements)))
    return tuple(found)


class Lines:
    """Lines of a module."""

    def __init__(self) -> None:
        self.text: list[str] = []

    def wire(self, name: str, width: int, value: str) -> str:
        """Declare a wire and return its name."""
        self.text.append(f"  wire [{width - 1}:0] {name} = {value};")
        return name

    def register(self, name: str, width: int, value: str) -> str:
        """Declare a register that takes `value` every cycle and return its name."""
        self.text.append(f"  logic [{width - 1}:0] {name};")
        self.text.append(f"  always_ff @(posedge aclk) {name} <= {value};")
        return name

    def delay(self, name: str, width: int, cycles: int) -> str:
        """Return `name` some cycles later."""
        for cycle in range(cycles):
            name = self.register(f"{name}_d" if cycle == 0 else f"{name}d", width, name)
        return name

    def heap(
        self, prefix: str, bits: Mapping[int, Sequence[str]], levels_per_stage: int
    ) -> tuple[list[str], int]:
        """Reduce bits of equal weight with full adders until no weight has more than two.

        Args:
            prefix: of all names.
            bits: {weight's exponent: bits of that weight}.
            levels_per_stage: full-adder levels between registers; the last level has one too.

        Returns:
            The numbers whose sum is the count, as expressions, and the registers passed.
        """
        columns = {weight: list(found) for weight, found in bits.items()}
        level = stage = 0
        while max(map(len, columns.values()), default=0) > 2:
            level += 1
            after: dict[int, list[str]] = {}
            for weight, found in sorted(columns.items()):
                whole = len(found) - len(found) % 3
                for i in range(0, whole, 3):
                    a, b, c = found[i : i + 3]
                    name = f"{prefix}_{level}_{weight}_{i // 3}"
                    after.setdefault(weight, []).append(
                        self.wire(f"{name}s", 1, f"{a} ^ {b} ^ {c}")
                    )
                    carry = self.wire(f"{name}c", 1, f"({a} & {b}) | ({c} & ({a} | {b}))")
                    after.setdefault(weight + 1, []).append(carry)
                after.setdefault(weight, []).extend(found[whole:])
            columns = after
            if level % levels_per_stage == 0:
                columns, stage = self._store(f"{prefix}_{level}", columns), stage + 1
        if level % levels_per_stage:
            columns, stage = self._store(f"{prefix}_{level}", columns), stage + 1
        rows = []
        for row in range(max(map(len, columns.values()), default=0)):
            places = [
                columns.get(w, [])[row : row + 1] or ["1'b0"] for w in range(max(columns) + 1)
            ]
            rows.append("{" + ", ".join(place[0] for place in reversed(places)) + "}")
        return rows, stage

    def _store(self, prefix: str, columns: Mapping[int, Sequence[str]]) -> dict[int, list[str]]:
        stored = {}
        for weight, found in columns.items():
            name = f"{prefix}_{weight}q"
            if found:
                self.register(name, len(found), "{" + ", ".join(reversed(found)) + "}")
            stored[weight] = [f"{name}[{i}]" for i in range(len(found))]
        return stored


def width_of(largest: int) -> int:
    """Return the bits of an unsigned number up to `largest`."""
    return max(1, largest.bit_length())


def literal(index: int, complemented: bool) -> str:
    """Return one input bit; `!`, since `~` in a sum would invert the bits above it too."""
    return f"!x[{index}]" if complemented else f"x[{index}]"


def threshold_of(layer: SparseLayer, output: int, base: int) -> tuple[int, bool]:
    """Return (least, below): the output is [count >= least], or [count < least] where `below`.

    Args:
        layer: a hidden layer with xi = 0.
        output: index of the neuron.
        base: what the count leaves out.
    """
    if layer.threshold is None or layer.invert is None:
        raise NetworkError(f"layer {layer.name}: has no thresholds")
    least = -(-int(layer.threshold[output, 0]) // (1 << layer.xi_frac)) - base
    return least, bool(layer.invert[output])


def score_bits(layer: SparseLayer) -> int:
    """Return the bits of one output: 1, or the width of a score that holds every score of the layer."""
    if layer.offset is None:
        return 1
    low, high = layer.reach
    ends: list[int] = [*(2 * low + layer.offset).tolist(), *(2 * high + layer.offset).tolist()]
    return max((end if end >= 0 else ~end).bit_length() + 1 for end in ends)


def decide(layer: SparseLayer, output: int, count: str, largest: int, base: int) -> str:
    """Return the output of a neuron, a bit or a score, as an expression of its count.

    Args:
        layer: a layer with xi = 0.
        output: index of the neuron.
        count: expression of what the hardware counts.
        largest: the count is 0 to this.
        base: what the count leaves out.
    """
    if layer.xi_num.any():
        raise NetworkError(f"layer {layer.name}: xi is not 0, baselines need xi = 0")
    bits = (layer.weight_bits, layer.value_bits, layer.output.bits)
    if bits != (1, 1, 1):
        raise NetworkError(
            f"layer {layer.name}: weights, inputs and outputs have {bits[0]}, {bits[1]} and {bits[2]} bits, "
            "baselines need 1"
        )
    if layer.offset is not None:
        size, scale = score_bits(layer), layer.xi_frac + 1
        constant = (int(layer.offset[output]) + (base << scale)) % (1 << size)
        return f"({size}'({count}) << {scale}) + {size}'d{constant}"
    least, below = threshold_of(layer, output, base)
    if not 0 < least <= largest:
        return f"1'b{int((least <= 0) != below)}"
    width = width_of(largest)
    return f"{width}'({count}) {'<' if below else '>='} {width}'d{least}"


def module_text(name: str, about: str, layer: SparseLayer, lines: Sequence[str]) -> str:
    """Return a module with a wired layer's ports around its body."""
    head = [
        f"// {about}",
        "// Generated by sbnn for comparison; do not edit.",
        "`default_nettype none",
        "",
        f"module {name} (",
        "  input  wire aclk,",
        f"  input  wire [{layer.in_bits - 1}:0] x,",
        f"  output wire [{layer.mh * score_bits(layer) - 1}:0] y",
        ");",
    ]
    return "\n".join([*head, *lines, "", "endmodule", "", "`default_nettype wire", ""])


def place(layer: SparseLayer, output: int, value: str) -> str:
    """Return the assignment of one output's bits."""
    size = score_bits(layer)
    return f"  assign y[{(output + 1) * size - 1}:{output * size}] = {value};"
