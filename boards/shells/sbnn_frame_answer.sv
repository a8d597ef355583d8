// SPDX-License-Identifier: Apache-2.0
//
// Builds the answer frame of each request, with the core's results as they come.
//
//   "sb" command+128 tag count[2] unit[2] crc[4]  count * unit payload bytes, status, crc[4]
//
// The second CRC covers payload and status. The length that the header announced is kept whatever
// happens to the request: results that cannot come any more are zeros, and the status says why.
`default_nettype none

module sbnn_frame_answer #(
    parameter RESULT_BYTES = 22,
    parameter BEAT_BYTES = 8,
    parameter INFO_BYTES = 32,
    parameter [8*INFO_BYTES-1:0] INFO = '0  // payload of the INFO answer, byte 0 lowest
) (
    input  wire                     aclk,
    input  wire                     aresetn,
    // The request; see sbnn_frame_request.
    input  wire                     open_valid,
    output logic                    open_ready,
    input  wire  [             7:0] open_command,
    input  wire  [             7:0] open_tag,
    input  wire  [            15:0] open_count,
    input  wire  [            15:0] images_in,
    input  wire                     closed,
    input  wire  [             7:0] status,
    output logic                    done,
    // Results, from the core.
    input  wire  [8*BEAT_BYTES-1:0] s_axis_tdata,
    input  wire                     s_axis_tvalid,
    output logic                    s_axis_tready,
    input  wire                     s_axis_tlast,
    // Bytes, to the line.
    output logic [             7:0] out_data,
    output logic                    out_valid,
    input  wire                     out_ready,
    // For the LEDs: the last class and whether the last answer was an error.
    output logic [             7:0] last_class,
    output logic                    last_error
);
  localparam logic [7:0] INFO_COMMAND = 8'd2, INFER = 8'd3, OK = 8'd0, BAD_CORE = 8'd7;
  localparam logic [2:0] IDLE = 3'd0, HEADER = 3'd1, PAYLOAD = 3'd2, RESULTS = 3'd3;
  localparam logic [2:0] STATUS = 3'd4, CRC = 3'd5, NEXT = 3'd6;

  localparam UNIT = RESULT_BYTES > INFO_BYTES ? RESULT_BYTES : INFO_BYTES;
  localparam INDEX_BITS = $clog2(UNIT > 12 ? UNIT : 12);
  localparam LANE_BITS = BEAT_BYTES > 1 ? $clog2(BEAT_BYTES) : 1;

  logic [2:0] state_q;
  logic [INDEX_BITS-1:0] index_q;  // byte of the header, of INFO, of a result or of a CRC
  logic [LANE_BITS-1:0] lane_q;  // byte of the core's beat
  logic [15:0] results_q;
  logic [31:0] crc_q, crc_next;
  logic [7:0] class_q, header_byte, crc_byte;
  logic [8*BEAT_BYTES-1:0] beat_q;  // a beat of the core: its bytes are chosen from a register
  logic beat_valid_q, beat_last_q, core_error_q, error_q, real_q, infer_q, info_q, put, last_byte, last_lane;
  logic [15:0] count, unit;

  assign count = infer_q ? open_count : {15'd0, info_q};
  assign unit = infer_q ? 16'(RESULT_BYTES) : info_q ? 16'(INFO_BYTES) : 16'd0;
  assign last_byte = index_q == INDEX_BITS'(RESULT_BYTES - 1);
  assign last_lane = lane_q == LANE_BITS'(BEAT_BYTES - 1) || last_byte;

  assign open_ready = state_q == IDLE;
  assign done = state_q == CRC && put && index_q == INDEX_BITS'(3);
  assign put = out_valid && out_ready;
  assign s_axis_tready = !beat_valid_q;
  assign last_class = class_q;
  assign last_error = error_q;
  assign crc_byte = ~crc_q[7:0];

  always_comb begin
    case (index_q)
      INDEX_BITS'(0): header_byte = "s";
      INDEX_BITS'(1): header_byte = "b";
      INDEX_BITS'(2): header_byte = {1'b1, open_command[6:0]};
      INDEX_BITS'(3): header_byte = open_tag;
      INDEX_BITS'(4): header_byte = count[7:0];
      INDEX_BITS'(5): header_byte = count[15:8];
      INDEX_BITS'(6): header_byte = unit[7:0];
      INDEX_BITS'(7): header_byte = unit[15:8];
      default: header_byte = crc_byte;
    endcase
    case (state_q)
      HEADER: out_data = header_byte;
      PAYLOAD: out_data = INFO[8*index_q+:8];
      RESULTS: out_data = real_q ? beat_q[8*lane_q+:8] : 8'd0;
      STATUS: out_data = status != OK ? status : core_error_q ? BAD_CORE : OK;
      default: out_data = crc_byte;
    endcase
    case (state_q)
      IDLE, NEXT: out_valid = 1'b0;
      RESULTS: out_valid = !real_q || beat_valid_q;
      STATUS: out_valid = closed;
      default: out_valid = 1'b1;
    endcase
  end

  sbnn_crc32 u_crc (
      .crc(crc_q),
      .data(out_data),
      .crc_next(crc_next)
  );

  always_ff @(posedge aclk) begin
    if (put) begin
      index_q <= index_q + 1'b1;
      crc_q   <= crc_next;
    end
    if (s_axis_tvalid && s_axis_tready) begin
      beat_q <= s_axis_tdata;
      beat_last_q <= s_axis_tlast;
      beat_valid_q <= 1'b1;
    end
    case (state_q)
      IDLE: begin
        index_q <= '0;
        lane_q <= '0;
        results_q <= '0;
        crc_q <= '1;
        core_error_q <= 1'b0;
        // A refused request has no count and answers with none.
        infer_q <= open_command == INFER && open_count != 16'd0;
        info_q <= open_command == INFO_COMMAND && status == OK;
        if (open_valid) state_q <= HEADER;
      end
      HEADER: if (put) begin
        // The CRC leaves the register byte by byte, so that each of its bytes is the lowest one.
        if (index_q > INDEX_BITS'(7)) crc_q <= {8'd0, crc_q[31:8]};
        if (index_q == INDEX_BITS'(11)) begin
          index_q <= '0;
          crc_q   <= '1;
          state_q <= infer_q ? NEXT : info_q ? PAYLOAD : STATUS;
        end
      end
      PAYLOAD: if (put && index_q == INDEX_BITS'(INFO_BYTES - 1)) state_q <= STATUS;
      // Decided in a cycle of its own: the comparison, the choice of a byte and the CRC are a long path.
      NEXT: begin
        real_q <= results_q < images_in;
        if (results_q == open_count) state_q <= STATUS;
        else if (results_q < images_in || closed) state_q <= RESULTS;
      end
      RESULTS: if (put) begin
        lane_q <= last_lane ? '0 : lane_q + 1'b1;
        if (real_q && index_q == '0) class_q <= out_data;
        if (real_q && last_lane) begin
          beat_valid_q <= 1'b0;
          if (beat_last_q != last_byte) core_error_q <= 1'b1;
        end
        if (last_byte) begin
          index_q   <= '0;
          results_q <= results_q + 16'd1;
          state_q   <= NEXT;
        end
      end
      STATUS: if (put) begin
        error_q <= out_data != OK;
        index_q <= '0;
        state_q <= CRC;
      end
      CRC: if (put) begin
        crc_q <= {8'd0, crc_q[31:8]};
        if (done) state_q <= IDLE;
      end
      default: state_q <= IDLE;
    endcase
    if (!aresetn) begin
      state_q <= IDLE;
      beat_valid_q <= 1'b0;
      class_q <= '0;
      error_q <= 1'b0;
    end
  end
endmodule
`default_nettype wire
