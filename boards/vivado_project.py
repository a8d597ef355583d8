"""Write the folder that a machine with Vivado turns into a bitstream by one command, without Python."""

import shutil
from importlib.resources import files as package_files
from pathlib import Path
from string import Template

from sbnn.boards.backends.design import Design, write_design
from sbnn.boards.board import Board, BoardError
from sbnn.hls.manifest import Manifest
from sbnn.train.files import write_atomic

FOLDER = "vivado"
COMMAND = "vivado -mode batch -source build.tcl"

_README = Template("""\
# $model on $title

From Verilog to a bitstream, on any machine with Vivado 2019.1 or newer and the part $part:

    $command

It needs no Python, no board files and no network, makes its own project in project/ (start again at any
time; delete it when done), and leaves in out/:

| file | what it is |
|---|---|
$products| result.txt | build id, Vivado's version, worst slacks |
| utilization.rpt, utilization_hierarchical.rpt, timing.rpt, power.rpt | Vivado's reports |

There is a .bit in out/ only when every run is complete and no path has negative slack; otherwise the exit
status is 1 and the last line says why. SBNN_JOBS=8 in the environment sets the number of parallel jobs (4).

To finish the overlay package, copy out/ back to build/$model/$board/vivado/out and run
`make deploy BOARD=$board MODEL=$model`.

Build $build_id. Written by sbnn.
""")

_SETTINGS = Template("""\
# What build.tcl builds, as names and values. Written by sbnn; do not edit.
array set ::sbnn::settings {
  model {$model}
  board {$board}
  build_id {$build_id}
  part {$part}
  shell {$shell}
  processor {$processor}
  crystal_mhz {$crystal_mhz}
  pll_mhz {$pll_mhz}
  clock_mhz {$clock_mhz}
  top {$top}
  sources {
$sources
  }
  constraints {$constraints}
}
""")


def write_project(board: Board, manifest: Manifest, folder: Path) -> Path:
    """Write build/<model>/<board>/vivado/ and return it; equal inputs, equal bytes.

    Products of an earlier run (out/, project/) stay as they are.

    Raises:
        BoardError: Vivado does not build for this board, or its shell does not take the core.
    """
    if "vivado" not in board.flows:
        raise BoardError(
            f"{board.name}: Vivado does not build for {board.part}; flows: {' '.join(board.flows)}"
        )
    design = write_design(board, manifest, folder, "vivado")
    project = folder / FOLDER
    names = [*design.sources, *design.constraints]
    for place in {Path(name).parts[0] for name in names}:
        # A module that the design no longer has must not be built into it.
        for old in sorted((project / place).rglob("*")):
            if old.is_file() and old.relative_to(project).as_posix() not in names:
                old.unlink()
    for name in names:
        write_atomic(project / name, (folder / name).read_bytes())
    script = package_files("sbnn.boards") / "vivado" / "build.tcl"
    write_atomic(project / "build.tcl", script.read_bytes())
    write_atomic(project / "settings.tcl", _settings(board, manifest, design))
    write_atomic(project / "README.md", _readme(board, manifest))
    return project


def remove_products(project: Path) -> None:
    """Remove what an earlier run left, so that nothing old can be taken for new."""
    for name in ("out", "project"):
        if (project / name).is_dir():
            shutil.rmtree(project / name)


def _settings(board: Board, manifest: Manifest, design: Design) -> str:
    processor = board.processor if board.shell == "zynq" else None
    return _SETTINGS.substitute(
        model=manifest.model,
        board=board.name,
        build_id=manifest.build_id,
        part=board.part,
        shell=board.shell,
        processor=processor.kind if processor else "",
        crystal_mhz=f"{processor.crystal_mhz:g}" if processor else "",
        pll_mhz=f"{processor.pll_mhz:g}" if processor else "",
        clock_mhz=f"{board.clock.mhz:g}",
        top=design.top,
        sources="\n".join(f"    {name}" for name in design.sources),
        constraints=" ".join(design.constraints),
    )


def _readme(board: Board, manifest: Manifest) -> str:
    products = f"| {manifest.model}.bit | the bitstream |\n"
    if board.shell == "zynq":
        products += f"| {manifest.model}.hwh | the hardware handoff that PYNQ reads beside it |\n"
    return _README.substitute(
        model=manifest.model,
        title=board.title,
        part=board.part,
        command=COMMAND,
        products=products,
        board=board.name,
        build_id=manifest.build_id,
    )
