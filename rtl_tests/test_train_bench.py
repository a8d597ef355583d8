"""The figure: equal points, equal bytes; the tracked picture is the tracked points."""

import json
import shutil

from sbnn.train import bench as module
from sbnn.train.bench import HERE, bench, draw, read_bench, trained_file, variants
from sbnn.train.trained import read_trained


def test_variants_are_one_recipe():
    configs = dict(variants())
    densities = [c.sparsity.density for label, c in configs.items() if label.startswith("sparse")]
    assert densities == [0.1, 0.05, 0.03, 0.02, 0.01]
    assert configs["dense"].weights.xi == -0.5
    assert configs["xi98"].weights.domain == "learned"
    assert configs["xi98"].sparsity == configs["sparse98"].sparsity
    assert len({config.training for config in configs.values()}) == 1
    assert len({config.distillation for config in configs.values()}) == 1
    assert all(config.name == label for label, config in configs.items())


def test_other_widths_have_as_many_ones():
    points = read_bench()
    for label in ("width128", "width512"):
        assert abs(points[label]["ones"] - points["sparse95"]["ones"]) < 10


def test_tracked_picture_is_drawn_from_the_tracked_points(tmp_path):
    content = json.loads((HERE / "bench.json").read_text())
    draw(content, tmp_path / "a.svg")
    drawn = (tmp_path / "a.svg").read_bytes()
    assert drawn == (HERE / "accuracy.svg").read_bytes()
    assert all(point["target_hit"] is not False for point in content["points"])
    assert b"<dc:date>" not in drawn
    content["points"][0]["test"] -= 0.01
    draw(content, tmp_path / "b.svg")
    assert (tmp_path / "b.svg").read_bytes() != drawn


def test_points_are_of_their_trained_files():
    points = read_bench()
    for label, config in variants():
        ones = sum(
            int((layer.weight > 0).sum())
            for layer in read_trained(config, trained_file(label)).weighted()
        )
        assert label == "dense" or ones == points[label]["ones"], label


def test_only_what_changed_is_trained_again(monkeypatch, tmp_path):
    """A trained file that is missing or another, or a recipe that is another; all of them when asked."""
    monkeypatch.setattr(module, "HERE", tmp_path)
    monkeypatch.setattr(module, "RESULTS", tmp_path / "bench.json")
    monkeypatch.setattr(module, "TRAINED", tmp_path / "variants")
    shutil.copytree(HERE / "variants", tmp_path / "variants")
    shutil.copy(HERE / "bench.json", tmp_path)
    asked = []

    def train(config, data):
        asked.append(config.name)
        return read_bench()[config.name]

    monkeypatch.setattr(module, "_train", train)
    bench()
    assert asked == []
    trained_file("sparse97").write_bytes(b"half a file")
    trained_file("width512").unlink()
    points = json.loads((tmp_path / "bench.json").read_text())
    points["points"][0]["recipe"] = "another"
    (tmp_path / "bench.json").write_text(json.dumps(points))
    bench()
    assert sorted(asked) == ["sparse90", "sparse97", "width512"]
    asked.clear()
    bench(again=True)
    assert asked == [label for label, _ in variants()]
