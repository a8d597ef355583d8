"""The driver on the real pynq package over a simulated board, with both DMAs; and what it refuses."""

import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cores import random_images, stream_bits
from networks import tracked_network
from zynq_overlay import zynq_build

from sbnn.boards.driver import DriverError, open_accelerator
from sbnn.boards.registers import OFFSET, mask
from sbnn.boards.simulated_pynq import Fabric, simulated_board
from sbnn.boards.transports import pynq_dma
from sbnn.boards.verilated import BusError
from sbnn.hls import reference
from sbnn.hls.manifest import load_manifest, manifest_text

warnings.filterwarnings("ignore", category=UserWarning)
NETWORK = tracked_network("digits")
IMAGES = random_images(NETWORK, 500, seed=5)
ANSWER = reference.run(NETWORK, IMAGES)


@pytest.fixture(scope="module", params=["axi_dma", "own"])
def deploy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    return zynq_build(NETWORK, IMAGES, ANSWER.classes, request.param, folder)


@pytest.fixture
def board(deploy: Path) -> Iterator[Fabric]:
    with simulated_board(deploy) as fabric:
        yield fabric
        assert fabric.model.faults() == 0, "the DMA broke a rule of AXI3"


def check(folder: Path, transport: str, counts: tuple[int, ...]) -> None:
    with open_accelerator(folder, transport) as accelerator:
        assert accelerator.simulated
        assert accelerator.clock_mhz is None
        for count in counts:
            results = accelerator.run(IMAGES[:count])
            assert (results.classes == ANSWER.classes[:count]).all()
            assert (results.scores == ANSWER.scores[:count]).all()


@pytest.mark.parametrize("transport", ["auto", "pynq-dma", "pynq-fifo"])
def test_every_image_of_every_batch(deploy: Path, board: Fabric, transport: str) -> None:
    check(deploy, transport, (500, 1, 0, 2, 37))


@pytest.mark.parametrize("dma", [pytest.param("axi_dma", marks=pytest.mark.regress), "own"])
def test_pixels_as_they_are(tmp_path: Path, dma: str) -> None:
    network = tracked_network("digits-grey")
    images = random_images(network, 60, seed=6)
    answer = reference.run(network, images)
    folder = zynq_build(network, images, answer.classes, dma, tmp_path)
    with simulated_board(folder) as fabric:
        for transport in ("pynq-dma", "pynq-fifo"):
            with open_accelerator(folder, transport) as accelerator:
                for count in (60, 1, 7):
                    results = accelerator.run(images[:count])
                    assert (results.classes == answer.classes[:count]).all()
                    assert (results.scores == answer.scores[:count]).all()
        assert fabric.model.faults() == 0


def test_under_pauses_of_the_memory(deploy: Path) -> None:
    with simulated_board(deploy, pauses=60) as fabric:
        check(deploy, "pynq-dma", (200, 3))
        assert fabric.model.faults() == 0


def test_batches_larger_than_a_buffer(
    deploy: Path, board: Fabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pynq_dma, "BUFFER_BYTES", 24 * 64)
    check(deploy, "pynq-dma", (500, 64, 65))


def test_cycles_of_a_batch(deploy: Path, board: Fabric) -> None:
    with open_accelerator(deploy) as accelerator:
        manifest = accelerator.manifest
        accelerator.run(IMAGES)
        assert accelerator.timing is not None
        cycles = accelerator.timing.cycles
        # The shell adds its queues to what the core itself needs.
        least = manifest.latency_cycles + (len(IMAGES) - 1) * manifest.ii_cycles
        assert cycles is not None
        assert least <= cycles <= least + 100


def test_the_clock_is_set_from_the_handoff(deploy: Path, board: Fabric) -> None:
    from pynq import Clocks

    with open_accelerator(deploy):
        assert Clocks.fclk0_mhz == 100.0


def test_a_clock_beyond_timing_is_refused(deploy: Path, board: Fabric) -> None:
    from pynq import Clocks

    with open_accelerator(deploy):
        pass
    Clocks.fclk0_mhz = 142
    with pytest.raises(DriverError) as error:
        open_accelerator(deploy, download=False)
    assert str(error.value) == (
        f"the processor clocks the core at {Clocks.fclk0_mhz:g} MHz, the bitstream was timed for "
        "100 MHz; set pynq.Clocks.fclk0_mhz to that"
    )


def test_another_build_is_refused(deploy: Path, board: Fabric, tmp_path: Path) -> None:
    manifest = load_manifest(deploy / "manifest.json")
    other = replace(manifest, rtl_digest="0" * 64)
    copy = tmp_path / "deploy"
    copy.mkdir()
    for path in deploy.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "manifest.json").write_text(manifest_text(other))
    with pytest.raises(DriverError) as error:
        open_accelerator(copy)
    assert str(error.value) == (
        f"the board holds build {manifest.build_id}, the manifest of digits is build "
        f"{other.build_id}; load its bitstream"
    )


def test_files_that_are_missing(deploy: Path, board: Fabric, tmp_path: Path) -> None:
    for path in deploy.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "digits.hwh").unlink()
    with pytest.raises(
        DriverError, match=r"digits.hwh: no such file; make bitstream BOARD=pynq-z2"
    ):
        open_accelerator(tmp_path)
    (tmp_path / "digits.hwh").write_text("<EDKSYSTEM/>")
    with pytest.raises(DriverError, match=r"digits.bit: pynq cannot load it \("):
        open_accelerator(tmp_path)


def test_an_overlay_without_the_core(deploy: Path, board: Fabric, tmp_path: Path) -> None:
    for path in deploy.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    handoff = (tmp_path / "digits.hwh").read_text()
    (tmp_path / "digits.hwh").write_text(handoff.replace("sbnn_0", "other_0"))
    with pytest.raises(DriverError, match=r"digits.bit: has no sbnn_0, only .*other_0"):
        open_accelerator(tmp_path)


def test_an_accelerator_that_answers_something_else(
    deploy: Path, board: Fabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = board.model.read

    def other(offset: int) -> int:
        return 0xDEADBEEF if offset == OFFSET["ID"] else real(offset)

    monkeypatch.setattr(board.model, "read", other)
    with pytest.raises(DriverError, match=r"^sbnn_0 answers 0xdeadbeef as its ID, an sbnn shell"):
        open_accelerator(deploy)


def stuck(fabric: Fabric, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]) -> None:
    """Let writes to some registers get lost, as a broken bitstream would."""
    real = fabric.model.write
    offsets = {OFFSET[name] for name in names}
    monkeypatch.setattr(
        fabric.model, "write", lambda offset, value: offset in offsets or real(offset, value)
    )


def test_a_dma_that_never_finishes(
    deploy: Path, board: Fabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = load_manifest(deploy / "manifest.json").link.dma == "own"
    with open_accelerator(deploy, timeout=0.3) as accelerator:
        with monkeypatch.context() as patch:
            if own:  # memory that pauses for ever
                board.model._c.sbnn_pauses(board.model._handle, 100)
            else:
                real = board.model.write_dma
                patch.setattr(
                    board.model,
                    "write_dma",
                    lambda offset, value: offset == 0x28 or real(offset, value),
                )
            began = time.monotonic()
            message = (
                r"^the DMA of 5 images of digits did not finish: nothing moved for 0.3 s \(0 im"
            )
            if own:
                message = r"did not finish: nothing moved for 0.3 s"
            with pytest.raises(DriverError, match=message):
                accelerator.run(IMAGES[:5])
            assert time.monotonic() - began < 20
            board.model._c.sbnn_pauses(board.model._handle, 0)
        # And the next one is whole again.
        results = accelerator.run(IMAGES[:50])
        assert (results.scores == ANSWER.scores[:50]).all()


@pytest.mark.parametrize("buffer", ["_source", "_target"])
def test_memory_that_is_not_there(deploy: Path, board: Fabric, buffer: str) -> None:
    own = load_manifest(deploy / "manifest.json").link.dma == "own"
    with open_accelerator(deploy, timeout=0.3) as accelerator:
        lost = getattr(accelerator.link, buffer)
        region = np.zeros(lost.nbytes, np.uint8)
        board.model.unmap_memory(lost.physical_address)
        side = {"_source": "READ", "_target": "WRITE"}[buffer]
        way = {"_source": "to", "_target": "from"}[buffer]
        message = rf"failed .*DMA_{side}" if own else rf"failed {way} the core: no memory at the ad"
        with pytest.raises(DriverError, match=message):
            accelerator.run(IMAGES[:5])
        board.model.map_memory(lost.physical_address, region)
        accelerator.run(IMAGES[:5])  # another memory than the processor's: it runs, that is all


def test_a_queue_that_never_fills(
    deploy: Path, board: Fabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_accelerator(deploy, "pynq-fifo", timeout=0.3) as accelerator:
        with monkeypatch.context() as patch:
            real = board.model.write
            patch.setattr(
                board.model,
                "write",
                lambda offset, value: offset >= OFFSET["FIFO_IN"] or real(offset, value),
            )
            with pytest.raises(
                DriverError, match=r"^5 images of digits did not finish: nothing moved for 0.3 s"
            ):
                accelerator.run(IMAGES[:5])
        assert (accelerator.run(IMAGES[:50]).scores == ANSWER.scores[:50]).all()


def test_a_reset_that_never_ends(
    deploy: Path, board: Fabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = board.model.read
    busy = mask("STATUS", "IN_RESET")
    monkeypatch.setattr(
        board.model,
        "read",
        lambda offset: busy if offset == OFFSET["STATUS"] else real(offset),
    )
    with pytest.raises(DriverError, match=r"^the reset of digits did not finish: nothing moved"):
        open_accelerator(deploy, timeout=0.2)


def test_an_error_of_the_shell_is_reported(deploy: Path, board: Fabric) -> None:
    """Words lost at a full queue are no results."""
    with open_accelerator(deploy, "pynq-fifo", timeout=0.3) as accelerator:
        shell = accelerator.link._shell
        real = shell.read
        shell.read = lambda name: 128 if name == "FIFO_IN_SPACE" else real(name)
        with pytest.raises(DriverError, match=r"did not finish: .* errors: FIFO_OVERFLOW\)$"):
            accelerator.run(IMAGES)
        shell.read = real
        assert (accelerator.run(IMAGES[:50]).scores == ANSWER.scores[:50]).all()


def test_the_processor_sees_the_fabric_only_through_its_caches(
    deploy: Path, board: Fabric, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without flush and invalidate the results must be wrong, or the simulation would hide it."""
    from pynq.buffer import PynqBuffer

    with open_accelerator(deploy) as accelerator:
        monkeypatch.setattr(PynqBuffer, "invalidate", lambda buffer: None)
        assert (accelerator.run(IMAGES[:20]).scores != ANSWER.scores[:20]).any()


def test_addresses_without_a_block_end_the_process(board: Fabric) -> None:
    with pytest.raises(BusError, match=r"^physical address 0x12345678: no block answers there$"):
        board.read(0x12345678)


def test_without_a_board(deploy: Path) -> None:
    with pytest.raises(DriverError, match=r"^pynq finds no device; run this on the board, as root"):
        open_accelerator(deploy)


def test_without_pynq(deploy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pynq", None)
    with pytest.raises(DriverError, match=r"^pynq is not installed; this transport runs on a PYNQ"):
        open_accelerator(deploy)


def test_what_a_zynq_transport_needs_of_the_manifest(deploy: Path, tmp_path: Path) -> None:
    table = json.loads((deploy / "manifest.json").read_text())
    table["link"] = {"kind": "uart", "baud": 3, "dma": "", "clock_mhz": 25.0}
    (tmp_path / "manifest.json").write_text(json.dumps(table))
    for transport in ("pynq-dma", "pynq-fifo"):
        with pytest.raises(DriverError, match=r"^digits for pynq-z2: the manifest names no Zynq;"):
            open_accelerator(tmp_path, transport)
    with (
        pytest.raises(DriverError, match="there is no board to simulate"),
        simulated_board(tmp_path),
    ):
        pass


def test_numbers_pass_the_window_word_by_word(board: Fabric, deploy: Path) -> None:
    """A queue counts every access: none may be made twice, whatever the length of a slice."""
    seen: list[tuple[int, int]] = []
    real = board.model.write
    with open_accelerator(deploy, "pynq-fifo") as accelerator:
        board.model.write = lambda offset, value: (
            seen.append((offset, value)),
            real(offset, value),
        )  # type: ignore[method-assign]
        accelerator.run(IMAGES[:3])
        board.model.write = real  # type: ignore[method-assign]
    words = [value for offset, value in seen if offset >= OFFSET["FIFO_IN"]]
    bits = stream_bits(NETWORK, IMAGES[:3])
    packed = np.packbits(bits, axis=1, bitorder="little").view(np.uint32)
    assert words == packed.reshape(-1).tolist()
