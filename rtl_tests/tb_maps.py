"""cocotb benches of the modules that turn streams into maps and windows, against plain Python."""

import itertools

import cocotb
from cocotb.triggers import FallingEdge, ReadOnly, RisingEdge
from stream import setting
from tb_modules import begin, hold_reset


@cocotb.test()
async def pixels(dut):
    """Random beats, gaps, stalls, early TLASTs; images come out whole, cut ones filled with zeros."""
    rng = await begin(dut)
    beat, positions, channels = (int(setting(name)) for name in ("beat", "positions", "channels"))
    size, bytes_per_beat = positions * channels, beat // 8
    beats = -(-size // bytes_per_beat)
    dut.s_axis_tvalid.value = 0
    dut.m_ready.value = 0
    await hold_reset(dut)
    have, wanted, marks, out, images, cut = [], [], [], [], 0, 0
    held = None
    for cycle in range(6000):
        await FallingEdge(dut.aclk)
        slow = cycle // 500 % 2
        ready = rng.random() < (0.3 if slow else 0.97)
        if held is None and rng.random() < (0.9 if slow else 0.8):
            last = rng.random() < 0.04 or (len(have) == beats - 1 and rng.random() < 0.5)
            held = (rng.getrandbits(beat), last)
        dut.m_ready.value, dut.s_axis_tvalid.value = int(ready), int(held is not None)
        accepts = bool(dut.s_axis_tready.value)
        if held is not None:
            dut.s_axis_tdata.value, dut.s_axis_tlast.value = held[0], int(held[1])
        await ReadOnly()
        assert bool(dut.s_axis_tready.value) == accepts, "TREADY depends on this cycle's inputs"
        if dut.done.value:
            marks.append(bool(dut.bad.value))
        if held is not None and accepts:
            word, last = held
            held = None
            have.append(word)
            if last or len(have) == beats:
                short = len(have) < beats
                data = b"".join(w.to_bytes(bytes_per_beat, "little") for w in have)
                data = data.ljust(size, b"\0")[:size]
                wanted += [
                    int.from_bytes(data[n : n + channels], "little")
                    for n in range(0, size, channels)
                ]
                images, cut = images + 1, cut + short
                have = []
        if ready and bool(dut.m_valid.value):
            out.append(int(dut.m_data.value))
        await RisingEdge(dut.aclk)
    # What is still inside, and the part of an image that came last, has not come out yet.
    assert out[: len(wanted)] == wanted[: len(out)]
    assert len(out) >= len(wanted) - positions * (1 + bytes_per_beat) and images > 20 and cut > 2
    assert sum(marks) in (cut, cut - 1)


@cocotb.test()
async def window(dut):
    """Maps back to back, random gaps and refusals; every window in order, once, maps never mixed."""
    rng = await begin(dut)
    names = "bits height width kernel_h kernel_w stride_h stride_w pad_top pad_left pad_bottom pad_right"
    bits, height, width, kh, kw, sh, sw, top, left, bottom, right = (
        int(setting(name)) for name in names.split()
    )
    rows, columns = (height + top + bottom - kh) // sh + 1, (width + left + right - kw) // sw + 1
    dut.in_valid.value = 0
    dut.go.value = 0
    await hold_reset(dut)
    sent, found, expect = [], [], False
    offered = None
    for cycle in range(5000):
        await FallingEdge(dut.aclk)
        slow = cycle // 300 % 2
        go = rng.random() < (0.4 if slow else 0.98)
        if offered is None and rng.random() < (0.95 if slow else 0.8):
            offered = rng.getrandbits(bits)
        dut.go.value, dut.in_valid.value = int(go), int(offered is not None)
        if offered is not None:
            dut.in_data.value = offered
        await ReadOnly()
        if expect:
            found.append(int(dut.x.value))
        expect = bool(dut.take.value)
        assert go or not expect, "a window was handed out without a place for it"
        if offered is not None and bool(dut.in_ready.value):
            sent.append(offered)
            offered = None
        await RisingEdge(dut.aclk)
    maps = [sent[n : n + height * width] for n in range(0, len(sent), height * width)]
    wanted = []
    for values in maps:
        for r, c in itertools.product(range(rows), range(columns)):
            word = 0
            for n, (i, j) in enumerate(itertools.product(range(kh), range(kw))):
                y, x = r * sh + i - top, c * sw + j - left
                if not (0 <= y < height and 0 <= x < width):
                    continue
                if y * width + x >= len(values):  # this window has not come yet
                    word = None
                    break
                word |= values[y * width + x] << n * bits
            wanted.append(word)
    complete = [word for word in wanted if word is not None]
    assert found == wanted[: len(found)] and len(found) >= len(complete) - columns * rows
    assert len(maps) > 3 and len(found) > 3 * rows * columns
