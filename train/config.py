"""Models as data: train/models/<name>/config.toml read into frozen dataclasses."""

import dataclasses
import tomllib
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from sbnn.train.errors import UserError

MODELS = Path(__file__).parent / "models"
DOMAINS = ("fixed", "learned", "closed-form")
METHODS = ("top-k", "penalty", "none")
DATASETS = ("mnist", "fashion-mnist", "digits")


class TrainError(UserError):
    """A mistake in a model's name, its config, its trained file or its data."""


@dataclass(frozen=True)
class Input:
    """Images and how they become bits.

    Attributes:
        dataset: one of `DATASETS`.
        shape: (height, width) of an image.
        threshold: the smallest uint8 pixel that counts as 1.
        classes: number of classes.
    """

    dataset: str
    shape: tuple[int, ...]
    threshold: int
    classes: int = 10


@dataclass(frozen=True)
class Weights:
    """The weight domain (w01 + xi) * eta.

    Attributes:
        domain: "fixed", "learned" or "closed-form" (see `sbnn.train.quantizers`).
        xi: xi of the fixed domain; 0: {0, eta}, -0.5: {-1, +1}.
        xi_frac: F, xi lies on the grid k / 2**F.
        per_channel: one xi per output channel instead of one per layer.
    """

    domain: str = "fixed"
    xi: float = 0.0
    xi_frac: int = 0
    per_channel: bool = False


@dataclass(frozen=True)
class Sparsity:
    """How many ones, and how they are held down.

    Attributes:
        method: "top-k" (exact, per layer), "penalty" (Eq. 16-18) or "none".
        density: wanted share of ones over all layers, counted against one rail (inputs x outputs),
            so the paper's EC; sbnn95-dual has 5 % of that and 2.5 % of its two-rail matrices.
        ratio: relative density of each layer, top-k only.
        cap: no layer becomes denser than this, top-k only.
        gamma: share of the penalty in the loss, penalty only (Eq. 18).
    """

    method: str = "top-k"
    density: float = 0.05
    ratio: tuple[float, ...] = ()
    cap: float = 0.5
    gamma: float = 0.5


@dataclass(frozen=True)
class Distillation:
    """A small CNN teaches with soft labels on randomly warped copies of the training images.

    Attributes:
        weight: share of the teacher's soft labels in the loss; 0 switches the teacher off.
        temperature: the teacher's logits are divided by this.
        copies: images per training image, the original included.
        strength: 1 warps by up to 12 degrees, 12 % scale, 2 pixels and 1.3 pixels of bending.
        epochs: teacher epochs.
    """

    weight: float = 0.0
    temperature: float = 4.0
    copies: int = 1
    strength: float = 1.0
    epochs: int = 4


@dataclass(frozen=True)
class Training:
    """Optimiser and schedule (Adam, a power of the cosine to zero).

    Attributes:
        epochs: passes over the training split.
        batch: images per step, over all processes.
        rate: learning rate at the start.
        cooling: power of the cosine; above 1 more steps run at low rates.
        beta2: Adam's memory of squared gradients; latent weights flip often, so a short one.
        seed: seeds everything.
        clamp: latent weights stay in -clamp..clamp.
        error_decay: anneal IR-Net's estimator instead of the identity gradient.
        signs: give BatchNorm scales random signs at the start (a neuron may be inverted for free).
    """

    epochs: int = 20
    batch: int = 250
    rate: float = 0.03
    cooling: float = 1.0
    beta2: float = 0.99
    seed: int = 0
    clamp: float = 1.5
    error_decay: bool = False
    signs: bool = True


@dataclass(frozen=True)
class ModelConfig:
    """Everything that decides a training run; equal configs give equal trained files.

    Attributes:
        name: folder name under train/models.
        summary: one line for listings.
        hidden: neurons of the hidden layers.
        rails: 1, or 2 when every layer also sees its inputs inverted.
        quick: the `--quick` changes, as (section, key, value) triples.
    """

    name: str
    summary: str
    hidden: tuple[int, ...]
    input: Input
    rails: int = 1
    weights: Weights = field(default_factory=Weights)
    sparsity: Sparsity = field(default_factory=Sparsity)
    distillation: Distillation = field(default_factory=Distillation)
    training: Training = field(default_factory=Training)
    quick: tuple[tuple[str, str, Any], ...] = ()

    @property
    def inputs(self) -> int:
        """Number of input bits."""
        size = 1
        for n in self.input.shape:
            size *= n
        return size

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(MH, MW) of every layer, both rails counted in MW."""
        widths = (self.inputs, *self.hidden, self.input.classes)
        return tuple((out, self.rails * into) for into, out in pairwise(widths))


def model_names() -> list[str]:
    """Return the names of all models, sorted."""
    return sorted(path.parent.name for path in MODELS.glob("*/config.toml"))


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
    known = {"summary", "hidden", "rails", "quick", *sections}
    for key in table:
        if key not in known:
            raise TrainError(
                f"{where}: unknown entry {key!r}; there are: {' '.join(sorted(known))}"
            )
    for key in ("summary", "hidden", "input"):
        if key not in table:
            raise TrainError(f"{where}: needs {key!r}")
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
        rails=table.get("rails", 1),
        quick=quick,
        **parts,
    )
    _check(where, config)
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


def _check(where: str, config: ModelConfig) -> None:
    """Raise `TrainError` on the first value that no run could use."""
    sparsity, weights, training = config.sparsity, config.weights, config.training
    distillation = config.distillation
    ratio = sparsity.ratio
    rules = (
        (config.rails in (1, 2), f"rails is {config.rails}, needs 1 or 2"),
        (
            bool(config.hidden) and all(isinstance(n, int) and n > 0 for n in config.hidden),
            f"hidden is {list(config.hidden)}, needs positive layer widths",
        ),
        (
            config.input.dataset in DATASETS,
            f"input.dataset is {config.input.dataset!r}, needs one of {', '.join(DATASETS)}",
        ),
        (
            0 < config.input.threshold < 256,
            f"input.threshold is {config.input.threshold}, needs 1 to 255",
        ),
        (
            weights.domain in DOMAINS,
            f"weights.domain is {weights.domain!r}, needs one of {', '.join(DOMAINS)}",
        ),
        (0 <= weights.xi_frac <= 16, f"weights.xi_frac is {weights.xi_frac}, needs 0 to 16"),
        (
            weights.xi * 2**weights.xi_frac % 1 == 0,
            f"weights.xi is {weights.xi}, needs a multiple of 1/2**{weights.xi_frac}",
        ),
        (
            sparsity.method in METHODS,
            f"sparsity.method is {sparsity.method!r}, needs one of {', '.join(METHODS)}",
        ),
        (0 < sparsity.density <= 1, f"sparsity.density is {sparsity.density}, needs 0 to 1"),
        (0 < sparsity.gamma < 1, f"sparsity.gamma is {sparsity.gamma}, needs 0 to 1"),
        (
            not ratio or len(ratio) == len(config.hidden) + 1,
            f"sparsity.ratio has {len(ratio)} entries, needs {len(config.hidden) + 1}",
        ),
        (training.epochs > 0, f"training.epochs is {training.epochs}, needs at least 1"),
        (training.rate > 0, f"training.rate is {training.rate}, needs a positive one"),
        (training.cooling > 0, f"training.cooling is {training.cooling}, needs a positive one"),
        (training.batch > 1, f"training.batch is {training.batch}, needs at least 2"),
        (
            0 <= distillation.weight <= 1,
            f"distillation.weight is {distillation.weight}, needs 0 to 1",
        ),
        (
            distillation.copies > 0,
            f"distillation.copies is {distillation.copies}, needs at least 1",
        ),
    )
    for holds, sentence in rules:
        if not holds:
            raise TrainError(f"{where}: {sentence}")
