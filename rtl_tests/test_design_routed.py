"""What was placed and routed, pins and shell included, classifies real images over its serial line."""

import re
from fractions import Fraction
from pathlib import Path

import pytest
from networks import tracked_network
from routed import route
from shells import BOARD, shell_bench
from summary import count

from sbnn.boards.board import BOARDS
from sbnn.train.config import load_config
from sbnn.train.data import sample_images

PINS = BOARDS / BOARD.name / "pins.lpf"


def settings(path: Path) -> set[tuple[str, str]]:
    """Return every switch of the routing and every table of a LUT in a configuration, (tile, line).

    Left out is what takes no bit: the wire from a cell or a pad to its own pin, and a table of ones.
    """
    found, tile = set(), ""
    for line in path.read_text().splitlines():
        if line.startswith("."):
            tile = line if line.startswith(".tile ") else ""
        elif tile and re.match(r"(arc: |word: SLICE)(?!.*(_SLICE|JPADD\w+| 1{16})$)", line):
            found.add((tile, line))
    return found


@pytest.mark.regress
def test_digits_on_an_ecp5(tmp_path):
    network = tracked_network("digits")
    images = sample_images(load_config("digits"))[0][:20]
    assert BOARD.uart is not None
    bit = Fraction(round(BOARD.clock.mhz * 1e6), BOARD.uart.baud)

    def routed(files):
        made = route(BOARD, files, PINS, tmp_path)
        assert "TRELLIS_COMB" in made["routed.v"]
        assert "always" not in made["routed.v"]
        return made

    with shell_bench(network, images, bit, gap=20000, change=routed) as bench:
        bench.run("infers", share=0.7)
    wanted, found = settings(tmp_path / "top.config"), settings(tmp_path / "back.config")
    assert len(wanted) > 10_000
    assert wanted <= found
    # Clock switches that lie on the way of a bit that is always set.
    assert len(found - wanted) < 20
    count("images of a routed design", len(images))
    count("switches and tables read back", len(wanted))
