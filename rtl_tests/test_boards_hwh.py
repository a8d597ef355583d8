"""The open flow's hardware handoff, read by the real pynq package."""

from pathlib import Path

import pytest
from networks import random_network
from pynq.pl_server.hwh_parser import _HWHZynq  # what HWH is on the board's processor
from pynqmetadata.frontends import Metadata
from pynqmetadata.views.runtime import RuntimeMetadataParser

from sbnn.boards.board import BoardError, load_board
from sbnn.boards.hwh import BASE, CORE, CORE_VLNV, SIZE, fclk_divisors, hwh_text
from sbnn.hls.design import Choices
from sbnn.hls.generate import generate
from sbnn.hls.manifest import Manifest, load_manifest


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("core")
    generate(random_network(1, largest=20), Choices(levels_per_stage=2), "pynq-z2", folder)
    return load_manifest(folder / "manifest.json")


@pytest.mark.parametrize("board", ["pynq-z1", "pynq-z2"])
def test_pynq_reads_address_name_and_clock(manifest: Manifest, board: str, tmp_path: Path) -> None:
    path = tmp_path / "demo.hwh"
    path.write_text(hwh_text(load_board(board), manifest))
    for parser in (RuntimeMetadataParser(Metadata(input=str(path))), _HWHZynq(str(path))):
        core = parser.ip_dict[CORE]
        assert core["type"] == CORE_VLNV
        assert (core["phys_addr"], core["addr_range"]) == (BASE, SIZE)
        assert core["parameters"]["BUILD_ID"] == f"0x{manifest.build_id}"
        clocks = parser.clock_dict
        assert [clocks[clock]["enable"] for clock in range(4)] == [1, 0, 0, 0]
        assert 1000 / (clocks[0]["divisor0"] * clocks[0]["divisor1"]) == 100


def test_equal_inputs_equal_bytes(manifest: Manifest) -> None:
    board = load_board("pynq-z2")
    assert hwh_text(board, manifest) == hwh_text(board, manifest)


@pytest.mark.parametrize("mhz", [1000, 250, 125, 100, 62.5, 50, 25, 10, 1000 / 63, 1])
def test_divisors_give_the_clock(mhz: float) -> None:
    first, second = fclk_divisors(1000, mhz)
    assert 1 <= first <= 63 and 1 <= second <= 63
    assert 1000 / (first * second) == pytest.approx(mhz)


@pytest.mark.parametrize("mhz", [1001, 300, 150, 1000 / 67])
def test_clocks_that_no_divider_gives(mhz: float) -> None:
    with pytest.raises(BoardError, match="is not the IO PLL's 1000 MHz by a divider"):
        fclk_divisors(1000, mhz)


def test_other_devices(manifest: Manifest) -> None:
    with pytest.raises(BoardError) as error:
        hwh_text(load_board("zcu104"), manifest)
    assert str(error.value) == (
        "zcu104: the open handoff is for a Zynq-7000, not xczu7ev-ffvc1156-2-e"
    )
