// SPDX-License-Identifier: Apache-2.0
// sbnn_uart_tx: start bit, eight bits from the lowest, stop bit, each in its time; high in between.
//
// `clocks` counts those since the byte was taken. Bit n of the frame lasts from n to n + 1 bit lengths,
// rounded up to whole clocks.
`default_nettype none

module prove_uart_tx #(
  parameter int BIT_NUM = 25,
  parameter int BIT_DEN = 3
) (
  input wire        aclk,
  input wire        aresetn,
  input wire [7:0]  data,
  input wire        valid
);
  localparam int PHASE_BITS = $clog2(BIT_NUM + BIT_DEN);
  localparam int FRAME = (10 * BIT_NUM + BIT_DEN - 1) / BIT_DEN;  // clocks of ten bits
  localparam int CLOCKS_W = $clog2(FRAME + 1);

  wire  ready, txd;
  sbnn_uart_tx #(.BIT_NUM(BIT_NUM), .BIT_DEN(BIT_DEN)) u (.aclk, .aresetn, .data, .valid, .ready, .txd);
  (* hierconn *) wire [PHASE_BITS-1:0]  \u.phase_q ;
  (* hierconn *) wire [3:0]             \u.left_q ;
  (* hierconn *) wire [9:0]             \u.bits_q ;

  reg                 alive = 0;
  reg                 sending;
  reg [7:0]           sent;
  reg [CLOCKS_W-1:0]  clocks;
  wire [9:0] frame = {1'b1, sent, 1'b0};

  // Which bit is on the line, found by comparison: a division would cost the solver more.
  reg [3:0]  bit_now;
  reg [31:0] began;  // of that bit, in parts of a clock
  integer i;
  always @* begin
    bit_now = 0;
    began = 0;
    for (i = 1; i < 10; i = i + 1)
      if (clocks * BIT_DEN >= i * BIT_NUM) begin
        bit_now = i;
        began = i * BIT_NUM;
      end
  end

  always @(posedge aclk) begin
    if (!aresetn) begin
      alive <= 1;
      sending <= 0;
    end else if (valid && ready) begin
      sending <= 1;
      sent <= data;
      clocks <= 0;
    end else if (sending) begin
      clocks <= clocks + 1;
      if (clocks == FRAME - 1) sending <= 0;
    end
  end

  always @* if (alive) begin
    p_ready: assert (ready == !sending);
    if (!sending) p_idle: assert (txd);
    if (sending) p_bit: assert (txd == frame[bit_now]);
    i_rest: assert (sending || \u.bits_q == 10'h3FF);
    if (sending) begin
      i_clocks: assert (clocks < FRAME && \u.left_q == 10 - bit_now);
      i_phase: assert (\u.phase_q == clocks * BIT_DEN - began);
      i_bits: assert (\u.bits_q == ((frame >> bit_now) | ~(10'h3FF >> bit_now)));
    end else begin
      i_left: assert (\u.left_q == 0);
    end
  end
endmodule

`default_nettype wire
