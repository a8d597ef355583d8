"""From a QONNX file to the integer network: the ordered list of passes, FINN's and ours.

`lower_with_report` is that list, one named pass per line. The graph after every pass is saved, so
that Netron shows what each one did. Importing this module imports FINN, which takes seconds: import
it where it is used.
"""

import contextlib
import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from finn.transformation.qonnx.convert_qonnx_to_finn import ConvertQONNXtoFINN
from finn.transformation.streamline.absorb import (
    AbsorbConsecutiveTransposes,
    AbsorbTransposeIntoMultiThreshold,
)
from finn.transformation.streamline.reorder import MakeMaxPoolNHWC
from finn.transformation.streamline.round_thresholds import RoundAndClipThresholds
from numpy.typing import NDArray
from onnx import ModelProto
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.general import GiveReadableTensorNames, GiveUniqueNodeNames
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul

from sbnn.export.execute import Execution, execute
from sbnn.hls import reference
from sbnn.hls.finn_compare import Rounding, check_thresholds, compare_thresholds
from sbnn.hls.finn_constants import LoweringError
from sbnn.hls.finn_conv import (
    CompleteWindowAttributes,
    FeedMapsAsTheyAre,
    PadPixelsBeforeScaling,
    SetChannelsFirst,
)
from sbnn.hls.finn_file import read_file
from sbnn.hls.finn_fold import Scores, integer_layers, prove_layers
from sbnn.hls.finn_forms import FormChoice, choose_forms
from sbnn.hls.finn_guard import GuardConstantNeurons
from sbnn.hls.finn_limits import write_thresholds
from sbnn.hls.finn_nodes import layer_of
from sbnn.hls.finn_passes import (
    ExtractSparseBinaryWeights,
    InferSparsePopcountMVAU,
    StreamlineWholeMatrices,
)
from sbnn.hls.finn_prepare import edited, prepare, transformed
from sbnn.hls.finn_read import read
from sbnn.hls.finn_recorder import Recorder, quiet
from sbnn.hls.finn_source import Source
from sbnn.hls.layer import SparseLayer
from sbnn.hls.network import InputEncoding, Network
from sbnn.hls.thresholds import Proof

SAMPLE_SEED = 2023
SAMPLE_SIZE = 200


@dataclass(frozen=True, eq=False)
class Lowered:
    """The integer network and what was found on the way to it.

    Attributes:
        network: the result.
        source: what was read of the graph.
        scores: what the scores are in terms of the graph's output.
        graph: the last graph, of SparsePopcountMVAU nodes, for FINN's own flow.
        passes: names in order, as the saved files are numbered.
        forms: the layers that could be built in two ways, and which one was taken.
        proofs: per hidden layer, how many reachable sums were enumerated.
        roundings: sums at which FINN's float32 threshold would decide otherwise.
        images: how many images were compared with the original graph.
        images_from: where they came from.
        score_ties: images whose class differs because equal scores were parted by float rounding.
    """

    network: Network
    source: Source
    scores: Scores
    graph: ModelWrapper
    passes: tuple[str, ...]
    forms: tuple[FormChoice, ...]
    proofs: tuple[Proof, ...]
    roundings: tuple[Rounding, ...]
    images: int
    images_from: str
    score_ties: int

    @property
    def score_unit(self) -> Fraction:
        """What one unit of a score is worth: the graph's output is score_unit * score, where it is exact."""
        return self.scores.unit

    def report(self) -> dict[str, Any]:
        """Return the figures as plain JSON values."""
        return {
            "network_digest": self.network.digest(),
            "score_unit": str(self.score_unit),
            "scores": "the graph's output"
            if self.scores.exact
            else "in the order of the graph's output",
            "passes": list(self.passes),
            "forms": [vars(choice) for choice in self.forms],
            "proved": [
                {
                    "layer": proof.layer,
                    "neurons": proof.neurons,
                    "sums": proof.sums,
                    "constant": proof.constant,
                }
                for proof in self.proofs
            ],
            "finn_float32_roundings": [
                {"layer": found.layer, "neuron": found.neuron, "sum": found.total}
                for found in self.roundings
            ],
            "compared": {
                "images": self.images,
                "from": self.images_from,
                "score_ties_parted_by_float32": self.score_ties,
            },
        }


def lower(
    source: Path | ModelProto,
    name: str,
    save_dir: Path | None = None,
    images: NDArray[np.uint8] | None = None,
    divisor: int | None = None,
) -> Network:
    """Return the integer network of a QONNX graph; see `lower_with_report`."""
    return lower_with_report(source, name, save_dir, images, divisor).network


def lower_with_report(
    source: Path | ModelProto,
    name: str,
    save_dir: Path | None = None,
    images: NDArray[np.uint8] | None = None,
    divisor: int | None = None,
) -> Lowered:
    """Run every pass on a QONNX graph and check the result against the graph.

    Args:
        source: file, or the graph itself.
        name: the model's name; - becomes _ in the network's, which is a Verilog identifier.
        save_dir: where intermediate_models/NN_<pass>.onnx go; None saves nothing.
        images: (B, *shape) uint8 to compare on; by default the model's tracked sample, or random
            ones where `name` is no model of ours.
        divisor: the graph takes pixel / divisor; None where the file says that it takes UINT8.

    Raises:
        LoweringError: not a QONNX graph that can be expressed; names the node.
    """
    stored = read_file(source) if isinstance(source, Path) else source
    with tempfile.TemporaryDirectory(prefix="sbnn-lower-") as folder, _drawn_alike():
        run = Recorder(Path(folder) if save_dir is not None else None)
        lowered = _lower(run, stored, name, images, divisor)
        if save_dir is not None:
            run.publish(save_dir / "intermediate_models")
    return lowered


@contextlib.contextmanager
def _drawn_alike() -> Iterator[None]:
    """Draw the same names for new tensors every time: qonnx takes them from Python's generator."""
    state = random.getstate()
    random.seed(0)
    try:
        yield
    finally:
        random.setstate(state)


def _lower(
    run: Recorder,
    stored: ModelProto,
    name: str,
    images: NDArray[np.uint8] | None,
    divisor: int | None,
) -> Lowered:
    """Do so with a recorder of the passes."""
    model, names, original = prepare(run, stored, divisor)
    prepared = ModelProto()
    prepared.CopyFrom(model.model)
    exact, forms = choose_forms(read(model, names))
    layers, scores = integer_layers(exact)
    proofs = prove_layers(exact, layers)
    model = run("complete_window_attributes", model, transformed(CompleteWindowAttributes()))
    model = run("pad_pixels_before_scaling", model, transformed(PadPixelsBeforeScaling()))
    model = run("guard_constant_neurons", model, transformed(GuardConstantNeurons(exact)))
    limits = edited(lambda graph: write_thresholds(graph, exact))
    model = run("write_thresholds", model, limits)
    weights = ExtractSparseBinaryWeights(exact, layers)
    model = run("extract_sparse_binary_weights", model, _named(weights))
    model = run("convert_qonnx_to_finn", model, _named(ConvertQONNXtoFINN(), SetChannelsFirst()))
    model = run("streamline", model, _named(StreamlineWholeMatrices()))
    check_thresholds(model)
    model = run("round_and_clip_thresholds", model, _named(RoundAndClipThresholds()))
    roundings = compare_thresholds(model, exact.layers, layers)
    model = run("lower_convs_to_matmul", model, _named(LowerConvsToMatMul()))
    model = run("make_max_pool_nhwc", model, _named(MakeMaxPoolNHWC()))
    model = run("absorb_transposes", model, _named(AbsorbTransposeIntoMultiThreshold()))
    model = run("make_max_pool_nhwc", model, _named(MakeMaxPoolNHWC()))
    model = run("absorb_consecutive_transposes", model, _named(AbsorbConsecutiveTransposes()))
    popcounts = InferSparsePopcountMVAU(layers, scores.unit)
    model = run("infer_sparse_popcount_mvau", model, _named(popcounts, FeedMapsAsTheyAre()))
    network = extract_network(model, layers, exact.encoding, name.replace("-", "_"))
    if images is None:
        images, images_from = sample(name, exact.encoding.shape)
    else:
        images_from = "the caller"
    ties = compare(network, prepared, images)
    compare_classes(network, original, images)
    return Lowered(
        network,
        exact,
        scores,
        model,
        tuple(run.passes),
        forms,
        proofs,
        roundings,
        len(images),
        images_from,
        ties,
    )


def extract_network(
    model: ModelWrapper, layers: Sequence[SparseLayer], encoding: InputEncoding, name: str
) -> Network:
    """Return the integer network that the SparsePopcountMVAU nodes of a graph describe.

    Windows and pools, which FINN has in nodes of its own, are taken from `layers`.
    """
    nodes = iter(model.get_nodes_by_op_type("SparsePopcountMVAU"))
    found = []
    for layer in layers:
        if layer.pool:
            found.append(layer)
            continue
        node = next(nodes)
        arrays = {tensor: model.get_initializer(tensor) for tensor in node.input[1:]}
        described = layer_of(getCustomOp(node), arrays)
        found.append(replace(described, window=layer.window))
    return Network(name, encoding, tuple(found))


def sample(name: str, shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], str]:
    """Return images to compare on: the model's tracked sample, or seeded random ones; and which."""
    from sbnn.train.config import TrainError, load_config, model_names
    from sbnn.train.data import sample_images

    if name in model_names():
        with contextlib.suppress(TrainError):  # a data set without a tracked sample
            images, _ = sample_images(load_config(name))
            if images.shape[1:] == shape:
                return images, f"the tracked sample of {name}"
    rng = np.random.default_rng(SAMPLE_SEED)
    return (
        rng.integers(0, 256, (SAMPLE_SIZE, *shape), np.uint8),
        f"random pixels, seed {SAMPLE_SEED}",
    )


def compare(network: Network, original: ModelProto, images: NDArray[np.uint8]) -> int:
    """Compare every hidden value and every class with qonnx's execution of the original graph.

    Returns:
        the number of images whose class differs although the two scores are equal: the graph adds
        in float32, and its rounding parts what is a tie in the integers.

    Raises:
        LoweringError: a value or a class differs; names layer, neuron and image.
    """
    wanted, found = _execute(original, images), reference.run(network, images)
    hidden = zip(network.layers, found.hidden, strict=False)
    for (layer, values), graph_values in zip(hidden, wanted.hidden, strict=True):
        if graph_values.ndim == 4:  # (images, channels, rows, columns)
            graph_values = graph_values.transpose(0, 2, 3, 1)
        wrong = np.argwhere(graph_values != values)
        if len(wrong):
            image, *place, neuron = wrong[0].tolist()
            at = f" at {tuple(place)}" if place else ""
            raise LoweringError(
                f"layer {layer.name}: neuron {neuron}{at} is {int(values[tuple(wrong[0])])} for image "
                f"{image}, the graph says {int(graph_values[tuple(wrong[0])])}; {len(wrong)} of "
                f"{values.size} differ"
            )
    rows = np.arange(len(images))
    differ = found.classes != wanted.classes
    ties = differ & (found.scores[rows, wanted.classes] == found.scores.max(1))
    if (differ & ~ties).any():
        image = int(np.flatnonzero(differ & ~ties)[0])
        raise LoweringError(
            f"layer {network.layers[-1].name}: image {image} is class {found.classes[image]}, the "
            f"graph says {wanted.classes[image]}; {int((differ & ~ties).sum())} of {len(images)} "
            "differ"
        )
    return int(ties.sum())


def compare_classes(network: Network, original: ModelProto, images: NDArray[np.uint8]) -> None:
    """Compare every class with qonnx's execution of the whole graph, what stands behind the scores included.

    Raises:
        LoweringError: a class differs although its score is not the graph's largest.
    """
    graph = ModelProto()
    graph.CopyFrom(original)
    makers = {tensor: node for node in graph.graph.node for tensor in node.output}
    maker = makers[graph.graph.output[0].name]
    if maker.op_type == "TopK" and graph.graph.output[0].name == maker.output[0]:
        return  # the largest values without their places; the scores have been compared
    found = reference.run(network, images)
    answers = _execute(graph, images).scores.reshape(len(images), -1)
    chosen = maker.op_type in ("ArgMax", "TopK")
    wanted = answers[:, 0].astype(np.int64) if chosen else answers.argmax(1)
    rows = np.arange(len(images))
    equal = found.scores[rows, wanted] == found.scores.max(1)
    if not chosen:  # a softmax in float32 may round neighbours to the same value
        equal |= answers[rows, found.classes] == answers[rows, wanted]
    if not equal.all():
        image = int(np.flatnonzero(~equal)[0])
        raise LoweringError(
            f"layer {network.layers[-1].name}: image {image} is class {found.classes[image]}, the whole "
            f"graph says {wanted[image]}; {int((~equal).sum())} of {len(images)} differ"
        )


def _execute(model: ModelProto, images: NDArray[np.uint8]) -> Execution:
    """Run a graph with qonnx; what it cannot run becomes one sentence."""
    try:
        with quiet():
            return execute(model, images)
    except Exception as error:  # onnxruntime and qonnx raise classes of their own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise LoweringError(f"graph cannot be executed by qonnx ({reason})") from error


def _named(*transformations: Any) -> Callable[[ModelWrapper], ModelWrapper]:
    """Apply passes that belong together, then annotate datatypes and name nodes and tensors readably."""

    def change(model: ModelWrapper) -> ModelWrapper:
        for step in (
            *transformations,
            InferDataTypes(),
            GiveUniqueNodeNames(),
            GiveReadableTensorNames(),
        ):
            model = model.transform(step)
        return model

    return change
