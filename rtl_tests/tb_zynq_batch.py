"""cocotb bench of sbnn_batch alone: a core of any latency around it, every counter against a count."""

import random
from collections import deque

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge
from stream import setting

COUNTERS = ("images_in", "images_out", "batch_cycles", "stall_in", "stall_out")


class Counters:
    """What the counters must hold, from the handshakes of each cycle."""

    def __init__(self, beats: int, each: bool) -> None:
        self.beats, self.each = beats, each
        self.values = dict.fromkeys(COUNTERS, 0)
        self.beat = 0
        self.ends: deque[tuple[bool, bool]] = deque()  # (whole, last) of what is in flight
        self.began: int | None = None

    def step(self, cycle: int, seen: dict[str, int]) -> None:
        """Follow one cycle; `AssertionError` where TLAST or a beat of zeros is wrong."""
        values = self.values
        moved_in = seen["in_valid"] and seen["in_ready"]
        moved_out = seen["out_valid"] and seen["out_ready"]
        values["stall_in"] += seen["in_valid"] and not seen["in_ready"]
        values["stall_out"] += seen["out_valid"] and not seen["out_ready"]
        assert seen["busy"] == bool(self.beat or self.ends)
        ended = False
        if moved_out:
            whole, last = self.ends[0]
            assert seen["out_zero"] == (not whole)
            final = bool(not whole or seen["result_last"])
            assert seen["out_last"] == (final and last), "TLAST is wrong"
            if final:
                self.ends.popleft()
                values["images_out"] += whole
                ended = last and not self.ends and not self.beat and not moved_in
        short = False
        if moved_in:
            self.began = cycle if self.began is None else self.began
            whole = self.beat == self.beats - 1
            last = whole if self.each else bool(seen["in_last"])
            assert seen["core_last"] == last
            self.beat += 1
            short = last and not whole
            if whole or last:
                self.ends.append((whole, last))
                self.beat = 0
                values["images_in"] += whole
        assert seen["short_image"] == short
        if ended:
            values["batch_cycles"] = cycle - self.began + 1
            self.began = None
        if seen["clear"]:
            self.values = dict.fromkeys(COUNTERS, 0)


class Core:
    """Stands in for a core: takes beats when it likes, results come later, `beats` for each image."""

    def __init__(self, rng: random.Random, beats: int) -> None:
        self.rng, self.beats = rng, beats
        self.waiting: deque[int] = deque()  # cycle at which each result may come
        self.sent = 0
        self.valid = False

    def take(self, cycle: int, whole: bool) -> None:
        if whole:
            self.waiting.append(cycle + self.rng.choice([1, 2, 5, 30]))

    def offer(self, cycle: int) -> tuple[bool, bool]:
        """Return TVALID and TLAST; TVALID stays until the beat is taken."""
        due = bool(self.waiting) and cycle >= self.waiting[0]
        self.valid = self.valid or (due and self.rng.random() < 0.7)
        return self.valid, self.sent == self.beats - 1

    def taken(self) -> None:
        self.valid = False
        self.sent += 1
        if self.sent == self.beats:
            self.sent = 0
            self.waiting.popleft()


@cocotb.test()
async def counters(dut):
    """Random handshakes, batches, short images, clears and resets: everything exact in every cycle."""
    rng = random.Random(int(setting("seed", "1")))
    beats, each = int(setting("beats")), setting("each") == "1"
    Clock(dut.aclk, 10, unit="ns").start()
    dut.each_image.value = int(each)
    model, core = Counters(beats, each), Core(rng, int(setting("result_beats")))
    offered = False  # TVALID in
    finished = longest = shorts = 0
    names = [
        "in_valid",
        "in_ready",
        "in_last",
        "core_last",
        "result_last",
        "out_valid",
        "out_ready",
    ]
    names += ["out_last", "out_zero", "busy", "short_image", "clear"]
    rate = (1.0, 1.0, 1.0)
    for cycle in range(int(setting("cycles"))):
        if cycle % 400 == 0:
            rate = tuple(rng.choice([0.05, 0.4, 0.9, 1.0]) for _ in range(3))
        reset = cycle < 3 or rng.random() < 0.0005
        dut.aresetn.value = int(not reset)
        dut.clear.value = int(cycle < 3 or rng.random() < 0.002)
        if not offered and rng.random() < rate[0]:
            offered = True
            dut.in_last.value = int(rng.random() < 0.15)
        dut.in_valid.value = int(offered and not reset)
        dut.core_ready.value = int(rng.random() < rate[1])
        valid, last = core.offer(cycle)
        dut.result_valid.value, dut.result_last.value = int(valid and not reset), int(last)
        dut.out_ready.value = int(rng.random() < rate[2])
        await ReadOnly()
        seen = {name: int(getattr(dut, name).value) for name in names}
        if cycle > 2:
            now = {name: int(getattr(dut, f"{name}_q").value) for name in COUNTERS}
            assert now == model.values, f"cycle {cycle}: {now}, wanted {model.values}"
        if cycle > 2 and not reset:
            assert int(dut.core_valid.value) >= (seen["in_valid"] and seen["in_ready"])
            moved = int(dut.core_valid.value) and int(dut.core_ready.value)
            assert moved == (seen["in_valid"] and seen["in_ready"]), "a beat is lost"
            if moved:
                offered = False
                core.take(cycle, model.beat == beats - 1)
            if int(dut.result_valid.value) and int(dut.result_ready.value):
                core.taken()
            finished += bool(seen["out_last"] and seen["out_valid"] and seen["out_ready"])
            shorts += seen["short_image"]
        if not reset:
            model.step(cycle, seen)
            longest = max(longest, len(model.ends))
        else:
            cleared = dict.fromkeys(COUNTERS, 0) if seen["clear"] else model.values
            model, core, offered = Counters(beats, each), Core(rng, core.beats), False
            model.values = cleared
        await RisingEdge(dut.aclk)
    assert finished > 50 and longest == int(setting("in_flight"))
    assert bool(shorts) == (beats > 1 and not each)
