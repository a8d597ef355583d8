// SPDX-License-Identifier: Apache-2.0
// sbnn_frame_answer: every request gets one whole frame, as long as its header says, byte by byte as written.
//
// `section` is header, payload, status or CRC, `at` the byte in it (of one result in results), `result` the
// results before. A result is the core's exactly if its image got in. The core may do anything; the request
// keeps its number, counts images up and closes once, as sbnn_frame_request does.
`default_nettype none

module prove_frame_answer #(
  parameter int RESULT_BYTES = 3,
  parameter int BEAT_BYTES = 2,
  parameter int INFO_BYTES = 4
) (
  input wire         aclk,
  input wire         aresetn,
  input wire         open_valid,
  input wire [7:0]   open_command, open_tag, status,
  input wire [15:0]  open_count, images_in,
  input wire         closed,
  input wire [8*BEAT_BYTES-1:0]  s_axis_tdata,
  input wire         s_axis_tvalid, s_axis_tlast,
  input wire         out_ready
);
  localparam int UNIT = RESULT_BYTES > INFO_BYTES ? RESULT_BYTES : INFO_BYTES;
  localparam int INDEX_W = $clog2(UNIT > 12 ? UNIT : 12);
  localparam int LANE_W = BEAT_BYTES > 1 ? $clog2(BEAT_BYTES) : 1;
  localparam logic [8*INFO_BYTES-1:0] INFO = {INFO_BYTES{8'h5A}} ^ 32'h01020304;

  wire        open_ready, done, s_axis_tready, out_valid, last_error;
  wire [7:0]  out_data, last_class;
  sbnn_frame_answer #(
    .RESULT_BYTES(RESULT_BYTES), .BEAT_BYTES(BEAT_BYTES), .INFO_BYTES(INFO_BYTES), .INFO(INFO)
  ) u (
    .aclk, .aresetn, .open_valid, .open_ready, .open_command, .open_tag, .open_count, .images_in, .closed,
    .status, .done, .s_axis_tdata, .s_axis_tvalid, .s_axis_tready, .s_axis_tlast, .out_data, .out_valid,
    .out_ready, .last_class, .last_error
  );
  (* hierconn *) wire [2:0]              \u.state_q ;
  (* hierconn *) wire [INDEX_W-1:0]      \u.index_q ;
  (* hierconn *) wire [LANE_W-1:0]       \u.lane_q ;
  (* hierconn *) wire [15:0]             \u.results_q ;
  (* hierconn *) wire [31:0]             \u.crc_q ;
  (* hierconn *) wire [8*BEAT_BYTES-1:0] \u.beat_q ;
  (* hierconn *) wire \u.beat_valid_q , \u.beat_last_q , \u.core_error_q , \u.real_q , \u.infer_q , \u.info_q ;

  reg                     alive = 0;
  reg                     open, infer, info;
  reg [1:0]               section;
  reg [7:0]               at, lane;
  reg [15:0]              result;
  reg [31:0]              crc;
  reg                     have, beat_last, wrong;  // a beat of the core; its TLAST; some TLAST was misplaced
  reg [8*BEAT_BYTES-1:0]  beat;
  reg [31:0]              kept;                    // what the request said when it opened
  reg [15:0]              images_before;
  reg                     closed_before, held;
  reg [7:0]               status_before, held_data;
  reg [3:0]               idle;

  wire [15:0] count = infer ? open_count : info;
  wire [15:0] unit = infer ? RESULT_BYTES : info ? INFO_BYTES : 0;
  wire real_result = result < images_in;
  wire put = out_valid && out_ready;
  wire ends_result = at == RESULT_BYTES - 1;
  wire ends_lane = lane == BEAT_BYTES - 1 || ends_result;
  wire in_results = section == 1 && infer;
  wire waits = section == 2 ? !closed : in_results && (real_result ? !have : !closed);
  wire [31:0] crc_next, crc_left = crc >> 8 * (section == 0 ? at - 8 : at);
  sbnn_crc32 u_check (.crc, .data(out_data), .crc_next);

  reg [7:0] header;
  always @* begin
    case (at)
      0: header = "s";
      1: header = "b";
      2: header = open_command | 128;
      3: header = open_tag;
      4: header = count;
      5: header = count >> 8;
      6: header = unit;
      7: header = unit >> 8;
      default: header = ~crc_left;
    endcase
  end

  always @(posedge aclk) begin
    held <= aresetn && out_valid && !out_ready;
    held_data <= out_data;
    images_before <= images_in;
    closed_before <= closed;
    status_before <= status;
    idle <= aresetn && open && !out_valid && !waits ? idle + 1 : 0;
    if (open_valid && open_ready) begin
      open <= 1;
      infer <= open_command == 3 && open_count != 0;
      info <= open_command == 2 && status == 0;
      kept <= {open_command, open_tag, open_count};
      {section, at, lane, result, wrong} <= 0;
      crc <= 32'hFFFFFFFF;
    end
    if (put) begin
      at <= at + 1;
      if (section == 0 ? at < 8 : section != 3) crc <= crc_next;
      if (section == 0 && at == 11) begin
        at <= 0;
        crc <= 32'hFFFFFFFF;
        section <= infer || info ? 1 : 2;
      end
      if (section == 1 && info && at == INFO_BYTES - 1) {section, at} <= {2'd2, 8'd0};
      if (in_results) begin
        lane <= ends_lane ? 0 : lane + 1;
        if (ends_result) begin
          at <= 0;
          result <= result + 1;
          if (result + 1 == open_count) section <= 2;
        end
        if (real_result && ends_lane) begin
          have <= 0;
          if (beat_last != ends_result) wrong <= 1;
        end
      end
      if (section == 2) {section, at} <= {2'd3, 8'd0};
      if (section == 3 && at == 3) open <= 0;
    end
    if (s_axis_tvalid && s_axis_tready) {have, beat_last, beat} <= {1'b1, s_axis_tlast, s_axis_tdata};
    if (!aresetn) begin
      alive <= 1;
      {open, have} <= 0;
    end
  end

  always @* if (alive) begin
    if (open) begin
      assume ({open_command, open_tag, open_count} == kept);
      assume (images_in >= images_before && images_in <= open_count);
      if (closed_before) assume (closed && status == status_before && images_in == images_before);
    end
    p_open: assert (open_ready == !open && (open || !out_valid));
    p_done: assert (done == (put && section == 3 && at == 3 && open));
    if (out_valid) begin
      if (section == 0) p_header: assert (out_data == header);
      if (section == 1 && info) p_info: assert (out_data == INFO[8*at +: 8]);
      if (in_results) p_result: assert (real_result ? have && out_data == beat[8*lane +: 8] : closed && out_data == 0);
      if (section == 2) p_status: assert (closed && out_data == (status != 0 ? status : wrong ? 7 : 0));
      if (section == 3) p_crc: assert (out_data == (~crc_left & 255));
    end
    p_take: assert (s_axis_tready == !have);
    if (held) p_hold: assert (out_valid && out_data == held_data);
    p_progress: assert (idle <= 2);
    i_have: assert (\u.beat_valid_q == have && (!have || (\u.beat_q == beat && \u.beat_last_q == beat_last)));
    i_idle: assert (open ? \u.state_q != 0 && \u.state_q != 7 : \u.state_q == 0);
    if (open) begin
      i_kind: assert (\u.infer_q == infer && \u.info_q == info && !(infer && info) && (!infer || open_count != 0));
      i_error: assert (\u.core_error_q == wrong);
      case (section)
        0: i_header: assert (\u.state_q == 1 && at < 12 && \u.index_q == at && lane == 0 && result == 0
          && \u.crc_q == (at < 8 ? crc : crc_left));
        1: i_payload: assert (\u.index_q == at && \u.crc_q == crc && (infer
          ? (\u.state_q == 6 ? at == 0 : \u.state_q == 3) && at < RESULT_BYTES && lane < BEAT_BYTES
            && result < open_count
          : info && \u.state_q == 2 && at < INFO_BYTES));
        2: i_status: assert (\u.crc_q == crc && (\u.state_q == 4
          || (infer && \u.state_q == 6 && result == open_count)));
        3: i_crc: assert (\u.state_q == 5 && at < 4 && \u.index_q == at && \u.crc_q == crc_left);
      endcase
      if (section < 2) i_result: assert (\u.results_q == result && \u.lane_q == lane && (at != 0 || lane == 0));
      if (section == 2 && \u.state_q == 6) i_last: assert (\u.results_q == result);
      if (in_results && \u.state_q == 3)
        i_real: assert (\u.real_q == real_result && (real_result || closed));
    end
  end
endmodule

`default_nettype wire
