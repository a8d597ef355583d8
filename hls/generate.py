"""Write a design into its build folder: rtl/, manifest.json and the estimate."""

from pathlib import Path

from sbnn.hls.design import Choices, make_design, make_manifest
from sbnn.hls.manifest import Manifest, manifest_text
from sbnn.hls.network import Network
from sbnn.hls.stitch import rtl_files
from sbnn.train.files import write_atomic


def generate(network: Network, choices: Choices, board: str, folder: Path) -> Manifest:
    """Generate a network's core into `folder` and return its manifest.

    Files whose bytes do not change are not touched, files of an earlier design are removed, and the
    manifest comes last: whoever reads it finds everything it names.

    Args:
        network: the integer network.
        choices: pipeline depth, widths, scores.
        board: the board's name, for the manifest.
        folder: build/<model>/<board>.
    """
    design = make_design(network, choices)
    files = rtl_files(design)
    manifest = make_manifest(design, board, files)
    for name, text in files.items():
        write_atomic(folder / name, text)
    for path in (folder / "rtl").iterdir():
        if f"rtl/{path.name}" not in files:
            path.unlink()
    write_atomic(folder / "manifest.json", manifest_text(manifest))
    return manifest
