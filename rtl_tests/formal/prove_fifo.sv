// SPDX-License-Identifier: Apache-2.0
// sbnn_fifo: whatever is pushed comes out once, unchanged and in order, whenever it is popped.
//
// p_: what a user of the ports relies on. i_: what makes it inductive; reads the module's registers.
// `mark` lets the solver pick any one word to follow; `ahead` counts the words before it.
`default_nettype none

module prove_fifo #(
  parameter int WIDTH = 2,
  parameter int DEPTH = 4
) (
  input wire              aclk,
  input wire              aresetn,
  input wire              push,
  input wire [WIDTH-1:0]  in_data,
  input wire              pop,
  input wire              mark
);
  localparam int ADDRESS_W = $clog2(DEPTH);

  wire              valid;
  wire [WIDTH-1:0]  out_data;
  sbnn_fifo #(.WIDTH(WIDTH), .DEPTH(DEPTH)) u (
    .aclk, .aresetn, .push, .in_data, .valid, .pop, .out_data
  );
  `include "queue.svh"
endmodule

`default_nettype wire
