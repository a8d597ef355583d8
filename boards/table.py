"""The tables of boards/README.md: the boards, from their own data, and the bitstreams measured."""

from collections.abc import Mapping, Sequence
from typing import Any

from sbnn.boards.board import Board, board_names, load_board

HEAD = ("board", "FPGA", "LUT", "FF", "block RAM", "clock", "link", "ways to a bitstream")


MEASURED_HEAD = (
    "board",
    "model",
    "LUT",
    "FF",
    "block RAM",
    "Fmax (needed)",
    "images/s: line, core",
    "synthesis, place and route, packing",
    "bitstream",
)


def board_table() -> str:
    """Return a Markdown table with one row per board."""
    return markdown([HEAD, *(_row(load_board(name)) for name in board_names())]) + "\n"


def bitstream_table(results: Mapping[str, Any]) -> str:
    """Return a Markdown table with one row per board of results.json's `boards`."""
    return markdown([MEASURED_HEAD, *(_measured(name, made) for name, made in results.items())])


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as a Markdown table, the first as its head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _measured(name: str, made: Mapping[str, Any]) -> tuple[str, ...]:
    lut, ff, bram = (made["routed"][kind] for kind in ("lut", "ff", "bram"))
    clock, rates, seconds = made["clocks"]["clk"], made["images_per_second"], made["seconds"]
    return (
        name,
        made["model"],
        f"{lut['used']:,} ({lut['percent']} %)",
        f"{ff['used']:,} ({ff['percent']} %)",
        f"{bram['used']}",
        f"{clock['achieved_mhz']:.1f} MHz ({clock['needed_mhz']:g})",
        f"{rates['line']:,}, {rates['core']:,}",
        ", ".join(f"{seconds[stage]:.0f}" for stage in ("synthesis", "route", "pack")) + " s",
        f"{made['bitstream_bytes']:,} bytes",
    )


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
