"""Shared adders add every literal of every row exactly once, and are never more than unshared ones."""

import itertools
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from sbnn.hls.compress import to_two_rows
from sbnn.hls.sharing import Request, Sharing, canonical, share

SIGNALS = 60


def random_requests(seed: int) -> list[Request]:
    """Return rows of random density, some with complements, some of several columns, some alike."""
    rng = np.random.default_rng(seed)
    requests = []
    for _ in range(int(rng.integers(1, 50))):
        chosen = np.flatnonzero(rng.random(SIGNALS) < rng.choice([0.05, 0.2, 0.5]))
        off = rng.random(SIGNALS) < rng.choice([0.0, 0.5])
        parts = int(rng.choice([1, 1, 3]))
        columns = tuple(
            tuple(2 * int(i) + int(off[i]) for i in chosen[c::parts]) for c in range(parts)
        )
        most = to_two_rows([len(column) for column in columns])
        requests.append(Request(columns, most))
        if rng.random() < 0.1:
            requests.append(requests[-1])
    return requests


def undo(sharing: Sharing, left: tuple[tuple[int, ...], ...]) -> list[list[int]]:
    """Return the columns that adders made of what is left: sum and carry go, three literals come."""
    columns = [Counter(column) for column in (*left, *[()] * 20)]
    triples = [triple for level in sharing.levels for triple in level]
    for index in reversed(range(len(triples))):
        for flipped in (0, 1):
            out = 2 * (sharing.signals + 2 * index) + flipped
            for low, high in itertools.pairwise(columns):
                while low[out]:
                    low[out] -= 1
                    high[out + 2] -= 1
                    assert high[out + 2] >= 0, "a sum whose carry went elsewhere"
                    low.update(literal ^ flipped for literal in triples[index])
    return [sorted(column.elements()) for column in columns]


@pytest.mark.parametrize("seed", range(30))
def test_every_literal_is_added_once(seed):
    requests = random_requests(seed)
    sharing = share(requests, SIGNALS)
    for request, left in zip(requests, sharing.columns, strict=True):
        columns = undo(sharing, left)
        assert columns[: len(request.columns)] == [sorted(column) for column in request.columns]
        assert not any(columns[len(request.columns) :])
        assert sum(map(len, left)) == sum(map(len, request.columns)) - sum(request.adders)
    assert sharing.instances == sum(sum(request.adders) for request in requests)
    assert sharing.adders <= sharing.instances


def test_an_adder_reads_earlier_levels_only():
    sharing = share(random_requests(3), SIGNALS)
    known = SIGNALS
    for level in sharing.levels:
        assert all(literal >> 1 < known for triple in level for literal in triple)
        assert all(triple == canonical(triple)[0] for triple in level)
        known += 2 * len(level)
    assert len({t for level in sharing.levels for t in level}) == sharing.adders


def test_equal_rows_cost_once():
    row = Request((tuple(range(0, 40, 2)),), to_two_rows([20]))
    complement = Request((tuple(range(1, 41, 2)),), row.adders)
    assert share([row] * 5 + [complement] * 3, 20).adders == sum(row.adders)


def test_a_common_triple_is_found():
    """Three rows that share inputs 7, 8 and 9 and nothing else."""
    rows = [(14, 16, 18, 20 + 4 * i, 22 + 4 * i) for i in range(3)]
    sharing = share([Request((row,), (2,)) for row in rows], 30)
    assert sharing.levels[0][0] == (14, 16, 18)
    assert sharing.adders == 1 + 3


def test_nothing_to_share():
    assert share([], 4).adders == 0
    assert share([Request(((0, 2),), (0,))], 4).columns == (((0, 2),),)


GENERATE = """
from networks import random_network
from sbnn.hls.design import Choices, make_design
for seed in (3, 4, 5):
    print(*(layer.text for layer in make_design(random_network(seed), Choices()).layers))
"""


def test_the_text_does_not_depend_on_hashes():
    path = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(Path(__file__).parent)])
    texts = {
        subprocess.run(
            [sys.executable, "-c", GENERATE],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1 and len(texts.pop()) > 10_000
