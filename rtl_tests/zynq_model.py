"""A model of the Zynq shell's registers in Python, made from the register map alone."""

from collections import Counter, deque
from collections.abc import Callable

from sbnn.boards.registers import BY_NAME, REGISTERS, mask

QUEUE_WORDS = 256  # 128 beats
RESET_CYCLES = 6
# Cycles after which a result is out of the core for sure, in a core that nothing blocks.
SETTLED = 120

_AT = {register.offset + 4 * i: register for register in REGISTERS for i in range(register.words)}
SOURCE = BY_NAME["CONTROL"].field("SOURCE")
BAD_ACCESS, BAD_COMMAND = mask("ERRORS", "BAD_ACCESS"), mask("ERRORS", "BAD_COMMAND")
OVERFLOW, UNDERFLOW = mask("ERRORS", "FIFO_OVERFLOW"), mask("ERRORS", "FIFO_UNDERFLOW")


def register_at(address: int):
    """Return the register of a word address, or None."""
    return _AT.get(address & 0xFFC)


class RegisterModel:
    """What the registers hold, access by access; images go in and results come out.

    The cycle of an access decides what is exact: a result that may or may not have left the core yet gives
    a range. `read` and `write` return the bits that the access sets in ERRORS; `end_cycle` sets them.

    Args:
        constants: values of the registers that the build decides.
        infer: the words of the result of an image that is given as words.
        image_words: words of an image.
    """

    def __init__(
        self,
        constants: dict[str, int],
        infer: Callable[[tuple[int, ...]], list[int]],
        image_words: int,
    ) -> None:
        self.constants, self.infer, self.image_words = constants, infer, image_words
        self.values = {"DMA_SRC": 0, "DMA_DST": 0, "DMA_IMAGES": 0}
        self.source = self.errors = 0
        self.clear_base = -1  # cycle in which CYCLES was 0
        self.reset_end = -1  # last cycle of a reset
        self.words: list[int] = []  # of an image that is not complete
        self.results: deque[tuple[int, int]] = deque()  # (cycle of its image's last word, word)
        self.images = 0  # complete ones since the last CLEAR, and those inside at that time
        self.met: Counter[str] = Counter()  # rare events, so that a test can see that they happened
        self._set = 0
        self._kept = ~0

    def in_reset(self, cycle: int) -> bool:
        return cycle <= self.reset_end

    def end_cycle(self) -> None:
        """Take over what the accesses of a cycle set and cleared in ERRORS."""
        self.met["an error set while it is cleared"] += bool(self._set & self.errors & ~self._kept)
        self.errors = (self.errors & self._kept) | self._set
        self._set, self._kept = 0, ~0

    def _level(self, cycle: int) -> tuple[int, int]:
        """Return the fewest and the most result words that may be in the queue now."""
        sure = sum(1 for done, _ in self.results if cycle - done > SETTLED)
        return (0, 0) if self.in_reset(cycle) else (sure, len(self.results))

    def read(self, cycle: int, address: int, legal: bool, value: int) -> None:
        """Check what a read gave; `AssertionError` where it is not what the map says."""
        register = register_at(address)
        if not legal or register is None or register.access == "WO":
            self._set |= BAD_ACCESS
            low = high = 0
        elif register.name == "FIFO_OUT":
            low = high = self._pop(cycle, value)
        else:
            low, high = self._range(cycle, register.name, value)
        assert low <= value <= high, (
            f"cycle {cycle}: {register.name if register else hex(address)} is {value:#x}, "
            f"wanted {low:#x} to {high:#x}"
        )

    def _pop(self, cycle: int, value: int) -> int:
        if self.source:
            self._set |= BAD_COMMAND
            return 0
        sure, most = self._level(cycle)
        if sure or (most and value):  # no word of a result is 0 in this test
            self.met["a result word"] += 1
            return self.results.popleft()[1]
        self._set |= UNDERFLOW
        self.met["a read of the empty queue"] += 1
        return 0

    def _range(self, cycle: int, name: str, value: int) -> tuple[int, int]:
        exact = self.constants | self.values
        exact |= {
            "CONTROL": self.source << SOURCE.low,
            "ERRORS": self.errors,
            "CYCLES_LO": cycle - self.clear_base,
            "CYCLES_HI": 0,
            "DMA_STATUS": 0,
        }
        if name in exact:
            return exact[name], exact[name]
        sure, most = self._level(cycle)
        inside = len(self.results) > 0 or bool(self.words)
        if name == "STATUS":
            wanted = mask("STATUS", "IN_RESET") if self.in_reset(cycle) else 0
            wanted |= mask("STATUS", "RESULT") if sure else 0
            if inside or self.in_reset(
                cycle
            ):  # the moment at which an image leaves is not modelled
                wanted |= value & (mask("STATUS", "BUSY") | mask("STATUS", "RESULT"))
            return wanted, wanted
        if name == "FIFO_OUT_LEVEL":
            return sure, most
        if name == "FIFO_IN_SPACE" and self.in_reset(cycle):
            return 0, 0
        if name == "FIFO_IN_SPACE":
            half = len(self.words) % 2
            return QUEUE_WORDS - len(self.results) - len(self.words), QUEUE_WORDS - half
        if name in ("IMAGES_IN", "IMAGES_OUT"):
            return 0, self.images
        if (
            name == "BATCH_CYCLES"
        ):  # of a batch that may have begun before the counters were cleared
            return 0, cycle
        assert name in ("STALL_IN_CYCLES", "STALL_OUT_CYCLES"), name
        return 0, cycle - self.clear_base

    def write(self, cycle: int, address: int, legal: bool, data: int) -> None:
        """Do what a write does."""
        register = register_at(address)
        if not legal or register is None or register.access == "RO":
            self._set |= BAD_ACCESS
        elif register.name == "FIFO_IN":
            self._push(cycle, data)
        elif register.name == "ERRORS":
            self._kept = ~data
        elif register.name == "CONTROL":
            self._control(cycle, data)
        elif register.name == "DMA_START":
            if data & 1:
                self._set |= BAD_COMMAND  # this test starts nothing
        else:
            self.values[register.name] = data

    def _push(self, cycle: int, data: int) -> None:
        if self.source:
            self._set |= BAD_COMMAND
        elif self.in_reset(cycle):
            self._set |= OVERFLOW
            self.met["a word written in a reset"] += 1
            self.met["a word written in a reset's last cycle"] += cycle == self.reset_end
        else:
            self.words.append(data)
            if len(self.words) == self.image_words:
                self.results += [(cycle, word) for word in self.infer(tuple(self.words))]
                self.words = []
                self.images += 1

    def _control(self, cycle: int, data: int) -> None:
        source = (data & SOURCE.mask) >> SOURCE.low
        if source > 1:
            self._set |= BAD_COMMAND
        elif source != self.source:
            assert data & 1, "this test changes the source with a reset only"
            self.source = source
        if data & mask("CONTROL", "CLEAR"):
            self.clear_base = cycle + 1
            self.images = len(self.results)
        # One more is ignored while a reset lasts; in its last cycle the shell is ready to begin another.
        if data & mask("CONTROL", "RESET") and cycle >= self.reset_end:
            self.reset_end = cycle + RESET_CYCLES
            self.met["a reset with images inside"] += bool(self.results)
            self.words = []
            self.results.clear()
