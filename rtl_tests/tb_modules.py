"""cocotb benches of the hand-written modules, one each; random stimuli and the edges."""

import random

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge
from stream import setting


async def begin(dut) -> random.Random:
    Clock(dut.aclk, 10, unit="ns").start()
    return random.Random(int(setting("seed", "1")))


async def hold_reset(dut, cycles: int = 3) -> None:
    dut.aresetn.value = 0
    for _ in range(cycles):
        await RisingEdge(dut.aclk)
    dut.aresetn.value = 1


@cocotb.test()
async def argmax(dut):
    """Every cycle other scores: random, with many ties, and all at the extremes."""
    rng = await begin(dut)
    count, width = int(setting("count")), int(setting("width"))
    late = int(setting("cycles")) * (count - 1).bit_length()
    low, high = -(1 << width - 1), (1 << width - 1) - 1
    cases = [[rng.randint(low, high) for _ in range(count)] for _ in range(300)]
    cases += [[rng.choice([low, -1, 0, high]) for _ in range(count)] for _ in range(300)]
    cases += [[value] * count for value in (low, -1, 0, high)]
    cases += [[high if i == j else low for i in range(count)] for j in range(count)]
    for cycle in range(len(cases) + late):
        if cycle < len(cases):
            dut.scores.value = sum(
                (v & (1 << width) - 1) << i * width for i, v in enumerate(cases[cycle])
            )
        await ReadOnly()
        if cycle >= late:
            scores = cases[cycle - late]
            assert int(dut.index.value) == scores.index(max(scores)), scores
            packed = sum((v & (1 << width) - 1) << i * width for i, v in enumerate(scores))
            assert int(dut.scores_out.value) == packed
        await RisingEdge(dut.aclk)


@cocotb.test()
async def unpack(dut):
    """Random beats, gaps, refusals and early TLASTs; every whole image, and only those, comes out."""
    rng = await begin(dut)
    bits, beat = int(setting("bits")), int(setting("beat"))
    beats = -(-bits // beat)
    dut.s_axis_tvalid.value = 0
    dut.s_axis_tlast.value = 0
    dut.go.value = 0
    await hold_reset(dut)
    have, wanted, expect_short, images = [], None, False, 0
    for cycle in range(3000):
        valid = rng.random() < 0.8
        last = rng.random() < 0.05 or (len(have) == beats - 1 and rng.random() < 0.5)
        word = rng.getrandbits(beat)
        go = rng.random() < 0.7
        dut.s_axis_tvalid.value, dut.s_axis_tlast.value = int(valid), int(last)
        dut.s_axis_tdata.value, dut.go.value = word, int(go)
        await ReadOnly()
        if wanted is not None:
            assert int(dut.x.value) == wanted, f"cycle {cycle}"
            wanted, images = None, images + 1
        final = len(have) == beats - 1
        if cycle:
            assert bool(dut.s_axis_tready.value) == (go or not final), (
                "only the last beat waits for go"
            )
        taken = valid and bool(dut.s_axis_tready.value)
        assert bool(dut.take.value) == (taken and final)
        expect_short = taken and last and not final
        assert bool(dut.short_image.value) == expect_short
        if taken:
            have.append(word)
            if final:
                wanted = sum(value << n * beat for n, value in enumerate(have)) & (1 << bits) - 1
            if final or last:
                have = []
        await RisingEdge(dut.aclk)
    assert images > 100


@cocotb.test()
async def flow(dut):
    """A numbered image per take; all results come out in order, none lost, never more inside than places."""
    rng = await begin(dut)
    latency, width, depth = (int(setting(name)) for name in ("latency", "width", "depth"))
    dut.take.value = 0
    dut.m_ready.value = 0
    await hold_reset(dut)
    entered, left, pipe = 0, 0, []
    for cycle in range(4000):
        await FallingEdge(dut.aclk)  # the registers have settled: go is what this cycle has
        ready = rng.random() < (0.2 if cycle // 200 % 2 else 0.95)
        dut.m_ready.value = int(ready)
        # The datapath: `result` at cycle t is the image taken at t - LATENCY - 1.
        due = [number for when, number in pipe if when + latency + 1 == cycle]
        dut.result.value = due[0] % (1 << width) if due else rng.getrandbits(width)
        go = bool(dut.go.value)
        take = go and cycle < 3500 and rng.random() < 0.9
        dut.take.value = int(take)
        await ReadOnly()
        assert bool(dut.go.value) == go, "go depends on take or m_ready in the same cycle"
        if take:
            pipe = [*pipe[-latency - 2 :], (cycle, entered)]
            entered += 1
        if ready and bool(dut.m_valid.value):
            assert int(dut.m_data.value) == left % (1 << width)
            left += 1
        assert entered - left <= depth
        await RisingEdge(dut.aclk)
    assert entered == left > 200


@cocotb.test()
async def fifo(dut):
    """Random pushes and pops against a Python list; full and empty both happen."""
    rng = await begin(dut)
    width, depth = int(setting("width")), int(setting("depth"))
    dut.push.value = 0
    dut.pop.value = 0
    await hold_reset(dut)
    inside, seen = [], set()
    for cycle in range(3000):
        push = len(inside) < depth and rng.random() < (0.9 if cycle // 100 % 2 else 0.3)
        pop = bool(inside) and rng.random() < 0.5
        word = rng.getrandbits(width)
        dut.push.value, dut.in_data.value, dut.pop.value = int(push), word, int(pop)
        await ReadOnly()
        assert bool(dut.valid.value) == bool(inside)
        if inside:
            assert int(dut.out_data.value) == inside[0]
        if pop:
            inside.pop(0)
        if push:
            inside.append(word)
        seen.add(len(inside))
        await RisingEdge(dut.aclk)
    assert seen == set(range(depth + 1))


@cocotb.test()
async def pack(dut):
    """Words under random stalls; beats in order, low bits first, TLAST on each word's last."""
    rng = await begin(dut)
    bits, beat = int(setting("bits")), int(setting("beat"))
    beats = -(-bits // beat)
    dut.in_valid.value = 0
    dut.m_axis_tready.value = 0
    await hold_reset(dut)
    word, sent, words = None, 0, 0
    for _ in range(3000):
        if word is None and rng.random() < 0.7:
            word = rng.getrandbits(bits)
        ready = rng.random() < 0.6
        dut.in_valid.value, dut.m_axis_tready.value = int(word is not None), int(ready)
        if word is not None:
            dut.in_data.value = word
        await ReadOnly()
        assert bool(dut.m_axis_tvalid.value) == (word is not None)
        taken = bool(dut.in_ready.value) and word is not None
        assert taken == (word is not None and ready and sent == beats - 1)
        if word is not None:
            assert int(dut.m_axis_tdata.value) == word >> sent * beat & (1 << beat) - 1
            assert bool(dut.m_axis_tlast.value) == (sent == beats - 1)
            if ready:
                sent += 1
            if taken:
                word, sent, words = None, 0, words + 1
        await RisingEdge(dut.aclk)
    assert words > 100
