// SPDX-License-Identifier: Apache-2.0
// sbnn_argmax: the index of a largest score, the lowest such index, CYCLES * $clog2(COUNT) cycles after the
// scores.
//
// `rival` is any one of the other scores. The module has no state that feeds back, so an induction of one
// step more covers every run.
`default_nettype none

module prove_argmax #(
  parameter int COUNT = 3,
  parameter int WIDTH = 3,
  parameter int CYCLES = 1
) (
  input wire                    aclk,
  input wire [COUNT*WIDTH-1:0]  scores
);
  localparam int LEVELS = COUNT > 1 ? $clog2(COUNT) : 0;
  localparam int INDEX_W = COUNT > 1 ? LEVELS : 1;
  localparam int LATE = CYCLES * LEVELS;

  wire [INDEX_W-1:0]      index;
  wire [COUNT*WIDTH-1:0]  scores_out;
  sbnn_argmax #(.COUNT(COUNT), .WIDTH(WIDTH), .CYCLES(CYCLES)) u (.aclk, .scores, .index, .scores_out);

  (* anyconst *) wire [INDEX_W-1:0] rival;
  reg [LATE*COUNT*WIDTH:0]    before;  // the scores of the last LATE cycles; one bit more for LATE = 0
  reg [INDEX_W+1:0]           age = 0;
  wire [(LATE+1)*COUNT*WIDTH-1:0] all = {before, scores};
  wire [COUNT*WIDTH-1:0] asked = all[LATE*COUNT*WIDTH +: COUNT*WIDTH];
  wire signed [WIDTH-1:0] best = asked[index*WIDTH +: WIDTH];
  wire signed [WIDTH-1:0] other = asked[rival*WIDTH +: WIDTH];

  always @(posedge aclk) begin
    before <= all;
    if (age < LATE) age <= age + 1;
  end

  always @* begin
    assume (rival < COUNT);
    if (age >= LATE) begin
      p_late: assert (scores_out == asked);
      p_range: assert (index < COUNT);
      p_largest: assert (best >= other);
      if (rival < index) p_lowest: assert (best > other);
    end
  end
endmodule

`default_nettype wire
