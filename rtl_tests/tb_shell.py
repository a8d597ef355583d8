"""cocotb bench of a board's top module: bytes go in and out bit by bit at its two serial pins.

The host side is the product's own driver and protocol code; only the wire is simulated.
"""

import os
import random
import threading
import tty
from collections.abc import Callable
from select import select as select_ready

import cocotb
from cocotb.task import bridge
from cocotb.triggers import Timer
from serial_line import CLOCK_PS, compare, start
from stream import setting

from sbnn.boards.board import Board, load_board
from sbnn.boards.driver import Accelerator, DriverError, LinkError, Results
from sbnn.boards.protocol import (
    HEADER_BYTES,
    INFER,
    INFO,
    PING,
    encode_request,
    frame_images,
    unpack_info,
)
from sbnn.boards.transports import uart
from sbnn.boards.transports.uart import SerialPort, UartTransport
from sbnn.hls.manifest import Manifest


def check_leds(dut, board: Board, answered: int) -> None:
    """From the last LED down: heartbeat, busy, error, and the class on the others."""
    others = len(board.leds) - 3
    shown = int(dut.led.value) ^ (0 if board.leds_active_high else (1 << len(board.leds)) - 1)
    if others >= 0:
        assert shown >> others & 1 == 0, "the error LED is on"
        assert shown & ((1 << others) - 1) == answered % (1 << others)


@cocotb.test()
async def infers(dut):
    """The driver classifies every image, at a rate near the bound of the line."""
    bench = await start(dut, float(setting("deviation", "0")))
    count = len(bench.images)
    spent = []

    def use() -> Results:
        link = UartTransport(bench.line, bench.manifest)
        board = Accelerator(bench.manifest, link)
        link.ping()
        spent.append(cocotb.utils.get_sim_time("ps"))
        results = board.run(bench.images)
        spent.append(cocotb.utils.get_sim_time("ps"))
        assert link.retried == 0
        assert len(board.infer(bench.images[:0])) == 0
        return results

    compare(bench, await bridge(use)(), count)
    assert bench.line.framing_errors == 0
    check_leds(dut, load_board(bench.manifest.board), bench.vectors["classes"][count - 1])
    bits = 10 * max(bench.manifest.image_bytes, bench.manifest.result_bytes)
    share = count * bits * bench.line.bit_ps / (spent[1] - spent[0])
    dut._log.info(f"{count} images at {100 * share:.1f} % of the line rate")
    assert share > float(setting("share", "0"))


@cocotb.test()
async def commands(dut):
    """PING and INFO answer; wrong commands and lengths are refused with their status."""
    bench = await start(dut)
    assert await bench.exchange(encode_request(PING, 9)) == (PING, 9, 0, b"", 0)
    command, tag, count, payload, status = await bench.exchange(encode_request(INFO, 10))
    assert (command, tag, count, status) == (INFO, 10, 1, 0)
    assert unpack_info(payload) == bench.info
    assert await bench.exchange(encode_request(99, 11)) == (99, 11, 0, b"", 2)
    assert await bench.exchange(encode_request(0, 12)) == (0, 12, 0, b"", 2)
    image = bench.payload([0])
    for payload, count in [(image[:-1], 1), (image + b"\0", 1), (image, 0)]:
        answer = await bench.exchange(encode_request(INFER, 13, payload, count))
        assert answer == (INFER, 13, 0, b"", 3)
        await bench.silence()
    too_many = bench.info.max_images + 1
    request = encode_request(INFER, 14, image * too_many, too_many)
    answer = await bench.exchange(request[:HEADER_BYTES])
    assert answer == (INFER, 14, 0, b"", 3)
    assert await bench.exchange(encode_request(PING, 15, b"x", 1)) == (PING, 15, 0, b"", 3)
    await bench.silence()
    await bench.check_alive()


@cocotb.test()
async def damage(dut):
    """Garbage, damaged headers and payloads, cut frames, breaks: a status, and no trace after."""
    bench = await start(dut)
    rng = random.Random(int(setting("seed", "1")))
    line, image, result = bench.line, bench.manifest.image_bytes, bench.manifest.result_bytes

    # Garbage before a frame, and a magic whose first letter is doubled.
    await line.send(bytes(rng.randrange(256) for _ in range(50)).replace(b"SB", b"SC") + b"SSS")
    await bench.check_alive()
    await line.send(b"S")
    assert await bench.exchange(encode_request(PING, 1)) == (PING, 1, 0, b"", 0)

    # Every byte of the header damaged in turn; the magic's two are not even a request.
    for n in range(HEADER_BYTES):
        request = bytearray(encode_request(PING, 2))
        request[n] ^= 1 << rng.randrange(8)
        await line.send(bytes(request))
        if n >= 2:
            assert await bench.answer() == (0, 0, 0, b"", 1), f"header byte {n}"
        await bench.silence()
    await bench.check_alive()

    # The mark of a byte that was lost long ago may sit on the first letter: the CRC decides.
    line.damage = {line.sent: "stop"}
    assert await bench.exchange(encode_request(PING, 3)) == (PING, 3, 0, b"", 0)

    # A damaged payload, and a damaged CRC: three results, not to be used.
    for n in [0, image + 1, 3 * image - 1, 3 * image + 2]:
        request = bytearray(bench.request([4, 5, 6]))
        request[HEADER_BYTES + n] ^= 1 << rng.randrange(8)
        command, tag, count, payload, status = await bench.exchange(bytes(request))
        assert (command, tag, count, len(payload), status) == (INFER, bench.tag, 3, 3 * result, 4)
        assert int(dut.led.value) >> 5 & 1, "the error LED is off"
    await bench.check_alive()

    # A framing error in the header, in the payload, in the CRC.
    for n, wanted in [(5, 1), (HEADER_BYTES + 1, 5), (HEADER_BYTES + 2 * image + 1, 5)]:
        request = bench.request([7, 8])
        line.damage = {line.sent + n: "stop"}
        await line.send(request)
        assert (await bench.answer())[4] == wanted
        await bench.silence()
    await bench.check_alive()

    # Cut off at every interesting place: whole images are answered, the others are zeros.
    indices = [9, 10, 11]
    cuts = [3, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 1, HEADER_BYTES + image - 1]
    cuts += [HEADER_BYTES + image, HEADER_BYTES + image + 1, HEADER_BYTES + 2 * image + image // 2]
    cuts += [HEADER_BYTES + 3 * image, HEADER_BYTES + 3 * image + 3]
    cuts += [HEADER_BYTES + rng.randrange(3 * image) for _ in range(6)]
    for cut in cuts:
        request = bench.request(indices)
        await line.send(request[:cut])
        command, tag, count, payload, status = await bench.answer()
        assert status == 6, f"cut at {cut}: status {status}"
        if cut < HEADER_BYTES:
            assert (command, tag, count) == (0, 0, 0)
            continue
        assert (command, tag, count) == (INFER, bench.tag, 3)
        whole = min(3, (cut - HEADER_BYTES) // image)
        assert payload[: whole * result] == bench.wanted(indices)[: whole * result]
        # An image whose last beat had begun may count as whole, with whatever the rest was.
        assert not any(payload[(whole + 1) * result :]), f"cut at {cut}: {payload.hex()}"
        if cut % 2:
            await bench.check_alive()
    await bench.check_alive()

    # A break on the idle line, in a header and in a payload.
    await line.level(0, 35)
    await line.level(1, 2)
    await bench.check_alive()
    for n, statuses in [(6, {1}), (HEADER_BYTES + image + 3, {5, 6})]:
        request = bench.request([12, 13])
        await line.send(request[:n])
        await line.level(0, 25)
        await line.level(1, 2)
        assert (await bench.answer())[4] in statuses
        await bench.silence()
        await bench.check_alive()

    # Glitches shorter than half a bit are not start bits.
    for _ in range(5):
        await line.level(0, 0.2)
        await line.level(1, 3)
    await bench.check_alive()


@cocotb.test()
async def back_to_back(dut):
    """Frames without a pause between them are answered in order, up to the promised credit."""
    bench = await start(dut)
    size = frame_images(bench.info)
    groups = [[n % len(bench.images) for n in range(k, k + size)] for k in range(0, 4 * size, size)]
    tags = []
    for group in groups[:2]:
        bench.line.post(bench.request(group))
        tags.append(bench.tag)
    for n, group in enumerate(groups):
        command, tag, count, payload, status = await bench.answer()
        assert (command, tag, count, status) == (INFER, tags[n], size, 0)
        assert payload == bench.wanted(group)
        if n + 2 < len(groups):
            bench.line.post(bench.request(groups[n + 2]))
            tags.append(bench.tag)
    # Short frames and pings, all at once.
    bench.line.post(b"".join(encode_request(PING, t) for t in (1, 2)))
    bench.line.post(bench.request([1]) + encode_request(INFO, 3) + bench.request([2]))
    assert [(await bench.answer())[1] for _ in range(2)] == [1, 2]
    assert (await bench.answer())[3] == bench.wanted([1])
    assert (await bench.answer())[0] == INFO
    assert (await bench.answer())[3] == bench.wanted([2])
    await bench.check_alive()


@cocotb.test()
async def overrun(dut):
    """A host that ignores the credit loses frames, gets a status for them, and hangs nothing."""
    bench = await start(dut)
    size = bench.info.max_images
    group = [n % len(bench.images) for n in range(size)]
    for _ in range(8):
        bench.line.post(bench.request(group))
    statuses = []
    while True:
        try:
            statuses.append((await bench.answer())[4])
        except AssertionError:
            break
    assert statuses[:2] == [0, 0], "the credit's own frames must be answered"
    assert 5 in statuses, f"8 frames of {size} images, and no lost byte was marked: {statuses}"
    await bench.silence()
    await bench.check_alive()


@cocotb.test()
async def resets(dut):
    """The reset button in mid-frame: nothing is left over, and the next request is answered."""
    bench = await start(dut)
    rng = random.Random(2)
    flood = [n % len(bench.images) for n in range(bench.info.max_images)]
    for attempt in range(11):
        request = bench.request([5, 6, 7])
        bench.line.post(request[: rng.randrange(1, len(request) + 1)])
        pause = rng.randrange(round(12.5 * len(request)))  # in bits; a byte has 10
        if attempt == 10:  # with every buffer full, so that results wait inside
            for _ in range(4):
                bench.line.post(bench.request(flood))
            pause = 10 * 4 * len(bench.request(flood))
        await Timer(pause * bench.line.bit_ps, unit="ps")
        dut.reset_button.value = 1
        while bench.line._out.qsize() or bench.line.busy:  # the host talks on during reset
            await Timer(bench.line.bit_ps, unit="ps")
        await Timer(20 * bench.line.bit_ps, unit="ps")
        while bench.line._in.qsize():
            bench.line._in.get_nowait()
        dut.reset_button.value = 0
        await Timer(10 * CLOCK_PS, unit="ps")
        await bench.check_alive([rng.randrange(len(bench.images))])


@cocotb.test()
async def retries(dut):
    """The driver over a bad line: every answer right, damaged requests repeated."""
    bench = await start(dut)
    rng = random.Random(int(setting("seed", "1")))

    def use(attempts: int) -> tuple[Results, int]:
        link = UartTransport(bench.line, bench.manifest, retries=attempts)
        total = len(bench.images) * bench.manifest.image_bytes
        bench.line.damage = {
            bench.line.sent + rng.randrange(2 * total): rng.choice(["lose", "flip", "stop"])
            for _ in range(6)
        }
        return Accelerator(bench.manifest, link).run(bench.images), link.retried

    repeated = 0
    for _ in range(4):
        bench.line.damage = {}
        results, retried = await bridge(use)(20)
        compare(bench, results, len(bench.images))
        repeated += retried
    assert repeated > 0, "no request was damaged"
    bench.line.damage = {}

    def give_up() -> str:
        link = UartTransport(bench.line, bench.manifest, retries=0)
        bench.line.damage = {bench.line.sent + HEADER_BYTES + 1: "flip"}
        try:
            Accelerator(bench.manifest, link).run(bench.images[:2])
        except LinkError as error:
            return str(error)
        return "no error"

    message = await bridge(give_up)()
    assert message == "the board could not do INFER: the payload was damaged (CRC)", message


@cocotb.test()
async def refusals(dut):
    """What the driver says to another build, and to a line on which nobody answers."""
    bench = await start(dut)
    manifest = bench.manifest

    def message(call: Callable[[], object]) -> str:
        try:
            call()
        except DriverError as error:
            return str(error)
        return "no error"

    other = Manifest(**(vars(manifest) | {"rtl_digest": "another"}))
    said = await bridge(message)(lambda: UartTransport(bench.line, other))
    assert said == (
        f"the board holds build {manifest.build_id}, the manifest of {manifest.model} is build "
        f"{other.build_id}; load its bitstream"
    ), said
    dut.reset_button.value = 1
    said = await bridge(message)(lambda: UartTransport(bench.line, manifest))
    assert said == "no answer from the board to INFO in 0.5 s", said
    dut.reset_button.value = 0
    await Timer(10 * CLOCK_PS, unit="ps")
    await bench.check_alive()


@cocotb.test()
async def pseudo_terminal(dut):
    """The real pyserial, with a pseudo-terminal between them and the pins."""
    bench = await start(dut)
    uart.TIMEOUT_SECONDS = 20  # of this machine's time: the simulator may have to wait
    master, slave = os.openpty()
    tty.setraw(slave)

    def use() -> Results:
        line = SerialPort(os.ttyname(slave), 115200)
        with Accelerator(bench.manifest, UartTransport(line, bench.manifest)) as board:
            return board.run(bench.images)

    done: list[object] = []

    def guarded() -> None:
        try:
            done.append(use())
        except BaseException as error:
            done.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    while not done:  # host time passes in the thread, simulated time here
        if select_ready([master], [], [], 0)[0]:
            bench.line.post(os.read(master, 4096))
        await Timer(50 * bench.line.bit_ps, unit="ps")
        waiting = b""
        while bench.line._in.qsize():
            waiting += bytes([bench.line._in.get_nowait()])
        if waiting:
            os.write(master, waiting)
    if isinstance(done[0], BaseException):
        raise done[0]
    compare(bench, done[0], len(bench.images))


@cocotb.test()
async def fuzz(dut):
    """Random damage to random traffic, again and again: always alive afterwards."""
    bench = await start(dut)
    rng = random.Random(int(setting("seed", "1")))
    for _ in range(int(setting("rounds", "30"))):
        traffic = b""
        for _ in range(rng.randrange(1, 4)):
            kind = rng.randrange(4)
            if kind == 0:
                command = rng.choice([PING, INFO, rng.randrange(256)])
                traffic += encode_request(command, rng.randrange(256))
            elif kind == 1:
                traffic += bytes(rng.randrange(256) for _ in range(rng.randrange(40)))
            else:
                count = rng.randrange(1, 6)
                frame = bench.request([rng.randrange(len(bench.images)) for _ in range(count)])
                traffic += frame[: rng.randrange(len(frame) + 1)] if kind == 2 else frame
        bench.line.damage = {
            bench.line.sent + rng.randrange(len(traffic) + 1): rng.choice(["lose", "flip", "stop"])
            for _ in range(rng.randrange(3))
        }
        bench.line.post(traffic)
        if rng.random() < 0.3:
            while bench.line._out.qsize() or bench.line.busy:
                await Timer(bench.line.bit_ps, unit="ps")
            await bench.line.level(0, rng.uniform(0.1, 30))
            await bench.line.level(1, 1)
        await bench.silence()
        bench.line.damage = {}
        await bench.check_alive([rng.randrange(len(bench.images)) for _ in range(3)])
