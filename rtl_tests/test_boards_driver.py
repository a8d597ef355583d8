"""What the driver takes and refuses, and the transports that need no board: reference and Verilator."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cores import random_images, stream_bits
from networks import random_conv_network, random_network, tracked_network
from shells import core_on_board

from sbnn.boards.driver import Accelerator, DriverError, open_accelerator, pack_images
from sbnn.boards.transports.transport import Exchange, find_files
from sbnn.hls import reference
from sbnn.hls.manifest import Link, Manifest, manifest_text
from sbnn.hls.network import Network
from sbnn.train.config import load_config
from sbnn.train.data import find, load, sample_images
from sbnn.train.errors import UserError

ROOT = Path(__file__).resolve().parent.parent


def build_folder(network: Network, folder: Path) -> Path:
    """Return build/<model>/<board> of a network, as make hls writes it."""
    board = folder / network.name / "ulx3s"
    _, files = core_on_board(network, board)
    for name, text in files.items():
        (board / name).parent.mkdir(exist_ok=True)
        (board / name).write_text(text)
    network.save(board.parent / "network.npz")
    return board


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return core_on_board(tracked_network("digits"), tmp_path)[0]


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_folder(tracked_network("digits"), tmp_path_factory.mktemp("build"))


def test_packing_equals_the_reference_encoding(manifest: Manifest) -> None:
    network = tracked_network("digits")
    images = np.random.default_rng(0).integers(0, 17, (30, 8, 8)).astype(np.uint8)
    bits = np.unpackbits(pack_images(manifest, images), axis=1, bitorder="little")
    assert (bits[:, : manifest.bits] == stream_bits(network, images)).all()


@pytest.mark.parametrize("model", ["digits-conv", "digits-grey"])
def test_pixels_are_sent_as_they_are(tmp_path: Path, model: str) -> None:
    network = tracked_network(model)
    manifest = core_on_board(network, tmp_path)[0]
    images = np.random.default_rng(0).integers(0, 256, (30, 8, 8)).astype(np.uint8)
    packed = pack_images(manifest, images)
    assert packed.shape == (30, manifest.image_bytes) == (30, 64)
    assert (packed.reshape(30, 8, 8) == images).all()
    with pytest.raises(DriverError, match=r"^images are float64, "):
        pack_images(manifest, images / 255)


def test_odd_widths_are_padded_with_zeros(tmp_path: Path) -> None:
    seed = next(n for n in range(100) if random_network(n).encoding.bits % 8 == 3)
    odd = core_on_board(random_network(seed), tmp_path)[0]
    packed = pack_images(odd, np.full((1, *odd.shape), 255, np.uint8))
    assert packed.shape == (1, odd.image_bytes)
    assert packed[0, -1] == 0b111


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 8, 8), np.float32), "images are float32, digits takes uint8"),
        (np.zeros((2, 8, 8), bool), "images are bool, digits takes uint8"),
        (np.zeros((8, 8), np.uint8), "images have shape (8, 8), digits takes (N, 8, 8)"),
        (np.zeros((2, 64), np.uint8), "images have shape (2, 64), digits takes (N, 8, 8)"),
        (np.zeros((2, 28, 28), np.uint8), "images have shape (2, 28, 28), digits takes (N, 8, 8)"),
    ],
)
def test_images_that_do_not_fit(manifest: Manifest, images: Any, message: str) -> None:
    with pytest.raises(DriverError) as error:
        pack_images(manifest, images)
    assert str(error.value) == message


def test_images_that_are_no_array(manifest: Manifest) -> None:
    images: Any = [[[0] * 8] * 8]
    with pytest.raises(
        DriverError, match=r"^images are list, digits takes a numpy array of uint8$"
    ):
        pack_images(manifest, images)


@pytest.mark.parametrize("transport", ["reference", "verilator"])
def test_results_equal_the_reference(digits: Path, transport: str) -> None:
    network = tracked_network("digits")
    images = random_images(network, 300, seed=3)
    answer = reference.run(network, images)
    with open_accelerator(digits, transport) as accelerator:
        assert (accelerator.transport, accelerator.simulated) == (transport, True)
        assert f"transport {transport} (" in accelerator.describe()
        for part in (images, images[:1], images[:0]):
            results = accelerator.run(part)
            assert results.classes.dtype == results.scores.dtype == np.int64
            assert (results.classes == answer.classes[: len(part)]).all()
            assert (results.scores == answer.scores[: len(part)]).all()
            assert results.scores.shape == (len(part), 10)
            assert accelerator.timing is not None
            assert accelerator.timing.images == len(part)
        assert (accelerator.infer(images) == answer.classes).all()


def test_verilator_counts_the_cycles_of_the_hardware(digits: Path) -> None:
    images = random_images(tracked_network("digits"), 50)
    with open_accelerator(digits, "verilator") as accelerator:
        manifest = accelerator.manifest
        accelerator.run(images[:1])
        assert accelerator.timing is not None
        one = accelerator.timing
        # The manifest counts to the first beat of the result, an image's latency to its last.
        assert one.latencies is not None
        assert one.latencies.tolist() == [manifest.latency_cycles + manifest.out_beats]
        assert one.cycles == manifest.latency_cycles + manifest.out_beats
        accelerator.run(images)
        assert accelerator.timing.cycles == one.cycles + 49 * manifest.ii_cycles


@pytest.mark.parametrize(
    ("make", "seed"),
    [(random_network, 1), (random_network, 4), (random_conv_network, 4)],
)
def test_odd_widths_and_pixels(tmp_path: Path, make: Callable[[int], Network], seed: int) -> None:
    network = make(seed)
    folder = build_folder(network, tmp_path)
    images = random_images(network, 100)
    answer = reference.run(network, images)
    for transport in ("reference", "verilator"):
        with open_accelerator(folder, transport) as accelerator:
            for part in (images, images[:0]):
                results = accelerator.run(part)
                assert (results.classes == answer.classes[: len(part)]).all()
                assert (results.scores == answer.scores[: len(part)]).all()
                assert results.scores.shape == (len(part), network.classes)


@pytest.mark.regress
def test_the_whole_mnist_test_set(tmp_path: Path) -> None:
    """All 10,000 images where the data are, else the tracked 200: every class and every score."""
    config = load_config("sbnn95")
    images = sample_images(config)[0] if find("mnist") is None else load(config).test_x
    network = tracked_network("sbnn95")
    answer = reference.run(network, images)
    with open_accelerator(build_folder(network, tmp_path), "verilator") as accelerator:
        results = accelerator.run(images)
        manifest, timing = accelerator.manifest, accelerator.timing
    assert (results.classes == answer.classes).all()
    assert (results.scores == answer.scores).all()
    assert timing is not None
    assert timing.seconds < 60  # 1.8 s on an idle machine
    assert timing.latencies is not None
    assert set(timing.latencies) == {manifest.latency_cycles + manifest.out_beats}
    assert timing.cycles == timing.latencies[0] + (len(images) - 1) * manifest.ii_cycles


def test_a_core_that_answers_wrongly_is_not_hidden(digits: Path, tmp_path: Path) -> None:
    """A bit of the RTL turned round: the results must differ from the reference."""
    broken = tmp_path / "digits" / "ulx3s"
    (broken / "rtl").mkdir(parents=True)
    (broken.parent / "network.npz").write_bytes((digits.parent / "network.npz").read_bytes())
    (broken / "manifest.json").write_bytes((digits / "manifest.json").read_bytes())
    for path in (digits / "rtl").iterdir():
        (broken / "rtl" / path.name).write_text(path.read_text())
    top = broken / "rtl" / "digits_fc3.sv"
    wrong = top.read_text().replace("^", "~^", 1)
    assert wrong != top.read_text()
    top.write_text(wrong)
    images = random_images(tracked_network("digits"), 100)
    with open_accelerator(broken, "verilator") as verilated:
        have = verilated.run(images)
    with open_accelerator(broken, "reference") as reference_transport:
        need = reference_transport.run(images)
    assert (have.scores != need.scores).any()


def test_folders_that_cannot_be_opened(digits: Path, tmp_path: Path) -> None:
    def said(folder: Path, transport: str = "auto") -> str:
        with pytest.raises(UserError) as error:
            open_accelerator(folder, transport)
        return str(error.value)

    assert said(tmp_path) == f"{tmp_path}/manifest.json: no such file; make hls writes it"
    assert said(digits, "pcie") == (
        "transport is 'pcie', needs auto or one of reference verilator uart pynq-dma pynq-fifo"
    )
    assert said(digits) == (
        "digits: no bitstream for ulx3s here, so name a transport: reference or verilator"
    )
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "manifest.json").write_bytes((digits / "manifest.json").read_bytes())
    assert said(bare, "reference").endswith("network.npz: no such file; make hls writes it")
    assert said(bare, "verilator").endswith(
        "sbnn_unpack.sv: no such file; a simulation needs the Verilog of build/digits/ulx3s"
    )
    random_network(3).save(tmp_path / "network.npz")
    assert "the core of digits was made from" in said(bare, "reference")


def test_a_stale_deploy_folder_is_passed_over(digits: Path, tmp_path: Path) -> None:
    board = tmp_path / "digits" / "ulx3s"
    deploy = board / "deploy"
    deploy.mkdir(parents=True)
    (board / "manifest.json").write_bytes((digits / "manifest.json").read_bytes())
    manifest = find_files(board).manifest
    assert find_files(board).network == tmp_path / "digits" / "network.npz"
    link = Link(kind="zynq", baud=0, dma="own", clock_mhz=100.0)
    (deploy / "manifest.json").write_text(manifest_text(replace(manifest, link=link)))
    files = find_files(board)
    assert (files.manifest.link, files.network) == (link, deploy / "network.npz")
    assert (files.bitfile, files.rtl) == (deploy / "digits.bit", board)
    older = replace(manifest, link=link, rtl_digest="0" * 64)
    (deploy / "manifest.json").write_text(manifest_text(older))
    assert find_files(board).manifest.link is None


class WrongClass:
    """A transport whose board answers a class that the model does not have."""

    name, simulated, clock_mhz = "wrong", False, None

    def exchange(self, packed: np.ndarray) -> Exchange:
        return Exchange(np.full((len(packed), 11), 10, np.int64))

    def close(self) -> None:
        pass


def test_an_impossible_class_is_an_error(manifest: Manifest) -> None:
    with pytest.raises(DriverError, match=r"^the board answers class 10, digits has 10 classes$"):
        Accelerator(manifest, WrongClass()).run(np.zeros((2, 8, 8), np.uint8))


# What a PYNQ image has: Python 3.10 and numpy. pynq and serial are imported where they are used.
LAZY = {"pynq", "serial"}
STDLIB_310 = set(sys.stdlib_module_names) - {"tomllib"}


def closure(*roots: str) -> dict[str, ast.Module]:
    """Return {module: syntax tree} of everything that `roots` import from sbnn."""
    found: dict[str, ast.Module] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        path = ROOT.joinpath(*name.split(".")[1:])
        source = path.with_suffix(".py") if path.with_suffix(".py").is_file() else None
        if name in found or source is None:
            continue
        # feature_version: syntax that Python 3.10 does not have is an error here.
        found[name] = ast.parse(source.read_text(), feature_version=(3, 10))
        for node in ast.walk(found[name]):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                waiting += [node.module, *(f"{node.module}.{a.name}" for a in node.names)]
    return found


def test_what_runs_on_a_board_needs_numpy_and_python_310() -> None:
    modules = closure("sbnn.boards.driver", "sbnn.boards.validate")
    assert "sbnn.boards.transports.pynq_dma" in modules
    assert not {"sbnn.boards.board", "sbnn.boards.verilated"} & set(modules)
    wrong = []
    for name, tree in modules.items():
        at_import = {id(node) for node in tree.body}
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for imported in names:
                top = imported.split(".")[0]
                lazy = top in LAZY and id(node) not in at_import
                if top not in STDLIB_310 | {"sbnn", "numpy"} and not lazy:
                    wrong.append(f"{name}:{node.lineno}: imports {imported}")
    assert not wrong, "\n".join(wrong)


def test_the_driver_imports_nothing_that_a_board_does_not_have() -> None:
    code = (
        "import sys, json; import sbnn.boards.driver, sbnn.boards.validate;"
        "import sbnn.boards.transports.uart, sbnn.boards.transports.reference;"
        "import sbnn.boards.transports.pynq_dma, sbnn.boards.transports.pynq_fifo;"
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not loaded & {
        "pynq",
        "serial",
        "torch",
        "onnx",
        "scipy",
        "tqdm",
        "matplotlib",
        "tomllib",
    }
