// SPDX-License-Identifier: Apache-2.0
// sbnn_frame_request: what sbnn_frame_answer and the core rely on, whatever bytes come.
//
// A request keeps its number until `done`, counts its images and closes once, after GAP_CLOCKS without a
// byte at the latest; every byte of an image reaches the core in its place. Which status a frame gets is
// not looked at here. `word` is the beat that gathers, `begun` the images whose bytes have all come.
`default_nettype none

module prove_frame_request #(
  parameter int IMAGE_BYTES = 5,
  parameter int BEAT_BYTES = 2,
  parameter int MAX_IMAGES = 3,
  parameter int GAP_CLOCKS = 6
) (
  input wire        aclk,
  input wire        aresetn,
  input wire [7:0]  in_data,
  input wire        in_error, in_valid, open_ready, done, m_axis_tready
);
  localparam int BEATS = (IMAGE_BYTES + BEAT_BYTES - 1) / BEAT_BYTES;
  localparam int LANE_W = BEAT_BYTES > 1 ? $clog2(BEAT_BYTES) : 1;
  localparam int BEAT_W = BEATS > 1 ? $clog2(BEATS) : 1;
  localparam int GAP_W = $clog2(GAP_CLOCKS + 1);

  wire         in_ready, open_valid, closed, m_axis_tvalid, m_axis_tlast;
  wire [7:0]   open_command, open_tag, status;
  wire [15:0]  open_count, images_in;
  wire [8*BEAT_BYTES-1:0] m_axis_tdata;
  sbnn_frame_request #(
    .IMAGE_BYTES(IMAGE_BYTES), .BEAT_BYTES(BEAT_BYTES), .MAX_IMAGES(MAX_IMAGES), .GAP_CLOCKS(GAP_CLOCKS)
  ) u (
    .aclk, .aresetn, .in_data, .in_error, .in_valid, .in_ready, .open_valid, .open_ready, .open_command,
    .open_tag, .open_count, .images_in, .closed, .status, .done, .m_axis_tdata, .m_axis_tvalid,
    .m_axis_tready, .m_axis_tlast
  );
  (* hierconn *) wire [2:0]         \u.state_q ;
  (* hierconn *) wire [3:0]         \u.index_q ;
  (* hierconn *) wire [LANE_W-1:0]  \u.lane_q ;
  (* hierconn *) wire [BEAT_W-1:0]  \u.beat_q ;
  (* hierconn *) wire [15:0]        \u.begun_q ;
  (* hierconn *) wire [GAP_W-1:0]   \u.gap_q ;
  (* hierconn *) wire               \u.judge_q ;

  reg         alive = 0;
  reg         open;                 // handed over and not done
  reg [7:0]   lane, beats;          // bytes of the beat that gathers; beats of the image that the core has
  reg [15:0]  begun, images;
  reg         full;                 // a whole beat waits for the core
  reg [8*BEAT_BYTES-1:0] word;
  reg         held, waited, was_open, was_closed;
  reg [8*BEAT_BYTES:0]   held_beat;
  reg [31:0]  kept;
  reg [7:0]   kept_status;
  reg [15:0]  kept_images;
  reg [7:0]   idle;
  wire payload = open && begun != open_count && in_valid && in_ready;
  wire beat = m_axis_tvalid && m_axis_tready;
  wire final_beat = beats == BEATS - 1;
  wire fills = lane == BEAT_BYTES - 1 || (final_beat && lane == (IMAGE_BYTES - 1) % BEAT_BYTES);
  wire dropped = status == 6;
  wire [16:0] most = images + (m_axis_tvalid && final_beat);

  always @(posedge aclk) begin
    held <= aresetn && m_axis_tvalid && !m_axis_tready;
    held_beat <= {m_axis_tlast, m_axis_tdata};
    waited <= aresetn && open_valid && !open_ready;
    was_open <= aresetn && (open ? !done : open_valid && open_ready);
    was_closed <= aresetn && open && closed && !done;
    kept <= {open_command, open_tag, open_count};
    kept_status <= status;
    kept_images <= images_in;
    idle <= aresetn && open && !closed && !in_valid && m_axis_tready ? idle + 1 : 0;
    if (open_valid && open_ready) begin
      open <= 1;
      {lane, beats, begun, images, full} <= 0;
      word <= 0;
    end else if (open && done) begin
      open <= 0;
    end
    if (beat) begin
      full <= 0;
      word <= 0;
      beats <= m_axis_tlast ? 0 : beats + 1;
      if (final_beat) images <= images + 1;
    end
    if (payload) begin
      word[8*lane +: 8] <= in_data;
      lane <= fills ? 0 : lane + 1;
      full <= fills;
      if (fills && final_beat) begun <= begun + 1;
    end
    if (!aresetn) begin
      alive <= 1;
      open <= 0;
    end
  end

  always @* if (alive) begin
    assume (!done || closed);
    if (waited) p_wait: assert (open_valid && {open_command, open_tag, open_count} == kept && status == kept_status);
    if (was_open) begin
      p_kept: assert ({open_command, open_tag, open_count} == kept);
      p_images: assert (images_in == images && images_in <= open_count && !open_valid);
    end
    if (was_closed) p_closed: assert (closed && status == kept_status && images_in == kept_images);
    if (closed) p_end: assert (open && !m_axis_tvalid && !in_ready);
    if (m_axis_tvalid) begin
      p_last: assert (open && m_axis_tlast == (final_beat || (dropped && !full)));
      if (full) p_data: assert (m_axis_tdata == word);
      p_part: assert (full || (dropped && beats != 0));
    end
    if (open && full) p_valid: assert (m_axis_tvalid);
    if (closed && !dropped) p_whole: assert (begun == open_count && images == begun);
    if (held) p_hold: assert (m_axis_tvalid && {m_axis_tlast, m_axis_tdata} == held_beat);
    p_progress: assert (idle <= GAP_CLOCKS + 5);
    i_open: assert (open == (\u.state_q >= 5) && (!was_open || open));
    i_gap: assert (\u.gap_q <= GAP_CLOCKS);
    if (!open) i_quiet: assert (!m_axis_tvalid && !\u.judge_q && idle == 0 && \u.beat_q == 0);
    if (\u.state_q != 0 && !open)
      i_new: assert (images_in == 0 && \u.begun_q == 0 && \u.lane_q == 0 && m_axis_tdata == 0);
    if (\u.state_q == 4) i_count: assert (open_command == 3 && status == 0 ? open_count != 0 : open_count == 0);
    if (open) begin
      i_images: assert (images_in == images && \u.beat_q == beats && beats < BEATS);
      i_most: assert (most <= open_count && begun <= open_count);
      if (\u.state_q != 7 || !dropped)
        i_begun: assert (\u.begun_q == begun && begun == images + (full && final_beat));
      i_full: assert (full ? m_axis_tvalid && m_axis_tdata == word && m_axis_tlast == final_beat
        : !m_axis_tvalid || (\u.state_q == 7 && dropped && m_axis_tlast && beats != 0));
      if (\u.state_q < 7 && !full) i_word: assert (m_axis_tdata == word);
      if (\u.state_q == 5)
        i_lane: assert (begun != open_count && \u.lane_q == lane && lane < BEAT_BYTES && (!full || lane == 0)
          && !(full && final_beat && begun == open_count) && !dropped
          && (!final_beat || full || lane <= (IMAGE_BYTES - 1) % BEAT_BYTES));
      if (\u.state_q == 6)
        i_trailer: assert (begun == open_count && !dropped && lane == 0 && (full ? final_beat : beats == 0));
      if (\u.state_q == 7) i_close: assert ((dropped || begun == open_count)
        && (full ? final_beat : m_axis_tvalid || beats == 0));
      i_judge: assert (!\u.judge_q || (\u.state_q == 7 && idle == 0));
      if (\u.state_q == 5 || \u.state_q == 6)
        i_idle: assert (\u.state_q == 5 && full ? idle <= 1 : idle <= \u.gap_q + 2);
      else i_late: assert (idle <= GAP_CLOCKS + 3 + !m_axis_tvalid);
    end
    if (held) i_held: assert (open && m_axis_tvalid);
  end
endmodule

`default_nettype wire
