// SPDX-License-Identifier: Apache-2.0
//
// Holds one AXI address and walks through the words of its burst.
//
// Takes an address when it has none, then shows beat after beat: `advance` moves to the next one, `finish`
// with it gives the address up. FIXED, INCR and WRAP of any length are walked. `legal` is low where a beat
// is not one aligned 32-bit word: another size, a start address off the word (that beat only, in INCR), a
// WRAP of a length that AXI does not have, the reserved burst type, or beats after the last one.
`default_nettype none

module sbnn_axi_burst #(
    parameter ID_BITS  = 12,
    parameter LEN_BITS = 4    // 4: AXI3, 8: AXI4
) (
    input  wire                 aclk,
    input  wire                 aresetn,
    // AWADDR or ARADDR; the window is 4 KiB.
    input  wire  [ ID_BITS-1:0] id,
    input  wire  [        11:0] address,
    input  wire  [LEN_BITS-1:0] len,
    input  wire  [         2:0] size,
    input  wire  [         1:0] burst,
    input  wire                 valid,
    output wire                 ready,
    // The beat that is due.
    output wire                 active,
    output wire  [ ID_BITS-1:0] active_id,
    output wire  [         9:0] word,
    output wire                 legal,
    output wire                 last,
    input  wire                 advance,
    input  wire                 finish
);
  localparam logic [1:0] FIXED = 2'd0, WRAP = 2'd2, RESERVED = 2'd3;

  logic [ID_BITS-1:0] id_q;
  logic [LEN_BITS-1:0] len_q, count_q;
  logic [1:0] burst_q;
  logic [9:0] word_q, word_next, wrap_mask;
  logic active_q, wrong_q, off_q, over_q, wrap_wrong;

  assign ready = !active_q;
  assign active = active_q;
  assign active_id = id_q;
  assign word = word_q;
  assign last = count_q == len_q;
  assign legal = !wrong_q && !off_q && !over_q;

  // A WRAP has 2, 4, 8 or 16 beats, so that LEN is the mask of the bits that turn round.
  assign wrap_wrong = len != LEN_BITS'(1) && len != LEN_BITS'(3) && len != LEN_BITS'(7)
      && len != LEN_BITS'(15);
  assign wrap_mask = 10'(len_q);

  always_comb begin
    case (burst_q)
      FIXED: word_next = word_q;
      WRAP: word_next = (word_q & ~wrap_mask) | ((word_q + 10'd1) & wrap_mask);
      default: word_next = word_q + 10'd1;
    endcase
  end

  always_ff @(posedge aclk) begin
    if (!active_q) begin
      id_q <= id;
      len_q <= len;
      count_q <= '0;
      burst_q <= burst;
      word_q <= address[11:2];
      wrong_q <= size != 3'd2 || burst == RESERVED
          || (burst == WRAP && (wrap_wrong || address[1:0] != 2'd0));
      off_q <= address[1:0] != 2'd0;
      over_q <= 1'b0;
      active_q <= valid;
    end else if (advance) begin
      word_q <= word_next;
      if (burst_q != FIXED) off_q <= 1'b0;
      if (last) over_q <= 1'b1;
      else count_q <= count_q + 1'b1;
      if (finish) active_q <= 1'b0;
    end
    if (!aresetn) active_q <= 1'b0;
  end
endmodule
`default_nettype wire
