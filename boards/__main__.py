"""Command line: bitstreams, and what is known of the boards."""

import argparse
from pathlib import Path

from sbnn.boards.board import board_names, load_board
from sbnn.boards.build import SEED, make_bitstream
from sbnn.boards.table import board_table
from sbnn.train.errors import run_command


def main() -> None:
    """Read the arguments and do what they say."""
    parser = argparse.ArgumentParser(prog="python -m sbnn.boards", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the names of the boards")
    parser.add_argument("--table", action="store_true", help="print the table of boards/README.md")
    commands = parser.add_subparsers(dest="command")
    show = commands.add_parser("show", help="print entries of a board, for the Makefile")
    show.add_argument("board", help="name of a board")
    show.add_argument("entry", nargs="+", choices=["family", "levels_per_stage", "part", "title"])
    bitstream = commands.add_parser("bitstream", help="make a bitstream of a generated core")
    bitstream.add_argument("--board", required=True, help="name of a board")
    bitstream.add_argument("--build", required=True, type=Path, help="folder with manifest.json")
    bitstream.add_argument("--seed", type=int, default=SEED, help="of the placer")
    commands.add_parser("bench", help="measure the README's figures again (make bench)")
    arguments = parser.parse_args()
    if arguments.command == "bitstream":
        made = make_bitstream(load_board(arguments.board), arguments.build, arguments.seed)
        print(f"{made.path}: {made.summary()}")
    elif arguments.command == "bench":
        from sbnn.boards.bench import bench

        bench()
    elif arguments.command == "show":
        board = load_board(arguments.board)
        print(*(getattr(board, entry) for entry in arguments.entry), sep="\n")
    elif arguments.list:
        print(" ".join(board_names()))
    elif arguments.table:
        print(board_table(), end="")
    else:
        parser.print_help()


if __name__ == "__main__":
    run_command("sbnn.boards", main)
