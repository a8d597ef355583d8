// SPDX-License-Identifier: Apache-2.0
// Send one result word as AXI-Stream beats, low bits first, TLAST on the last beat.
//
// The word is taken (`in_ready`) with its last beat, so the word's source holds it while it is sent; no
// register here. BEATS cycles a word. Cost: a BEATS:1 multiplexer of BEAT bits.
`default_nettype none

module sbnn_pack #(
  parameter int BITS = 176,
  parameter int BEAT = 64
) (
  input  wire             aclk,
  input  wire             aresetn,
  input  wire             in_valid,
  output wire             in_ready,
  input  wire [BITS-1:0]  in_data,
  output wire [BEAT-1:0]  m_axis_tdata,
  output wire             m_axis_tvalid,
  input  wire             m_axis_tready,
  output wire             m_axis_tlast
);

  localparam int BEATS = (BITS + BEAT - 1) / BEAT;
  localparam int COUNT_W = BEATS > 1 ? $clog2(BEATS) : 1;

  logic [COUNT_W-1:0] count_q;

  wire [BEATS*BEAT-1:0] word = (BEATS*BEAT)'(in_data);
  wire beat = m_axis_tvalid && m_axis_tready;

  assign m_axis_tvalid = in_valid;
  assign m_axis_tlast = count_q == COUNT_W'(BEATS - 1);
  assign m_axis_tdata = word[count_q*BEAT +: BEAT];
  assign in_ready = m_axis_tready && m_axis_tlast;

  always_ff @(posedge aclk) begin
    if (!aresetn) count_q <= '0;
    else if (beat) count_q <= m_axis_tlast ? '0 : count_q + 1'b1;
  end

endmodule

`default_nettype wire
