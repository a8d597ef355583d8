"""Feature maps and the windows that slide over them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class FeatureMap:
    """The values between two layers: `height` x `width` positions of `channels` values.

    A position travels as one word, value i in bits i*bits .. i*bits + bits - 1; positions follow each
    other row by row. Flattened, the order is (height, width, channels).

    Attributes:
        height: rows.
        width: columns.
        channels: values per position.
        bits: bits per value, unsigned; 1 stands for -1 and +1.
    """

    height: int
    width: int
    channels: int
    bits: int = 1

    @property
    def positions(self) -> int:
        """Number of positions."""
        return self.height * self.width

    @property
    def values(self) -> int:
        """Number of values."""
        return self.positions * self.channels

    @property
    def word_bits(self) -> int:
        """Bits of one position."""
        return self.channels * self.bits


@dataclass(frozen=True)
class Window:
    """How a convolution or a pool looks at its input map, value by value in the order (row, column, channel).

    Padding has the value 0, which is -1 for a bit and the darkest pixel for an image.

    Attributes:
        rows: height of the map without padding.
        columns: width of the map without padding.
        kernel: (rows, columns) of the window.
        stride: (rows, columns) from one window to the next.
        padding: (top, left, bottom, right).
    """

    rows: int
    columns: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    @property
    def taps(self) -> int:
        """Positions that one window sees."""
        return self.kernel[0] * self.kernel[1]

    @property
    def padded(self) -> tuple[int, int]:
        """(rows, columns) with padding: the positions that hardware steps through, one a cycle."""
        top, left, bottom, right = self.padding
        return self.rows + top + bottom, self.columns + left + right

    @property
    def output(self) -> tuple[int, int]:
        """(rows, columns) of window positions; not positive where the kernel exceeds the map."""
        rows, columns = (
            (padded - kernel) // stride + 1
            for padded, kernel, stride in zip(self.padded, self.kernel, self.stride, strict=True)
        )
        return rows, columns

    def always_inside(self) -> tuple[bool, ...]:
        """Return per tap (row-major) whether it never meets padding."""
        (kernel_rows, kernel_columns), (out_rows, out_columns) = self.kernel, self.output
        top, left, _, _ = self.padding
        rows = [
            r >= top and r + (out_rows - 1) * self.stride[0] < top + self.rows
            for r in range(kernel_rows)
        ]
        columns = [
            c >= left and c + (out_columns - 1) * self.stride[1] < left + self.columns
            for c in range(kernel_columns)
        ]
        return tuple(row and column for row in rows for column in columns)
