"""What the generator and the flows need to know of a board: one folder, one `board.toml` each."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbnn.hls.delay import levels_that_fit
from sbnn.train.errors import UserError

BOARDS = Path(__file__).resolve().parent
FAMILIES = ("ecp5", "ice40", "gowin", "xc7", "xcup")
FLOWS = ("yosys", "vivado", "openxc7")
SHELLS = ("uart", "zynq")
ROUTERS = ("default", "router1", "router2")
PROCESSORS = ("zynq7", "zynqmp")


class BoardError(UserError):
    """A board that does not exist, or whose board.toml breaks the schema."""


@dataclass(frozen=True)
class Clock:
    """The clock of the core.

    Attributes:
        mhz: frequency, and the constraint that timing is checked against.
        pin: package pin of the oscillator, empty where the processor drives the clock.
        source: where it comes from, in words.
    """

    mhz: float
    pin: str
    source: str


@dataclass(frozen=True)
class Budget:
    """What the part holds, in the units that its open tools count.

    Attributes:
        lut: look-up tables (LUT4 on ECP5, iCE40 and Gowin, LUT6 on Xilinx).
        ff: flip-flops.
        bram: block memories.
        bram_kbit: size of one of them.
        dsp: multipliers.
    """

    lut: int
    ff: int
    bram: int
    bram_kbit: int
    dsp: int


@dataclass(frozen=True)
class Uart:
    """The serial port: `tx` is driven by the FPGA, `rx` by the host; `baud` in bits per second."""

    tx: str
    rx: str
    baud: int


@dataclass(frozen=True)
class Button:
    """A push button that resets the shell."""

    pin: str
    active_high: bool


@dataclass(frozen=True)
class Processor:
    """The processing system of a Zynq; it drives the clock of the core, `Clock.mhz`.

    Attributes:
        kind: one of `PROCESSORS`.
        crystal_mhz: the board's oscillator at PS_CLK or PS_REF_CLK.
        pll_mhz: the IO PLL, as the board's boot loader leaves it; FCLK0 or PL0 divides it.
    """

    kind: str
    crystal_mhz: float
    pll_mhz: float


@dataclass(frozen=True)
class Board:
    """One board, read from boards/<name>/board.toml.

    Attributes:
        name: the folder's name.
        title: the name that its maker uses.
        vendor: maker of the FPGA.
        family: one of `FAMILIES`.
        part: full ordering code.
        package: package as the open place-and-route tool names it.
        speed: speed grade.
        device: what nextpnr calls the die: its device flag without the dashes, or Gowin's family; empty
            where the yosys flow is not used.
        shell: what surrounds the core, one of `SHELLS`.
        flows: the ways to a bitstream, best first, from `FLOWS`.
        router: nextpnr's router, one of `ROUTERS`.
        levels_per_stage: levels of logic between two registers of the generated core; where board.toml says
            nothing, what the family's delay model has time for at the board's clock.
        clock: the clock of the core.
        budget: what the part holds.
        uart: the serial port, None where the board has none that the FPGA reaches.
        reset: a button, or None.
        processor: the processing system, None outside the Zynq family.
        leds: package pins, the first is led[0].
        leds_active_high: whether a LED lights at 1.
        tie_high: output port to package pin, for pins that must be driven high.
        program: command that loads a bitstream, `{bit}` stands for its path.
        provenance: where the figures come from, by topic.
    """

    name: str
    title: str
    vendor: str
    family: str
    part: str
    package: str
    speed: str
    device: str
    shell: str
    flows: tuple[str, ...]
    router: str
    levels_per_stage: int
    clock: Clock
    budget: Budget
    uart: Uart | None
    reset: Button | None
    processor: Processor | None
    leds: tuple[str, ...]
    leds_active_high: bool
    tie_high: dict[str, str]
    program: str
    provenance: dict[str, str]

    def pins_file(self, folder: Path = BOARDS) -> Path:
        """Return the constraint file beside the board.toml; `BoardError` when there is none."""
        found = sorted((folder / self.name).glob("pins.*"))
        if len(found) != 1:
            raise BoardError(f"boards/{self.name}: {len(found)} files pins.*, needs exactly one")
        return found[0]


def board_names(folder: Path = BOARDS) -> list[str]:
    """Return the names of the boards that have a board.toml, sorted."""
    return sorted(path.parent.name for path in folder.glob("*/board.toml"))


def load_board(name: str, folder: Path = BOARDS) -> Board:
    """Read and check boards/<name>/board.toml.

    Raises:
        BoardError: unknown name (the message lists those that exist), or a broken schema.
    """
    if name not in board_names(folder):
        there = " ".join(board_names(folder)) or "none"
        raise BoardError(f"BOARD={name}: no boards/{name}/board.toml; there are: {there}")
    where = f"boards/{name}/board.toml"
    try:
        table = tomllib.loads((folder / name / "board.toml").read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BoardError(f"{where}: not TOML ({error})") from error
    board = _board(_Table(where, "", table))
    if board.name != name:
        raise BoardError(f"{where}: name is {board.name!r}, needs {name!r} as its folder")
    return board


def _board(table: "_Table") -> Board:
    uart, reset = table.section("uart", optional=True), table.section("reset", optional=True)
    processor = table.section("processor", optional=True)
    clock, budget = table.section("clock"), table.section("budget")
    if clock is None or budget is None:  # section() has raised; this tells the type checker
        raise BoardError(f"{table.where}: clock and budget are needed")
    family = table.choice("family", FAMILIES)
    mhz = clock.frequency("mhz")
    # An override is for boards on which more registers were found to be worth their flip-flops.
    levels = table.count("levels_per_stage", default=0) or levels_that_fit(family, mhz)
    board = Board(
        name=table.text("name"),
        title=table.text("title"),
        vendor=table.text("vendor"),
        family=family,
        part=table.text("part"),
        package=table.text("package"),
        speed=table.text("speed"),
        device=table.text("device", default=""),
        shell=table.choice("shell", SHELLS),
        flows=table.choices("flows", FLOWS),
        router=table.choice("router", ROUTERS, default="default"),
        levels_per_stage=levels,
        clock=Clock(mhz, clock.text("pin", default=""), clock.text("source")),
        budget=Budget(
            lut=budget.count("lut"),
            ff=budget.count("ff"),
            bram=budget.count("bram"),
            bram_kbit=budget.count("bram_kbit"),
            dsp=budget.count("dsp", least=0),
        ),
        uart=None if uart is None else Uart(uart.text("tx"), uart.text("rx"), uart.count("baud")),
        reset=None if reset is None else Button(reset.text("pin"), reset.flag("active_high")),
        processor=None
        if processor is None
        else Processor(
            kind=processor.choice("kind", PROCESSORS),
            crystal_mhz=processor.frequency("crystal_mhz"),
            pll_mhz=processor.frequency("pll_mhz"),
        ),
        leds=table.texts("leds"),
        leds_active_high=table.flag("leds_active_high", default=True),
        tie_high=table.names("tie_high"),
        program=table.text("program"),
        provenance=table.names("provenance"),
    )
    for part in (table, clock, budget, uart, reset, processor):
        if part is not None:
            part.finish()
    _check(table.where, board)
    return board


def _check(where: str, board: Board) -> None:
    """Raise `BoardError` where two entries contradict each other."""
    if board.shell == "uart" and board.uart is None:
        raise BoardError(f"{where}: shell is 'uart', needs a [uart] section with tx, rx, baud")
    if board.shell == "uart" and not board.clock.pin:
        raise BoardError(f"{where}: shell is 'uart', needs clock.pin")
    if "yosys" in board.flows and not board.device:
        raise BoardError(f"{where}: flows has 'yosys', needs device (nextpnr's name of the die)")
    if board.shell == "zynq" and board.processor is None:
        raise BoardError(f"{where}: shell is 'zynq', needs a [processor] section")
    if board.processor is not None and board.processor.pll_mhz % board.clock.mhz:
        raise BoardError(
            f"{where}: clock.mhz is {board.clock.mhz:g}, needs a divisor of processor.pll_mhz "
            f"({board.processor.pll_mhz:g})"
        )
    if board.uart is not None and board.clock.mhz * 1e6 < 4 * board.uart.baud:
        raise BoardError(
            f"{where}: uart.baud is {board.uart.baud}, needs at most a quarter of the clock "
            f"({board.clock.mhz:g} MHz)"
        )
    if "{bit}" not in board.program:
        raise BoardError(f"{where}: program is {board.program!r}, needs {{bit}} for the file")
    pins = [*board.leds, *board.tie_high.values()]
    pins += [board.clock.pin] if board.clock.pin else []
    pins += [board.uart.tx, board.uart.rx] if board.uart else []
    pins += [board.reset.pin] if board.reset else []
    for pin in pins:
        if not re.fullmatch(r"[A-Z]*\d+", pin):
            raise BoardError(
                f"{where}: {pin!r} is not a package pin, needs one such as 'G2' or '35'"
            )
        if pins.count(pin) > 1:
            raise BoardError(f"{where}: pin {pin} is used {pins.count(pin)} times, needs once")


class _Table:
    """A TOML table that is read key by key, and says in one sentence what is wrong with it."""

    def __init__(self, where: str, prefix: str, values: dict[str, Any]) -> None:
        self.where = where
        self._prefix = prefix
        self._values = values
        self._seen: set[str] = set()

    def _get(self, key: str, need: str, default: Any = None) -> Any:
        self._seen.add(key)
        if key in self._values:
            return self._values[key]
        if default is None:
            raise BoardError(f"{self.where}: {self._prefix}{key} is missing, needs {need}")
        return default

    def _wrong(self, key: str, value: Any, need: str) -> BoardError:
        return BoardError(f"{self.where}: {self._prefix}{key} is {value!r}, needs {need}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self._get(key, "a string", default)
        if not isinstance(value, str) or (default is None and not value):
            raise self._wrong(key, value, "a non-empty string" if default is None else "a string")
        return value

    def choice(self, key: str, known: tuple[str, ...], default: str | None = None) -> str:
        need = f"one of {' '.join(known)}"
        value = self._get(key, need, default)
        if value not in known:
            raise self._wrong(key, value, need)
        return str(value)

    def choices(self, key: str, known: tuple[str, ...]) -> tuple[str, ...]:
        need = f"a list of one or more of {' '.join(known)}"
        value = self._get(key, need)
        if not isinstance(value, list) or not value or any(entry not in known for entry in value):
            raise self._wrong(key, value, need)
        return tuple(value)

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._get(key, "a list of strings", default=[])
        if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
            raise self._wrong(key, value, "a list of strings")
        return tuple(value)

    def names(self, key: str) -> dict[str, str]:
        value = self._get(key, "a table of strings", default={})
        if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
            raise self._wrong(key, value, "a table of strings")
        return dict(value)

    def count(self, key: str, least: int = 1, default: int | None = None) -> int:
        need = f"an integer of {least} or more"
        value = self._get(key, need, default)
        if default is not None and key not in self._values:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self._wrong(key, value, need)
        return value

    def frequency(self, key: str) -> float:
        value = self._get(key, "a positive number")
        if not isinstance(value, int | float) or isinstance(value, bool) or not value > 0:
            raise self._wrong(key, value, "a positive number")
        return float(value)

    def flag(self, key: str, default: bool | None = None) -> bool:
        value = self._get(key, "true or false", default)
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def section(self, key: str, optional: bool = False) -> "_Table | None":
        self._seen.add(key)
        if key not in self._values:
            if optional:
                return None
            raise BoardError(f"{self.where}: section [{key}] is missing")
        value = self._values[key]
        if not isinstance(value, dict):
            raise self._wrong(key, value, f"a section [{key}]")
        return _Table(self.where, f"{key}.", value)

    def finish(self) -> None:
        """Raise `BoardError` on a key that nobody asked for: most likely a misspelled one."""
        for key in self._values:
            if key not in self._seen:
                raise BoardError(
                    f"{self.where}: {self._prefix}{key} is not known; "
                    f"known: {' '.join(sorted(self._seen))}"
                )
