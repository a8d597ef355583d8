"""Train a model: python -m sbnn.train sbnn95 [--quick] [--seeds 0,1,2] [--data DIR] [--resume]."""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

import torch

from sbnn.train.config import MODELS, ModelConfig, TrainError, load_config, model_names
from sbnn.train.data import load
from sbnn.train.errors import run_command
from sbnn.train.fit import fit
from sbnn.train.metrics import accuracy
from sbnn.train.process import Process, join, leave
from sbnn.train.report import Run, write_best

LESSONS = Path("build") / "lessons"


def main() -> None:
    """Read the command line and train."""
    options = _options()
    if options.list:
        for name in model_names():
            print(f"{name:14} {load_config(name).summary}")
        return
    if options.model == "bench":
        from sbnn.train.bench import bench  # draws with matplotlib, slow to import

        torch.set_num_threads(options.threads)
        bench(options.data, options.again)
        return
    if not options.model:
        raise TrainError(f"which model? there are: {' '.join(model_names())}")
    config = load_config(options.model, options.quick)
    seeds = _seeds(options.seeds) if options.seeds else [options.seed]
    process = join(options.threads)
    runs = [_run(config, seed, options, process) for seed in seeds]
    if process.rank == 0:
        target = options.out or (
            _work(config.name, True) if options.quick else MODELS / config.name
        )
        print(write_best(config, runs, target))
    leave(process)


def _options() -> Any:
    parser = argparse.ArgumentParser(prog="python -m sbnn.train", description=__doc__)
    parser.add_argument("model", nargs="?", help="a model's name, or bench")
    parser.add_argument("--list", action="store_true", help="print the models and stop")
    parser.add_argument(
        "--quick", action="store_true", help="short schedule; writes build/<model>/train-quick"
    )
    parser.add_argument("--seed", type=int, help="instead of the config's")
    parser.add_argument("--seeds", help="several seeds, as 0,1,2; keeps the best by validation")
    parser.add_argument("--data", type=Path, help="folder that holds the data set")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--out", type=Path, help="write trained.npz and metrics.json here")
    parser.add_argument("--again", action="store_true", help="bench: also what is trained already")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (1)")
    return parser.parse_args()


def _seeds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise TrainError(f"--seeds {text}: needs numbers separated by commas, as 0,1,2") from error


def _work(name: str, quick: bool) -> Path:
    return Path("build") / name / ("train-quick" if quick else "train")


def _run(config: ModelConfig, seed: int | None, options: Any, process: Process) -> Run:
    if seed is not None:
        training = dataclasses.replace(config.training, seed=seed)
        config = dataclasses.replace(config, training=training)
    split = load(config, options.data)
    folder = _work(config.name, options.quick) / f"seed{config.training.seed}"
    result = fit(config, split, folder, options.resume, process, LESSONS)
    return Run(
        seed=config.training.seed,
        module=result.module,
        validation=accuracy(result.module, split.val_x, split.val_y),
        test=accuracy(result.module, split.test_x, split.test_y),
        teacher=result.teacher_val,
        seconds=result.seconds,
        processes=process.world,
        device=process.device.type,
        source=split.source,
    )


if __name__ == "__main__":
    run_command("sbnn.train", main)
    sys.exit(0)
