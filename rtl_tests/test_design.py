"""Generated cores in Verilator: every class and every score equals the reference."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cores import check_core, core_of, random_images
from networks import random_network, tracked_network
from simulate import verilate
from summary import count

from sbnn.hls.design import Choices, make_design, make_manifest
from sbnn.hls.generate import generate
from sbnn.hls.manifest import load_manifest
from sbnn.hls.network import InputEncoding, Network, NetworkError, SparseLayer, load
from sbnn.hls.stitch import rtl_files
from sbnn.train.config import load_config
from sbnn.train.data import find, sample_images
from sbnn.train.data import load as load_data

DIGITS = ["digits", "digits-xi", "digits-bnn"]
STALLS = {"send": 60, "receive": 50}


def choices_of(seed: int) -> Choices:
    """Return different choices for different seeds."""
    rng = np.random.default_rng([seed, 1])
    return Choices(
        levels_per_stage=int(rng.choice([1, 2, 3, 9])),
        family=str(rng.choice(["", "xc7"])),
        beat_bits=int(rng.choice([8, 24, 64, 128])),
        out_beat_bits=int(rng.choice([8, 64, 512])),
        scores=bool(rng.random() < 0.8),
    )


@pytest.mark.parametrize(
    "seed", [0, 4, *(pytest.param(n, marks=pytest.mark.regress) for n in range(100, 120))]
)
def test_random_networks(seed):
    network = random_network(seed)
    design, folder = core_of(network, choices_of(seed))
    images = random_images(network, 60, seed)
    check_core(design, folder, images)
    check_core(design, folder, images, **STALLS, seed=seed)
    count("networks")


@pytest.mark.parametrize(
    "seed", [7, *(pytest.param(n, marks=pytest.mark.regress) for n in range(100, 112))]
)
def test_few_bit_networks(seed):
    """Weights and values of up to 4 bits, both rails, some with xi."""
    network = random_network(seed, 24, bits=4)
    design, folder = core_of(network, choices_of(seed))
    images = random_images(network, 60, seed)
    check_core(design, folder, images)
    check_core(design, folder, images, **STALLS, seed=seed)
    count("networks")


@pytest.mark.parametrize("model", [*DIGITS[:2], pytest.param(DIGITS[2], marks=pytest.mark.regress)])
def test_digits(model):
    """xi = 0, learned xi and dense +-1 through the whole chain, every test image, all kinds of stalls."""
    network = tracked_network(model)
    design, folder = core_of(network, Choices())
    config = load_config(model)
    images = load_data(config).test_x.reshape(-1, *network.encoding.shape)
    check_core(design, folder, images)
    check_core(design, folder, images, **STALLS)
    check_core(design, folder, images, bursts=1, tlast="batch")
    check_core(design, folder, images[:40], "resets", resets=30)
    check_core(design, folder, images[:40], "short_images")


def test_the_three_digits_models_are_what_they_claim():
    sparse, learned, dense = (tracked_network(model) for model in DIGITS)
    assert all(not layer.xi_num.any() for layer in sparse.layers)
    assert any(layer.xi_num.any() for layer in learned.layers)
    assert all((2 * layer.xi_num == -(1 << layer.xi_frac)).all() for layer in dense.layers)


@pytest.mark.long
def test_sbnn95_on_real_images():
    """1,000 MNIST test images (200 where there is no data set), several in flight, random stalls."""
    network = tracked_network("sbnn95")
    design, folder = core_of(network, Choices(levels_per_stage=4))
    images = real_images("sbnn95", 1000).reshape(-1, *network.encoding.shape)
    check_core(design, folder, images[:100])
    check_core(design, folder, images, send=85, receive=40)
    check_core(design, folder, images[:60], "resets", resets=20)


@pytest.mark.regress
@pytest.mark.long
@pytest.mark.parametrize("model", ["sbnn95", "sbnn98", "sbnn95-dual", "lut4k", "tfc-sbnn95"])
def test_all_mnist_images(model):
    network = tracked_network(model)
    design, folder = core_of(network, Choices(levels_per_stage=4))
    images = real_images(model, 10000).reshape(-1, *network.encoding.shape)
    assert len(images) == 10000, "the MNIST test set is needed: SBNN_DATA or make train"
    check_core(design, folder, images, send=90, receive=70, bursts=1)


def real_images(model: str, count: int) -> np.ndarray:
    """Return a model's first test images, or their tracked sample where there is no data set."""
    config = load_config(model)
    there = config.input.dataset == "digits" or find(config.input.dataset)
    return load_data(config).test_x[:count] if there else sample_images(config)[0][:count]


def test_build_folder(request):
    """What `make sim` runs: the RTL files of a build folder, as they lie there."""
    option = request.config.getoption("--build")
    if option is None:
        pytest.skip("needs --build (make sim gives it)")
    folder = Path(option)
    manifest = load_manifest(folder / "manifest.json")
    network = load(folder.parent / "network.npz")
    files = {name: (folder / name).read_text() for name in manifest.sources}
    design = make_design(
        network,
        Choices(
            beat_bits=manifest.in_beat_bits,
            out_beat_bits=manifest.out_beat_bits,
            scores=len(manifest.fields) > 1,
            levels_per_stage=manifest.levels_per_stage,
            family=manifest.family,
        ),
    )
    model = folder.parent.name
    images = real_images(model, request.config.getoption("--images"))
    images = images.reshape(-1, *network.encoding.shape)
    check_core(design, verilate(files, manifest.top), images, **STALLS)
    print(
        f"\n{len(images)} images of {model}: every class and score of the RTL equals the reference"
    )


def test_a_wrong_threshold_is_found():
    """The test of the test: one threshold off by one in the RTL, in the layer that is hardest to see."""
    network = tracked_network("digits")
    design = make_design(network, Choices())
    layers = list(network.layers)
    off = np.arange(layers[1].mh)[:, None] == 0
    layers[1] = replace(layers[1], threshold=layers[1].threshold + off)
    wrong = make_design(replace(network, layers=tuple(layers)), Choices())
    files = rtl_files(design)
    name = f"rtl/{design.layers[1].module}.sv"
    assert files[name] != wrong.layers[1].text
    files[name] = wrong.layers[1].text
    images = load_data(load_config("digits")).test_x.reshape(-1, *network.encoding.shape)
    with pytest.raises(AssertionError, match=r"image .* RTL 0x.*reference 0x"):
        check_core(design, verilate(files, network.name), images)


def test_equal_networks_give_equal_bytes(tmp_path):
    network = random_network(11)
    network.save(tmp_path / "network.npz")
    first = generate(network, Choices(), "ulx3s", tmp_path / "a")
    second = generate(load(tmp_path / "network.npz"), Choices(), "ulx3s", tmp_path / "b")
    assert first == second
    names = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert [str(name) for name in names] == sorted([*first.sources, "manifest.json"])
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        assert str(tmp_path) not in (tmp_path / "a" / name).read_text()


def test_generating_again_touches_nothing_and_removes_what_is_stale(tmp_path):
    network = random_network(11)
    generate(network, Choices(), "ulx3s", tmp_path)
    stale = tmp_path / "rtl" / "old_layer.sv"
    stale.write_text("module old_layer; endmodule\n")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*") if path != stale}
    generate(network, Choices(), "ulx3s", tmp_path)
    assert not stale.exists()
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*")}


def test_manifest_says_what_the_ports_are():
    network = random_network(11)
    choices = Choices(beat_bits=32, out_beat_bits=16)
    design = make_design(network, choices)
    files = rtl_files(design)
    manifest = make_manifest(design, "ulx3s", files)
    top = files[f"rtl/{manifest.top}.sv"]
    assert f"[{manifest.in_beat_bits - 1}:0]  s_axis_tdata" in top
    assert f"[{manifest.out_beat_bits - 1}:0]  m_axis_tdata" in top
    assert manifest.in_beats == -(-network.encoding.bits // 32)
    assert manifest.fields == ("class", *(f"score{i}" for i in range(network.classes)))


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (
            Choices(levels_per_stage=0),
            "levels_per_stage is 0, needs at least 1 level between registers",
        ),
        (Choices(beat_bits=20), "beat_bits is 20, needs a multiple of 8 from 8 to 4096"),
        (Choices(out_beat_bits=0), "out_beat_bits is 0, needs a multiple of 8 from 8 to 4096"),
    ],
)
def test_choices_out_of_range(choices, message):
    with pytest.raises(NetworkError) as caught:
        make_design(random_network(11), choices)
    assert str(caught.value) == message


def test_one_image_per_cycle():
    """With a port as wide as the image and the class alone, the core takes an image every cycle."""
    network = tracked_network("digits")
    design, folder = core_of(network, Choices(beat_bits=64, scores=False))
    assert design.ii_cycles == 1
    images = load_data(load_config("digits")).test_x.reshape(-1, *network.encoding.shape)
    check_core(design, folder, images)


def test_constants_cost_nothing():
    """A layer of constant neurons vanishes: what it feeds is folded into the next layer."""
    rng = np.random.default_rng(0)
    first = SparseLayer(
        "fc1",
        (rng.random((4, 9)) < 0.5).astype(np.uint8),
        np.zeros(4, np.int64),
        0,
        threshold=np.array([[0], [100], [0], [100]]),
        invert=np.array([False, False, True, True]),
    )
    last = SparseLayer(
        "fc2",
        (rng.random((3, 4)) < 0.5).astype(np.uint8),
        np.zeros(3, np.int64),
        0,
        offset=np.arange(3),
    )
    network = Network("constant", InputEncoding((9,), 128), (first, last))
    design, folder = core_of(network, Choices())
    assert all(layer.cost.full_adders == 0 and not layer.cost.tables for layer in design.layers)
    check_core(design, folder, random_images(network, 20))
    assert replace(design).rows[0].constants == {0: 1, 1: 0, 2: 0, 3: 1}
