"""Faults put into emitted RTL, hand-written modules and emitters: the checks of the fast suite see them."""

import ast
import json

import mutate_python
import mutate_rtl
import pytest
from icarus import needs_icarus
from mutation import (
    EQUAL,
    KILLED,
    Outcome,
    all_mutants,
    judge,
    judge_emitter,
    judge_module,
    judge_rtl,
    main,
    summary,
)
from summary import count, list_survivor

from sbnn.hls.stitch import rtl_source

pytestmark = needs_icarus
PARTS = 8


def test_a_sample():
    """Three of each sort; more under regress, all by `mutation.py`."""
    every = all_mutants(share=0.01, seed=3)
    outcomes = []
    for sort in (judge_rtl, judge_module, judge_emitter):
        outcomes += [judge(pair) for pair in [pair for pair in every if pair[0] is sort][:3]]
    missed = [outcome for outcome in outcomes if outcome.end not in KILLED + EQUAL]
    assert {outcome.group for outcome in outcomes} == {"rtl", "modules", "emitters"}
    assert sum(outcome.end in KILLED for outcome in outcomes) >= 5
    assert len(missed) <= 1, missed


@pytest.mark.regress
@pytest.mark.long
@pytest.mark.parametrize("part", range(PARTS))
def test_a_share(part, tmp_path):
    """At least 95 % of what is not proven to be equal is seen; all 7,000 take hours by the script."""
    path = tmp_path / "mutation.json"
    main(["--share", "0.08", "--part", f"{part}/{PARTS}", "--jobs", "1", "--out", str(path)])
    report = json.loads(path.read_text())
    assert len(report["mutants"]) > 50
    ends = [mutant["end"] for mutant in report["mutants"]]
    killed, equal = (sum(end in known for end in ends) for known in (KILLED, EQUAL))
    count("mutants seen", killed)
    count("mutants proven equal", equal)
    for mutant in report["mutants"]:
        if mutant["end"] not in KILLED + EQUAL:
            list_survivor(
                f"{mutant['place']} {mutant['kind']}: {mutant['change']} ({mutant['why']})"
            )
    assert killed >= 0.95 * (len(ends) - equal), report["summary"]


def test_generated_lines_are_broken_in_every_way():
    line = "  wire [1:0] s = add(x[0], ~q[1], x[2]);"
    made = dict.fromkeys(new for _, new in mutate_rtl.generated(line))
    assert "  wire [1:0] s = add(1'b0, ~q[1], x[2]);" in made
    assert "  wire [1:0] s = add(x[0], q[1], x[2]);" in made
    made = [new for _, new in mutate_rtl.generated("  always_ff @(posedge aclk) y <= a >= 5'sd3;")]
    assert "  assign y = a >= 5'sd3;" in made
    assert {
        f"  always_ff @(posedge aclk) y <= a {r};" for r in ("< 5'sd3", "> 5'sd3", ">= 5'sd4")
    } < {*made}


def test_mutants_are_programs_that_differ():
    seen = [mutant.source for mutant in mutate_python.mutants("segments")]
    assert len(set(seen)) > 40
    for source in seen:
        ast.parse(source)
    module = list(mutate_rtl.mutants("f", rtl_source("sbnn_fifo"), mutate_rtl.hand_written))
    assert len({mutant.text for mutant in module}) == len(module) > 30


def test_the_summary_counts_what_could_be_seen():
    ends = ["simulation", "proof", "raised", "survived", "proven equal", "the same bytes"]
    outcomes = [Outcome("rtl", "", "", "", end, "") for end in ends]
    assert summary(outcomes)["rtl"]["caught"] == 0.75
