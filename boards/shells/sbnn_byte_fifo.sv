// SPDX-License-Identifier: Apache-2.0
//
// A first-in first-out buffer of one clock in a block memory; the first word falls through.
//
// Holds DEPTH words and two more at the output. A word is at the output three cycles after it was
// written; full throughput. DEPTH is a power of two; 2048 x 9 is one block memory of an ECP5. The second
// register is there because that memory takes 5.8 ns to give its word: without it 49 MHz were reached.
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
  logic [WIDTH-1:0] word_q, data_q;
  logic word_valid_q, valid_q, write, read, move;

  assign in_ready = write_q != {~read_q[ADDRESS_BITS], read_q[ADDRESS_BITS-1:0]};
  assign write = in_valid && in_ready;
  assign move = word_valid_q && (!valid_q || out_ready);
  assign read = write_q != read_q && (!word_valid_q || move);
  assign out_data = data_q;
  assign out_valid = valid_q;

  always_ff @(posedge aclk) begin
    if (write) memory[write_q[ADDRESS_BITS-1:0]] <= in_data;
    if (read) word_q <= memory[read_q[ADDRESS_BITS-1:0]];
    if (move) data_q <= word_q;
  end

  always_ff @(posedge aclk) begin
    if (write) write_q <= write_q + 1'b1;
    if (read) read_q <= read_q + 1'b1;
    if (read) word_valid_q <= 1'b1;
    else if (move) word_valid_q <= 1'b0;
    if (move) valid_q <= 1'b1;
    else if (out_ready) valid_q <= 1'b0;
    if (!aresetn) begin
      write_q <= '0;
      read_q  <= '0;
      word_valid_q <= 1'b0;
      valid_q <= 1'b0;
    end
  end
endmodule
`default_nettype wire
