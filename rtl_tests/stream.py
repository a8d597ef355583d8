"""Drive AXI-Stream ports in cocotb, one loop a cycle: much faster than one coroutine per port."""

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge


def setting(name: str, default: str | None = None) -> str:
    """Return what the pytest side passed to `run_cocotb`."""
    value = os.environ.get(f"SBNN_{name.upper()}", default)
    assert value is not None, f"setting {name} is missing"
    return value


@dataclass
class Stalls:
    """Chance, per cycle, that a side that may go does go, in percent; bursts change it at random."""

    send: int = 100
    receive: int = 100
    seed: int = 0
    bursts: bool = False
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.mode = 100

    def step(self) -> tuple[bool, bool]:
        """Return whether the sender and the receiver want to go this cycle."""
        if self.bursts and self.rng.random() < 0.02:
            self.mode = self.rng.choice([0, 100, 100])
        send = self.rng.random() * 100 < self.send
        receive = self.rng.random() * 100 < min(self.receive, self.mode)
        return send, receive


@dataclass
class Transfer:
    """What crossed the ports: beats out with their TLAST, and the cycles of every beat."""

    out: list[int] = field(default_factory=list)
    last: list[bool] = field(default_factory=list)
    in_cycles: list[int] = field(default_factory=list)
    out_cycles: list[int] = field(default_factory=list)


async def start(dut, reset_cycles: int = 4) -> None:
    """Start the clock and hold reset."""
    Clock(dut.aclk, 10, unit="ns").start()
    dut.s_axis_tvalid.value = 0
    dut.s_axis_tlast.value = 0
    dut.m_axis_tready.value = 0
    await reset(dut, reset_cycles)


async def reset(dut, cycles: int = 4) -> None:
    """Pull aresetn low for some cycles."""
    dut.aresetn.value = 0
    for _ in range(cycles):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1


async def transfer(
    dut,
    beats: Sequence[int],
    lasts: Sequence[bool],
    wanted: int,
    stalls: Stalls,
    max_cycles: int = 1 << 30,
) -> Transfer:
    """Send beats and receive until `wanted` beats came out or `max_cycles` passed.

    TVALID, once high, stays until the beat is taken (AXI-Stream 2.2.1), and the device's output must do
    the same: TDATA that changes while it is stalled fails here.
    """
    seen = Transfer()
    sent, cycle, valid, held = 0, 0, False, None
    while len(seen.out) < wanted and cycle < max_cycles:
        send, receive = stalls.step()
        valid = sent < len(beats) and (valid or send)
        dut.s_axis_tvalid.value = int(valid)
        if valid:
            dut.s_axis_tdata.value = beats[sent]
            dut.s_axis_tlast.value = int(lasts[sent])
        dut.m_axis_tready.value = int(receive)
        await ReadOnly()
        taken = valid and bool(dut.s_axis_tready.value)
        if dut.m_axis_tvalid.value:
            word, last = int(dut.m_axis_tdata.value), bool(dut.m_axis_tlast.value)
            assert held in (None, (word, last)), f"cycle {cycle}: output changed while stalled"
            held = (word, last)
            if receive:
                seen.out.append(word)
                seen.last.append(last)
                seen.out_cycles.append(cycle)
                held = None
        else:
            assert held is None, f"cycle {cycle}: TVALID fell before the beat was taken"
        await RisingEdge(dut.aclk)
        if taken:
            seen.in_cycles.append(cycle)
            sent += 1
            valid = False
        cycle += 1
    dut.s_axis_tvalid.value = 0
    dut.m_axis_tready.value = 0
    return seen
