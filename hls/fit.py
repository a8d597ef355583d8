"""Fit the weights of the estimate to measured counts: the smallest largest relative error.

Per family and unit (LUTs, sites) a linear programme (scipy's HiGHS) finds the weights that minimise the
largest |features @ w - count| / count; of those within a tenth of it, a second one takes the weights of the
smallest mean error. What is known beforehand bounds them: a table takes no more than its inputs ask for, and
an inverter now and then, and no less than a smaller one. Layers and streams have no feature in common, so
each is fitted by itself.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from sbnn.hls.estimate import STREAMS, WEIGHTS
from sbnn.hls.synth import FAMILIES
from sbnn.train.files import write_atomic

Rows = Sequence[Mapping[str, Any]]
FITTED = ("lut", "sites")
# The second programme may give away this share of the first one's error; all families stay within 10 %.
SLACK = 1.08
# An inverter at the output of one table or adder in five: fc2 of digits takes 214 LUT4, 191 without any.
INVERTED = 1.2
# `_memory` counts LUTs, of which a mapper merges or adds a few.
MEMORY = (0.8, 1.2)


@dataclass(frozen=True)
class Fit:
    """The weights of one family and unit.

    Attributes:
        family: as in measured.json.
        unit: what was counted.
        weights: {feature: LUTs}.
        rows: parts that they were fitted to.
        error: the largest relative error of a layer.
        stream_error: the largest relative error of the streams around the layers.
    """

    family: str
    unit: str
    weights: dict[str, float]
    rows: int
    error: float
    stream_error: float


def fit(rows: Rows) -> list[Fit]:
    """Return the fits of all families and units in the rows."""
    fits = []
    for family in sorted({row["family"] for row in rows}):
        mine = [row for row in rows if row["family"] == family]
        for unit in FITTED:
            if any(unit not in row for row in mine):
                continue
            streams = [row for row in mine if row["part"] == STREAMS]
            layers = [row for row in mine if row["part"] != STREAMS]
            weights, error = fit_weights(layers, unit, FAMILIES[family].inputs)
            around, stream_error = fit_weights(streams, unit, FAMILIES[family].inputs)
            fits.append(Fit(family, unit, weights | around, len(mine), error, stream_error))
    return fits


def largest_errors(rows: Rows) -> dict[str, float]:
    """Return {family: the largest relative error of any row and unit} by the weights in weights.json."""
    weights = json.loads(WEIGHTS.read_text())
    errors: dict[str, float] = {}
    for row in rows:
        for unit in FITTED:
            if row.get(unit):
                values, each = row["features"], weights[row["family"]][unit]
                estimate = sum(each.get(name, 0.0) * value for name, value in values.items())
                error = abs(estimate / row[unit] - 1)
                errors[row["family"]] = max(error, errors.get(row["family"], 0.0))
    return dict(sorted(errors.items()))


def fit_weights(rows: Rows, unit: str, lut_inputs: int) -> tuple[dict[str, float], float]:
    """Return the weights of the least largest relative error, and that error.

    Args:
        rows: of measured.json.
        unit: what is estimated.
        lut_inputs: of the family.
    """
    rows = [row for row in rows if row[unit]]
    names = sorted({name for row in rows for name in row["features"]})
    if not names:
        return {}, 0.0
    share = np.array([[row["features"].get(name, 0) / row[unit] for name in names] for row in rows])
    bounds = [_bounds(name, lut_inputs) for name in names]
    steps = _steps(names)
    largest = _solve(share, np.ones((len(rows), 1)), steps, [*bounds, (0, None)])[-1]
    room = [(0, SLACK * largest)] * len(rows)
    found = _solve(share, np.eye(len(rows)), steps, [*bounds, *room])[: len(names)]
    error = float(np.abs(share @ found - 1).max())
    return {name: round(float(w), 4) for name, w in zip(names, found, strict=True)}, error


def _solve(
    share: NDArray[np.float64],
    errors: NDArray[np.float64],
    steps: NDArray[np.float64],
    bounds: Sequence[tuple[float, float | None]],
) -> NDArray[np.float64]:
    """Return [weights, errors] with |share @ weights - 1| <= errors and steps @ weights <= 0."""
    ones, features = np.ones(len(share)), share.shape[1]
    rising = np.hstack([steps, np.zeros((len(steps), errors.shape[1]))])
    found = linprog(
        np.r_[np.zeros(features), np.ones(errors.shape[1])],
        A_ub=np.vstack([np.block([[share, -errors], [-share, -errors]]), rising]),
        b_ub=np.r_[ones, -ones, np.zeros(len(steps))],
        bounds=bounds,
        method="highs",
    )
    return np.asarray(found.x, np.float64)


def _bounds(name: str, lut_inputs: int) -> tuple[float, float | None]:
    """Return what a weight can be at all."""
    table = re.fullmatch(r"(table|pair)_(\d)", name)
    if table:
        outputs = 2 if table[1] == "pair" else 1
        return 0.0, outputs * INVERTED * 2 ** max(0, int(table[2]) - lut_inputs)
    if name == "full_adder":
        return 0.0, INVERTED * 2
    return MEMORY if name == "memory" else (0.0, None)


def _steps(names: Sequence[str]) -> NDArray[np.float64]:
    """Return rows that are at most 0 where a larger table, or pair, takes no less than a smaller one."""
    steps = []
    for kind in ("table_", "pair_"):
        for small, large in pairwise([i for i, name in enumerate(names) if name.startswith(kind)]):
            steps.append(np.zeros(len(names)))
            steps[-1][small], steps[-1][large] = 1, -1
    return np.array(steps).reshape(-1, len(names))


def write_weights(fits: Sequence[Fit]) -> None:
    """Write weights.json."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for one in fits:
        table.setdefault(one.family, {})[one.unit] = one.weights
    write_atomic(WEIGHTS, json.dumps(table, indent=2) + "\n")
