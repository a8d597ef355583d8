"""The register map as data, and in the hardware."""

from itertools import pairwise
from pathlib import Path

import pytest
from zynq_bench import two_beats_bench

from sbnn.boards import registers
from sbnn.boards.registers import REGISTERS, WINDOW_BYTES, error_texts, mask, register_table

ROOT = Path(__file__).resolve().parent.parent


def test_registers_do_not_overlap() -> None:
    for one, two in pairwise(REGISTERS):
        assert one.offset + 4 * one.words <= two.offset, f"{one.name} and {two.name}"
    assert REGISTERS[-1].offset + 4 * REGISTERS[-1].words <= WINDOW_BYTES
    assert len({register.name for register in REGISTERS}) == len(REGISTERS)
    for register in REGISTERS:
        assert register.offset % 4 == 0
        assert register.access in ("RO", "RW", "WO", "W1C")
        for one, two in pairwise(register.fields):
            assert one.low + one.bits <= two.low <= 31, f"{register.name}.{two.name}"


def test_masks_and_texts() -> None:
    assert mask("CONTROL", "SOURCE") == 0x30
    assert mask("ERRORS", "BAD_COMMAND") == 0x40
    assert [text.split(":")[0] for text in error_texts(0x12)] == ["BAD_ACCESS", "FIFO_OVERFLOW"]
    with pytest.raises(KeyError, match="STATUS has no field DONE"):
        mask("STATUS", "DONE")


def test_the_table_of_the_readme() -> None:
    assert register_table() in (ROOT / "boards" / "shells" / "zynq" / "README.md").read_text()


@pytest.mark.parametrize("kind", ["axi3", "lite"])
def test_the_hardware_has_this_map(kind: str) -> None:
    with two_beats_bench(kind) as bench:
        bench.run("tb_zynq", "register_map")


def test_runs_on_a_board() -> None:
    """The driver imports it there: nothing but the standard library."""
    text = Path(registers.__file__).read_text()
    imports = [line for line in text.splitlines() if line.startswith(("import ", "from "))]
    assert imports == ["from dataclasses import dataclass"]
