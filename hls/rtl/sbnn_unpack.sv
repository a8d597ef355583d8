// SPDX-License-Identifier: Apache-2.0
// Collect the AXI-Stream beats of one image into a vector.
//
// Bit i of the vector is bit i % BEAT of beat i / BEAT; the last beat's spare bits are ignored.
// `take` is high in the cycle that accepts an image's last beat; the whole vector is on `x` one cycle
// later, for at least one cycle. The last beat waits for `go`, the others never wait, so there is no path
// from any TREADY to s_axis_tready.
// TLAST is not needed: a DMA may set it once per batch. TLAST before an image's last beat drops that
// part of an image and pulses `short_image`, so that one lost beat does not shift every later image.
// Cost: BITS flip-flops and a counter.
`default_nettype none

module sbnn_unpack #(
  parameter int BITS = 784,
  parameter int BEAT = 64
) (
  input  wire             aclk,
  input  wire             aresetn,
  input  wire [BEAT-1:0]  s_axis_tdata,
  input  wire             s_axis_tvalid,
  output wire             s_axis_tready,
  input  wire             s_axis_tlast,
  input  wire             go,
  output wire             take,
  output wire             short_image,
  output wire [BITS-1:0]  x
);

  localparam int BEATS = (BITS + BEAT - 1) / BEAT;
  localparam int COUNT_W = BEATS > 1 ? $clog2(BEATS) : 1;

  logic [COUNT_W-1:0] count_q;
  logic               up_q;  // low during reset and one cycle longer: no beat is lost into a reset
  logic               last_q;  // count_q == BEATS - 1, as a register: it decides about every beat
  logic [BITS-1:0]    x_q;

  wire beat = s_axis_tvalid && s_axis_tready;

  assign s_axis_tready = up_q && (go || !last_q);
  assign take = beat && last_q;
  assign short_image = beat && s_axis_tlast && !last_q;
  assign x = x_q;

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      count_q <= '0;
      last_q  <= BEATS == 1;
      up_q    <= 1'b0;
    end else begin
      up_q <= 1'b1;
      if (beat) begin
        count_q <= last_q || s_axis_tlast ? '0 : count_q + 1'b1;
        last_q  <= BEATS == 1 || (!last_q && !s_axis_tlast && 32'(count_q) + 2 == BEATS);
      end
    end
  end

  for (genvar b = 0; b < BEATS; b++) begin : gen_beat
    localparam int LOW = b * BEAT;
    localparam int WIDTH = (BITS - LOW < BEAT) ? BITS - LOW : BEAT;
    always_ff @(posedge aclk) begin
      // Not only with a beat: until it comes the place is free, and the handshake would reach every bit.
      if (count_q == COUNT_W'(b)) x_q[LOW +: WIDTH] <= s_axis_tdata[WIDTH-1:0];
    end
  end

endmodule

`default_nettype wire
