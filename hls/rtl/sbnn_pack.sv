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
  logic               last_q;  // count_q == BEATS - 1, as a register: `in_ready` goes on into the source

  wire [BEATS*BEAT-1:0] word = (BEATS*BEAT)'(in_data);
  wire beat = m_axis_tvalid && m_axis_tready;

  assign m_axis_tvalid = in_valid;
  assign m_axis_tlast = last_q;
  assign m_axis_tdata = word[count_q*BEAT +: BEAT];
  assign in_ready = m_axis_tready && m_axis_tlast;

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      count_q <= '0;
      last_q  <= BEATS == 1;
    end else if (beat) begin
      count_q <= last_q ? '0 : count_q + 1'b1;
      last_q  <= BEATS == 1 || (!last_q && 32'(count_q) + 2 == BEATS);
    end
  end

endmodule

`default_nettype wire
