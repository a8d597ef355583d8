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
  localparam int DEPTH = 1 << BITS;

  wire              valid;
  wire [WIDTH-1:0]  out_data;
  wire [BITS:0]     level;
  sbnn_queue #(.WIDTH(WIDTH), .BITS(BITS)) u (
    .aclk, .aresetn, .push, .in_data, .valid, .pop, .out_data, .level
  );
  `include "words.svh"
  (* hierconn *) wire [BITS-1:0]  \u.write_q ;
  (* hierconn *) wire [BITS-1:0]  \u.read_q ;
  (* hierconn *) wire [BITS:0]    \u.level_q ;

  reg              alive = 0;  // there was a reset
  reg [BITS:0]     count;
  reg              watching, held;
  reg [BITS:0]     ahead;
  reg [WIDTH-1:0]  item, held_data;
  wire [BITS-1:0] place = \u.read_q + ahead;

  always @(posedge aclk) begin
    held <= aresetn && valid && !pop;
    held_data <= out_data;
    if (!aresetn) begin
      alive <= 1;
      count <= 0;
      watching <= 0;
    end else begin
      count <= count + push - pop;
      if (!watching && push && mark) begin
        watching <= 1;
        item <= in_data;
        ahead <= count - pop;
      end else if (watching && pop) begin
        ahead <= ahead - 1;
        if (ahead == 0) watching <= 0;
      end
    end
  end

  always @* if (alive) begin
    assume (!push || count < DEPTH);
    assume (!pop || valid);
    p_valid: assert (valid == (count != 0));
    p_level: assert (level == count);
    if (watching && ahead == 0) p_order: assert (valid && out_data == item);
    if (held) p_hold: assert (valid && out_data == held_data);
    i_count: assert (count <= DEPTH && count == \u.level_q );
    i_places: assert (count[BITS-1:0] == BITS'(\u.write_q - \u.read_q ));
    if (watching) i_place: assert (ahead < count && words[place*WIDTH +: WIDTH] == item);
    if (held) i_held: assert (count != 0 && words[\u.read_q *WIDTH +: WIDTH] == held_data);
  end
endmodule

`default_nettype wire
