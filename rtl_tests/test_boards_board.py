"""Boards as data: the schema's messages word by word, and the tracked boards themselves."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from networks import command
from simulate import ROOT

from sbnn.boards.board import BOARDS, BoardError, board_names, load_board
from sbnn.boards.table import board_table
from sbnn.hls.delay import levels_that_fit

GOOD = """
name = "demo"
title = "Demo"
vendor = "Lattice"
family = "ecp5"
part = "LFE5U-25F-6BG256C"
package = "CABGA256"
speed = "6"
device = "25k"
shell = "uart"
flows = ["yosys"]
levels_per_stage = 2
leds = ["P11"]
program = "load {bit}"

[clock]
mhz = 25
pin = "P3"
source = "oscillator"

[budget]
lut = 24288
ff = 24288
bram = 56
bram_kbit = 18
dsp = 28

[uart]
tx = "J17"
rx = "H18"
baud = 1000000
"""


def board_folder(folder: Path, text: str) -> Path:
    (folder / "demo").mkdir()
    (folder / "demo" / "board.toml").write_text(text)
    return folder


def test_a_good_board_loads(tmp_path: Path) -> None:
    board = load_board("demo", board_folder(tmp_path, GOOD))
    assert (board.clock.mhz, board.router, board.reset, board.leds) == (
        25.0,
        "default",
        None,
        ("P11",),
    )
    assert board.leds_active_high


def test_levels_between_registers_follow_from_the_clock(tmp_path: Path) -> None:
    """The delay model chooses where the board says nothing; a board's own figure wins."""
    assert load_board("demo", board_folder(tmp_path, GOOD)).levels_per_stage == 2
    for mhz in (25, 100, 200):
        folder = tmp_path / str(mhz)
        folder.mkdir()
        text = GOOD.replace("levels_per_stage = 2\n", "").replace("mhz = 25", f"mhz = {mhz}")
        board = load_board("demo", board_folder(folder, text))
        assert board.levels_per_stage == levels_that_fit("ecp5", mhz)
    assert levels_that_fit("ecp5", 100) < levels_that_fit("ecp5", 25)


PROCESSOR = '[processor]\nkind = "zynq7"\ncrystal_mhz = 50\npll_mhz = 1010\n'
UART = '[uart]\ntx = "J17"\nrx = "H18"\nbaud = 1000000\n'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "Demo"\n', "", "title is missing, needs a string"),
        ('"Lattice"', "7", "vendor is 7, needs a non-empty string"),
        ('"Lattice"', '""', "vendor is '', needs a non-empty string"),
        ('"ecp5"', '"ecp6"', "family is 'ecp6', needs one of ecp5 ice40 gowin xc7 xcup"),
        (
            'flows = ["yosys"]',
            'flows = ["make"]',
            "flows is ['make'], needs a list of one or more of yosys vivado openxc7",
        ),
        ('leds = ["P11"]', "leds = [1]", "leds is [1], needs a list of strings"),
        (
            "levels_per_stage = 2",
            "levels_per_stage = 0",
            "levels_per_stage is 0, needs an integer of 1 or more",
        ),
        ("lut = 24288", "lut = -1", "budget.lut is -1, needs an integer of 1 or more"),
        ("lut = 24288", "lut = true", "budget.lut is True, needs an integer of 1 or more"),
        ("dsp = 28\n", "", "budget.dsp is missing, needs an integer of 0 or more"),
        ("mhz = 25", "mhz = 0", "clock.mhz is 0, needs a positive number"),
        (
            "mhz = 25",
            "mhs = 25",
            "clock.mhz is missing, needs a positive number",
        ),
        ("mhz = 25", "mhz = 25\nppm = 50", "clock.ppm is not known; known: mhz pin source"),
        (UART, "", "shell is 'uart', needs a [uart] section with tx, rx, baud"),
        (UART, "[uart]\n", "uart.tx is missing, needs a string"),
        ('pin = "P3"\n', "", "shell is 'uart', needs clock.pin"),
        (
            'device = "25k"\n',
            "",
            "flows has 'yosys', needs device (nextpnr's name of the die)",
        ),
        (
            "baud = 1000000",
            "baud = 8000000",
            "uart.baud is 8000000, needs at most a quarter of the clock (25 MHz)",
        ),
        ('shell = "uart"', 'shell = "zynq"', "shell is 'zynq', needs a [processor] section"),
        (
            UART,
            UART + PROCESSOR,
            "clock.mhz is 25, needs a divisor of processor.pll_mhz (1010)",
        ),
        (
            UART,
            UART + PROCESSOR.replace("zynq7", "z80"),
            "processor.kind is 'z80', needs one of zynq7 zynqmp",
        ),
        ('"load {bit}"', '"load it"', "program is 'load it', needs {bit} for the file"),
        ('"J17"', '"tx"', "'tx' is not a package pin, needs one such as 'G2' or '35'"),
        ('"J17"', '"P3"', "pin P3 is used 2 times, needs once"),
        ('name = "demo"', 'name = "other"', "name is 'other', needs 'demo' as its folder"),
        (
            "levels_per_stage = 2",
            "levels_per_stage = 2\nclock = 5\n[ignored]",
            None,
        ),
    ],
)
def test_schema_errors(tmp_path: Path, old: str, new: str, message: str | None) -> None:
    assert old in GOOD
    with pytest.raises(BoardError) as error:
        load_board("demo", board_folder(tmp_path, GOOD.replace(old, new, 1)))
    if message is None:
        assert str(error.value).startswith("boards/demo/board.toml: not TOML (")
    else:
        assert str(error.value) == f"boards/demo/board.toml: {message}"


def test_missing_section(tmp_path: Path) -> None:
    text = re.sub(r"\[clock\].*?\n\n", "", GOOD, flags=re.DOTALL)
    with pytest.raises(BoardError, match=r"^boards/demo/board.toml: section \[clock\] is missing$"):
        load_board("demo", board_folder(tmp_path, text))


def test_not_toml(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"^boards/demo/board.toml: not TOML \("):
        load_board("demo", board_folder(tmp_path, "name ="))


def test_unknown_board() -> None:
    with pytest.raises(BoardError) as error:
        load_board("zybo")
    there = " ".join(board_names())
    assert str(error.value) == f"BOARD=zybo: no boards/zybo/board.toml; there are: {there}"
    assert {"pynq-z2", "ulx3s"} <= set(board_names())


def test_names_do_not_leave_the_folder() -> None:
    with pytest.raises(BoardError, match=r"^BOARD=../boards/ulx3s: no boards/"):
        load_board("../boards/ulx3s")


# Per kind of pins file: where it says (port, pin) or (pin, port), and the clock in MHz or ns.
PINS = {
    ".lpf": (
        r'LOCATE COMP "(?P<port>[^"]+)" SITE "(?P<pin>\w+)";',
        r'FREQUENCY PORT "clk" (\S+) MHZ;',
    ),
    ".pcf": (r"set_io (?:-pullup yes )?(?P<port>\S+) (?P<pin>\w+)\n", r"set_frequency clk (\S+)\n"),
    ".cst": (r'IO_LOC "(?P<port>[^"]+)" (?P<pin>\w+);', None),
    ".xdc": (
        r"PACKAGE_PIN (?P<pin>\w+) IOSTANDARD LVCMOS\d+} \[get_ports {?(?P<port>[^\s{}]+?)}?\]\n",
        r"create_clock -period (\S+) -name clk \[get_ports clk\]\n",
    ),
}


@pytest.mark.parametrize("name", board_names())
def test_pins_file_agrees_with_the_data(name: str) -> None:
    board = load_board(name)
    path = board.pins_file()
    text = path.read_text()
    place, clock = PINS[path.suffix]
    matches = list(re.finditer(place, text))
    found = {match["port"]: match["pin"] for match in matches}
    assert len(found) == len(matches), "a port is placed twice"
    wanted = {f"led[{n}]": pin for n, pin in enumerate(board.leds)} | board.tie_high
    wanted |= {"clk": board.clock.pin} if board.clock.pin else {}
    if board.uart:
        wanted |= {"uart_tx": board.uart.tx, "uart_rx": board.uart.rx}
    wanted |= {"reset_button": board.reset.pin} if board.reset else {}
    assert found == wanted
    if board.clock.pin and clock:
        speed = re.search(clock, text)
        assert speed is not None
        mhz = 1000 / float(speed[1]) if path.suffix == ".xdc" else float(speed[1])
        assert mhz == board.clock.mhz
    if path.suffix in (".lpf", ".cst"):
        assert set(re.findall(r'(?:IOBUF PORT|IO_PORT) "([^"]+)"', text)) == set(found)


def test_the_boards_that_users_were_promised_are_there() -> None:
    families = {name: load_board(name).family for name in board_names()}
    assert families == {
        "arty-a7-100t": "xc7",
        "arty-a7-35t": "xc7",
        "colorlight-i5": "ecp5",
        "colorlight-i9": "ecp5",
        "icebreaker": "ice40",
        "kv260": "xcup",
        "pynq-z1": "xc7",
        "pynq-z2": "xc7",
        "tang-nano-20k": "gowin",
        "ulx3s": "ecp5",
        "ultra96-v2": "xcup",
        "zcu104": "xcup",
    }


def test_table_in_the_readme_is_current() -> None:
    assert board_table() in (BOARDS / "README.md").read_text(), "run python -m sbnn.boards --table"


def test_command_line() -> None:
    run = [sys.executable, "-m", "sbnn.boards"]
    assert command([*run, "--list"]).stdout == " ".join(board_names()) + "\n"
    assert command([*run, "--table"]).stdout == board_table()
    shown = command([*run, "show", "ulx3s", "family", "levels_per_stage"]).stdout
    assert shown == f"ecp5\n{load_board('ulx3s').levels_per_stage}\n"


def test_command_line_on_an_unknown_board() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sbnn.boards", "bitstream", "--board", "zybo", "--build", "build/x"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    there = " ".join(board_names())
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"sbnn.boards: BOARD=zybo: no boards/zybo/board.toml; there are: {there}\n"
    )
