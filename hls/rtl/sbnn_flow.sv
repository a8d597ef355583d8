// SPDX-License-Identifier: Apache-2.0
// Flow control for a pipeline without a stall: results of a fixed latency, credits at its entry.
//
// An image is admitted (`take`) only while `go` is high, that is, while its result is sure to find a place
// in the queue; the datapath between needs neither enables nor valid bits. LATENCY counts from the cycle
// after `take` (the vector is on the datapath's input) to the cycle in which `result` holds its answer.
// Full throughput with one image every II cycles needs DEPTH >= (LATENCY + 5) / II + 1. `go` is a register, and
// a place counts as free a cycle after its result left: m_ready, which may come from the next map's window, reaches
// one flip-flop here. Reset forgets every image inside. Cost: LATENCY flip-flops and the queue.
`default_nettype none

module sbnn_flow #(
  parameter int LATENCY = 4,
  parameter int WIDTH = 8,
  parameter int DEPTH = 4
) (
  input  wire              aclk,
  input  wire              aresetn,
  input  wire              take,
  output wire              go,
  input  wire [WIDTH-1:0]  result,
  output wire              m_valid,
  input  wire              m_ready,
  output wire [WIDTH-1:0]  m_data
);

  localparam int COUNT_W = $clog2(DEPTH + 1);

  logic [LATENCY:0]    inside_q;  // bit i: an image entered the datapath i cycles ago
  logic [COUNT_W-1:0]  count_q;   // images admitted and not yet known to have left
  logic [COUNT_W-1:0]  count_d;
  logic                go_q;
  logic                pop_q;

  wire pop = m_valid && m_ready;

  assign go = go_q;

  always_comb begin
    count_d = count_q + COUNT_W'(take) - COUNT_W'(pop_q);
  end

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      inside_q <= '0;
      count_q  <= '0;
      go_q     <= 1'b0;
      pop_q    <= 1'b0;
    end else begin
      inside_q <= {inside_q[LATENCY-1:0], take};
      count_q  <= count_d;
      pop_q    <= pop;
      go_q     <= count_d < COUNT_W'(DEPTH);
    end
  end

  sbnn_fifo #(
    .WIDTH(WIDTH),
    .DEPTH(DEPTH)
  ) u_fifo (
    .aclk,
    .aresetn,
    .push(inside_q[LATENCY]),
    .in_data(result),
    .valid(m_valid),
    .pop,
    .out_data(m_data)
  );

endmodule

`default_nettype wire
