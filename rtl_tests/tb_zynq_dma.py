"""cocotb bench of the Zynq shell's own DMA: a memory of cocotbext-axi on m_axi, AXI3 watched."""

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles
from stream import setting
from tb_zynq import Bench, pauses, start
from zynq_memory import GUARD, SIZE, Memory, Monitor, attach

from sbnn.boards.registers import mask

RUNNING, DONE, ERROR = (mask("DMA_STATUS", name) for name in ("RUNNING", "DONE", "ERROR"))


class Batches:
    """Runs batches over the DMA of a started bench."""

    def __init__(self, bench: Bench, memory: Memory, monitor: Monitor) -> None:
        self.bench, self.memory, self.monitor = bench, memory, monitor

    async def begin(self, images: int) -> tuple[int, int, np.ndarray]:
        """Place random images near a 4 KiB boundary and start; return source, target, choice."""
        rng, bench = self.bench.rng, self.bench
        choice = np.array([rng.randrange(len(bench.beats)) for _ in range(images)])
        sent, wanted = bench.beats[choice].tobytes(), 8 * bench.wanted.shape[1] * images
        source, target = self._place(len(sent), 0), self._place(wanted, SIZE // 2)
        self.memory.bytes[:] = bytes([GUARD]) * SIZE
        self.memory.bytes[source % SIZE : source % SIZE + len(sent)] = sent
        self.memory.written.clear()
        self.monitor.forget()
        for name, value in (("DMA_SRC", source), ("DMA_DST", target), ("DMA_IMAGES", images)):
            await bench.write(name, value)
        await bench.write("DMA_START", 1)
        return source, target, choice

    def _place(self, size: int, low: int) -> int:
        """Return an address in half of the memory, in a random one of its repetitions."""
        rng = self.bench.rng
        room = SIZE // 2 - size
        near = 4096 * rng.randrange(1, room // 4096) - 8 * rng.choice([0, 0, 1, 2, 3, 15, 16, 17])
        return rng.randrange(1 << 8) * SIZE + low + rng.choice([near, 8 * rng.randrange(room // 8)])

    async def end(self) -> int:
        """Wait until no batch runs and return DMA_STATUS."""
        limit = int(setting("limit", "20000"))
        for _ in range(limit):
            status = await self.bench.read("DMA_STATUS")
            if not status & RUNNING:
                return status
        raise AssertionError(f"the batch does not end; bus idle: {self.monitor.idle}")

    def check(self, source: int, target: int, choice: np.ndarray) -> None:
        """Compare every result, what lies around them, and what was read."""
        wanted = self.bench.wanted[choice].tobytes()
        low = target % SIZE
        have = self.memory.bytes[low : low + len(wanted)]
        size = len(wanted) // len(choice)
        for n in range(len(choice)):
            assert have[n * size : (n + 1) * size] == wanted[n * size : (n + 1) * size], (
                f"image {n}"
            )
        guard = bytes([GUARD])
        half = self.memory.bytes[SIZE // 2 :]
        assert half[: low - SIZE // 2] == guard * (low - SIZE // 2)
        assert half[low - SIZE // 2 + len(wanted) :] == guard * (SIZE - low - len(wanted))
        for bursts, begin, length in (
            (self.monitor.reads, source, self.bench.beats[choice].nbytes),
            (self.monitor.writes, target, len(wanted)),
        ):
            address = begin
            for at, beats in bursts:
                assert at == address, f"burst at {at:#x}, expected {address:#x}"
                address += 8 * beats
                assert beats == 16 or address % 4096 == 0 or address == begin + length, "too short"
            assert address == begin + length

    async def run(self, images: int) -> None:
        """Run a batch and check it."""
        batch = await self.begin(images)
        assert await self.end() == DONE
        self.check(*batch)

    async def failing(self, images: int) -> None:
        """Run a batch whose memory fails somewhere; see that it ends, and says so."""
        rng, memory, bench = self.bench.rng, self.memory, self.bench
        where = rng.choice(["DMA_READ", "DMA_WRITE"])
        # The place is known only once the batch has been placed: break a word of every batch at once.
        row = bench.beats.shape[1] if where == "DMA_READ" else bench.wanted.shape[1]
        word = rng.randrange(row * images)
        memory.broken = _Word(word, where == "DMA_READ", self)
        await self.begin(images)
        assert await self.end() == ERROR
        memory.broken = set()
        for _ in range(200):
            if not await bench.read("STATUS"):
                break
        assert await bench.read("STATUS") == 0
        assert await bench.read("ERRORS") == mask("ERRORS", where), where
        await bench.write("ERRORS", mask("ERRORS", where))
        assert self.monitor.idle
        assert await bench.read("FIFO_OUT_LEVEL") == 0


class _Word:
    """The addresses of one word of the batch: of its images or of its results."""

    def __init__(self, word: int, reads: bool, batches: Batches) -> None:
        self.word, self.reads, self.monitor = word, reads, batches.monitor

    def __contains__(self, address: int) -> bool:
        bursts = self.monitor.reads if self.reads else self.monitor.writes
        return bool(bursts) and address == bursts[0][0] + 8 * self.word


async def prepare(dut) -> Batches:
    bench = await start(dut)
    memory = Memory()
    monitor = Monitor(dut)
    attach(
        dut,
        memory,
        monitor,
        pauses,
        float(setting("memory", "0")),
        int(setting("memory_latency", "0")),
    )
    await bench.command("CONTROL", 0x10)
    return Batches(bench, memory, monitor)


@cocotb.test()
async def batches(dut):
    """Batches of many sizes at many addresses under stalls; every image of every batch exact."""
    test = await prepare(dut)
    bench = test.bench
    sizes = [1, 2, 3, 16, 300] + [
        bench.rng.randrange(1, 60) for _ in range(int(setting("rounds", "8")))
    ]
    for images in sizes:
        await test.run(images)
    assert await bench.read("ERRORS") == 0
    assert await bench.read("IMAGES_IN") == await bench.read("IMAGES_OUT") == sum(sizes)
    assert test.monitor.most_reads > 1, "reads do not overlap"
    assert test.monitor.most_writes > 1, "writes do not overlap"


@cocotb.test()
async def failures(dut):
    """Memory errors end a batch with its flag; the next batch is right."""
    test = await prepare(dut)
    for _ in range(int(setting("rounds", "10"))):
        await test.failing(test.bench.rng.randrange(1, 40))
        await test.run(test.bench.rng.randrange(1, 20))


@cocotb.test()
async def resets(dut):
    """A reset at a random moment of a batch leaves the bus clean and the next batch right."""
    test = await prepare(dut)
    for _ in range(int(setting("rounds", "10"))):
        await test.begin(test.bench.rng.choice([1, 20, 400]))
        await ClockCycles(dut.aclk, test.bench.rng.randrange(1, 300))
        await test.bench.write("CONTROL", 0x11)
        begun = len(test.monitor.reads), len(test.monitor.writes)
        await test.bench.out_of_reset()
        # An address that is already shown has to stay until it is taken.
        assert len(test.monitor.reads) <= begun[0] + 1, "reads begun in the reset"
        assert len(test.monitor.writes) <= begun[1] + 1, "writes begun in the reset"
        assert test.monitor.idle, "something is under way after the reset"
        assert await test.bench.read("DMA_STATUS") & RUNNING == 0
        assert await test.bench.read("STATUS") == 0
        await test.run(test.bench.rng.randrange(1, 20))
    assert await test.bench.read("ERRORS") == 0


@cocotb.test()
async def refusals(dut):
    """What cannot be started is refused and flagged, and leaves a running batch alone."""
    test = await prepare(dut)
    bench = test.bench
    bad = mask("ERRORS", "BAD_COMMAND")

    async def refused(name: str, value: int) -> None:
        await bench.write(name, value)
        assert await bench.read("ERRORS") == bad, f"{name} = {value:#x} was not refused"
        await bench.write("ERRORS", bad)
        assert await bench.read("ERRORS") == 0

    await refused("DMA_START", 1)  # no images
    for name, value in (("DMA_SRC", 0x1000), ("DMA_DST", 0x2004), ("DMA_IMAGES", 1)):
        await bench.write(name, value)
    await refused("DMA_START", 1)  # target not aligned
    await bench.write("DMA_DST", 0x2000)
    await bench.write("DMA_SRC", 0x1001)
    await refused("DMA_START", 1)  # source not aligned
    await bench.write("DMA_START", 0)  # not a start
    assert await bench.read("DMA_STATUS") == await bench.read("ERRORS") == 0
    await bench.command("CONTROL", 0)
    await bench.write("DMA_SRC", 0x1000)
    await refused("DMA_START", 1)  # the source is the FIFO window
    await bench.command("CONTROL", 0x10)
    batch = await test.begin(50)
    await refused("DMA_START", 1)
    await refused("CONTROL", 0)
    await refused("CONTROL", 0x30)
    await refused("FIFO_IN", 1234)
    await bench.read("FIFO_OUT")
    assert await bench.read("ERRORS") == bad
    await bench.write("DMA_IMAGES", 7)  # for the next batch
    assert await bench.read("DMA_STATUS") == RUNNING, "the batch is too short for this test"
    assert await bench.read("STATUS") & 9 == 9
    assert await test.end() == DONE
    test.check(*batch)
    assert await bench.read("CONTROL") == 0x10
    assert await bench.read("IMAGES_OUT") == 50


@cocotb.test()
async def throughput(dut):
    """A big batch without stalls takes little more than the beats of the wider stream."""
    test = await prepare(dut)
    images = int(setting("images", "1000"))
    await test.run(images)
    assert test.monitor.most_reads >= int(setting("overlap", "5")), "reads do not overlap"
    cycles = await test.bench.read("BATCH_CYCLES")
    beats = max(test.bench.beats.shape[1], test.bench.wanted.shape[1])
    dut._log.warning(f"{images} images: {cycles / images:.3f} cycles an image, {beats} beats")
    assert cycles <= images * beats * float(setting("margin")) + 200
