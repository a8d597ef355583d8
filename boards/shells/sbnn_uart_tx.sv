// SPDX-License-Identifier: Apache-2.0
//
// Sends 8N1 bytes on an asynchronous line.
//
// A bit lasts BIT_NUM/BIT_DEN clocks, each edge at most one clock late. A byte takes 10 bits and one
// clock; ready is high between bytes.
`default_nettype none

module sbnn_uart_tx #(
    parameter BIT_NUM = 25,  // bit length in clocks, numerator
    parameter BIT_DEN = 3    // bit length in clocks, denominator
) (
    input  wire        aclk,
    input  wire        aresetn,
    input  wire  [7:0] data,
    input  wire        valid,
    output logic       ready,
    output logic       txd
);
  localparam PHASE_BITS = $clog2(BIT_NUM + BIT_DEN);
  localparam logic [PHASE_BITS-1:0] STEP = PHASE_BITS'(BIT_DEN);
  localparam logic [PHASE_BITS-1:0] WRAP = PHASE_BITS'(BIT_NUM);

  logic [PHASE_BITS-1:0] phase_q, phase_sum;
  logic [3:0] left_q;
  logic [9:0] bits_q;  // start bit, data, stop bit; bit 0 is on the line
  logic tick;

  assign phase_sum = phase_q + STEP;
  assign tick = phase_sum >= WRAP;
  assign ready = left_q == 4'd0;
  assign txd = bits_q[0];

  always_ff @(posedge aclk) begin
    if (left_q == 4'd0) begin
      phase_q <= '0;
      if (valid) begin
        bits_q <= {1'b1, data, 1'b0};
        left_q <= 4'd10;
      end
    end else begin
      phase_q <= tick ? phase_sum - WRAP : phase_sum;
      if (tick) begin
        bits_q <= {1'b1, bits_q[9:1]};
        left_q <= left_q - 4'd1;
      end
    end
    if (!aresetn) begin
      bits_q <= '1;
      left_q <= 4'd0;
    end
  end
endmodule
`default_nettype wire
