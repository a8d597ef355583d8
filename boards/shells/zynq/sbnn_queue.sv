// SPDX-License-Identifier: Apache-2.0
//
// A queue of 2 ** BITS words whose first word is at the output one cycle after it was pushed.
//
// `push` needs level < 2 ** BITS, `pop` needs `valid`: whoever uses it looks. Distributed memory by
// attribute: openXC7's place and route of 2026 still corrupts wide block memories with two ports, and with
// it a word is visible at once, so that the levels which the processor reads are exact.
`default_nettype none

module sbnn_queue #(
    parameter WIDTH = 65,
    parameter BITS  = 7
) (
    input  wire              aclk,
    input  wire              aresetn,
    input  wire              push,
    input  wire  [WIDTH-1:0] in_data,
    output wire              valid,
    input  wire              pop,
    output wire  [WIDTH-1:0] out_data,
    output wire  [   BITS:0] level
);
  (* ram_style = "distributed" *) logic [WIDTH-1:0] memory[0:(1<<BITS)-1];
  logic [BITS-1:0] write_q, read_q;
  logic [BITS:0] level_q;

  assign valid = level_q != '0;
  assign out_data = memory[read_q];
  assign level = level_q;

  always_ff @(posedge aclk) begin
    if (push) memory[write_q] <= in_data;
  end

  always_ff @(posedge aclk) begin
    write_q <= write_q + BITS'(push);
    read_q  <= read_q + BITS'(pop);
    level_q <= level_q + (BITS + 1)'(push) - (BITS + 1)'(pop);
    if (!aresetn) begin
      write_q <= '0;
      read_q  <= '0;
      level_q <= '0;
    end
  end
endmodule
`default_nettype wire
