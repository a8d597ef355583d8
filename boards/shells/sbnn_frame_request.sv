// SPDX-License-Identifier: Apache-2.0
//
// Takes request frames from a byte stream and feeds their images to the core as they arrive.
//
//   "SB" command tag count[2] unit[2] crc[4]  {count * unit payload bytes, crc[4] where count > 0}
//
// Nothing is buffered: a wrong CRC at the end marks the answer as invalid. Every frame that was begun
// ends: after GAP_CLOCKS without a byte the rest is given up and an early TLAST drops the partial image.
// A request is handed over with open_*; images_in, closed and status then hold until done.
`default_nettype none

module sbnn_frame_request #(
    parameter IMAGE_BYTES = 98,
    parameter BEAT_BYTES  = 8,
    parameter MAX_IMAGES  = 64,
    parameter GAP_CLOCKS  = 2500000
) (
    input  wire                     aclk,
    input  wire                     aresetn,
    // Bytes from the line; in_error: this byte was damaged, or one before it lost.
    input  wire  [             7:0] in_data,
    input  wire                     in_error,
    input  wire                     in_valid,
    output logic                    in_ready,
    // The request, for the answer.
    output logic                    open_valid,
    input  wire                     open_ready,
    output logic [             7:0] open_command,
    output logic [             7:0] open_tag,
    output logic [            15:0] open_count,
    output logic [            15:0] images_in,     // images that the core has got in full
    output logic                    closed,
    output logic [             7:0] status,
    input  wire                     done,
    // Images, to the core.
    output logic [8*BEAT_BYTES-1:0] m_axis_tdata,
    output logic                    m_axis_tvalid,
    input  wire                     m_axis_tready,
    output logic                    m_axis_tlast
);
  localparam logic [7:0] PING = 8'd1, INFO = 8'd2, INFER = 8'd3;
  localparam logic [7:0] OK = 8'd0, BAD_HEADER = 8'd1, BAD_COMMAND = 8'd2, BAD_LENGTH = 8'd3;
  localparam logic [7:0] BAD_PAYLOAD = 8'd4, BAD_LINE = 8'd5, TRUNCATED = 8'd6;
  localparam logic [31:0] RESIDUE = 32'hDEBB20E3;

  localparam logic [2:0] SYNC = 3'd0, SYNC_SECOND = 3'd1, HEADER = 3'd2, CHECK = 3'd3;
  localparam logic [2:0] OPEN = 3'd4, PAYLOAD = 3'd5, TRAILER = 3'd6, CLOSE = 3'd7;

  localparam BEATS = (IMAGE_BYTES + BEAT_BYTES - 1) / BEAT_BYTES;
  localparam LANE_BITS = BEAT_BYTES > 1 ? $clog2(BEAT_BYTES) : 1;
  localparam BEAT_BITS = BEATS > 1 ? $clog2(BEATS) : 1;
  localparam LAST_LANE = (IMAGE_BYTES - 1) % BEAT_BYTES;
  localparam GAP_BITS = $clog2(GAP_CLOCKS + 1);

  logic [2:0] state_q;
  logic [3:0] index_q;  // byte of the header or of the closing CRC
  logic [47:0] header_q;  // command, tag, count, unit
  logic [31:0] crc_q, crc_start, crc_next;
  logic [15:0] images_q, begun_q;  // images given to the core, images taken from the line
  logic [7:0] status_q, refusal;
  logic [GAP_BITS-1:0] gap_q;
  logic [LANE_BITS-1:0] lane_q;
  logic [BEAT_BITS-1:0] beat_q;
  logic [8*BEAT_BYTES-1:0] data_q;
  logic valid_q, last_q, judge_q, take, gap, refused, last_beat, beat_full;

  assign open_command = header_q[7:0];
  assign open_tag = header_q[15:8];
  assign open_count = header_q[31:16];
  assign open_valid = state_q == OPEN;
  assign closed = state_q == CLOSE && !valid_q && !judge_q;
  assign images_in = images_q;
  assign status = status_q;
  assign m_axis_tdata = data_q;
  assign m_axis_tvalid = valid_q;
  assign m_axis_tlast = last_q;

  assign in_ready = state_q == SYNC || state_q == SYNC_SECOND || state_q == HEADER ||
      state_q == TRAILER || (state_q == PAYLOAD && !valid_q);
  assign take = in_valid && in_ready;
  assign gap = in_ready && !in_valid && gap_q == GAP_BITS'(GAP_CLOCKS);
  assign last_beat = beat_q == BEAT_BITS'(BEATS - 1);
  assign beat_full = lane_q == LANE_BITS'(BEAT_BYTES - 1) ||
      (last_beat && lane_q == LANE_BITS'(LAST_LANE));

  // A second "S" may be the true start of the magic, so that the CRC starts again with it.
  assign crc_start = (state_q == SYNC || (state_q == SYNC_SECOND && in_data == "S")) ? '1 : crc_q;
  sbnn_crc32 u_crc (
      .crc(crc_start),
      .data(in_data),
      .crc_next(crc_next)
  );

  always_comb begin
    refusal = OK;
    if (crc_q != RESIDUE) refusal = BAD_HEADER;
    else if (header_q[7:0] == PING || header_q[7:0] == INFO) begin
      if (header_q[47:16] != 32'd0) refusal = BAD_LENGTH;
    end else if (header_q[7:0] == INFER) begin
      if (header_q[31:16] == 16'd0 || header_q[31:16] > 16'(MAX_IMAGES) ||
          header_q[47:32] != 16'(IMAGE_BYTES)) refusal = BAD_LENGTH;
    end else refusal = BAD_COMMAND;
  end
  assign refused = status_q != OK || header_q[7:0] != INFER;  // nothing follows the header

  always_ff @(posedge aclk) begin
    gap_q <= (take || !in_ready) ? '0 : gap ? gap_q : gap_q + 1'b1;
    if (take) crc_q <= crc_next;
    if (valid_q && m_axis_tready) begin
      valid_q <= 1'b0;
      data_q  <= '0;
      // A closed frame's early TLAST may happen to be an image's last beat: it counts then, too.
      beat_q  <= last_q ? '0 : beat_q + 1'b1;
      if (last_beat) images_q <= images_q + 16'd1;
    end

    case (state_q)
      SYNC: begin
        index_q  <= '0;
        images_q <= '0;
        begun_q  <= '0;
        lane_q   <= '0;
        data_q   <= '0;  // a truncated image may have left bytes
        status_q <= OK;
        // in_error may speak of a byte that was lost long ago; the header's CRC decides.
        if (take && in_data == "S") state_q <= SYNC_SECOND;
      end
      SYNC_SECOND:
      if (gap || (take && in_error)) state_q <= SYNC;
      else if (take && in_data == "B") state_q <= HEADER;
      else if (take && in_data != "S") state_q <= SYNC;
      HEADER:
      if (gap || (take && in_error)) begin
        header_q <= '0;
        status_q <= gap ? TRUNCATED : BAD_HEADER;
        state_q  <= OPEN;
      end else if (take) begin
        index_q <= index_q + 4'd1;
        if (index_q < 4'd6) header_q <= {in_data, header_q[47:8]};
        if (index_q == 4'd9) state_q <= CHECK;
      end
      CHECK: begin
        status_q <= refusal;
        state_q  <= OPEN;
        crc_q    <= '1;
        if (refusal == BAD_HEADER) header_q <= '0;
        else if (refusal != OK) header_q[47:16] <= '0;
      end
      OPEN: begin
        index_q <= '0;
        if (open_ready) state_q <= refused ? CLOSE : PAYLOAD;
      end
      PAYLOAD:
      if (gap) begin
        status_q <= TRUNCATED;
        state_q  <= CLOSE;
        valid_q  <= beat_q != '0;  // the core has a part of an image: drop it
        last_q   <= 1'b1;
      end else if (take) begin
        if (in_error && status_q == OK) status_q <= BAD_LINE;
        data_q[8*lane_q+:8] <= in_data;
        lane_q <= beat_full ? '0 : lane_q + 1'b1;
        if (beat_full) begin
          valid_q <= 1'b1;
          last_q  <= last_beat;
          if (last_beat) begin
            begun_q <= begun_q + 16'd1;
            if (begun_q + 16'd1 == open_count) state_q <= TRAILER;
          end
        end
      end
      TRAILER:
      if (gap) begin
        status_q <= TRUNCATED;
        state_q  <= CLOSE;
      end else if (take) begin
        index_q <= index_q + 4'd1;
        if (in_error && status_q == OK) status_q <= BAD_LINE;
        if (index_q == 4'd3) begin
          state_q <= CLOSE;
          judge_q <= 1'b1;
        end
      end
      CLOSE: begin
        judge_q <= 1'b0;  // the CRC's last byte is in crc_q only now
        if (judge_q && status_q == OK && crc_q != RESIDUE) status_q <= BAD_PAYLOAD;
        if (done) state_q <= SYNC;
      end
      default: state_q <= SYNC;
    endcase

    if (!aresetn) begin
      state_q <= SYNC;
      gap_q   <= '0;
      valid_q <= 1'b0;
      judge_q <= 1'b0;
      last_q  <= 1'b0;
      data_q  <= '0;
      beat_q  <= '0;
      lane_q  <= '0;
    end
  end
endmodule
`default_nettype wire
