// SPDX-License-Identifier: Apache-2.0
// Turn the AXI-Stream beats of an image, uint8 values in row-major order, into positions of CHANNELS bytes.
//
// One position a cycle where a beat holds two or more, else one beat every two cycles. The spare bytes of an
// image's last beat are ignored. TLAST is not needed; TLAST before an image's last beat cuts the image short:
// the rest of it is made up of zeros, and `bad` is high with `done`, so that its result can be dropped and one
// lost beat does not shift every later image. `done` is high in the cycle that takes an image's last beat.
// s_axis_tready depends on registers only.
// Cost: a beat, a beat and a position of flip-flops, and a shifter of CHANNELS steps.
`default_nettype none

module sbnn_pixels #(
  parameter int BEAT = 64,
  parameter int POSITIONS = 784,
  parameter int CHANNELS = 1
) (
  input  wire                    aclk,
  input  wire                    aresetn,
  input  wire [BEAT-1:0]         s_axis_tdata,
  input  wire                    s_axis_tvalid,
  output wire                    s_axis_tready,
  input  wire                    s_axis_tlast,
  output wire                    done,
  output wire                    bad,
  output wire                    m_valid,
  input  wire                    m_ready,
  output wire [8*CHANNELS-1:0]   m_data
);

  localparam int BYTES = BEAT / 8;
  localparam int BEATS = (POSITIONS * CHANNELS + BYTES - 1) / BYTES;
  localparam int TAIL = POSITIONS * CHANNELS - (BEATS - 1) * BYTES;  // bytes of the last beat
  localparam int HOLD = BYTES + CHANNELS - 1;
  localparam int COUNT_W = BEATS > 1 ? $clog2(BEATS) : 1;
  localparam int FILL_W = $clog2(HOLD + 1);

  logic                up_q;
  logic [COUNT_W-1:0]  count_q;  // beats of this image so far
  logic                cut_q;    // this image was cut short
  logic                next_valid_q;
  logic                next_last_q;
  logic [BEAT-1:0]     next_q;   // the beat that waits to be appended
  logic [FILL_W-1:0]   fill_q;   // bytes in hold_q; those above are 0
  logic [8*HOLD-1:0]   hold_q;
  logic [8*HOLD-1:0]   kept;
  logic [FILL_W-1:0]   left;

  wire last = 32'(count_q) == BEATS - 1;
  wire room = up_q && !next_valid_q;
  wire push = room && (s_axis_tvalid || cut_q);
  wire pop = m_valid && m_ready;
  wire append = next_valid_q && 32'(left) < CHANNELS;
  wire [BEAT-1:0] tail = s_axis_tdata & ({BEAT{1'b1}} >> 8 * (BYTES - TAIL));

  assign s_axis_tready = room && !cut_q;
  assign done = push && last;
  assign bad = cut_q;
  assign m_valid = 32'(fill_q) >= CHANNELS;
  assign m_data = hold_q[8*CHANNELS-1:0];

  always_comb begin
    kept = pop ? hold_q >> 8 * CHANNELS : hold_q;
    left = pop ? fill_q - FILL_W'(CHANNELS) : fill_q;
  end

  always_ff @(posedge aclk) begin
    if (!aresetn) begin
      up_q         <= 1'b0;
      count_q      <= '0;
      cut_q        <= 1'b0;
      next_valid_q <= 1'b0;
      next_last_q  <= 1'b0;
      fill_q       <= '0;
      hold_q       <= '0;
    end else begin
      up_q <= 1'b1;
      if (push) begin
        next_valid_q <= 1'b1;
        next_last_q  <= last;
        count_q      <= last ? '0 : count_q + 1'b1;
        if (last) cut_q <= 1'b0;
        else if (s_axis_tlast && !cut_q) cut_q <= 1'b1;
      end else if (append) begin
        next_valid_q <= 1'b0;
      end
      if (append) begin
        fill_q <= left + (next_last_q ? FILL_W'(TAIL) : FILL_W'(BYTES));
        hold_q <= kept | ((8*HOLD)'(next_q) << 8 * left);
      end else begin
        fill_q <= left;
        hold_q <= kept;
      end
    end
  end

  always_ff @(posedge aclk) begin
    if (push) next_q <= cut_q ? '0 : last ? tail : s_axis_tdata;
  end

endmodule

`default_nettype wire
