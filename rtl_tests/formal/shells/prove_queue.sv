// SPDX-License-Identifier: Apache-2.0
// sbnn_queue: whatever is pushed comes out once, unchanged and in order; `level` is exact in every cycle.
//
// `mark` lets the solver pick any one word to follow; `ahead` counts the words before it.
`default_nettype none

module prove_queue #(
  parameter int WIDTH = 2,
  parameter int BITS = 2
) (
  input wire              aclk,
  input wire              aresetn,
  input wire              push,
  input wire [WIDTH-1:0]  in_data,
  input wire              pop,
  input wire              mark
);
  localparam int ADDRESS_W = BITS;
  localparam int DEPTH = 1 << BITS;

  wire              valid;
  wire [WIDTH-1:0]  out_data;
  wire [BITS:0]     level;
  sbnn_queue #(.WIDTH(WIDTH), .BITS(BITS)) u (
    .aclk, .aresetn, .push, .in_data, .valid, .pop, .out_data, .level
  );
  `include "queue.svh"
  always @* if (alive) p_level: assert (level == count);
endmodule

`default_nettype wire
