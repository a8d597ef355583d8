"""What a path through LUTs takes, by family, and how many levels of logic a clock leaves time for."""

import math
from dataclasses import dataclass

from sbnn.train.errors import UserError


class DelayError(UserError):
    """A clock that no family's flip-flops reach, or a family without a delay model."""


@dataclass(frozen=True)
class Delays:
    """Delays of a family in its usual speed grade, in nanoseconds.

    Attributes:
        clock_to_q: of a flip-flop.
        lut: through a LUT, the mean over its inputs.
        route: of a net with one reader.
        fanout: what each doubling of its readers adds.
        setup: of a flip-flop.
        carry: from S or DI through one carry cell.
        ripple: from carry in to carry out of one.
        memory: from the clock to the data of a block memory.
        margin: share of a clock's period that levels may fill.
        source: where the figures come from.
    """

    clock_to_q: float
    lut: float
    route: float
    fanout: float
    setup: float
    carry: float
    ripple: float
    memory: float
    margin: float
    source: str

    def net(self, readers: int) -> float:
        """Return the delay of a net, in nanoseconds."""
        return self.route + self.fanout * math.log2(max(readers, 1))


# ECP5, iCE40 and Gowin: nextpnr's own cell delays on the critical paths of the designs in
# boards/results.json; their net delays fitted to the same paths (ECP5 e.g. 0.9 ns at 2 readers, 2.2 at 36).
# AMD: cell and net delays of routed paths in Vivado's timing reports that are public (7-series -1: LUT6 0.124
# by O6 and 0.15 to 0.33 by O5, nets of 0.19 to 1.19 ns with a mean of 0.74; UltraScale+: LUTs 0.04 to 0.20,
# nets of 0.11 to 0.46 ns).
# Margins: mapping for area makes some levels two LUTs. tfc-sbnn95's core: on ECP5 by nextpnr at a constraint
# of 150 MHz one level reaches 201 MHz, two 168, three 130 (sbnn98: two 134); on 7-series by static timing one
# level stays a LUT or two (417 MHz), two become 4 (196 MHz), three 5 (167 MHz).
DELAYS = {
    "ecp5": Delays(0.525, 0.236, 0.7, 0.2, 0.424, 0.45, 0.07, 5.6, 0.6, "nextpnr-ecp5, speed 6"),
    "ice40": Delays(1.39, 1.08, 1.9, 0.2, 1.155, 0.6, 0.28, 2.15, 0.9, "nextpnr-ice40, up5k"),
    "gowin": Delays(
        0.231, 0.453, 0.25, 0.05, 0.035, 0.5, 0.06, 2.0, 0.9, "nextpnr-himbaechel, C8/I7"
    ),
    "xc7": Delays(0.456, 0.2, 0.65, 0.05, 0.06, 0.5, 0.114, 2.45, 0.6, "Vivado reports, speed -1"),
    "xcup": Delays(
        0.097, 0.11, 0.2, 0.03, 0.03, 0.2, 0.023, 1.2, 0.6, "Vivado reports, speed -1 and -2"
    ),
}
# Nets inside a heap have two readers, sum and carry of the next full adder; an input of a layer has as many
# as its column has ones, twice: 2 x 13 in the middle of sbnn95.
READERS = 2
INPUT_READERS = 32
# Beyond this nothing is left to merge: a heap of 2,000 ones has 18 levels.
MOST_LEVELS = 20


def delays_of(family: str) -> Delays:
    """Return the delays of a family; `DelayError` where none are known."""
    if family not in DELAYS:
        raise DelayError(
            f"family {family}: no delays known; there are: {', '.join(sorted(DELAYS))}"
        )
    return DELAYS[family]


def levels_that_fit(family: str, clock_mhz: float) -> int:
    """Return how many levels of LUTs fit between two registers.

    One level is a net and a LUT, the first one behind a net with many readers; the last LUT stands beside its
    flip-flop. A full adder is one level on every family.

    Args:
        family: key of `DELAYS`.
        clock_mhz: the clock to be reached.

    Raises:
        DelayError: no such family, or not even one level fits.
    """
    delays = delays_of(family)
    step = delays.net(READERS) + delays.lut
    fixed = delays.clock_to_q + delays.net(INPUT_READERS) - delays.net(READERS) + delays.setup
    levels = int((delays.margin * 1000 / clock_mhz - fixed) / step)
    if levels < 1:
        most = delays.margin * 1000 / (fixed + step)
        raise DelayError(
            f"{clock_mhz:g} MHz leaves no time for a LUT between two registers of {family}; "
            f"the delay model allows up to {most:.0f} MHz"
        )
    return min(levels, MOST_LEVELS)
