"""cocotb bench of a generated core: real images in, every class and score compared with the reference."""

import itertools

import cocotb
import numpy as np
from stream import Stalls, reset, setting, start, transfer


def load() -> dict[str, np.ndarray]:
    with np.load(setting("vectors")) as archive:
        return dict(archive)


def as_ints(words: np.ndarray) -> list[int]:
    """Return beats that were stored as little-endian bytes, one row each."""
    return [int.from_bytes(row.tobytes(), "little") for row in words]


def compare(out: list[int], wanted: list[int], per_image: int) -> None:
    """Fail with the first image that differs."""
    for n, (have, need) in enumerate(zip(out, wanted, strict=False)):
        assert have == need, (
            f"image {n // per_image}, beat {n % per_image}: RTL {have:#x}, reference {need:#x}"
        )
    assert len(out) == len(wanted), f"{len(out)} beats came out, {len(wanted)} expected"


@cocotb.test()
async def stream(dut):
    """All images under the given stalls, several in flight; checks latency and II when nothing stalls."""
    vectors = load()
    beats, wanted = as_ints(vectors["beats"]), as_ints(vectors["wanted"])
    images = int(vectors["images"])
    per_in, per_out = len(beats) // images, len(wanted) // images
    lasts = [n % per_in == per_in - 1 for n in range(len(beats))]
    if setting("tlast", "image") == "batch":
        lasts = [n == len(beats) - 1 for n in range(len(beats))]
    stalls = Stalls(
        int(setting("send", "100")),
        int(setting("receive", "100")),
        int(setting("seed", "1")),
        setting("bursts", "0") == "1",
    )
    await start(dut)
    ii = int(setting("ii", "1"))
    limit = 4000 + 40 * max(per_in, per_out, ii) * images
    await transfer(dut, [], [], 1, Stalls(), int(setting("settle", "0")))
    seen = await transfer(dut, beats, lasts, len(wanted), stalls, limit)
    compare(seen.out, wanted, per_out)
    assert seen.last == [n % per_out == per_out - 1 for n in range(len(wanted))]
    if stalls.send == stalls.receive == 100 and not stalls.bursts:
        latency = seen.out_cycles[0] - seen.in_cycles[0]
        assert latency == int(setting("latency")), f"latency is {latency} cycles"
        if images > 8:
            firsts = seen.out_cycles[::per_out]
            intervals = [b - a for a, b in itertools.pairwise(firsts)]
            intervals = intervals[int(setting("warm", "0")) :]
            assert set(intervals) == {ii}, f"results come every {intervals} cycles"


@cocotb.test()
async def resets(dut):
    """Reset at random points of a stream; afterwards every answer is right and none is left over."""
    vectors = load()
    beats, wanted = as_ints(vectors["beats"]), as_ints(vectors["wanted"])
    images = int(vectors["images"])
    per_in, per_out = len(beats) // images, len(wanted) // images
    lasts = [n % per_in == per_in - 1 for n in range(len(beats))]
    stalls = Stalls(80, 60, int(setting("seed", "1")))
    await start(dut)
    for n in range(int(setting("resets", "20"))):
        begin = per_in * stalls.rng.randrange(images // 2)
        await transfer(
            dut,
            beats[begin:],
            lasts[begin:],
            1 << 30,
            stalls,
            max_cycles=stalls.rng.randrange(1, 6 * max(per_in, int(setting("ii"))) + 40),
        )
        await reset(dut, 1 + n % 3)
        some = min(images, 4)
        seen = await transfer(
            dut,
            beats[: some * per_in],
            lasts[: some * per_in],
            some * per_out,
            stalls,
            20000 + 20 * some * int(setting("ii")),
        )
        compare(seen.out, wanted[: some * per_out], per_out)
        extra = await transfer(dut, [], [], 1, Stalls(), 200 + 3 * int(setting("ii")))
        assert not extra.out, "a result of before the reset came out"


@cocotb.test()
async def short_images(dut):
    """An image cut off by an early TLAST is dropped; the next ones are whole."""
    vectors = load()
    beats, wanted = as_ints(vectors["beats"]), as_ints(vectors["wanted"])
    images = int(vectors["images"])
    per_in, per_out = len(beats) // images, len(wanted) // images
    stalls = Stalls(90, 90, 7)
    await start(dut)
    sent, lasts = [], []
    for n in range(images):
        whole = beats[n * per_in : (n + 1) * per_in]
        if n % 3 == 1 and per_in > 1:
            cut = stalls.rng.randrange(1, per_in)
            sent += whole[:cut]
            lasts += [False] * (cut - 1) + [True]
        sent += whole
        lasts += [False] * (per_in - 1) + [True]
    seen = await transfer(dut, sent, lasts, len(wanted), stalls, 40 * len(sent) + 4000)
    compare(seen.out, wanted, per_out)
