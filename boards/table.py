"""The table of boards in boards/README.md, from the boards' own data."""

from sbnn.boards.board import Board, board_names, load_board

HEAD = ("board", "FPGA", "LUT", "FF", "block RAM", "clock", "link", "ways to a bitstream")


def board_table() -> str:
    """Return a Markdown table with one row per board."""
    rows = [HEAD, *(_row(load_board(name)) for name in board_names())]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def _row(board: Board) -> tuple[str, ...]:
    budget = board.budget
    link = f"UART, {board.uart.baud:,} baud" if board.uart else "AXI (Zynq)"
    return (
        f"{board.name}: {board.title}",
        f"{board.vendor} {board.part}",
        f"{budget.lut:,}",
        f"{budget.ff:,}",
        f"{budget.bram} x {budget.bram_kbit} kbit",
        f"{board.clock.mhz:g} MHz, {board.clock.source}",
        link,
        ", ".join(board.flows),
    )
