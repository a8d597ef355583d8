"""The hand-written modules of the shells, proven as those of hls/rtl are: see test_formal_modules.py."""

from itertools import product

import pytest
from prove import BENCHES, Change, Question, label, paths, properties, prove, refute
from shell_proofs import (
    FAST,
    FAULTS,
    MORE,
    MORE_FAULTS,
    axi_slave,
    batch,
    byte_fifo,
    dma_read,
    dma_write,
    frame_answer,
    frame_request,
    queue,
)


@pytest.mark.parametrize(
    "question",
    [*FAST, *(pytest.param(question, marks=pytest.mark.regress) for question in MORE)],
    ids=label,
)
def test_module(question):
    depth, seconds = prove(question, 2)
    print(f"\n{label(question)}: induction of {depth} steps, {seconds:.1f} s")


@pytest.mark.parametrize(
    ("question", "faults"),
    [*FAULTS, *(pytest.param(*known, marks=pytest.mark.regress) for known in MORE_FAULTS)],
    ids=lambda value: label(value) if isinstance(value, Question) else "",
)
def test_every_property_can_fail(question, faults):
    refute(question, list(faults.items()), 50)


def test_every_property_has_a_fault():
    benches = {path.stem for path in (BENCHES / "shells").glob("*.sv")}
    assert benches == {question.bench for question in (*FAST, *MORE)}
    for bench in benches:
        named = [
            name
            for question, faults in (*FAULTS, *MORE_FAULTS)
            for name in faults
            if question.bench == bench
        ]
        assert sorted(named) == sorted(properties(bench)), bench


# No VALID or READY waits for the other side of its own port; but in sbnn_batch, where streams pass, none
# follows an input of the same cycle. PRESENT: a path that is there, or that a fault makes.
PATHS = [
    (queue(2, 2), product(("push", "pop"), ("valid", "out_data", "level"))),
    (
        byte_fifo(2, 4),
        product(("in_valid", "out_ready"), ("in_ready", "out_valid", "out_data")),
    ),
    (
        axi_slave(2, 4),
        [
            *product(
                [
                    f"s_axi_{i}"
                    for i in ("awvalid", "wvalid", "wlast", "bready", "arvalid", "rready")
                ],
                [
                    f"s_axi_{o}"
                    for o in ("awready", "wready", "bvalid", "arready", "rvalid", "rdata")
                ],
            ),
            ("s_axi_rready", "read_valid"),
        ],
    ),
    (
        batch(2, 2),
        [
            *(("in_valid", "in_ready"), ("core_ready", "core_valid"), ("core_ready", "core_last")),
            *(
                ("result_valid", "result_ready"),
                ("out_ready", "out_valid"),
                ("out_ready", "out_last"),
            ),
        ],
    ),
    (
        frame_answer(3, 2, 4),
        product(
            ("out_ready", "s_axis_tvalid"), ("open_ready", "out_valid", "out_data", "s_axis_tready")
        ),
    ),
    (
        frame_request(5, 2, 3, 6),
        [
            *product(
                ("m_axis_tready", "open_ready", "done"),
                ("in_ready", "open_valid", "closed", "status", "m_axis_tvalid", "m_axis_tdata"),
            ),
            *product(("in_valid",), ("in_ready", "open_valid", "m_axis_tvalid")),
        ],
    ),
    (
        dma_read(4, 5, 2),
        product(
            ("m_axi_arready", "stop", "level"), [f"m_axi_ar{o}" for o in ("valid", "len", "addr")]
        ),
    ),
    (
        dma_write(4, 5, 2),
        product(
            ("m_axi_awready", "m_axi_wready", "stop", "level"),
            [f"m_axi_{o}" for o in ("awvalid", "awaddr", "wvalid", "wdata", "wlast")],
        ),
    ),
]
PRESENT = [
    (Change("sbnn_queue", "level = level_q;", "level = level_q + push;"), "push", "level"),
    (Change("sbnn_byte_fifo", "in_ready =", "in_ready = out_ready ||"), "out_ready", "in_ready"),
    (
        Change("sbnn_axi_slave", "&& !bvalid_q", "&& (!bvalid_q || s_axi_bready)"),
        "s_axi_bready",
        "s_axi_wready",
    ),
    (None, "core_ready", "in_ready"),
    (None, "out_ready", "done"),
    (
        Change("sbnn_frame_request", "PAYLOAD && !valid_q)", "PAYLOAD && m_axis_tready)"),
        "m_axis_tready",
        "in_ready",
    ),
    (None, "m_axi_rdata", "push_data"),
    (None, "m_axi_wready", "pop"),
]


@pytest.mark.parametrize(
    ("question", "absent", "present"),
    [(of, [*ends], there) for (of, ends), there in zip(PATHS, PRESENT, strict=True)],
    ids=[question.modules[-1] for question, _ in PATHS],
)
def test_paths_through_a_module(question, absent, present):
    paths(question, [*((None, *ends, False) for ends in absent), (*present, True)])
