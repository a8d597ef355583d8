"""Command line: python -m sbnn.hls lower|check|generate|prove|synth|timing|fit."""

import argparse
import json
from pathlib import Path

from sbnn.train.errors import run_command
from sbnn.train.files import reserved, write_atomic


def main() -> None:
    """Run one step of the stage."""
    parser = argparse.ArgumentParser(prog="python -m sbnn.hls", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)

    step = steps.add_parser("lower", help="QONNX to the integer network")
    step.add_argument("onnx", type=Path, help="a .onnx file")
    step.add_argument("--name", required=True, help="the model's name")
    step.add_argument("--divide", type=int, help="the graph takes pixel / this, such as 255")
    step.add_argument(
        "--out", type=Path, required=True, help="folder for network.npz and the graphs"
    )
    step.set_defaults(run=_lower)

    step = steps.add_parser("check", help="what a QONNX file would become, or why it cannot")
    step.add_argument("onnx", type=Path, help="a .onnx file")
    step.add_argument("--family", default="xc7", help="ecp5, ice40, gowin, xc7 or xcup")
    step.add_argument("--levels", type=int, default=2, help="full-adder levels between registers")
    step.add_argument("--divide", type=int, help="the graph takes pixel / this, such as 255")
    step.set_defaults(run=_check)

    step = steps.add_parser("generate", help="integer network to RTL")
    step.add_argument("network", type=Path, help="a network.npz")
    step.add_argument("--out", type=Path, required=True, help="folder for rtl/ and manifest.json")
    step.add_argument("--board", default="generic", help="name for the manifest")
    step.add_argument("--levels", type=int, default=2, help="levels of logic between registers")
    step.add_argument("--clock-mhz", type=float, help="levels by the delay model instead")
    step.add_argument(
        "--family", default="", help="to choose logic for: ecp5, ice40, gowin, xc7 or xcup"
    )
    step.add_argument("--beat-bits", type=int, default=64, help="width of s_axis_tdata")
    step.add_argument("--out-beat-bits", type=int, default=64, help="width of m_axis_tdata")
    step.add_argument("--no-scores", action="store_true", help="send the class only")
    step.set_defaults(run=_generate)

    step = steps.add_parser("prove", help="prove every neuron of the RTL for all inputs")
    step.add_argument("folder", type=Path, help="a folder with manifest.json and rtl/")
    step.set_defaults(run=_prove)

    step = steps.add_parser("synth", help="RTL to LUT counts, with yosys")
    step.add_argument("folder", type=Path, help="a folder with manifest.json and rtl/")
    step.add_argument("--family", required=True, help="ecp5, ice40, gowin, xc7 or xcup")
    step.set_defaults(run=_synth)

    step = steps.add_parser("timing", help="the slowest path of a netlist, by the delay model")
    step.add_argument("netlist", type=Path, help="what yosys' write_json wrote")
    step.add_argument("--family", required=True, help="ecp5, ice40, gowin, xc7 or xcup")
    step.set_defaults(run=_timing)

    step = steps.add_parser("fit", help="fit the estimates' weights to measured.json")
    step.add_argument(
        "networks", type=Path, nargs="*", help="network.npz to bring up to date first"
    )
    step.add_argument("--family", action="append", help="of the networks; all, if left out")
    step.add_argument("--levels", type=int, help="full-adder levels between registers")
    step.add_argument("--scratch", type=Path, default=Path("build/measured"), help="for yosys")
    step.set_defaults(run=_fit)

    arguments = parser.parse_args()
    arguments.run(arguments)


def _lower(arguments: argparse.Namespace) -> None:
    # FINN takes seconds to import, and generate and synth do not need it.
    from sbnn.hls.lower import lower_with_report

    lowered = lower_with_report(
        arguments.onnx, arguments.name, arguments.out, divisor=arguments.divide
    )
    report = json.dumps(lowered.report(), indent=2) + "\n"
    write_atomic(arguments.out / "lower.json", report)
    lowered.network.save(arguments.out / "network.npz")
    network = lowered.network
    print(
        f"{arguments.out / 'network.npz'}: {len(network.layers)} layers, {network.ones} ones of "
        f"{network.weights} weights; equals the graph on {lowered.images} images"
    )


def _check(arguments: argparse.Namespace) -> None:
    from sbnn.hls.check import check, check_text

    checked = check(arguments.onnx, arguments.family, arguments.levels, arguments.divide)
    print(check_text(checked), end="")


def _generate(arguments: argparse.Namespace) -> None:
    from sbnn.hls.delay import levels_that_fit
    from sbnn.hls.design import Choices
    from sbnn.hls.generate import generate
    from sbnn.hls.network import load

    levels = arguments.levels
    if arguments.clock_mhz is not None:
        levels = levels_that_fit(arguments.family, arguments.clock_mhz)
    choices = Choices(
        levels_per_stage=levels,
        family=arguments.family,
        beat_bits=arguments.beat_bits,
        out_beat_bits=arguments.out_beat_bits,
        scores=not arguments.no_scores,
    )
    network = load(arguments.network)
    with reserved(arguments.out):
        manifest = generate(network, choices, arguments.board, arguments.out)
    print(
        f"{arguments.out / 'rtl'}: {len(manifest.sources)} files, one image every "
        f"{manifest.ii_cycles} cycles, latency {manifest.latency_cycles} cycles, "
        f"a register every {levels} levels"
    )


def _prove(arguments: argparse.Namespace) -> None:
    from sbnn.hls.proof.prove import proof_text, prove

    with reserved(arguments.folder):
        proof = prove(arguments.folder)
    print(proof_text(proof), end="")


def _synth(arguments: argparse.Namespace) -> None:
    from sbnn.hls.manifest import load_manifest
    from sbnn.hls.synth import synthesise, table

    manifest = load_manifest(arguments.folder / "manifest.json")
    with reserved(arguments.folder):
        report = synthesise(arguments.folder, manifest, arguments.family)
    print(table(report), end="")


def _timing(arguments: argparse.Namespace) -> None:
    from sbnn.hls.timing import read_netlist, slowest_path

    path = slowest_path(*read_netlist(arguments.netlist), arguments.family)
    print(
        f"{path.mhz:.1f} MHz ({path.nanoseconds:.2f} ns): {path.levels} LUTs from {path.start} "
        f"to {path.end}"
    )


def _fit(arguments: argparse.Namespace) -> None:
    from sbnn.hls.fit import fit, write_weights
    from sbnn.hls.measure import choices_of, measure, read_rows
    from sbnn.hls.network import load

    if arguments.networks:
        choices = choices_of(arguments.family, arguments.levels)
        measure([load(path) for path in arguments.networks], choices, arguments.scratch)
    fits = fit(read_rows())
    write_weights(fits)
    for one in fits:
        print(
            f"{one.family} {one.unit}: {one.rows} parts, layers within {100 * one.error:.1f} %, "
            f"streams within {100 * one.stream_error:.1f} %"
        )


if __name__ == "__main__":
    run_command("sbnn.hls", main)
