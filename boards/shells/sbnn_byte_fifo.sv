// SPDX-License-Identifier: Apache-2.0
//
// A first-in first-out buffer of one clock in a block memory; the first word falls through.
//
// Holds DEPTH words and one more at the output. A word is at the output two cycles after it was written;
// full throughput. DEPTH is a power of two; 2048 x 9 is one block memory of an ECP5.
`default_nettype none

module sbnn_byte_fifo #(
    parameter WIDTH = 8,
    parameter DEPTH = 2048
) (
    input  wire              aclk,
    input  wire              aresetn,
    input  wire  [WIDTH-1:0] in_data,
    input  wire              in_valid,
    output logic             in_ready,
    output logic [WIDTH-1:0] out_data,
    output logic             out_valid,
    input  wire              out_ready
);
  localparam ADDRESS_BITS = $clog2(DEPTH);

  logic [WIDTH-1:0] memory[0:DEPTH-1];
  logic [ADDRESS_BITS:0] write_q, read_q;  // one bit more than the address tells full from empty
  logic [WIDTH-1:0] data_q;
  logic valid_q, write, read;

  assign in_ready = write_q != {~read_q[ADDRESS_BITS], read_q[ADDRESS_BITS-1:0]};
  assign write = in_valid && in_ready;
  assign read = write_q != read_q && (!valid_q || out_ready);
  assign out_data = data_q;
  assign out_valid = valid_q;

  always_ff @(posedge aclk) begin
    if (write) memory[write_q[ADDRESS_BITS-1:0]] <= in_data;
    if (read) data_q <= memory[read_q[ADDRESS_BITS-1:0]];
  end

  always_ff @(posedge aclk) begin
    if (write) write_q <= write_q + 1'b1;
    if (read) read_q <= read_q + 1'b1;
    if (read) valid_q <= 1'b1;
    else if (out_ready) valid_q <= 1'b0;
    if (!aresetn) begin
      write_q <= '0;
      read_q  <= '0;
      valid_q <= 1'b0;
    end
  end
endmodule
`default_nettype wire
