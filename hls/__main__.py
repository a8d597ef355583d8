"""Command line: python -m sbnn.hls lower|generate|synth; each reads one file and writes one folder."""

import argparse
import json
from pathlib import Path

from sbnn.train.errors import run_command
from sbnn.train.files import write_atomic


def main() -> None:
    """Run one step of the stage."""
    parser = argparse.ArgumentParser(prog="python -m sbnn.hls", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)

    step = steps.add_parser("lower", help="QONNX to the integer network")
    step.add_argument("onnx", type=Path, help="a .onnx file")
    step.add_argument("--name", required=True, help="the model's name")
    step.add_argument(
        "--out", type=Path, required=True, help="folder for network.npz and the graphs"
    )
    step.set_defaults(run=_lower)

    step = steps.add_parser("generate", help="integer network to RTL")
    step.add_argument("network", type=Path, help="a network.npz")
    step.add_argument("--out", type=Path, required=True, help="folder for rtl/ and manifest.json")
    step.add_argument("--board", default="generic", help="name for the manifest")
    step.add_argument("--levels", type=int, default=2, help="levels of logic between registers")
    step.add_argument("--family", default="", help="choose the logic for it: ecp5, xc7, ...")
    step.add_argument("--beat-bits", type=int, default=64, help="width of s_axis_tdata")
    step.add_argument("--out-beat-bits", type=int, default=64, help="width of m_axis_tdata")
    step.add_argument("--no-scores", action="store_true", help="send the class only")
    step.set_defaults(run=_generate)

    step = steps.add_parser("synth", help="RTL to LUT counts, with yosys")
    step.add_argument("folder", type=Path, help="a folder with manifest.json and rtl/")
    step.add_argument("--family", required=True, help="ecp5, ice40, gowin, xc7 or xcup")
    step.set_defaults(run=_synth)

    arguments = parser.parse_args()
    arguments.run(arguments)


def _lower(arguments: argparse.Namespace) -> None:
    # FINN takes seconds to import, and generate and synth do not need it.
    from sbnn.hls.lower import lower_with_report

    lowered = lower_with_report(arguments.onnx, arguments.name, arguments.out)
    report = json.dumps(lowered.report(), indent=2) + "\n"
    write_atomic(arguments.out / "lower.json", report)
    lowered.network.save(arguments.out / "network.npz")
    network = lowered.network
    print(
        f"{arguments.out / 'network.npz'}: {len(network.layers)} layers, {network.ones} ones of "
        f"{network.weights} weights; equals the graph on {lowered.images} images"
    )


def _generate(arguments: argparse.Namespace) -> None:
    from sbnn.hls.design import Choices
    from sbnn.hls.generate import generate
    from sbnn.hls.network import load

    choices = Choices(
        levels_per_stage=arguments.levels,
        family=arguments.family,
        beat_bits=arguments.beat_bits,
        out_beat_bits=arguments.out_beat_bits,
        scores=not arguments.no_scores,
    )
    manifest = generate(load(arguments.network), choices, arguments.board, arguments.out)
    print(
        f"{arguments.out / 'rtl'}: {len(manifest.sources)} files, one image every "
        f"{manifest.ii_cycles} cycles, latency {manifest.latency_cycles} cycles"
    )


def _synth(arguments: argparse.Namespace) -> None:
    from sbnn.hls.manifest import load_manifest
    from sbnn.hls.synth import synthesise, table

    report = synthesise(
        arguments.folder, load_manifest(arguments.folder / "manifest.json"), arguments.family
    )
    print(table(report), end="")


if __name__ == "__main__":
    run_command("sbnn.hls", main)
