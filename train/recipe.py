"""What decides a model and its training run, as frozen dataclasses (read by `sbnn.train.config`)."""

from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from typing import Any

from sbnn.train.errors import UserError

DOMAINS = ("fixed", "learned", "closed-form")
METHODS = ("top-k", "penalty", "none")
DATASETS = ("mnist", "fashion-mnist", "cifar10", "digits")
PRECISIONS = ("float32", "bfloat16")


class TrainError(UserError):
    """A mistake in a model's name, its config, its trained file or its data."""


@dataclass(frozen=True)
class Input:
    """Images and how they reach the first layer.

    Attributes:
        dataset: one of `DATASETS`.
        shape: (height, width) of an image, or (height, width, channels).
        threshold: the smallest uint8 pixel that counts as 1; None: the first layer sees 8-bit
            pixels, as (pixel - 128) / 128.
        classes: number of classes.
    """

    dataset: str
    shape: tuple[int, ...]
    threshold: int | None = None
    classes: int = 10


@dataclass(frozen=True)
class Convolution:
    """One convolution with square kernels, its sign, and a max pool of the signs behind it.

    Attributes:
        channels: output channels.
        kernel: height and width of a kernel.
        stride: of the kernel, in both directions.
        padding: rows and columns of -1 put around the map.
        pool: pool x pool signs become one, without overlap; 1: no pool.
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    padding: int = 0
    pool: int = 1


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
        method: "top-k" (exact, per layer or per neuron), "penalty" (Eq. 16-18) or "none".
        density: wanted share of ones over all layers, counted against one rail (inputs x outputs),
            so the paper's EC; sbnn95-dual has 5 % of that and 2.5 % of its two-rail matrices.
        ratio: relative density of each layer, top-k only.
        cap: no layer becomes denser than this, top-k only.
        gamma: share of the penalty in the loss, penalty only (Eq. 18).
        fan_in: ones of every neuron, one entry per layer, both rails counted, top-k only; where it
            is given, density, ratio and cap say nothing.
    """

    method: str = "top-k"
    density: float = 0.05
    ratio: tuple[float, ...] = ()
    cap: float = 0.5
    gamma: float = 0.5
    fan_in: tuple[int, ...] = ()


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
        shift: every image moves by up to this many pixels, anew at every step.
        flip: every second image is mirrored, anew at every step.
        precision: "float32", or "bfloat16" for the products of training, on CPU and GPU alike.
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
    shift: int = 0
    flip: bool = False
    precision: str = "float32"


@dataclass(frozen=True)
class LayerShape:
    """A layer as a matrix, and the map that it slides over; everything follows from the config.

    Attributes:
        name: conv1, conv2, ... then fc, numbered on.
        outputs: MH, neurons or output channels.
        inputs: MW, what one neuron sees, both rails counted.
        seen: (channels, height, width) of the map before padding; fully connected: (inputs, 1, 1).
        made: (channels, height, width) after the sign; fully connected: (outputs, 1, 1).
        convolution: None for a fully connected layer.
    """

    name: str
    outputs: int
    inputs: int
    seen: tuple[int, int, int]
    made: tuple[int, int, int]
    convolution: Convolution | None = None

    @property
    def positions(self) -> int:
        """How often the matrix is used per image."""
        return self.made[1] * self.made[2]


@dataclass(frozen=True)
class ModelConfig:
    """Everything that decides a training run; equal configs give equal trained files.

    Attributes:
        name: folder name under train/models.
        summary: one line for listings.
        hidden: neurons of the fully connected hidden layers.
        convolutions: in front of them, may be none.
        rails: 1, or 2 when every layer also sees its inputs inverted.
        quick: the `--quick` changes, as (section, key, value) triples.
    """

    name: str
    summary: str
    hidden: tuple[int, ...]
    input: Input
    convolutions: tuple[Convolution, ...] = ()
    rails: int = 1
    weights: Weights = field(default_factory=Weights)
    sparsity: Sparsity = field(default_factory=Sparsity)
    distillation: Distillation = field(default_factory=Distillation)
    training: Training = field(default_factory=Training)
    quick: tuple[tuple[str, str, Any], ...] = ()

    @property
    def layers(self) -> tuple[LayerShape, ...]:
        """Every layer with weights, first to last."""
        height, width, *depth = self.input.shape
        size = (depth[0] if depth else 1, height, width)
        found = []
        for index, conv in enumerate(self.convolutions, 1):
            rows, columns = (
                (n + 2 * conv.padding - conv.kernel) // conv.stride + 1 for n in size[1:]
            )
            made = (conv.channels, rows, columns)
            fan_in = self.rails * size[0] * conv.kernel**2
            found.append(LayerShape(f"conv{index}", conv.channels, fan_in, size, made, conv))
            size = (conv.channels, rows // conv.pool, columns // conv.pool)
        widths = (prod(size), *self.hidden, self.input.classes)
        for index, (into, out) in enumerate(pairwise(widths), len(found) + 1):
            columns = self.rails * into
            found.append(LayerShape(f"fc{index}", out, columns, (columns, 1, 1), (out, 1, 1)))
        return tuple(found)

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(MH, MW) of every layer, both rails counted in MW."""
        return tuple((layer.outputs, layer.inputs) for layer in self.layers)
