// SPDX-License-Identifier: Apache-2.0
// sbnn_pack: each word leaves as its beats in order, once, and is taken with its last beat.
`default_nettype none

module prove_pack #(
  parameter int BITS = 5,
  parameter int BEAT = 2
) (
  input wire             aclk,
  input wire             aresetn,
  input wire             in_valid,
  input wire [BITS-1:0]  in_data,
  input wire             m_axis_tready
);
  localparam int BEATS = (BITS + BEAT - 1) / BEAT;
  localparam int COUNT_W = BEATS > 1 ? $clog2(BEATS) : 1;

  wire             in_ready, m_axis_tvalid, m_axis_tlast;
  wire [BEAT-1:0]  m_axis_tdata;
  sbnn_pack #(.BITS(BITS), .BEAT(BEAT)) u (
    .aclk, .aresetn, .in_valid, .in_ready, .in_data,
    .m_axis_tdata, .m_axis_tvalid, .m_axis_tready, .m_axis_tlast
  );
  (* hierconn *) wire [COUNT_W-1:0]  \u.count_q ;
  (* hierconn *) wire                \u.last_q ;

  reg              alive = 0;
  reg [COUNT_W:0]  count;  // beats of this word so far
  reg              kept, held;  // the cycle before offered a word, a beat, that was not taken
  reg [BITS-1:0]   kept_data;
  reg [BEAT:0]     held_data;
  wire beat = m_axis_tvalid && m_axis_tready;

  always @(posedge aclk) begin
    kept <= aresetn && in_valid && !in_ready;
    kept_data <= in_data;
    held <= aresetn && m_axis_tvalid && !m_axis_tready;
    held_data <= {m_axis_tlast, m_axis_tdata};
    if (!aresetn) begin
      alive <= 1;
      count <= 0;
    end else if (beat) begin
      count <= count == BEATS - 1 ? 0 : count + 1;
    end
  end

  wire [BITS+BEAT-1:0] wanted = in_data >> count * BEAT;
  always @* if (alive) begin
    if (kept) assume (in_valid && in_data == kept_data);
    p_valid: assert (m_axis_tvalid == in_valid);
    if (m_axis_tvalid) p_beat: assert (m_axis_tdata == wanted[BEAT-1:0]);
    if (m_axis_tvalid) p_last: assert (m_axis_tlast == (count == BEATS - 1));
    p_taken: assert ((in_valid && in_ready) == (beat && count == BEATS - 1));
    if (held) p_hold: assert (m_axis_tvalid && {m_axis_tlast, m_axis_tdata} == held_data);
    i_count: assert (count < BEATS && count == \u.count_q && \u.last_q == (count == BEATS - 1));
    if (held) i_held: assert (kept && held_data == {count == BEATS - 1, wanted_before[BEAT-1:0]});
  end
  wire [BITS+BEAT-1:0] wanted_before = kept_data >> count * BEAT;
endmodule

`default_nettype wire
