"""The choice of a backend, and what it says."""

from dataclasses import replace
from pathlib import Path

import pytest
from fake_tools import hide_tools, put_openxc7, put_vivado

from sbnn.boards.backends import openxc7, vivado, yosys
from sbnn.boards.backends.choice import BACKENDS, NoBackendError, choose
from sbnn.boards.board import FLOWS, BoardError, load_board

PYNQ, ULX3S = load_board("pynq-z2"), load_board("ulx3s")
LOG = Path(__file__).parent / "golden" / "boards" / "nextpnr_xilinx.log"
INSTALL_VIVADO = (
    "vivado: vivado is not on PATH; install AMD's Vivado 2019.1 or newer with the device family of "
    "xc7z020clg400-1 and source its settings64.sh"
)


@pytest.fixture(autouse=True)
def only_stand_ins(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    hide_tools(tmp_path_factory.mktemp("path"), monkeypatch)


def test_every_flow_of_the_schema_has_a_backend() -> None:
    assert set(BACKENDS) == set(FLOWS)
    assert {name: backend.NAME for name, backend in BACKENDS.items()} == {n: n for n in FLOWS}


def test_the_only_way() -> None:
    choice = choose(ULX3S)
    assert choice.backend is yosys
    assert choice.reasons == ("BACKEND=auto: yosys, the first choice of ulx3s",)


def test_the_best_of_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_vivado(tmp_path, monkeypatch)
    choice = choose(PYNQ)
    assert choice.backend is vivado
    assert choice.reasons[0] == "BACKEND=auto: vivado, the first choice of pynq-z2"
    assert choice.reasons[1].startswith("openxc7: fasm2frames on PATH, ")
    assert len(choice.reasons) == 2, "what to install for the other"


def test_the_second_best(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_openxc7(tmp_path, monkeypatch, "nextpnr-xilinx", PYNQ.part, "zynq7", LOG)
    choice = choose(PYNQ)
    assert choice.backend is openxc7
    assert choice.reasons == (
        "BACKEND=auto: openxc7, the first of vivado openxc7 whose tools are here",
        INSTALL_VIVADO,
    )


def test_as_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_openxc7(tmp_path, monkeypatch, "nextpnr-xilinx", PYNQ.part, "zynq7", LOG)
    put_vivado(tmp_path, monkeypatch)
    choice = choose(PYNQ, "openxc7")
    assert (choice.backend, choice.reasons) == (openxc7, ("BACKEND=openxc7: as asked",))


def test_none() -> None:
    with pytest.raises(NoBackendError) as error:
        choose(PYNQ)
    text = str(error.value)
    assert text.startswith(f"BACKEND=auto: no tools for pynq-z2 here; {INSTALL_VIVADO}; openxc7: ")
    with pytest.raises(NoBackendError) as error:
        choose(PYNQ, "vivado")
    assert str(error.value) == f"BACKEND=vivado: no tools for pynq-z2 here; {INSTALL_VIVADO}"


@pytest.mark.parametrize(
    ("board", "wanted", "message"),
    [
        (PYNQ, "quartus", "BACKEND=quartus: not known; there are: auto vivado openxc7 yosys"),
        (PYNQ, "yosys", "BACKEND=yosys: does not build for pynq-z2; it has: vivado openxc7"),
        (
            replace(ULX3S, flows=("yosys",)),
            "vivado",
            "BACKEND=vivado: does not build for ulx3s; it has: yosys",
        ),
    ],
)
def test_what_cannot_be(board: object, wanted: str, message: str) -> None:
    with pytest.raises(BoardError) as error:
        choose(board, wanted)  # type: ignore[arg-type]
    assert str(error.value) == message
