"""Valid files with random changes: refused in one sentence, or lowered to what they compute."""

import json
import subprocess
import sys
from pathlib import Path

import mutants
import pytest
from summary import count

MUTANTS = Path(__file__).parent / "mutants.py"
SHARD = 250


def try_seeds(first, last, timeout):
    """Run a shard as a child, which a crash or a hang of a native library ends with its seed printed."""
    run = [sys.executable, str(MUTANTS), str(first), str(last)]
    try:
        done = subprocess.run(run, capture_output=True, text=True, check=False, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"hangs: {(error.stdout or b'')[-80:]!r}") from error
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"ends with {done.returncode} at {rows[-1:]}: {done.stderr[-400:]}"
    said = {row["seed"]: row["said"] for row in rows if "said" in row}
    assert sorted(said) == list(range(first, last))
    wrong = {
        seed: text for seed, text in said.items() if not text.startswith(("refused: ", "equal"))
    }
    assert not wrong
    count("damaged files", len(said))
    return said


@pytest.mark.parametrize("build", [mutants.foreign, mutants.few_bits])
def test_unchanged_files_are_lowered(build):
    assert mutants.verdict(build().SerializeToString()) == "equal"


def test_mutants():
    said = try_seeds(0, 150, 900)
    equal = [seed for seed, text in said.items() if text == "equal"]
    assert len(equal) >= 8, "some changes leave a network"
    unexplained = [text for text in said.values() if "failed on this graph" in text]
    assert len(unexplained) <= 3, unexplained


@pytest.mark.regress
@pytest.mark.parametrize("shard", range(10_000 // SHARD))
def test_ten_thousand_mutants(shard):
    try_seeds(150 + shard * SHARD, 150 + (shard + 1) * SHARD, 7200)
