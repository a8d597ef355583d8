// SPDX-License-Identifier: Apache-2.0
//
// The beats of the next burst, combinational: at most 16, at most what is known, none across 4 KiB.
`default_nettype none

module sbnn_dma_burst #(
    parameter KNOWN_BITS = 6
) (
    input  wire  [KNOWN_BITS-1:0] known,         // beats that are left, as far as they are known
    input  wire  [           8:0] beat_address,  // byte address / 8 inside 4 KiB
    output logic [           4:0] beats
);
  logic [4:0] wanted;
  logic [9:0] to_boundary;

  assign wanted = known >= KNOWN_BITS'(16) ? 5'd16 : 5'(known);
  assign to_boundary = 10'd512 - {1'b0, beat_address};
  assign beats = to_boundary < 10'(wanted) ? 5'(to_boundary) : wanted;
endmodule
`default_nettype wire
