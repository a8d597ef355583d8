"""Command line: bitstreams, overlay packages, build pages, and what is known of the boards."""

import argparse
from pathlib import Path

from sbnn.boards.backends.fit import budget_table
from sbnn.boards.board import Board, board_names, load_board
from sbnn.boards.build import SEED, make_bitstream, make_deploy, make_project, read_core
from sbnn.boards.page import write_index, write_page
from sbnn.boards.registers import register_table
from sbnn.boards.table import board_table
from sbnn.boards.vivado_project import COMMAND
from sbnn.hls.manifest import load_manifest
from sbnn.train.errors import run_command
from sbnn.train.files import reserved

BENCH_PARTS = {
    "models": "LUTs, clock and latency of the models of the main README",
    "bitstreams": "a bitstream for every board that needs nothing but pip",
    "baselines": "what a user would otherwise pick, layer by layer",
    "layers": "our own layers, synthesised the same way",
    "clocks": "cores generated for a target clock",
    "scale": "tool time and memory up to a million ones",
    "variants": "LUTs of what python -m sbnn.train bench has trained",
    "tables": "the READMEs' tables and the figures from what has been measured",
}


def main() -> None:
    """Read the arguments and do what they say."""
    arguments = _parser().parse_args()
    if arguments.command == "bench":
        from sbnn.boards.bench import bench

        bench(arguments.part, arguments.jobs, arguments.again)
    elif arguments.command == "sweep":
        from sbnn.boards.sweep import run_sweep  # torch and Optuna take seconds to import

        print(run_sweep(arguments.name, arguments.trials, arguments.storage, arguments.data))
    elif arguments.command == "show":
        board = load_board(arguments.board)
        print(*(getattr(board, entry) for entry in arguments.entry), sep="\n")
    elif arguments.command == "page":
        print(write_page(arguments.build))
    elif arguments.command == "index":
        print(write_index(arguments.builds))
    elif arguments.command == "estimate":
        manifest = load_manifest(arguments.build / "manifest.json")
        print(budget_table(load_board(arguments.board), manifest), end="")
    elif arguments.command is not None:
        board = load_board(arguments.board)
        read_core(board, arguments.build)  # no lock in a folder that holds no core
        with reserved(arguments.build):
            _build(arguments, board)
    elif arguments.list:
        print(" ".join(board_names()))
    elif arguments.table:
        print(board_table(), end="")
    elif arguments.registers:
        print(register_table(), end="")
    else:
        _parser().print_help()


def _build(arguments: argparse.Namespace, board: Board) -> None:
    if arguments.command == "bitstream":
        made = make_bitstream(board, arguments.build, arguments.seed, arguments.backend, print)
        print(f"{made.path}: {made.summary()}")
        print(f"{arguments.build / 'deploy'}: copy this folder to {board.title} or its host")
    elif arguments.command == "vivado-project":
        project = make_project(board, arguments.build)
        print(f"{project}: run `{COMMAND}` there, on a machine with Vivado")
    else:
        print(make_deploy(board, arguments.build))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sbnn.boards", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the names of the boards")
    parser.add_argument("--table", action="store_true", help="print the table of boards/README.md")
    parser.add_argument("--registers", action="store_true", help="print the Zynq shell's registers")
    commands = parser.add_subparsers(dest="command")
    show = commands.add_parser("show", help="print entries of a board, for the Makefile")
    show.add_argument("board", help="name of a board")
    show.add_argument("entry", nargs="+", choices=["family", "levels_per_stage", "part", "title"])
    texts = {
        "bitstream": "make a bitstream of a generated core, and all that comes with it",
        "vivado-project": "write the folder that a machine with Vivado builds by one command",
        "deploy": "write the overlay package of a bitstream that is there",
    }
    for name, text in texts.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("--board", required=True, help="name of a board")
        command.add_argument("--build", required=True, type=Path, help="folder with manifest.json")
        if name == "bitstream":
            command.add_argument("--backend", default="auto", help="auto, or one of the board's")
            command.add_argument("--seed", type=int, default=SEED, help="of the placer")
    page = commands.add_parser("page", help="write report/index.html of a build folder")
    page.add_argument("--build", required=True, type=Path, help="folder with manifest.json")
    index = commands.add_parser("index", help="write index.html of all builds")
    index.add_argument("--builds", required=True, type=Path, help="folder of the builds")
    estimate = commands.add_parser("estimate", help="which layer takes how much of a board")
    estimate.add_argument("--board", required=True, help="name of a board")
    estimate.add_argument("--build", required=True, type=Path, help="folder with manifest.json")
    bench = commands.add_parser(
        "bench",
        help="measure the READMEs' figures again (make bench)",
        description="Measure again; what has not changed since it was measured is left as it is.",
        epilog="; ".join(f"{part}: {text}" for part, text in BENCH_PARTS.items()),
    )
    bench.add_argument("part", nargs="*", help=f"{', '.join(BENCH_PARTS)}; all by default")
    bench.add_argument("--again", action="store_true", help="measure also what has not changed")
    bench.add_argument(
        "--jobs", type=int, choices=range(1, 65), metavar="N", default=1, help="rows at once (1)"
    )
    sweep = commands.add_parser("sweep", help="search for the best accuracy per LUT (Optuna)")
    sweep.add_argument("name", help="a study of boards/sweeps")
    sweep.add_argument("--trials", type=int, default=10, help="in this process; 0 only draws (10)")
    sweep.add_argument("--storage", type=Path, help="the journal, shared by all machines")
    sweep.add_argument("--data", type=Path, help="folder that holds the data set")
    return parser


if __name__ == "__main__":
    run_command("sbnn.boards", main)
