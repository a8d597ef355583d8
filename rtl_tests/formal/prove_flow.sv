// SPDX-License-Identifier: Apache-2.0
// sbnn_flow around a datapath of its latency: every admitted image's result comes out once, in order.
//
// The datapath is a plain delay of LATENCY+1 cycles that no reset clears. `mark` picks any one image to
// follow; `age` says how long ago it was taken, `ahead` how many results leave before its own.
`default_nettype none

module prove_flow #(
  parameter int LATENCY = 3,
  parameter int WIDTH = 2,
  parameter int DEPTH = 4
) (
  input wire              aclk,
  input wire              aresetn,
  input wire              take,
  input wire [WIDTH-1:0]  word,
  input wire              m_ready,
  input wire              mark
);
  localparam int ADDRESS_W = $clog2(DEPTH);
  localparam int COUNT_W = $clog2(DEPTH + 1);
  localparam int AGE_W = $clog2(LATENCY + 2);

  wire              go, m_valid;
  wire [WIDTH-1:0]  m_data;
  reg [(LATENCY+1)*WIDTH-1:0] pipe;
  sbnn_flow #(.LATENCY(LATENCY), .WIDTH(WIDTH), .DEPTH(DEPTH)) u (
    .aclk, .aresetn, .take, .go, .result(pipe[LATENCY*WIDTH +: WIDTH]), .m_valid, .m_ready, .m_data
  );
  `include "words.svh"
  (* hierconn *) wire [LATENCY:0]      \u.inside_q ;
  (* hierconn *) wire [COUNT_W-1:0]    \u.count_q ;
  (* hierconn *) wire                  \u.pop_q ;
  (* hierconn *) wire [ADDRESS_W-1:0]  \u.u_fifo.write_q ;
  (* hierconn *) wire [ADDRESS_W-1:0]  \u.u_fifo.read_q ;
  (* hierconn *) wire [ADDRESS_W:0]    \u.u_fifo.level_q ;

  reg                alive = 0;
  reg                started;  // the cycle before was not a reset
  reg [COUNT_W-1:0]  count;
  reg                gone;  // a result left in the cycle before
  reg                watching, held;
  reg [COUNT_W-1:0]  ahead;
  reg [AGE_W-1:0]    age;
  reg [WIDTH-1:0]    item, held_data;
  wire pop = m_valid && m_ready;

  always @(posedge aclk) begin
    pipe <= {pipe, word};
    started <= aresetn;
    gone <= aresetn && pop;
    held <= aresetn && m_valid && !m_ready;
    held_data <= m_data;
    if (!aresetn) begin
      alive <= 1;
      count <= 0;
      watching <= 0;
    end else begin
      count <= count + take - pop;
      if (!watching && take && mark) begin
        watching <= 1;
        item <= word;
        ahead <= count - pop;
        age <= 0;
      end else if (watching) begin
        if (age <= LATENCY) age <= age + 1;
        ahead <= ahead - pop;
        if (pop && ahead == 0) watching <= 0;
      end
    end
  end

  // Results in the queue, results before the followed one in the datapath, results in the datapath.
  wire [ADDRESS_W:0] queued = \u.u_fifo.level_q ;
  wire [ADDRESS_W-1:0] place = \u.u_fifo.read_q + ahead;
  wire [COUNT_W:0] taken = count + gone;  // places not yet known to be free
  reg [COUNT_W+AGE_W-1:0] older, inside;
  integer i;
  always @* begin
    older = 0;
    inside = 0;
    for (i = 0; i <= LATENCY; i = i + 1) begin
      inside = inside + \u.inside_q [i];
      if (i > age) older = older + \u.inside_q [i];
    end
  end

  always @* if (alive) begin
    assume (!take || go);
    p_places: assert (count <= DEPTH);
    p_extra: assert (!m_valid || count != 0);
    if (started) p_go: assert (go == (taken < DEPTH));
    if (!started) p_reset: assert (!go && !m_valid);
    if (watching && ahead == 0 && m_valid) p_order: assert (age > LATENCY && m_data == item);
    if (watching && age > LATENCY) p_present: assert (m_valid);
    if (held) p_hold: assert (m_valid && m_data == held_data);
    i_count: assert (taken == \u.count_q && gone == \u.pop_q && count == inside + queued);
    i_taken: assert (taken <= DEPTH);
    i_queue: assert (queued[ADDRESS_W-1:0] == ADDRESS_W'(\u.u_fifo.write_q - \u.u_fifo.read_q )
      && m_valid == (queued != 0));
    i_go: assert (!go || taken < DEPTH);
    if (watching && age <= LATENCY)
      i_inside: assert (\u.inside_q [age] && pipe[age*WIDTH +: WIDTH] == item && ahead == queued + older);
    if (watching && age > LATENCY)
      i_queued: assert (ahead < queued && words[place*WIDTH +: WIDTH] == item);
    if (held)
      i_held: assert (queued != 0 && words[\u.u_fifo.read_q *WIDTH +: WIDTH] == held_data);
    if (!started) i_reset: assert (count == 0 && !go && \u.inside_q == 0);
    if (watching) i_age: assert (age <= LATENCY + 1);
  end
endmodule

`default_nettype wire
