"""cocotb bench of the Zynq shell's FIFO windows and of its external stream."""

import itertools
import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import (
    AxiBus,
    AxiLiteBus,
    AxiLiteMaster,
    AxiMaster,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)
from stream import setting

from sbnn.boards.registers import OFFSET, mask


@dataclass
class Bench:
    """A started device: its register master, images (N, beats) and wanted results (N, beats)."""

    dut: object
    master: object
    beats: np.ndarray
    wanted: np.ndarray
    rng: random.Random

    async def read(self, name: str) -> int:
        """Read a register."""
        answer = await self.master.read(OFFSET[name], 4)
        assert answer.resp == 0 or answer.resp.name == "OKAY"
        return int.from_bytes(answer.data, "little")

    async def write(self, name: str, value: int) -> None:
        """Write a register."""
        await self.master.write(OFFSET[name], value.to_bytes(4, "little"))

    async def command(self, name: str, value: int) -> None:
        """Write a register and wait until no reset is going on."""
        await self.write(name, value)
        for _ in range(100):
            if not await self.read("STATUS") & mask("STATUS", "IN_RESET"):
                return
        raise AssertionError("the reset does not end")


def pauses(rng: random.Random, share: float) -> Iterator[bool]:
    """Give, cycle by cycle, whether a channel pauses: in `share` of the cycles, now more, now never."""
    while True:
        now = share * rng.choice([0, 1, 2])
        for _ in range(rng.randrange(1, 40)):
            yield rng.random() < now


async def start(dut) -> Bench:
    """Start the clock, reset the device and put a master on its registers."""
    logging.getLogger("cocotb").setLevel(logging.WARNING)
    Clock(dut.aclk, 10, unit="ns").start()
    dut.aresetn.value = 0
    lite = not hasattr(dut, "s_axi_awid")
    rng = random.Random(int(setting("seed", "1")))
    if lite:
        bus = AxiLiteBus.from_prefix(dut, "s_axi")
        master = AxiLiteMaster(bus, dut.aclk, dut.aresetn, reset_active_level=False)
    else:
        master = AxiMaster(
            AxiBus.from_prefix(dut, "s_axi"),
            dut.aclk,
            dut.aresetn,
            reset_active_level=False,
            max_burst_len=int(setting("longest", "16")),
        )
    share = float(setting("stalls", "0"))
    if share:
        channels = [
            master.write_if.aw_channel,
            master.write_if.w_channel,
            master.write_if.b_channel,
            master.read_if.ar_channel,
            master.read_if.r_channel,
        ]
        for channel in channels:
            channel.set_pause_generator(pauses(random.Random(rng.random()), share))
    with np.load(setting("vectors")) as archive:
        bench = Bench(dut, master, archive["beats"], archive["wanted"], rng)
    await ClockCycles(dut.aclk, 5)
    dut.aresetn.value = 1
    await ClockCycles(dut.aclk, 10)
    return bench


@cocotb.test()
async def windows(dut):
    """All images through the FIFO windows, in bursts and word by word, every result exact."""
    bench = await start(dut)
    words = [int(w) for w in bench.beats.ravel().view(np.uint32)]
    wanted = [int(w) for w in bench.wanted.ravel().view(np.uint32)]
    assert await bench.read("STATUS") == 0
    got: list[int] = []
    sent = 0
    while len(got) < len(wanted):
        space = await bench.read("FIFO_IN_SPACE")
        count = min(space, bench.rng.randrange(1, 33), len(words) - sent)
        if count:
            offset = OFFSET["FIFO_IN"] + 4 * bench.rng.randrange(0, 256 - count + 1)
            data = b"".join(word.to_bytes(4, "little") for word in words[sent : sent + count])
            await bench.master.write(offset, data)
            sent += count
        level = await bench.read("FIFO_OUT_LEVEL")
        count = min(level, bench.rng.randrange(1, 33))
        if count:
            offset = OFFSET["FIFO_OUT"] + 4 * bench.rng.randrange(0, 256 - count + 1)
            answer = await bench.master.read(offset, 4 * count)
            got += np.frombuffer(bytes(answer.data), np.uint32).tolist()
    assert got == wanted
    assert await bench.read("ERRORS") == 0
    assert await bench.read("IMAGES_IN") == len(bench.beats)
    assert await bench.read("IMAGES_OUT") == len(bench.beats)
    assert await bench.read("STATUS") == 0


@cocotb.test()
async def stream(dut):
    """Batches through the external stream: every result exact, TLAST once per batch."""
    bench = await start(dut)
    source = AxiStreamSource(
        AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, dut.aresetn, reset_active_level=False
    )
    sink = AxiStreamSink(
        AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, dut.aresetn, reset_active_level=False
    )
    share = float(setting("stalls", "0"))
    if share:
        source.set_pause_generator(pauses(random.Random(1), share))
        sink.set_pause_generator(pauses(random.Random(2), share))
    await bench.command("CONTROL", 0x10)
    first = 0
    for size in itertools.cycle([1, 2, 7, 30]):
        batch = bench.beats[first : first + size]
        if not len(batch):
            break
        await source.send(AxiStreamFrame(batch.tobytes()))
        frame = await sink.recv()
        assert bytes(frame.tdata) == bench.wanted[first : first + size].tobytes()
        first += len(batch)
    assert await bench.read("IMAGES_OUT") == len(bench.beats)
    assert await bench.read("ERRORS") == 0
