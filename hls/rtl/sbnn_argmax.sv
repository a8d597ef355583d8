// SPDX-License-Identifier: Apache-2.0
// Index of the largest of COUNT signed scores; ties go to the lowest index.
//
// A tree of comparisons, CYCLES (1 or 2) a level: CYCLES * $clog2(COUNT) in all. The scores come out beside
// the index, equally late. Score i is bits i*WIDTH +: WIDTH. Cost: COUNT-1 comparisons of WIDTH bits, and
// COUNT*WIDTH flip-flops per cycle to carry the scores along. Two cycles part the comparison from the choice:
// 11 bits take 3 LUT6 and one more, 235 MHz on 7-series -1 by the delay model.
`default_nettype none

module sbnn_argmax #(
  parameter int COUNT = 10,
  parameter int WIDTH = 10,
  parameter int CYCLES = 1
) (
  input  wire                                           aclk,
  input  wire [COUNT*WIDTH-1:0]                         scores,
  output wire [(COUNT > 1 ? $clog2(COUNT) : 1)-1:0]     index,
  output wire [COUNT*WIDTH-1:0]                         scores_out
);

  localparam int LEVELS = COUNT > 1 ? $clog2(COUNT) : 0;
  localparam int INDEX_W = COUNT > 1 ? LEVELS : 1;
  localparam int LEAVES = 1 << LEVELS;

  // Level 0 holds the scores, padded to a power of two with the lowest index's score, which never wins
  // against itself; level l holds LEAVES >> l winners.
  for (genvar l = 0; l <= LEVELS; l++) begin : gen_level
    localparam int N = LEAVES >> l;
    logic [N*WIDTH-1:0]      best;
    logic [N*INDEX_W-1:0]    place;
    logic [COUNT*WIDTH-1:0]  late;
    if (l == 0) begin : gen_leaves
      for (genvar i = 0; i < LEAVES; i++) begin : gen_leaf
        localparam int FROM = i < COUNT ? i : 0;
        assign best[i*WIDTH +: WIDTH] = scores[FROM*WIDTH +: WIDTH];
        assign place[i*INDEX_W +: INDEX_W] = INDEX_W'(FROM);
      end
      assign late = scores;
    end else begin : gen_winners
      // What is chosen from, and which of each pair is larger.
      logic [2*N*WIDTH-1:0]    pair;
      logic [2*N*INDEX_W-1:0]  from;
      logic [COUNT*WIDTH-1:0]  soon;
      logic [N-1:0]            above;
      wire  [N-1:0]            larger;
      for (genvar i = 0; i < N; i++) begin : gen_pair
        wire signed [WIDTH-1:0] lower = gen_level[l-1].best[2*i*WIDTH +: WIDTH];
        wire signed [WIDTH-1:0] upper = gen_level[l-1].best[(2*i+1)*WIDTH +: WIDTH];
        assign larger[i] = upper > lower;  // strictly, so that the lower index wins a tie
        always_ff @(posedge aclk) begin
          best[i*WIDTH +: WIDTH] <= above[i] ? pair[(2*i+1)*WIDTH +: WIDTH] : pair[2*i*WIDTH +: WIDTH];
          place[i*INDEX_W +: INDEX_W] <= above[i] ?
            from[(2*i+1)*INDEX_W +: INDEX_W] : from[2*i*INDEX_W +: INDEX_W];
        end
      end
      if (CYCLES == 2) begin : gen_wait
        always_ff @(posedge aclk) begin
          {pair, from, soon} <= {gen_level[l-1].best, gen_level[l-1].place, gen_level[l-1].late};
          above <= larger;
        end
      end else begin : gen_now
        assign {pair, from, soon} = {gen_level[l-1].best, gen_level[l-1].place, gen_level[l-1].late};
        assign above = larger;
      end
      always_ff @(posedge aclk) late <= soon;
    end
  end

  // The winning score itself is among scores_out.
  wire unused = &{1'b0, gen_level[LEVELS].best};

  assign index = gen_level[LEVELS].place;
  assign scores_out = gen_level[LEVELS].late;

endmodule

`default_nettype wire
