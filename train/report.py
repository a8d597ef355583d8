"""Keep the best of several runs and write what it is: trained.npz and metrics.json."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sbnn.train.config import ModelConfig
from sbnn.train.files import write_atomic
from sbnn.train.metrics import layer_figures, sparsity_figures, spread
from sbnn.train.model import SparseBinaryNet
from sbnn.train.trained import pack, save_trained


@dataclass(frozen=True, eq=False)
class Run:
    """One finished run.

    Attributes:
        seed: its seed.
        module: the finalised module.
        validation: accuracy on the held-out split, 0 to 1; this chooses.
        test: accuracy on the test images, 0 to 1; this is only reported.
        teacher: the teacher's accuracy on the held-out split, or None.
        seconds: wall clock of the whole run, teacher and images included.
        processes: how many trained together.
        device: "cpu" or "cuda".
        source: what the images are, see `sbnn.train.data.Split`.
    """

    seed: int
    module: SparseBinaryNet
    validation: float
    test: float
    teacher: float | None
    seconds: float
    processes: int
    device: str
    source: str = ""


def metrics_of(config: ModelConfig, runs: list[Run]) -> tuple[dict[str, Any], Run]:
    """Return (content of metrics.json, the run with the best validation accuracy)."""
    best = max(runs, key=lambda run: run.validation)
    _, digest = pack(best.module, config.name)
    content = {
        "model": config.name,
        "summary": config.summary,
        "dataset": config.input.dataset,
        "images": best.source or config.input.dataset,
        "trained_digest": digest,
        "seed": best.seed,
        "accuracy": {"validation": round(best.validation, 6), "test": round(best.test, 6)},
        "seconds": round(best.seconds, 1),
        "sparsity": sparsity_figures(config, best.module),
        "layers": layer_figures(best.module),
        "over_seeds": {
            "validation": spread([run.validation for run in runs]),
            "test": spread([run.test for run in runs]),
            "seconds": spread([run.seconds for run in runs]),
        },
        "runs": [_row(config, run) for run in runs],
    }
    return content, best


def _row(config: ModelConfig, run: Run) -> dict[str, Any]:
    figures = sparsity_figures(config, run.module)
    return {
        "seed": run.seed,
        "validation": round(run.validation, 6),
        "test": round(run.test, 6),
        "teacher_validation": None if run.teacher is None else round(run.teacher, 6),
        "ones": figures["ones"],
        "target_hit": figures.get("target_hit"),
        "seconds": round(run.seconds, 1),
        "processes": run.processes,
        "device": run.device,
    }


def write_best(config: ModelConfig, runs: list[Run], folder: Path) -> str:
    """Write trained.npz and metrics.json of the best run to `folder`; return one line about it."""
    content, best = metrics_of(config, runs)
    save_trained(best.module, config.name, folder)
    write_atomic(folder / "metrics.json", json.dumps(content, indent=2) + "\n")
    sparsity = content["sparsity"]
    hit = sparsity.get("target_hit")
    note = "" if hit is not False else f", MISSED its target density {sparsity['target_density']}"
    copy = f" ({best.source})" if "copy" in best.source else ""
    kernels = sparsity.get("kernels")
    saved = (
        f", K_0 {kernels['k0']:.1%}, K_1 {kernels['k1']:.1%}, BOPs PR {-kernels['bops_pr']:.1%}, "
        f"BParams PR {-kernels['bparams_pr']:.1%}"
        if kernels
        else ""
    )
    return (
        f"{config.name}: validation {best.validation:.2%}, test {best.test:.2%}{copy}, "
        f"{sparsity['ones']} ones, {sparsity['zeros_share']:.2%} zeros{note}{saved}, "
        f"{best.seconds:.0f} s -> {folder}"
    )
