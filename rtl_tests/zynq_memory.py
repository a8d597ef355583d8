"""The memory behind the DMA of the Zynq shell, and a monitor that holds the shell to AXI3."""

import random
from collections import deque

import cocotb
from cocotb.triggers import ReadOnly, RisingEdge
from cocotbext.axi import AxiBus, AxiSlave

SIZE = 1 << 20
GUARD = 0xA5


class Memory:
    """1 MiB of bytes, repeated over the address space, that answers chosen addresses with errors."""

    def __init__(self) -> None:
        self.bytes = bytearray([GUARD]) * SIZE
        self.broken: set[int] = set()  # byte addresses of 64-bit words
        self.written: list[int] = []

    async def read(self, address: int, length: int) -> bytes:
        self._check(address)
        return bytes(self.bytes[address % SIZE : address % SIZE + length])

    async def write(self, address: int, data: bytes) -> None:
        self._check(address)
        self.written.append(address)
        self.bytes[address % SIZE : address % SIZE + len(data)] = data

    def _check(self, address: int) -> None:
        if address in self.broken:
            raise OSError(f"{address:#x} is broken")


def attach(dut, memory: Memory, monitor: "Monitor", pauses, share: float, latency: int) -> None:
    """Put a memory on m_axi.

    Args:
        dut: the top.
        memory: the bytes.
        monitor: the monitor of the same port.
        pauses: (random, share) to a generator of pauses.
        share: share of the cycles in which each channel pauses.
        latency: least cycles from a read address to its data; the next addresses are taken meanwhile.
    """
    slave = AxiSlave(
        AxiBus.from_prefix(dut, "m_axi"),
        dut.aclk,
        dut.aresetn,
        target=memory,
        reset_active_level=False,
    )
    channels = [
        slave.write_if.aw_channel,
        slave.write_if.w_channel,
        slave.write_if.b_channel,
        slave.read_if.ar_channel,
        slave.read_if.r_channel,
    ]
    rng = random.Random(5)
    for channel in channels:
        # The ports of a processor take several addresses ahead; two would hide what the shell can do.
        channel.queue_occupancy_limit = 8
        if share:
            channel.set_pause_generator(pauses(random.Random(rng.random()), share))
    if latency:
        take = slave.read_if.ar_channel.recv

        async def take_late():
            address = await take()
            due = monitor.asked.popleft() + latency
            while monitor.cycle < due:
                await RisingEdge(dut.aclk)
            return address

        slave.read_if.ar_channel.recv = take_late


class Monitor:
    """Watches m_axi cycle by cycle; raises where a rule of AXI3 or of our own is broken.

    Attributes:
        reads: bursts read, as (byte address, beats).
        writes: bursts written.
        most_reads: the most bursts that were under way at once.
        most_writes: the same for writes.
    """

    def __init__(self, dut) -> None:
        self.dut = dut
        self.reads: list[tuple[int, int]] = []
        self.writes: list[tuple[int, int]] = []
        self.most_reads = self.most_writes = 0
        self.cycle = 0
        self.asked: deque[int] = deque()  # cycles in which reads were asked for
        self._reading: deque[int] = deque()  # beats still to come of every burst asked for
        self._sending: deque[tuple[int, int]] = deque()  # (id, beats) whose data are not all sent
        self._early: list[
            tuple[int, bool]
        ] = []  # (id, last) of data that came before their address
        self._waiting = 0  # write bursts without an answer
        self._held: dict[str, tuple[int, ...]] = {}
        self.task = cocotb.start_soon(self._watch())

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not (self._reading or self._sending or self._early or self._waiting or self._held)

    def forget(self) -> None:
        """Drop what was counted so far."""
        self.reads.clear()
        self.writes.clear()

    def _signal(self, name: str) -> int:
        return int(getattr(self.dut, f"m_axi_{name}").value)

    def _beat(self, channel: str, payload: str) -> dict[str, int] | None:
        """Return the payload of a channel that the shell drives where it is taken in this cycle."""
        if not self._signal(f"{channel}valid"):
            assert channel not in self._held, f"{channel}valid fell before it was taken"
            return None
        now = {name: self._signal(channel + name) for name in payload.split()}
        assert self._held.get(channel) in (None, now), f"{channel} changed while it waited"
        if self._signal(f"{channel}ready"):
            self._held.pop(channel, None)
            return now
        self._held[channel] = now
        return None

    async def _watch(self) -> None:
        while True:
            await RisingEdge(self.dut.aclk)
            await ReadOnly()
            self.cycle += 1
            if not self.dut.aresetn.value:
                continue
            self._addresses()
            self._data()

    def _addresses(self) -> None:
        for channel, bursts in (("ar", self.reads), ("aw", self.writes)):
            beat = self._beat(channel, "id addr len size burst cache prot")
            if beat is None:
                continue
            address, beats = beat["addr"], beat["len"] + 1
            assert beats <= 16, f"{channel}: AXI3 has bursts of 16 beats at most, not {beats}"
            assert (beat["id"], beat["size"], beat["burst"]) == (0, 3, 1), beat
            assert address % 8 == 0, f"{channel}: {address:#x} is not aligned"
            assert address // 4096 == (address + 8 * beats - 1) // 4096, f"{channel}: crosses 4 KiB"
            bursts.append((address, beats))
            if channel == "ar":
                self._reading.append(beats)
                self.asked.append(self.cycle)
                self.most_reads = max(self.most_reads, len(self._reading))
            else:
                self._sending.append((beat["id"], beats))
                self._waiting += 1
                self.most_writes = max(self.most_writes, self._waiting)

    def _data(self) -> None:
        beat = self._beat("w", "id data strb last")
        if beat is not None:
            assert beat["strb"] == 0xFF
            self._early.append((beat["id"], bool(beat["last"])))
        while self._early and self._sending:
            (ident, last), (wanted, left) = self._early.pop(0), self._sending.popleft()
            assert ident == wanted, f"WID is {ident}, AWID was {wanted}"
            assert last == (left == 1), f"WLAST is {last} with {left} beats left"
            if left > 1:
                self._sending.appendleft((wanted, left - 1))
        if self._signal("bvalid"):
            assert self._signal("bready"), "an answer is refused"
            assert self._waiting > len(self._sending), "an answer came before its data"
            self._waiting -= 1
        if self._signal("rvalid"):
            assert self._signal("rready"), "room was not reserved for a beat"
            self._reading[0] -= 1
            assert bool(self._signal("rlast")) == (self._reading[0] == 0)
            if not self._reading[0]:
                self._reading.popleft()
