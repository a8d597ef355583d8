// SPDX-License-Identifier: Apache-2.0
// sbnn_pixels: each image leaves as its positions, zeros from where it was cut; `done` and `bad` once each.
//
// `place` is any one byte of an image, `mark` picks any one image to follow; `exp` is what its beat brought
// or 0 where the image ended before. Only beats, positions, `done` and `bad` say what is expected.
`default_nettype none

module prove_pixels #(
  parameter int BEAT = 16,
  parameter int POSITIONS = 3,
  parameter int CHANNELS = 1
) (
  input wire             aclk,
  input wire             aresetn,
  input wire [BEAT-1:0]  s_axis_tdata,
  input wire             s_axis_tvalid,
  input wire             s_axis_tlast,
  input wire             m_ready,
  input wire             mark
);
  localparam int BYTES = BEAT / 8;
  localparam int SIZE = POSITIONS * CHANNELS;
  localparam int BEATS = (SIZE + BYTES - 1) / BYTES;
  localparam int TAIL = SIZE - (BEATS - 1) * BYTES;
  localparam int HOLD = BYTES + CHANNELS - 1;
  localparam int COUNT_W = BEATS > 1 ? $clog2(BEATS) : 1;
  localparam int FILL_W = $clog2(HOLD + 1);
  // With both sides going, this many cycles at most pass without a beat or a position: those to gather a
  // position from beats, two cycles each, one more beat because the last may be a single byte.
  localparam int PATIENCE = 2 * ((CHANNELS + BYTES - 1) / BYTES + 1);

  wire                   s_axis_tready, done, bad, m_valid;
  wire [8*CHANNELS-1:0]  m_data;
  sbnn_pixels #(.BEAT(BEAT), .POSITIONS(POSITIONS), .CHANNELS(CHANNELS)) u (
    .aclk, .aresetn, .s_axis_tdata, .s_axis_tvalid, .s_axis_tready, .s_axis_tlast,
    .done, .bad, .m_valid, .m_ready, .m_data
  );
  (* hierconn *) wire                \u.up_q ;
  (* hierconn *) wire [COUNT_W-1:0]  \u.count_q ;
  (* hierconn *) wire                \u.cut_q ;
  (* hierconn *) wire                \u.next_valid_q ;
  (* hierconn *) wire                \u.next_last_q ;
  (* hierconn *) wire [BEAT-1:0]     \u.next_q ;
  (* hierconn *) wire [FILL_W-1:0]   \u.fill_q ;
  (* hierconn *) wire [8*HOLD-1:0]   \u.hold_q ;

  (* anyconst *) wire [7:0] place;
  wire [7:0] carrier = place / BYTES;  // the beat that carries it
  wire [7:0] lane = place % BYTES;
  wire [7:0] home = place / CHANNELS;  // the position it belongs to
  wire [7:0] channel = place % CHANNELS;

  reg        alive = 0;
  reg        started;         // the cycle before was not a reset
  reg        cut;             // the image that comes in was cut short
  reg [7:0]  given;           // beats of it so far
  reg [7:0]  position;        // positions of the image that goes out so far
  reg [7:0]  flight;          // images that came in, by at least a beat, and are not out
  reg        watching, known, current;  // an image is followed; its byte is known; it still comes in
  reg [7:0]  ahead;           // images to go out before it
  reg [7:0]  exp;
  reg        held;
  reg [8*CHANNELS-1:0] held_data;
  reg [7:0]  idle;
  wire beat = s_axis_tvalid && s_axis_tready;
  wire pop = m_valid && m_ready;
  wire first = beat && given == 0;
  wire wrap = pop && position == POSITIONS - 1;
  wire pick = first && !watching && mark;
  wire follow = pick || (watching && current);

  always @(posedge aclk) begin
    started <= aresetn;
    held <= aresetn && m_valid && !m_ready;
    held_data <= m_data;
    idle <= aresetn && started && s_axis_tvalid && m_ready && !beat && !pop ? idle + 1 : 0;
    if (!aresetn) begin
      alive <= 1;
      cut <= 0;
      given <= 0;
      position <= 0;
      flight <= 0;
      watching <= 0;
    end else begin
      if (beat) begin
        given <= given == BEATS - 1 ? 0 : given + 1;
        if (given != BEATS - 1 && s_axis_tlast) cut <= 1;
      end
      if (done && cut) begin
        cut <= 0;
        given <= 0;
      end
      if (pop) position <= wrap ? 0 : position + 1;
      flight <= flight + first - wrap;
      if (watching && wrap && ahead != 0) ahead <= ahead - 1;
      if (pick) begin
        watching <= 1;
        ahead <= flight - wrap;
        known <= 0;
        current <= 1;
      end
      if (follow) begin
        if (beat && given == carrier) begin
          known <= 1;
          exp <= s_axis_tdata[lane*8 +: 8];
        end else if (beat && s_axis_tlast && given < carrier) begin
          known <= 1;
          exp <= 0;
        end
        if (done) current <= 0;
      end
      if (watching && pop && ahead == 0 && position == home) watching <= 0;
    end
  end

  // All bytes inside, in the order in which they leave; how many of them there are; where the followed one is.
  wire [8*(HOLD+BYTES)-1:0] bytes =
    {{8*BYTES{1'b0}}, \u.hold_q } | ({{8*HOLD{1'b0}}, \u.next_q & {BEAT{\u.next_valid_q }}} << 8 * \u.fill_q );
  wire [15:0] inside = \u.fill_q + (\u.next_valid_q ? (\u.next_last_q ? TAIL : BYTES) : 0);
  wire [15:0] whole = flight - (\u.count_q != 0);
  wire [15:0] index = SIZE * ahead + place - position * CHANNELS;
  wire pushed = !current || \u.count_q > carrier;

  always @* begin
    assume (place < SIZE);
    if (alive) begin
      if (watching && ahead == 0 && position == home && m_valid)
        p_byte: assert (known && m_data[channel*8 +: 8] == exp);
      p_extra: assert (!m_valid || flight != 0);
      p_done: assert (!done || bad == cut);
      if (!cut) p_last: assert (done == (beat && given == BEATS - 1));
      p_closed: assert (!cut || !s_axis_tready);
      if (!started) p_reset: assert (!s_axis_tready && !m_valid);
      if (held) p_hold: assert (m_valid && m_data == held_data);
      p_progress: assert (idle <= PATIENCE);
      i_up: assert (started == \u.up_q );
      if (!started) i_reset: assert (inside == 0 && flight == 0 && position == 0 && given == 0 && !cut);
      i_count: assert (\u.count_q < BEATS && position < POSITIONS && given <= \u.count_q );
      i_cut: assert (cut == \u.cut_q && (cut ? given != 0 : given == \u.count_q ));
      i_fill: assert (\u.fill_q <= HOLD);
      i_zeros: assert ((\u.hold_q >> 8 * \u.fill_q ) == 0);
      if (\u.next_valid_q ) i_next: assert (\u.next_last_q == (\u.count_q == 0));
      if (\u.next_valid_q && \u.next_last_q ) i_tail: assert ((\u.next_q >> 8 * TAIL) == 0);
      i_flow: assert (inside + position * CHANNELS == SIZE * whole + \u.count_q * BYTES);
      i_flight: assert (flight <= HOLD + BYTES + 1 && flight >= (\u.count_q != 0));
      if (watching) begin
        i_ahead: assert (current ? ahead + 1 == flight && \u.count_q != 0 : ahead + 1 <= whole);
        i_known: assert (known == (!current || given > carrier || cut));
        if (current && cut && given <= carrier) i_filler: assert (exp == 0);
        i_unsent: assert (ahead != 0 || position <= home);
        if (pushed) i_byte: assert (bytes[index*8 +: 8] == exp);
      end
      if (held) i_held: assert (\u.fill_q >= CHANNELS && \u.hold_q [8*CHANNELS-1:0] == held_data);
    end
  end
endmodule

`default_nettype wire
