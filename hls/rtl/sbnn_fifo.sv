// SPDX-License-Identifier: Apache-2.0
// A first-word-fall-through queue of DEPTH words in distributed RAM.
//
// There is no `full`: whoever pushes keeps count (sbnn_flow admits at most DEPTH images), so the queue has
// no back-pressure path. One cycle from `push` to `valid`. Cost: DEPTH*WIDTH bits of RAM, two pointers, a count.
`default_nettype none

module sbnn_fifo #(
  parameter int WIDTH = 8,
  parameter int DEPTH = 4
) (
  input  wire              aclk,
  input  wire              aresetn,
  input  wire              push,
  input  wire [WIDTH-1:0]  in_data,
  output wire              valid,
  input  wire              pop,
  output wire [WIDTH-1:0]  out_data
);

  localparam int ADDRESS_W = $clog2(DEPTH);

  logic [WIDTH-1:0]      ram [DEPTH];
  logic [ADDRESS_W-1:0]  write_q;
  logic [ADDRESS_W-1:0]  read_q;
  logic [ADDRESS_W:0]    level_q;
  logic                  valid_q;  // level_q != 0, as a register: `valid` begins long paths

  assign valid = valid_q;
  assign out_data = ram[read_q];

  always_ff @(posedge aclk) begin
    if (push) ram[write_q] <= in_data;
  end

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      write_q <= '0;
      read_q  <= '0;
      level_q <= '0;
      valid_q <= 1'b0;
    end else begin
      write_q <= write_q + ADDRESS_W'(push);
      read_q  <= read_q + ADDRESS_W'(pop);
      if (push != pop) level_q <= push ? level_q + 1'b1 : level_q - 1'b1;
      valid_q <= push || (valid_q && !(pop && level_q == 1));
    end
  end

  if (DEPTH < 2 || (DEPTH & (DEPTH - 1)) != 0) begin : gen_check
    initial $fatal(1, "sbnn_fifo: DEPTH=%0d is not a power of two of at least 2", DEPTH);
  end

endmodule

`default_nettype wire
