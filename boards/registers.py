"""The registers of the Zynq shell as data, for the driver, the tests and the table in shells/zynq/README.md.

Standard library only and Python 3.10: this module runs on a board. The hardware is
shells/zynq/sbnn_zynq_registers.sv; rtl_tests/test_boards_registers.py compares the two by simulation.
"""

from dataclasses import dataclass

WINDOW_BYTES = 0x1000
ID_VALUE = 0x53424E4E
VERSION_VALUE = 0x00010000


@dataclass(frozen=True)
class Field:
    """Bits of a register.

    Attributes:
        name: upper case.
        low: number of the lowest bit.
        meaning: one sentence.
        bits: width.
    """

    name: str
    low: int
    meaning: str
    bits: int = 1

    @property
    def mask(self) -> int:
        """The field's bits, set."""
        return ((1 << self.bits) - 1) << self.low


@dataclass(frozen=True)
class Register:
    """One 32-bit register, or a window of equal ones.

    Attributes:
        name: upper case.
        offset: bytes from the start of the 4 KiB window.
        access: "RO", "RW", "WO" or "W1C" (writing 1 to a bit clears it).
        meaning: one sentence.
        reset: value after reset; None where the build or the moment decides.
        fields: named bits; empty where the register is one number.
        words: 32-bit words that answer alike; more than 1 for the FIFO windows.
        own_dma: whether only a shell with its own DMA has it.
    """

    name: str
    offset: int
    access: str
    meaning: str
    reset: int | None = 0
    fields: tuple[Field, ...] = ()
    words: int = 1
    own_dma: bool = False

    def field(self, name: str) -> Field:
        """Return a field by its name; `KeyError` when there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.name} has no field {name}")


REGISTERS = (
    Register("ID", 0x000, "RO", 'always 0x53424E4E ("SBNN")', ID_VALUE),
    Register("VERSION", 0x004, "RO", "of this register map, major in the high half", VERSION_VALUE),
    Register("BUILD_LO", 0x008, "RO", "low half of the build id", None),
    Register("BUILD_HI", 0x00C, "RO", "high half of the build id", None),
    Register(
        "FEATURES",
        0x010,
        "RO",
        "what the shell has",
        None,
        (
            Field("FIFO", 0, "FIFO windows"),
            Field("OWN_DMA", 1, "its own DMA on a memory port"),
            Field("STREAM", 2, "an external stream, for a DMA outside"),
        ),
    ),
    Register("IMAGE_BEATS", 0x014, "RO", "64-bit beats of one image", None),
    Register("RESULT_BEATS", 0x018, "RO", "64-bit beats of one result", None),
    Register(
        "CONTROL",
        0x020,
        "RW",
        "commands and the source of images",
        0,
        (
            Field("RESET", 0, "write 1: reset core, queues and DMA; reads 0"),
            Field("CLEAR", 1, "write 1: set all counters to 0; reads 0"),
            Field(
                "SOURCE",
                4,
                "0 FIFO windows, 1 DMA or external stream; refused (BAD_COMMAND) while images or "
                "results are inside, unless RESET is written with it",
                bits=2,
            ),
        ),
    ),
    Register(
        "STATUS",
        0x024,
        "RO",
        "the moment's state",
        None,
        (
            Field("BUSY", 0, "images are inside"),
            Field("IN_RESET", 1, "a reset is not yet done: wait for 0 before the next command"),
            Field("RESULT", 2, "a result waits in the queue"),
            Field("DMA_RUNNING", 3, "the own DMA has work"),
        ),
    ),
    Register(
        "ERRORS",
        0x028,
        "W1C",
        "what went wrong since it was last cleared; a reset by CONTROL leaves it",
        0,
        (
            Field("SHORT_IMAGE", 0, "TLAST came before an image's last beat; the part was dropped"),
            Field("BAD_ACCESS", 1, "an access to no register, against its access, or not 32 bits"),
            Field("DMA_READ", 2, "memory answered a read with an error"),
            Field("DMA_WRITE", 3, "memory answered a write with an error"),
            Field("FIFO_OVERFLOW", 4, "a word written to FIFO_IN found no space and was lost"),
            Field("FIFO_UNDERFLOW", 5, "FIFO_OUT was read while empty and gave 0"),
            Field("BAD_COMMAND", 6, "a command that is not possible now was refused"),
        ),
    ),
    Register("CYCLES_LO", 0x030, "RO", "clock cycles since CLEAR; reading it latches HI", None),
    Register("CYCLES_HI", 0x034, "RO", "high half of the cycles when LO was last read"),
    Register("IMAGES_IN", 0x038, "RO", "whole images that the core has taken"),
    Register("IMAGES_OUT", 0x03C, "RO", "results that the core has given"),
    Register(
        "BATCH_CYCLES",
        0x040,
        "RO",
        "cycles from the first beat into an idle core to the last result beat of the last batch",
    ),
    Register("STALL_IN_CYCLES", 0x044, "RO", "cycles in which a beat waited for the core"),
    Register("STALL_OUT_CYCLES", 0x048, "RO", "cycles in which a result beat waited for the queue"),
    Register("DMA_SRC", 0x080, "RW", "byte address of the images, a multiple of 8", own_dma=True),
    Register("DMA_DST", 0x084, "RW", "byte address of the results, a multiple of 8", own_dma=True),
    Register("DMA_IMAGES", 0x088, "RW", "images of the batch, 1 or more", own_dma=True),
    Register(
        "DMA_START",
        0x08C,
        "WO",
        "write 1: start a batch; refused (BAD_COMMAND) while one runs, with SOURCE 0, without images "
        "or with an address that is not a multiple of 8",
        own_dma=True,
    ),
    Register(
        "DMA_STATUS",
        0x090,
        "RO",
        "the batch",
        0,
        (
            Field("RUNNING", 0, "not yet done"),
            Field("DONE", 1, "every result is in memory"),
            Field("ERROR", 2, "memory answered with an error; the batch was given up"),
        ),
        own_dma=True,
    ),
    Register("FIFO_IN_SPACE", 0x0A0, "RO", "words that FIFO_IN can take", None),
    Register("FIFO_OUT_LEVEL", 0x0A4, "RO", "words that FIFO_OUT can give"),
    Register(
        "FIFO_IN",
        0x800,
        "WO",
        "any word appends to the images, low half of a beat first",
        words=256,
    ),
    Register(
        "FIFO_OUT",
        0xC00,
        "RO",
        "any word takes the next one of the results, low half of a beat first",
        None,
        words=256,
    ),
)

BY_NAME = {register.name: register for register in REGISTERS}
OFFSET = {register.name: register.offset for register in REGISTERS}
ERRORS = BY_NAME["ERRORS"].fields


def mask(register: str, field: str) -> int:
    """Return the bits of a field, set; `KeyError` for names that do not exist."""
    return BY_NAME[register].field(field).mask


def error_texts(errors: int) -> list[str]:
    """Return one clause for each bit that is set in ERRORS."""
    return [f"{field.name}: {field.meaning}" for field in ERRORS if errors & field.mask]


def register_table() -> str:
    """Return the registers as a Markdown table."""
    lines = ["| offset | name | access | after reset | meaning |", "|---|---|---|---|---|"]
    for register in REGISTERS:
        last = register.offset + 4 * (register.words - 1)
        offset = f"0x{register.offset:03X}" + (f" to 0x{last:03X}" if register.words > 1 else "")
        reset = "" if register.reset is None else f"0x{register.reset:X}"
        meaning = register.meaning + (" (own DMA only)" if register.own_dma else "")
        lines.append(f"| {offset} | `{register.name}` | {register.access} | {reset} | {meaning} |")
        for field in register.fields:
            high = field.low + field.bits - 1
            bits = f"{high}:{field.low}" if field.bits > 1 else f"{field.low}"
            lines.append(f"| | bit {bits} `{field.name}` | | | {field.meaning} |")
    return "\n".join(lines) + "\n"
