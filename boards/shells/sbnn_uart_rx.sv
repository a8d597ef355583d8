// SPDX-License-Identifier: Apache-2.0
//
// Receives 8N1 bytes from an asynchronous line.
//
// A bit lasts BIT_NUM/BIT_DEN clocks, 4 or more. The rational bit length has no long-run error, where
// 25 MHz / 3 Mbaud rounded to 8 clocks would be 4 % off. Samples lie between 38 % and 62 % of a bit at
// 25/3 clocks (one clock of edge quantisation, one of rounding), which leaves 4 % for the two clocks.
//
// valid is high for one cycle per byte; error with it says that the stop bit was low (a framing error
// or a break). After a low stop bit nothing is received until the line has been high.
`default_nettype none

module sbnn_uart_rx #(
    parameter BIT_NUM = 25,  // bit length in clocks, numerator
    parameter BIT_DEN = 3    // bit length in clocks, denominator
) (
    input  wire        aclk,
    input  wire        aresetn,
    input  wire        rxd,
    output logic [7:0] data,
    output logic       error,
    output logic       valid
);
  localparam PHASE_BITS = $clog2(BIT_NUM + BIT_DEN);
  localparam logic [PHASE_BITS-1:0] STEP = PHASE_BITS'(BIT_DEN);
  localparam logic [PHASE_BITS-1:0] WRAP = PHASE_BITS'(BIT_NUM);
  // Half a bit, and one clock earlier to centre the error of edge detection and rounding.
  localparam logic [PHASE_BITS-1:0] START = PHASE_BITS'(BIT_NUM / 2 + BIT_DEN);

  logic [2:0] line_q;  // two flip-flops against metastability, one to see the edge
  logic [PHASE_BITS-1:0] phase_q, phase_sum;
  logic [3:0] left_q;  // bits still to sample, 10 while the start bit is checked, 0 when idle
  logic [7:0] data_q;
  logic error_q, valid_q, tick;

  assign phase_sum = phase_q + STEP;
  assign tick = phase_sum >= WRAP;
  assign data = data_q;
  assign error = error_q;
  assign valid = valid_q;

  always_ff @(posedge aclk) begin
    line_q  <= {line_q[1:0], rxd};
    valid_q <= 1'b0;
    if (left_q == 4'd0) begin
      phase_q <= START;
      if (line_q[2] && !line_q[1]) left_q <= 4'd10;
    end else begin
      phase_q <= tick ? phase_sum - WRAP : phase_sum;
      if (tick) begin
        left_q <= left_q - 4'd1;
        if (left_q == 4'd10) begin
          if (line_q[1]) left_q <= 4'd0;  // a glitch, not a start bit
        end else if (left_q == 4'd1) begin
          error_q <= !line_q[1];
          valid_q <= 1'b1;
        end else begin
          data_q <= {line_q[1], data_q[7:1]};
        end
      end
    end
    if (!aresetn) begin
      line_q  <= 3'b000;  // a line that is low at reset must go high before it can start a byte
      left_q  <= 4'd0;
      valid_q <= 1'b0;
    end
  end
endmodule
`default_nettype wire
