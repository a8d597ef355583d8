"""cocotb bench of single layers: a new random vector every cycle, every output compared with ==."""

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ReadOnly, RisingEdge
from stream import setting


@cocotb.test()
async def wired(dut):
    """Every layer that takes a vector a cycle, at its own latency; x means nothing in between."""
    with np.load(setting("vectors")) as archive:
        inputs = archive["x"].tolist()
        wanted = {name[2:]: archive[name].tolist() for name in archive if name.startswith("y_")}
    latency = {name: int(setting(f"latency_{name}")) for name in wanted}
    Clock(dut.aclk, 10, unit="ns").start()
    for cycle in range(len(inputs) + max(latency.values())):
        dut.x.value = int(inputs[cycle % len(inputs)], 16)
        await ReadOnly()
        for name, cycles in latency.items():
            if 0 <= cycle - cycles < len(inputs):
                found = int(getattr(dut, f"y_{name}").value)
                assert found == int(wanted[name][cycle - cycles], 16), (name, cycle - cycles)
        await RisingEdge(dut.aclk)


@cocotb.test()
async def folded(dut):
    """One vector after the other, started as soon as the last is done; x is noise but at start."""
    name, latency = setting("name"), int(setting("latency"))
    with np.load(setting("vectors")) as archive:
        inputs, wanted = archive["x"].tolist(), archive[f"y_{name}"].tolist()
    start, done = getattr(dut, f"start_{name}"), getattr(dut, f"done_{name}")
    start.value = 0
    Clock(dut.aclk, 10, unit="ns").start()
    for _ in range(latency):
        await RisingEdge(dut.aclk)
    for index, value in enumerate(inputs):
        start.value = 1
        dut.x.value = int(value, 16)
        for cycle in range(1, latency + 1):
            await RisingEdge(dut.aclk)
            start.value = 0
            dut.x.value = int(inputs[(index + cycle) % len(inputs)], 16)
            await ReadOnly()
            assert int(done.value) == (cycle == latency), (name, index, cycle)
            if cycle == latency:
                found = int(getattr(dut, f"y_{name}").value)
                assert found == int(wanted[index], 16), (name, index)
            await RisingEdge(dut.aclk) if cycle == latency else None
