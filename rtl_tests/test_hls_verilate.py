"""Models are compiled once per content, and a failed one is not taken for a finished one."""

import ctypes
from pathlib import Path

import pytest

from sbnn.boards import verilated
from sbnn.boards.verilated import build_library
from sbnn.hls import verilate
from sbnn.hls.tools import ToolError
from sbnn.hls.verilate import built, content_key

# Each beat comes out again in the next cycle, inverted.
INVERTER = """\
`default_nettype none
module inverter (
  input wire aclk, input wire aresetn,
  input wire [7:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
  input wire s_axis_tlast,
  output logic [7:0] m_axis_tdata, output logic m_axis_tvalid, input wire m_axis_tready,
  output logic m_axis_tlast
);
  assign s_axis_tready = !m_axis_tvalid || m_axis_tready;
  always_ff @(posedge aclk) begin
    if (!aresetn) m_axis_tvalid <= 1'b0;
    else if (s_axis_tready) begin
      m_axis_tvalid <= s_axis_tvalid;
      m_axis_tdata <= ~s_axis_tdata;
      m_axis_tlast <= s_axis_tlast;
    end
  end
endmodule
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache; Verilator's runtime still comes from the common one."""
    monkeypatch.setattr(verilated, "cache_folder", lambda: tmp_path)
    return tmp_path


def test_a_model_is_built_once(cache: Path) -> None:
    library = build_library({"inverter.sv": INVERTER}, "inverter", "core.cpp")
    assert library.is_relative_to(cache)
    made = library.stat().st_mtime_ns
    assert build_library({"inverter.sv": INVERTER}, "inverter", "core.cpp") == library
    assert library.stat().st_mtime_ns == made
    c = ctypes.CDLL(str(library))
    c.sbnn_open.restype = ctypes.c_void_p
    given, taken = ctypes.create_string_buffer(b"\x00\x01\xf0", 3), ctypes.create_string_buffer(3)
    marks = (ctypes.c_int64 * 9)()
    sizes = [ctypes.c_int64(1)] * 2
    handle = ctypes.c_void_p(c.sbnn_open())
    assert c.sbnn_run(handle, given, ctypes.c_int64(3), *sizes, taken, *sizes, marks) == 0
    assert taken.raw == b"\xff\xfe\x0f"
    assert [marks[3 * n + 2] - marks[3 * n] for n in range(3)] == [1, 1, 1]
    c.sbnn_close(handle)


def test_a_core_that_stops_is_seen(cache: Path) -> None:
    stopped = INVERTER.replace("m_axis_tvalid <= s_axis_tvalid;", "m_axis_tvalid <= 1'b0;")
    c = ctypes.CDLL(str(build_library({"inverter.sv": stopped}, "inverter", "core.cpp")))
    c.sbnn_open.restype = ctypes.c_void_p
    given, taken = ctypes.create_string_buffer(3), ctypes.create_string_buffer(3)
    marks = (ctypes.c_int64 * 9)()
    sizes = [ctypes.c_int64(1)] * 2
    handle = ctypes.c_void_p(c.sbnn_open())
    assert c.sbnn_run(handle, given, ctypes.c_int64(3), *sizes, taken, *sizes, marks) == -1
    c.sbnn_close(handle)


def test_what_verilator_does_not_take_is_not_kept(cache: Path) -> None:
    for _ in range(2):
        with pytest.raises(
            ToolError, match=r"^verilator failed \(%Error: .*its log is .*verilator.log$"
        ):
            build_library({"bad.sv": "module bad (input wire a;\nendmodule\n"}, "bad", "core.cpp")
    assert not list(cache.glob("*/done"))


def test_keys_follow_the_content() -> None:
    assert content_key("a", 1) == content_key("a", 1)
    assert content_key("a", 1) != content_key("a", 2)


def test_a_failed_build_is_tried_again(tmp_path: Path) -> None:
    for attempt in range(2):
        with pytest.raises(RuntimeError), built(tmp_path / "x") as missing:
            assert missing, attempt
            raise RuntimeError
    with built(tmp_path / "x") as missing:
        assert missing
    with built(tmp_path / "x") as missing:
        assert not missing
    assert verilate.cache_folder().name == "sim"
