"""Estimates: every measured layer within the bound, and weights that are those of the measured rows."""

import json

import numpy as np
import pytest
from networks import tracked_network

from sbnn.hls.design import Choices
from sbnn.hls.estimate import STREAMS, WEIGHTS, EstimateError, estimate_layers, features
from sbnn.hls.fit import FITTED, INVERTED, fit, fit_weights, largest_errors
from sbnn.hls.generate import generate
from sbnn.hls.measure import LEVELS, choices_of, part_digests, read_rows
from sbnn.hls.synth import FAMILIES
from sbnn.hls.tools import ToolError

ROWS = read_rows()
WITHIN = 0.10


def estimate(row, unit):
    weights = json.loads(WEIGHTS.read_text())[row["family"]][unit]
    return sum(weights[name] * value for name, value in row["features"].items())


@pytest.mark.parametrize("family", sorted(LEVELS))
def test_every_measured_layer_is_within_the_bound(family):
    """On every layer and on what surrounds them."""
    rows = [row for row in ROWS if row["family"] == family]
    assert len({row["model"] for row in rows}) >= 4, "measured models"
    for row in rows:
        for unit in FITTED:
            if unit in row:
                error = abs(estimate(row, unit) - row[unit])
                assert error <= WITHIN * row[unit], (
                    row["model"],
                    row["part"],
                    unit,
                    error,
                )


def test_largest_errors_are_those_of_the_rows():
    found = largest_errors(ROWS)
    assert set(found) == set(LEVELS)
    for family, error in found.items():
        errors = [
            abs(estimate(row, unit) - row[unit]) / row[unit]
            for row in ROWS
            for unit in FITTED
            if row["family"] == family and row.get(unit)
        ]
        assert error == pytest.approx(max(errors))
        assert error <= WITHIN


def test_weights_are_those_of_the_measured_rows():
    weights = json.loads(WEIGHTS.read_text())
    fits = {(one.family, one.unit): one for one in fit(ROWS)}
    assert {(family, unit) for family in weights for unit in weights[family]} == set(fits)
    for (family, unit), one in fits.items():
        assert weights[family][unit] == pytest.approx(one.weights, abs=1e-3), (family, unit)


@pytest.mark.parametrize("family", ["ecp5", "xc7"])
def test_rows_are_those_of_todays_generator(tmp_path, family):
    """Whoever changes the Verilog runs `python -m sbnn.hls fit` again."""
    for model in ("digits", "digits-xi"):
        manifest = generate(
            tracked_network(model), choices_of([family], None)[family], "x", tmp_path
        )
        mine = [r for r in ROWS if (r["model"], r["family"]) == (manifest.model, family)]
        assert {r["part"]: r["features"] for r in mine} == features(manifest, family)
        digests = part_digests(manifest, tmp_path, family)
        assert {r["part"]: r["digest"] for r in mine} == digests


def test_the_fit_finds_weights_that_made_the_counts():
    rng = np.random.default_rng(5)
    truth = {"full_adder": 1.5, "table_3": 0.5, "table_6": 2.5, "count_bit": 1.25}
    rows = []
    for _ in range(12):
        values = {name: int(rng.integers(5, 300)) for name in truth}
        count = sum(truth[name] * value for name, value in values.items())
        rows.append({"lut": count, "features": values})
    weights, error = fit_weights(rows, "lut", 4)
    assert weights == pytest.approx(truth, abs=1e-3)
    assert error < 1e-6


def test_the_fit_splits_a_contradiction_evenly():
    """Equal parts counted 90 and 110: the least largest relative error is a tenth, at 99."""
    rows = [{"lut": count, "features": {"full_adder": 100}} for count in (90, 110)]
    weights, error = fit_weights(rows, "lut", 4)
    assert 100 * weights["full_adder"] == pytest.approx(99, abs=1.2)
    assert error == pytest.approx(0.1, abs=0.011)


def test_weights_keep_to_what_a_table_can_take():
    rows = [{"lut": 500, "features": {"table_2": 100, "table_6": 100}}]
    weights, _ = fit_weights(rows, "lut", 4)
    assert weights["table_2"] <= INVERTED and weights["table_6"] <= 4 * INVERTED
    assert weights["table_2"] <= weights["table_6"]


def test_an_estimate_is_the_weighted_sum(tmp_path):
    manifest = generate(tracked_network("digits"), Choices(), "x", tmp_path)
    found = features(manifest, "ecp5")
    weights = json.loads(WEIGHTS.read_text())["ecp5"]["lut"]
    for part, count in estimate_layers(manifest, "ecp5").items():
        assert count == round(sum(weights.get(n, 0) * value for n, value in found[part].items()))
    assert list(found) == [*(layer.name for layer in manifest.layers), STREAMS]
    assert estimate_layers(manifest, "xcup") == estimate_layers(manifest, "xc7")
    assert set(FAMILIES) == {*LEVELS, "xcup"}


def test_what_was_not_measured_is_refused(tmp_path):
    manifest = generate(tracked_network("digits"), Choices(), "x", tmp_path)
    with pytest.raises(
        EstimateError, match=r"^no estimate of ecp5 sites: hls/weights.json has .*xc7"
    ):
        estimate_layers(manifest, "ecp5", "sites")
    with pytest.raises(ToolError, match=r"^family max10: not measured; there are: ecp5, "):
        choices_of(["max10"], None)
