"""Delay model and static timing: paths that are known by hand, and what a clock leaves time for."""

import json
import subprocess
import sys

import pytest
from networks import command, random_network

from sbnn.hls.delay import (
    DELAYS,
    INPUT_READERS,
    MOST_LEVELS,
    READERS,
    DelayError,
    levels_that_fit,
)
from sbnn.hls.manifest import load_manifest
from sbnn.hls.timing import TimingError, read_netlist, slowest_path, slowest_paths

XC7 = DELAYS["xc7"]


def cell(kind, outputs=("O", "Q", "CO"), **pins):
    ports = {port: nets if isinstance(nets, list) else [nets] for port, nets in pins.items()}
    directions = {port: "output" if port in outputs else "input" for port in ports}
    return {"type": kind, "port_directions": directions, "connections": ports}


def module(*cells, ports=None, **named):
    all_cells = {f"c{i}": one for i, one in enumerate(cells)} | named
    found = {name: {"bits": bits} for name, bits in (ports or {}).items()}
    return {"attributes": {}, "ports": found, "cells": all_cells}


def flop(d, q):
    return cell("FDRE", C=1, CE="1", D=d, Q=q, R="0")


def test_one_lut_between_two_flip_flops():
    netlist = {"top": module(flop(20, 10), cell("LUT2", I0=10, I1="0", O=20))}
    path = slowest_path(netlist, "top", "xc7")
    # The LUT stands beside its flip-flop: one net.
    assert path.nanoseconds == pytest.approx(XC7.clock_to_q + XC7.net(1) + XC7.lut + XC7.setup)
    assert (path.levels, path.start, path.end) == (1, "c0", "c0")
    assert path.mhz == pytest.approx(1000 / path.nanoseconds)


def test_readers_slow_a_net_and_a_second_reader_moves_the_flip_flop_away():
    luts = [cell("LUT1", I0=10, O=20 + i) for i in range(4)]
    netlist = {"top": module(flop(20, 10), *luts, flop(20, 11))}
    path = slowest_path(netlist, "top", "xc7")
    expected = XC7.clock_to_q + XC7.net(4) + XC7.lut + XC7.net(2) + XC7.setup
    assert path.nanoseconds == pytest.approx(expected)


def test_the_longest_of_several_paths():
    netlist = {
        "top": module(
            first=flop(99, 10),
            a=cell("LUT1", I0=10, O=11),
            b=cell("LUT1", I0=11, O=12),
            c=cell("LUT2", I0=12, I1=10, O=13),
            last=flop(13, 14),
        )
    }
    path = slowest_path(netlist, "top", "xc7")
    assert (path.levels, path.start, path.end) == (3, "first", "last")


def test_carry_ripples_without_a_net():
    chain = {
        "top": module(
            flop(40, 10),
            cell(
                "CARRY4", S=[10, "0", "0", "0"], DI=["0"] * 4, CI="0", CYINIT="0", CO=[20], O=[21]
            ),
            cell("CARRY4", S=["0"] * 4, DI=["0"] * 4, CI=20, CYINIT="0", CO=[30], O=[31]),
            flop(31, 11),
        )
    }
    path = slowest_path(chain, "top", "xc7")
    expected = XC7.clock_to_q + XC7.net(1) + XC7.carry + XC7.ripple + XC7.setup
    assert path.nanoseconds == pytest.approx(expected)


def test_memories():
    """Block memories begin and end a path; memories of LUTs are read through and written by the clock."""
    block = {"top": module(cell("RAMB18E1", ("DO",), DO=[10], ADDR=[11]), flop(10, 11))}
    path = slowest_path(block, "top", "xc7")
    assert path.nanoseconds == pytest.approx(XC7.memory + XC7.net(1) + XC7.setup)
    small = cell("RAM32M", ("DOA",), ADDRA=[10], DIA=[20], DOA=[20], WCLK=1, WE="1")
    path = slowest_path({"top": module(flop(20, 10), ram=small)}, "top", "xc7")
    assert path.levels == 1
    assert path.end in ("c0", "ram")


def test_modules_that_kept_their_boundary():
    inner = module(flop(2, 3), cell("LUT1", I0=3, O=4), ports={"d": [2], "y": [4]})
    instance = {
        "type": "inner",
        "port_directions": {"d": "input", "y": "output"},
        "connections": {"d": [7], "y": [8]},
    }
    netlist = {"top": module(cell("LUT1", I0=8, O=7), u_inner=instance), "inner": inner}
    paths = slowest_paths(netlist, "top", "xc7")
    assert set(paths) == {"u_inner"}
    assert (paths["u_inner"].levels, paths["u_inner"].end) == (2, "u_inner.c0")


def test_netlists_that_cannot_be_timed(tmp_path):
    loop = {"top": module(cell("LUT1", I0=10, O=11), cell("LUT1", I0=11, O=10))}
    with pytest.raises(TimingError, match=r"^top: a loop"):
        slowest_path(loop, "top", "xc7")
    with pytest.raises(TimingError, match=r"^top: no path"):
        slowest_path({"top": module(cell("LUT1", I0=10, O=11))}, "top", "xc7")
    with pytest.raises(TimingError, match="not a netlist"):
        read_netlist(tmp_path / "none.json")
    (tmp_path / "n.json").write_text(json.dumps({"modules": {"a": {"attributes": {"top": "1"}}}}))
    assert read_netlist(tmp_path / "n.json")[1] == "a"


@pytest.mark.parametrize("family", sorted(DELAYS))
def test_levels_that_fit_are_the_most_that_do(family):
    delays = DELAYS[family]

    def path(levels):
        first = delays.net(INPUT_READERS) + delays.lut
        others = (levels - 1) * (delays.net(READERS) + delays.lut)
        return delays.clock_to_q + first + others + delays.setup

    for mhz in (5, 12, 25, 50, 100, 150):
        try:
            levels = levels_that_fit(family, mhz)
        except DelayError:
            assert path(1) > delays.margin * 1000 / mhz
            continue
        assert path(levels) <= delays.margin * 1000 / mhz
        assert levels == MOST_LEVELS or path(levels + 1) > delays.margin * 1000 / mhz


def test_generate_takes_a_clock(tmp_path):
    network = tmp_path / "network.npz"
    random_network(1, largest=40).save(network)
    argv = [sys.executable, "-m", "sbnn.hls", "generate", str(network), "--out", str(tmp_path)]
    command([*argv, "--clock-mhz", "150", "--family", "ecp5"])
    made = load_manifest(tmp_path / "manifest.json")
    assert made.levels_per_stage == levels_that_fit("ecp5", 150)
    done = subprocess.run(
        [*argv, "--clock-mhz", "150"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("sbnn.hls: family : no delays known; there are: ecp5, ")


def test_clocks_and_families_that_are_refused():
    with pytest.raises(DelayError, match=r"^800 MHz leaves no time for a LUT .* up to \d+ MHz$"):
        levels_that_fit("ecp5", 800)
    with pytest.raises(DelayError, match=r"^family max10: no delays known"):
        levels_that_fit("max10", 100)
