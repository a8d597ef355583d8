"""cocotb bench of the Zynq shell's AXI slave: random transactions, legal and not, against a model.

The channels are cocotbext-axi's, so that every field of a transaction can be wrong; each pauses at random,
and write data may come before or after their address.
"""

import logging
import random
from collections import deque
from dataclasses import dataclass, field

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, ReadOnly, RisingEdge
from cocotbext.axi import AxiBus
from cocotbext.axi.axi_channels import AxiARSource, AxiAWSource, AxiBSink, AxiRSink, AxiWSource
from stream import setting
from tb_zynq import pauses
from zynq_model import RegisterModel, register_at

from sbnn.boards.registers import BY_NAME, ID_VALUE, REGISTERS, VERSION_VALUE, Register

# Where two accesses meet.
_LIVELY = [
    BY_NAME[name] for name in ("CONTROL", "ERRORS", "STATUS", "FIFO_IN", "FIFO_OUT", "CYCLES_LO")
]
FIXED, INCR, WRAP, RESERVED = range(4)
OUTSTANDING = 8
# Cycles without any progress while something is due: the longest pause is some tens.
PATIENCE = 1000


@dataclass
class Burst:
    """A transaction: its address channel, and what its beats must meet."""

    id: int
    address: int
    len: int
    size: int
    burst: int
    beats: list[tuple[int, int, int]] = field(default_factory=list)  # (data, strobes, last)

    def word(self, beat: int) -> tuple[int, bool]:
        """Return the address of a beat and whether it is one aligned word; AXI A3.4.1."""
        size = 1 << self.size
        aligned = self.address // size * size
        if self.burst == FIXED:
            address = self.address
        elif self.burst == WRAP:
            span = size * (self.len + 1)
            low = self.address // span * span
            address = low + (aligned - low + beat * size) % span
        else:
            address = self.address if beat == 0 else aligned + beat * size
        legal = self.size == 2 and address % 4 == 0 and self.burst != RESERVED
        if self.burst == WRAP:
            legal &= self.len in (1, 3, 7, 15) and self.address % 4 == 0
        return address & 0xFFF, legal


class Generator:
    """Makes random transactions; knows enough of the state not to start a batch or fill a queue."""

    def __init__(self, rng: random.Random, pool: list[int], longest: int, ids: int) -> None:
        self.rng, self.pool, self.longest, self.ids = rng, pool, longest, ids
        self.source = 0
        self.pushes = 0  # words that may still go into the queue
        self.made = 0
        self.focus: list[Register] = []  # registers that are used more than others for some time

    def burst(self) -> Burst:
        rng = self.rng
        kind = rng.choices([INCR, FIXED, WRAP, RESERVED], [10, 3, 3, 1])[0]
        size = rng.choices([2, 1, 0, 3, 7], [20, 1, 1, 1, 1])[0]
        length = rng.choice([0, 0, 0, 1, 3, rng.randrange(16), rng.randrange(self.longest)])
        if kind == WRAP and rng.random() < 0.8:
            length = rng.choice([1, 3, 7, 15])
        if self.made % 100 == 0:
            self.focus = rng.sample(_LIVELY, rng.randrange(1, 4))
        self.made += 1
        register = rng.choice(self.focus if rng.random() < 0.6 else REGISTERS)
        address = rng.choice(
            [
                *[register.offset + 4 * rng.randrange(register.words)] * 4,
                4 * rng.randrange(48),
                0x800 + 4 * rng.randrange(256),
                0xC00 + 4 * rng.randrange(256),
                4 * rng.randrange(1024),
            ]
        )
        if rng.random() < 0.05:
            address += rng.randrange(1, 4)
        high = rng.randrange(1 << 20) << 12  # the window repeats
        return Burst(rng.randrange(self.ids), high + address, length, size, kind)

    def write(self, room: int) -> Burst:
        """Return a write; at most `room` words may go to FIFO_IN."""
        rng, burst = self.rng, self.burst()
        beats = burst.len + 1
        if rng.random() < 0.03:  # WLAST too early or too late
            beats = rng.choice([max(1, beats - 1), 1, beats + 1, beats + 5])
        for n in range(beats):
            address, legal = burst.word(n)
            strobes = 15 if rng.random() < 0.95 else rng.randrange(16)
            last = int(n == beats - 1)
            done = legal and strobes == 15 and n <= burst.len and last == (n == burst.len)
            data = self._data(address, done)
            register = register_at(address)
            if done and register is not None and register.name == "FIFO_IN" and self.source == 0:
                room -= 1
                if room < 0:
                    strobes = 14
                else:
                    self.pushes += 1
            burst.beats.append((data, strobes, last))
        return burst

    def _data(self, address: int, done: bool) -> int:
        rng, register = self.rng, register_at(address)
        name = register.name if register else ""
        if name == "FIFO_IN":
            return rng.choice(self.pool)
        if name == "DMA_START":
            return rng.getrandbits(32) & ~1 | (self.source == 0)
        if name == "CONTROL":
            data = rng.getrandbits(32) & ~0x33 | rng.choice([0, 0, 0, 1, 2])
            if data & 1:
                data |= rng.choice([0, 0, 16, 32, 48])
                if done and data & 0x20 == 0:
                    self.source = data >> 4 & 1
            else:
                data |= rng.choice([self.source, self.source, 2, 3]) << 4
            return data
        return rng.choice([0, 0xFFFFFFFF, 1, rng.getrandbits(32)])


class Scoreboard:
    """Watches the slave's ports every cycle and lets the model follow.

    A write is done one cycle after its beat, a read one cycle before its data are first seen.
    """

    def __init__(self, dut, model: RegisterModel, generator: Generator) -> None:
        self.dut, self.model, self.generator = dut, model, generator
        self.writes: deque[Burst] = deque()  # whose data are not all taken
        self.answers: deque[int] = deque()  # ids of writes without an answer
        self.reads: deque[Burst] = deque()
        self.cycle = self.progress = -1
        self.answered = self.answered_writes = self.most_writes = self.most_reads = 0
        self.taken = {"aw": 0, "w": 0}  # bursts
        self._beat = self._read_beat = 0
        self._seen: tuple[int, ...] | None = None
        self._due: deque[tuple[int, int, bool, int]] = deque()

    def _value(self, name: str) -> int:
        return int(getattr(self.dut, f"s_axi_{name}").value)

    def _taken(self, channel: str) -> bool:
        return bool(self._value(f"{channel}valid") and self._value(f"{channel}ready"))

    async def watch(self) -> None:
        while True:
            await RisingEdge(self.dut.aclk)
            await ReadOnly()
            self.cycle += 1
            self._step()

    def _step(self) -> None:
        executed = self.cycle - 1
        self._read(executed)
        if self._due and self._due[0][0] == executed:
            _, address, legal, data = self._due.popleft()
            register = register_at(address)
            self.model.write(executed, address, legal, data)
            if legal and register is not None and register.name == "FIFO_IN":
                self.generator.pushes -= self.model.source == 0
        self.model.end_cycle()
        if self._taken("aw"):
            self.taken["aw"] += 1
            self.progress = self.cycle
        if self._taken("w"):
            self._write_beat()
            self.progress = self.cycle
        if self._taken("b"):
            ident, response = self._value("bid"), self._value("bresp")
            assert self.taken["w"] > self.answered_writes, "an answer came before its data"
            assert (ident, response) == (self.answers.popleft(), 0)
            self.answered += 1
            self.answered_writes += 1
            self.progress = self.cycle

    def _write_beat(self) -> None:
        burst = self.writes[0]
        data, strobes, last = burst.beats[self._beat]
        address, legal = burst.word(self._beat)
        assert (self._value("wdata"), self._value("wlast")) == (data, last)
        whole = last == (self._beat == burst.len) and self._beat <= burst.len
        self._due.append((self.cycle + 1, address, legal and strobes == 15 and whole, data))
        self._beat += 1
        if last:
            self.writes.popleft()
            self._beat = 0
            self.taken["w"] += 1

    def _read(self, executed: int) -> None:
        if not self._value("rvalid"):
            assert self._seen is None, "rvalid fell before it was taken"
            return
        seen = tuple(self._value(name) for name in ("rid", "rdata", "rresp", "rlast"))
        if self._seen is None:
            burst = self.reads[0]
            address, legal = burst.word(self._read_beat)
            self.model.read(executed, address, legal, seen[1])
            last = self._read_beat == burst.len
            assert (seen[0], seen[2], seen[3]) == (burst.id, 0, last), (seen, burst)
            self._read_beat += 1
            if last:
                self.reads.popleft()
                self._read_beat = 0
                self.answered += 1
        assert self._seen in (None, seen), "an answer changed while it waited"
        self._seen = seen
        if self._value("rready"):
            self._seen = None
            self.progress = self.cycle


def prepare_model(vectors) -> tuple[RegisterModel, list[int]]:
    """Return the model, and words any two of which are an image without a zero word in its result."""
    pool = [int(word) for word in vectors["pool"]]
    answers = {
        (pool[i], pool[j]): [int(word) for word in vectors["answers"][i, j]]
        for i in range(len(pool))
        for j in range(len(pool))
    }
    build = int(setting("build_id"), 16)
    constants = {
        "ID": ID_VALUE,
        "VERSION": VERSION_VALUE,
        "BUILD_LO": build & 0xFFFFFFFF,
        "BUILD_HI": build >> 32,
        "FEATURES": 3,
        "IMAGE_BEATS": 1,
        "RESULT_BEATS": len(vectors["answers"][0, 0]) // 2,
    }
    return RegisterModel(constants, answers.__getitem__, 2), pool


@cocotb.test()
async def random_transactions(dut):
    """Every transaction is answered in order with its id, and every word is what the map says."""
    logging.getLogger("cocotb").setLevel(logging.WARNING)
    rng = random.Random(int(setting("seed", "1")))
    with np.load(setting("pool")) as archive:
        model, pool = prepare_model(archive)
    generator = Generator(rng, pool, int(setting("longest")), 1 << 12)
    Clock(dut.aclk, 10, unit="ns").start()
    dut.aresetn.value = 0
    bus = AxiBus.from_prefix(dut, "s_axi")
    channels = [
        AxiAWSource(bus.write.aw, dut.aclk),
        AxiWSource(bus.write.w, dut.aclk),
        AxiBSink(bus.write.b, dut.aclk),
        AxiARSource(bus.read.ar, dut.aclk),
        AxiRSink(bus.read.r, dut.aclk),
    ]
    aw, w, _, ar, _ = channels
    share = float(setting("stalls", "0.3"))
    for channel in channels:
        if share:
            channel.set_pause_generator(pauses(random.Random(rng.random()), share))
    await ClockCycles(dut.aclk, 5)
    dut.aresetn.value = 1
    board = Scoreboard(dut, model, generator)
    task = cocotb.start_soon(board.watch())
    await ClockCycles(dut.aclk, 12)
    left = total = int(setting("transactions"))
    while left or board.answers or board.reads:
        await RisingEdge(dut.aclk)
        if task.done():
            task.result()
        if left and len(board.answers) < OUTSTANDING and rng.random() < 0.5:
            room = 60 - len(model.results) // 3 - len(model.words) - generator.pushes
            burst = generator.write(max(0, room))
            board.writes.append(burst)
            board.answers.append(burst.id)
            aw.send_nowait(_address(aw, "aw", burst))
            for data, strobes, last in burst.beats:
                w.send_nowait(w._transaction_obj(wdata=data, wstrb=strobes, wlast=last))
            left -= 1
            board.most_writes = max(board.most_writes, len(board.answers))
        if left and len(board.reads) < OUTSTANDING and rng.random() < 0.5:
            burst = generator.burst()
            board.reads.append(burst)
            ar.send_nowait(_address(ar, "ar", burst))
            left -= 1
            board.most_reads = max(board.most_reads, len(board.reads))
        waited = board.cycle - board.progress
        assert waited < PATIENCE, f"nothing moved for {waited} cycles: it hangs"
    await ClockCycles(dut.aclk, 20)
    if task.done():
        task.result()
    assert board.answered == total
    dut._log.warning(
        f"{total} transactions in {board.cycle} cycles; at once {board.most_writes} writes, "
        f"{board.most_reads} reads; {dict(model.met)}"
    )
    assert min(board.most_writes, board.most_reads) == OUTSTANDING
    if setting("rare", "0") == "1":  # the seed of the fast test meets every rare event
        assert all(model.met.values()) and len(model.met) == 6, model.met


def _address(source, channel: str, burst: Burst):
    fields = {"id": burst.id, "addr": burst.address & 0xFFFFFFFF, "len": burst.len}
    fields |= {"size": burst.size, "burst": burst.burst}
    return source._transaction_obj(**{channel + name: value for name, value in fields.items()})
