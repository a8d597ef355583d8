"""Command line: python -m sbnn.export MODEL --out build/MODEL/model.onnx."""

import argparse
import dataclasses
import json
import warnings
from pathlib import Path

from sbnn.train.errors import run_command
from sbnn.train.files import digest, reserved, write_atomic


def main() -> None:
    """Write a trained model as QONNX, check it on real images, save it and its report."""
    parser = argparse.ArgumentParser(prog="python -m sbnn.export", description=__doc__)
    parser.add_argument("model", help="a model's name, see python -m sbnn.train --list")
    parser.add_argument("--out", type=Path, required=True, help="the .onnx file to write")
    parser.add_argument("--trained", type=Path, help="its trained file, if not the tracked one")
    parser.add_argument("--data", type=Path, help="folder with the data set")
    arguments = parser.parse_args()
    # Brevitas warns on import of an optional package that nothing here uses.
    warnings.filterwarnings("ignore", category=UserWarning, module="brevitas")
    from sbnn.export.check import check, check_images
    from sbnn.export.qonnx import write_qonnx
    from sbnn.train.trained import load_trained, trained_digest

    config, module = load_trained(arguments.model, arguments.trained)
    trained = trained_digest(arguments.model, arguments.trained)
    properties = {
        "sbnn.model": config.name,
        "sbnn.version": version(),
        "sbnn.trained_digest": trained,
    }
    model = write_qonnx(module, config.input.shape, properties)
    images, images_from = check_images(config, arguments.data)
    result = check(model, module, images, images_from)
    content = model.SerializeToString(deterministic=True)
    report = {
        **properties,
        "qonnx_digest": digest(content),
        "compared": dataclasses.asdict(result),
    }
    with reserved(arguments.out.parent):
        write_atomic(arguments.out, content)
        write_atomic(arguments.out.with_name("export.json"), json.dumps(report, indent=2) + "\n")
    print(
        f"{arguments.out}: QONNX equals torch on {result.images} images ({images_from}), "
        f"{result.hidden_bits} hidden bits"
    )


def version() -> str:
    """Return the installed version of sbnn."""
    import importlib.metadata

    return importlib.metadata.version("sbnn")


if __name__ == "__main__":
    run_command("sbnn.export", main)
