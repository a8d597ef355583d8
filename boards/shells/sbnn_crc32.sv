// SPDX-License-Identifier: Apache-2.0
//
// One byte of CRC-32 (IEEE 802.3, reflected; zlib.crc32), combinational.
//
// Start from all ones. The four bytes of ~crc, little end first, close a message; whoever checks it runs
// them through as well and finds 32'hDEBB20E3 where nothing was damaged.
`default_nettype none

module sbnn_crc32 (
    input  wire  [31:0] crc,
    input  wire  [ 7:0] data,
    output logic [31:0] crc_next
);
  always_comb begin
    crc_next = crc ^ {24'd0, data};
    for (int i = 0; i < 8; i++) begin
      crc_next = {1'b0, crc_next[31:1]} ^ (crc_next[0] ? 32'hEDB88320 : 32'd0);
    end
  end
endmodule
`default_nettype wire
