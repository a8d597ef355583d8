"""Command line: bitstreams, the list of boards, and their table."""

import argparse
from pathlib import Path

from sbnn.boards.board import board_names, load_board
from sbnn.boards.build import SEED, make_bitstream
from sbnn.boards.table import board_table
from sbnn.hls.design import Choices
from sbnn.hls.generate import generate
from sbnn.hls.network import load
from sbnn.hls.synth import read_manifest, synthesise, table
from sbnn.train.errors import run_command


def main() -> None:
    """Read the arguments and do what they say."""
    parser = argparse.ArgumentParser(prog="python -m sbnn.boards", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the names of the boards")
    parser.add_argument("--table", action="store_true", help="print the table of boards/README.md")
    commands = parser.add_subparsers(dest="command")
    bitstream = commands.add_parser("bitstream", help="make a bitstream of a generated core")
    bitstream.add_argument("--board", required=True, help="name of a board")
    bitstream.add_argument("--build", required=True, type=Path, help="folder with manifest.json")
    bitstream.add_argument("--seed", type=int, default=SEED, help="of the placer")
    core = commands.add_parser("core", help="generate a network's core for a board")
    core.add_argument("--board", required=True, help="name of a board")
    core.add_argument("--network", required=True, type=Path, help="a network.npz")
    core.add_argument("--build", required=True, type=Path, help="folder for rtl/ and manifest.json")
    core.add_argument("--no-scores", action="store_true", help="send the class only")
    synth = commands.add_parser("synth", help="count what a generated core takes on a board")
    synth.add_argument("--board", required=True, help="name of a board")
    synth.add_argument("--build", required=True, type=Path, help="folder with manifest.json")
    arguments = parser.parse_args()
    if arguments.command == "core":
        _core(arguments.board, arguments.network, arguments.build, not arguments.no_scores)
    elif arguments.command == "synth":
        _synth(arguments.board, arguments.build)
    elif arguments.command == "bitstream":
        _bitstream(arguments.board, arguments.build, arguments.seed)
    elif arguments.list:
        print(" ".join(board_names()))
    elif arguments.table:
        print(board_table(), end="")
    else:
        parser.print_help()


def _core(name: str, network: Path, folder: Path, scores: bool) -> None:
    board = load_board(name)
    choices = Choices(levels_per_stage=board.levels_per_stage, scores=scores)
    manifest = generate(load(network), choices, board.name, folder)
    print(
        f"{folder / 'rtl'}: {len(manifest['sources'])} files, one image every "
        f"{manifest['ii_cycles']} cycles, latency {manifest['latency_cycles']} cycles"
    )


def _synth(name: str, folder: Path) -> None:
    report = synthesise(folder, read_manifest(folder), load_board(name).family)
    print(table(report), end="")


def _bitstream(name: str, folder: Path, seed: int) -> None:
    made = make_bitstream(load_board(name), folder, seed)
    print(f"{made.path}: {made.summary()}")


if __name__ == "__main__":
    run_command("sbnn.boards", main)
