"""Cut a network into segments: runs of layers that one collected vector goes through without a stop.

A segment begins with what makes vectors of a stream (a window, or the collection of a whole map) and ends in
a queue; between them the layers run freely, and credits make sure that every vector finds its place in the
queue (rtl/sbnn_flow.sv). Segments form a chain, each waits only for the next one, and the last one only for
the reader: whatever stalls, whoever holds a vector can hand it on once those behind it move, so the chain
cannot lock up at any queue depth. Depths are chosen for throughput, by the vectors that are under way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sbnn.hls.layer import SparseLayer
from sbnn.hls.maps import FeatureMap
from sbnn.hls.network import Network


@dataclass(frozen=True)
class Segment:
    """Layers start..stop-1 of a network.

    Attributes:
        start: index of the first layer.
        stop: one past the last.
        seen: the map that arrives.
        layer: the first layer; its window, or None where the whole map is collected.
        cycles: cycles from a collected vector to its result.
        depth: places in the queue behind it, a power of two.
    """

    start: int
    stop: int
    seen: FeatureMap
    layer: SparseLayer
    cycles: int
    depth: int

    @property
    def vectors(self) -> int:
        """Vectors per image."""
        return self.layer.output.positions


def cut(network: Network) -> list[tuple[int, int]]:
    """Return (start, stop) of every segment: a window starts one, and so does a map of many positions."""
    starts = [
        index
        for index, (layer, seen) in enumerate(zip(network.layers, network.maps, strict=False))
        if index == 0 or layer.window is not None or seen.positions > 1
    ]
    return list(zip(starts, [*starts[1:], len(network.layers)], strict=True))


def make_segments(
    network: Network, latencies: Sequence[int], argmax_cycles: int, beats: int, out_beats: int
) -> tuple[Segment, ...]:
    """Return the segments of a network.

    Args:
        network: the network.
        latencies: cycles of every layer.
        argmax_cycles: cycles from the scores to the result.
        beats: input beats per image, for a network that takes packed bits.
        out_beats: output beats per image.
    """
    segments = []
    for start, stop in cut(network):
        last = stop == len(network.layers)
        layer, seen = network.layers[start], network.maps[start]
        cycles = sum(latencies[start:stop]) + (argmax_cycles if last else 0)
        leave = out_beats if last else 1
        collect = seen.positions if network.takes_pixels else beats
        interval = max(1 if layer.window is not None else collect, leave)
        depth = queue_depth(cycles, leave, interval)
        segments.append(Segment(start, stop, seen, layer, cycles, depth))
    return tuple(segments)


def queue_depth(cycles: int, leave: int, interval: int) -> int:
    """Return the places for results; enough that a reader that is always ready never slows the input.

    Args:
        cycles: from a collected vector to its result.
        leave: cycles in which a result leaves the queue.
        interval: fewest cycles between vectors.
    """
    stay = cycles + 4 + leave
    return max(2, 1 << (stay // interval + 1).bit_length())


def images_inside(segments: Sequence[Segment]) -> int:
    """Return how many images can be under way at most: every queue full, every collector part-filled."""
    return 2 + sum(2 + -(-segment.depth // segment.vectors) for segment in segments)
