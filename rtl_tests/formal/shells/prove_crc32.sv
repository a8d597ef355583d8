// SPDX-License-Identifier: Apache-2.0
// sbnn_crc32: one byte of CRC-32 as IEEE 802.3 writes it, for all 2 ** 40 inputs.
//
// The standard divides by 0x04C11DB7 with the first bit sent on top, and sends the low bit of a byte first;
// the module has everything reversed. The receiver's number is the remainder of any message with its CRC.
`default_nettype none

module prove_crc32 (
  input wire [31:0] crc,
  input wire [7:0]  data
);
  wire [31:0] crc_next;
  sbnn_crc32 u (.crc, .data, .crc_next);

  // The module on the four bytes that close a message, low byte first.
  wire [31:0] closing = ~crc;
  wire [31:0] one, two, three, four;
  sbnn_crc32 u_one (.crc(crc), .data(closing[7:0]), .crc_next(one));
  sbnn_crc32 u_two (.crc(one), .data(closing[15:8]), .crc_next(two));
  sbnn_crc32 u_three (.crc(two), .data(closing[23:16]), .crc_next(three));
  sbnn_crc32 u_four (.crc(three), .data(closing[31:24]), .crc_next(four));

  reg [31:0] divided, wanted;
  reg        top;
  integer i;
  always @* begin
    for (i = 0; i < 32; i = i + 1) divided[31-i] = crc[i];
    for (i = 0; i < 8; i = i + 1) begin
      top = divided[31] ^ data[i];
      divided = divided << 1;
      if (top) divided = divided ^ 32'h04C11DB7;
    end
    for (i = 0; i < 32; i = i + 1) wanted[31-i] = divided[i];
    p_division: assert (crc_next == wanted);
    p_residue: assert (four == 32'hDEBB20E3);
  end
endmodule

`default_nettype wire
