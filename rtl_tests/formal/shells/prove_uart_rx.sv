// SPDX-License-Identifier: Apache-2.0
// sbnn_uart_rx: each byte of a sender, whose bits last SEND_NUM/SEND_DEN clocks, is given once, unchanged.
//
// The sender is ideal: a frame begins anywhere between two clocks (`offset` parts of a clock before the
// first one that sees it), at the earliest when the frame before has ended, and after a reset when the line
// was high for three clocks. `age` counts clocks of its frame; `turn` those since the receiver saw it begin.
`default_nettype none

module prove_uart_rx #(
  parameter int BIT_NUM = 25,
  parameter int BIT_DEN = 3,
  parameter int SEND_NUM = 25,
  parameter int SEND_DEN = 3
) (
  input wire        aclk,
  input wire        aresetn,
  input wire        begins,
  input wire [7:0]  byte_in,
  input wire [7:0]  offset_in
);
  localparam int PHASE_BITS = $clog2(BIT_NUM + BIT_DEN);
  localparam int START = BIT_NUM / 2 + BIT_DEN;
  localparam int LAST = (10 * BIT_NUM - START + BIT_DEN - 1) / BIT_DEN;  // clocks from the edge to the byte

  reg        alive = 0;
  reg [1:0]  high;                    // clocks of high after a reset, up to 3
  reg        sending;
  reg [7:0]  age, offset, sent;
  reg        awaited;                 // the receiver has seen the frame begin and has not given its byte
  reg [7:0]  turn, late_offset, wanted;

  // The line at one clock of a frame.
  function automatic level(input [7:0] clocks, input [7:0] parts, input [7:0] value);
    reg [9:0] frame;
    integer j;
    begin
      frame = {1'b1, value, 1'b0};
      level = 0;
      for (j = 1; j < 10; j = j + 1) if (clocks * SEND_DEN + parts >= j * SEND_NUM) level = frame[j];
    end
  endfunction

  wire over = age * SEND_DEN + offset >= 10 * SEND_NUM;
  wire first = begins && (!sending || over);
  wire rxd = !first && (!sending || over || level(age, offset, sent));

  wire [7:0]  data;
  wire        error, valid;
  sbnn_uart_rx #(.BIT_NUM(BIT_NUM), .BIT_DEN(BIT_DEN)) u (.aclk, .aresetn, .rxd, .data, .error, .valid);
  (* hierconn *) wire [2:0]             \u.line_q ;
  (* hierconn *) wire [PHASE_BITS-1:0]  \u.phase_q ;
  (* hierconn *) wire [3:0]             \u.left_q ;
  (* hierconn *) wire [7:0]             \u.data_q ;

  always @(posedge aclk) begin
    if (!aresetn) begin
      alive <= 1;
      high <= 0;
      sending <= 0;
      awaited <= 0;
    end else begin
      if (high != 3) high <= high + 1;
      if (first) begin
        sending <= 1;
        age <= 1;
        offset <= offset_in;
        sent <= byte_in;
      end else if (sending) begin
        age <= age + 1;
        if (over) sending <= 0;
      end
      if (sending && age == 2) begin
        awaited <= 1;
        turn <= 0;
        late_offset <= offset;
        wanted <= sent;
      end else if (awaited) begin
        turn <= turn + 1;
        if (turn == LAST) awaited <= 0;
      end
    end
  end

  // Bits that were sampled; where the next one lies; the byte's bits so far, on top.
  reg [3:0]   taken;
  reg [15:0]  begun;
  integer i;
  always @* begin
    taken = 0;
    begun = 0;
    for (i = 1; i <= 10; i = i + 1)
      if (START + turn * BIT_DEN >= i * BIT_NUM) begin
        taken = i;
        begun = i * BIT_NUM;
      end
  end
  wire [3:0] bits = taken < 2 ? 0 : taken > 9 ? 8 : taken - 1;
  wire [7:0] clock_of_line = turn + 1;

  always @* if (alive) begin
    assume (!begins || high == 3);
    assume (offset_in < SEND_DEN);
    p_once: assert (valid == (awaited && turn == LAST));
    if (valid) p_byte: assert (data == wanted && !error);
    i_left: assert (\u.left_q == (awaited ? 10 - taken : 0));
    if (!sending) i_idle: assert (\u.line_q == (high == 0 ? 0 : high == 1 ? 1 : high == 2 ? 3 : 7));
    if (sending) begin
      i_age: assert (high == 3 && age != 0 && offset < SEND_DEN
        && (age - 1) * SEND_DEN + offset < 10 * SEND_NUM);
      i_line0: assert (\u.line_q [0] == level(age - 1, offset, sent));
      i_line1: assert (\u.line_q [1] == (age < 2 || level(age - 2, offset, sent)));
      i_line2: assert (\u.line_q [2] == (age < 3 || level(age - 3, offset, sent)));
    end
    if (awaited) begin
      i_turn: assert (high == 3 && turn <= LAST && (turn == LAST) == (taken == 10));
      if (taken < 10) i_phase: assert (\u.phase_q == START + turn * BIT_DEN - begun);
      i_bits: assert (\u.data_q >> (8 - bits) == (wanted & ~(8'hFF << bits)));
      if (sending && age >= 3) i_same: assert (age == turn + 3 && offset == late_offset && sent == wanted);
      else i_tail: assert (late_offset < SEND_DEN
        && (turn + 3 - (sending ? age : 0)) * SEND_DEN + late_offset >= 10 * SEND_NUM);
    end
    if (sending && age >= 3 && age < LAST + 3) i_seen: assert (awaited);
  end
endmodule

`default_nettype wire
