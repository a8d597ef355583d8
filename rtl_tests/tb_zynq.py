"""cocotb bench of the Zynq shell's registers and FIFO windows."""

import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiMaster
from stream import setting

from sbnn.boards.registers import OFFSET, REGISTERS, WINDOW_BYTES, mask


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
        await self.out_of_reset()

    async def out_of_reset(self) -> None:
        """Wait until no reset is going on."""
        for _ in range(1000):
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
async def register_map(dut):
    """Every word of the window is read and written, and does what the map says and nothing else."""
    bench = await start(dut)
    own_dma = hasattr(dut, "m_axi_awaddr")
    bad = mask("ERRORS", "BAD_ACCESS")
    at = {
        register.offset + 4 * i: register
        for register in REGISTERS
        for i in range(register.words)
        if own_dma or not register.own_dma
    }
    features = mask("FEATURES", "FIFO") | mask("FEATURES", "OWN_DMA" if own_dma else "STREAM")
    build = int(setting("build_id"), 16)
    known = {
        "BUILD_LO": build & 0xFFFFFFFF,
        "BUILD_HI": build >> 32,
        "FEATURES": features,
        "IMAGE_BEATS": bench.beats.shape[1],
        "RESULT_BEATS": bench.wanted.shape[1],
        "STATUS": 0,
        "FIFO_IN_SPACE": 256,
    }

    async def errors() -> int:
        value = await bench.read("ERRORS")
        await bench.write("ERRORS", value)
        return value

    for address in range(0, WINDOW_BYTES, 4):
        register = at.get(address)
        answer = await bench.master.read(address, 4)
        value = int.from_bytes(answer.data, "little")
        if register is None or register.access == "WO":
            assert (value, await errors()) == (0, bad), f"read {address:#x}"
        elif register.name == "FIFO_OUT":
            assert (value, await errors()) == (0, mask("ERRORS", "FIFO_UNDERFLOW"))
        elif register.name != "CYCLES_LO":
            wanted = known.get(register.name, register.reset)
            assert (value, await errors()) == (wanted, 0), register.name
    for address in range(0, WINDOW_BYTES, 4):
        register = at.get(address)
        if register is None or register.access == "RO":
            await bench.master.write(address, b"\xff" * 4)
            assert await errors() == bad, f"write {address:#x}"
    for register in (register for register in REGISTERS if register.access == "RW"):
        if register.offset in at and not register.fields:
            for value in (0xFFFFFFFF, 0x12345678, 0):
                await bench.write(register.name, value)
                assert await bench.read(register.name) == value
    assert await errors() == 0
    first = await bench.read("CYCLES_LO")
    await ClockCycles(dut.aclk, 1000)
    assert 1000 < await bench.read("CYCLES_LO") - first < 1100
    await bench.write("CONTROL", mask("CONTROL", "CLEAR"))
    assert await bench.read("CYCLES_LO") < 100


@cocotb.test()
async def full_queue(dut):
    """More words than fit: exactly those that FIFO_IN_SPACE announced are kept, none is lost."""
    bench = await start(dut)
    row = 2 * bench.beats.shape[1]
    words = bench.beats.ravel().view(np.uint32)
    rows = np.arange(4000) % len(words)
    sent = 0
    while space := await bench.read("FIFO_IN_SPACE"):
        for _ in range(space):
            await bench.write("FIFO_IN", int(words[rows[sent]]))
            sent += 1
        await ClockCycles(dut.aclk, 300)
    assert await bench.read("ERRORS") == 0
    await bench.write("FIFO_IN", 1)
    assert await bench.read("ERRORS") == mask("ERRORS", "FIFO_OVERFLOW")
    await bench.write("ERRORS", mask("ERRORS", "FIFO_OVERFLOW"))
    assert await bench.read("STALL_OUT_CYCLES") > 0
    wanted = bench.wanted.view(np.uint32)
    for n in range(sent // row):
        for word in wanted[n % len(wanted)]:
            for _ in range(20):
                if await bench.read("FIFO_OUT_LEVEL"):
                    break
            assert await bench.read("FIFO_OUT") == word, f"image {n}"
    assert await bench.read("FIFO_OUT_LEVEL") == await bench.read("ERRORS") == 0
    assert await bench.read("IMAGES_OUT") == sent // row
    # A part of an image is inside: the source cannot change, unless a reset drops the part.
    while sent % row == 0:
        await bench.write("FIFO_IN", 1)
        sent += 1
    await bench.write("CONTROL", 0x10)
    assert await bench.read("ERRORS") == mask("ERRORS", "BAD_COMMAND")
    assert await bench.read("CONTROL") == 0
    await bench.command("CONTROL", 0x11)
    assert (await bench.read("CONTROL"), await bench.read("STATUS")) == (0x10, 0)
