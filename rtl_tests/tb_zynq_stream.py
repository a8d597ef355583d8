"""cocotb bench of the Zynq shell's external stream: what an axi_dma beside it sees."""

import random

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource
from stream import setting
from tb_zynq import Bench, pauses, start

from sbnn.boards.registers import mask

ZEROS = bytes(8)


async def prepare(dut) -> tuple[Bench, AxiStreamSource, AxiStreamSink]:
    """Start the device with its streams as source."""
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
    return bench, source, sink


def hold(sink: AxiStreamSink) -> None:
    """Let the sink take nothing."""
    sink.clear_pause_generator()
    sink.pause = True


def release(sink: AxiStreamSink) -> None:
    """Let the sink take beats again, with its pauses."""
    sink.pause = False
    share = float(setting("stalls", "0"))
    if share:
        sink.set_pause_generator(pauses(random.Random(3), share))


def choose(bench: Bench, images: int) -> np.ndarray:
    return np.array([bench.rng.randrange(len(bench.beats)) for _ in range(images)], int)


@cocotb.test()
async def batches(dut):
    """Batches one behind the other without a pause between: results exact, TLAST once per batch."""
    bench, source, sink = await prepare(dut)
    sizes = [300, 1, 1, 1, 2, 7, 30] + [bench.rng.randrange(1, 12) for _ in range(20)]
    choices = [choose(bench, size) for size in sizes]
    for choice in choices:
        await source.send(AxiStreamFrame(bench.beats[choice].tobytes()))
    hold(sink)
    await ClockCycles(dut.aclk, 1500)
    assert not int(dut.s_axis_tready.value), "the queues hold more than there is room for"
    release(sink)
    for choice in choices:
        frame = await sink.recv()
        assert bytes(frame.tdata) == bench.wanted[choice].tobytes()
    await ClockCycles(dut.aclk, 100)
    assert sink.empty()
    assert await bench.read("IMAGES_IN") == await bench.read("IMAGES_OUT") == sum(sizes)
    assert await bench.read("ERRORS") == await bench.read("STATUS") == 0


@cocotb.test()
async def short_images(dut):
    """A batch whose last image is cut off ends all the same, with one beat of zeros and a flag."""
    bench, source, sink = await prepare(dut)
    row = bench.beats.shape[1]
    whole = 0
    for n in range(25):
        choice = choose(bench, bench.rng.randrange(0, 9))
        cut = bench.beats[0, : bench.rng.randrange(1, row)].tobytes()
        await source.send(AxiStreamFrame(bench.beats[choice].tobytes() + cut))
        frame = await sink.recv()
        assert bytes(frame.tdata) == bench.wanted[choice].tobytes() + ZEROS, f"batch {n}"
        assert await bench.read("ERRORS") == mask("ERRORS", "SHORT_IMAGE")
        await bench.write("ERRORS", mask("ERRORS", "SHORT_IMAGE"))
        whole += len(choice)
    choice = choose(bench, 5)
    await source.send(AxiStreamFrame(bench.beats[choice].tobytes()))
    assert bytes((await sink.recv()).tdata) == bench.wanted[choice].tobytes()
    assert await bench.read("IMAGES_IN") == await bench.read("IMAGES_OUT") == whole + 5
    assert await bench.read("ERRORS") == await bench.read("STATUS") == 0


@cocotb.test()
async def resets(dut):
    """A reset by register in mid-batch leaves nothing of it behind, and the registers stay alive."""
    bench, source, sink = await prepare(dut)
    for _ in range(15):
        choice = choose(bench, 40)
        await source.send(AxiStreamFrame(bench.beats[choice].tobytes()))
        await ClockCycles(dut.aclk, bench.rng.randrange(1, 150))
        await cut(source, sink)
        await bench.command("CONTROL", 0x11)
        for end in (source, sink):
            end.assert_reset(False)
        choice = choose(bench, 4)
        await source.send(AxiStreamFrame(bench.beats[choice].tobytes()))
        assert bytes((await sink.recv()).tdata) == bench.wanted[choice].tobytes()
        assert await bench.read("STATUS") == 0
    assert await bench.read("ERRORS") == 0


async def cut(source: AxiStreamSource, sink: AxiStreamSink) -> None:
    """Hold both ends of the stream in reset, as a driver does with its DMA: their queues are gone."""
    for end in (source, sink):
        end.assert_reset(True)
        end.clear()
    await ClockCycles(source.clock, 3)


@cocotb.test()
async def cycles(dut):
    """A batch that nothing stalls takes the core's latency and one interval for each further image."""
    bench, source, sink = await prepare(dut)
    latency, interval = int(setting("latency")), int(setting("ii"))
    for images in (1, 2, 10, 60):
        await bench.write("CONTROL", 0x12)
        await source.send(AxiStreamFrame(bench.beats[choose(bench, images)].tobytes()))
        await sink.recv()
        wanted = latency + bench.wanted.shape[1] + interval * (images - 1)
        assert await bench.read("BATCH_CYCLES") == wanted, f"{images} images"
        assert await bench.read("IMAGES_OUT") == images
        assert await bench.read("STALL_OUT_CYCLES") == 0
