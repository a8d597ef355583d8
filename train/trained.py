"""The small tracked file of a trained model: packed connections, levels, BatchNorm, bias."""

import hashlib
import io
import json
import zipfile
import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sbnn.train.archive import check_archive
from sbnn.train.config import MODELS, ModelConfig, TrainError, load_config
from sbnn.train.files import write_atomic
from sbnn.train.finalise import statistics
from sbnn.train.model import SparseBinaryNet, build

FORMAT = "sbnn-trained-1"
Arrays = dict[str, NDArray[Any]]


def arrays_of(module: SparseBinaryNet) -> Arrays:
    """Return everything that a finalised module computes with, as numpy arrays by name.

    Per layer convN or fcN: w01 (packed bits, row-major, little end first), shape, eta (float32),
    xi_num (int64) and xi_frac; per bnN: mean, var, gamma, beta (float32); scale and bias of the
    scores.
    """
    arrays: Arrays = {}
    for name, layer, quantizer in zip(
        module.names, module.weighted(), module.quantizers(), strict=True
    ):
        eta, xi = quantizer.levels(layer.weight)
        connections = (layer.weight > 0).cpu().numpy()
        arrays[f"{name}.w01"] = np.packbits(connections.reshape(-1), bitorder="little")
        arrays[f"{name}.shape"] = np.array(connections.shape, np.int64)
        arrays[f"{name}.eta"] = eta.detach().cpu().numpy().reshape(-1)
        numerator = torch.round(xi.detach().double() * 2**quantizer.xi_frac)
        arrays[f"{name}.xi_num"] = numerator.cpu().numpy().astype(np.int64).reshape(-1)
        arrays[f"{name}.xi_frac"] = np.array(quantizer.xi_frac, np.int64)
    for index, batchnorm in enumerate(module.batchnorms(), 1):
        for key, tensor in _batchnorm(batchnorm).items():
            arrays[f"bn{index}.{key}"] = tensor.detach().cpu().numpy()
    arrays["scores.bias"] = module.scores.bias().detach().cpu().numpy()
    arrays["scores.scale"] = module.scores.scale().detach().cpu().numpy()
    return {key: np.array(array, order="C") for key, array in sorted(arrays.items())}


def content_digest(arrays: Arrays) -> str:
    """Return the SHA-256 over names, dtypes, shapes and bytes, whatever the file looks like."""
    total = hashlib.sha256(FORMAT.encode())
    for key, array in sorted(arrays.items()):
        total.update(f"{key} {array.dtype.str} {array.shape} ".encode())
        total.update(array.tobytes())
    return total.hexdigest()


def pack(module: SparseBinaryNet, name: str) -> tuple[bytes, str]:
    """Return (file content, digest) of a finalised module; equal modules give equal bytes."""
    arrays = arrays_of(module)
    digest = content_digest(arrays)
    header = json.dumps({"format": FORMAT, "model": name, "digest": digest}, sort_keys=True)
    stream = io.BytesIO()
    entries: dict[str, Any] = {"header": np.frombuffer(header.encode(), np.uint8), **arrays}
    np.savez_compressed(stream, **entries)
    return stream.getvalue(), digest


def save_trained(module: SparseBinaryNet, name: str, folder: Path | None = None) -> str:
    """Write <folder>/trained.npz (train/models/<name> unless given) and return its digest."""
    content, digest = pack(module, name)
    write_atomic((folder or MODELS / name) / "trained.npz", content)
    return digest


def load_trained(name: str, path: Path | None = None) -> tuple[ModelConfig, SparseBinaryNet]:
    """Return the config and the trained module of model `name`, in eval mode.

    Args:
        name: a model's folder name.
        path: another trained file of the same model.

    Raises:
        TrainError: unknown model, no trained file, or a damaged one (says what is wrong).
    """
    config = load_config(name)
    path = path or MODELS / name / "trained.npz"
    if not path.is_file():
        raise TrainError(f"{path}: no such file; make train MODEL={name} writes it")
    return config, read_trained(config, path)


def read_trained(config: ModelConfig, path: Path) -> SparseBinaryNet:
    """Return the trained module of a file that `save_trained` wrote, in eval mode.

    Args:
        config: the model, its name the one in the file.
        path: the trained file.

    Raises:
        TrainError: a damaged file, or one of another model.
    """
    arrays = _read(path, config.name)
    module = build(config)
    try:
        with torch.no_grad():
            _fill(path, module, arrays)
    except KeyError as error:
        raise TrainError(f"{path}: has no entry {error}") from error
    return module.eval()


def trained_digest(name: str, path: Path | None = None) -> str:
    """Return the digest of a model's trained file (the tracked one unless given), after checking it."""
    return content_digest(_read(path or MODELS / name / "trained.npz", name))


def _read(path: Path, name: str) -> Arrays:
    try:
        check_archive(path)
        with np.load(path, allow_pickle=False) as archive:
            header = json.loads(archive["header"].tobytes())
            arrays = {key: archive[key] for key in archive.files if key != "header"}
        have, wanted = content_digest(arrays), str(header["digest"])
    except (
        zipfile.BadZipFile,
        KeyError,
        TypeError,
        EOFError,
        ValueError,
        zlib.error,
    ) as error:
        raise TrainError(f"{path}: not a trained file ({error})") from error
    if header.get("format") != FORMAT:
        raise TrainError(f"{path}: format {header.get('format')!r}, needs {FORMAT!r}")
    if header.get("model") != name:
        raise TrainError(f"{path}: holds model {header.get('model')!r}, needs {name!r}")
    if have != wanted:
        raise TrainError(f"{path}: content has digest {have[:12]}, its header says {wanted[:12]}")
    return arrays


def _fill(path: Path, module: SparseBinaryNet, arrays: Arrays) -> None:
    for name, layer, quantizer in zip(
        module.names, module.weighted(), module.quantizers(), strict=True
    ):
        shape = tuple(int(n) for n in arrays[f"{name}.shape"])
        if shape != tuple(layer.weight.shape):
            raise TrainError(
                f"{path}: layer {name} is {shape}, config.toml says {tuple(layer.weight.shape)}"
            )
        bits = np.unpackbits(arrays[f"{name}.w01"], count=prod(shape), bitorder="little").reshape(
            shape
        )
        layer.weight.copy_(torch.from_numpy(bits.astype(np.float32)) * 2 - 1)
        eta, xi = quantizer.levels(layer.weight)
        quantizer.xi_frac = int(arrays[f"{name}.xi_frac"])
        numerator = torch.from_numpy(arrays[f"{name}.xi_num"]).double()
        quantizer.freeze(
            torch.from_numpy(arrays[f"{name}.eta"]).view(eta.shape),
            (numerator / 2**quantizer.xi_frac).float().view(xi.shape),
        )
    for index, batchnorm in enumerate(module.batchnorms(), 1):
        for key, tensor in _batchnorm(batchnorm).items():
            tensor.copy_(torch.from_numpy(arrays[f"bn{index}.{key}"]))
    module.scores.xi_frac = module.quantizers()[-1].xi_frac
    module.scores.freeze(
        torch.from_numpy(arrays["scores.scale"]), torch.from_numpy(arrays["scores.bias"])
    )


def _batchnorm(batchnorm: torch.nn.BatchNorm1d | torch.nn.BatchNorm2d) -> dict[str, torch.Tensor]:
    mean, var = statistics(batchnorm)
    return {"mean": mean, "var": var, "gamma": batchnorm.weight, "beta": batchnorm.bias}
