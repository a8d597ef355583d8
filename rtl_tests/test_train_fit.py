"""Training on the digits for real: same seed same digest, resume, penalty, two processes, files."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from sbnn.train import fit as fit_module
from sbnn.train.config import MODELS as MODELS_FOLDER
from sbnn.train.config import Sparsity, TrainError, Weights, load_config
from sbnn.train.data import load
from sbnn.train.finalise import finalise
from sbnn.train.fit import fit
from sbnn.train.lessons import prepare
from sbnn.train.metrics import accuracy, entropy, layer_figures, predict, sparsity_figures, spread
from sbnn.train.process import Process
from sbnn.train.report import Run, metrics_of, write_best
from sbnn.train.trained import load_trained, pack, save_trained, trained_digest

MODELS = ("digits", "digits-xi", "digits-bnn", "digits-conv", "digits-grey")


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def split():
    return load(load_config("digits"))


def short(name, epochs=6, **changes):
    config = load_config(name)
    training = dataclasses.replace(config.training, epochs=epochs)
    return dataclasses.replace(config, training=training, **changes)


def digest(module):
    return pack(module, "digits")[1]


def test_same_seed_same_digest_and_another_seed_another(split, tmp_path):
    config = short("digits-xi")
    first, second = (fit(config, split, tmp_path / name).module for name in "ab")
    assert digest(first) == digest(second)
    other = dataclasses.replace(config, training=dataclasses.replace(config.training, seed=7))
    assert digest(fit(other, split, tmp_path / "c").module) != digest(first)


@pytest.mark.parametrize("name", ["digits-xi", "digits-conv"])
def test_resumed_run_equals_an_uninterrupted_one(name, split, tmp_path, monkeypatch):
    config = short(name)
    if name == "digits-conv":  # what else draws random numbers, and the other precision
        training = dataclasses.replace(config.training, shift=1, flip=True, precision="bfloat16")
        config = dataclasses.replace(config, training=training)
    whole = fit(config, split, tmp_path / "whole").module

    class Killed(Exception):
        pass

    save, saved = fit_module._State.save, []

    def save_then_die(self, path, seconds):
        save(self, path, seconds)
        saved.append(self.epoch)
        if len(saved) == 3:
            raise Killed

    monkeypatch.setattr(fit_module._State, "save", save_then_die)
    with pytest.raises(Killed):
        fit(config, split, tmp_path / "cut")
    monkeypatch.setattr(fit_module._State, "save", save)
    resumed = fit(config, split, tmp_path / "cut", resume=True).module
    assert saved == [1, 2, 3]
    assert digest(resumed) == digest(whole)


def test_checkpoints_of_other_configs_and_damaged_ones_are_refused(split, tmp_path):
    fit(short("digits", 1), split, tmp_path)
    with pytest.raises(TrainError, match="is of another config or seed; train without --resume"):
        fit(short("digits", 2), split, tmp_path, resume=True)
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainError, match=r"checkpoint\.pt: not a checkpoint .*without --resume"):
        fit(short("digits", 1), split, tmp_path, resume=True)


@pytest.mark.parametrize("name", MODELS)
def test_finalising_changes_no_decision(name, split, tmp_path, monkeypatch):
    kept = []

    def remember(module):
        images = torch.from_numpy(split.train_x).float()
        module.eval()
        kept.append(module.hidden_bits(images))
        kept.append(module(images).argmax(1))
        finalise(module)

    monkeypatch.setattr(fit_module, "finalise", remember)
    module = fit(short(name), split, tmp_path).module
    images = torch.from_numpy(split.train_x).float()
    after = module.hidden_bits(images)
    assert list(after) == list(kept[0])
    assert all(torch.equal(after[key], kept[0][key]) for key in after)
    assert torch.equal(kept[1], module(images).argmax(1))
    # Every sum stays half a step away from its threshold, so float32 cannot flip one.
    maps = list(module.maps(images))
    for index, (quantizer, batchnorm) in enumerate(
        zip(module.quantizers(), module.batchnorms(), strict=False), 1
    ):
        eta, xi = quantizer.levels(module.weighted()[index - 1].weight)
        assert float(xi * 2**quantizer.xi_frac) % 1 == 0
        seen = [name for name, _ in maps].index(f"act{index}") - 1  # what came before this sign
        sums = module.product(index, maps[seen][1]).transpose(1, -1)
        distance = (sums - batchnorm.running_mean).abs().min()
        half = 0.5 * 2**-7 if index == 1 and name == "digits-grey" else 1
        assert float(distance) >= half * float(eta) / 2**quantizer.xi_frac


@pytest.mark.parametrize("name", MODELS)
def test_tracked_file_is_what_its_metrics_say(name, split):
    config, module = load_trained(name)
    metrics = json.loads((MODELS_FOLDER / name / "metrics.json").read_text())
    test = accuracy(module, split.test_x, split.test_y)
    validation = accuracy(module, split.val_x, split.val_y)
    assert trained_digest(name) == metrics["trained_digest"]
    assert metrics["accuracy"]["test"] == round(test, 6)
    assert metrics["accuracy"]["validation"] == round(validation, 6)
    assert metrics["layers"] == layer_figures(module)
    assert metrics["sparsity"] == sparsity_figures(config, module)
    assert metrics["accuracy"]["test"] > 0.85
    best = max(metrics["runs"], key=lambda run: run["validation"])
    assert metrics["seed"] == best["seed"]


def test_digits_variants_are_the_three_domains():
    names = ("digits", "digits-xi", "digits-bnn")
    xi = {name: [q.fixed_xi.item() for q in load_trained(name)[1].quantizers()] for name in names}
    assert xi["digits"] == [0, 0, 0]
    assert xi["digits-bnn"] == [-0.5, -0.5, -0.5]
    assert all(value != 0 and value * 64 == int(value * 64) for value in xi["digits-xi"])


def test_scores_are_integers_times_one_scale(split):
    for name in MODELS:
        _, module = load_trained(name)
        scores = module(torch.from_numpy(split.test_x).float()) / module.scores.scale()
        scores = scores * 2**module.scores.xi_frac
        assert torch.equal(scores, scores.round())


def test_round_trip_and_equal_bytes(split, tmp_path):
    module = fit(short("digits-xi", 2), split, tmp_path / "run").module
    save_trained(module, "digits-xi", tmp_path)
    _, again = load_trained("digits-xi", tmp_path / "trained.npz")
    assert pack(again, "digits-xi") == pack(module, "digits-xi")
    assert np.array_equal(predict(again, split.test_x), predict(module, split.test_x))


def test_corrupt_trained_files_are_named(tmp_path):
    good = (MODELS_FOLDER / "digits" / "trained.npz").read_bytes()
    path = tmp_path / "trained.npz"
    with pytest.raises(TrainError, match=r"no such file; make train MODEL=digits writes it"):
        load_trained("digits", path)
    for damaged in (b"", b"hello", good[: len(good) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(TrainError, match=r"trained\.npz: not a trained file \("):
            load_trained("digits", path)
    path.write_bytes(good)
    with pytest.raises(TrainError, match=r"holds model 'digits', needs 'digits-xi'"):
        load_trained("digits-xi", path)
    with np.load(path) as archive:
        entries = {key: archive[key] for key in archive.files}
    entries["fc1.w01"] = entries["fc1.w01"] ^ 1
    np.savez_compressed(path, **entries)
    with pytest.raises(TrainError, match=r"content has digest \w{12}, its header says \w{12}"):
        load_trained("digits", path)


def test_penalty_reports_whether_it_hit(split, tmp_path):
    sparsity = Sparsity(method="penalty", density=0.2, gamma=0.5)
    config = short("digits", 12, sparsity=sparsity, weights=Weights("learned", xi_frac=6))
    module = fit(config, split, tmp_path / "a").module
    figures = sparsity_figures(config, module)
    assert figures["density"] < 0.35  # it starts at 0.5
    assert figures["target_hit"] == (figures["ones"] <= 0.2 * 8832)
    wrong = dataclasses.replace(config, sparsity=dataclasses.replace(sparsity, density=0.01))
    assert sparsity_figures(wrong, module)["target_hit"] is False
    line = write_best(wrong, [Run(0, module, 0.9, 0.8, None, 1.0, 1, "cpu")], tmp_path)
    assert "MISSED its target density 0.01" in line


def test_a_fan_in_is_exact_at_every_step(split, tmp_path, monkeypatch):
    config = short("digits-conv", 4, rails=2, sparsity=Sparsity(fan_in=(6, 9, 6, 20)))
    seen, loss = set(), fit_module._loss

    def watched(config, module, *rest):
        counts = [(layer.weight > 0).flatten(1).sum(1) for layer in module.weighted()]
        seen.add(tuple((int(row.min()), int(row.max())) for row in counts))
        return loss(config, module, *rest)

    monkeypatch.setattr(fit_module, "_loss", watched)
    module = fit(config, split, tmp_path).module
    assert seen == {((6, 6), (9, 9), (6, 6), (20, 20))}
    figures = sparsity_figures(config, module)
    assert figures["target_hit"] is True
    assert figures["fan_in"] == [6, 9, 6, 20]
    module.weighted()[1].weight.data.fill_(-1)
    assert sparsity_figures(config, module)["target_hit"] is False


def test_metrics_choose_by_validation_and_give_the_spread():
    module = load_trained("digits")[1]
    runs = [
        Run(seed, module, validation, test, None, 1.0, 1, "cpu")
        for seed, validation, test in ((0, 0.90, 0.99), (1, 0.95, 0.91), (2, 0.94, 0.98))
    ]
    content, best = metrics_of(load_config("digits"), runs)
    assert best.seed == content["seed"] == 1
    assert content["accuracy"] == {"validation": 0.95, "test": 0.91}
    assert content["over_seeds"]["test"]["mean"] == 0.96
    assert [run["test"] for run in content["runs"]] == [0.99, 0.91, 0.98]
    assert spread([0.5]) == {"mean": 0.5, "min": 0.5, "max": 0.5, "std": 0.0}


def test_entropy_is_eq_6():
    assert entropy(0.5) == 1
    assert entropy(0.05) == pytest.approx(0.286397)
    assert entropy(0.0) == entropy(1.0) == 0


@pytest.mark.parametrize("name", ["sbnn95", "fashion-sbnn95"])
def test_teacher_and_warped_copies_teach(name, tmp_path):
    """The whole recipe of the tracked models on 1,000 images: copies, teacher, soft labels."""
    from sbnn.train.data import Split, sample_images

    config = short(name, 3)
    recipe = dataclasses.replace(config.distillation, copies=2, epochs=2)
    training = dataclasses.replace(config.training, batch=50)
    config = dataclasses.replace(
        config,
        hidden=(32,),
        convolutions=tuple(dataclasses.replace(c, channels=12) for c in config.convolutions),
        distillation=recipe,
        training=training,
        sparsity=Sparsity(density=0.1),
    )
    x, y = sample_images(config)
    x, y = np.repeat(x, 5, 0), np.repeat(y, 5, 0)
    split = Split(x, y, x, y, x, y)
    result = fit(config, split, tmp_path)
    (lessons,) = tmp_path.glob("*.npz")
    kept = lessons.read_bytes()
    lessons.write_bytes(kept[:1000])  # damaged lessons are made again
    again = prepare(config, split, tmp_path, Process())
    assert len(list(tmp_path.glob("*.npz"))) == 1  # kept, not made twice
    assert again.soft.shape == (2, 1000, 10)
    assert not torch.equal(again.pixels[0], again.pixels[1])
    bits = config.input.threshold is not None
    assert np.array_equal(again.pixels[0], 255 * (x >= config.input.threshold) if bits else x)
    assert result.teacher_val == again.teacher_val > 0.3
    assert result.seconds > again.seconds
    assert accuracy(result.module, x, y) > 0.3


def run_train(arguments, cwd, launcher=()):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, "-m", "sbnn.train", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300
    )


def test_command_line_mistakes_are_one_line(tmp_path):
    done = run_train(["foo"], tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "sbnn.train: MODEL=foo: no train/models/foo/config.toml; there are: bnn "
    )
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_two_processes_under_torchrun(tmp_path):
    done = run_train(
        ["digits", "--out", "out"],
        tmp_path,
        ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("digits: validation ")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["runs"][0]["processes"] == 2
    assert metrics["sparsity"]["target_hit"] is True
    assert metrics["accuracy"]["validation"] > 0.8
    _, module = load_trained("digits", tmp_path / "out" / "trained.npz")
    assert digest(module) == metrics["trained_digest"]
