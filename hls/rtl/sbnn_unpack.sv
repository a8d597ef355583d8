// SPDX-License-Identifier: Apache-2.0
// Collect the AXI-Stream beats of one image into a vector.
//
// Bit i of the vector is bit i % BEAT of beat i / BEAT; the last beat's spare bits are ignored.
// `take` is high in the cycle that accepts an image's last beat; the whole vector is on `x` one cycle
// later, for at least one cycle. The last beat waits for `go`, the others never wait, so there is no path
// from any TREADY to s_axis_tready.
// TLAST is not needed: a DMA may set it once per batch. TLAST before an image's last beat drops that
// part of an image and pulses `short_image`, so that one lost beat does not shift every later image.
// Cost: BITS flip-flops and one per beat: a one-hot register says which beat comes next, so that nothing lies
// between it and the clock enables that reach across the device (a counter and its decoders were the slowest
// path of sbnn95 at one level between registers on ECP5: 0.2 ns of logic, 6.7 ns of wires).
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

  logic [BEATS-1:0] next_q;  // one-hot: the beat that comes next
  logic             up_q;  // low during reset and one cycle longer: no beat is lost into a reset
  logic [BITS-1:0]  x_q;

  wire beat = s_axis_tvalid && s_axis_tready;
  wire last = next_q[BEATS-1];

  assign s_axis_tready = up_q && (go || !last);
  assign take = beat && last;
  assign short_image = beat && s_axis_tlast && !last;
  assign x = x_q;

  always_ff @(posedge aclk) begin
    up_q <= aresetn;
    if (!aresetn || short_image) next_q <= BEATS'(1);
    else if (beat) next_q <= BEATS'({next_q, next_q} >> BEATS - 1);  // the next one, the first after the last
  end

  for (genvar b = 0; b < BEATS; b++) begin : gen_beat
    localparam int LOW = b * BEAT;
    localparam int WIDTH = (BITS - LOW < BEAT) ? BITS - LOW : BEAT;
    always_ff @(posedge aclk) begin
      // Not only with a beat: until it comes the place is free, and the handshake would reach every bit.
      if (next_q[b]) x_q[LOW +: WIDTH] <= s_axis_tdata[WIDTH-1:0];
    end
  end

endmodule

`default_nettype wire
