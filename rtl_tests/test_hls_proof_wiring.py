"""Tops that are wired as their network says, and every way of wiring one of them otherwise."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from networks import random_conv_network, random_network, tracked_network
from summary import count

from sbnn.hls.design import Choices, make_design, make_manifest
from sbnn.hls.manifest import Manifest
from sbnn.hls.network import Network
from sbnn.hls.proof.wiring import WiringError, check_wiring
from sbnn.hls.stitch import rtl_files
from sbnn.hls.tools import ToolError

FREE = {"DEPTH"}  # queues may be deeper


@cache
def core(network: Network, scores: bool = True) -> tuple[Manifest, dict[str, str]]:
    """Return a core's manifest and {module: Verilog}."""
    design = make_design(network, Choices(levels_per_stage=2, family="xc7", scores=scores))
    files = rtl_files(design)
    texts = {Path(name).stem: text for name, text in files.items()}
    return make_manifest(design, "generic", files), texts


def check(network: Network, scores: bool = True) -> int:
    manifest, texts = core(network, scores)
    modules = check_wiring(network, manifest, texts)
    count("modules wired", modules)
    return modules


def mutants(text: str) -> Iterator[tuple[str, str]]:
    """Yield (what was changed, top with that one change)."""

    def changed(match: re.Match[str], new: str) -> tuple[str, str]:
        return f"{match[0]} -> {new}", text[: match.start()] + new + text[match.end() :]

    for match in re.finditer(r"\.([A-Z_]+)\((\d+)\)", text):
        if match[1] not in FREE:
            yield changed(match, f".{match[1]}({int(match[2]) + 1})")
    widths = {name: int(msb) for msb, name in re.findall(r"wire \[(\d+):0\] (\w+)", text)}
    for match in re.finditer(r"\.(\w+)\((\w+)\)", text):
        port, net = match[1], match[2]
        if net not in widths:
            continue
        if widths[net] > 0 and port in {"x", "scores", "result", "in_data", "s_axis_tdata"}:
            yield changed(match, f".{port}({{{net}[0], {net}[{widths[net]}:1]}})")
            yield changed(match, f".{port}(~{net})")
    for match in re.finditer(
        r"\.(take|go|in_valid|in_ready|push|in_data|valid|out_data)\((\w+)\)", text
    ):
        yield changed(match, f".{match[1]}({match[2]} ^ aresetn)")
    for match in re.finditer(r"\.(aclk|aresetn),", text):
        yield changed(match, f".{match[1]}(~{match[1]}),")
    for match in re.finditer(r"kept\[(\d+):(\d+)\]", text):
        high, low = int(match[1]), int(match[2])
        yield changed(match, f"kept[{high - 1}:{low}]" if high > low else f"~kept[{low}]")
    for match in re.finditer(r" (&&|\|\|) ", text):
        yield changed(match, {"&&": " || ", "||": " && "}[match[1]])
    for match in re.finditer(r"!cut", text):
        yield changed(match, "cut")
    for match in re.finditer(r"\$signed", text):
        yield changed(match, "$unsigned")
    for match in re.finditer(r">= 9'd(\d+)", text):
        yield changed(match, f"> 9'd{match[1]}")
        yield changed(match, f">= 9'd{int(match[1]) + 1}")


@pytest.mark.parametrize(
    "seed", [3, *(pytest.param(n, marks=pytest.mark.regress) for n in range(20) if n != 3)]
)
def test_random_networks(seed):
    network = random_network(seed, 24)
    assert check(network) == check(network, scores=False) == 4 + len(network.layers)
    assert check(random_conv_network(seed, 5)) > 6


@pytest.mark.parametrize("model", [
    *("digits", "digits-conv", "digits-grey"),
    pytest.param("sbnn95", marks=pytest.mark.regress),
    pytest.param("lenet-sbnn95", marks=pytest.mark.regress),
])  # fmt: skip
def test_trained(model):
    assert check(tracked_network(model)) > 6


@pytest.mark.parametrize(("network", "fewest"), [
    pytest.param(lambda: random_network(4, 12), 25, id="bits"),
    pytest.param(lambda: random_conv_network(3, 3), 60, id="conv", marks=pytest.mark.regress),
])  # fmt: skip
def test_every_other_wiring_is_found(network, fewest):
    network = network()
    manifest, texts = core(network)
    missed, seen = [], 0
    for what, text in mutants(texts[manifest.top]):
        try:
            check_wiring(network, manifest, texts | {manifest.top: text})
            missed.append(what)
        except WiringError:
            seen += 1
        except ToolError as error:
            assert "$fatal" in str(error), what  # a window that its own module refuses
            seen += 1
    assert not missed
    assert seen >= fewest
    count("mutants seen", seen)


def test_what_is_wrong_is_named():
    network = random_network(4, 12)
    manifest, texts = core(network)
    text = texts[manifest.top]

    def message(old: str, new: str) -> str:
        assert old in text
        with pytest.raises(WiringError) as caught:
            check_wiring(network, manifest, texts | {manifest.top: text.replace(old, new, 1)})
        return str(caught.value)

    latency = re.search(r"\.LATENCY\((\d+)\)", text)
    assert latency is not None
    wanted = f"sbnn_flow: LATENCY is 99, needs {latency[1]}"
    assert message(latency[0], ".LATENCY(99)") == wanted
    assert message(".go,", ".go(~go),").startswith("sbnn_flow: go is wired to other nets")
