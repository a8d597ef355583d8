"""Studies: what they may vary, one for real on the digits by two processes, its summary and figure."""

import dataclasses
import json

import pytest
from networks import tracked_network

from sbnn.boards import sweep
from sbnn.boards.bench_figure import our_points
from sbnn.boards.bench_models import metrics, read_results
from sbnn.boards.board import load_board
from sbnn.boards.sweep import Search, Sweep, core_luts, load_sweep, run_sweep, sweep_names
from sbnn.boards.sweep_figure import FIGURE, SweepError, draw, tracked_studies
from sbnn.boards.trained import choices_of
from sbnn.hls.estimate import estimate_layers
from sbnn.hls.generate import generate
from sbnn.train.config import ModelConfig, Sparsity, load_config
from sbnn.train.trained import load_trained

STUDY = """
summary = "digits"
base = "digits"
board = "pynq-z2"
start = [{ "hidden.0" = 16, "sparsity.fan_in.0" = 6 }]
[[search]]
entry = "hidden.0"
low = 16
high = 64
log = true
[[search]]
entry = "sparsity.fan_in.0"
choices = [3, 6]
"""


@pytest.fixture
def studies(tmp_path, monkeypatch):
    """A folder of studies with one of the digits, which are trained for three epochs."""

    def short(name: str, quick: bool = False) -> ModelConfig:
        config = load_config(name)
        training = dataclasses.replace(config.training, epochs=3)
        return dataclasses.replace(config, training=training, sparsity=Sparsity(fan_in=(6, 6, 12)))

    monkeypatch.setattr(sweep, "SWEEPS", tmp_path / "sweeps")
    monkeypatch.setattr(sweep, "BUILD", tmp_path / "build")
    monkeypatch.setattr(sweep, "load_config", short)
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "small.toml").write_text(STUDY)
    return tmp_path / "sweeps"


def test_a_study_goes_on_where_another_process_stopped(studies, tmp_path):
    journal = tmp_path / "shared" / "journal"
    run_sweep("small", 2, journal, None)
    line = run_sweep("small", 1, journal, None)
    assert line.startswith("small: 3 trials, on the front ")
    content = json.loads((studies / "small.json").read_text())
    first = next(trial for trial in content["trials"] if trial["trial"] == 0)
    assert first["values"] == {"hidden.0": 16, "sparsity.fan_in.0": 6}  # the start
    assert [trial["luts"] for trial in content["trials"]] == sorted(
        trial["luts"] for trial in content["trials"]
    )
    for trial in content["trials"]:
        better = [
            other
            for other in content["trials"]
            if other["luts"] <= trial["luts"]
            and other["validation"] >= trial["validation"]
            and (other["luts"], other["validation"]) != (trial["luts"], trial["validation"])
        ]
        assert trial["front"] == (not better)
        assert 0.1 < trial["validation"] < 1
        assert trial["epochs"] == 3
    drawn = (studies / FIGURE).read_bytes()
    run_sweep("small", 0, journal, None)  # summarises only
    assert (studies / FIGURE).read_bytes() == drawn


def test_values_reach_the_config():
    config = Sweep("s", "", "lenet-sbnn86", "pynq-z2", ()).config(
        {"convolutions.1.channels": 40, "sparsity.ratio.3": 5.0, "training.rate": 0.01}
    )
    assert [c.channels for c in config.convolutions] == [48, 40, 96]
    assert config.sparsity.ratio == (3, 1, 0.9, 5)
    assert config.training.rate == 0.01
    quick = load_config("lenet-sbnn86", quick=True)
    assert dataclasses.replace(config.training, rate=quick.training.rate) == quick.training


@pytest.mark.parametrize("entry", ["hidden.7", "hidden.x", "sparsity.fun", "nothing", "hidden.0.1"])
def test_an_entry_that_does_not_exist_is_named(entry):
    with pytest.raises(SweepError, match=f"model sbnn95 has no entry '{entry}'"):
        Sweep("s", "", "sbnn95", "pynq-z2", ()).config({entry: 3})


@pytest.mark.parametrize(("old", "new", "message"), [
    ("base", "bose", "unexpected keyword argument 'bose'"),
    ("low", "lowest", "unexpected keyword argument 'lowest'"),
    ("[[search]]", "[[find]]", "'search'"),
    ('{ "hidden.0" = 16,', "{", "a start has sparsity.fan_in.0, needs hidden.0 sparsity.fan_in.0"),
    ("summary", "= summary", "Invalid statement"),
    ("pynq-z2", "pynq-z9", "pynq-z9: no boards/pynq-z9/board.toml"),
])  # fmt: skip
def test_mistakes_in_a_study_are_one_sentence(studies, old, new, message):
    (studies / "small.toml").write_text(STUDY.replace(old, new))
    with pytest.raises(SweepError) as caught:
        load_sweep("small")
    assert str(caught.value).startswith("boards/sweeps/small.toml: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_entry_without_a_place_is_found_before_any_trial(studies):
    (studies / "small.toml").write_text(STUDY.replace('"hidden.0"', '"hidden.2"'))
    with pytest.raises(SweepError, match=r"model digits has no entry 'hidden\.2'"):
        run_sweep("small", 1, None, None)
    assert list(studies.parent.glob("**/*.journal")) == []


def test_no_study_and_no_trials(studies, tmp_path):
    with pytest.raises(SweepError, match="which sweep\\? there are: small"):
        run_sweep("large", 1, None, None)
    with pytest.raises(SweepError, match="sweep small: no trial has finished"):
        run_sweep("small", 0, tmp_path / "empty", None)
    assert not (studies / "small.json").exists()


def test_tracked_studies_and_their_figure():
    assert sweep_names()
    for name in sweep_names():
        study = load_sweep(name)
        for values in study.start:
            study.config(values)
        assert all(isinstance(search, Search) for search in study.search)
    summaries = [json.loads(p.read_text()) for p in sorted(sweep.SWEEPS.glob("*.json"))]
    assert {content["sweep"] for content in summaries} <= set(sweep_names())


def test_tracked_figure_is_drawn_from_the_tracked_summaries(tmp_path):
    """`make bench` and a study draw it."""
    models = our_points(read_results()["models"], metrics())
    draw(tracked_studies(sweep.SWEEPS), models, tmp_path / "a.svg")
    drawn = (tmp_path / "a.svg").read_bytes()
    assert drawn == (sweep.SWEEPS / FIGURE).read_bytes()
    assert b"<dc:date>" not in drawn


@pytest.mark.parametrize("name", ["pynq-z2", "icebreaker"])
def test_a_trial_costs_what_its_core_is_estimated_at(name, tmp_path):
    """The module that was trained, and the core that make hls makes of its tracked file."""
    board, unit = load_board(name), {"pynq-z2": "sites", "icebreaker": "lut"}[name]
    manifest = generate(tracked_network("digits-xi"), choices_of(board), name, tmp_path)
    wanted = sum(estimate_layers(manifest, board.family, unit).values())
    config, module = load_trained("digits-xi")
    assert core_luts(module, config, board) == wanted > 0
