"""Models as data: train/models/<name>/config.toml read into frozen dataclasses."""

import dataclasses
import tomllib
import types
from pathlib import Path
from typing import Any

from sbnn.train.recipe import (
    DOMAINS,
    Convolution,
    Distillation,
    Input,
    ModelConfig,
    Sparsity,
    TrainError,
    Training,
    Weights,
)
from sbnn.train.rules import check

__all__ = [
    "DOMAINS",
    "MODELS",
    "Convolution",
    "Distillation",
    "Input",
    "ModelConfig",
    "Sparsity",
    "TrainError",
    "Training",
    "Weights",
    "load_config",
    "model_names",
    "model_of",
    "parse",
    "quickened",
]

MODELS = Path(__file__).parent / "models"


def model_names() -> list[str]:
    """Return the names of all models, sorted."""
    return sorted(path.parent.name for path in MODELS.glob("*/config.toml"))


def model_of(identifier: str) -> str | None:
    """Return the model whose network has this name; None where it is none of ours.

    In a network's name, which is that of a Verilog module, `_` stands for `-`.
    """
    return next((name for name in model_names() if name.replace("-", "_") == identifier), None)


def load_config(name: str, quick: bool = False) -> ModelConfig:
    """Read train/models/<name>/config.toml.

    Args:
        name: a model's folder name.
        quick: apply the model's [quick] section.

    Raises:
        TrainError: no such model (lists those that exist), or a bad entry (names it).
    """
    path = MODELS / name / "config.toml"
    if name not in model_names():
        raise TrainError(
            f"MODEL={name}: no train/models/{name}/config.toml; "
            f"there are: {' '.join(model_names())}"
        )
    config = parse(name, path.read_text(encoding="utf-8"), f"train/models/{name}/config.toml")
    if quick and not config.quick:
        raise TrainError(f"train/models/{name}/config.toml: has no [quick] section")
    return quickened(config) if quick else config


def quickened(config: ModelConfig) -> ModelConfig:
    """Return `config` with its quick changes applied."""
    for section, key, value in config.quick:
        part = dataclasses.replace(getattr(config, section), **{key: value})
        config = dataclasses.replace(config, **{section: part})
    return config


def parse(name: str, text: str, where: str) -> ModelConfig:
    """Turn the TOML `text` of model `name` into a checked config; `where` names it in errors."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TrainError(f"{where}: not TOML ({error})") from error
    sections = {
        "input": Input,
        "weights": Weights,
        "sparsity": Sparsity,
        "distillation": Distillation,
        "training": Training,
    }
    known = {"summary", "hidden", "convolutions", "rails", "quick", *sections}
    for key in table:
        if key not in known:
            raise TrainError(
                f"{where}: unknown entry {key!r}; there are: {' '.join(sorted(known))}"
            )
    for key in ("summary", "hidden", "input"):
        if key not in table:
            raise TrainError(f"{where}: needs {key!r}")
    convolutions = tuple(
        _section(where, f"convolutions {index}", Convolution, entry)
        for index, entry in enumerate(table.get("convolutions", []), 1)
    )
    parts = {key: _section(where, key, kind, table.get(key, {})) for key, kind in sections.items()}
    quick = tuple(
        (section, key, value)
        for section, entries in sorted(table.get("quick", {}).items())
        for key, value in sorted(entries.items())
    )
    for section, key, _ in quick:
        if section not in sections or key not in _fields(sections[section]):
            raise TrainError(f"{where}: [quick] sets {section}.{key}, which does not exist")
    config = ModelConfig(
        name=name,
        summary=str(table["summary"]),
        hidden=tuple(table["hidden"]),
        convolutions=convolutions,
        rails=table.get("rails", 1),
        quick=quick,
        **parts,
    )
    check(where, config)
    return config


def _fields(kind: type) -> dict[str, Any]:
    return {entry.name: entry.type for entry in dataclasses.fields(kind)}


def _section(where: str, name: str, kind: type, table: dict[str, Any]) -> Any:
    fields = _fields(kind)
    for key, value in table.items():
        if key not in fields:
            raise TrainError(
                f"{where}: unknown entry {key!r} in [{name}]; there are: {' '.join(fields)}"
            )
        wanted = fields[key]
        if isinstance(wanted, types.UnionType):  # int | None: left out or an int
            wanted = wanted.__args__[0]
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            table[key] = float(value)
        elif isinstance(value, list):
            table[key] = tuple(value)
        elif wanted in (int, float, str, bool) and type(value) is not wanted:
            raise TrainError(f"{where}: {name}.{key} is {value!r}, needs {wanted.__name__}")
    try:
        return kind(**table)
    except TypeError as error:
        raise TrainError(f"{where}: [{name}]: {error}") from error
