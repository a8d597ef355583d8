// SPDX-License-Identifier: Apache-2.0
// sbnn_unpack: the vector is the beats of exactly one whole image; only the last beat waits for `go`.
//
// `place` is any one bit of the vector; `bit_q` is what the beat that carries it brought.
`default_nettype none

module prove_unpack #(
  parameter int BITS = 5,
  parameter int BEAT = 2
) (
  input wire             aclk,
  input wire             aresetn,
  input wire [BEAT-1:0]  s_axis_tdata,
  input wire             s_axis_tvalid,
  input wire             s_axis_tlast,
  input wire             go
);
  localparam int BEATS = (BITS + BEAT - 1) / BEAT;
  localparam int COUNT_W = BEATS > 1 ? $clog2(BEATS) : 1;
  localparam int PLACE_W = $clog2(BITS + 1);

  wire             s_axis_tready, take, short_image;
  wire [BITS-1:0]  x;
  sbnn_unpack #(.BITS(BITS), .BEAT(BEAT)) u (
    .aclk, .aresetn, .s_axis_tdata, .s_axis_tvalid, .s_axis_tready, .s_axis_tlast,
    .go, .take, .short_image, .x
  );
  (* hierconn *) wire [BEATS-1:0]  \u.next_q ;
  (* hierconn *) wire              \u.up_q ;

  (* anyconst *) wire [PLACE_W-1:0] place;
  wire [PLACE_W-1:0] carrier = place / BEAT;  // the beat that carries it
  wire [PLACE_W-1:0] lane = place % BEAT;

  reg              alive = 0;
  reg              started;  // the cycle before was not a reset
  reg [COUNT_W:0]  count;    // beats of this image so far
  reg              fresh;    // the cycle before took an image's last beat
  reg              bit_q;
  wire beat = s_axis_tvalid && s_axis_tready;
  wire last = count == BEATS - 1;

  always @(posedge aclk) begin
    started <= aresetn;
    fresh <= aresetn && beat && last;
    if (beat && count == carrier) bit_q <= s_axis_tdata[lane];
    if (!aresetn) begin
      alive <= 1;
      count <= 0;
    end else if (beat) begin
      count <= last || s_axis_tlast ? 0 : count + 1;
    end
  end

  always @* begin
    assume (place < BITS);
    if (alive) begin
      p_take: assert (take == (beat && last));
      p_go: assert (!take || go);
      p_short: assert (short_image == (beat && s_axis_tlast && !last));
      if (started) p_ready: assert (s_axis_tready == (go || !last));
      if (!started) p_reset: assert (!s_axis_tready);
      if (fresh) p_vector: assert (x[place] == bit_q);
      i_count: assert (count < BEATS && \u.next_q == 1 << count && started == \u.up_q );
      if (count > carrier || fresh) i_bit: assert (x[place] == bit_q);
      if (fresh) i_fresh: assert (count == 0);
    end
  end
endmodule

`default_nettype wire
