"""The cycle model of a network that takes pixels: which register moves when, without any data.

It steps through the very state machines of rtl/sbnn_{pixels,window,unpack,flow,pack}.sv, with a source that
always has a beat and a reader that is always ready, so that latency and interval are known before any
simulation and equal it exactly.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from sbnn.hls.maps import FeatureMap, Window
from sbnn.hls.segments import Segment

# Intervals settle once every queue is full; three equal ones in a row end the run.
SETTLED = 3
MOST_IMAGES = 64


@dataclass(frozen=True)
class Pace:
    """How fast images go through.

    Attributes:
        latency_cycles: from the first input beat to the first output beat, everything idle before.
        ii_cycles: between two images, the input never waiting.
        idle_cycles: after this long a wait every window has stepped through its leading padding.
        warm_images: intervals before the constant one, while queues fill.
        spans: per segment the cycles, from the first input beat, at which the first image's first vector was
            complete and its last result was queued.
    """

    latency_cycles: int
    ii_cycles: int
    idle_cycles: int
    warm_images: int
    spans: tuple[tuple[int, int], ...]


class _Pixels:
    """rtl/sbnn_pixels.sv."""

    def __init__(self, beat_bytes: int, seen: FeatureMap) -> None:
        self.bytes, self.channels = beat_bytes, seen.channels
        size = seen.positions * seen.channels
        self.beats = -(-size // beat_bytes)
        self.tail = size - (self.beats - 1) * beat_bytes
        self.count = self.fill = self.marks = 0
        self.waiting: int | None = None  # bytes of the beat that waits

    @property
    def valid(self) -> bool:
        return self.fill >= self.channels

    def tick(self, offered: bool, pop: bool) -> bool:
        """Advance one cycle; return whether a beat was taken."""
        taken = offered and self.waiting is None
        left = self.fill - (self.channels if pop else 0)
        if self.waiting is not None and left < self.channels:
            left += self.waiting
            self.waiting = None
        self.fill = left
        if taken:
            last = self.count == self.beats - 1
            self.waiting = self.tail if last else self.bytes
            self.count = 0 if last else self.count + 1
            self.marks += last
        return taken


class _Collector:
    """rtl/sbnn_window.sv, or rtl/sbnn_unpack.sv where there is no window."""

    def __init__(self, seen: FeatureMap, window: Window | None) -> None:
        self.needs = [True] * seen.positions if window is None else _needs(window)
        self.ends = [False] * (seen.positions - 1) + [True] if window is None else _ends(window)
        self.at = 0

    def ready(self, go: bool) -> bool:
        return self.needs[self.at] and (not self.ends[self.at] or go)

    def tick(self, valid: bool, go: bool) -> bool:
        """Advance one cycle; return whether a vector was completed."""
        ends = self.ends[self.at]
        if (self.needs[self.at] and not valid) or (ends and not go):
            return False
        self.at = (self.at + 1) % len(self.needs)
        return ends


class _Flow:
    """rtl/sbnn_flow.sv."""

    def __init__(self, cycles: int, depth: int) -> None:
        self.depth = depth
        self.inside = deque([False] * (cycles + 1))
        self.count = self.queued = 0
        self.go, self.popped = True, False

    @property
    def valid(self) -> bool:
        return self.queued > 0

    def tick(self, take: bool, ready: bool) -> None:
        """Advance one cycle."""
        pop = self.valid and ready
        self.queued += self.inside.pop() - pop
        self.inside.appendleft(take)
        self.count += take - self.popped
        self.popped = pop
        self.go = self.count < self.depth


def measure(
    segments: Sequence[Segment], image: FeatureMap, beat_bytes: int, out_beats: int
) -> Pace:
    """Run the model until the interval settles."""
    pixels = _Pixels(beat_bytes, image)
    collectors = [_Collector(segment.seen, segment.layer.window) for segment in segments]
    flows = [_Flow(segment.cycles, segment.depth) for segment in segments]
    leaving = cycle = 0
    first: int | None = None
    starts: list[int] = []
    taken_at: list[list[int]] = [[] for _ in segments]
    # Until the first beat windows step through the padding that they can reach without one.
    idle = max(len(collector.needs) for collector in collectors)
    while len(starts) < MOST_IMAGES:
        last_beat = leaving == out_beats - 1
        sending = flows[-1].valid and pixels.marks > 0
        if sending and leaving == 0:
            starts.append(cycle)
            intervals = [
                b - a for a, b in zip(starts[-SETTLED - 1 :], starts[-SETTLED:], strict=False)
            ]
            if len(starts) > SETTLED and len(set(intervals)) == 1:
                break
        ready = [
            collector.ready(flow.go) for collector, flow in zip(collectors, flows, strict=True)
        ]
        valid = [pixels.valid, *(flow.valid for flow in flows[:-1])]
        takes = [
            collector.tick(has, flow.go)
            for collector, has, flow in zip(collectors, valid, flows, strict=True)
        ]
        pops = [*ready[1:], sending and last_beat]
        taken = pixels.tick(cycle >= idle, pixels.valid and ready[0])
        for flow, take, pop, segment, seen in zip(
            flows, takes, pops, segments, taken_at, strict=True
        ):
            flow.tick(take, pop)
            if take and len(seen) < segment.vectors:
                seen.append(cycle)
        if sending:
            leaving = 0 if last_beat else leaving + 1
            pixels.marks -= last_beat
        if taken and first is None:
            first = cycle
        cycle += 1
    return Pace(
        latency_cycles=starts[0] - (first or 0),
        ii_cycles=starts[-1] - starts[-2],
        idle_cycles=idle,
        warm_images=len(starts) - 1 - SETTLED,
        spans=tuple(
            (seen[0] - (first or 0), seen[-1] - (first or 0) + segment.cycles + 1)
            for seen, segment in zip(taken_at, segments, strict=True)
        ),
    )


def _steps(window: Window) -> list[tuple[int, int]]:
    rows, columns = window.padded
    return [(row, column) for row in range(rows) for column in range(columns)]


def _needs(window: Window) -> list[bool]:
    top, left, _, _ = window.padding
    return [
        top <= row < top + window.rows and left <= column < left + window.columns
        for row, column in _steps(window)
    ]


def _ends(window: Window) -> list[bool]:
    beyond = [
        (row - window.kernel[0] + 1, column - window.kernel[1] + 1)
        for row, column in _steps(window)
    ]
    return [
        row >= 0 and column >= 0 and row % window.stride[0] == 0 and column % window.stride[1] == 0
        for row, column in beyond
    ]
