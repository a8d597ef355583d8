// SPDX-License-Identifier: Apache-2.0
// sbnn_argmax: the index of a largest score, the lowest such index, $clog2(COUNT) cycles after the scores.
//
// `rival` is any one of the other scores. The module has no state that feeds back, so an induction of
// $clog2(COUNT)+1 steps covers every run.
`default_nettype none

module prove_argmax #(
  parameter int COUNT = 3,
  parameter int WIDTH = 3
) (
  input wire                    aclk,
  input wire [COUNT*WIDTH-1:0]  scores
);
  localparam int LEVELS = COUNT > 1 ? $clog2(COUNT) : 0;
  localparam int INDEX_W = COUNT > 1 ? LEVELS : 1;

  wire [INDEX_W-1:0]      index;
  wire [COUNT*WIDTH-1:0]  scores_out;
  sbnn_argmax #(.COUNT(COUNT), .WIDTH(WIDTH)) u (.aclk, .scores, .index, .scores_out);

  (* anyconst *) wire [INDEX_W-1:0] rival;
  reg [LEVELS*COUNT*WIDTH:0]  before;  // the scores of the last LEVELS cycles; one bit more for LEVELS = 0
  reg [INDEX_W:0]             age = 0;
  wire [(LEVELS+1)*COUNT*WIDTH-1:0] all = {before, scores};
  wire [COUNT*WIDTH-1:0] asked = all[LEVELS*COUNT*WIDTH +: COUNT*WIDTH];
  wire signed [WIDTH-1:0] best = asked[index*WIDTH +: WIDTH];
  wire signed [WIDTH-1:0] other = asked[rival*WIDTH +: WIDTH];

  always @(posedge aclk) begin
    before <= all;
    if (age < LEVELS) age <= age + 1;
  end

  always @* begin
    assume (rival < COUNT);
    if (age >= LEVELS) begin
      p_late: assert (scores_out == asked);
      p_range: assert (index < COUNT);
      p_largest: assert (best >= other);
      if (rival < index) p_lowest: assert (best > other);
    end
  end
endmodule

`default_nettype wire
