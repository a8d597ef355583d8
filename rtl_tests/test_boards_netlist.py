"""What is measured once, by which keys, and random networks that are what they say."""

import numpy as np
import pytest

from sbnn.boards import bench_layers
from sbnn.boards.bench_layers import LEVELS, Job, dense_jobs, measure, reads, sparse_jobs
from sbnn.boards.random_qonnx import random_qonnx, width_for
from sbnn.hls.baselines.dense import dense_layer, emit_dense
from sbnn.hls.lower import lower
from sbnn.hls.network import InputEncoding, Network, SparseLayer


def tiny() -> Network:
    rng = np.random.default_rng(1)
    shapes = [(9, 6), (6, 3)]
    w01 = [(rng.random((outputs, inputs)) < 0.4).astype(np.uint8) for inputs, outputs in shapes]
    w01[1][:, 2] = 0
    zeros = [np.zeros(outputs, np.int64) for _, outputs in shapes]
    hidden = SparseLayer(
        "fc1", w01[0], zeros[0], 0, threshold=zeros[0][:, None] + 1, invert=np.zeros(6, bool)
    )
    last = SparseLayer("fc2", w01[1], zeros[1], 0, offset=zeros[1])
    return Network("tiny", InputEncoding((9,), 128), (hidden, last))


def test_a_layers_outputs_are_read_or_not():
    found = reads(tiny())
    assert found[0].tolist() == tiny().layers[1].w01.any(axis=0).tolist()
    assert not found[0][2]
    assert found[1].all()


def test_keys_differ_wherever_the_result_may():
    jobs = [*sparse_jobs({"tiny": tiny()})]
    assert len({job.place for job in jobs}) == len(jobs) == 2 * 2 * 2
    assert len({job.key for job in jobs}) == len(jobs)
    assert [job.key for job in sparse_jobs({"tiny": tiny()})] == [job.key for job in jobs]


@pytest.mark.regress
def test_a_job_is_measured_once(tmp_path, monkeypatch):
    """A dense layer of 8 inputs and 3 neurons: whole, and twice one neuron, by yosys."""
    monkeypatch.setattr(bench_layers, "RESULTS", tmp_path / "layer_results.json")
    made = []

    def job(name: str, times: float) -> Job:
        def make():
            made.append(name)
            return [(emit_dense(dense_layer(8, 3, False), name, LEVELS), times)]

        command = "synth_xilinx -family xc7 -noiopad -noclkbuf -nocarry -nowidelut -nosrl"
        return Job(("dense", name, "unshared", "xc7"), {}, (command,), name, make)

    jobs = [job("once", 1), job("twice", 2)]
    measure(jobs, tmp_path)
    found = bench_layers.read_layer_results()["dense"]
    once, twice = (found[name]["unshared"]["xc7"] for name in ("once", "twice"))
    assert 0 < once["sites"] <= once["lut"]
    assert once["ff"] >= 3
    for name in ("lut", "sites", "ff"):
        assert twice[name] == 2 * once[name]
    assert twice["levels"] == once["levels"] > 0
    assert 100 < once["mhz"] == twice["mhz"] < 1000
    measure(jobs, tmp_path)
    assert made == ["once", "twice"]


def test_dense_jobs_cover_every_shape_of_the_models():
    shapes = [(784, 64, False), (64, 64, False), (64, 10, True)]
    layers = tuple(
        SparseLayer(
            f"fc{i}",
            np.ones((outputs, inputs), np.uint8),
            np.zeros(outputs, np.int64),
            0,
            **(
                {"offset": np.zeros(outputs, np.int64)}
                if last
                else {
                    "threshold": np.zeros((outputs, 1), np.int64),
                    "invert": np.zeros(outputs, bool),
                }
            ),
        )
        for i, (inputs, outputs, last) in enumerate(shapes)
    )
    network = Network("shapes", InputEncoding((28, 28), 128), layers)
    places = [job.place for job in dense_jobs({"shapes": network, "again": network})]
    assert len(places) == len(set(places)) == 2 * 3 * 3
    assert {place[1] for place in places} == {"784x64", "64x64", "64x10"}


def test_random_networks_have_the_ones_asked_for():
    width = width_for(3_000, 0.05)
    network = lower(random_qonnx((784, width, width, width, 10), 0.05), "random")
    assert [layer.mh for layer in network.layers] == [width, width, width, 10]
    assert abs(network.ones / 3_000 - 1) < 0.05
    assert all((layer.threshold > 0).any() for layer in network.layers[:-1])
