"""The figure: equal points, equal bytes; the tracked picture is the tracked points."""

import json

from sbnn.train.bench import HERE, draw, read_bench, variants


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
