"""Which bits meet in which full adder, so that neurons share adders.

How many adders a column needs depends on its height only; which bits they take is free. Neurons that read
the same three inputs share the adder of these three, its sum and its carry, and may share what follows. Each
level takes the most common triple of literals, again and again, and what nobody shares in order. A literal is
2 * signal + complemented: adding (~a, ~b, ~c) gives the complements of the sum and the carry of (a, b, c), so
both are one adder.
"""

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Pairs are looked for among this many literals of a column on average, so that the work is linear in the
# literals; the more the better (fc4 of sbnn95: 707 adders with 128, 758 with 48, 800 with 24), and the more
# slowly: as many as make PAIRS pairs in a level.
WINDOWS = (24, 128)
PAIRS = 1_000_000
# A triple that so many columns share is taken without looking whether another is shared by more.
ENOUGH = 8

Triple = tuple[int, int, int]
# Literals by weight: column c counts 2**c.
Columns = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Request:
    """What one row wants added.

    Attributes:
        columns: literals per column, column c of weight 2**c.
        adders: full adders per column; those may take sums of the same and carries of the column before.
    """

    columns: Columns
    adders: tuple[int, ...]


@dataclass(frozen=True)
class Sharing:
    """Distinct full adders, level by level.

    Attributes:
        signals: number of signals before the adders; adder i gives the sum `signals + 2*i` and the carry
            after it.
        levels: per level the three literals of each adder, of earlier levels, the first not complemented.
        columns: per request the literals that are left in each column.
        instances: how many adders there were without sharing.
    """

    signals: int
    levels: tuple[tuple[Triple, ...], ...]
    columns: tuple[Columns, ...]
    instances: int

    @property
    def adders(self) -> int:
        """Number of distinct adders."""
        return sum(map(len, self.levels))


def share(requests: Sequence[Request], signals: int) -> Sharing:
    """Return which literals meet in an adder.

    Args:
        requests: one per row.
        signals: every literal of a request is below 2 * `signals`.
    """
    heaps = [[list(column) for column in (*r.columns, *[()] * 64)] for r in requests]
    left = [[*r.adders, *[0] * (64 - len(r.adders))] for r in requests]
    instances = sum(map(sum, left))
    levels: list[tuple[Triple, ...]] = []
    made = 0
    while True:
        places = [
            (heap, wanted, c)
            for heap, wanted in zip(heaps, left, strict=True)
            for c in range(len(wanted))
            if wanted[c] and len(heap[c]) >= 3
        ]
        if not places:
            break
        counts = [min(wanted[c], len(heap[c]) // 3) for heap, wanted, c in places]
        chosen = choose([heap[c] for heap, _, c in places], counts)
        found: dict[Triple, int] = {}
        fresh = []
        for (heap, wanted, c), triples in zip(places, chosen, strict=True):
            taken = {literal for triple in triples for literal in triple}
            heap[c] = [literal for literal in heap[c] if literal not in taken]
            wanted[c] -= len(triples)
            for triple in triples:
                key, flipped = canonical(triple)
                index = found.setdefault(key, made + len(found))
                out = 2 * (signals + 2 * index) + flipped
                fresh.append((heap, c, out))
        for heap, c, out in fresh:
            heap[c].append(out)
            heap[c + 1].append(out + 2)
        levels.append(tuple(found))
        made += len(found)
    return Sharing(signals, tuple(levels), tuple(map(_trim, heaps)), instances)


def canonical(triple: Triple) -> tuple[Triple, bool]:
    """Return the adder that stands for three literals, and whether both its results are complemented."""
    a, b, c = sorted(triple)
    flip = a & 1
    return (a ^ flip, b ^ flip, c ^ flip), bool(flip)


def choose(columns: Sequence[Sequence[int]], counts: Sequence[int]) -> list[list[Triple]]:
    """Return counts[i] disjoint triples of the literals of each column i, as many alike as a greedy finds.

    Args:
        columns: literals, each signal at most once in a column.
        counts: at most a third of each column's length.
    """
    greedy = _Greedy(columns, counts)
    greedy.run()
    chosen = greedy.chosen
    for column, count, triples in zip(columns, counts, chosen, strict=True):
        taken = {literal for triple in triples for literal in triple}
        rest = [literal for literal in column if literal not in taken]
        triples += [
            (rest[3 * i], rest[3 * i + 1], rest[3 * i + 2]) for i in range(count - len(triples))
        ]
    return chosen


class _Greedy:
    """The most common triple, until none is wanted twice; pairs bound how common theirs can be.

    A part is what a column holds within one window of signals; `members` maps its signals to whether they are
    complemented. A pair is (a, b, whether exactly one of them is complemented), so that both polarities of an
    adder count together.
    """

    def __init__(self, columns: Sequence[Sequence[int]], counts: Sequence[int]) -> None:
        self.chosen: list[list[Triple]] = [[] for _ in columns]
        self.left = list(counts)
        self.owner: list[int] = []
        self.members: list[dict[int, int]] = []
        width = _window(columns)
        for index, column in enumerate(columns):
            parts: dict[int, dict[int, int]] = {}
            for literal in sorted(column):
                parts.setdefault((literal >> 1) // width, {})[literal >> 1] = literal & 1
            self.members += parts.values()
            self.owner += [index] * len(parts)
        self.where: dict[int, set[int]] = {}
        for part, members in enumerate(self.members):
            for signal in members:
                self.where.setdefault(signal, set()).add(part)

    def run(self) -> None:
        """Fill `chosen` with the triples that at least two columns share."""
        queue = [(-count, pair) for pair, count in _common_pairs(self.members)]
        heapq.heapify(queue)
        while queue:
            _, (a, b, differ) = heapq.heappop(queue)
            parts = self._having(a, b, differ)
            if len(parts) < 2:
                continue
            thirds = Counter(
                2 * signal + (off ^ self.members[part][a])
                for part in parts
                for signal, off in self.members[part].items()
                if signal > b
            )
            third, best = max(thirds.items(), key=lambda item: (item[1], -item[0]), default=(0, 0))
            if best < 2:
                continue
            if queue and best < min(-queue[0][0], ENOUGH):  # another pair may have a better third
                heapq.heappush(queue, (-best, (a, b, differ)))
                continue
            for part in parts:
                members = self.members[part]
                if members.get(third >> 1) == (third & 1) ^ members[a]:
                    self._take(part, (a, b, third >> 1))
            heapq.heappush(queue, (-best, (a, b, differ)))

    def _having(self, a: int, b: int, differ: int) -> list[int]:
        both = sorted(self.where[a] & self.where[b])
        return [p for p in both if self.members[p][a] ^ self.members[p][b] == differ]

    def _take(self, part: int, signals: tuple[int, int, int]) -> None:
        members, owner = self.members[part], self.owner[part]
        if not self.left[owner]:
            return
        self.left[owner] -= 1
        a, b, c = (2 * signal + members.pop(signal) for signal in signals)
        self.chosen[owner].append((a, b, c))
        gone = members if not self.left[owner] else ()
        for signal in (*signals, *gone):
            self.where[signal].discard(part)


def _window(columns: Sequence[Sequence[int]]) -> int:
    """Return how many neighbouring signals to look at."""
    sizes = np.array([len(column) for column in columns])
    signals = 1 + max(max(column) for column in columns) // 2
    # Weighted by size: of a few high columns among many low ones, the high ones take the time.
    mean = float((sizes**2).sum() / sizes.sum())
    low, high = WINDOWS
    wanted = min(max(2 * PAIRS // int(sizes.sum()), low), high)
    return max(3, round(signals * min(1.0, wanted / mean)))


def _common_pairs(members: Sequence[dict[int, int]]) -> list[tuple[tuple[int, int, int], int]]:
    """Return ((a, b, differ), count) of pairs that at least two parts hold."""
    codes = []
    for part in members:
        signals = np.fromiter(part.keys(), np.int64, len(part))
        off = np.fromiter(part.values(), np.int64, len(part))
        low, high = np.triu_indices(len(part), 1)
        codes.append((signals[low] << 32) | (signals[high] << 1) | (off[low] ^ off[high]))
    found, counts = np.unique(np.concatenate(codes), return_counts=True)
    found, counts = found[counts > 1], counts[counts > 1]
    pairs = zip(
        (found >> 32).tolist(),
        (found >> 1 & 0x7FFFFFFF).tolist(),
        (found & 1).tolist(),
        strict=True,
    )
    return list(zip(pairs, counts.tolist(), strict=True))


def distinct(heights: Sequence[int]) -> Columns:
    """Return columns of so many literals, all of signals of their own from 0 up."""
    signals = iter(range(sum(heights)))
    return tuple(tuple(2 * next(signals) for _ in range(height)) for height in heights)


def _trim(heap: list[list[int]]) -> Columns:
    last = max((c for c, column in enumerate(heap) if column), default=-1)
    return tuple(map(tuple, heap[: last + 1]))
