// SPDX-License-Identifier: Apache-2.0
// Placed ECP5 cells that yosys has no models of.
`default_nettype none

// A block memory (DP16KD) as two ports of 2,048 x 9: A writes, B reads.
module ecp5_memory (
  input  wire        wclk,
  input  wire        we,
  input  wire [10:0] waddr,
  input  wire [8:0]  wdata,
  input  wire        rclk,
  input  wire        re,
  input  wire [10:0] raddr,
  output reg  [8:0]  rdata
);
  reg [8:0] ram [0:2047];
  always @(posedge wclk) if (we) ram[waddr] <= wdata;
  always @(posedge rclk) if (re) rdata <= ram[raddr];
endmodule

// The slice that carries address and data to the write port of a LUT memory.
module TRELLIS_RAMW (
  input  wire A0, B0, C0, D0, A1, B1, C1, D1,
  output wire WADO0, WADO1, WADO2, WADO3, WDO0, WDO1, WDO2, WDO3
);
  assign {WADO3, WADO2, WADO1, WADO0} = {A0, C0, B0, D0};
  assign {WDO3, WDO2, WDO1, WDO0} = {B1, D1, A1, C1};
endmodule

// Pads (TRELLIS_IO) of one direction.
module input_pad (input wire B, output wire O);
  assign O = B;
endmodule

module output_pad (input wire I, output wire B);
  assign B = I;
endmodule

// The way onto a clock tree.
module DCCA (input wire CLKI, CE, output wire CLKO);
  assign CLKO = CLKI;
endmodule
`default_nettype wire
