"""The summary of `make regress`: what was counted, where, and the README's table."""

import json
import os
import subprocess
import sys

import pytest
import summary
from simulate import ROOT

RUN = [
    {
        "name": "rtl_tests/test_design_random.py::test_random_network[7]",
        "outcome": "passed",
        "seconds": 60.0,
        "properties": [("counts", {"networks": 2, "images": 1000})],
    },
    {
        "name": "rtl_tests/test_design_random.py::test_few_bits[7]",
        "outcome": "skipped",
        "seconds": 0.0,
        "properties": [],
    },
    {
        "name": "rtl_tests/test_mutation.py::test_a_share[0]",
        "outcome": "failed",
        "seconds": 30.0,
        "properties": [("counts", {"mutants seen": 9}), ("survivor", "a.sv:3 dropped")],
    },
]


def test_counts_go_to_their_items():
    run = summary.summarise(RUN, 5400.0)
    assert list(run["items"]) == ["Random networks", "Mutation"]
    assert run["items"]["Random networks"]["counts"] == {"networks": 2, "images": 1000}
    assert run["failed"] == ["rtl_tests/test_mutation.py::test_a_share[0]"]
    assert run["mutants_not_seen"] == ["a.sv:3 dropped"]
    text = summary.block(run)
    assert "1, 1 skipped | 2 networks, 1,000 images | 1.0" in " ".join(text.split())
    assert "**all** | 1, 1 failed, 1 skipped" in " ".join(text.split())
    assert "took 1 h 30 min" in text
    assert "1 mutants were neither seen nor proven to be equal" in text


@pytest.mark.parametrize(
    ("test", "item"),
    [
        ("test_design.py::test_few_bit_networks[101]", "Random networks"),
        ("test_design.py::test_all_mnist_images[sbnn95]", "Real images"),
        ("test_design_conv.py::test_random_conv_networks[100-1]", "Random networks"),
        ("test_hls_proof.py::test_trained[a::b]", "Proofs"),
        ("test_hls_lower_zoo.py::test_zoo[x]", "Files from elsewhere"),
        ("test_train_archive.py::test_bomb", "Faults in use"),
        ("test_train_fit.py::test_resume", "Training, export, packaging"),
    ],
)
def test_item(test, item):
    assert summary.item_of(f"rtl_tests/{test}") == item


def test_workers_hand_on_what_they_count(tmp_path):
    path = tmp_path / "some" / "run.json"
    tests = "rtl_tests/test_hls_network.py", "rtl_tests/test_formal_modules.py"
    some = ["-k", "fifo-2-4 or round_trip", "-n", "2", "-p", "no:cacheprovider", "-q"]
    subprocess.run(
        [sys.executable, "-m", "pytest", *tests, *some, "--summary", str(path)],
        cwd=ROOT,
        env={key: text for key, text in os.environ.items() if "PYTEST" not in key},
        check=True,
        capture_output=True,
    )
    run = json.loads(path.read_text())
    assert run["items"]["Proofs"]["counts"]["modules by induction"] == 1
    assert run["failed"] == []


def test_readme_has_the_kept_run():
    run = json.loads(summary.KEPT.read_text())
    found = summary.BLOCK.search((ROOT / "README.md").read_text())
    assert found is not None
    assert found[0] == found[1] + summary.block(run) + found[2]
