// SPDX-License-Identifier: Apache-2.0
// sbnn_byte_fifo: whatever is taken comes out once, unchanged and in order, as soon as the header says.
//
// `mark` lets the solver pick any one word to follow; `ahead` counts the words before it, `age` the cycles
// since it was taken. p_present with p_room is the full throughput: a word at the head for three cycles
// is there whatever the words around it do.
`default_nettype none

module prove_byte_fifo #(
  parameter int WIDTH = 2,
  parameter int DEPTH = 4
) (
  input wire              aclk,
  input wire              aresetn,
  input wire [WIDTH-1:0]  in_data,
  input wire              in_valid,
  input wire              out_ready,
  input wire              mark
);
  localparam int BITS = $clog2(DEPTH);
  localparam int COUNT_W = $clog2(DEPTH + 3);

  wire              in_ready, out_valid;
  wire [WIDTH-1:0]  out_data;
  sbnn_byte_fifo #(.WIDTH(WIDTH), .DEPTH(DEPTH)) u (
    .aclk, .aresetn, .in_data, .in_valid, .in_ready, .out_data, .out_valid, .out_ready
  );
  `include "words.svh"
  (* hierconn *) wire [BITS:0]     \u.write_q ;
  (* hierconn *) wire [BITS:0]     \u.read_q ;
  (* hierconn *) wire              \u.word_valid_q ;
  (* hierconn *) wire [WIDTH-1:0]  \u.word_q ;
  (* hierconn *) wire [WIDTH-1:0]  \u.data_q ;

  reg                alive = 0;  // there was a reset
  reg [COUNT_W-1:0]  count;
  reg                watching, held;
  reg [COUNT_W-1:0]  ahead;
  reg [1:0]          age;
  reg [WIDTH-1:0]    item, held_data;
  reg                stored_before, fetched_before;
  wire push = in_valid && in_ready;
  wire pop = out_valid && out_ready;

  // Words in the memory and in the two registers behind it; where the followed one is among those.
  wire [BITS:0] level = \u.write_q - \u.read_q ;
  wire [COUNT_W-1:0] behind = ahead - out_valid;
  wire [COUNT_W-1:0] deep = behind - \u.word_valid_q ;
  wire in_data_q = ahead < out_valid;
  wire in_word_q = !in_data_q && behind < \u.word_valid_q ;
  wire in_memory = !in_data_q && !in_word_q;
  wire [BITS-1:0] place = \u.read_q [BITS-1:0] + deep;

  always @(posedge aclk) begin
    held <= aresetn && out_valid && !out_ready;
    held_data <= out_data;
    stored_before <= aresetn && level != 0;
    fetched_before <= aresetn && \u.word_valid_q ;
    if (!aresetn) begin
      alive <= 1;
      count <= 0;
      watching <= 0;
    end else begin
      count <= count + push - pop;
      if (watching && age != 3) age <= age + 1;
      if (!watching && push && mark) begin
        watching <= 1;
        item <= in_data;
        ahead <= count - pop;
        age <= 1;
      end else if (watching && pop) begin
        ahead <= ahead - 1;
        if (ahead == 0) watching <= 0;
      end
    end
  end

  always @* if (alive) begin
    p_extra: assert (!out_valid || count != 0);
    if (count < DEPTH) p_room: assert (in_ready);
    p_most: assert (count <= DEPTH + 2);
    if (watching && ahead == 0 && out_valid) p_order: assert (out_data == item);
    if (watching && ahead == 0 && age == 3) p_present: assert (out_valid);
    if (held) p_hold: assert (out_valid && out_data == held_data);
    i_count: assert (level <= DEPTH && count == level + \u.word_valid_q + out_valid);
    if (stored_before) i_fetched: assert (\u.word_valid_q );
    if (fetched_before) i_shown: assert (out_valid);
    if (watching) begin
      i_ahead: assert (ahead < count && age != 0);
      if (in_data_q) i_data: assert (\u.data_q == item);
      if (in_word_q) i_word: assert (\u.word_q == item);
      if (in_memory) i_place: assert (words[place*WIDTH +: WIDTH] == item);
      if (age >= 2 && in_memory) i_older: assert (\u.word_valid_q );
      if (age >= 3) i_oldest: assert (out_valid);
      if (age == 1) i_new: assert (in_memory && ahead + 1 == count);
    end
    if (held) i_held: assert (out_valid && \u.data_q == held_data);
  end
endmodule

`default_nettype wire
