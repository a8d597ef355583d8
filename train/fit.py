"""Train a model in one process or several: the loop, its checkpoints, finalisation."""

import dataclasses
import hashlib
import io
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sbnn.train.augment import shifted
from sbnn.train.config import ModelConfig, TrainError
from sbnn.train.data import Split
from sbnn.train.files import write_atomic
from sbnn.train.finalise import finalise, reestimate
from sbnn.train.lessons import Lessons, prepare
from sbnn.train.model import SparseBinaryNet, build
from sbnn.train.process import Process
from sbnn.train.quantizers import error_decay
from sbnn.train.sparsity import allocate, centre_rows, centre_top_k, penalty, penalty_factor

REFRESH = 8  # steps between recentrings of layers; kthvalue costs a third of a step
FINAL_STEPS = 60  # at the end every step is exact, so that BatchNorm sees the final counts
SETTLE_IMAGES, SETTLE_BATCH = 20_000, 1000


@dataclass(frozen=True, eq=False)
class Result:
    """A finished run: the finalised module on the CPU, seconds of training, teacher's accuracy."""

    module: SparseBinaryNet
    seconds: float
    teacher_val: float | None


def fit(
    config: ModelConfig,
    split: Split,
    folder: Path,
    resume: bool = False,
    process: Process | None = None,
    shared: Path | None = None,
) -> Result:
    """Train `config` and return the finalised module.

    Equal configs on one process and one kind of device give equal modules, resumed or not.

    Args:
        config: the model and its recipe.
        split: its data.
        folder: keeps checkpoint.pt of this run.
        resume: go on from the checkpoint in `folder`, if there is one.
        process: where this process stands; alone on the CPU unless given.
        shared: keeps the lessons, which other runs may share; `folder` unless given.
    """
    process = process or Process()
    lessons = prepare(config, split, shared or folder, process)
    start = time.perf_counter()
    torch.manual_seed(config.training.seed)
    module = build(config).to(process.device)
    state = _State(config, module, _fingerprint(config, process.world))
    if resume:
        state.restore(folder / "checkpoint.pt")
    _train(state, lessons, folder, process, start)
    _settle(config, state, lessons, process)
    total = lessons.seconds + state.seconds + time.perf_counter() - start
    return Result(module.cpu().eval(), total, lessons.teacher_val)


class _State:
    """Everything that a checkpoint holds: module, optimiser, step, random generator."""

    def __init__(self, config: ModelConfig, module: SparseBinaryNet, mark: str) -> None:
        self.config, self.module, self.mark = config, module, mark
        self.ones = allocate(config)
        self.weights = [layer.weight for layer in module.weighted()]
        self.optimiser = self._fresh_optimiser()
        self.generator = torch.Generator().manual_seed(config.training.seed)
        self.epoch = 0
        self.seconds = 0.0  # spent before this process took over

    def _fresh_optimiser(self) -> torch.optim.Adam:
        recipe = self.config.training
        return torch.optim.Adam(
            self.module.parameters(), lr=recipe.rate, betas=(0.9, recipe.beta2), fused=True
        )

    def save(self, path: Path, seconds: float) -> None:
        """Write the checkpoint atomically."""
        _save(
            path,
            {
                "mark": self.mark,
                "epoch": self.epoch,
                "seconds": seconds,
                "module": self.module.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "generator": self.generator.get_state(),
            },
        )

    def restore(self, path: Path) -> None:
        """Read the checkpoint if there is one."""
        if not path.is_file():
            return
        try:
            kept = torch.load(path, weights_only=True)
        except Exception as error:  # torch raises many kinds for a damaged file
            raise TrainError(
                f"{path}: not a checkpoint ({str(error).splitlines()[0]}); train without --resume"
            ) from error
        if kept["mark"] != self.mark:
            raise TrainError(f"{path}: is of another config or seed; train without --resume")
        device = self.module.edge.device
        self.module.load_state_dict(kept["module"])
        self.module.to(device)
        # Brevitas makes new quantizers, and with them new tau and phi, when it loads a state.
        self.optimiser = self._fresh_optimiser()
        self.optimiser.load_state_dict(kept["optimiser"])
        self.generator.set_state(kept["generator"])
        self.epoch = int(kept["epoch"])
        self.seconds = float(kept["seconds"])

    def recentre(self) -> None:
        """Give every layer, or every neuron, exactly its wanted ones (top-k only)."""
        sparsity = self.config.sparsity
        if sparsity.fan_in:
            for weight, ones in zip(self.weights, sparsity.fan_in, strict=True):
                centre_rows(weight.data, ones)
        elif sparsity.method == "top-k":
            for weight, ones in zip(self.weights, self.ones, strict=True):
                centre_top_k(weight.data, ones)


def _train(state: _State, lessons: Lessons, folder: Path, process: Process, start: float) -> None:
    config = state.config
    recipe = config.training
    per_epoch = max(1, len(lessons.labels) // recipe.batch)
    steps = recipe.epochs * per_epoch
    net = _parallel(state.module, process)
    # Sums of a sparse layer are small integers, which bfloat16 holds exactly up to 256.
    half = recipe.precision == "bfloat16"
    # Of 6 ones some come and go at every step, so what is trained must be what is built.
    refresh = 1 if config.sparsity.fan_in else REFRESH
    net.train()
    with process.bar(recipe.epochs, config.name, state.epoch) as bar:
        while state.epoch < recipe.epochs:
            step = state.epoch * per_epoch
            mean = 0.0
            for pixels, labels, soft in _batches(config, lessons, state.generator, process):
                progress = step / steps
                for group in state.optimiser.param_groups:
                    cosine = 0.5 * (1 + math.cos(math.pi * progress))
                    group["lr"] = recipe.rate * cosine**recipe.cooling
                if recipe.error_decay:
                    for quantizer in state.module.quantizers():
                        quantizer.decay = error_decay(progress)
                if step % refresh == 0 or step >= steps - FINAL_STEPS:
                    state.recentre()
                with torch.autocast(process.device.type, torch.bfloat16, enabled=half):
                    scores = net(pixels)
                loss = _loss(config, state.module, scores.float(), labels, soft)
                state.optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                state.optimiser.step()
                with torch.no_grad():
                    for weight in state.weights:
                        weight.clamp_(-recipe.clamp, recipe.clamp)
                mean += float(loss.detach()) / per_epoch
                step += 1
            state.epoch += 1
            bar.set_postfix(loss=f"{mean:.4f}")
            bar.update(1)
            if process.rank == 0:
                state.save(folder / "checkpoint.pt", state.seconds + time.perf_counter() - start)
    state.recentre()


def _batches(
    config: ModelConfig, lessons: Lessons, generator: torch.Generator, process: Process
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Yield this process's share of every batch: pixels of 0 to 255, labels, soft labels.

    Pixels are (B, *shape) float, labels (B,), soft labels (B, classes) or None.

    Every process draws the same order, so together they see each batch once.
    """
    recipe, batch = config.training, config.training.batch
    copies, count = lessons.pixels.shape[:2]
    order = torch.randperm(count, generator=generator)
    copy = torch.randint(0, copies, (count,), generator=generator)
    moves = torch.Generator()
    if recipe.shift or recipe.flip:  # of its own, for the processes' shares may differ in length
        drawn = torch.randint(0, 1 << 30, (), generator=generator)
        moves.manual_seed(int(drawn) + process.rank)
    for start in range(0, max(1, count - batch + 1), batch):
        index = order[start : start + batch][process.rank :: process.world]
        which = copy[start : start + batch][process.rank :: process.world]
        pixels = lessons.pixels[which, index].to(process.device).float()
        pixels = shifted(pixels, recipe.shift, recipe.flip, moves)
        soft = None if lessons.soft is None else lessons.soft[which, index].to(process.device)
        yield pixels, lessons.labels[index].to(process.device), soft


def _loss(
    config: ModelConfig,
    module: SparseBinaryNet,
    scores: Tensor,
    labels: Tensor,
    soft: Tensor | None,
) -> Tensor:
    loss = functional.cross_entropy(scores, labels)
    recipe = config.distillation
    if soft is not None:
        target = functional.softmax(soft.float() / recipe.temperature, 1)
        loss = (1 - recipe.weight) * loss + recipe.weight * functional.cross_entropy(scores, target)
    if config.sparsity.method == "penalty":
        total = sum(layer.weight.numel() for layer in module.weighted()) // config.rails
        connections = [
            quantizer.w01(layer.weight)
            for layer, quantizer in zip(module.weighted(), module.quantizers(), strict=True)
        ]
        excess = penalty(connections, config.sparsity.density, total)
        loss = loss + penalty_factor(loss, excess, config.sparsity.gamma) * excess
    return loss


def _settle(config: ModelConfig, state: _State, lessons: Lessons, process: Process) -> None:
    """Re-estimate BatchNorm on the images trained on, shifted and mirrored too, then finalise.

    On warped images as in training: clean ones cost sbnn95 up to 0.5 points in validation.
    """
    recipe = config.training
    generator = torch.Generator().manual_seed(recipe.seed)
    copies, count = lessons.pixels.shape[:2]
    index = torch.randperm(count, generator=generator)[:SETTLE_IMAGES]
    copy = torch.randint(0, copies, (len(index),), generator=generator)
    spans = [slice(i, i + SETTLE_BATCH) for i in range(0, len(index), SETTLE_BATCH)]
    batches = (lessons.pixels[copy[span], index[span]].to(process.device).float() for span in spans)
    moved = (shifted(pixels, recipe.shift, recipe.flip, generator) for pixels in batches)
    reestimate(state.module, moved)
    finalise(state.module)


def _parallel(module: SparseBinaryNet, process: Process) -> nn.Module:
    if process.world == 1:
        return module
    # Fixed domains have no unused parameters; BatchNorm keeps rank 0's statistics.
    ids = [process.device.index] if process.device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(module, device_ids=ids)


def _fingerprint(config: ModelConfig, world: int) -> str:
    """Return what a kept file must agree with: the whole config and the number of processes."""
    text = json.dumps([dataclasses.asdict(config), world], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _save(path: Path, content: dict[str, Any]) -> None:
    stream = io.BytesIO()
    torch.save(content, stream)
    write_atomic(path, stream.getvalue())
