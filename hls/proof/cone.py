"""What the gates of a layer compute, as BDDs.

A BDD is canonical, so two functions are equal for all inputs when they are the same node.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from dd.cudd import BDD, Function

from sbnn.hls.proof.gates import REGISTER, Gates, GatesError, Net, in_order

MEMORY = 1 << 29  # bytes of one manager's nodes; a neuron of 59 ones takes 3 MB


class TooLargeError(Exception):
    """A function has more nodes than `MEMORY` holds."""


@contextmanager
def within_memory() -> Iterator[None]:
    """Raise `TooLargeError` where CUDD has no more nodes to give."""
    try:
        yield
    except (ValueError, RuntimeError) as error:  # a null pointer or a sentence, by the operation
        if "NULL" not in str(error) and "out of memory" not in str(error):
            raise
        raise TooLargeError from None


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
        self.bdd = BDD(memory_estimate=MEMORY)
        self.bdd.configure(reordering=False, max_memory=MEMORY)
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
        """Return the function that is always `bit`."""
        return self.bdd.true if bit else self.bdd.false

    def _gate(self, kind: str, *inputs: Function) -> Function:
        match kind, inputs:
            case str(name), (d,) if name == REGISTER:
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
        raise GatesError(f"a gate {kind} is not one that layers are made of")

    def declare(self, inputs: Iterable[int]) -> None:
        """Make variables of input bits that no gate reads, so that a sum can name them."""
        missing = sorted({*inputs} - {*self.order})
        self.bdd.declare(*(f"x{i}" for i in missing))
        self.order += missing

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

    def _from_sums(
        self,
        weights: Mapping[int, int],
        base: int,
        leaf: Callable[[int], tuple[Function, ...]],
        modulus: int | None,
    ) -> tuple[Function, ...]:
        """Return functions of the sum: every sum there can be after each input, then back from the last."""
        order = [i for i in self.order if weights.get(i)]
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
