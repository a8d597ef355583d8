"""What a config must keep to, beyond its types: the first broken rule is named."""

from collections.abc import Iterator

from sbnn.train.recipe import DATASETS, DOMAINS, METHODS, PRECISIONS, ModelConfig, TrainError

Rule = tuple[bool, str]  # what has to hold, and the sentence where it does not


def check(where: str, config: ModelConfig) -> None:
    """Raise `TrainError` on the first value that no run could use; `where` names the file."""
    for rules in (_shape, _convolutions, _recipe, _sums):  # the later ones need the earlier to hold
        for holds, sentence in rules(config):
            if not holds:
                raise TrainError(f"{where}: {sentence}")


def _shape(config: ModelConfig) -> Iterator[Rule]:
    entry = config.input
    yield config.rails in (1, 2), f"rails is {config.rails}, needs 1 or 2"
    yield (
        bool(config.hidden or config.convolutions)
        and all(isinstance(n, int) and n > 0 for n in config.hidden),
        f"hidden is {list(config.hidden)}, needs positive layer widths",
    )
    yield (
        entry.dataset in DATASETS,
        f"input.dataset is {entry.dataset!r}, needs one of {', '.join(DATASETS)}",
    )
    yield (
        len(entry.shape) in (2, 3) and all(isinstance(n, int) and n > 0 for n in entry.shape),
        f"input.shape is {list(entry.shape)}, needs [height, width] or [height, width, channels]",
    )
    yield (
        entry.threshold is None or 0 < entry.threshold < 256,
        f"input.threshold is {entry.threshold}, needs 1 to 255",
    )


def _convolutions(config: ModelConfig) -> Iterator[Rule]:
    yield (
        config.rails == 1 or config.input.threshold is not None,
        "rails is 2, needs an input.threshold (8-bit pixels have no second rail)",
    )
    for index, conv in enumerate(config.convolutions, 1):
        for key in ("channels", "kernel", "stride", "pool"):
            value = getattr(conv, key)
            yield value > 0, f"convolutions {index}: {key} is {value}, needs at least 1"
        yield (
            0 <= conv.padding < conv.kernel,
            f"convolutions {index}: padding is {conv.padding}, needs 0 to {conv.kernel - 1}",
        )
    for layer in config.layers:
        if layer.convolution:
            size = [n // layer.convolution.pool for n in layer.made[1:]]
            yield (
                min(*size, *layer.made[1:]) > 0,
                f"{layer.name}: nothing is left of a map of {layer.seen[1]} x {layer.seen[2]}",
            )


def _recipe(config: ModelConfig) -> Iterator[Rule]:
    sparsity, weights, training = config.sparsity, config.weights, config.training
    distillation = config.distillation
    count = len(config.layers)
    yield (
        weights.domain in DOMAINS,
        f"weights.domain is {weights.domain!r}, needs one of {', '.join(DOMAINS)}",
    )
    yield 0 <= weights.xi_frac <= 16, f"weights.xi_frac is {weights.xi_frac}, needs 0 to 16"
    yield (
        weights.xi * 2**weights.xi_frac % 1 == 0,
        f"weights.xi is {weights.xi}, needs a multiple of 1/2**{weights.xi_frac}",
    )
    yield (
        sparsity.method in METHODS,
        f"sparsity.method is {sparsity.method!r}, needs one of {', '.join(METHODS)}",
    )
    yield 0 < sparsity.density <= 1, f"sparsity.density is {sparsity.density}, needs 0 to 1"
    yield 0 < sparsity.gamma < 1, f"sparsity.gamma is {sparsity.gamma}, needs 0 to 1"
    yield (
        len(sparsity.ratio) in (0, count),
        f"sparsity.ratio has {len(sparsity.ratio)} entries, needs {count}",
    )
    yield (
        not sparsity.fan_in or sparsity.method == "top-k",
        f"sparsity.fan_in needs sparsity.method 'top-k', not {sparsity.method!r}",
    )
    yield (
        len(sparsity.fan_in) in (0, count),
        f"sparsity.fan_in has {len(sparsity.fan_in)} entries, needs {count}",
    )
    for layer, ones in zip(config.layers, sparsity.fan_in, strict=False):
        yield (
            isinstance(ones, int) and 0 < ones <= layer.inputs,
            f"sparsity.fan_in is {ones} for {layer.name}, needs 1 to its {layer.inputs} inputs",
        )
    yield training.epochs > 0, f"training.epochs is {training.epochs}, needs at least 1"
    yield training.rate > 0, f"training.rate is {training.rate}, needs a positive one"
    yield training.cooling > 0, f"training.cooling is {training.cooling}, needs a positive one"
    yield training.batch > 1, f"training.batch is {training.batch}, needs at least 2"
    yield training.shift >= 0, f"training.shift is {training.shift}, needs at least 0"
    yield (
        training.precision in PRECISIONS,
        f"training.precision is {training.precision!r}, needs one of {', '.join(PRECISIONS)}",
    )
    yield (
        0 <= distillation.weight <= 1,
        f"distillation.weight is {distillation.weight}, needs 0 to 1",
    )
    yield (
        distillation.copies > 0,
        f"distillation.copies is {distillation.copies}, needs at least 1",
    )


def _sums(config: ModelConfig) -> Iterator[Rule]:
    """Every sum and every half step between two of them must be exact in float32 (24 bits)."""
    for index, layer in enumerate(config.layers):
        grey = 128 if index == 0 and config.input.threshold is None else 1
        frac = config.weights.xi_frac
        yield (
            layer.inputs * grey * 2 ** (frac + 2) < 2**24,
            f"{layer.name}: xi_frac {frac} is too large for {layer.inputs} inputs in float32",
        )
